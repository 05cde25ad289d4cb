"""The trained classifier: the same words score alike however they are written or stored, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fashion_assets.keywords.background import load_background
from fashion_assets.keywords.lexicon import load_lexicon
from fashion_assets.keywords.post_words import PostWords
from fashion_assets.keywords.scorers import KeywordScorer
from fashion_assets.storage.errors import UserError
from fashion_assets.tfashion import model as model_module
from fashion_assets.tfashion.calibration import PlattCalibration
from fashion_assets.tfashion.features import WordFacts
from fashion_assets.tfashion.model import CARD, WEIGHTS, TfashionModel, read_card
from fashion_assets.tfashion.word_vectors import WordVectors
from fashion_assets_tests.unit.words_made import FASHION, OTHER, cbow, classifier, facts

POSTS = (
    PostWords(["碎花", "长裙", "今天"], ["长裙"], "2023-01"),
    PostWords(["历史", "今天"], ["穿搭"], "2023-02"),
)
ODD_WORDS = [
    "",
    " ",
    "\u200b",
    "裙",
    "裙\x00子",
    "\x07",
    "裙\ufffd子",
    "\U0001f457",
    "a",
    "8",
    "ootd",
    "new balance",
]
STORY = {
    "data_digest": "abc",
    "words": [{"label": True, "words": 96}],
    "honest_split": {"f1": {"value": 0.9}},
}


@pytest.fixture(scope="module")
def model() -> TfashionModel:
    return classifier(facts(POSTS), uses_lists=True, story=STORY)


@pytest.fixture
def saved(model: TfashionModel, tmp_path: Path) -> Path:
    model.save(tmp_path / "model")
    return tmp_path / "model"


def vectors(**options: Any) -> WordVectors:
    return WordVectors(cbow(**options))


def test_it_is_a_scorer_that_tells_the_made_words_apart(model: TfashionModel) -> None:
    assert isinstance(model, KeywordScorer)
    plain = classifier(facts(POSTS))
    fashion, other = plain.score(FASHION), plain.score(OTHER)
    assert fashion.dtype == np.float32
    assert fashion.min() > plain.threshold > other.max()
    new = plain.score(["真丝短裙", "铁路部门"])
    assert new[0] > plain.threshold > new[1]


@pytest.mark.parametrize(
    ("head", "options"),
    [
        ("logistic", {}),
        ("mlp", {"members": 2, "epochs": 2}),
        pytest.param("resnet", {"epochs": 1, "batch_size": 64}, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("uses_lists", [True, False])
def test_what_was_saved_scores_the_same(
    tmp_path: Path, head: str, options: dict[str, Any], uses_lists: bool
) -> None:
    before = classifier(facts(POSTS), uses_lists=uses_lists, head=head, story=STORY, **options)
    before.save(tmp_path)
    after = TfashionModel.load(tmp_path, vectors())
    words = [*FASHION, *OTHER, *ODD_WORDS, "没见过的词"]
    np.testing.assert_array_equal(after.score(words), before.score(words))
    assert after.model_id == before.model_id
    assert after.threshold == before.threshold
    assert after.uses_lists is uses_lists
    assert after.card() == before.card()
    assert {entry.name for entry in tmp_path.iterdir()} == {WEIGHTS, CARD}


def test_saving_twice_writes_the_same_bytes(model: TfashionModel, saved: Path) -> None:
    before = {entry.name: entry.read_bytes() for entry in saved.iterdir()}
    TfashionModel.load(saved, vectors()).save(saved)
    assert {entry.name: entry.read_bytes() for entry in saved.iterdir()} == before


def changed(model: TfashionModel, part: str) -> TfashionModel:
    """The model with one number of that part another one."""
    head, contrast = model.head, model.facts.contrast
    if part.startswith("head."):
        tensors = dict(head.tensors())
        name = part.removeprefix("head.")
        tensors[name] = np.array(tensors[name], copy=True)
        tensors[name].flat[-1] += 1
        head = type(head).from_tensors(head.config(), tensors)
    if part.startswith("contrast."):
        tensors = dict(contrast.tensors())
        name = part.removeprefix("contrast.")
        tensors[name] = tensors[name].copy()
        if name.endswith(".count"):
            tensors[name][-1] += 1
        else:
            tensors[name] = np.frombuffer(tensors[name].tobytes() + b"x", dtype=np.uint8)
        contrast = type(contrast).from_tensors(tensors)
    evidence = model.evidence
    if part == "evidence.log_odds":
        evidence = type(evidence)(evidence.grams, evidence.log_odds + 1)
    if part == "evidence.grams":
        evidence = type(evidence)([*evidence.grams[:-1], "鬼"], evidence.log_odds)
    return replace(model, head=head, evidence=evidence, facts=WordFacts(model.facts.vectors, contrast))


def test_the_id_changes_with_any_tensor(model: TfashionModel) -> None:
    ids = {name: changed(model, name).model_id for name in model._tensors()}
    assert len(ids) >= 10
    assert len({model.model_id, *ids.values()}) == len(ids) + 1


@pytest.mark.parametrize(
    "change",
    [
        {"cut": 0.51},
        {"calibration": PlattCalibration(0.5, -0.2500001)},
        {"uses_lists": False},
        {"facts": facts(POSTS, seed=1, words=("裙子",))},
    ],
)
def test_the_id_changes_with_all_else_that_scores_depend_on(model: TfashionModel, change: Any) -> None:
    assert replace(model, **change).model_id != model.model_id


def test_the_id_does_not_change_otherwise(model: TfashionModel) -> None:
    assert model.model_id.startswith("tfashion:logistic@")
    assert changed(model, "nothing").model_id == model.model_id
    assert replace(model, story={"anything": "else"}).model_id == model.model_id
    assert classifier(facts(POSTS), uses_lists=True).model_id == model.model_id
    assert classifier(facts(POSTS[::-1]), uses_lists=True).model_id == model.model_id


def test_vectors_of_another_encoder_are_refused_with_both_ids(model: TfashionModel, saved: Path) -> None:
    other = vectors(dim=12)
    with pytest.raises(UserError) as refusal:
        TfashionModel.load(saved, other)
    sentence = str(refusal.value)
    assert model.facts.vectors.model_id in sentence
    assert other.model_id in sentence
    assert "FASHION_TEXT_ENCODER" in sentence
    # Of the same width too: the numbers would fit, and mean something else.
    with pytest.raises(UserError, match="was trained on words encoded by"):
        TfashionModel.load(saved, vectors(seed=5))


def test_the_card_tells_the_story(model: TfashionModel, saved: Path) -> None:
    card = read_card(saved)
    assert card["model_id"] == model.model_id
    assert card["encoder"] == model.facts.vectors.model_id
    assert (card["head"], card["threshold"], card["uses_lists"]) == ("logistic", 0.5, True)
    assert {name: card[name] for name in STORY} == STORY


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"null", b"\xff\xfe"])
def test_a_lost_or_damaged_card_costs_the_story_only(
    model: TfashionModel, saved: Path, content: bytes | None
) -> None:
    if content is None:
        (saved / CARD).unlink()
    else:
        (saved / CARD).write_bytes(content)
    after = TfashionModel.load(saved, vectors())
    assert after.model_id == model.model_id
    assert after.story == {}
    np.testing.assert_array_equal(after.score(FASHION), model.score(FASHION))
    with pytest.raises(UserError, match=r"tfashion\.json cannot be read .*train again"):
        read_card(saved)


def test_a_card_that_was_edited_does_not_change_scores(model: TfashionModel, saved: Path) -> None:
    card = json.loads((saved / CARD).read_text(encoding="utf-8"))
    card.update(threshold=0.9, encoder="st:other@1", uses_lists=False)
    (saved / CARD).write_text(json.dumps(card), encoding="utf-8")
    assert TfashionModel.load(saved, vectors()).model_id == model.model_id


def test_no_model_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no trained word classifier at .*tfashion\.safetensors"):
        TfashionModel.load(tmp_path, vectors())
    with pytest.raises(UserError, match="cannot be read"):
        read_card(tmp_path)


def test_a_damaged_file_is_a_sentence(saved: Path) -> None:
    whole = (saved / WEIGHTS).read_bytes()
    for damaged in (b"", b"nonsense", whole[:50], whole[:-1], whole[: len(whole) // 2], whole + b"x"):
        (saved / WEIGHTS).write_bytes(damaged)
        with pytest.raises(UserError, match=r"tfashion\.safetensors is no safetensors file that loads"):
            TfashionModel.load(saved, vectors())


def test_a_flipped_bit_is_refused_wherever_it_lies(saved: Path) -> None:
    whole = (saved / WEIGHTS).read_bytes()
    start = 8 + int.from_bytes(whole[:8], "little")
    for place in np.linspace(start, len(whole) - 1, 40).astype(int):
        flipped = bytearray(whole)
        flipped[place] ^= 0x10
        (saved / WEIGHTS).write_bytes(flipped)
        with pytest.raises(UserError, match=r"tfashion\.safetensors is damaged: the digest .* train again"):
            TfashionModel.load(saved, vectors())


def test_safetensors_of_something_else_are_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save

    for metadata in (
        None,
        {"needed": "{}"},
        {"needed": "{"},
        {"needed": "[]"},
        {"needed": '{"format": "other"}'},
    ):
        (tmp_path / WEIGHTS).write_bytes(save({"weight": np.zeros(3, dtype=np.float32)}, metadata=metadata))
        with pytest.raises(UserError, match=r"tfashion\.safetensors .* train"):
            TfashionModel.load(tmp_path, vectors())


def test_words_of_nothing_score_nothing(model: TfashionModel) -> None:
    scores = model.score(["", " ", "\t\n", "\u200b\ufeff", "长裙"])
    np.testing.assert_array_equal(scores[:4], 0)
    assert scores[4] > 0
    empty = model.score([])
    assert (empty.shape, empty.dtype) == ((0,), np.float32)


@pytest.mark.parametrize("word", ["裙" * 6667, "a" * 6667, "历史 " * 2222 + "裙"])
def test_a_word_of_6667_characters_has_a_score(model: TfashionModel, word: str) -> None:
    together = model.score([word, "长裙"])
    assert np.isfinite(together).all()
    np.testing.assert_allclose(together[1], model.score(["长裙"])[0], atol=1e-6)


@settings(deadline=None, max_examples=60)
@given(
    st.text(
        alphabet=st.one_of(
            st.characters(exclude_categories=()),  # half characters included
            st.sampled_from("\x00\x01\x02\x03\x07\x1b\x7f\u0085\u200b\u202e\ufeff\ufffd裙子"),
        ),
        max_size=12,
    )
)
def test_any_characters_have_a_score(model: TfashionModel, word: str) -> None:
    scores = model.score([word, "长裙"])
    assert ((scores >= 0) & (scores <= 1)).all()


def test_half_characters_have_a_score(model: TfashionModel) -> None:
    # "\ud83d" in a JSON file is half an emoji.
    assert np.isfinite(model.score(["裙\ud83d子", "\udc57"])).all()


@pytest.mark.parametrize(
    "written", ["碎花長裙", "碎花 长裙", " 碎花长裙\u3000", "碎\u200b花长裙", "碎花\n長 裙", "碎花长裙\ufeff"]
)
def test_a_word_scores_alike_however_it_is_written(model: TfashionModel, written: str) -> None:
    one, other = model.score(["碎花长裙", written])
    assert one == other
    assert model.score([written])[0] == pytest.approx(one, abs=1e-6)


def test_latin_words_score_alike_in_any_case(model: TfashionModel) -> None:
    scores = model.score(["New  Balance", "new balance", "ＮＥＷ balance"])
    assert len(set(scores.tolist())) == 1


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from([*FASHION[:5], *OTHER[:5], *ODD_WORDS, "没见过的词"]), max_size=12),
    st.integers(1, 5),
)
def test_a_score_depends_on_the_word_alone(
    model: TfashionModel, monkeypatch: pytest.MonkeyPatch, words: list[str], block: int
) -> None:
    together = model.score(words)
    np.testing.assert_allclose(model.score(words[::-1])[::-1], together, atol=1e-6)
    np.testing.assert_allclose([model.score([word])[0] for word in words], together, atol=1e-6)
    monkeypatch.setattr(model_module, "_WORDS_PER_BLOCK", block)
    np.testing.assert_allclose(model.score(words), together, atol=1e-6)


def test_the_lists_move_known_words_by_their_log_odds() -> None:
    plain, listed = classifier(), classifier(uses_lists=True)
    look = next(word for word in load_lexicon().terms("garment") if len(word) > 2)
    background = sorted(load_background())[0]
    before, after = plain.score([look, background]), listed.score([look, background])
    assert after[0] > before[0]
    assert after[1] < before[1]
