"""Word families: words so alike that one in training gives the other away in validation.

Three rules, each O(length of the word): affixes that any word can take are taken off, doubled characters
count once, and a Chinese word joins the longest word of the set that it ends in, because there the head
stands last (格子半身裙 is a 半身裙).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

#: A core keeps at least this many characters: of one character nearly everything is a relative.
MIN_CORE_CHARS = 2

#: Endings that turn any word into its own adjective or kind: 棕色/棕色系, 复古/复古风/复古感, 短款/短款的.
#: 色 makes 棕 and 棕色 one, 儿 and 子 are the northern and the common diminutive (裙/裙子, 包/包儿).
SUFFIXES = ("风格", "系列", "色", "系", "风", "感", "款", "式", "型", "类", "的", "儿", "子")

#: Beginnings that only grade what follows: size, degree, age, shade. 美, 真 and 纯 begin too many words that
#: they do not grade (美拉德, 真丝裙, 纯棉).
PREFIXES = ("小", "大", "超", "很", "最", "新", "老", "旧", "浅", "深", "亮", "暗")

#: Largest family as a share of the words: a quarter of a fold of five, so that folds can be balanced; but
#: families of up to MIN_CAP words are left whole in small sets.
MAX_FAMILY_SHARE = 0.05
MIN_CAP = 20

_HAN_WORD = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]+")
_DOUBLED = re.compile(r"(.)\1+")
_REPEATED = re.compile(r"(.{2,})\1+")
_LATIN_PAIR = re.compile(r"[^\W\u3400-\u9fff\uf900-\ufaff]{2}")
_JOINTS = re.compile(r"[\s'’·・._-]+")


def word_families(words: Sequence[str]) -> list[str]:
    """The family of each word, named by the core of its last head; the same words give the same names.

    A head that more than max(`MIN_CAP`, `MAX_FAMILY_SHARE` of the different words) words end in says as
    little as an affix does: it is no head then, and the words right above it head families of their own.
    """
    core_of = {word: _core(word) for word in words}
    # A word may end in a word or in the core of one: 碎花裙子 ends in 裙子 though only 小裙子 is listed.
    known = {core: core for core in core_of.values()} | core_of
    # Longest first, so that all that hangs below a core is counted before the core itself is looked at.
    cores = sorted(set(core_of.values()), key=lambda core: (-len(core), core))
    # 半身裙子 ends in the word 裙子, its core 半身裙 does not: both are looked at, the core first.
    forms: dict[str, list[str]] = {core: [core] for core in cores}
    for word in sorted(core_of.keys() - forms.keys()):
        forms[core_of[word]].append(word)
    head_of = {core: _head(core, forms[core], known) for core in cores}
    n_words = Counter(core_of.values())
    cap = max(MIN_CAP, int(MAX_FAMILY_SHARE * len(core_of)))
    for core in cores:
        head = head_of[core]
        if head is not None:
            n_words[head] += n_words[core]
    # From the shortest: a core whose head is too productive stands alone, and its own words stay with it.
    family_of: dict[str, str] = {}
    for core in reversed(cores):
        head = head_of[core]
        family_of[core] = core if head is None or n_words[head] > cap else family_of[head]
    return [family_of[core_of[word]] for word in words]


def family_folds(
    families: Sequence[str], labels: npt.NDArray[np.bool_], n_folds: int = 5, seed: int = 0
) -> npt.NDArray[np.int8]:
    """The fold 0..n_folds-1 of each word (n,): whole families, both labels spread evenly.

    Families in a seeded order, the largest first, each go where the squared loads of the two labels, as
    shares of their totals, grow least. Raises `ValueError` if there is not one family per label.
    """
    if len(families) != len(labels):
        raise ValueError(f"There are {len(families)} families and {len(labels)} labels; each word needs one.")
    sizes: dict[str, list[int]] = {}
    for family, label in zip(families, labels.tolist(), strict=True):
        sizes.setdefault(family, [0, 0])[int(label)] += 1
    names = sorted(sizes)
    order = np.random.default_rng(seed).permutation(len(names))
    shuffled = sorted((names[place] for place in order), key=lambda name: -sum(sizes[name]))
    n_true = int(np.count_nonzero(labels))
    scale = [1.0 / max(1, len(families) - n_true) ** 2, 1.0 / max(1, n_true) ** 2]
    loads = [[0, 0] for _ in range(n_folds)]
    fold_of: dict[str, int] = {}
    for name in shuffled:
        n_other, n_fashion = sizes[name]
        # The growth of (load + size)² is 2·load·size + size²; the last term is the same everywhere.
        growth = [load[0] * n_other * scale[0] + load[1] * n_fashion * scale[1] for load in loads]
        fold = min(range(n_folds), key=lambda place: (growth[place], sum(loads[place])))
        fold_of[name] = fold
        loads[fold][0] += n_other
        loads[fold][1] += n_fashion
    return np.fromiter((fold_of[family] for family in families), dtype=np.int8, count=len(families))


def _core(word: str) -> str:
    """The word without joints, repetition and affixes; the word itself where too little would be left."""
    core = _JOINTS.sub("", word) or word
    for pattern in (_REPEATED, _DOUBLED):
        once = pattern.sub(r"\1", core)
        # www and 88 are no repetition that means the same as once; only Chinese doubles that way.
        if len(once) >= MIN_CORE_CHARS and _HAN_WORD.fullmatch(core):
            core = once
    # Prefixes first: 深棕色 is a 棕色, and 深棕 would be too short to say so.
    return _without_suffixes(_without_prefixes(core))


def _without_suffixes(core: str) -> str:
    while _HAN_WORD.match(core[-1:]):
        ending = next((e for e in SUFFIXES if core.endswith(e) and len(core) - len(e) >= MIN_CORE_CHARS), "")
        if not ending:
            break
        core = core.removesuffix(ending)
    return core


def _without_prefixes(core: str) -> str:
    while core.startswith(PREFIXES) and len(core) > MIN_CORE_CHARS:
        core = core[1:]
    return core


def _head(core: str, forms: Sequence[str], known: dict[str, str]) -> str | None:
    """The core, shorter than this one, of the longest known word that one of its forms ends in; words that
    end in Chinese only.
    """
    for form in forms:
        if not _HAN_WORD.match(form[-1]):
            continue
        for start in range(1, len(form) - MIN_CORE_CHARS + 1):
            head = known.get(form[start:])
            # t恤 heads 纯棉t恤; the t风 of cleanfit风 begins inside a word.
            if head is not None and len(head) < len(core) and not _LATIN_PAIR.match(form, start - 1):
                return head
    return None
