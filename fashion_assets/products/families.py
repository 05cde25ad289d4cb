"""Product families: near-identical names or pictures. A split that tears a family apart flatters the model."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.products.near_names import near_identical_names
from fashion_assets.products.picture_groups import picture_groups
from fashion_assets.products.stopwords import STOPWORDS, UNITS
from fashion_assets.products.text import separate_han
from fashion_assets.storage.errors import UserError

_COLOURS = """
black white grey gray red blue navy green yellow orange purple violet pink brown
beige cream ivory gold golden silver bronze copper steel metallic maroon
burgundy wine magenta mauve lavender lilac peach coral rust tan khaki olive teal
turquoise aqua mint lime mustard charcoal nude skin taupe camel coffee chocolate
indigo denim sea rose fluorescent multi multicolour multicolor multicoloured
colour color coloured dark light bright pale deep toned чёрный черный чёрная
черная чёрное черное чёрные черные белый белая белое белые серый серая серое
серые красный красная красное красные синий синяя синее синие голубой голубая
голубое голубые зелёный зеленый зелёная зеленая зелёное зелёные зеленые жёлтый
желтый жёлтая желтая желтые розовый розовая розовое розовые коричневый
коричневая коричневые бежевый бежевая бежевое бежевые фиолетовый фиолетовая
фиолетовые оранжевый оранжевая бордовый бордовая хаки золотой золотая
серебристый серебристая цвет
黑色 白色 灰色 红色 蓝色 绿色 黄色 橙色 紫色 粉色 棕色 米色 金色 银色
咖色 卡其色 驼色 杏色 藏青色 酒红色 墨绿色 浅蓝色 深蓝色 浅灰色 深灰色 浅色 深色 黑
白 灰 红 蓝 绿 黄 粉 紫 棕
"""
COLOUR_WORDS = frozenset(_COLOURS.split())

_SIZES = "xxs xs s m l xl xxl xxxl xxxxl free size sizes one onesize regular plus размер р 均码 大码 码"
SIZE_WORDS = frozenset(_SIZES.split())

_WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
_HAN_COLOUR = re.compile(
    "|".join(sorted((word for word in COLOUR_WORDS if re.match(r"[一-鿿]{2}", word)), key=len, reverse=True))
)


def family_name(title: str) -> str:
    """The name without what varies inside a family: colours, sizes, numbers, units, stopwords, order, plural
    s.

    Empty if nothing else is left.
    """
    folded = unicodedata.normalize("NFKC", title).casefold()
    folded = separate_han(_HAN_COLOUR.sub(" ", folded))
    words = set()
    for word in _WORD.findall(folded):
        plain = re.sub(r"['’]s?$|['’]s(?=-)", "", word).replace("-", "").replace("'", "").replace("’", "")
        parts = re.split(r"[-'’]", word)
        if any(part in COLOUR_WORDS for part in parts) and all(
            part in COLOUR_WORDS or part in SIZE_WORDS or part == "s" for part in parts
        ):
            continue
        if not plain or plain in COLOUR_WORDS or plain in SIZE_WORDS or plain in STOPWORDS or plain in UNITS:
            continue
        words.add(
            plain[:-1] if len(plain) > 3 and plain.endswith("s") and not plain.endswith("ss") else plain
        )
    return " ".join(sorted(words))


class _UnionFind:
    """Disjoint sets over 0..n-1 with path halving and union by size."""

    def __init__(self, count: int) -> None:
        self.parent = list(range(count))
        self.size = [1] * count

    def find(self, item: int) -> int:
        while self.parent[item] != item:
            self.parent[item] = self.parent[self.parent[item]]
            item = self.parent[item]
        return item

    def union(self, first: int, second: int) -> None:
        first, second = self.find(first), self.find(second)
        if first == second:
            return
        if self.size[first] < self.size[second]:
            first, second = second, first
        self.parent[second] = first
        self.size[first] += self.size[second]


def product_families(
    titles: Sequence[str | None],
    image_digests: Sequence[str | None] | None = None,
    image_hashes: Sequence[str | None] | None = None,
    image_thumbprints: Sequence[str | None] | None = None,
) -> npt.NDArray[np.int64]:
    """Family id of each product (n,), 0, 1, … in order of first appearance.

    Two products are joined if their ``family_name`` is the same or near-identical (``near_names``), their
    picture is the same file (digest), or their pictures are near-identical (perceptual hash and thumbprint, see
    ``picture_groups``; None: no picture). Raises UserError if the sequences differ in length.
    """
    count = len(titles)
    pictures = {"digests": image_digests, "hashes": image_hashes, "thumbprints": image_thumbprints}
    for kind, given in pictures.items():
        if given is not None and len(given) != count:
            raise UserError(
                f"there are {count} titles and {len(given)} picture {kind}; give one of each per product"
            )
    sets = _UnionFind(count)
    names = [family_name(title) if isinstance(title, str) else "" for title in titles]
    first_of: dict[str, int] = {}
    for index, name in enumerate(names):
        if name:
            sets.union(first_of.setdefault(name, index), index)
    distinct = list(first_of)
    for one, other in near_identical_names(distinct):
        sets.union(first_of[distinct[one]], first_of[distinct[other]])
    for group in picture_groups(names, image_digests, image_hashes, image_thumbprints):
        for row in group[1:].tolist():
            sets.union(int(group[0]), row)
    roots = np.array([sets.find(index) for index in range(count)], dtype=np.int64)
    return pd.factorize(roots)[0].astype(np.int64)


def families_of(products: pd.DataFrame) -> npt.NDArray[np.int64]:
    """``product_families`` of a products table; picture columns that it lacks are left out."""
    columns = ("image_digest", "image_hash", "image_thumbprint")
    pictures = [products[name].tolist() if name in products else None for name in columns]
    return product_families(products["title"].tolist(), *pictures)
