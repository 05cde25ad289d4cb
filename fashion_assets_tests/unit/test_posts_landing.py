"""posts.landing and posts.raw: what lands, where, once, and without any raw author id."""

from __future__ import annotations

import csv
import io
import itertools
import os
import shutil
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fashion_assets.posts import landing as landing_module
from fashion_assets.posts.authors import hash_author
from fashion_assets.posts.cleaning import clean_posts
from fashion_assets.posts.landed import landed_months, read_ledger, read_post_index
from fashion_assets.posts.landing import LandingResult, land_incoming
from fashion_assets.posts.month_digests import landing_digest
from fashion_assets.posts.raw import arrival_counts, collect_raw_posts
from fashion_assets.posts.schemas import CRAWL_COLUMNS, RAW_POSTS, frame_to_table
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.lake import Lake
from fashion_assets.storage.places import Place

SALT = b"s" * 32
NOW = datetime(2025, 8, 1, 12)
AUTHOR = "5f3a9c0e12ab34cd56ef78"


def record(
    post_id: str, post_date: str = "06-11", fetched: str = "2024-06-25 14:06:46", **changes: str
) -> dict[str, str]:
    cells = dict.fromkeys(CRAWL_COLUMNS, "")
    cells |= {"poster_id": AUTHOR + post_id[-2:].zfill(2), "post_id": post_id, "post_title": f"标题{post_id}"}
    return cells | {"post_date": post_date, "post_content": "好看", "post_fetch_time": fetched} | changes


