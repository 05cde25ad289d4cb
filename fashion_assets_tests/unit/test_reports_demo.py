"""Made report data that the reports tests share: drawn tiles, Chinese names, and a set of hostile texts."""

from __future__ import annotations

import math
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fashion_assets.reports.monthly import MonthlyReportData, ReportCounts
from fashion_assets.reports.pictures import Thumb, load_thumbnail, placeholder

NAMES = [
    "美拉德 大衣 叠穿",
    "多巴胺 连衣裙",
    "新中式 马面裙",
    "老钱风 针织衫",
    "山系 冲锋衣 机能",
    "芭蕾风 短裙",
]
WORDS = [
    "大衣",
    "针织衫",
    "马面裙",
    "半身裙",
    "阔腿裤",
    "毛衣",
    "衬衫",
    "羊毛",
    "真丝",
    "格纹",
    "棕色",
    "奶油白",
    "通勤",
    "复古",
]
FACETS = ["garment", "footwear", "material", "colour", "pattern", "style", "season", "occasion"]
HOSTILE = [
    "<script>window.__xss=1</script>",
    '"><img src=x onerror="window.__xss=2">',
    "</script><script>document.title='owned';alert(3)</script>",
    "javascript:window.__xss=4",
    "{{ 7 * 7 }}{% raw %}",
    "<!--<script>",
    "<svg/onload=window.__xss=5>",
    "' onmouseover='window.__xss=6",
    "</style><style>body{background:url(http://evil.example/x)}</style>",
    "\u202egnol\u2028\x00\x07&lt;b&gt;",
]


