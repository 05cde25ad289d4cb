"""Product cards and their pictures: families, empty labels, and cards to refuse.

Belongs here: the table products.csv, its pictures and the truth about both.
"""

from __future__ import annotations

import csv
import io
import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from fashion_assets.sample.canvas import palette_colours
from fashion_assets.sample.pictures import encode_picture, in_threads
from fashion_assets.sample.product_drawing import draw_product
from fashion_assets.sample.product_words import (
    ADJECTIVES,
    COLOUR_ALIASES,
    COLOURS,
    DESCRIPTIONS,
    FITS,
    KINDS,
    PATTERN_WORDS,
    SELLING,
    SHOPS,
    ProductKind,
)

LABELS: Final = ("category", "sub_category", "sex", "season", "colour")
COLUMNS: Final = ("id", "title", "description", "characteristics", "shop", *LABELS)
UNLABELLED_SHARE: Final = 0.20
EMPTY_CELL_SHARE: Final = 0.05
BAD_SHARE: Final = 0.02
FAULTS: Final = ("empty_title", "missing_picture", "broken_picture", "duplicate_id", "broken_characteristics")
PATTERNED_SHARE: Final = 0.45
FIRST_ID: Final = 100_001


@dataclass
class Card:
    """One row of products.csv; `labels` are the true ones, `shown` those that the file gives."""

    id: str
    family: str
    title: str
    description: str
    characteristics: str
    shop: str
    kind: ProductKind
    palette: tuple[str, str, str]
    pattern: str
    labels: dict[str, str]
    shown: dict[str, str] = field(default_factory=dict)
    fault: str = ""


def _family(number: int, size: int, first_id: int, rng: random.Random) -> list[Card]:
    """One product in `size` colours: names differ in the colour word and a little wording."""
    kind = rng.choice(KINDS)
    sex, season = kind.sexes[min(len(kind.sexes) - 1, int(rng.expovariate(1.4)))], rng.choice(kind.seasons)
    name, material, fit, shop = (
        rng.choice(kind.names),
        rng.choice(kind.materials),
        rng.choice(FITS),
        rng.choice(SHOPS),
    )
    pattern = (
        rng.choice([key for key in PATTERN_WORDS if key != "plain"])
        if rng.random() < PATTERNED_SHARE
        else "plain"
    )
    adjective, selling = rng.choice(ADJECTIVES), rng.sample(SELLING, 2)
    year = rng.choice(("2024", "2024新款", "24春夏", ""))
    cards = []
    for index, colour in enumerate(rng.sample(list(COLOURS), size)):
        shown_colour = rng.choice((colour, *COLOUR_ALIASES.get(colour, ())))
        words = [
            year,
            adjective,
            shown_colour if rng.random() < 0.85 else "",
            PATTERN_WORDS[pattern] if rng.random() < 0.8 else "",
            material if rng.random() < 0.5 else "",
            name,
            sex if rng.random() < 0.5 else "",
            *selling,
        ]
        title = " ".join(word for word in words if word) if rng.random() < 0.6 else "".join(words)
        filled = {
            "material": material,
            "fit": fit,
            "season": season,
            "name": name,
            "pattern": PATTERN_WORDS[pattern],
        }
        description = rng.choice(DESCRIPTIONS).format(selling=rng.choice(selling), **filled)
        details = {
            "材质": material,
            "版型": fit,
            "图案": PATTERN_WORDS[pattern],
            "货号": f"{rng.choice('ABCDEK')}{first_id + index}",
        }
        text = json.dumps(details, ensure_ascii=False) if rng.random() < 0.7 else repr(details)
        palette = (
            rng.choice(COLOURS[colour]),
            rng.choice(("f4f3ef", "2b2b30", "e4d6bd")),
            rng.choice(("c8343a", "3f6b4a", "1f2a4d")),
        )
        labels = dict(zip(LABELS, (kind.category, kind.sub_category, sex, season, colour), strict=True))
        cards.append(
            Card(
                str(first_id + index),
                f"F{number:05d}",
                title,
                description,
                text,
                shop,
                kind,
                palette,
                pattern,
                labels,
            )
        )
    return cards


def make_cards(count: int, rng: random.Random) -> list[Card]:
    """`count` cards in shuffled order, about `BAD_SHARE` of them bad in one of the ways of `FAULTS`."""
    cards: list[Card] = []
    number = 0
    while len(cards) < count:
        size = min(count - len(cards), rng.choices((1, 2, 3, 4), (5, 3, 2, 1))[0])
        cards += _family(number, size, FIRST_ID + len(cards), rng)
        number += 1
    for card in cards:
        unlabelled = rng.random() < UNLABELLED_SHARE
        card.shown = {
            label: "" if unlabelled or rng.random() < EMPTY_CELL_SHARE else value
            for label, value in card.labels.items()
        }
    rng.shuffle(cards)
    n_bad = min(count // 2, max(len(FAULTS), round(BAD_SHARE * count)))
    # Never the first card: a duplicate needs a card before it.
    for index, position in enumerate(sorted(rng.sample(range(1, count), n_bad)) if n_bad else []):
        _spoil(cards, position, FAULTS[index % len(FAULTS)], rng)
    return cards


def _spoil(cards: list[Card], position: int, fault: str, rng: random.Random) -> None:
    card = cards[position]
    card.fault = fault
    if fault == "empty_title":
        card.title = ""
    elif fault == "duplicate_id":
        card.id = rng.choice([one.id for one in cards[:position] if not one.fault])
    elif fault == "broken_characteristics":
        card.characteristics = card.characteristics[: len(card.characteristics) // 2]


def cards_csv(cards: list[Card]) -> bytes:
    """products.csv: a UTF-8 table with the columns `COLUMNS`."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(COLUMNS)
    for card in cards:
        shown = [card.shown[label] for label in LABELS]
        writer.writerow([card.id, card.title, card.description, card.characteristics, card.shop, *shown])
    return target.getvalue().encode()


def write_products(folder: Path, cards: list[Card], seed: int) -> None:
    """Writes products.csv and images/<id>.jpg below `folder`; a repeated id brings no picture."""
    (folder / "images").mkdir(parents=True)
    (folder / "products.csv").write_bytes(cards_csv(cards))

    def write(card: Card) -> None:
        rng = np.random.default_rng((seed, 3, int(card.id)))
        colours = palette_colours(card.palette, rng, 5.0)
        content = encode_picture(
            draw_product(card.kind.shape, card.kind.sleeve, colours, card.pattern, rng), ".jpg"
        )
        if card.fault == "broken_picture":
            content = content[: len(content) // 4]
        (folder / "images" / f"{card.id}.jpg").write_bytes(content)

    in_threads(write, [card for card in cards if card.fault not in ("missing_picture", "duplicate_id")])


def truth_rows(cards: list[Card]) -> list[dict[str, str]]:
    """One row per card of products.csv, in its order: id, family, the true labels, fault."""
    return [{"id": card.id, "family": card.family, **card.labels, "fault": card.fault} for card in cards]