def put(incoming: Place, name: str, records: list[dict[str, str]]) -> Place:
    path = incoming / name
    path.parent.mkdir(parents=True, exist_ok=True)
    target = io.StringIO()
    columns = list(dict.fromkeys(itertools.chain(*records)))
    writer = csv.DictWriter(target, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    path.write_text(target.getvalue(), encoding="utf-8")
    return path


def land(root: Place, **options: object) -> LandingResult:
    arguments: dict[str, object] = {"now": NOW, "settle_seconds": 0.0} | options
    return land_incoming(root / "incoming", root / "lake", SALT, **arguments)  # type: ignore[arg-type]


def everything(lake: Path) -> dict[str, pd.DataFrame]:
    return {
        path.relative_to(lake).as_posix(): pq.read_table(path).to_pandas()
        for path in sorted(lake.rglob("*.parquet"))
    }


def check_books(lake: Place) -> int:
    """Kept + quarantined + superseded = arrived, per month; the total."""
    total = 0
    for month in landed_months(lake):
        raw = collect_raw_posts(lake, month)
        frame_to_table(raw, RAW_POSTS)
        counts = arrival_counts(lake, month)
        kept, quarantined = clean_posts(raw)
        assert counts["rows"] == counts["posts"] + counts["superseded"]
        assert len(kept) + len(quarantined) == len(raw) == counts["posts"]
        assert int(raw["superseded"].sum()) == counts["superseded"]
        assert set(kept["month"]) | set(quarantined["month"]) <= {month}
        total += counts["rows"]
    return total


def test_rows_are_split_by_the_month_of_the_post(any_root: Place) -> None:
    put(
        any_root / "incoming",
        "a.csv",
        [record("p1", "06-11"), record("p2", "2023-12-31"), record("p3", "昨天 15:20")],
    )
    put(any_root / "incoming", "deep/er/b.csv", [record("p4", "07-01")])
    result = land(any_root)
    assert [(file.name, file.status, file.rows) for file in result.files] == [
        ("a.csv", "landed", 3),
        ("deep/er/b.csv", "landed", 1),
    ]
    assert result.touched_months == ["2023-07", "2023-12", "2024-06"]
    assert result.arrived_by_month == {"2023-07": 1, "2023-12": 1, "2024-06": 2}
    assert landed_months(any_root / "lake") == ["2023-07", "2023-12", "2024-06"]
    june = collect_raw_posts(any_root / "lake", "2024-06")
    assert list(june["resolved_date"]) == [date(2024, 6, 11), date(2024, 6, 24)]
    assert list(june["date_source"]) == ["text", "relative"]
    assert collect_raw_posts(any_root / "lake", "2030-01").empty
    assert check_books(any_root / "lake") == 4


def test_landing_twice_does_nothing(tmp_path: Path) -> None:
    put(tmp_path / "incoming", "a.csv", [record("p1"), record("p2", "05-11")])
    (tmp_path / "incoming" / "media" / "p1").mkdir(parents=True)
    (tmp_path / "incoming" / "media" / "p1" / "1.jpg").write_bytes(b"\xff\xd8\xffx")
    land(tmp_path)
    kept = [path for path in (tmp_path / "lake").rglob("*") if path.is_file()]
    kept.remove(tmp_path / "lake" / "landing" / "crawl_seen.parquet")  # which says that the copy was read
    before = {path: path.stat().st_mtime_ns for path in kept}
    shutil.copy(tmp_path / "incoming" / "a.csv", tmp_path / "incoming" / "copy.csv")
    again = land(tmp_path)
    assert {file.status for file in again.files} == {"already landed"}
    assert (again.touched_months, again.arrived_by_month, again.media_added) == ([], {}, 0)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_the_newest_fetch_wins_and_older_ones_stay_in_lineage(any_root: Place) -> None:
    put(any_root / "incoming", "new.csv", [record("p1", fetched="2024-07-02 10:00:00", post_like="9")])
    put(
        any_root / "incoming",
        "old.csv",
        [record("p1", post_like="1"), record("p1", post_like="2"), record("p2")],
    )
    land(any_root)
    raw = collect_raw_posts(any_root / "lake", "2024-06").set_index("post_id")
    assert raw.loc["p1", "post_like"] == "9" and raw.loc["p1", "superseded"] == 2
    assert raw.loc["p1", "lineage"] == ["old.csv:2@2024-06-25 14:06:46", "old.csv:3@2024-06-25 14:06:46"]
    assert raw.loc["p2", "lineage"] == []
    assert arrival_counts(any_root / "lake", "2024-06") == {"rows": 4, "superseded": 2, "posts": 2}


def test_a_post_fetched_again_a_year_later_stays_in_its_month(any_root: Place) -> None:
    put(any_root / "incoming", "a.csv", [record("p1", "06-11", "2024-06-25 10:00:00")])
    land(any_root)
    put(any_root / "incoming", "b.csv", [record("p1", "06-11", "2025-07-01 10:00:00", post_like="7")])
    assert land(any_root).touched_months == ["2024-06"]
    raw = collect_raw_posts(any_root / "lake", "2024-06")
    assert raw["post_like"][0] == "7" and raw["resolved_date"][0] == date(2024, 6, 11)
    assert clean_posts(raw)[0]["post_date"][0] == date(2024, 6, 11)


def test_an_earlier_crawl_that_arrives_late_moves_the_post(any_root: Place) -> None:
    put(
        any_root / "incoming",
        "b.csv",
        [record("p1", "06-11", "2025-07-01 10:00:00"), record("p2", "06-12", "2025-07-01 10:00:00")],
    )
    assert land(any_root).touched_months == ["2025-06"]
    put(any_root / "incoming", "a.csv", [record("p1", "06-11", "2024-06-25 10:00:00")])
    result = land(any_root)
    assert result.touched_months == ["2024-06", "2025-06"] and result.arrived_by_month == {"2024-06": 1}
    assert list(collect_raw_posts(any_root / "lake", "2025-06")["post_id"]) == ["p2"]
    moved = collect_raw_posts(any_root / "lake", "2024-06")
    assert list(moved["superseded"]) == [1] and list(moved["resolved_date"]) == [date(2024, 6, 11)]
    assert check_books(any_root / "lake") == 3


def test_an_empty_date_is_filled_from_an_older_crawl_but_a_wrong_one_is_not(tmp_path: Path) -> None:
    put(tmp_path / "incoming", "a.csv", [record("zz1"), record("zz2")])
    later = "2024-07-20 10:00:00"
    put(tmp_path / "incoming", "b.csv", [record("zz1", "", later), record("zz2", "02-30", later)])
    land(tmp_path)
    kept, quarantined = clean_posts(collect_raw_posts(tmp_path / "lake", "2024-06"))
    assert list(kept["post_date"]) == [date(2024, 6, 11)] and list(kept["post_id"]) == ["zz1"]
    assert list(quarantined["column"]) == ["post_date"]


@pytest.mark.parametrize(
    ("changes", "month"),
    [
        ({"post_date": "02-30"}, "2024-05"),
        ({"post_date": "", "post_fetch_time": "broken"}, "2024-05"),
        ({"post_date": "2018-12-31"}, "2024-05"),
        ({"post_date": "2025-07-02", "post_fetch_time": "2025-09-01 00:00:00"}, "2025-07"),
        ({"post_date": "2025-08-20", "post_fetch_time": "2025-09-01 00:00:00"}, "2024-05"),
    ],
)
def test_rows_without_a_usable_date_have_a_month_too(
    tmp_path: Path, changes: dict[str, str], month: str
) -> None:
    common = [record("c1", "05-01"), record("c2", "05-02")]
    put(tmp_path / "incoming", "a.csv", [*common, record("zzz") | changes])
    land(tmp_path)
    assert read_post_index(tmp_path / "lake").set_index("post_id").loc["zzz", "month"] == month
    assert check_books(tmp_path / "lake") == 3
    if changes["post_date"] not in ("2025-07-02",):
        refused = clean_posts(collect_raw_posts(tmp_path / "lake", month))[1]
        assert list(refused["post_id"]) == ["zzz"] and refused["reason"][0].endswith(".")


def test_dates_outside_of_the_range_are_refused_with_a_sentence(tmp_path: Path) -> None:
    put(
        tmp_path / "incoming",
        "a.csv",
        [record("p1", "2018-12-31"), record("p2", "05-01"), record("p3", "03-01")],
    )
    land(tmp_path, first_month="2024-04", last_month="2024-05")
    assert landed_months(tmp_path / "lake") == ["2024-05"]
    kept, refused = clean_posts(collect_raw_posts(tmp_path / "lake", "2024-05"))
    assert list(kept["post_id"]) == ["p2"]
    assert all(
        "outside of what this lake holds (2024-04 to 2024-05" in reason for reason in refused["reason"]
    )


def test_when_nothing_says_a_month_the_first_one_takes_the_rows(tmp_path: Path) -> None:
    put(tmp_path / "incoming", "a.csv", [record("zz", "", "")])
    assert land(tmp_path, first_month="2022-03").arrived_by_month == {"2022-03": 1}


def test_rows_without_post_id_and_broken_lines_remain_rows(tmp_path: Path) -> None:
    path = put(tmp_path / "incoming", "a.csv", [record("p1"), record(""), record("")])
    path.write_text(path.read_text() + 'x,"broken\nshort,line\n')
    land(tmp_path)
    assert arrival_counts(tmp_path / "lake", "2024-06") == {"rows": 5, "superseded": 0, "posts": 5}
    kept, refused = clean_posts(collect_raw_posts(tmp_path / "lake", "2024-06"))
    assert len(kept) == 1 and list(refused["source_row"]) == [3, 4, 5, 6]
    assert list(refused["column"]) == ["post_id", "post_id", None, None]
    assert refused["raw"].isna().tolist() == [False, False, True, True]


def test_no_raw_author_id_is_anywhere_in_the_lake(tmp_path: Path) -> None:
    a, b = AUTHOR + "p1", AUTHOR + "p2"
    put(
        tmp_path / "incoming",
        f"user_{a}.csv",
        [
            record("p1", poster_id=a, post_content=f"看 https://x.com/user/profile/{b} 和{a.upper()}"),
            record("p2", poster_id=b, post_tag=f"#{a}", post_location=b) | {"avatar": f"https://cdn/{a}.jpg"},
            record("p3", poster_id=a, post_date=a, post_like=b, post_fetch_time=a),
            record("p1", poster_id=a, post_fetch_time="2024-06-25 15:00:00"),
        ],
    )
    media = tmp_path / "incoming" / "media" / "p1"
    media.mkdir(parents=True)
    (media / f"{a}_1.jpg").write_bytes(b"\xff\xd8\xff1")
    first = land(tmp_path)
    put(tmp_path / "incoming", "later.csv", [record("p8", poster_id="c" * 24, post_content=f"转自 {b}")])
    (media / f"{b}_2.jpg").write_bytes(b"\xff\xd8\xff2")
    second = land(tmp_path)
    for name, frame in everything(tmp_path / "lake").items():
        text = name + frame.to_csv()
        assert a.lower() not in text.lower() and b.lower() not in text.lower(), name
    for path in (tmp_path / "lake").rglob("*"):
        assert a not in path.name and b not in path.name
        assert not path.is_file() or a.encode() not in path.read_bytes()
    assert a not in repr(first) and b not in repr(second)
    for month in landed_months(tmp_path / "lake"):
        raw = collect_raw_posts(tmp_path / "lake", month)
        cleaned = clean_posts(raw)
        assert not any(raw_id in frame.to_csv() for frame in (raw, *cleaned) for raw_id in (a, b))
    assert hash_author(a, SALT) in set(collect_raw_posts(tmp_path / "lake", "2024-06")["author"])


def test_refused_files_are_named_and_land_when_the_mapping_is_declared(tmp_path: Path) -> None:
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    (incoming / "f.csv").write_text(
        "post,author,date,title,text\np1,author-one,2024-06-11,题,文\n", encoding="utf-8"
    )
    (incoming / "empty.csv").write_bytes(b"")
    (incoming / "notes.docx").write_bytes(b"x")
    result = {file.name: file for file in land(tmp_path).files}
    assert {name: file.status for name, file in result.items()} == dict.fromkeys(result, "refused")
    assert all(name in (file.reason or "") for name, file in result.items())
    assert {file.status for file in land(tmp_path).files} == {"refused"}
    assert len(read_ledger(tmp_path / "lake")) == 3
    (incoming / "columns.yaml").write_text(
        "- files: f.csv\n  columns: {post_id: post, poster_id: author, post_date: date, post_title: title,"
        " post_content: text}\n  absent: [post_fetch_time]\n"
    )
    assert land(tmp_path).touched_months == ["2024-06"]
    ledger = read_ledger(tmp_path / "lake").set_index("file")
    assert ledger.loc["f.csv", "status"] == "landed" and len(ledger) == 3
    (incoming / "columns.yaml").write_text("- {columns: {nothing: x}}")
    with pytest.raises(UserError, match="nothing is no column of ours"):
        land(tmp_path)


def test_another_mapping_lands_the_file_again_in_place_of_before(any_root: Place) -> None:
    incoming = any_root / "incoming"
    put(incoming, "a.csv", [record("p1", other="2024-03-05"), record("p2", other="2024-06-12")])
    land(any_root)
    (incoming / "columns.yaml").write_text("- {files: a.csv, columns: {post_date: other}}")
    result = land(any_root)
    assert result.touched_months == ["2024-03", "2024-06"]
    assert check_books(any_root / "lake") == 2
    assert list(collect_raw_posts(any_root / "lake", "2024-03")["post_id"]) == ["p1"]
    assert len(read_ledger(any_root / "lake")) == 1


def test_a_file_that_was_added_to_replaces_its_beginning_and_another_of_its_name_does_not(
    any_root: Place,
) -> None:
    path = put(any_root / "incoming", "a.csv", [record("p1")])
    land(any_root)
    put(any_root / "incoming", "a.csv", [record("p1"), record("p2")])
    land(any_root)
    assert arrival_counts(any_root / "lake", "2024-06") == {"rows": 2, "superseded": 0, "posts": 2}
    path.unlink()
    put(any_root / "incoming", "a.csv", [record("p3")])
    land(any_root)
    assert arrival_counts(any_root / "lake", "2024-06") == {"rows": 3, "superseded": 0, "posts": 3}


def test_a_file_that_grows_while_it_is_looked_at_waits(tmp_path: Path) -> None:
    path = put(tmp_path / "incoming", "a.csv", [record("p1")])
    put(tmp_path / "incoming", "b.csv.part", [record("p2")])
    whole = put(tmp_path / "incoming", "c.csv", [record("p3")])
    os.utime(whole, (1, 1))
    waited: list[float] = []

    def writes(seconds: float) -> None:
        waited.append(seconds)
        with path.open("a") as handle:
            handle.write("half a li")

    result = {file.name: file for file in land(tmp_path, settle_seconds=30.0, sleep=writes).files}
    assert waited == [30.0]
    assert {name: file.status for name, file in result.items()} == {
        "a.csv": "waiting",
        "b.csv.part": "waiting",
        "c.csv": "landed",
    }
    assert "still being written" in (result["a.csv"].reason or "") and "bytes" in (
        result["a.csv"].reason or ""
    )
    assert "unfinished download" in (result["b.csv.part"].reason or "")
    assert len(read_ledger(tmp_path / "lake")) == 1


def test_a_file_that_changes_while_it_is_read_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path / "incoming", "a.csv", [record("p1")])
    original = landing_module.read_crawl_file

    def slow(*arguments: object) -> object:
        read = original(*arguments)  # type: ignore[arg-type]
        path.write_bytes(path.read_bytes() + b"x")
        return read

    monkeypatch.setattr(landing_module, "read_crawl_file", slow)
    assert [file.status for file in land(tmp_path).files] == ["waiting"]
    assert landed_months(tmp_path / "lake") == []


