"""Attribute heads: learning from either side, abstaining, saving; and predictions as tables."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from fashion_assets.products.calibration import Temperature
from fashion_assets.products.features import ProductFeatures
from fashion_assets.products.heads import HEAD_KINDS, AttributeHead, HeadConfig
from fashion_assets.products.heads.config import EMBEDDING_TRANSFORMS
from fashion_assets.products.heads.sides import SideTemperatures
from fashion_assets.products.heads.transform import COMPONENTS, EmbeddingTransform
from fashion_assets.products.logit_adjustment import LogitAdjustment
from fashion_assets.products.predict import predict_products, wide_predictions
from fashion_assets.products.schemas import PRODUCT_PREDICTIONS
from fashion_assets.storage.errors import UserError
from fashion_assets_tests.unit.products_made import made_products

FAST_KINDS = ("kernel", "logistic", "lda", "knn")
#: Accuracy from both sides, the picture, the title. Neighbours by angle hear each chance n-gram as loud as the word.
LEAST = {
    "kernel": (0.95, 0.7, 0.95),
    "logistic": (0.95, 0.7, 0.95),
    "lda": (0.95, 0.7, 0.95),
    "knn": (0.6, 0.6, 0.5),
}


@pytest.fixture(scope="module")
def made() -> tuple[pd.DataFrame, ProductFeatures]:
    return made_products()


@pytest.fixture(scope="module", params=FAST_KINDS)
def head(request: pytest.FixtureRequest, made: tuple[pd.DataFrame, ProductFeatures]) -> AttributeHead:
    products, features = made
    return AttributeHead("kind", kind=request.param).fit(features, products["label_kind"])


@pytest.fixture(scope="module")
def kernel(made: tuple[pd.DataFrame, ProductFeatures]) -> AttributeHead:
    products, features = made
    return AttributeHead("kind", abstain_below=0.6).fit(features, products["label_kind"])


def without_words(features: ProductFeatures) -> ProductFeatures:
    blank = ("",) * len(features)
    return ProductFeatures(features.vectors, blank, blank)


def without_pictures(features: ProductFeatures) -> ProductFeatures:
    vectors = replace(features.vectors, matrix=np.zeros_like(features.vectors.matrix))
    return ProductFeatures(vectors, features.titles, features.texts)


def test_every_kind_learns_from_both_sides_and_answers_from_either(head: AttributeHead) -> None:
    products, features = made_products(200, seed=1)
    truth = products["label_kind"].to_numpy()
    views = (features, without_words(features), without_pictures(features))
    for given, least in zip(views, LEAST[head.kind], strict=True):
        chances = head.predict_proba(given)
        assert chances.shape == (200, 3) and chances.sum(axis=1) == pytest.approx(np.ones(200))
        assert (head.predict(given) == truth).mean() > least, head.kind


def test_every_kind_is_the_same_after_saving_and_loading(
    head: AttributeHead, made: tuple[pd.DataFrame, ProductFeatures], tmp_path: Path
) -> None:
    features = made[1]
    head.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["head.json", "head.safetensors"]
    again = AttributeHead.load(tmp_path)
    for given in (features, without_words(features), without_pictures(features)):
        # Half precision of the stored support vectors moves the third decimal of a probability.
        assert again.predict_proba(given) == pytest.approx(head.predict_proba(given), abs=5e-3)
    assert (again.kind, again.model_id, again.class_counts_) == (
        head.kind,
        "image=made@1",
        head.class_counts_,
    )


def test_titles_in_chinese_are_learnt_by_their_letters() -> None:
    from fashion_assets.products.vectors import join_vectors

    titles = tuple(
        f"{brand}{kind}{year}" for brand in "甲乙丙丁" for kind in ("连衣裙", "运动鞋") for year in "新款春秋"
    )
    vectors = join_vectors([str(row) for row in range(len(titles))], {})
    features = ProductFeatures(vectors, titles, titles)
    labels = ["dress" if "裙" in title else "shoe" for title in titles]
    head = AttributeHead("kind").fit(features.take(np.arange(24)), labels[:24])
    assert head.predict(features.take(np.arange(24, 32))).tolist() == labels[24:]


def test_rows_without_a_label_are_left_out_and_counted(made: tuple[pd.DataFrame, ProductFeatures]) -> None:
    products, features = made
    labels = products["label_kind"].where(np.arange(len(products)) >= 50).tolist()
    head = AttributeHead("kind").fit(features, labels)
    assert head.n_unlabelled_ == 50 and sum(head.class_counts_.values()) == len(products) - 50


def test_of_no_product_nothing_is_said(
    head: AttributeHead, made: tuple[pd.DataFrame, ProductFeatures]
) -> None:
    nobody = made[1].take(np.zeros(0, np.int64))
    assert head.predict_proba(nobody).shape == (0, 3) and [len(one) for one in head.decide(nobody)] == [
        0,
        0,
        0,
    ]


def test_it_abstains_below_its_threshold_and_without_any_side(kernel: AttributeHead) -> None:
    features = made_products(200, seed=2, noise=3.0)[1]
    seen = without_words(features)
    labels, confidence, abstained = kernel.decide(seen)
    assert (abstained == (confidence < 0.6)).all() and 0 < abstained.mean() < 1
    assert set(labels) <= set(kernel.classes_)
    assert kernel.decide(without_pictures(seen))[2].all()


def test_calibration_sharpens_and_moves_decisions(made: tuple[pd.DataFrame, ProductFeatures]) -> None:
    products, features = made
    head = AttributeHead("season").fit(features, products["label_season"])
    unsure = without_words(made_products(200, seed=3, noise=3.0)[1])
    plain = head.predict_proba(unsure)
    head.calibrate(SideTemperatures(image=Temperature(0.5)), LogitAdjustment(1.0, np.array([0.05, 0.95])))
    assert (head.predict_proba(unsure).max(axis=1) >= plain.max(axis=1) - 1e-12).all()
    labels, confidence, _ = head.decide(unsure)
    moved = labels != head.classes_[plain.argmax(axis=1)]
    # Decided for the rare class, with the little probability that it has.
    assert moved.any() and set(labels[moved]) == {"Summer"} and (confidence[moved] < 0.5).all()


def test_damaged_model_folders_get_a_sentence(kernel: AttributeHead, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no attribute head \(head.json is missing\)"):
        AttributeHead.load(tmp_path)
    kernel.save(tmp_path / "a")
    card = json.loads((tmp_path / "a" / "head.json").read_text("utf-8"))
    other = bytearray((tmp_path / "a" / "head.safetensors").read_bytes())
    other[-1] ^= 1
    (tmp_path / "a" / "head.safetensors").write_bytes(other)
    with pytest.raises(UserError, match="does not belong to the arrays beside it"):
        AttributeHead.load(tmp_path / "a")
    kernel.save(tmp_path / "a")
    (tmp_path / "a" / "head.json").write_text(json.dumps({**card, "machine": {"kind": "logistic"}}), "utf-8")
    with pytest.raises(UserError, match="is damaged"):
        AttributeHead.load(tmp_path / "a")
    for name, content in (("head.safetensors", b"\x00\x01"), ("head.json", b"{"), ("head.json", b"[]")):
        kernel.save(tmp_path / "a")
        (tmp_path / "a" / name).write_bytes(content)
        with pytest.raises(UserError, match=r"is damaged|does not belong"):
            AttributeHead.load(tmp_path / "a")


def test_the_card_is_readable_by_people(made: tuple[pd.DataFrame, ProductFeatures], tmp_path: Path) -> None:
    AttributeHead("季节").fit(made[1], made[0]["label_season"]).save(tmp_path)
    text = (tmp_path / "head.json").read_text("utf-8")
    assert "季节" in text and json.loads(text)["classes"] == ["Summer", "Winter"]


def test_misuse_gets_a_sentence(made: tuple[pd.DataFrame, ProductFeatures]) -> None:
    products, features = made
    with pytest.raises(UserError, match="has not been trained"):
        AttributeHead("kind").predict(features)
    with pytest.raises(UserError, match="360 products and 2 labels"):
        AttributeHead("kind").fit(features, ["a", "b"])
    with pytest.raises(UserError, match="there is no kind of head 'forest'"):
        AttributeHead("kind", kind="forest")
    with pytest.raises(UserError, match="the kernel machine compares products as they are"):
        AttributeHead("kind", embedding_transform="lfda")
    with pytest.raises(UserError, match="there is no embedding transform 'pca'"):
        AttributeHead("kind", kind="knn", embedding_transform="pca")
    with pytest.raises(UserError, match="the kernel machine has no option 'C'; it has class_weight_power"):
        AttributeHead("kind", params={"C": 1.0})
    matrix = features.vectors.matrix.copy()
    matrix[3, 2] = np.nan
    broken = ProductFeatures(replace(features.vectors, matrix=matrix), features.titles, features.texts)
    with pytest.raises(UserError, match=r"row 3 of the vectors \(product p3\)"):
        AttributeHead("kind").fit(broken, products["label_kind"])
    with pytest.raises(UserError, match="360 vectors, 1 titles"):
        ProductFeatures(features.vectors, ("one",), features.texts)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"kinds": ("kernel", "forest")}, "no kind of head 'forest'"),
        ({"kinds": ()}, "no kind of head ''"),
        ({"abstain_below": 1.5}, "expected a probability"),
        ({"n_trials": -1}, "n_trials is -1"),
        ({"resampling": "more"}, "'none' or 'auto'"),
        (
            {"embedding_transforms": ("none", "pca")},
            "no embedding transform 'pca'; expected some of none, lfda",
        ),
        ({"embedding_transforms": ()}, "no embedding transform ''"),
        ({"kinds": ("kernel",), "embedding_transforms": ("lfda",)}, "the only kind is kernel"),
        ({"kinds": ("kernel",), "n_trials": 5}, "the only kind is kernel, which has no options to search"),
        ({"adjustment_cost": 1.0}, "expected a small share"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        HeadConfig(**options)  # type: ignore[arg-type]
    assert set(FAST_KINDS) < set(HEAD_KINDS)


def test_every_loss_of_metric_learning_is_an_embedding_transform() -> None:
    from fashion_assets.products.metric_losses import LOSSES

    assert ("none", "lfda", *LOSSES) == EMBEDDING_TRANSFORMS


@pytest.mark.parametrize("transform", EMBEDDING_TRANSFORMS[1:])
@pytest.mark.parametrize("kind", ["knn", "logistic"])
def test_a_head_over_mapped_vectors_is_the_same_after_saving_and_loading(
    kind: str, transform: str, made: tuple[pd.DataFrame, ProductFeatures], tmp_path: Path
) -> None:
    if transform != "lfda":
        pytest.importorskip("pytorch_metric_learning", reason="the extra tune is not installed")
    products, features = made
    head = AttributeHead("season", kind=kind, embedding_transform=transform)
    head.fit(features, products["label_season"]).save(tmp_path)
    again = AttributeHead.load(tmp_path)
    new, seen = made_products(200, seed=1)
    for given in (seen, without_words(seen), without_pictures(seen)):
        assert np.array_equal(again.predict_proba(given), head.predict_proba(given))
    assert again.embedding_transform == transform
    # Season shows in the picture only.
    plain = AttributeHead("season", kind=kind).fit(features, products["label_season"])
    truth = new["label_season"].to_numpy()
    right, before = ((one.predict(seen) == truth).mean() for one in (head, plain))
    assert right > (0.75 if kind == "logistic" else before), (right, before)


def test_mapped_rows_have_a_spread_of_one_and_nothing_stays_nothing() -> None:
    generator = np.random.default_rng(0)
    codes = generator.integers(0, 3, 150)
    rows = (generator.normal(size=(150, 70)) + 3 * np.eye(3, 70)[codes]).astype(np.float32)
    rows[:5] = 0
    found = EmbeddingTransform.fit("lfda", rows, codes, seed=7)
    mapped = found.apply(rows)
    assert mapped.shape == (150, COMPONENTS) and not mapped[:5].any()
    assert np.square(mapped).mean() == pytest.approx(1.0, rel=1e-4)
    centres = np.array([mapped[codes == code][5:].mean(axis=0) for code in range(3)])
    nearest = ((mapped[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest[5:] == codes[5:]).mean() > 0.95


def test_a_transform_without_a_vector_gets_a_sentence() -> None:
    from fashion_assets.products.vectors import join_vectors

    titles = ("red dress", "blue shirt") * 10
    features = ProductFeatures(join_vectors([str(row) for row in range(20)], {}), titles, titles)
    with pytest.raises(UserError, match="lfda has no vector to map"):
        AttributeHead("kind", kind="logistic", embedding_transform="lfda").fit(features, ["a", "b"] * 10)


def test_predictions_are_a_long_table_and_a_wide_one(made: tuple[pd.DataFrame, ProductFeatures]) -> None:
    products, features = made
    heads = [
        AttributeHead(name, abstain_below=bar).fit(features, products["label_kind"])
        for name, bar in (("kind", 0.0), ("other", 1.1))
    ]
    found = predict_products(heads, features)
    assert list(found.columns) == PRODUCT_PREDICTIONS.names and len(found) == 720
    assert pa.Table.from_pandas(found, schema=PRODUCT_PREDICTIONS, preserve_index=False).num_rows == 720
    assert (found["label"][:360].to_numpy() == products["label_kind"].to_numpy()).mean() > 0.95
    wide = wide_predictions(found)
    names = [f"{name}{end}" for name in ("kind", "other") for end in ("", "_confidence", "_abstained")]
    assert list(wide.columns) == ["id", *names, "inputs"]
    assert wide["other_abstained"].all() and wide["kind"].tolist() == found["label"][:360].tolist()
    assert predict_products([], features).empty
