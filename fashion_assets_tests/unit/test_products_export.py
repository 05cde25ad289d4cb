"""Heads as one ONNX file: the same probabilities and decisions for every kind of head and every kind of product."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

from fashion_assets.products import export
from fashion_assets.products.calibration import Temperature
from fashion_assets.products.classifiers import CLASSIFIERS
from fashion_assets.products.export import HeadsSession, export_heads
from fashion_assets.products.features import ProductFeatures
from fashion_assets.products.heads import AttributeHead, JointDecoder
from fashion_assets.products.heads.kernel import kernel_machines
from fashion_assets.products.heads.rows import RowClassifier
from fashion_assets.products.heads.sides import SideTemperatures
from fashion_assets.products.heads.space import FeatureSpace
from fashion_assets.products.heads.together import decide_together
from fashion_assets.products.logit_adjustment import LogitAdjustment
from fashion_assets.products.onnx_graph import GraphBuilder, Terms
from fashion_assets.products.vectors import join_vectors
from fashion_assets.storage.errors import UserError

pytest.importorskip("onnx", reason="the extra onnx is not installed")

WORDS = ("red", "blue", "linen", "cotton", "slim", "long")
KINDS = {
    "kernel": {},
    "logistic": {},
    "mlp": {"hidden": (8, 4), "epochs": 3},
    "lda": {},
    "knn": {"n_neighbors": 3},
    "catboost": {"iterations": 8, "depth": 3},
}


def products(
    n: int, seed: int, *, image: bool = True, shop: bool = True, words: bool = True
) -> tuple[ProductFeatures, np.ndarray]:
    """Products of three classes; a tenth each lack picture and words, and one lacks everything."""
    generator = np.random.default_rng(seed)
    codes = generator.integers(0, 3, n)
    vectors = {}
    for name, width, there in (("image", 9, image), ("shop", 4, shop)):
        rows = generator.normal(size=(n, width)) + 2 * np.eye(3, width)[codes]
        rows[generator.random(n) < 0.1] = 0
        rows[0] = 0
        vectors[name] = rows if there else None
    titles = []
    for code in codes:
        own = [("dress", "shirt", "shoe")[code]] if generator.random() < 0.6 else []
        titles.append(
            " ".join([*generator.choice(WORDS, 3), *own]) if words and generator.random() > 0.1 else ""
        )
    titles[0] = ""
    ids = [str(number) for number in range(n)]
    joined = join_vectors(ids, vectors, model_ids={"image": "i", "shop": "s"})
    names = np.array(["Dresses", "Shirts", "Shoes"], dtype=object)[codes]
    texts = tuple("warm" if words and number in (1, 2) else "" for number in range(n))
    return ProductFeatures(joined, tuple(titles), texts), names


def trained(kind: str, **sides: bool) -> AttributeHead:
    features, names = products(70, 0, **sides)
    head = AttributeHead(f"kind of {kind}", kind=kind, params=KINDS[kind]).fit(features, names)
    temperatures = SideTemperatures(Temperature(0.7), Temperature(1.6), Temperature(0.3))
    return head.calibrate(temperatures, LogitAdjustment(0.8, np.array([0.7, 0.2, 0.1])))


def check_equal(heads: list[AttributeHead], path: Path, features: ProductFeatures) -> None:
    session = HeadsSession(path, threads=1)
    found, decided = session.predict_proba(features), session.decide(features)
    for head in heads:
        np.testing.assert_allclose(found[head.attribute], head.predict_proba(features), atol=1e-5)
        assert decided[head.attribute].tolist() == head.predict(features).tolist()


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_of_head_and_batch(kind: str, tmp_path: Path) -> None:
    head = trained(kind)
    report = export_heads([head], tmp_path / "heads.onnx")
    assert report.largest_difference <= 1e-5
    assert report.megabytes == pytest.approx((tmp_path / "heads.onnx").stat().st_size / 1e6)
    for count in (1, 64):
        check_equal([head], tmp_path / "heads.onnx", products(count, 5)[0])


@pytest.mark.parametrize("kind", ["kernel", "logistic"])
@pytest.mark.parametrize(
    "sides",
    [{"image": False, "shop": False}, {"words": False}, {"words": False, "shop": False}, {"image": False}],
)
def test_models_of_one_side(kind: str, sides: dict[str, bool], tmp_path: Path) -> None:
    head = trained(kind, **sides)
    export_heads([head], tmp_path / "heads.onnx")
    check_equal([head], tmp_path / "heads.onnx", products(20, 5, **sides)[0])


@pytest.mark.parametrize("transform", ["lfda", "supcon"])
@pytest.mark.parametrize("kind", ["knn", "logistic"])
def test_heads_over_mapped_vectors(kind: str, transform: str, tmp_path: Path) -> None:
    if transform == "supcon":
        pytest.importorskip("pytorch_metric_learning")
    features, names = products(70, 0)
    head = AttributeHead("mapped", kind=kind, params=KINDS[kind], embedding_transform=transform)
    head.fit(features, names)
    assert export_heads([head], tmp_path / "heads.onnx").largest_difference <= 1e-5
    check_equal([head], tmp_path / "heads.onnx", products(30, 5)[0])


def test_pictures_of_several_encoders(tmp_path: Path) -> None:
    features, names = products(70, 0)
    joined = replace(features.vectors, parts={"image": (5, 4)})
    given = ProductFeatures(joined, features.titles, features.texts)
    head = AttributeHead("two encoders").fit(given, names)
    assert export_heads([head], tmp_path / "heads.onnx").largest_difference <= 1e-5
    check_equal([head], tmp_path / "heads.onnx", products(30, 5)[0])
    plain = AttributeHead("one encoder").fit(features, names)
    seen = products(30, 5)[0]
    assert np.abs(plain.predict_proba(seen) - head.predict_proba(seen)).max() > 0.01


def test_the_joint_decoder_is_in_the_file(tmp_path: Path) -> None:
    features, names = products(70, 0, words=False)
    wrong = np.random.default_rng(1).permutation(names)
    heads = [AttributeHead(name).fit(features, labels) for name, labels in (("one", names), ("two", wrong))]
    heads[1].calibrate(SideTemperatures(), LogitAdjustment(0.8, np.array([0.7, 0.2, 0.1])))
    heads.append(AttributeHead("constant").fit(features, ["same"] * 70))
    told = {head.attribute: head.moved(head.predict_proba(features)) for head in heads[:2]}
    classes = {name: ["Dresses", "Shirts", "Shoes"] for name in told}
    # "two" always goes with "one", which the first head knows and the second does not.
    pairs = dict.fromkeys(told, names)
    decoder = JointDecoder().fit(pairs, classes, told, pairs)
    assert decoder.strength_ > 0
    report = export_heads(heads, tmp_path / "heads.onnx", decoder)
    assert report.together and report.largest_difference <= 1e-4
    session = HeadsSession(tmp_path / "heads.onnx", threads=1)
    seen = products(40, 5, words=False)[0]
    found, alone = session.decide(seen), session.decide(seen, alone=True)
    for name, (labels, _, _) in decide_together(heads, decoder, seen).items():
        assert found[name].tolist() == labels.tolist()
    for head in heads:
        assert alone[head.attribute].tolist() == head.predict(seen).tolist()
    assert (found["two"] != alone["two"]).any() and session.together
    with pytest.raises(UserError, match="the joint decoder knows one, two"):
        export_heads(heads[:1], tmp_path / "other.onnx", decoder)


def test_heads_of_one_model_share_what_they_compare(tmp_path: Path) -> None:
    features, names = products(70, 0)
    first = AttributeHead("one").fit(features, names)
    # As a training does it: one space, and each attribute has the products with its label, one of them twice.
    rows = np.append(np.arange(60), 59)
    assert first.space_ is not None
    signals = first.space_.transform(features.take(rows))
    second = AttributeHead("two")
    codes = second.set_classes(names[::-1][rows])
    machine = kernel_machines(signals, {"two": codes}, {"two": 3})["two"]
    made = [first, second.adopt(first.model_id, first.space_, machine)]
    alone = export_heads(made[:1], tmp_path / "one.onnx")
    both = export_heads(made, tmp_path / "both.onnx")
    assert both.nodes < alone.nodes + 30
    assert both.megabytes < 1.2 * alone.megabytes
    assert both.attributes == ("one", "two")
    assert both.summary()["path"] == str(tmp_path / "both.onnx")
    check_equal(made, tmp_path / "both.onnx", products(9, 3)[0])


def test_a_constant_head_and_a_saved_one(tmp_path: Path) -> None:
    features, names = products(70, 0)
    constant = AttributeHead("constant").fit(features, ["same"] * 70)
    AttributeHead("saved", kind="logistic").fit(features, names).save(tmp_path / "head")
    heads = [constant, AttributeHead.load(tmp_path / "head")]
    export_heads(heads, tmp_path / "heads.onnx")
    check_equal(heads, tmp_path / "heads.onnx", features)
    with pytest.raises(UserError, match="0 heads that learnt something"):
        export_heads([constant], tmp_path / "heads.onnx")


@pytest.mark.parametrize("kind", ["logistic", "lda"])
def test_a_class_that_a_draw_of_very_many_products_left_out(kind: str, tmp_path: Path) -> None:
    features, names = products(70, 0)
    head = AttributeHead("thinned", kind=kind)
    codes = head.set_classes(names)
    drawn = np.flatnonzero(codes != 1)
    space = FeatureSpace().fit(features.take(drawn))
    machine = RowClassifier.fit(kind, space.transform(features.take(drawn)), codes[drawn], seed=7)
    head.adopt(features.vectors.model_id, space, machine)
    head.calibrate(SideTemperatures(), LogitAdjustment(0.8, np.array([0.7, 0.2, 0.1])))
    export_heads([head], tmp_path / "heads.onnx")
    assert head.predict_proba(features).shape == (70, 3)
    check_equal([head], tmp_path / "heads.onnx", products(30, 5)[0])


def test_what_does_not_fit_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = trained("lda")
    other, names = products(70, 1)
    with pytest.raises(UserError, match="different n-grams"):
        export_heads(
            [head, AttributeHead("b", kind="lda").fit(other.take(np.arange(40)), names[:40])], tmp_path / "h"
        )
    export_heads([head], tmp_path / "heads.onnx")
    foreign = join_vectors(["1"], {"image": np.ones((1, 9))}, model_ids={"image": "another"})
    with pytest.raises(UserError, match="these are of 'image=another'"):
        HeadsSession(tmp_path / "heads.onnx").inputs(ProductFeatures(foreign, ("a",), ("",)))
    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    with pytest.raises(UserError, match="nothing was written"):
        export_heads([head], tmp_path / "worse.onnx")
    assert not (tmp_path / "worse.onnx").exists()
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UserError, match=r"pip install 'fashion-assets\[onnx\]'"):
        export_heads([head], tmp_path / "worse.onnx")


@pytest.mark.parametrize("density", [0.0, 0.2, 0.9])
def test_sparse_products_are_scipys(density: float) -> None:
    import onnxruntime

    generator = np.random.default_rng(0)
    rows = scipy.sparse.random(7, 12, density, "csr", np.float32, generator)
    matrix = scipy.sparse.random(5, 12, 0.4, "csr", np.float32, generator)
    # terms that no row of the matrix has, the first and the last among them
    matrix = scipy.sparse.csr_matrix(matrix.multiply((np.arange(12) % 11 > 0)[None]))
    dense = generator.normal(size=(12, 3)).astype(np.float32)
    graph = GraphBuilder()
    graph.input("n", ["n"], np.int64)
    entries = Terms(
        graph.input("item", ["e"], np.int64),
        graph.input("term", ["e"], np.int64),
        graph.input("value", ["e"]),
    )
    graph.output("sparse", graph.terms_times_sparse(entries, "n", matrix), ["n", 5])
    graph.output("dense", graph.terms_times_dense(entries, "n", dense), ["n", 3])
    session = onnxruntime.InferenceSession(
        graph.model({}).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    coo = rows.tocoo()
    feed = {
        "n": np.arange(7),
        "item": coo.row.astype(np.int64),
        "term": coo.col.astype(np.int64),
        "value": coo.data,
    }
    sparse, full = session.run(None, feed)
    np.testing.assert_allclose(sparse, (rows @ matrix.T).toarray(), atol=1e-6)
    np.testing.assert_allclose(full, rows @ dense, atol=1e-6)


def test_every_kind_can_be_exported() -> None:
    assert set(KINDS) == {"kernel", *CLASSIFIERS}