@pytest.mark.parametrize("step", ["move_posts", "write_rows", "write_post_index", "write_ledger"])
def test_a_landing_that_is_killed_at_any_step_is_made_whole_by_the_next(
    any_root: Place, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    put(any_root / "incoming", "b.csv", [record("p1", "06-11", "2025-07-01 10:00:00"), record("p2", "06-11")])
    land(any_root)
    put(any_root / "incoming", "a.csv", [record("p1"), record("p3", "05-01")])
    original: Callable[..., object] = getattr(landing_module, step)

    def killed(*arguments: object) -> object:
        if step == "move_posts":
            original(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(landing_module, step, killed)
        land(any_root)
    land(any_root)
    assert check_books(any_root / "lake") == 4
    placed = {
        m: sorted(collect_raw_posts(any_root / "lake", m)["post_id"])
        for m in landed_months(any_root / "lake")
    }
    assert placed == {"2024-05": ["p3"], "2024-06": ["p1", "p2"]}


def test_the_digest_of_a_month_changes_with_its_rows_and_media_only(any_root: Place) -> None:
    put(any_root / "incoming", "a.csv", [record("p1"), record("p2", "05-01")])
    land(any_root)
    lake = any_root / "lake"
    may, june = landing_digest(lake, "2024-05"), landing_digest(lake, "2024-06")
    (any_root / "incoming" / "media" / "p2").mkdir(parents=True)
    (any_root / "incoming" / "media" / "p2" / "1.jpg").write_bytes(b"\xff\xd8\xff1")
    assert land(any_root).touched_months == ["2024-05"]
    assert landing_digest(lake, "2024-05") != may and landing_digest(lake, "2024-06") == june
    put(any_root / "incoming", "b.csv", [record("p3")])
    land(any_root)
    assert landing_digest(lake, "2024-06") != june


def test_nothing_to_land(tmp_path: Path) -> None:
    assert land(tmp_path) == LandingResult()
    (tmp_path / "incoming" / "products").mkdir(parents=True)
    (tmp_path / "incoming" / "products" / "products.csv").write_text("a\n1\n")
    (tmp_path / "incoming" / ".DS_Store").write_text("x")
    assert land(tmp_path) == LandingResult()


crawl = st.tuples(
    st.sampled_from(["p1", "p2", "p3"]),
    st.sampled_from(["06-11", "12-30", "2024-02-03", "", "02-30", "3天前"]),
    st.sampled_from(
        ["2023-07-01 10:00:00", "2024-07-01 10:00:00", "2025-01-15 10:00:00", "2025-07-01 10:00:00"]
    ),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.lists(st.lists(crawl, min_size=1, max_size=3), min_size=2, max_size=3), data=st.data())
def test_the_order_of_landing_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[tuple[str, str, str]]], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(files))))
    placed = []
    for sequence in (range(len(files)), order, None):
        root = tmp_path_factory.mktemp("order")
        for number in sequence if sequence is not None else range(len(files)):
            records = [
                record(post, shown, fetch, post_comments=str(number)) for post, shown, fetch in files[number]
            ]
            put(root / "incoming", f"{number}.csv", records)
            if sequence is not None:
                land(root)
        land(root)
        lake = root / "lake"
        assert check_books(lake) == sum(map(len, files))
        columns = ["post_id", "resolved_date", "post_date", "superseded", "source_file", "source_row"]
        placed.append(
            {month: collect_raw_posts(lake, month)[columns].to_csv() for month in landed_months(lake)}
        )
    assert placed[0] == placed[1] == placed[2]


