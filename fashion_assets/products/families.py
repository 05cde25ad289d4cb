"""Product families: near-identical names or the same picture. A split that tears a family apart flatters the
model.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.products.stopwords import STOPWORDS, UNITS
from fashion_assets.storage.errors import UserError

# Two names whose letters differ by one deletion on each side are one name with a typing error, unless they
# are so short that one letter makes another product.
MIN_LETTERS_FOR_TYPO = 14

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
    folded = _HAN_COLOUR.sub(" ", folded)
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


def _typo_variants(letters: str) -> Iterable[str]:
    """``letters`` and each string with one letter left out: names one typing error apart share one."""
    yield letters
    if len(letters) >= MIN_LETTERS_FOR_TYPO:
        for position in range(len(letters)):
            yield letters[:position] + letters[position + 1 :]


def product_families(
    titles: Sequence[str | None], image_hashes: Sequence[str | None] | None = None
) -> npt.NDArray[np.int64]:
    """Family id of each product (n,), 0, 1, … in order of first appearance.

    Two products are joined if their ``family_name`` is the same but for one typing error, or their picture
    has the same hash (None: no picture). Work grows with the number of names times their length, not with
    pairs. Raises UserError if the two sequences differ in length.
    """
    count = len(titles)
    if image_hashes is not None and len(image_hashes) != count:
        raise UserError(
            f"there are {count} titles and {len(image_hashes)} picture hashes; give one of each per product"
        )
    sets = _UnionFind(count)
    owners: dict[str, int] = {}
    names: dict[str, int] = {}
    for index, title in enumerate(titles):
        name = family_name(title) if isinstance(title, str) else ""
        if not name:
            continue
        if name in names:
            sets.union(names[name], index)
            continue
        names[name] = index
        for variant in _typo_variants(name.replace(" ", "")):
            sets.union(owners.setdefault(variant, index), index)
    pictures: dict[str, int] = {}
    for index, digest in enumerate(image_hashes if image_hashes is not None else ()):
        if isinstance(digest, str) and digest:
            sets.union(pictures.setdefault(digest, index), index)
    roots = np.array([sets.find(index) for index in range(count)], dtype=np.int64)
    return pd.factorize(roots)[0].astype(np.int64)


def family_split(
    families: npt.ArrayLike,
    labels: pd.DataFrame | Sequence[object] | npt.NDArray[np.object_] | None = None,
    *,
    test_share: float = 0.2,
    seed: int = 7,
) -> npt.NDArray[np.object_]:
    """ "train" or "test" for each product (n,); a family is never in both. Same input and seed, same split.

    Stratified as well as whole families allow: families are dealt, those with the rarest label and the big
    ones first, to the test side as long as it is due more of the labels they carry (after the iterative
    stratification of Sechidis et al. 2011, with families for items). A label that only one family carries
    goes to train: a test of an unseen label says nothing. Raises UserError for fewer than two families or a
    share outside (0, 1).
    """
    groups, family_count = _dense(families)
    if not 0 < test_share < 1:
        raise UserError(f"the test share is {test_share}; it must lie between 0 and 1, such as 0.2")
    if family_count < 2:
        raise UserError(
            f"{len(groups)} products form {family_count} family, which cannot be split; add other products"
        )
    counts, carriers = _label_counts(groups, family_count, labels)
    sizes = np.bincount(groups, minlength=family_count)
    totals: dict[int, int] = {}
    for family in counts:
        for label, number in family.items():
            totals[label] = totals.get(label, 0) + number
    rarest = np.array([min((carriers[label] for label in family), default=family_count) for family in counts])
    order = np.random.default_rng(seed).permutation(family_count)
    # Rarest label first, then big families before small ones (by powers of two), ties at random: every size
    # then gives its due to the test side. Dealt at random, the small ones would use up the room and no big
    # family be tested.
    order = order[np.lexsort((-np.floor(np.log2(sizes[order])), rarest[order]))]
    is_test = np.zeros(family_count, dtype=bool)
    due = dict.fromkeys(totals, 0.0)
    for family in order:
        for label, number in counts[family].items():
            due[label] += test_share * number
        if rarest[family] < 2:
            continue
        # How much nearer the test side comes to what it is due of every label, relative to the label's size.
        gain = sum(
            (abs(due[label]) - abs(due[label] - number)) / totals[label]
            for label, number in counts[family].items()
        )
        if gain > 0:
            is_test[family] = True
            for label, number in counts[family].items():
                due[label] -= number
    if is_test.all() or not is_test.any():
        smallest = order[np.argmin(sizes[order])]
        is_test[smallest] = not is_test[smallest]
    return np.where(is_test[groups], "test", "train").astype(object)


def _dense(families: npt.ArrayLike) -> tuple[npt.NDArray[np.int64], int]:
    codes, values = pd.factorize(np.asarray(families))
    return codes.astype(np.int64), len(values)


def _label_counts(
    groups: npt.NDArray[np.int64],
    family_count: int,
    labels: pd.DataFrame | Sequence[object] | npt.NDArray[np.object_] | None,
) -> tuple[list[dict[int, int]], dict[int, int]]:
    """Per family {label: items}, and per label the number of families that carry it; every item also has
    label -1.
    """
    counts: list[dict[int, int]] = [{} for _ in range(family_count)]
    columns = [np.full(len(groups), -1, dtype=np.int64)]
    offset = 0
    frame = (
        labels
        if isinstance(labels, pd.DataFrame)
        else pd.DataFrame({"label": [] if labels is None else list(labels)})
    )
    if labels is not None and len(frame) != len(groups):
        raise UserError(
            f"there are {len(groups)} products and {len(frame)} rows of labels; give one row per product"
        )
    for name in frame.columns if labels is not None else ():
        codes, values = pd.factorize(frame[name])
        columns.append(np.where(codes < 0, -2, codes + offset).astype(np.int64))
        offset += len(values)
    carriers: dict[int, int] = {}
    for column in columns:
        for group, label in zip(groups.tolist(), column.tolist(), strict=True):
            if label != -2:
                counts[group][label] = counts[group].get(label, 0) + 1
    for family in counts:
        for label in family:
            carriers[label] = carriers.get(label, 0) + 1
    return counts, carriers
