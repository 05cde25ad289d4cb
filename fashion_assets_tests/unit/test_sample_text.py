"""Words, sentences and styles of the sample."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.keywords.lexicon import FACETS
from fashion_assets.sample import phrases
from fashion_assets.sample.delivery import month_name, object_id, shown_count
from fashion_assets.sample.post_text import write_post
from fashion_assets.sample.style_words import STYLE_WORDS
from fashion_assets.sample.styles import (
    COMMON,
    FADING_STYLE,
    RISING_STYLE,
    STYLES,
    fashion_word_rows,
    style_named,
)

SLOTS = {"garment2", "colour2", "hair", "season", "shape", "wow", "size", "number", "height", "city"}


def test_at_least_twelve_styles_with_the_same_facets() -> None:
    assert len(STYLES) >= 12
    assert {style.name for style in STYLES} == set(STYLE_WORDS)
    facets = {frozenset(style.words) for style in STYLES}
    assert len(facets) == 1
    assert next(iter(facets)) <= set(COMMON)


def test_word_facets_are_facets_of_the_lexicon_and_each_word_has_one() -> None:
    rows = fashion_word_rows()
    assert {row["facet"] for row in rows} == set(FACETS)
    facets: dict[str, set[str]] = {}
    for row in rows:
        facets.setdefault(row["word"], set()).add(row["facet"])
    assert {word: found for word, found in facets.items() if len(found) > 1} == {}


def test_styles_share_words() -> None:
    for style in STYLES:
        own = {word for words in style.words.values() for word in words}
        others = {
            word for other in STYLES if other is not style for words in other.words.values() for word in words
        }
        assert 0.2 < len(own & others) / len(own) < 0.95, style.name


def test_every_slot_of_every_template_can_be_filled() -> None:
    templates = [*phrases.TITLES, *phrases.SENTENCES, *phrases.CHATTER, *phrases.TAG_FORMS]
    used = {slot for template in templates for slot in re.findall(r"\{(\w+)\}", template)}
    assert used <= SLOTS | set(COMMON)
    assert all(template.count("[") == template.count("]") for template in templates)


@given(st.integers(0, 10**6), st.sampled_from([style.name for style in STYLES]), st.integers(1, 12))
def test_post_has_no_open_slot_and_its_tags_stand_in_the_body(seed: int, style: str, month: int) -> None:
    post = write_post(style_named(style), month, random.Random(seed))
    text = f"{post.title} {post.body}"
    assert not re.search(r"[{}]|\[[^\]]*\|", text)
    assert re.findall(r"#(\S+)", post.body) == list(post.tags)
    assert len(set(post.tags)) == len(post.tags)
    assert post.body


def test_season_and_trend_move_the_shares() -> None:
    knit, rising, fading = style_named("慵懒针织"), style_named(RISING_STYLE), style_named(FADING_STYLE)
    assert knit.weight(0, 12) > 2 * knit.weight(0, 6)
    assert rising.weight(6, 2) > 2 * rising.weight(0, 2)
    assert fading.weight(6, 6) < 0.5 * fading.weight(0, 6)


def test_text_clusters_recover_styles_but_not_perfectly() -> None:
    from sklearn.cluster import KMeans
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.metrics import adjusted_rand_score
    from sklearn.preprocessing import normalize

    words = sorted({row["word"] for row in fashion_word_rows()}, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, words)))
    rng = random.Random(11)
    styles = rng.choices(STYLES, k=700)
    texts = [pattern.findall((post := write_post(style, 4, rng)).title + " " + post.body) for style in styles]
    table = TfidfVectorizer(
        analyzer=lambda found: found, min_df=2, max_df=0.3, sublinear_tf=True
    ).fit_transform(texts)
    reduced = normalize(TruncatedSVD(30, random_state=0).fit_transform(table))
    labels = KMeans(len(STYLES), n_init=5, random_state=0).fit_predict(reduced)
    score = adjusted_rand_score([style.name for style in styles], labels)
    assert 0.55 < score < 0.95


@pytest.mark.parametrize(("start", "index", "name"), [("2024-01", 0, "2024-01"), ("2024-11", 3, "2025-02")])
def test_month_name(start: str, index: int, name: str) -> None:
    assert month_name(start, index) == name


def test_object_id_says_the_second_in_shanghai() -> None:
    from datetime import datetime, timedelta, timezone

    created = datetime(2024, 5, 1, 0, 30, 7)
    text = object_id(created, random.Random(0))
    seen = datetime.fromtimestamp(int(text[:8], 16), timezone(timedelta(hours=8)))
    assert re.fullmatch(r"[0-9a-f]{24}", text)
    assert seen.replace(tzinfo=None) == created


@given(st.integers(0, 10**7), st.integers(0, 100))
def test_shown_counts_are_close_and_readable(value: int, seed: int) -> None:
    from fashion_assets.posts.counts import parse_count

    read = parse_count(shown_count(value, random.Random(seed)))
    assert abs(read - value) <= max(10, 0.5 * value)
