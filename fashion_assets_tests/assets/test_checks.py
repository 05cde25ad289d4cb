"""The checks fail when what they watch over is broken."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from fashion_assets.definitions import build_definitions
from fashion_assets.defs.checks.tables import KEYS
from fashion_assets.settings import Settings
from fashion_assets_tests.conftest import PROJECT_ROOT

MONTH = "2024-05-01"
HEADER = "poster_id,post_id,post_title,post_date,post_content,post_fetch_time"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    rows = [f"u{n},p{n},新中式,2024-05-0{n},马面裙 {n},2024-06-01 10:00:00" for n in range(1, 8)]
    rows.append("u9,p9,坏日期,2024-02-30,马面裙,2024-06-01 10:00:00")
    (tmp_path / "incoming").mkdir()
    (tmp_path / "incoming" / "crawl.csv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    return Settings(data_dir=tmp_path)


def evaluate(settings: Settings, *assets: str, month: str = MONTH) -> dict[str, dg.AssetCheckEvaluation]:
    job = build_definitions(settings).resolve_implicit_global_asset_job_def()
    instance = dg.DagsterInstance.ephemeral()
    keys = [dg.AssetKey(asset) for asset in assets]
    result = job.execute_in_process(
        asset_selection=keys, partition_key=month, instance=instance, raise_on_error=False
    )
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def test_counts_add_up_and_the_check_says_how(settings: Settings) -> None:
    checks = evaluate(settings, "raw_posts", "cleaned_posts", "quarantined_posts")
    assert checks["kept_and_quarantined_add_up"].passed
    assert "8 rows arrived = 0 older crawls + 7 kept + 1 quarantined" in str(
        checks["kept_and_quarantined_add_up"].description
    )
    assert checks["cleaned_posts_schema"].passed and checks["quarantine_rate"].passed


def test_a_lost_row_stops_what_is_below(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from fashion_assets.posts import cleaning

    whole = cleaning.clean_posts

    def losing(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        kept, refused = whole(frame)
        return kept.iloc[1:], refused

    monkeypatch.setattr(cleaning, "clean_posts", losing)
    checks = evaluate(settings, "raw_posts", "cleaned_posts", "quarantined_posts", "fashion_keywords")
    assert not checks["kept_and_quarantined_add_up"].passed
    assert not (settings.lake / "fashion_keywords").exists()


def test_a_doubled_row_fails_the_schema_check(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from fashion_assets.posts import cleaning

    whole = cleaning.clean_posts

    def doubling(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        kept, refused = whole(frame)
        return pd.concat([kept, kept.iloc[:1]]), refused

    monkeypatch.setattr(cleaning, "clean_posts", doubling)
    checks = evaluate(settings, "raw_posts", "cleaned_posts", "quarantined_posts")
    assert not checks["cleaned_posts_schema"].passed
    assert "repeated post_id: 1" in str(checks["cleaned_posts_schema"].description)


def test_a_month_of_bad_rows_is_a_warning(settings: Settings) -> None:
    rows = [f"u{n},q{n},坏,2024-05-02,,2024-06-01 10:00:00" for n in range(1, 8)]
    rows = [row.replace("坏", "") for row in rows]
    (settings.incoming / "bad.csv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    check = evaluate(settings, "raw_posts", "cleaned_posts", "quarantined_posts")["quarantine_rate"]
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.WARN


def test_a_month_without_a_post_goes_through(settings: Settings) -> None:
    """Nothing landed for it: empty tables, no failure."""
    checks = evaluate(
        settings,
        *(
            "raw_posts",
            "cleaned_posts",
            "quarantined_posts",
            "fashion_keywords",
            "post_images",
            "garment_images",
        ),
        month="2024-04-01",
    )
    assert all(check.passed for check in checks.values())


def test_the_benchmark_of_the_checks_prints_what_each_says(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``docs/checks.md`` sends people to it."""
    evaluate(settings, "raw_posts", "cleaned_posts", "quarantined_posts")
    monkeypatch.setattr("sys.argv", ["checks.py", "--data-dir", str(settings.root)])
    runpy.run_path(str(PROJECT_ROOT / "benchmarks" / "checks.py"), run_name="__main__")
    printed = capsys.readouterr().out
    assert "ok   month_volume 2024-05: 7 posts" in printed and ", 0 fired" in printed


def test_the_document_names_every_check_and_no_other() -> None:
    text = (PROJECT_ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line[:3] == "| `"
    ]
    documented = {row[0].strip("`"): row for row in rows}
    checks = {
        spec.name: spec
        for step in build_definitions(Settings()).asset_checks or []
        for spec in step.check_specs
    }
    assert documented.keys() == checks.keys() and len(rows) == len(documented)
    for name, row in documented.items():
        spec = checks[name]
        if name.endswith("_schema"):
            keys = set(re.findall(r"`(\w+)`", row[2]))
            assert spec.blocking and keys == set(KEYS.get(spec.asset_key.to_user_string(), ()))
        else:
            blocks = "yes" if spec.blocking else "no"
            severity = spec.metadata["severity"]
            assert row[1] == f"`{spec.asset_key.to_user_string()}`" and row[3:5] == [severity, blocks], name
