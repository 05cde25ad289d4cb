"""Keywords batch by batch, and scores that outlive a batch, a month and a process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fashion_assets.keywords.extract import extract_keywords, extract_keywords_stream
from fashion_assets.keywords.facets import facet_counts, top_keywords
from fashion_assets.keywords.lexicon import Lexicon
from fashion_assets.keywords.scorers import LexiconScorer
from fashion_assets.keywords.streaming import KeywordTally, WordScores, WordScoreStore
from fashion_assets.storage.errors import UserError

WORDS = ["焦糖色", "大衣", "半身裙", "吃饭", "睡觉", "美拉德", "lululemon", "growingheart", "y2k", "真的"]
TEXT = st.lists(st.sampled_from([*WORDS, "，", " ", "\n", "165cm"]), max_size=8).map("".join)
POST = st.tuples(TEXT, TEXT, st.lists(st.sampled_from(WORDS), max_size=3))


class CountingScorer:
    """Scores by length; remembers every word that it was asked for."""

    threshold = 0.3

    def __init__(self, model_id: str = "test:length") -> None:
        self.model_id = model_id
        self.asked: list[list[str]] = []

    def score(self, words: Sequence[str]) -> npt.NDArray[np.float32]:
        self.asked.append(list(words))
        return np.array([min(len(word), 10) / 10 for word in words], dtype=np.float32)

    @property
    def all_asked(self) -> list[str]:
        return [word for batch in self.asked for word in batch]


def frame(posts: Sequence[tuple[str, str, list[str]]]) -> pd.DataFrame:
    rows = [(f"p{at}", "2024-01", *post) for at, post in enumerate(posts)]
    return pd.DataFrame(rows, columns=["post_id", "month", "title", "body", "tags"])


def in_batches(posts: pd.DataFrame, rows: int) -> Iterator[pd.DataFrame]:
    for start in range(0, len(posts), rows):
        yield posts.iloc[start : start + rows]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(POST, max_size=9), st.integers(1, 4))
def test_batches_give_the_rows_of_one_piece_and_score_each_word_once(
    posts: list[tuple[str, str, list[str]]], rows: int
) -> None:
    whole = frame(posts)
    scorer = CountingScorer()
    parts = list(extract_keywords_stream(in_batches(whole, rows), WordScores(scorer)))
    together = [row for part in parts for row in part.to_dict("records")]
    assert together == extract_keywords(whole, CountingScorer()).to_dict("records")
    assert len(scorer.all_asked) == len(set(scorer.all_asked))
    assert all(batch == sorted(batch) and batch for batch in scorer.asked)


def test_a_batch_is_read_only_when_the_one_before_was_taken() -> None:
    read = []

    def batches() -> Iterator[pd.DataFrame]:
        for at in range(3):
            read.append(at)
            yield frame([("大衣", "", [])])

    stream = extract_keywords_stream(batches(), WordScores(LexiconScorer()))
    next(stream)
    assert read == [0]


def test_the_facet_of_a_word_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    plain = Lexicon.facet

    def facet(self: Lexicon, term: str) -> str | None:
        asked.append(term)
        return plain(self, term)

    monkeypatch.setattr(Lexicon, "facet", facet)
    posts = frame([("大衣", "半身裙", ["大衣"])] * 4)
    list(extract_keywords_stream(in_batches(posts, 1), WordScores(LexiconScorer())))
    assert sorted(asked) == sorted(set(asked)) == ["半身裙", "大衣"]


def test_no_word_is_kept_for_being_latin() -> None:
    posts = frame([("growingheart redapple mate", "lululemon 大衣 Y2K", ["osmosis"])])
    assert extract_keywords(posts).loc[0, "keywords"] == ["lululemon", "大衣", "y2k"]
    scorer = CountingScorer()
    row = extract_keywords(posts, scorer).loc[0]
    assert {"growingheart", "lululemon", "mate", "osmosis", "y2k"} <= set(scorer.all_asked)
    assert row["scores"][row["keywords"].index("mate")] == pytest.approx(0.4)


def test_a_score_at_the_threshold_passes_in_its_own_precision() -> None:
    scorer = CountingScorer()
    scorer.threshold = 0.7  # 0.7 as float32 is less than 0.7
    assert list(WordScores(scorer).passing(["1234567", "123456"])) == ["1234567"]


def test_phrases_hold_a_keyword() -> None:
    row = extract_keywords(frame([("", "复古焦糖色大衣，今天吃饭睡觉，隔壁邻居小狗", [])])).loc[0]
    assert row["phrases"]
    for phrase in row["phrases"]:
        assert any(keyword in phrase for keyword in row["keywords"])
    assert extract_keywords(frame([("", "隔壁邻居小狗，修理水管", [])])).loc[0, "phrases"] == []


def test_words_of_the_user_are_whole_in_keywords_and_phrases() -> None:
    posts = frame([("", "今天的芝麻街联名卫衣", [])])
    plain = extract_keywords(posts, CountingScorer()).loc[0]
    whole = extract_keywords(posts, CountingScorer(), user_terms=["芝麻街联名"]).loc[0]
    assert "芝麻街联名" not in plain["tokens"]
    assert "芝麻街联名" in whole["keywords"]
    assert "芝麻街联名卫衣" in whole["phrases"]


def test_a_second_month_scores_only_its_new_words(tmp_path: Path) -> None:
    first = CountingScorer()
    scores = WordScores(first, WordScoreStore(tmp_path, first.model_id))
    january = list(extract_keywords_stream([frame([("大衣 半身裙", "美拉德 lululemon", [])])], scores))
    assert (scores.n_scored, scores.n_reused) == (4, 0)
    second = CountingScorer()
    scores = WordScores(second, WordScoreStore(tmp_path, second.model_id))
    february = frame([("大衣 半身裙", "美拉德 lululemon 焦糖色", [])])
    rows = pd.concat(extract_keywords_stream([february, february], scores))
    assert second.all_asked == ["焦糖色"]
    assert (scores.n_scored, scores.n_reused) == (1, 4)
    assert rows["scores"].iloc[0][:3] == january[0]["scores"].iloc[0]
    pd.testing.assert_frame_equal(rows.iloc[:1], extract_keywords(february, CountingScorer()))


def test_another_model_has_its_own_scores(tmp_path: Path) -> None:
    WordScoreStore(tmp_path, "tfashion@1").add({"大衣": 0.9})
    assert WordScoreStore(tmp_path, "tfashion@2").load() == {}
    assert WordScoreStore(tmp_path, "tfashion 1").folder != WordScoreStore(tmp_path, "tfashion_1").folder
    with pytest.raises(UserError, match="are of 'tfashion@1', the scorer is 'test:length'"):
        WordScores(CountingScorer(), WordScoreStore(tmp_path, "tfashion@1"))
    moved = WordScoreStore(tmp_path, "tfashion@2").folder
    WordScoreStore(tmp_path, "tfashion@1").folder.rename(moved)
    with pytest.raises(UserError, match="are of 'tfashion@1'; expected 'tfashion@2'; delete the file"):
        WordScoreStore(tmp_path, "tfashion@2").load()


def _add(folder: Path, number: int) -> None:
    for shard in range(5):
        WordScoreStore(folder, "m").add({"大衣": 0.5, f"{number}-{shard}": 0.25})


def test_two_processes_may_add_the_same_words(tmp_path: Path) -> None:
    writers = [get_context("spawn").Process(target=_add, args=(tmp_path, number)) for number in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    scores = WordScoreStore(tmp_path, "m").load()
    assert len(scores) == 11
    assert scores["大衣"] == 0.5


def test_a_damaged_shard_is_named(tmp_path: Path) -> None:
    store = WordScoreStore(tmp_path, "m")
    store.add({"大衣": 0.5})
    [shard] = store.folder.iterdir()
    shard.write_bytes(shard.read_bytes()[:-9])
    with pytest.raises(UserError, match=rf"{shard.name} cannot be read .*delete the file"):
        store.load()


def test_what_was_scored_before_a_failure_is_kept(tmp_path: Path) -> None:
    def batches() -> Iterator[pd.DataFrame]:
        yield frame([("大衣", "", [])])
        raise OSError("the disk is gone")

    scorer = CountingScorer()
    stream = extract_keywords_stream(batches(), WordScores(scorer, WordScoreStore(tmp_path, scorer.model_id)))
    with pytest.raises(OSError, match="the disk is gone"):
        list(stream)
    assert WordScoreStore(tmp_path, scorer.model_id).load() == {"大衣": pytest.approx(0.2)}


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (np.array([0.5]), r"shape \(1,\) for 2 words"),
        (np.array([0.5, np.nan]), "gave nan for the word '裙子'"),
    ],
)
def test_a_scorer_that_gives_no_scores_is_named(
    scores: npt.NDArray[np.float32], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = CountingScorer()
    monkeypatch.setattr(scorer, "score", lambda words: scores)
    with pytest.raises(UserError, match=message):
        WordScores(scorer).passing(["裙子", "大衣"])


def test_a_month_is_tallied_as_it_would_be_in_one_piece() -> None:
    posts = frame([("大衣 半身裙", "lululemon", ["大衣"]), ("大衣", "", []), ("吃饭", "", []), ("", "", [])])
    tally = KeywordTally()
    parts = [tally.add(part) for part in extract_keywords_stream(in_batches(posts, 2), _lexicon_scores())]
    whole = pd.concat(parts, ignore_index=True)
    facets = facet_counts(whole).set_index("facet")["n_posts"]
    assert tally.posts_by_facet == facets.to_dict()
    assert tally.top_keywords(2) == top_keywords(whole, 2)["keyword"].tolist()
    assert (tally.n_posts, tally.n_posts_without_keyword, len(tally.posts_by_keyword)) == (4, 2, 3)


def _lexicon_scores() -> WordScores:
    return WordScores(LexiconScorer())
