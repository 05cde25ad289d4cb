"""Raw words to the words that the classifier learns from, and the two splits that its figures are told on.

Belongs here: normal form, cleaning, which side wins, balance, splits. Does not belong here: reading files
(`sources`), families and folds (`families`), where lexicon, background and contrast come from (callers).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.keywords.normalise import normalise_word
from fashion_assets.storage.errors import UserError
from fashion_assets.tfashion.families import family_folds, word_families
from fashion_assets.tfashion.schemas import NEGATIVE_ORIGINS, POSITIVE_ORIGINS, TRAINING_WORDS
from fashion_assets.tfashion.sources import RawWords

Balance = Literal["weights", "downsample"]

#: The words that the reference takes out of its positives (tfashion.md, "Dataset Preparation").
REFERENCE_UNINFORMATIVE = frozenset(
    ["穿搭", "OOTD", "ootd", "Ootd", "日常", "每日", "安利", "种草", "喜欢", "真的"]
)

#: Share of validation words or rows in both splits, as in the reference.
VALIDATION_SHARE = 0.2

_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
#: The Han block that the honest split is defined on.
_HAN_ONLY = re.compile(r"[\u4e00-\u9fff]{2,}")
_SPACES = re.compile(r"\s+")

#: What decoders put where the bytes were no text.
_REPLACEMENT = "\ufffd"

#: Origins that people have looked through; down-sampling takes from the others first.
_CURATED = frozenset({"lexicon", "background", "contrast"})


@dataclass(frozen=True)
class CleaningRules:
    """What is no word to learn from. The defaults are the reference's, with a longest word besides."""

    min_chars: int = 2
    #: What the tokenizer lets through at most (`keywords.tokens.MAX_WORD_CHARS`): a longer row is a sentence
    #: or an accident (the real file holds one of 6,667 characters) that no post ever asks about.
    max_chars: int = 40
    #: Taken out of the positives, in any spelling; the lexicon may list one all the same.
    uninformative: frozenset[str] = REFERENCE_UNINFORMATIVE

    def fault(self, word: str) -> str:
        """Why a word in training form is none to learn from, on either side; "" if it is one."""
        if not word:
            return "empty"
        if _is_damaged(word):
            return "holds control characters or bytes that are no text"
        if len(word) < self.min_chars:
            return f"shorter than {self.min_chars} characters"
        if len(word) > self.max_chars:
            return f"longer than {self.max_chars} characters"
        if not any(character.isalpha() for character in word):
            return "holds no letter"
        return ""


def training_form(word: str) -> str:
    """The normal form of a word (`normalise_word`), without any white space if it holds a Han character."""
    plain = normalise_word(word)
    return _SPACES.sub("", plain) if _HAN.search(plain) else plain


def reference_clean(rows: Iterable[str], rules: CleaningRules | None = None) -> list[str]:
    """The rows that the reference keeps, in order, trimmed: no single characters and none of its
    uninformative words, both as they are spelled.
    """
    rules = rules or CleaningRules()
    trimmed = (row.strip() for row in rows)
    return [row for row in trimmed if len(row) >= rules.min_chars and row not in rules.uninformative]


def training_words(
    positives: RawWords | None,
    negatives: RawWords | None,
    *,
    lexicon_terms: Collection[str],
    background_terms: Collection[str],
    dictionary_terms: Collection[str] = (),
    contrast_terms: Collection[str] = (),
    rules: CleaningRules | None = None,
    balance: Balance = "weights",
    seed: int,
) -> pd.DataFrame:
    """TRAINING_WORDS, by word: what every row of the files and every term of the lists came to.

    The lexicon outvotes every negative, background and contrast outvote the positives of the files, these
    outvote the dictionary, and a word of both files counts for neither ("conflict"). "weights" uses all words
    and gives both labels the same total weight; "downsample" leaves words of the larger label out
    ("surplus": a seeded choice, words of files and dictionary before curated ones). The `rows` add up to
    `n_rows` of both files plus the terms of all lists. Raises `UserError` if fewer than two words are left
    for either label.
    """
    rules = rules or CleaningRules()
    rows_of = {
        "lexicon": Counter(map(training_form, lexicon_terms)),
        "positives": Counter(map(training_form, positives.words if positives else ())),
        "background": Counter(map(training_form, background_terms)),
        "contrast": Counter(map(training_form, contrast_terms)),
        "negatives": Counter(map(training_form, negatives.words if negatives else ())),
        "dictionary": Counter(map(training_form, dictionary_terms)),
    }
    dropped = (
        _drop(rows_of, rules) + _unreadable(positives, "positives") + _unreadable(negatives, "negatives")
    )
    table = pd.DataFrame(
        [*_settle(rows_of), *dropped], columns=["word", "label", "origin", "rows", "state", "reason"]
    )
    table = table.sort_values(["word", "label", "state", "origin"], kind="stable", ignore_index=True)
    _require_both(table)
    if balance == "downsample":
        _down_sample(table, seed)
    return _with_folds(table, seed)