def test_a_month_whose_posts_all_moved_away_is_made_again_without_them(any_root: Place) -> None:
    put(any_root / "incoming", "b.csv", [record("p1", "06-11", "2025-07-01 10:00:00")])
    land(any_root)
    lake = any_root / "lake"
    before = landing_digest(lake, "2025-06")
    Lake(lake).write("raw_posts", "2025-06", frame_to_table(collect_raw_posts(lake, "2025-06"), RAW_POSTS))
    put(any_root / "incoming", "a.csv", [record("p1")])
    land(any_root)
    assert landed_months(lake) == ["2024-06", "2025-06"]
    assert landing_digest(lake, "2025-06") != before and collect_raw_posts(lake, "2025-06").empty


def test_no_author_id_is_in_what_is_said_of_files_that_do_not_land(tmp_path: Path) -> None:
    incoming, known, other = tmp_path / "incoming", AUTHOR + "01", "66" + "ab12" * 5 + "cd"
    put(incoming, "posts.csv", [record("p1", poster_id=known)])
    for raw in (known, other):
        (incoming / f"{raw}.txt").write_text("no crawl file")
        (incoming / f"{raw}.csv").write_text("a,b\n1,2\n")
        (incoming / f"{raw}.csv.part").write_text("a")
        (incoming / f"twice_{raw[:4]}.csv").write_text(f"{raw},{raw}\n1,2\n")
        with zipfile.ZipFile(incoming / f"{raw}.zip", "w") as archive:
            archive.writestr(f"{raw}/note.txt", "x")
    media = incoming / "media"
    (media / known).mkdir(parents=True)
    (media / known / "1.jpg").write_bytes(b"\xff\xd8\xff1")
    (media / f"{known}.jpg").write_bytes(b"\xff\xd8\xff1")
    result = land(tmp_path)
    assert {file.status for file in result.files} == {"landed", "refused", "waiting"}
    for text in (
        repr(result),
        *(name + frame.to_csv() for name, frame in everything(tmp_path / "lake").items()),
    ):
        assert known not in text and other not in text


