"""Training of one head: kinds chosen on validation, judged on test, fitted on all."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fashion_assets.products.features import ProductFeatures
from fashion_assets.products.heads import AttributeHead, HeadConfig
from fashion_assets.products.heads.config import Candidate
from fashion_assets.products.heads.together import fit_together
from fashion_assets.products.training import TrainedHead, train_attribute
from fashion_assets.storage.errors import UserError
from fashion_assets_tests.unit.products_made import made_products, made_split

N = 360


@pytest.fixture(scope="module")
def made() -> tuple[pd.DataFrame, ProductFeatures]:
    return made_products(N)


@pytest.fixture(scope="module")
def trained(made: tuple[pd.DataFrame, ProductFeatures]) -> TrainedHead:
    config = HeadConfig(kinds=("kernel", "lda"))
    return train_attribute("season", *made, made_split(N), config=config)


def test_the_kind_of_the_best_validation_macro_f1_is_taken(trained: TrainedHead) -> None:
    table = trained.candidates
    assert table["kind"].tolist() == ["kernel", "lda"] and table["chosen"].sum() == 1
    best = table.sort_values("macro_f1", ascending=False, kind="stable").iloc[0]
    assert trained.kind == trained.head.kind == table.loc[table["chosen"], "kind"].item() == best["kind"]


def test_figures_are_of_test_products_and_the_head_knows_all(
    trained: TrainedHead, made: tuple[pd.DataFrame, ProductFeatures]
) -> None:
    tested = [f"p{row}" for row in np.flatnonzero(made_split(N) == "test")]
    assert trained.test["id"].tolist() == tested and trained.metrics is not None
    assert trained.metrics.accuracy.value == pytest.approx(
        (trained.test["truth"] == trained.test["predicted"]).mean()
    )
    assert trained.metrics.accuracy.value > 0.8 and trained.n_train == N
    assert trained.splits["split"].tolist() == ["rows", "families"]
    assert trained.test_probabilities.shape == (len(tested), 2)
    assert [f"p{row}" for row in trained.test_rows] == tested
    assert (
        trained.calibration_before["count"].sum() == trained.calibration_after["count"].sum() == len(tested)
    )
    assert (trained.head.predict(made[1]) == made[0]["label_season"].to_numpy()).mean() > 0.9


@pytest.mark.parametrize("kind", ["kernel", "logistic", "lda"])
def test_the_learning_curve_of_every_kind_rises(
    kind: str, made: tuple[pd.DataFrame, ProductFeatures]
) -> None:
    found = train_attribute("season", *made, made_split(N), config=HeadConfig(kinds=(kind,)))
    curve = found.learning_curve
    assert len(curve) == 5 and curve["macro_f1"].iloc[-1] == pytest.approx(
        found.candidates["macro_f1"].item()
    )
    assert curve["n_train"].is_monotonic_increasing and curve["n_train"].iloc[-1] == 216
    assert curve["macro_f1"].iloc[-1] > curve["macro_f1"].iloc[0]


def test_test_labels_change_nothing_but_the_final_fit(made: tuple[pd.DataFrame, ProductFeatures]) -> None:
    products, features = made
    split = made_split(N)
    config = HeadConfig(kinds=("kernel",))
    plain = train_attribute("season", products, features, split, config=config)
    turned = products.copy()
    turned.loc[split == "test", "label_season"] = "Winter"
    other = train_attribute("season", turned, features, split, config=config)
    assert plain.test_probabilities == pytest.approx(other.test_probabilities, abs=1e-6)
    assert plain.head.temperatures_.values() == pytest.approx(other.head.temperatures_.values(), rel=1e-6)


def test_work_that_needs_no_labels_is_shared_between_attributes(
    made: tuple[pd.DataFrame, ProductFeatures],
) -> None:
    products, features = made[0], ProductFeatures(made[1].vectors, made[1].titles, made[1].texts)
    config = HeadConfig(kinds=("kernel",))
    train_attribute("season", products, features, made_split(N), config=config)
    before = {key: id(value) for key, value in features.shared.items()}
    found = train_attribute("kind", products, features, made_split(N), config=config)
    assert before and {key: id(value) for key, value in features.shared.items()} == before
    alone = train_attribute("kind", *made_products(N), made_split(N), config=config)
    assert found.test_probabilities == pytest.approx(alone.test_probabilities, abs=1e-6)


def test_search_and_resampling_are_reported(made: tuple[pd.DataFrame, ProductFeatures]) -> None:
    config = HeadConfig(kinds=("lda", "logistic", "kernel"), n_trials=3, resampling="auto")
    found = train_attribute("season", *made, made_split(N), config=config)
    assert found.search.groupby("kind")["trial"].max().to_dict() == {"lda": 3, "logistic": 3}
    assert found.imbalance.groupby("kind")["chosen"].sum().to_dict() == {"lda": 1, "logistic": 1, "kernel": 1}
    assert found.head.params is not None
    assert set(found.imbalance["method"]) == {"", "repeat", "smote"}


@pytest.mark.parametrize("kind", ["kernel", "logistic", "knn"])
def test_an_attribute_of_which_the_stored_training_part_knows_too_little(
    kind: str, made: tuple[pd.DataFrame, ProductFeatures]
) -> None:
    split, config = made_split(N), HeadConfig(kinds=(kind,))
    tested = split == "test"
    one = made[0]["label_season"].where(tested, "Winter")
    found = train_attribute("season", made[0].assign(label_season=one), made[1], split, config=config)
    assert found.head.classes_.tolist() == ["Summer", "Winter"]
    assert "1 of its 2 classes among the training products" in found.head.note_
    assert set(found.test["predicted"]) == {"Winter"}
    assert set(found.head.predict(made[1])) == {"Summer", "Winter"}
    none = made[0]["label_season"].where(tested)
    found = train_attribute("season", made[0].assign(label_season=none), made[1], split, config=config)
    assert "0 labelled validation products" in found.head.note_
    assert found.test_probabilities == pytest.approx(0.5)


def rare(made: tuple[pd.DataFrame, ProductFeatures]) -> pd.DataFrame:
    """The products with a class of few, told by picture and title as it is."""
    products = made[0].copy()
    products.loc[(products["label_kind"] == "shoes") & (np.arange(N) % 6 > 0), "label_kind"] = None
    return products


def test_the_kernel_machine_compares_class_weights_and_takes_what_wins(
    made: tuple[pd.DataFrame, ProductFeatures],
) -> None:
    config = HeadConfig(kinds=("kernel",), resampling="auto")
    found = train_attribute("kind", rare(made), made[1], made_split(N), config=config)
    table = found.imbalance
    assert set(table["class_weight_power"]) == {0.0, 0.5, 1.0} and set(table["way"]) == {"weights"}
    best = table.loc[table["chosen"]].iloc[0]
    assert best["macro_f1"] == table["macro_f1"].max()
    power = best["class_weight_power"]
    assert found.head.params == ({"class_weight_power": power} if power else {})
    plain = train_attribute("kind", rare(made), made[1], made_split(N), config=HeadConfig(kinds=("kernel",)))
    unsure = made_products(200, seed=2, noise=3.0)[1]
    seen = ProductFeatures(unsure.vectors, ("",) * 200, ("",) * 200)
    given = AttributeHead("kind", params={"class_weight_power": 1.0}).fit(made[1], rare(made)["label_kind"])
    # Louder where the class is rare, and the same as without where nothing won.
    column = given.classes_.tolist().index("shoes")
    alone = AttributeHead("kind").fit(made[1], rare(made)["label_kind"]).predict_proba(seen)
    assert given.predict_proba(seen)[:, column].sum() > alone[:, column].sum() * 1.05
    if not power:
        assert found.head.predict_proba(seen) == pytest.approx(plain.head.predict_proba(seen), abs=1e-6)


def test_embedding_transforms_are_candidates_like_kinds(made: tuple[pd.DataFrame, ProductFeatures]) -> None:
    config = HeadConfig(kinds=("kernel", "knn"), embedding_transforms=("none", "lfda"))
    assert config.candidates == (Candidate("kernel"), Candidate("knn"), Candidate("knn", "lfda"))
    found = train_attribute("season", *made, made_split(N), config=config)
    table = found.candidates.set_index(["kind", "embedding_transform"])
    assert list(table.index) == [("kernel", "none"), ("knn", "none"), ("knn", "lfda")]
    # Season shows in the picture only: neighbours by angle lose it among the words, and LFDA finds it again.
    scores = table["macro_f1"]
    assert scores["knn", "lfda"] > scores["knn", "none"] + 0.1
    chosen = table.index[table["chosen"]]
    assert chosen.tolist() == [(found.kind, found.head.embedding_transform)] == [scores.idxmax()]


def test_a_map_is_learnt_from_training_products_alone(made: tuple[pd.DataFrame, ProductFeatures]) -> None:
    config = HeadConfig(kinds=("logistic",), embedding_transforms=("lfda",))
    split = made_split(N)
    turned = made[0].copy()
    turned.loc[split == "test", "label_season"] = "Winter"
    found, other = (
        train_attribute("season", one, made[1], split, config=config) for one in (made[0], turned)
    )
    assert np.array_equal(found.validation_probabilities, other.validation_probabilities)
    assert np.array_equal(found.test_probabilities, other.test_probabilities)
    assert found.metrics is not None and found.metrics.accuracy.value > 0.75


def test_one_class_is_a_constant_head_that_says_so(made: tuple[pd.DataFrame, ProductFeatures]) -> None:
    products = made[0].assign(label_shop="Alba")
    found = train_attribute("shop", products, made[1], made_split(N))
    assert "nothing was learnt" in found.head.note_ and set(found.test["predicted"]) == {"Alba"}
    assert found.head.decide(made[1])[1].tolist() == [1.0] * N


def test_a_class_that_only_test_products_have_is_wrong_and_counted(
    made: tuple[pd.DataFrame, ProductFeatures],
) -> None:
    products = made[0].copy()
    rare = np.flatnonzero(made_split(N) == "test")[:3]
    products.loc[rare, "label_kind"] = "hat"
    for kinds in (("kernel",), ("logistic",)):
        found = train_attribute("kind", products, made[1], made_split(N), config=HeadConfig(kinds=kinds))
        assert found.metrics is not None
        row = found.metrics.per_class.set_index("label").loc["hat"]
        assert row["support"] == 3 and row["recall"] == 0 and "hat" in found.head.classes_


def test_without_validation_products_the_first_kind_is_taken_and_said(
    made: tuple[pd.DataFrame, ProductFeatures],
) -> None:
    split = np.where(made_split(N) == "test", "test", "train").astype(object)
    found = train_attribute("season", *made, split)
    assert found.kind == "kernel" and "too few to choose" in found.head.note_
    none = train_attribute("season", *made, np.full(N, "train", dtype=object))
    assert none.metrics is None and none.test.empty


@pytest.mark.parametrize("kinds", [("kernel",), ("logistic", "kernel")])
def test_a_shop_with_too_few_validation_products_is_trained_and_decided_together(
    kinds: tuple[str, ...],
) -> None:
    products, features = made_products(45)
    split, config = made_split(45), HeadConfig(kinds=kinds)
    trained = {
        name: train_attribute(name, products, features, split, config=config) for name in ("kind", "season")
    }
    for one in trained.values():
        assert one.kind == kinds[0] and "9 labelled validation products" in one.head.note_
        assert len(one.validation_probabilities) == len(one.validation_rows) == 0
        assert len(one.test) == 9 and one.n_train == 45
    assert fit_together(trained, products, split) is None


def test_products_without_any_text_are_trained_and_predicted_by_their_pictures() -> None:
    products, features = made_products(N, noise=0.3)
    blank = ("",) * N
    pictures = ProductFeatures(features.vectors, blank, blank)
    found = train_attribute("season", products.assign(title="", text=""), pictures, made_split(N))
    assert found.metrics is not None and found.metrics.accuracy.value > 0.9
    # A head of products with both sides says the same of a picture alone as one that never saw a text.
    config = HeadConfig(kinds=("kernel",))
    both = train_attribute("season", products, features, made_split(N), config=config).head
    alone = train_attribute("season", products, pictures, made_split(N), config=config).head
    assert both.machine_ is not None and both.space_ is not None and alone.space_ is not None
    assert alone.machine_ is not None
    assert both.machine_.predict_proba(both.space_.transform(pictures)) == pytest.approx(
        alone.machine_.predict_proba(alone.space_.transform(pictures)), abs=1e-4
    )


def test_misuse_gets_a_sentence(made: tuple[pd.DataFrame, ProductFeatures]) -> None:
    products, features = made
    with pytest.raises(UserError, match=r"no label column 'colour'; they have kind, season"):
        train_attribute("colour", products, features, made_split(N))
    with pytest.raises(UserError, match="360 products, 360 features and 2 rows of the split"):
        train_attribute("kind", products, features, made_split(2))
    with pytest.raises(UserError, match="is empty for all 360 products"):
        train_attribute("blank", products.assign(label_blank=None), features, made_split(N))


@pytest.mark.parametrize("kind", ["kernel", "logistic"])
def test_of_very_many_products_a_part_is_learned_from_and_said_so(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A class that the draw leaves out keeps its column, and no label shifts."""
    from fashion_assets.products.heads import kernel

    monkeypatch.setattr(kernel, "MAX_PRODUCTS", 150)
    products, features = made_products(360)
    split = made_split(360)
    drawn = set(kernel.thinned(np.arange(360), 7).tolist())
    lost = next(row for row in np.flatnonzero(split == "train") if row not in drawn)
    products = products.copy()
    products.loc[lost, "label_kind"] = "aaa"
    trained = train_attribute("kind", products, features, split, config=HeadConfig(kinds=(kind,)))
    assert trained.n_train == 150 and "150 of the 360 products" in trained.head.note_
    assert "aaa" in trained.head.classes_
    right = trained.head.predict(features) == products["label_kind"]
    assert right.mean() > 0.9


def test_the_number_of_threads_changes_no_digit(made: tuple[pd.DataFrame, ProductFeatures]) -> None:
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    products, features = made
    found = []
    for threads in (1, 2):
        # What is done once per features object is done anew.
        own = features.take(np.arange(len(features)))
        with threadpool_limits(limits=threads):
            trained = train_attribute(
                "season", products, own, made_split(N), config=HeadConfig(kinds=("kernel",))
            )
            found.append((trained.test_probabilities.tobytes(), trained.head.predict_proba(own).tobytes()))
    assert found[0] == found[1]