def issue_split(positives: RawWords, negatives: RawWords, seed: int) -> pd.DataFrame:
    """The honest split of the two files: columns word, label, validation (bool), one row per word.

    Words in training form without the reference's uninformative ones, each once, none that stands on both
    sides, Han characters only (two or more); of every length the same number of words of both labels, by
    seeded choice; 20 % of the words are validation.
    """
    uninformative = {training_form(word) for word in REFERENCE_UNINFORMATIVE}
    fashion = set(map(training_form, positives.words)) - uninformative
    other = set(map(training_form, negatives.words))
    sides = [
        _by_length(word for word in side if _HAN_ONLY.fullmatch(word))
        for side in (fashion - other, other - fashion)
    ]
    rng = np.random.default_rng(seed)
    words: list[str] = []
    labels: list[bool] = []
    for length in sorted(sides[0].keys() & sides[1].keys()):
        count = min(len(side[length]) for side in sides)
        for label, side in zip((True, False), sides, strict=True):
            words += _choice(side[length], count, rng)
            labels += [label] * count
    return _split_at_random(words, labels, rng)


def reference_split(positives: RawWords, negatives: RawWords, seed: int) -> pd.DataFrame:
    """The reference's own split, which flatters: columns word, label, validation (bool), one row per **row**.

    Positives with their repeats, cleaned by `reference_clean`; as many negative lines, by seeded choice; 20 %
    of the rows are validation, so many validation words have been trained on.
    """
    fashion = reference_clean(positives.words)
    rng = np.random.default_rng(seed)
    other = _choice([line.strip() for line in negatives.words], len(fashion), rng)
    return _split_at_random([*fashion, *other], [True] * len(fashion) + [False] * len(other), rng)


_Row = tuple[str, bool, str, int, str, str]


def _is_damaged(word: str) -> bool:
    """Whether it holds a control character, half a character, or the mark of bytes that were no text."""
    return _REPLACEMENT in word or not word.isprintable()


def _shown(word: str, max_chars: int) -> str:
    """A dropped word as it may stand in a table: no control characters, no more than its beginning."""
    cut = word if len(word) <= max_chars else word[:max_chars] + "…"
    return "".join(mark if mark.isprintable() else _REPLACEMENT for mark in cut)


def _drop(rows_of: dict[str, Counter[str]], rules: CleaningRules) -> list[_Row]:
    """Takes what is no word to learn from out of `rows_of`, and hands back its rows of the table."""
    uninformative = {training_form(word) for word in rules.uninformative} - rows_of["lexicon"].keys()
    # Two damaged rows may look alike once they are cut to what can be shown: counted, not listed.
    dropped: Counter[tuple[str, str, str]] = Counter()
    for origin, counts in rows_of.items():
        for word in list(counts):
            reason = rules.fault(word)
            if not reason and origin == "positives" and word in uninformative:
                reason = "uninformative by the cleaning rules"
            if reason:
                dropped[_shown(word, rules.max_chars), origin, reason] += counts.pop(word)
    return [
        (word, origin in POSITIVE_ORIGINS, origin, rows, "dropped", reason)
        for (word, origin, reason), rows in dropped.items()
    ]


def _unreadable(raw: RawWords | None, origin: str) -> list[_Row]:
    """One row for all rows of a side that could not be read, with the first fault as example."""
    if raw is None or not raw.unreadable:
        return []
    reason = f"unreadable, e.g. {raw.unreadable[0]}"
    return [("", origin == "positives", origin, len(raw.unreadable), "dropped", reason)]


