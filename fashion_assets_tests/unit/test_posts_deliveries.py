"""posts.landing by what people deliver: mended files, rounded ids, archives in part, a lake that begins earlier."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from fashion_assets.posts import landing as landing_module
from fashion_assets.posts.cleaning import clean_posts
from fashion_assets.posts.landed import landed_months, read_ledger
from fashion_assets.posts.landing import LandingResult
from fashion_assets.posts.month_digests import landing_digests
from fashion_assets.posts.raw import collect_raw_posts
from fashion_assets.storage.places import Place
from fashion_assets_tests.unit.test_posts_landing import check_books, land, put, record


def said_of(landing: LandingResult) -> dict[str, tuple[str, str]]:
    return {file.name: (file.status, file.reason or "") for file in landing.files}


def refusals(root: Path) -> dict[str, str]:
    ledger = read_ledger(root / "lake")
    rows = ledger[ledger["status"] == "refused"]
    return dict(zip(rows["file"], rows["reason"], strict=True))


def quarantined(root: Path) -> pd.DataFrame:
    lake = root / "lake"
    return pd.concat([clean_posts(collect_raw_posts(lake, month))[1] for month in landed_months(lake)])


def test_of_a_file_that_is_mended_and_delivered_again_the_later_wins(any_root: Place) -> None:
    """One name, one fetch time: the names of the landed files are digests, of which either may come first."""
    for likes in ("10", "20", "30", "40", "50", "60"):
        put(any_root / "incoming", "a.csv", [record("p1", post_like=likes), record("p2")])
        land(any_root)
        posts = collect_raw_posts(any_root / "lake", "2024-06").set_index("post_id")
        assert posts.loc["p1", "post_like"] == likes
    assert check_books(any_root / "lake") == 12
    (any_root / "lake" / "landing" / "ledger.parquet").unlink()
    land(any_root)
    assert collect_raw_posts(any_root / "lake", "2024-06").set_index("post_id").loc["p1", "post_like"] == "60"


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_posts_whose_ids_were_rounded_do_not_pass_for_crawls_of_one(tmp_path: Path, kind: str) -> None:
    numbers = [171234567890123400.0 + 64 * place for place in range(3)]
    records = [record("p1", post_title=f"标题{place}") for place in range(3)]
    if kind == "csv":
        put(tmp_path / "incoming", "a.csv", [row | {"post_id": "1.71235E+17"} for row in records])
    else:
        (tmp_path / "incoming").mkdir()
        typed = [row | {"post_id": number} for row, number in zip(records, numbers, strict=True)]
        path = tmp_path / "incoming" / f"a.{kind}"
        if kind == "parquet":
            pd.DataFrame(typed).to_parquet(path)
        else:
            path.write_text("\n".join(json.dumps(row) for row in typed))
    land(tmp_path)
    assert check_books(tmp_path / "lake") == 3
    refused = quarantined(tmp_path)
    assert list(refused["column"]) == ["post_id"] * 3
    assert all("rounded" in reason and "is empty" not in reason for reason in refused["reason"])


def test_rounded_ids_of_a_frame_are_refused_and_exact_ones_kept() -> None:
    rows = [
        record("p1") | {"post_id": post_id}
        for post_id in (1.7e17, 123456.0, "5e12345678901234", "1E5", 1.7e17)
    ]
    kept, refused = clean_posts(pd.DataFrame(rows))
    assert list(kept["post_id"]) == ["123456", "5e12345678901234", "1E5"]
    assert all("rounded" in reason and "older crawl" not in reason for reason in refused["reason"])


def test_posts_from_before_the_first_month_land_when_it_is_set_earlier(any_root: Place) -> None:
    put(any_root / "incoming", "a.csv", [record("p1"), record("p2", "2018-03-04"), record("p3")])
    put(any_root / "incoming", "b.csv", [record("p4")])
    land(any_root)
    assert landed_months(any_root / "lake") == ["2024-06"]
    again = land(any_root, first_month="2018-01")
    assert {name: status for name, (status, _) in said_of(again).items()} == {
        "a.csv": "landed",
        "b.csv": "already landed",
    }
    assert again.touched_months == ["2018-03", "2024-06"]
    assert list(collect_raw_posts(any_root / "lake", "2018-03")["post_id"]) == ["p2"]
    assert check_books(any_root / "lake") == 4
    # Once, and not back and forth where another process still has the later month.
    for first_month in ("2018-01", "2019-01", "2018-01"):
        assert not land(any_root, first_month=first_month).touched_months


def test_the_advice_for_a_day_out_of_range_goes_by_its_side(tmp_path: Path) -> None:
    fetched = "2031-01-01 00:00:00"
    put(tmp_path / "incoming", "a.csv", [record("p1", "1970-01-01"), record("p2", "2030-01-01", fetched)])
    land(tmp_path)
    early, late = quarantined(tmp_path).sort_values("post_id")["reason"]
    assert "set FASHION_FIRST_MONTH earlier" in early
    assert "FASHION_FIRST_MONTH" not in late and "mend post_date or post_fetch_time" in late


def test_a_crawl_file_that_its_archive_lands_without_is_in_the_ledger_until_it_lands(tmp_path: Path) -> None:
    def deliver(bad: bytes) -> LandingResult:
        (tmp_path / "incoming").mkdir(exist_ok=True)
        with zipfile.ZipFile(tmp_path / "incoming" / "a.zip", "w") as archive:
            archive.writestr("good.csv", good)
            archive.writestr("2024/bad.csv", bad)
            archive.writestr("readme.txt", b"hello")
        return land(tmp_path)

    good = put(tmp_path / "made", "good.csv", [record("p1")]).read_bytes()
    first = said_of(deliver(b"x,y\n1,2\n"))
    assert first["a.zip"][0] == "landed"
    assert first["a.zip/2024/bad.csv"][0] == "refused" and "post_id" in first["a.zip/2024/bad.csv"][1]
    assert list(refusals(tmp_path)) == ["a.zip/2024/bad.csv"]
    land(tmp_path)
    deliver(b"x,z\n1,2\n")
    assert "it has x, z" in refusals(tmp_path)["a.zip/2024/bad.csv"]  # as it is now
    deliver(put(tmp_path / "made", "mended.csv", [record("p2")]).read_bytes())
    assert refusals(tmp_path) == {}
    assert set(collect_raw_posts(tmp_path / "lake", "2024-06")["post_id"]) == {"p1", "p2"}


@pytest.mark.parametrize("content", ['{"files": [{"name": "a.csv", "bytes": Infinity}]}', "[" * 100_000])
def test_no_manifest_holds_up_other_deliveries(tmp_path: Path, content: str) -> None:
    put(tmp_path / "incoming", "one/a.csv", [record("p1")])
    put(tmp_path / "incoming", "two/b.csv", [record("p2")])
    (tmp_path / "incoming" / "one" / "_manifest.json").write_text(content)
    said = said_of(land(tmp_path))
    assert said["two/b.csv"][0] == "landed"
    assert said["one/a.csv"][0] == "waiting" and "_manifest.json is not valid" in said["one/a.csv"][1]


def test_a_manifest_may_list_the_markers_and_mappings_of_its_delivery(tmp_path: Path) -> None:
    path = put(tmp_path / "incoming", "a.csv", [record("p1")])
    (tmp_path / "incoming" / "_SUCCESS").touch()
    (tmp_path / "incoming" / "columns.yaml").write_text("- files: other.csv")
    names = ("a.csv", "_SUCCESS", "columns.yaml", "_manifest.json", "missing.csv")
    listed = [{"name": name, "bytes": path.stat().st_size} for name in names]
    (tmp_path / "incoming" / "_manifest.json").write_text(json.dumps({"files": listed}))
    said = said_of(land(tmp_path))
    assert {name: status for name, (status, _) in said.items()} == {
        "a.csv": "landed",
        "missing.csv": "waiting",
    }


@pytest.mark.parametrize("gone", ["_manifest.json", "a.csv.columns.yaml", "a.csv"])
def test_what_is_taken_away_during_a_landing_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    incoming = tmp_path / "incoming"
    put(incoming, "x/a.csv", [record("p1")])
    land(tmp_path)
    put(
        incoming, "x/a.csv", [record("p1"), record("p2")]
    )  # added to: its beginning is looked at after all are read
    put(incoming, "b.csv", [record("p3")])
    (incoming / "x" / "_manifest.json").write_text('{"files": []}')
    (incoming / "x" / "a.csv.columns.yaml").write_text("{}")
    where = "_look" if gone == "a.csv" else "look_around"
    original = getattr(landing_module, where)

    def and_then_gone(*arguments: object) -> object:
        found = original(*arguments)
        (incoming / "x" / gone).unlink(missing_ok=True)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(landing_module, where, and_then_gone)
        said = said_of(land(tmp_path))
    assert said["b.csv"][0] == "landed" and said["x/a.csv"][0] in ("waiting", "refused")
    land(tmp_path)
    assert check_books(tmp_path / "lake") == (2 if gone == "a.csv" else 3)


@pytest.mark.parametrize("name", ["crawl_seen", "media_seen", "month_digests"])
@pytest.mark.parametrize("content", [b"", b"PAR1 and then nothing"])
def test_a_damaged_table_with_which_nothing_is_lost_is_written_anew(
    any_root: Place, name: str, content: bytes
) -> None:
    put(any_root / "incoming", "a.csv", [record("p1")])
    (any_root / "incoming" / "media" / "p1").mkdir(parents=True)
    (any_root / "incoming" / "media" / "p1" / "1.jpg").write_bytes(b"\xff\xd8\xff")
    land(any_root)
    before = landing_digests(any_root / "lake")
    path = any_root / "lake" / "landing" / f"{name}.parquet"
    assert path.exists()
    path.write_bytes(content)
    assert landing_digests(any_root / "lake") == before
    assert not land(any_root).touched_months
    assert path.read_bytes() != content
    assert landing_digests(any_root / "lake") == before


WEIBO = {
    "id": 5008462389121234,
    "uid": 1669879400,
    "created_at": "Fri Mar 29 23:30:00 +0000 2024",
    "text": '<a href="//s.weibo.com/weibo?q=%23x">#今日穿搭#</a>春天的<span class="url-icon"><img alt=[哈哈] '
    'src="https://h5.sinaimg.cn/x.png" style="width:1em"></span>风衣&amp;牛仔裤<br />好看',
    "attitudes_count": 12,
    "crawled": 1719295606.4711,
}
TIKTOK = {
    "id": "7342345678901234567",
    "authorId": "MS4wLjABAAAA-x_y",
    "createTime": 1709222400000000,
    "desc": "thrift haul: linen dress",
    "challenges": [{"id": "1", "title": "grwm"}, {"id": "2", "title": "fashiontok"}],
    "diggCount": "10K+",
    "crawled": "2024-06-25 06:06:46 UTC",
}
OTHER_PLATFORMS = """
- files: "weibo*"
  columns: {post_id: id, poster_id: uid, post_date: created_at, post_content: text, post_like: attitudes_count,
            post_fetch_time: crawled}
  absent: [post_title]