def wilson(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson score interval, written out here so that the tests do not lean on the code they test."""
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return centre - half, centre + half


def profiles_frame(month: str, names: list[str], n: int = 900, seed: int = 0) -> pd.DataFrame:
    """STYLE_PROFILES rows of one month."""
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.linspace(6, 2, len(names)) * 6) if names else np.array([])
    rows = []
    for style_id, (name, weight) in enumerate(zip(names, weights, strict=True)):
        low, high = wilson(float(weight), n)
        rows.append(
            {
                "month": month,
                "style_id": style_id,
                "name": name,
                "n_posts": int(weight * n),
                "share": float(weight),
                "share_low": low,
                "share_high": high,
                "likes_median": float(rng.integers(20, 900)),
                "collects_median": float(rng.integers(5, 300)),
                "keywords": list(rng.permutation(WORDS)[:10]),
                "representative_posts": [f"{style_id}-{i}" for i in range(5)],
                "representative_images": [f"{style_id}-{i}/1.webp" for i in range(10)],
            }
        )
    columns = [
        "month",
        "style_id",
        "name",
        "n_posts",
        "share",
        "share_low",
        "share_high",
        "likes_median",
        "collects_median",
    ]
    return pd.DataFrame(rows, columns=[*columns, "keywords", "representative_posts", "representative_images"])


def draw_crop(path: Path, seed: int) -> None:
    """A transparent picture with a garment-like shape in a seeded colour."""
    from PIL import Image, ImageDraw

    rng = np.random.default_rng(seed)
    hue = tuple(int(value) for value in rng.integers(60, 220, 3))
    picture = Image.new("RGBA", (240, 320), (0, 0, 0, 0))
    pen = ImageDraw.Draw(picture)
    if seed % 3 == 0:
        pen.polygon([(90, 20), (150, 20), (165, 130), (215, 300), (25, 300), (75, 130)], (*hue, 255))
    elif seed % 3 == 1:
        pen.polygon(
            [
                (80, 20),
                (160, 20),
                (230, 90),
                (200, 130),
                (175, 100),
                (175, 290),
                (65, 290),
                (65, 100),
                (40, 130),
                (10, 90),
            ],
            (*hue, 255),
        )
    else:
        pen.polygon(
            [(70, 20), (170, 20), (190, 300), (130, 300), (120, 120), (110, 300), (50, 300)], (*hue, 255)
        )
    for stripe in range(40, 300, 24 + seed % 17):
        pen.line([(70, stripe), (170, stripe)], (*(min(value + 35, 255) for value in hue), 255), 5)
    picture.save(path)


def tiles(folder: Path, styles: list[int], per_style: int = 10) -> dict[int, list[Thumb]]:
    """Drawn crops, loaded as the reports do; the last style has three pictures, one of them missing."""
    pictures: dict[int, list[Thumb]] = {}
    for style in styles:
        made = []
        for index in range(per_style):
            path = folder / f"{style}-{index}.png"
            draw_crop(path, style * 31 + index * 7)
            made.append(load_thumbnail(path, image_id=f"{style}-{index}/1.png"))
        pictures[style] = made
    if styles:
        pictures[styles[-1]] = [*pictures[styles[-1]][:2], placeholder("lost/1.png")]
    return pictures


def lineage_frame(history: pd.DataFrame, evidence: str = "31 posts lie apart, gain 0.12") -> pd.DataFrame:
    """STYLE_LINEAGE rows for the profiles: all styles go on, but for one split, one merge, one death and one birth.

    `history` itself is not changed: a style that ended keeps its profiles, as late posts would give it.
    """
    months = sorted(history["month"].unique())
    styles = sorted(int(style) for style in history["style_id"].unique())
    ends = {2: ("merge", [0]), 3: ("dead", [])} if len(styles) > 5 and len(months) > 4 else {}
    begins = {4: ("split", [0]), 5: ("born", [])} if ends else {}
    rows = []
    for column, month in enumerate(months):
        for style in styles:
            kind = "survive" if column else "born"
            others: list[int] = []
            if style in begins and column <= 2:
                if column < 2:
                    continue
                kind, others = begins[style]
            if style in ends and column >= 3:
                if column > 3:
                    continue
                kind, others = ends[style]
            rows.append((month, kind, style, others, 31, evidence))
    return pd.DataFrame(
        rows, columns=["month", "event", "style_id", "other_style_ids", "n_posts", "evidence"]
    )


def report_data(
    folder: Path, *, names: list[str] | None = None, n_months: int = 9, hostile: bool = False
) -> MonthlyReportData:
    """A whole month; with `hostile` every text field carries payloads."""
    names = NAMES + [f"小众风格 {i}" for i in range(12)] if names is None else names
    names = [HOSTILE[i % len(HOSTILE)] for i in range(len(names))] if hostile else names
    months = [f"{2023 + (4 + i) // 12}-{(4 + i) % 12 + 1:02d}" for i in range(n_months)]
    history = pd.concat(
        [profiles_frame(month, names, seed=i) for i, month in enumerate(months)], ignore_index=True
    )
    profiles = history[history["month"] == months[-1]].reset_index(drop=True)
    posts = [
        "今天的穿搭分享，棕色大衣配奶油白针织衫，温柔又有气质，通勤约会都可以穿，显高显瘦 🍂",
        "小个子秋冬叠穿公式",
        "NEW VINTAGE 老钱风 look book | 羊毛大衣 + 阔腿裤",
    ]
    words = HOSTILE if hostile else WORDS
    if hostile:
        profiles["keywords"] = [list(HOSTILE)] * len(profiles)
        posts = HOSTILE
    facets = pd.DataFrame(
        [
            {
                "facet": HOSTILE[j % 3] if hostile else facet,
                "keyword": word,
                "n_posts": int(900 / (i + j + 1.5)),
            }
            for j, facet in enumerate([*FACETS, ""])
            for i, word in enumerate(words)
        ]
    )
    bad = HOSTILE[0] if hostile else "the date '02-30' does not exist"
    top = profiles.sort_values("share", ascending=False)["style_id"].head(5).astype(int).tolist()
    pictures = tiles(folder, top)
    if hostile:
        pictures = {
            s: [Thumb(t.jpeg, HOSTILE[i % len(HOSTILE)]) for i, t in enumerate(ts)]
            for s, ts in pictures.items()
        }
    return MonthlyReportData(
        month=months[-1],
        counts=ReportCounts(938, 912, 26, 2871, 14, 203, 118),
        quarantine_reasons=pd.DataFrame(
            {
                "column": ["post_date", "post_like", None],
                "reason": [
                    bad,
                    "the count '-3' is negative; expected a number from 0 up, such as 12 or 1.2w",
                    "the quotes of this line do not close; expected one record per line",
                ],
                "n_rows": [14, 9, 3],
                "example": [
                    HOSTILE[1] if hostile else "crawl_2024_01.csv:181",
                    "crawl_2024_01.csv:944",
                    "crawl_2024_02.csv:7",
                ],
            }
        ),
        model_ids={
            "text": HOSTILE[0] if hostile else "local:cbow@a91f30c2",
            "pictures": "local:visual@3",
            "segmenter": "grabcut",
            "tokenizer": "rjieba",
        },
        profiles=profiles,
        profile_history=history,
        silhouette_curve=pd.DataFrame(
            {
                "k": range(6, 31, 2),
                "micro": [0.18 + 0.09 * math.exp(-(((k - 18) / 7) ** 2)) for k in range(6, 31, 2)],
                "macro": [0.16 + 0.08 * math.exp(-(((k - 16) / 8) ** 2)) for k in range(6, 31, 2)],
            }
        ),
        chosen_k=18,
        k_reason=HOSTILE[2]
        if hostile
        else "k = 18 has the highest micro silhouette (0.270) among the 13 values compared.",
        pictures=pictures,
        posts=dict.fromkeys(top, posts),
        facets=facets,
        generated_at=datetime(2024, 2, 1, 9, 30),
        provenance={
            HOSTILE[3] if hostile else "cleaned_posts": "9f2c41d07be3a855",
            "style_profiles": "51e07a9cc4f8b210",
        },
        lineage=lineage_frame(history, HOSTILE[6] if hostile else "31 posts lie apart, gain 0.12"),
    )


def atlas_frame(n: int = 1500, n_styles: int = 12, *, hostile: bool = False, seed: int = 3) -> pd.DataFrame:
    """Points of a map with one blob per style."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0, 10, (n_styles, 2))
    style = rng.integers(0, n_styles, n)
    place = centres[style] + rng.normal(0, 0.45, (n, 2))
    texts = HOSTILE if hostile else [f"{name} 分享" for name in NAMES]
    return pd.DataFrame(
        {
            "post_id": [f"p{i}" for i in range(n)],
            "month": [f"2024-{i % 6 + 1:02d}" for i in range(n)],
            "style_id": style,
            "style_name": [
                (HOSTILE if hostile else NAMES)[s % 6] if s < 6 or hostile else f"小众风格 {s}" for s in style
            ],
            "x": place[:, 0],
            "y": place[:, 1],
            "title": [texts[i % len(texts)] for i in range(n)],
            "keywords": [list(rng.permutation(HOSTILE if hostile else WORDS)[:5]) for _ in range(n)],
        }
    )


class PageCheck(HTMLParser):
    """What a page could do, as an HTML parser sees it: elements, handlers, addresses, styles, scripts."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.handlers: list[str] = []
        self.addresses: list[str] = []
        self.styles: list[str] = []
        self.scripts: list[tuple[str, str]] = []
        self.policy = ""
        self.text: list[str] = []
        self._script_type = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        values = {name: value or "" for name, value in attrs}
        self.handlers += [name for name in values if name.startswith("on")]
        self.addresses += [
            value
            for name, value in values.items()
            if name
            in ("src", "href", "xlink:href", "srcset", "action", "poster", "data", "formaction", "srcdoc")
        ]
        if "style" in values:
            self.styles.append(values["style"])
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = values["content"]
        self._script_type = values.get("type", "text/javascript") if tag == "script" else ""

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "script" and self._script_type:
            self.scripts.append((self._script_type, data))
        elif self.tags and self.tags[-1] == "style":
            self.styles.append(data)
        self.text.append(data)

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(f"/{tag}")

    def assert_inert(self) -> None:
        """No event handler, no address that leaves the page, no address in a style."""
        assert self.handlers == []
        outside = [
            address for address in self.addresses if not address.startswith(("data:image/", "data:,", "#"))
        ]
        assert outside == []
        assert not any("url(" in style.lower() or "@import" in style.lower() for style in self.styles)
        assert not {"iframe", "object", "embed", "base", "form"} & set(self.tags)


def test_the_demo_month_is_as_rich_as_a_real_one(tmp_path: Path) -> None:
    data = report_data(tmp_path)
    assert len(data.pictures) == 5
    assert data.profile_history["month"].nunique() == 9
    assert data.profiles["share"].sum() == pytest.approx(1.0)
