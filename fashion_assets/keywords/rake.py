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
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence, Set
from itertools import chain, groupby

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


#: A candidate: its words, and how they are written together.
_Candidate = tuple[tuple[str, ...], str]


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
    scores, _ = _score(_candidates([text], max_words, stopwords, engine, ())[0], None)
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
    holding: Sequence[Set[str]] | None = None,
    stopwords: Collection[str] | None = None,
    engine: Engine = "rjieba",
    user_terms: Collection[str] = (),
) -> list[list[str]]:
    """`rake_phrases` of each text, each scored on its own; the words of all are cut in one call.

    `holding` gives each text its keywords: only phrases with at least one of them among their words count.
    Scores and the default of `top` stay those of the whole text.
    """
    found = _candidates(texts, max_words, stopwords, engine, user_terms)
    phrases: list[list[str]] = []
    for candidates, keywords in zip(found, [None] * len(found) if holding is None else holding, strict=True):
        scores, distinct_words = _score(candidates, keywords)
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
    texts: Sequence[str],
    max_words: int,
    stopwords: Collection[str] | None,
    engine: Engine,
    user_terms: Collection[str],
) -> list[list[_Candidate]]:
    """Per text its candidate phrases, in order, repeats kept."""
    if max_words < 1:
        raise ValueError(f"max_words is {max_words}; a phrase has at least one word.")
    stops = load_stopwords() if stopwords is None else stopwords
    fragments_of = [_BOUNDARY.split(text) for text in text_list(texts)]
    # Tags are fragments that repeat from post to post: each distinct fragment is cut and judged once.
    fragments = dict.fromkeys(chain.from_iterable(fragments_of))
    cut = tokenize(fragments, engine=engine, user_terms=user_terms)
    inner = {token: _inner_word(token, stops) for token in set(chain.from_iterable(cut))}
    judged: dict[tuple[str, ...], _Candidate | None] = {}
    candidates_of: dict[str, list[_Candidate]] = {}
    for fragment, tokens in zip(fragments, cut, strict=True):
        candidates = candidates_of[fragment] = []
        for words in _content_runs(map(inner.__getitem__, tokens)):
            if words not in judged:
                judged[words] = _judged(words, max_words, stops)
            candidate = judged[words]
            if candidate is not None:
                candidates.append(candidate)
    return [list(chain.from_iterable(map(candidates_of.__getitem__, found))) for found in fragments_of]


def _inner_word(token: str, stops: Collection[str]) -> str:
    """The token in normal form if it may stand inside a phrase, else "": a stopword, number or mark.

    Single Han characters may stand inside.
    """
    word = normalise_word(token)
    inside = word not in stops and (is_content_form(word) or (len(word) == 1 and not _is_latin(word)))
    return word if inside else ""


def _content_runs(words: Iterable[str]) -> list[tuple[str, ...]]:
    """The longest runs of words without an empty one between them."""
    return [tuple(run) for inside, run in groupby(words, key=bool) if inside]


def _judged(words: tuple[str, ...], max_words: int, stops: Collection[str]) -> _Candidate | None:
    """The candidate that these words make, or None if they make none."""
    if len(words) > max_words:
        return None
    phrase = join_words(words)
    # The segmenter may cut a stopword in two (原|相机).
    return (words, phrase) if 1 < len(phrase) <= MAX_PHRASE_CHARS and phrase not in stops else None


def _score(candidates: Sequence[_Candidate], keywords: Set[str] | None) -> tuple[dict[str, float], int]:
    """The scores by phrase, best first, of those that hold a keyword (None: of all), and the number of
    distinct words in all candidates.
    """
    frequency: defaultdict[str, int] = defaultdict(int)
    degree: defaultdict[str, int] = defaultdict(int)
    for words, _ in candidates:
        for word in words:
            frequency[word] += 1
            degree[word] += len(words)
    weight = {word: degree[word] / frequency[word] for word in frequency}
    scores: dict[str, float] = {}
    for words, phrase in candidates:
        if phrase not in scores and (keywords is None or not keywords.isdisjoint(words)):
            scores[phrase] = sum(map(weight.__getitem__, words))
    return dict(sorted(scores.items(), key=lambda item: -item[1])), len(frequency)