def _settle(rows_of: dict[str, Counter[str]]) -> list[_Row]:
    """One row per word and label, with the state that the other side leaves it in."""
    fashion = _side(rows_of, POSITIVE_ORIGINS)
    other = _side(rows_of, NEGATIVE_ORIGINS)
    settled: list[_Row] = []
    for word, (origin, rows) in fashion.items():
        state, reason = "used", ""
        against = other[word][0] if word in other else ""
        if origin == "positives" and against in ("background", "contrast"):
            state, reason = "overruled", f"the {against} list holds it as a word without fashion"
        elif origin == "positives" and against == "negatives":
            state, reason = "conflict", "the negatives hold it too"
        settled.append((word, True, origin, rows, state, reason))
    for word, (origin, rows) in other.items():
        state, reason = "used", ""
        against = fashion[word][0] if word in fashion else ""
        if against == "lexicon":
            state, reason = "overruled", "the lexicon lists it as a fashion word"
        elif against == "positives" and origin == "negatives":
            state, reason = "conflict", "the positives hold it too"
        elif against == "positives" and origin == "dictionary":
            state, reason = "overruled", "the positives hold it"
        settled.append((word, False, origin, rows, state, reason))
    return settled


def _side(rows_of: dict[str, Counter[str]], origins: Sequence[str]) -> dict[str, tuple[str, int]]:
    """Each word of one label with its first origin and the rows of all."""
    side: dict[str, tuple[str, int]] = {}
    for origin in origins:
        for word, rows in rows_of[origin].items():
            first, before = side.get(word, (origin, 0))
            side[word] = (first, before + rows)
    return side


def _require_both(table: pd.DataFrame) -> None:
    used = table.loc[table["state"] == "used", "label"]
    for label, what, remedy in (
        (True, "fashion words", "--positives with a file of fashion words"),
        (False, "words without fashion", "--negatives with a file of other words or lines, or --posts"),
    ):
        if int((used == label).sum()) < 2:
            states = table.loc[table["label"] == label, "state"].value_counts()
            came_to = ", ".join(f"{count} {state}" for state, count in states.items()) or "none given"
            raise UserError(
                f"There are not two {what} to learn from ({came_to}); a classifier needs both kinds. "
                f"Give {remedy}."
            )


def _down_sample(table: pd.DataFrame, seed: int) -> None:
    """Marks words of the larger label as surplus, in place."""
    used = table["state"] == "used"
    places = [np.flatnonzero(used & (table["label"] == label)) for label in (False, True)]
    larger = max(places, key=len)
    n_surplus = len(larger) - min(map(len, places))
    shuffled = np.random.default_rng(seed).permutation(larger)
    curated = table["origin"].isin(_CURATED).to_numpy()[shuffled]
    surplus = shuffled[np.argsort(curated, kind="stable")][:n_surplus]
    table.loc[surplus, ["state", "reason"]] = ["surplus", f"left out to balance the labels (seed {seed})"]


def _with_folds(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The table with family, fold and weight of the used words, in the types of the schema."""
    used = (table["state"] == "used").to_numpy()
    labels = table["label"].to_numpy(dtype=bool)[used]
    families = word_families(table.loc[used, "word"].tolist())
    fold = np.full(len(table), -1, dtype=np.int8)
    fold[used] = family_folds(families, labels, seed=seed)
    weight = np.zeros(len(table), dtype=np.float32)
    weight[used] = _class_weights(labels)
    table["family"] = ""
    table.loc[used, "family"] = families
    table["rows"] = table["rows"].astype(np.int32)
    table["fold"], table["weight"] = fold, weight
    return table[TRAINING_WORDS.names]


def _class_weights(labels: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Weights (n,) of mean 1 under which both labels weigh the same."""
    n_true = int(np.count_nonzero(labels))
    half = len(labels) / 2
    return np.where(labels, half / n_true, half / (len(labels) - n_true)).astype(np.float32)


def _by_length(words: Iterable[str]) -> dict[int, list[str]]:
    """The words by their length, sorted, so that a seeded choice does not depend on the order of a set."""
    groups: dict[int, list[str]] = {}
    for word in sorted(words):
        groups.setdefault(len(word), []).append(word)
    return groups


def _choice(words: Sequence[str], count: int, rng: np.random.Generator) -> list[str]:
    """`count` of the words, or all of them if they are fewer, in random order."""
    return [words[place] for place in rng.permutation(len(words))[:count]]


def _split_at_random(words: Sequence[str], labels: Sequence[bool], rng: np.random.Generator) -> pd.DataFrame:
    validation = np.zeros(len(words), dtype=bool)
    validation[rng.permutation(len(words))[: round(VALIDATION_SHARE * len(words))]] = True
    return pd.DataFrame({"word": words, "label": np.array(labels, dtype=bool), "validation": validation})
