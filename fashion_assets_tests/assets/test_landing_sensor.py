"""The sensor asks for the months that new files touch, once."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from fashion_assets.defs.sensors import incoming_sensor
from fashion_assets.settings import Settings

HEADER = "poster_id,post_id,post_title,post_date,post_content,post_fetch_time"


def crawl(root: Path, name: str, *rows: str) -> None:
    (root / "incoming").mkdir(exist_ok=True)
    (root / "incoming" / name).write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")


def tick(root: Path, cursor: str | None = None) -> dg.SensorResult | dg.SkipReason:
    context = dg.build_sensor_context(cursor=cursor, resources={"settings": Settings(data_dir=root)})
    result = incoming_sensor(context)
    assert isinstance(result, dg.SensorResult | dg.SkipReason)
    return result


def asked(result: dg.SensorResult | dg.SkipReason) -> list[str | None]:
    assert isinstance(result, dg.SensorResult)
    return [request.partition_key for request in result.run_requests or []]


def test_a_file_asks_for_the_months_of_its_posts_once(tmp_path: Path) -> None:
    crawl(
        tmp_path,
        "a.csv",
        "u1,p1,新中式,2024-01-05,马面裙,2024-04-01 10:00:00",
        "u1,p2,新中式,2024-03-05,马面裙,2024-04-01 10:00:00",
    )
    first = tick(tmp_path)
    assert asked(first) == ["2024-01-01", "2024-03-01"]
    assert isinstance(first, dg.SensorResult)
    assert isinstance(tick(tmp_path, first.cursor), dg.SkipReason)

    crawl(tmp_path, "late.csv", "u1,p3,新中式,2024-01-09,旗袍,2024-04-02 10:00:00")
    late = tick(tmp_path, first.cursor)
    assert asked(late) == ["2024-01-01"]
    assert isinstance(late, dg.SensorResult)
    keys = {request.run_key for request in [*(first.run_requests or []), *(late.run_requests or [])]}
    assert len(keys) == 3

    crawl(tmp_path, "same.csv", "u1,p3,新中式,2024-01-09,旗袍,2024-04-02 10:00:00")
    (tmp_path / "incoming" / "same.csv").write_bytes((tmp_path / "incoming" / "late.csv").read_bytes())
    assert isinstance(tick(tmp_path, late.cursor), dg.SkipReason)


def test_nothing_new_says_so(tmp_path: Path) -> None:
    result = tick(tmp_path)
    assert isinstance(result, dg.SkipReason)
    assert "nothing new" in str(result.skip_message)
