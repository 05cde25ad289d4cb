"""Terms that the segmenter's dictionary does not hold, found in the posts themselves, for a person to review.

A string of Chinese characters is proposed if it holds together (its characters stand side by side far more
often than by chance) and stands free (many different characters come before and after it). Nothing is learned
from labels, and nothing enters the dictionary here: accepted terms go into `user_dictionary`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.keywords.han_ngrams import (
    BREAK,
    CODE_BITS,
    MAX_CHARACTERS,
    HanCorpus,
    Int64s,
    Strings,
    count_strings,
    posts_per_group,
    read_han_corpus,
    sorted_by_key,
)
from fashion_assets.keywords.normalise import normalise_word
from fashion_assets.keywords.schemas import NEW_WORDS
from fashion_assets.keywords.segmenters import Segmenter, load_segmenter, user_term_key
from fashion_assets.keywords.stopwords import load_stopwords
from fashion_assets.storage.errors import UserError

#: Least normalised pointwise mutual information of the weakest split: 0 is chance, 1 never one without the
#: other.
MIN_PMI = 0.3

#: Least boundary entropy on either side, in nats: about ln 3, as free as with three equally frequent
#: neighbours.
MIN_ENTROPY = 1.1

#: A string inside a longer proposed word is left out if the longer one stands in this share of its posts: it
#: is then hardly ever anything but a part, as 拉德 is of 美拉德.
PART_SHARE = 0.8

#: Characters of grammar (pronouns, particles, degree, prepositions, auxiliaries, measures, numbers) that a new
#: word neither begins nor ends with, where the segmenter sees them as words of their own. The stopwords of one
#: character are no such list: they hold 美, 新, 小 and 穿, which begin 美拉德, 新中式, 小香风 and 穿搭.
FUNCTION_CHARACTERS = frozenset(
    "我你您他她它们咱这那哪谁啥某每各其自"
    "的地得了着过吗呢吧啊呀嘛啦哦噢喔哟呗咯喽哈嘿唉哎嗯哇噜"
    "很太最更也都就还又才只再已挺蛮超真好可却仅"
    "和与及或但而且被把给让对从到在于为以跟向由因若如虽则并"
    "是有会能要想去来说"
    "个件条款套双些次位种斤"
    "一二两三四五六七八九十几多"
)

#: A single character before a word, such as 感|穿搭, is the end of longer words (氛围感穿搭) if the two begin a
#: run of Chinese characters in less than this share of their posts. The end is
#: left alone: words such as 波点 and 咖色 rarely end a run, because a garment follows them.
MIN_BEGINS = 0.02

#: Longest strings that may be asked for; a longer one is a phrase.
LONGEST = 12

#: Characters of context on either side of the word in its example.
EXAMPLE_CONTEXT = 8

Floats = npt.NDArray[np.float64]


def discover_new_words(
    texts: Iterable[str | None],
    *,
    known: Collection[str],
    min_posts: int = 5,
    min_pmi: float = MIN_PMI,
    min_entropy: float = MIN_ENTROPY,
    max_chars: int = 6,
    limit: int = 500,
    segmenter: Segmenter | None = None,
    max_characters: int = MAX_CHARACTERS,
) -> pd.DataFrame:
    """NEW_WORDS of the texts (one per post): at most `limit` proposals in normal form, the best first, ties by
    word.

    Candidates are the strings of 2 to `max_chars` Chinese characters in at least `min_posts` (2 or more) posts
    that are neither `known` nor in the dictionary of `segmenter` (default: rjieba with the lexicon), and of
    whose parts, as the segmenter cuts them, neither the first nor the last is one of `FUNCTION_CHARACTERS` or a
    longer stopword, nor the first a single character left over from a longer word (`MIN_BEGINS`). A post counts
    once for a string, however often it repeats it; posts with the same Chinese characters count as one.

    - `pmi`: normalised pointwise mutual information (Bouma 2009, "Normalized (pointwise) mutual information in
      collocation extraction"; PMI: Church and Hanks 1990), the least over all ways to split the word in two:
      ln(p(xy) / (p(x) p(y))) / -ln p(xy), where p(s) = posts with s / sum over characters of the posts with it.
    - `left_entropy`, `right_entropy`: entropy in nats of the character before and after, each once per post
      (Huang and Powers 2003, "Chinese word segmentation based on contextual entropy"; Jin and Tanaka-Ishii
      2006). The edge of a run of Chinese characters is a neighbour of its own in each post: a word may well
      end there.
    - `score`: `pmi` times the smaller entropy, since a word needs both.

    Strings below `min_pmi` or `min_entropy` are left out, and those inside a longer proposal that stands in at
    least `PART_SHARE` of their posts. `example` is the first place of the word, a space for what is not
    Chinese.

    Texts are read once; beyond `max_characters` an even sample of the different posts is kept and counted
    (`read_han_corpus`). `attrs` of the result holds "n_read", "n_counted" and "share". UserError for settings
    out of range, one string instead of texts, and a text that is none.
    """
    _check_settings(min_posts, max_chars, limit, max_characters)
    if isinstance(texts, str):
        raise UserError("texts is one string; expected a list of texts: put a single text in a list.")
    judge = segmenter or load_segmenter()
    corpus = read_han_corpus(texts, max_characters)
    known_words = set(user_term_key(known))
    candidates = _in_normal_form(
        (
            candidate
            for candidate in _candidates(corpus, min_posts, max_chars, min_pmi, min_entropy)
            if not judge.knows(candidate.word)
        ),
        known_words,
    )
    proposed = _without_inner(_without_scraps(candidates, judge, known_words))
    proposed.sort(key=lambda row: (-row.score, row.word))
    rows = [_shown(row, corpus, judge) for row in proposed[:limit]]
    found = pd.DataFrame(rows, columns=_Candidate._fields)[NEW_WORDS.names]
    found = found.astype({"n_posts": "int64", "frequency": "int64", **dict.fromkeys(_MEASURES, "float64")})
    found.attrs.update(n_read=corpus.n_read, n_counted=corpus.n_posts, share=corpus.share)
    return found


_MEASURES = ("pmi", "left_entropy", "right_entropy", "score")


class _Candidate(NamedTuple):
    """A row of NEW_WORDS in the making, the first place of the string in the corpus, and whether it begins
    runs.
    """

    word: str
    n_posts: int
    frequency: int
    pmi: float
    left_entropy: float
    right_entropy: float
    score: float
    first: int
    parts: list[str]
    begins_runs: bool
    example: str = ""


def _check_settings(min_posts: int, max_chars: int, limit: int, max_characters: int) -> None:
    for name, value, least, most in (
        ("min_posts", min_posts, 2, None),
        ("max_chars", max_chars, 2, LONGEST),
        ("limit", limit, 1, None),
        ("max_characters", max_characters, 2, MAX_CHARACTERS),
    ):
        if value < least or (most is not None and value > most):
            bounds = f"{least} or more" if most is None else f"from {least} to {most}"
            raise UserError(f"{name} is {value}; new words need {bounds}.")


def _candidates(
    corpus: HanCorpus, min_posts: int, max_chars: int, min_pmi: float, min_entropy: float
) -> Iterator[_Candidate]:
    """The strings that hold together and stand free, shortest first."""
    lengths: list[Strings] = []
    for strings, places in count_strings(corpus, min_posts, max_chars):
        lengths.append(strings)
        if strings.length == 1 or not len(strings.n_posts):
            continue
        pmi = weakest_pmi(lengths)
        close = pmi >= min_pmi
        owners = np.repeat(np.flatnonzero(close), strings.frequency[close])
        places = places[np.repeat(close, strings.frequency)]
        left, begins = boundary_entropy(corpus, owners, places, -1, len(close))
        right, _ = boundary_entropy(corpus, owners, places, strings.length, len(close))
        free = np.minimum(left, right)
        for row in np.flatnonzero(close & (free >= min_entropy)).tolist():
            first = int(strings.first[row])
            yield _Candidate(
                corpus.text(first, first + strings.length),
                int(strings.n_posts[row]),
                int(strings.frequency[row]),
                float(pmi[row]),
                float(left[row]),
                float(right[row]),
                float(pmi[row] * free[row]),
                first,
                [],
                bool(begins[row] >= MIN_BEGINS),
            )


def weakest_pmi(lengths: Sequence[Strings]) -> Floats:
    """(n,) normalised PMI of the weakest split of each of the longest strings; `lengths` holds all, from 1 up."""
    votes = float(lengths[0].n_posts.sum())
    longest = lengths[-1]
    information = -np.log(longest.n_posts / votes)
    weakest = np.full(len(information), np.inf)
    for head, tail in _splits(lengths):
        weakest = np.minimum(weakest, np.log(longest.n_posts * votes / (head * tail)))
    # A string that is all there is has no information to share; it is as close as can be.
    return np.divide(weakest, information, out=np.ones_like(weakest), where=information > 0)


def _splits(lengths: Sequence[Strings]) -> Iterator[tuple[Int64s, Int64s]]:
    """Posts of the first i characters and of the rest, (n,) each, for i from 1 up."""
    longest = lengths[-1]
    head, tail = longest.head, longest.tail
    heads: dict[int, Int64s] = {}
    tails: dict[int, Int64s] = {}
    for strings in reversed(lengths[:-1]):
        heads[strings.length], tails[strings.length] = strings.n_posts[head], strings.n_posts[tail]
        head, tail = strings.head[head], strings.tail[tail]
    for first in range(1, longest.length):
        yield heads[first], tails[longest.length - first]


def boundary_entropy(
    corpus: HanCorpus, owners: Int64s, places: Int64s, offset: int, n: int
) -> tuple[Floats, Floats]:
    """(n,) entropy in nats of the character at `offset` from the places of each of n strings, and the share
    (n,) of breaks there; each neighbour once per post.

    `owners` (m,) says whose each of `places` (m,) is; a string without places gets 0. A break is a neighbour of
    its own in each post, so that a word that is always a run by itself has the entropy ln(posts).
    """
    keys = (owners << CODE_BITS) | corpus.codes[places + offset]
    keys, places = sorted_by_key(keys, places, len(corpus.codes))
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    votes = posts_per_group(starts, corpus.posts[places]).astype(np.float64)
    keys = keys[starts]
    owner, is_break = keys >> CODE_BITS, keys & ((1 << CODE_BITS) - 1) == BREAK
    total = np.maximum(np.bincount(owner, weights=votes, minlength=n), 1.0)
    # ln N - sum(v ln v) / N; of a break there are v neighbours with one vote each, and 1 ln 1 is 0.
    spread = np.bincount(owner, weights=np.where(is_break, 0.0, votes * np.log(votes)), minlength=n)
    breaks = np.bincount(owner, weights=np.where(is_break, votes, 0.0), minlength=n)
    return np.maximum(np.log(total) - spread / total, 0.0), breaks / total


def _in_normal_form(candidates: Iterable[_Candidate], known: Collection[str]) -> list[_Candidate]:
    """The candidates that are not known, in normal form; of two with the same form the one of more posts."""
    best: dict[str, _Candidate] = {}
    for candidate in candidates:
        word = normalise_word(candidate.word)
        other = best.get(word)
        if word not in known and (other is None or other.n_posts < candidate.n_posts):
            best[word] = candidate._replace(word=word)
    return list(best.values())


def _without_scraps(
    candidates: Sequence[_Candidate], segmenter: Segmenter, known: Collection[str]
) -> Iterator[_Candidate]:
    """The candidates whose first and last parts are no grammar, and the first no scrap, with their parts."""
    barred = FUNCTION_CHARACTERS | {word for word in load_stopwords() if len(word) > 1}
    words = {candidate.word for candidate in candidates}.union(known)
    cut = segmenter.cut_runs([candidate.word for candidate in candidates])
    for candidate, parts in zip(candidates, cut, strict=True):
        if parts[0] in barred or parts[-1] in barred:
            continue
        rest = candidate.word[1:]
        is_scrap = not candidate.begins_runs and len(rest) > 1 and (rest in words or segmenter.knows(rest))
        if not is_scrap:
            yield candidate._replace(parts=parts)


def _without_inner(candidates: Iterable[_Candidate]) -> list[_Candidate]:
    """The candidates that stand on their own often enough beside the longer ones that hold them."""
    posts_around: dict[str, int] = {}
    kept = []
    for candidate in sorted(candidates, key=lambda row: -len(row.word)):
        word = candidate.word
        if posts_around.get(word, 0) >= PART_SHARE * candidate.n_posts:
            continue
        kept.append(candidate)
        for start in range(len(word)):
            for end in range(start + 2, len(word) + 1):
                inner = word[start:end]
                posts_around[inner] = max(posts_around.get(inner, 0), candidate.n_posts)
    return kept


def _shown(candidate: _Candidate, corpus: HanCorpus, segmenter: Segmenter) -> _Candidate:
    """The candidate with its example, and its parts there if the segmenter guesses it whole standing alone."""
    start, end = candidate.first, candidate.first + len(candidate.word)
    near = slice(max(0, start - EXAMPLE_CONTEXT), end + EXAMPLE_CONTEXT)
    same_post = np.flatnonzero(corpus.posts[near] == corpus.posts[start]) + near.start
    begin, stop = int(same_post[0]), int(same_post[-1]) + 1
    example = corpus.text(begin, stop)
    parts = candidate.parts
    if len(parts) == 1:
        parts = _parts_within(segmenter, example, start - begin, end - begin)
    return candidate._replace(example=example.strip(), parts=parts)


def _parts_within(segmenter: Segmenter, example: str, start: int, end: int) -> list[str]:
    """How the run of the example that holds the characters from `start` to before `end` cuts them."""
    run_start = example.rfind(" ", 0, start) + 1
    run = example[run_start:].split(" ", 1)[0]
    words = segmenter.cut_runs([run])[0]
    ends = np.cumsum([len(word) for word in words]) + run_start
    cuts = [start, *(int(at) for at in ends if start < at < end), end]
    return [example[a:b] for a, b in pairwise(cuts)]
