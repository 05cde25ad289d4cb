"""`make_sample`: the sample data of the project, made anew from a seed.

Belongs here: the order of the steps, the folder layout, and the refusal to write over somebody's own data.
"""

from __future__ import annotations

import csv
import io
import json
import random
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from fashion_assets.sample import crawl_files, faults
from fashion_assets.sample.delivery import Delivery, Post, deliver, make_posts, month_name
from fashion_assets.sample.faults import make_bad_rows
from fashion_assets.sample.pictures import PictureTruth, plan_pictures, write_pictures
from fashion_assets.sample.products import FAULTS as CARD_FAULTS
from fashion_assets.sample.products import make_cards, truth_rows, write_products
from fashion_assets.sample.styles import fashion_word_rows
from fashion_assets.storage.errors import UserError

INCOMING: Final = "incoming"
TRUTH: Final = "sample_truth"
MANIFEST: Final = "sample.json"
MAX_MONTHS: Final = 120
FORMAT_VERSION: Final = 1


@dataclass(frozen=True)
class SampleSummary:
    """What `make_sample` wrote. `records` are the rows of all crawl files: posts + repeats + bad rows."""

    directory: Path
    months: tuple[str, ...]
    crawl_files: tuple[str, ...]
    posts: int
    records: int
    repeats: int
    late: int
    bad_rows: int
    pictures: int
    under_5_pictures: int
    near_duplicates: int
    broken_pictures: int
    products: int
    bad_products: int


def make_sample(
    directory: Path,
    *,
    months: int = 6,
    posts_per_month: int = 300,
    products: int = 1500,
    seed: int = 7,
    start: str = "2024-01",
) -> SampleSummary:
    """Counts of what it wrote: `directory/incoming` (crawls, media, products) and `directory/sample_truth`.

    The same arguments give the same bytes. A sample that is already there is replaced; raises UserError if
    `incoming` holds anything else, or if an argument is out of range.
    """
    _check_arguments(months, posts_per_month, products, seed, start)
    directory = Path(directory)
    _refuse_foreign(directory)
    incoming, truth = directory / f".{INCOMING}.making", directory / f".{TRUTH}.making"
    for folder in (incoming, truth):
        shutil.rmtree(folder, ignore_errors=True)  # left over from a run that was killed
        folder.mkdir(parents=True)

    rng = random.Random(seed)
    posts = make_posts(start, months, posts_per_month, rng)
    deliveries = deliver(posts, start, months, rng)
    files, places = _write_crawls(incoming, deliveries, start, months, posts_per_month, rng)
    pictures = write_pictures(plan_pictures(posts, seed, rng), incoming / "media")
    cards = make_cards(products, rng)
    write_products(incoming / "products", cards, seed)

    with_picture = {picture.post_id for picture in pictures if not picture.broken}
    _write_csv(truth / "posts.csv", [_delivery_row(one, start, with_picture) for one in deliveries])
    _write_csv(truth / "fashion_words.csv", fashion_word_rows())
    _write_csv(truth / "faults.csv", [asdict(place) for place in places])
    _write_csv(truth / "pictures.csv", [asdict(picture) for picture in pictures])
    _write_csv(truth / "products.csv", truth_rows(cards))
    arguments = {
        "months": months,
        "posts_per_month": posts_per_month,
        "products": products,
        "seed": seed,
        "start": start,
    }
    _write_manifest(truth / MANIFEST, incoming, arguments)
    _swap_in(directory)
    names = tuple(month_name(start, index) for index in range(months))
    return _summary(
        directory, names, files, posts, deliveries, len(places), pictures, [card.fault for card in cards]
    )


def _check_arguments(months: int, posts_per_month: int, products: int, seed: int, start: str) -> None:
    if not 1 <= months <= MAX_MONTHS:
        raise UserError(f"--months is {months}; expected 1 to {MAX_MONTHS}")
    if posts_per_month < 1:
        raise UserError(f"--posts-per-month is {posts_per_month}; expected at least 1")
    if products < 0:
        raise UserError(f"--products is {products}; expected 0 or more")
    if seed < 0:
        raise UserError(f"--seed is {seed}; expected 0 or more")
    if not re.fullmatch(r"20(1[4-9]|[2-9]\d)-(0[1-9]|1[0-2])", start):
        raise UserError(f"the first month is {start!r}; expected a month from 2014-01 on, such as 2024-01")


