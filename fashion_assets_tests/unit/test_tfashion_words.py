"""What becomes of every training word, word families and folds, and the two splits of the real files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fashion_assets.storage.errors import UserError
from fashion_assets.tfashion.families import MIN_CAP, family_folds, word_families
from fashion_assets.tfashion.schemas import STATES, TRAINING_WORDS
from fashion_assets.tfashion.sources import RawWords, read_negative_words, read_positive_words
from fashion_assets.tfashion.words import (
    CleaningRules,
    issue_split,
    reference_clean,
    reference_split,
    training_form,
    training_words,
)

WORDS = st.lists(
    st.one_of(
        st.sampled_from(["裙子", "裙 子", "裙襬", "OOTD", "ootd", "大衣", "感", "a", "穿搭", "历史", "Ｔ恤"]),
        st.text(max_size=6),
        st.text(alphabet="红蓝裙衣风感小大 ", max_size=8),
    ),
    max_size=30,
)


def made(positives: list[str], negatives: list[str], **options: Any) -> pd.DataFrame:
    lists: dict[str, Any] = {
        "lexicon_terms": ["大衣", "毛衣"],
        "background_terms": ["感觉", "今天"],
        "seed": 1,
    }
    return training_words(RawWords(positives), RawWords(negatives), **(lists | options))


def states(table: pd.DataFrame) -> dict[tuple[str, bool], tuple[str, str]]:
    return {
        (word, label): (origin, state)
        for word, label, origin, state in zip(
            table["word"], table["label"], table["origin"], table["state"], strict=True
        )
    }


def test_training_form_joins_han_and_keeps_latin_words_apart() -> None:
    assert training_form(" 半身 \u3000裙 ") == "半身裙"
    assert training_form("New  Balance") == "new balance"
    assert training_form("cleanfit 風") == "cleanfit风"
    assert training_form("裙襬") == "裙摆"


def test_each_side_wins_where_it_should() -> None:
    table = made(
        ["裙子", "感觉", "今天天气", "历史", "大衣", "词典", "对比"],
        ["历史", "大衣", "地理"],
        dictionary_terms=["词典", "裙摆线", "毛衣"],
        contrast_terms=["对比", "地理"],
    )
    assert states(table) == {
        ("大衣", True): ("lexicon", "used"),
        ("大衣", False): ("negatives", "overruled"),
        ("毛衣", True): ("lexicon", "used"),
        ("毛衣", False): ("dictionary", "overruled"),
        ("裙子", True): ("positives", "used"),
        ("今天天气", True): ("positives", "used"),
        ("感觉", True): ("positives", "overruled"),
        ("感觉", False): ("background", "used"),
        ("今天", False): ("background", "used"),
        ("历史", True): ("positives", "conflict"),
        ("历史", False): ("negatives", "conflict"),
        ("词典", True): ("positives", "used"),
        ("词典", False): ("dictionary", "overruled"),
        ("裙摆线", False): ("dictionary", "used"),
        ("对比", True): ("positives", "overruled"),
        ("对比", False): ("contrast", "used"),
        ("地理", False): ("contrast", "used"),
    }
    reasons = table.set_index(["word", "label"])["reason"]
    assert "background" in reasons["感觉", True] and "contrast" in reasons["对比", True]
    assert (table["reason"] == "").equals(table["state"] == "used")


def test_repeats_count_and_spellings_are_one_word() -> None:
    table = made(["裙襬", "裙 摆", "裙摆", "大衣"], ["地理"]).set_index("word")
    assert table.loc["裙摆", "rows"] == 3
    assert table.loc["大衣", "rows"] == 2  # one of the file, one of the lexicon


def test_what_is_no_word_is_dropped_with_its_reason() -> None:
    table = made(
        ["感", "x", "穿 搭", "", "毛\x00衣", "w" * 6667, "1999", "坏\ufffd了", "ootd"], ["地理", "的"]
    )
    dropped = table[table["state"] == "dropped"].set_index("word")
    assert "shorter than 2" in dropped.loc["感", "reason"] and "shorter" in dropped.loc["x", "reason"]
    assert (
        "uninformative" in dropped.loc["穿搭", "reason"] and "uninformative" in dropped.loc["ootd", "reason"]
    )
    assert dropped.loc["", "reason"] == "empty"
    assert (
        "control" in dropped.loc["毛\ufffd衣", "reason"] and "no text" in dropped.loc["坏\ufffd了", "reason"]
    )
    assert dropped.loc["w" * 40 + "…", "reason"] == "longer than 40 characters"
    assert dropped.loc["1999", "reason"] == "holds no letter"
    assert len(dropped) == 10


def test_the_cleaning_can_be_set_and_the_lexicon_outvotes_it() -> None:
    rules = CleaningRules(min_chars=1, max_chars=4, uninformative=frozenset({"裙子", "大衣"}))
    found = states(made(["感", "裙子", "大衣", "一二三四五"], ["地理", "裙子"], rules=rules))
    assert found["感", True] == ("positives", "used")
    assert found["裙子", True] == ("positives", "dropped") and found["裙子", False] == ("negatives", "used")
    assert found["大衣", True] == ("lexicon", "used")
    assert found["一二三四…", True] == ("positives", "dropped")


def test_unreadable_rows_are_in_the_table() -> None:
    raw = RawWords(["裙子"], (), ["a.csv: Line 3 is torn.", "a.csv: Line 5 is torn."])
    table = training_words(raw, None, lexicon_terms=["大衣"], background_terms=["今天", "感觉"], seed=0)
    row = table[table["word"] == ""].iloc[0]
    assert row["rows"] == 2 and row["state"] == "dropped" and "Line 3 is torn" in row["reason"]


@settings(max_examples=80, deadline=None)
@given(WORDS, WORDS, st.sampled_from(["weights", "downsample"]))
def test_every_row_is_accounted_for(positives: list[str], negatives: list[str], balance: Any) -> None:
    table = made(positives, negatives, balance=balance, dictionary_terms=["词典", "红裙"])
    assert table["rows"].sum() == len(positives) + len(negatives) + 2 + 2 + 2
    pa.Table.from_pandas(table, schema=TRAINING_WORDS, preserve_index=False).validate(full=True)
    assert set(table["state"]) <= set(STATES)
    assert not table[table["state"] != "dropped"].duplicated(["word", "label"]).any()
    used = table[table["state"] == "used"]
    assert not used["word"].duplicated().any()
    assert table["word"].tolist() == sorted(table["word"])
    unused = table[table["state"] != "used"]
    assert (unused["fold"] == -1).all() and (unused["weight"] == 0).all() and (unused["family"] == "").all()
    assert used["fold"].between(0, 4).all() and (used["family"] != "").all()
    assert (used.groupby("family")["fold"].nunique() == 1).all()
    assert used["weight"].mean() == pytest.approx(1, abs=1e-5)
    totals = used.groupby("label")["weight"].sum()
    assert totals[True] == pytest.approx(totals[False], rel=1e-5)
    if balance == "downsample":
        assert used["label"].sum() * 2 == len(used) and set(used["weight"]) == {1.0}
    else:
        assert "surplus" not in set(table["state"])


def test_down_sampling_is_seeded_and_takes_curated_words_last() -> None:
    negatives = [f"词{chr(0x5000 + number)}" for number in range(60)]
    first, again, other = (
        made(["裙子", "半裙"], negatives, balance="downsample", seed=seed) for seed in (3, 3, 4)
    )
    pd.testing.assert_frame_equal(first, again)
    assert not first["state"].equals(other["state"])
    for table in (first, other):
        kept = table[(table["state"] == "used") & ~table["label"]]
        assert len(kept) == 4 and {"感觉", "今天"} < set(kept["word"])


def test_order_of_the_rows_does_not_matter() -> None:
    positives, negatives = ["裙子", "格子裙子", "外套", "红外套"], ["地理", "历史", "中国历史"]
    pd.testing.assert_frame_equal(made(positives, negatives), made(positives[::-1], negatives[::-1]))


def test_one_class_is_a_sentence() -> None:
    with pytest.raises(UserError, match=r"two fashion words .*1 conflict.*--positives"):
        made(["历史"], ["历史", "地理"], lexicon_terms=[])
    with pytest.raises(UserError, match=r"two words without fashion .*none given.*--negatives"):
        training_words(None, None, lexicon_terms=["大衣", "毛衣"], background_terms=[], seed=0)


def test_without_files_the_projects_lists_are_enough() -> None:
    table = training_words(
        None, None, lexicon_terms=["大衣", "毛衣"], background_terms=["今天", "感觉"], seed=0
    )
    assert (table["state"] == "used").all() and len(table) == 4


@pytest.mark.parametrize(
    "relatives",
    [
        ["棕色", "棕色系", "深棕色", "浅棕色系"],
        ["软糯", "软软糯糯", "软糯糯", "软糯感"],
        ["复古", "复古风", "复古感", "复古的", "复古复古"],
        ["裙子", "半身裙子", "格子半身裙子", "小裙子"],
        ["cleanfit", "clean fit", "clean-fit", "cleanfit风"],
        ["开衫", "针织开衫", "短款针织开衫"],
        ["t恤", "纯棉t恤", "白色纯棉t恤"],
    ],
)
def test_relatives_share_a_family(relatives: list[str]) -> None:
    assert len(set(word_families([*relatives, "手机"]))) == 2


def test_strangers_do_not_share_a_family() -> None:
    words = [
        "大衣",
        "毛衣",
        "风衣",
        "白色",
        "红色",
        "老师",
        "新款",
        "包包",
        "www",
        "new balance",
        "balance",
        "美拉德",
    ]
    assert len(set(word_families(words))) == len(words)


def test_a_chain_of_heads_is_one_family_whatever_the_order() -> None:
    words = ["半身裙", "格子半身裙", "红格子半身裙", "针织半身裙", "手机"]
    assert word_families(words)[:4] == ["半身裙"] * 4
    assert word_families(words[::-1]) == word_families(words)[::-1]


def test_a_head_that_everything_ends_in_is_no_head() -> None:
    modifiers = [chr(0x5000 + number) for number in range(MIN_CAP + 10)]
    words = ["半裙"] + [f"{mark}半裙" for mark in modifiers] + [f"长{mark}半裙" for mark in modifiers]
    families = word_families(words)
    assert max(Counter(families).values()) == 2
    assert families[1] == families[1 + len(modifiers)] != families[0]
    assert len(set(word_families(words[: MIN_CAP - 1]))) == 1


@settings(deadline=None)
@given(st.lists(st.text(alphabet="红蓝裙衣风感小大色系ab -", min_size=1, max_size=10), max_size=80))
def test_every_word_has_a_family_of_bounded_size(words: list[str]) -> None:
    families = word_families(words)
    assert len(families) == len(words) and all(families)
    assert dict(zip(words, families, strict=True)) == dict(
        zip(sorted(words), word_families(sorted(words)), strict=True)
    )


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcdefghij"), st.booleans()), max_size=60), st.integers(2, 6))
def test_folds_keep_families_whole(rows: list[tuple[str, bool]], n_folds: int) -> None:
    families = [family for family, _ in rows]
    folds = family_folds(families, np.array([label for _, label in rows], dtype=bool), n_folds, seed=2)
    assert folds.dtype == np.int8 and ((folds >= 0) & (folds < n_folds)).all()
    assert len(set(zip(families, folds.tolist(), strict=True))) == len(set(families))


def test_folds_are_even_in_both_labels_and_seeded() -> None:
    rng = np.random.default_rng(0)
    families = [f"f{number}" for number in rng.zipf(1.6, 4000) % 700]
    labels = rng.random(4000) < 0.2
    folds = family_folds(families, labels, seed=1)
    shares = np.array(
        [[np.mean(folds[labels == side] == fold) for fold in range(5)] for side in (True, False)]
    )
    # The largest family holds 47 % of the words: its fold is that large; the others share the rest evenly.
    rest = np.sort(shares, axis=1)[:, :4]
    assert (rest.max(axis=1) - rest.min(axis=1) < 0.03).all()
    assert (folds == family_folds(families, labels, seed=1)).all()
    assert (folds != family_folds(families, labels, seed=2)).any()
    with pytest.raises(ValueError, match="3999 families"):
        family_folds(families[1:], labels)


def test_the_reference_cleans_by_spelling_alone() -> None:
    assert reference_clean(["穿搭", " 感 ", "a", "Ootd", "OOtd", "穿 搭", "裙子", "裙子"]) == [
        "OOtd",
        "穿 搭",
        "裙子",
        "裙子",
    ]


def test_the_honest_split_by_hand() -> None:
    positives = RawWords(["裙子", "裙 子", "大衣", "历史", "ootd", "喜欢", "半身裙", "感", "连衣裙子裙"])
    negatives = RawWords(["歷史", "地理", "数学", "哲学家", "物理学", "a地", "化学"])
    split = issue_split(positives, negatives, seed=5)
    assert set(split.loc[split["label"], "word"]) == {"裙子", "大衣", "半身裙"}
    others = split.loc[~split["label"], "word"]
    assert sorted(map(len, others)) == [2, 2, 3] and set(others) <= {
        "地理",
        "数学",
        "化学",
        "哲学家",
        "物理学",
    }
    assert split["validation"].sum() == 1
    pd.testing.assert_frame_equal(split, issue_split(positives, negatives, seed=5))


def test_the_references_split_keeps_repeats() -> None:
    split = reference_split(
        RawWords(["裙子"] * 30 + ["感"]), RawWords([f"第{n}行" for n in range(90)]), seed=0
    )
    assert len(split) == 60 and split["label"].sum() == 30 and split["validation"].sum() == 12
    assert split.loc[split["validation"] & split["label"], "word"].eq("裙子").any()
    assert list(split.columns) == ["word", "label", "validation"]


def f1_of_tfidf(split: pd.DataFrame) -> float:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import f1_score

    train, held_out = split[~split["validation"]], split[split["validation"]]
    grams = TfidfVectorizer(analyzer="char", ngram_range=(1, 3))
    model = LogisticRegression(C=10, max_iter=1000, solver="liblinear")
    model.fit(grams.fit_transform(train["word"]), train["label"])
    return float(f1_score(held_out["label"], model.predict(grams.transform(held_out["word"]))))


@pytest.mark.slow
@pytest.mark.real_data
def test_the_splits_of_the_real_files_tell_what_is_known_of_them(real_data: Path) -> None:
    positives = read_positive_words(real_data / "tfashion" / "topics_filtered.csv")
    negatives = read_negative_words(real_data / "tfashion" / "non_fashion_lines.txt")
    honest = issue_split(positives, negatives, seed=0)
    assert len(honest) == 2 * 19_872 and honest["label"].sum() == 19_872
    assert not honest["word"].duplicated().any()
    assert f1_of_tfidf(honest) == pytest.approx(0.897, abs=0.01)
    flattering = reference_split(positives, negatives, seed=0)
    assert flattering["label"].mean() == 0.5
    validation = flattering[flattering["validation"] & flattering["label"]]["word"]
    trained = set(flattering[~flattering["validation"]]["word"])
    assert validation.isin(trained).mean() > 0.5
    assert f1_of_tfidf(flattering) == pytest.approx(0.944, abs=0.01)


@pytest.mark.real_data
def test_the_real_files_come_to_words(real_data: Path) -> None:
    positives = read_positive_words(real_data / "tfashion" / "topics_filtered.csv")
    negatives = read_negative_words(real_data / "tfashion" / "non_fashion_lines.txt")
    table = training_words(
        positives, negatives, lexicon_terms=["大衣"], background_terms=["感觉", "今天"], seed=0
    )
    assert table["rows"].sum() == positives.n_rows + negatives.n_rows + 3
    used = table[table["state"] == "used"]
    assert used["word"].str.len().between(2, 40).all()
    share = used.groupby("fold")["label"].agg(["size", "sum"]) / [len(used), used["label"].sum()]
    assert ((share - 0.2).abs() < 0.01).all(axis=None)
    assert used["family"].value_counts().iloc[0] < 0.05 * len(used)