- files: "tiktok*"
  columns: {post_id: id, poster_id: authorId, post_date: createTime, post_content: desc, post_tag: challenges,
            post_like: diggCount, post_fetch_time: crawled}
  absent: [post_title]
"""


def test_what_the_interfaces_of_other_platforms_deliver(tmp_path: Path) -> None:
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    (incoming / "columns.yaml").write_text(OTHER_PLATFORMS)
    (incoming / "weibo.json").write_text(json.dumps([WEIBO], indent=1))
    (incoming / "tiktok.jsonl").write_text(json.dumps(TIKTOK) + "\n")
    assert {file.status for file in land(tmp_path).files} == {"landed"}
    assert check_books(tmp_path / "lake") == 2 and quarantined(tmp_path).empty
    months = landed_months(tmp_path / "lake")
    kept = pd.concat([clean_posts(collect_raw_posts(tmp_path / "lake", month))[0] for month in months])
    posts = kept.set_index("post_id").to_dict("index")
    weibo, tiktok = posts["5008462389121234"], posts["7342345678901234567"]
    # Half past eleven in the evening in London is the next morning in Shanghai.
    assert (str(weibo["post_date"]), str(tiktok["post_date"])) == ("2024-03-30", "2024-03-01")
    assert str(weibo["fetched_at"]) == str(tiktok["fetched_at"]) == "2024-06-25 14:06:46"
    assert (weibo["body"], weibo["tags"], weibo["likes"]) == ("春天的 风衣&牛仔裤 好看", ["今日穿搭"], 12)
    assert (tiktok["tags"], tiktok["likes"]) == (["grwm", "fashiontok"], 10_000)