def _refuse_foreign(directory: Path) -> None:
    """Raises UserError unless `incoming` is missing, empty or holds only an earlier sample."""
    incoming, manifest = directory / INCOMING, directory / TRUTH / MANIFEST
    if directory.exists() and not directory.is_dir():
        raise UserError(f"{directory} is a file; expected a folder for the sample. Name another one")
    found = sorted(path for path in incoming.rglob("*") if not path.is_dir()) if incoming.exists() else []
    if not found:
        return
    advice = "Name another folder for the sample, or move these files away"
    if not manifest.is_file():
        raise UserError(
            f"{incoming} holds {found[0].name} and is not a sample made here (no {manifest}). {advice}"
        )
    try:
        own: Mapping[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))["files"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{manifest} cannot be read, so {incoming} may be somebody's own data. {advice}"
        ) from error
    for path in found:
        name = path.relative_to(incoming).as_posix()
        if own.get(name) != path.stat().st_size:
            what = (
                "has been changed since the sample was made" if name in own else "is not part of the sample"
            )
            raise UserError(f"{path} {what}, and making the sample would delete it. {advice}")


def _write_crawls(
    incoming: Path,
    deliveries: Sequence[Delivery],
    start: str,
    months: int,
    posts_per_month: int,
    rng: random.Random,
) -> tuple[list[str], list[crawl_files.FaultPlace]]:
    # Small samples too have every kind of fault at least once, spread over their crawls.
    n_bad = max(round(faults.FAULT_SHARE * posts_per_month), -(-len(faults.FAULT_COLUMNS) // months))
    files, places = [], []
    for index in range(months):
        form = crawl_files.crawl_form(index)
        name = f"crawl_{month_name(start, index)}{form.suffix}"
        own = [one for one in deliveries if one.crawl == index]
        bad = make_bad_rows(own, n_bad, index * n_bad, form.suffix == ".jsonl", rng)
        content, found = crawl_files.write_crawl(name, form, own, bad, rng)
        (incoming / name).write_bytes(content)
        files.append(name)
        places += found
    return files, places


def _delivery_row(delivery: Delivery, start: str, with_picture: set[str]) -> dict[str, object]:
    post = delivery.post
    return {
        "post_id": post.post_id,
        "style": post.style.name,
        "month": month_name(start, post.month),
        "delivered_in": month_name(start, delivery.crawl),
        "kind": delivery.kind,
        "has_picture": post.post_id in with_picture,
    }


def _write_csv(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    target = io.StringIO()
    if rows:
        writer = csv.DictWriter(target, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    path.write_bytes(target.getvalue().encode())


def _write_manifest(path: Path, incoming: Path, arguments: Mapping[str, object]) -> None:
    files = {
        file.relative_to(incoming).as_posix(): file.stat().st_size
        for file in sorted(incoming.rglob("*"))
        if file.is_file()
    }
    content = {"format": FORMAT_VERSION, "arguments": dict(arguments), "files": files}
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8", newline="\n")


def _swap_in(directory: Path) -> None:
    """Puts the folders in place; a run killed in between leaves no `incoming` without its manifest."""
    shutil.rmtree(directory / INCOMING, ignore_errors=True)
    shutil.rmtree(directory / TRUTH, ignore_errors=True)
    (directory / f".{TRUTH}.making").rename(directory / TRUTH)
    (directory / f".{INCOMING}.making").rename(directory / INCOMING)


def _summary(
    directory: Path,
    months: tuple[str, ...],
    files: Sequence[str],
    posts: Sequence[Post],
    deliveries: Sequence[Delivery],
    bad_rows: int,
    pictures: Sequence[PictureTruth],
    card_faults: Sequence[str],
) -> SampleSummary:
    return SampleSummary(
        directory=directory,
        months=months,
        crawl_files=tuple(files),
        posts=len(posts),
        records=len(deliveries) + bad_rows,
        repeats=sum(one.kind == "repeat" for one in deliveries),
        late=sum(one.kind == "late" for one in deliveries),
        bad_rows=bad_rows,
        pictures=len(pictures),
        under_5_pictures=sum(one.under_5 and not one.broken for one in pictures),
        near_duplicates=sum(bool(one.near_duplicate_of) for one in pictures),
        broken_pictures=sum(bool(one.broken) for one in pictures),
        products=len(card_faults),
        bad_products=sum(fault in CARD_FAULTS for fault in card_faults),
    )
