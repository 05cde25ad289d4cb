"""The sample as a whole: layout, determinism, truth, refusals."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from fashion_assets.sample import SampleSummary, make_sample
from fashion_assets.sample.delivery import COLUMNS
from fashion_assets.sample.faults import FAULT_COLUMNS
from fashion_assets.sample.products import FAULTS
from fashion_assets.storage.errors import UserError

SMALL = {"months": 6, "posts_per_month": 40, "products": 60, "seed": 3}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleSummary:
    return make_sample(tmp_path_factory.mktemp("sample"), **SMALL)  # type: ignore[arg-type]


def truth(sample: SampleSummary, name: str) -> pd.DataFrame:
    return pd.read_csv(sample.directory / "sample_truth" / f"{name}.csv", dtype=str, keep_default_na=False)


def text_of(path: Path) -> str:
    content = path.read_bytes()
    return (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8-sig")


def all_bytes(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def records(sample: SampleSummary) -> list[dict[str, str]]:
    """Every record that a plain reader can read, of files whose bad lines are left out by the truth."""
    faults = truth(sample, "faults")
    found = []
    for name in sample.crawl_files:
        path = sample.directory / "incoming" / name
        bad = {int(row) for row in faults[faults.file == name].row}
        lines = text_of(path).split("\n")
        if name.endswith(".jsonl"):
            found += [json.loads(line) for number, line in enumerate(lines, 1) if line and number not in bad]
            continue
        unread = faults[(faults.file == name) & (faults.column == "")].row.astype(int).tolist()
        kept = [line for number, line in enumerate(lines, 1) if number not in unread]
        found += list(csv.DictReader(io.StringIO("\n".join(kept))))
    return found


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(
    sample: SampleSummary, tmp_path: Path
) -> None:
    make_sample(tmp_path / "again", **SMALL)  # type: ignore[arg-type]
    assert all_bytes(tmp_path / "again") == all_bytes(sample.directory)
    other = make_sample(tmp_path / "other", months=1, posts_per_month=20, products=0, seed=4)
    assert other.posts == 20
    assert truth(other, "posts").post_id[0] not in set(truth(sample, "posts").post_id)


def test_records_are_posts_plus_repeats_plus_bad_rows(sample: SampleSummary) -> None:
    posts, faults = truth(sample, "posts"), truth(sample, "faults")
    assert sample.posts == posts.post_id.nunique() == 240
    assert sample.records == len(posts) + len(faults)
    assert sample.repeats == posts.post_id.duplicated().sum() == (posts.kind == "repeat").sum()
    assert (posts[posts.kind == "late"].delivered_in > posts[posts.kind == "late"].month).all()
    assert set(faults.post_id).isdisjoint(posts.post_id)
    counts = Counter(record["post_id"] for record in records(sample))
    assert Counter(posts.post_id) == Counter(
        {name: n for name, n in counts.items() if name in set(posts.post_id)}
    )


def test_platform_columns_in_every_file(sample: SampleSummary) -> None:
    assert {Path(name).suffix for name in sample.crawl_files} == {".csv", ".gz", ".jsonl"}
    for name in sample.crawl_files:
        first = text_of(sample.directory / "incoming" / name).split("\n")[0]
        columns = set(json.loads(first)) if name.endswith(".jsonl") else set(first.split(","))
        assert set(COLUMNS) <= columns


def test_every_fault_lies_where_the_truth_says(sample: SampleSummary) -> None:
    faults = truth(sample, "faults")
    assert (
        set(FAULT_COLUMNS) | {"broken_json"} >= set(faults.fault) >= set(FAULT_COLUMNS) - {"broken_quoting"}
    )
    for fault in faults.itertuples():
        lines = text_of(sample.directory / "incoming" / fault.file).split("\n")
        # A record of several lines may name its post in a later one; one cut short perhaps nowhere.
        record = "\n".join(lines[int(fault.row) - 1 : int(fault.row) + 4])
        assert fault.post_id in record or fault.fault in ("broken_json", "wrong_field_count")
    by_kind = {fault.fault: fault for fault in faults.itertuples()}
    nul = by_kind["nul_byte"]
    line = text_of(sample.directory / "incoming" / nul.file).split("\n")[int(nul.row) - 1]
    assert "\0" in line or "\\u0000" in line


def test_posts_resolve_to_the_month_of_the_truth(sample: SampleSummary) -> None:
    from fashion_assets.posts.dates import combine_date_text, resolve_post_date

    months = dict(zip(truth(sample, "posts").post_id, truth(sample, "posts").month, strict=True))
    seen = Counter[str]()
    for record in records(sample):
        if record["post_id"] not in months:
            continue
        text = combine_date_text(record["post_date"], record["post_time"])
        day = resolve_post_date(text, record["post_fetch_time"], record["post_id"])
        assert day is not None
        assert f"{day:%Y-%m}" == months[record["post_id"]]
        shown = text or "id"
        seen[
            "id" if shown == "id" else "ago" if "前" in shown else "昨天" if "昨天" in shown else shown[:1]
        ] += 1
    assert {"id", "ago", "0", "2", "编"} <= set(seen)


def test_pictures_are_where_the_truth_says(sample: SampleSummary) -> None:
    import cv2

    pictures = truth(sample, "pictures")
    media = sample.directory / "incoming" / "media"
    assert {f"{row.post_id}/{row.name}" for row in pictures.itertuples(index=False)} == set(all_bytes(media))
    assert set(pictures.broken) == {"", "truncated", "zero bytes"}
    names = set(pictures.post_id + "/" + pictures.name)
    copies = pictures[pictures.near_duplicate_of != ""]
    assert len(copies) == sample.near_duplicates
    assert set(copies.near_duplicate_of) <= names
    shares = pictures.garment_share_true.astype(float)
    assert ((shares < 0.05) == (pictures.under_5 == "True")).all()
    assert cv2.imread(str(media / pictures.post_id[0] / pictures.name[0])).shape == (320, 240, 3)
    with_picture = set(pictures[pictures.broken == ""].post_id)
    posts = truth(sample, "posts")
    assert set(posts[posts.has_picture == "True"].post_id) == with_picture


def test_products(sample: SampleSummary) -> None:
    cards = pd.read_csv(sample.directory / "incoming/products/products.csv", dtype=str, keep_default_na=False)
    known = truth(sample, "products")
    assert list(cards.id) == list(known.id)
    assert set(known.fault) == {"", *FAULTS}
    labels = ["category", "sub_category", "sex", "season", "colour"]
    shown = cards[labels]
    assert ((shown == "") | (shown == known[labels])).all().all()
    assert 0.05 < (shown == "").all(axis=1).mean() < 0.4
    assert (cards[known.fault == "empty_title"].title == "").all()
    twice = known[known.fault == "duplicate_id"]
    assert all((known.id == one).sum() == 2 for one in twice.id)
    images = sample.directory / "incoming/products/images"
    missing = {one for one in known.id if not (images / f"{one}.jpg").is_file()}
    assert missing == set(known[known.fault == "missing_picture"].id)
    assert known.family.nunique() < len(known)


def test_making_the_sample_again_is_fine_and_mends_nothing_of_others(tmp_path: Path) -> None:
    small = {"months": 1, "posts_per_month": 4, "products": 0}
    make_sample(tmp_path, **small)
    before = all_bytes(tmp_path)
    make_sample(tmp_path, **small)
    assert all_bytes(tmp_path) == before

    own = tmp_path / "incoming" / "my_crawl.csv"
    own.write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match=r"my_crawl\.csv is not part of the sample"):
        make_sample(tmp_path, **small)
    assert own.read_text(encoding="utf-8") == "mine"
    own.unlink()
    (tmp_path / "incoming" / "crawl_2024-01.csv").write_text("changed", encoding="utf-8")
    with pytest.raises(UserError, match="changed since the sample was made"):
        make_sample(tmp_path, **small)


def test_refuses_a_folder_with_somebody_elses_data(tmp_path: Path) -> None:
    (tmp_path / "incoming").mkdir()
    (tmp_path / "incoming" / "crawl.csv").write_text("a,b\n", encoding="utf-8")
    with pytest.raises(UserError, match="is not a sample made here"):
        make_sample(tmp_path, months=1, posts_per_month=4, products=0)
    assert all_bytes(tmp_path) == {"incoming/crawl.csv": b"a,b\n"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"months": 0}, "--months is 0"),
        ({"posts_per_month": 0}, "--posts-per-month is 0"),
        ({"products": -1}, "--products is -1"),
        ({"seed": -1}, "--seed is -1"),
        ({"start": "2024-13"}, "2024-13"),
    ],
)
def test_arguments_out_of_range(wrong: dict[str, int], said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said):
        make_sample(tmp_path, **wrong)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("products", [1, 2, 7])
def test_tiny_samples(products: int, tmp_path: Path) -> None:
    made = make_sample(tmp_path, months=1, posts_per_month=1, products=products)
    assert (made.posts, made.products, made.bad_rows) == (1, products, 9)
