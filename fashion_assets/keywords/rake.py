"""Key phrases by RAKE: Rose, Engel, Cramer and Cowley (2010), "Automatic keyword extraction from individual
documents".

A candidate is a run of content words with no stopword, mark, number, emoji, line end, hashtag or gap between
Chinese words inside it. A word scores degree / frequency, where the degree adds up the lengths of the
candidates that it stands in (eq. in section 1.2.2 of the book chapter); a phrase scores the sum of its words.

Departure from the paper: posts often write whole sentences without a stopword or mark, so a run of more than
`max_words` words, or of more than `MAX_PHRASE_CHARS` characters, is no candidate at all. A whole post can
thus be a phrase only if it is itself as short as one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from fashion_assets.keywords.normalise import normalise_word
from fashion_assets.keywords.segmenters import HAN, Engine
from fashion_assets.keywords.stopwords import load_stopwords
from fashion_assets.keywords.tokens import is_content_form, text_list, tokenize

#: Words of the longest phrase. Chinese noun phrases of posts (高腰 阔腿 牛仔裤) hardly pass three.
MAX_WORDS = 4

#: Characters of the longest phrase, spaces included: four Latin words of ten letters.
MAX_PHRASE_CHARS = 43

#: The paper keeps the best third of the words that it has scored (section 1.2.4).
KEPT_SHARE = 3

# What ends a fragment: anything but letters, digits, and the marks inside a word; and white space, unless it
# stands between two Latin words.
_BOUNDARY = re.compile(
    rf"[\r\n\t\v\f\u2028\u2029]+|(?<=[A-Za-z0-9])[-'’&](?![A-Za-z0-9])|(?<![A-Za-z0-9])[-'’&]"
    rf"|(?<=[{HAN}])\s+|\s+(?=[{HAN}])|(?<!\d)[.,]|[.,](?!\d)|[^\w\s.,'’&-]+|_+"
)


def rake_scores(
    text: str,
    *,
    max_words: int = MAX_WORDS,
    stopwords: Collection[str] | None = None,
    engine: Engine = "rjieba",
) -> dict[str, float]:
    """Every candidate phrase of the text with its RAKE score, best first (ties: the earlier in the text
    first).
    """
    scores, _ = _score(_candidates([text], max_words, stopwords, engine)[0])
    return scores


def rake_phrases(
    text: str,
    *,
    max_words: int = MAX_WORDS,
    top: int | None = None,
    stopwords: Collection[str] | None = None,
    engine: Engine = "rjieba",
) -> list[str]:
    """The best phrases of the text, best first; Chinese words joined without spaces, Latin words with.

    `top` is how many; by default a third of the number of distinct content words, at least one (as in the
    paper). A missing text (None, NaN) has none; anything else that is no text raises UserError.
    """
    return rake_many([text], max_words=max_words, top=top, stopwords=stopwords, engine=engine)[0]


def rake_many(
    texts: Sequence[str],
    *,
    max_words: int = MAX_WORDS,
    top: int | None = None,
    stopwords: Collection[str] | None = None,
    engine: Engine = "rjieba",
) -> list[list[str]]:
    """`rake_phrases` of each text, each scored on its own; the words of all are cut in one call."""
    phrases: list[list[str]] = []
    for candidates in _candidates(texts, max_words, stopwords, engine):
        scores, distinct_words = _score(candidates)
        kept = max(1, distinct_words // KEPT_SHARE) if top is None else max(0, top)
        phrases.append(list(scores)[:kept])
    return phrases


def join_words(words: Iterable[str]) -> str:
    """The words as a reader would write them: no space beside a Chinese character, one between Latin
    words.
    """
    joined = ""
    for word in words:
        spaced = joined and word and _is_latin(joined[-1]) and _is_latin(word[0])
        joined += f" {word}" if spaced else word
    return joined


def _is_latin(character: str) -> bool:
    return not "\u3400" <= character <= "\u9fff"


def _candidates(
    texts: Sequence[str], max_words: int, stopwords: Collection[str] | None, engine: Engine
) -> list[list[tuple[str, ...]]]:
    """Per text its candidate phrases as tuples of words, in order, repeats kept."""
    if max_words < 1:
        raise ValueError(f"max_words is {max_words}; a phrase has at least one word.")
    stops = load_stopwords() if stopwords is None else stopwords
    texts = text_list(texts)
    fragments_of = [[fragment for fragment in _BOUNDARY.split(text) if fragment.strip()] for text in texts]
    cut = iter(tokenize([fragment for fragments in fragments_of for fragment in fragments], engine=engine))
    found: list[list[tuple[str, ...]]] = []
    for fragments in fragments_of:
        candidates: list[tuple[str, ...]] = []
        for _ in fragments:
            candidates += _content_runs(next(cut), stops)
        # The segmenter may cut a stopword in two (原|相机).
        found.append([w for w in candidates if _is_phrase(w, max_words) and join_words(w) not in stops])
    return found


def _content_runs(tokens: Iterable[str], stops: Collection[str]) -> list[tuple[str, ...]]:
    """The longest runs of tokens that are neither stopwords, numbers nor marks; single Han characters may
    stand in.
    """
    runs: list[tuple[str, ...]] = []
    run: list[str] = []
    for token in tokens:
        word = normalise_word(token)
        inside = word not in stops and (is_content_form(word) or (len(word) == 1 and not _is_latin(word)))
        if inside:
            run.append(word)
        elif run:
            runs.append(tuple(run))
            run = []
    if run:
        runs.append(tuple(run))
    return runs


def _is_phrase(words: tuple[str, ...], max_words: int) -> bool:
    return len(words) <= max_words and 1 < len(join_words(words)) <= MAX_PHRASE_CHARS


def _score(candidates: Sequence[tuple[str, ...]]) -> tuple[dict[str, float], int]:
    """The scores by phrase, best first, and the number of distinct words in the candidates."""
    frequency: Counter[str] = Counter()
    degree: Counter[str] = Counter()
    for words in candidates:
        for word in words:
            frequency[word] += 1
            degree[word] += len(words)
    scores: dict[str, float] = {}
    for words in candidates:
        scores.setdefault(join_words(words), sum(degree[word] / frequency[word] for word in words))
    return dict(sorted(scores.items(), key=lambda item: -item[1])), len(frequency)
