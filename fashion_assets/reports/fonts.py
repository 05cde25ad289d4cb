"""A font on this machine that has Han characters, and which characters of a text it can draw.

Pictures are drawn with glyphs, not with a font stack: where no such font is installed the callers fall back
to plain ASCII labels, so that no picture ever shows empty boxes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from fashion_assets.reports.wording import plain

# File names by preference: simplified Chinese sans first, then pan-CJK collections, then what systems ship.
FONT_NAMES = (
    "notosanssc",
    "notosanscjksc",
    "sourcehansanssc",
    "sourcehansanscn",
    "notosanscjk-regular",
    "notosanscjk",
    "sourcehansans",
    "pingfang",
    "hiragino sans gb",
    "msyh",
    "wqy-microhei",
    "wqy-zenhei",
    "droidsansfallback",
    "simhei",
    "simsun",
    "stheiti",
    "arplumingu",
    "uming",
    "unifont",
)
_PROBE = "穿搭裙衫"  # a font without these cannot label a style
_LEAST_DRAWABLE = 0.6  # share of a label's letters below which its ASCII stand-in says more


@dataclass(frozen=True)
class LabelFont:
    """A font file (and the face inside a collection) with the code points that it covers."""

    path: Path
    face: int
    covered: frozenset[int]

    def drawable(self, text: str) -> str:
        """The text without what this font has no glyph for (emoji, rare signs)."""
        kept = "".join(character for character in plain(text) if ord(character) in self.covered)
        return " ".join(kept.split())


def _faces(path: Path) -> list[LabelFont]:
    from fontTools.ttLib import TTCollection, TTFont  # type: ignore[import-untyped]

    if path.suffix.lower() in (".ttc", ".otc"):
        with TTCollection(str(path), lazy=True) as collection:
            fonts = list(collection.fonts)
            order = sorted(
                range(len(fonts)), key=lambda i: ("SC" not in str(fonts[i]["name"].getDebugName(4)), i)
            )
            return [LabelFont(path, face, frozenset(fonts[face].getBestCmap() or ())) for face in order[:1]]
    with TTFont(str(path), lazy=True) as font:
        return [LabelFont(path, 0, frozenset(font.getBestCmap() or ()))]


@lru_cache(maxsize=1)
def find_han_font() -> LabelFont | None:
    """The best installed font with Han glyphs, or None. Looks once per process."""
    from fontTools.ttLib import TTLibError
    from matplotlib.font_manager import findSystemFonts

    ranked = []
    for name in findSystemFonts():
        stem = Path(name).name.lower()
        rank = next((i for i, wanted in enumerate(FONT_NAMES) if stem.startswith(wanted)), None)
        if rank is not None:
            ranked.append((rank, "bold" in stem or "light" in stem or "thin" in stem, name))
    for _, _, name in sorted(ranked):
        try:
            faces = _faces(Path(name))
        except (OSError, TTLibError):  # a broken font file of the machine is no reason to fail a report
            continue
        for face in faces:
            if all(ord(character) in face.covered for character in _PROBE):
                return face
    return None


def readable_label(text: object, fallback: str, font: LabelFont | None) -> str:
    """`text` as far as `font` (None: plain ASCII only) can draw it, or `fallback` if too little is left."""
    line = plain(text)
    drawn = font.drawable(line) if font else "".join(c for c in line if " " <= c <= "~").strip()
    if drawn and _letters(drawn) >= _LEAST_DRAWABLE * _letters(line):
        return drawn
    ascii_fallback = "".join(c for c in plain(fallback) if " " <= c <= "~").strip()
    return ascii_fallback or "unnamed"


def _letters(text: str) -> int:
    """Letters of any script: a percentage that can be drawn does not make up for a name that cannot."""
    return sum(character.isalpha() for character in text)