def test_a_refused_file_named_after_an_author_who_comes_later_is_masked_then(tmp_path: Path) -> None:
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    (incoming / "by_person-0042.csv").write_text("a,b\n1,2\n")
    land(tmp_path)
    (incoming / "by_person-0042.csv").unlink()
    put(incoming, "posts.csv", [record("p1", poster_id="person-0042")])
    land(tmp_path)
    assert "person-0042" not in read_ledger(tmp_path / "lake").to_csv()


def test_cards_of_another_shop_are_no_crawl_files(tmp_path: Path) -> None:
    (tmp_path / "incoming" / "taxonomy").mkdir(parents=True)
    (tmp_path / "incoming" / "taxonomy" / "cards.csv").write_text("id,category\n1,a\n")
    assert land(tmp_path) == LandingResult()


def test_a_crawl_file_whose_name_is_no_utf8_lands_under_a_readable_one(tmp_path: Path) -> None:
    path = put(tmp_path / "incoming", "posts.csv", [record("665b00a1000000001e0012ab")])
    path.rename(Path(os.fsdecode(os.fsencode(path.parent) + b"/\xcc\xfb.csv")))
    landed = land(tmp_path)
    assert [file.name for file in landed.files] == [r"\xcc\xfb.csv"]
    assert read_ledger(tmp_path / "lake")["file"].tolist() == [r"\xcc\xfb.csv"]
