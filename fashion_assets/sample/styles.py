"""The latent styles of the sample: how common each is by month, how it is liked, and what it looks like.

Belongs here: numbers and looks per style. The words are in `style_words`, the sentences in `phrases`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from fashion_assets.sample.style_words import (
    COMMON_WORDS,
    FACET_OF_SLOT_WORD,
    SEASON_WORDS,
    STYLE_WORDS,
    split_words,
)

RISING_STYLE: Final = "新中式"
FADING_STYLE: Final = "多巴胺"
MONTHLY_TREND: Final = 0.16
"""Log growth a month of the rising style (fall of the fading one): x2.2 in half a year, above the noise."""


@dataclass(frozen=True)
class Look:
    """One way of dressing: names of cuts in `garments`, "" where the look has none."""

    upper: str
    lower: str
    outer: str
    sleeve: str
    shoes: str
    weight: float = 1.0


@dataclass(frozen=True)
class LatentStyle:
    """A style: `peak_month` and `season_strength` shape its year, `palettes` are hex main-second-accent."""

    name: str
    base_share: float
    peak_month: int
    season_strength: float
    median_likes: float
    trend: float
    looks: tuple[Look, ...]
    palettes: tuple[tuple[str, str, str], ...]
    patterns: tuple[tuple[str, float], ...]

    def weight(self, month_index: int, month_of_year: int) -> float:
        """Unnormalised share of the style in the `month_index`-th month, which is `month_of_year` (1-12)."""
        phase = 2 * math.pi * (month_of_year - self.peak_month) / 12
        return self.base_share * math.exp(self.season_strength * math.cos(phase) + self.trend * month_index)

    @property
    def words(self) -> dict[str, tuple[str, ...]]:
        """Facet -> own words."""
        return {facet: split_words(words) for facet, words in STYLE_WORDS[self.name].items()}


def _palettes(text: str) -> tuple[tuple[str, str, str], ...]:
    rows = [tuple(row.split("-")) for row in text.split()]
    return tuple((row[0], row[1], row[2]) for row in rows)


STYLES: Final[tuple[LatentStyle, ...]] = (
    LatentStyle(
        "美拉德",
        1.1,
        11,
        0.55,
        320,
        0.0,
        (
            Look("knit", "trousers_wide", "coat_long", "long", "boots", 3),
            Look("knit", "a_skirt", "", "long", "boots"),
            Look("vest", "a_skirt", "coat_long", "long", "loafers"),
        ),
        _palettes("7b4a2b-c49a6c-3d2417 8f5b34-d9b98c-5a3218 6b4226-b07d4b-2f1b10 a86b3c-5a3a22-e3cfae"),
        (("plain", 0.55), ("plaid", 0.35), ("houndstooth", 0.1)),
    ),
    LatentStyle(
        "新中式",
        0.8,
        2,
        0.2,
        540,
        MONTHLY_TREND,
        (
            Look("qipao", "", "", "short", "flats", 2),
            Look("mandarin", "pleated_long", "", "long", "flats", 2),
        ),
        _palettes("1f5a4b-d6b86a-0e2a25 276a58-d8cfae-8c2b23 17463e-c9a66b-0c211d 9b2420-d9a441-4f0f0d"),
        (("floral", 0.45), ("plain", 0.3), ("brocade", 0.25)),
    ),
    LatentStyle(
        "多巴胺",
        1.4,
        6,
        0.35,
        410,
        -MONTHLY_TREND,
        (
            Look("tee", "shorts", "", "short", "sneakers", 2),
            Look("hoodie", "mini_skirt", "", "long", "sneakers"),
            Look("tee", "a_skirt", "", "short", "sneakers"),
        ),
        _palettes("ff2f98-ffe21f-1f52ff ff5fb0-ffd400-17c964 ffd400-ff2f98-1f52ff ff6a00-27c4f5-f7ef4a"),
        (("blocks", 0.35), ("stripes", 0.4), ("dots", 0.25)),
    ),
    LatentStyle(
        "老钱风",
        1.0,
        9,
        0.2,
        380,
        0.0,
        (
            Look("polo", "trousers_wide", "", "short", "loafers", 1.5),
            Look("shirt", "trousers_wide", "blazer", "long", "loafers", 2),
            Look("knit", "a_skirt", "", "long", "loafers"),
        ),
        _palettes("22335f-efe6d2-b89566 1e2c4f-efe9dc-8a6a42 2c3e6b-f3ecdf-5e1f2b efe6d2-26365a-b89566"),
        (("plain", 0.75), ("stripes", 0.1), ("argyle", 0.15)),
    ),
    LatentStyle(
        "辣妹",
        1.0,
        7,
        0.35,
        620,
        0.0,
        (
            Look("crop_top", "pencil", "", "none", "boots", 2),
            Look("crop_top", "trousers_flare", "", "none", "heels", 2),
            Look("slip_dress_short", "", "", "none", "heels"),
        ),
        _palettes("141416-c98f4a-7d0f28 1a1014-9c9ca6-b01836 b01836-141416-c9c9d2 b5b5c2-141416-e65f9e"),
        (("plain", 0.6), ("leopard", 0.4)),
    ),
    LatentStyle(
        "学院风",
        1.0,
        9,
        0.4,
        300,
        0.0,
        (
            Look("vest", "pleated_mini", "", "long", "loafers", 2.5),
            Look("shirt", "pleated_mini", "blazer", "long", "loafers", 1.5),
        ),
        _palettes("7c1d2c-d9cdb4-2a2f45 8a2433-cfc6b4-4a4e57 6d1826-e9e3d3-1f2a4d 23483a-e9e3d3-7c1d2c"),
        (("plaid", 0.6), ("argyle", 0.25), ("plain", 0.15)),
    ),
    LatentStyle(
        "通勤极简",
        1.2,
        4,
        0.1,
        210,
        0.0,
        (
            Look("shirt", "trousers_wide", "blazer", "long", "heels", 2),
            Look("shirt", "pencil", "", "long", "heels"),
            Look("shirt", "trousers_slim", "coat_long", "long", "heels"),
        ),
        _palettes("a9adb3-f2f2f0-55585e 8b8d92-f4f4f2-3a3c42 bfc2c6-e8e8e8-2b2c30 3a3f4a-d9d9d6-8b8d92"),
        (("plain", 0.8), ("pinstripes", 0.2)),
    ),
    LatentStyle(
        "山系户外",
        0.9,
        10,
        0.25,
        260,
        0.0,
        (
            Look("tee", "cargo", "shell", "long", "boots", 2.5),
            Look("fleece", "cargo", "", "long", "boots", 1.5),
        ),
        _palettes("55663b-c9762e-2f3a22 667a44-d07f34-39402e 4a5c34-c8b68c-2c302c e07b2d-55663b-2c302c"),
        (("plain", 0.5), ("blocks", 0.3), ("camo", 0.2)),
    ),
    LatentStyle(
        "芭蕾风",
        0.9,
        3,
        0.3,
        470,
        0.0,
        (
            Look("crop_knit", "tutu", "", "long", "flats", 2),
            Look("crop_top", "tutu", "", "none", "flats"),
            Look("crop_knit", "mini_skirt", "", "long", "flats"),
        ),
        _palettes("f6cfd3-fdf3f1-d99aa6 f3c3cb-fbf0ee-c98a98 f8dedd-f6cfd3-c5bcc9 d5cdd9-f6dfe2-b39ac0"),
        (("plain", 0.8), ("ribs", 0.2)),
    ),
    LatentStyle(
        "法式复古",
        1.2,
        5,
        0.4,
        430,
        0.0,
        (
            Look("tea_dress", "", "", "short", "flats", 3),
            Look("shirt", "a_skirt", "", "long", "heels"),
            Look("slip_dress", "", "", "none", "flats"),
        ),
        _palettes("b5392f-f6e7cf-d9a05b a8443e-f3e4cb-5e7a5a c65244-f1e3c6-7e2a26 6f8fae-f3ead7-a8443e"),
        (("floral", 0.55), ("dots", 0.35), ("plain", 0.1)),
    ),
    LatentStyle(
        "工装机能",
        0.9,
        11,
        0.15,
        280,
        0.0,
        (
            Look("tee", "cargo", "jacket", "long", "boots", 2),
            Look("hoodie", "cargo", "", "long", "boots"),
            Look("tee", "cargo", "utility_vest", "short", "boots", 1.5),
        ),
        _palettes("2b2e32-4f555c-a7aab0 212327-5c6168-8a7a58 34383c-1c1d20-b3ab8c 6c6650-2b2c2c-b3ab8c"),
        (("plain", 0.6), ("camo", 0.2), ("blocks", 0.2)),
    ),
    LatentStyle(
        "运动休闲",
        1.1,
        6,
        0.2,
        240,
        0.0,
        (
            Look("crop_top", "leggings", "", "none", "sneakers", 2),
            Look("hoodie", "shorts", "", "long", "sneakers"),
            Look("polo", "mini_skirt", "", "short", "sneakers"),
            Look("tee", "leggings", "", "short", "sneakers"),
        ),
        _palettes("6fd0e0-f4f8f8-a8f04a 7fdccb-f7faf8-3a4a58 8fd8ea-f4f6f6-4d5b66 a8f04a-f7faf8-4d5b66"),
        (("plain", 0.65), ("side_stripe", 0.35)),
    ),
    LatentStyle(
        "甜系洛丽塔",
        0.8,
        4,
        0.15,
        700,
        0.0,
        (Look("lolita_dress", "", "", "puff", "flats", 4), Look("lolita_dress", "", "", "long", "flats")),
        _palettes("b79ae8-fff8fd-7d55bd a98be0-fbf3ff-e8548d c3a9f0-fffafc-8a63c7 f78fb8-fffafc-d6336c"),
        (("floral", 0.35), ("dots", 0.25), ("plain", 0.2), ("gingham", 0.2)),
    ),
    LatentStyle(
        "慵懒针织",
        1.1,
        12,
        0.5,
        290,
        0.0,
        (
            Look("knit", "trousers_wide", "", "long", "flats", 2),
            Look("knit_dress", "", "", "long", "boots", 2),
            Look("knit", "long_skirt", "", "long", "boots"),
        ),
        _palettes("ead9bb-cdb486-a68f72 dcc89e-f3ebdc-8f7a60 e6d3b0-b59c74-7d6a50 a9bac8-eae6de-7d8fa0"),
        (("ribs", 0.7), ("cables", 0.3)),
    ),
)

COMMON: Final[dict[str, tuple[str, ...]]] = {
    facet: split_words(words) for facet, words in COMMON_WORDS.items()
}
SEASONS: Final[dict[int, tuple[str, ...]]] = {
    month: split_words(words) for month, words in SEASON_WORDS.items()
}


def style_named(name: str) -> LatentStyle:
    """The style of that name; KeyError if there is none."""
    return {style.name: style for style in STYLES}[name]


def fashion_word_rows() -> list[dict[str, str]]:
    """One row per (word, facet, style); `style` is "" for words that every style uses."""
    rows = [
        (word, slot, style.name) for style in STYLES for slot, words in style.words.items() for word in words
    ]
    rows += [(word, slot, "") for slot, words in COMMON.items() for word in words]
    rows += [(word, "season", "") for words in SEASONS.values() for word in words]
    distinct = dict.fromkeys((word, FACET_OF_SLOT_WORD.get(word, slot), style) for word, slot, style in rows)
    return [{"word": word, "facet": facet, "style": style} for word, facet, style in distinct]
