"""Products with one side only: judged by the machine that will answer for them, and calibrated by its answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fashion_assets.products.calibration import Temperature
from fashion_assets.products.features import ProductFeatures
from fashion_assets.products.heads import AttributeHead, HeadConfig
from fashion_assets.products.heads.config import Candidate
from fashion_assets.products.heads.kernel import KernelMachine, kernel_machines
from fashion_assets.products.heads.least_squares import class_ridge
from fashion_assets.products.heads.sides import SideTemperatures, shown_sides
from fashion_assets.products.heads.space import FeatureSpace
from fashion_assets.products.heads.unseen import Unseen
from fashion_assets.products.labels import label_codes
from fashion_assets.products.reliability import expected_calibration_error, reliability
from fashion_assets.products.training import train_attribute
from fashion_assets_tests.unit.products_made import made_products, made_split

N = 600


def shop(
    pictures_only: np.ndarray, texts_only: np.ndarray, *, noise: float = 2.0
) -> tuple[pd.DataFrame, ProductFeatures]:
    """Made products of which some have no title, others no picture."""
    products, features = made_products(N, noise=noise)
    matrix = features.vectors.matrix.copy()
    matrix[texts_only] = 0
    titles = tuple("" if gone else title for title, gone in zip(features.titles, pictures_only, strict=True))
    return products, ProductFeatures(replace(features.vectors, matrix=matrix), titles, titles)


KERNEL = Candidate("kernel")
EVERY, NONE = np.ones(N, bool), np.zeros(N, bool)
DRAWN = np.random.default_rng(5).integers(0, 4, N)
SHOPS = {"pictures only": (EVERY, NONE), "texts only": (NONE, EVERY), "mixed": (DRAWN == 1, DRAWN == 2)}


@pytest.mark.parametrize("name", SHOPS)
@pytest.mark.parametrize("second", [False, True])
def test_held_out_products_are_judged_as_a_head_of_the_known_ones_would(name: str, second: bool) -> None:
    products, features = shop(*SHOPS[name])
    codes = label_codes(products["label_kind"])[1]
    codes[::17] = -1
    products = products.assign(label_kind=np.where(codes < 0, None, products["label_kind"]))
    unseen = Unseen("kind", codes, 3, features, made_split(N), HeadConfig(), products)
    known = np.arange(unseen.bench.starts[int(second)])
    machine = kernel_machines(unseen.bench.signals.take(known), {"kind": unseen.codes[known]}, {"kind": 3})
    rows = unseen.test if second else unseen.validation
    expected = machine["kind"].predict_proba(unseen.bench.signals.take(rows))
    np.testing.assert_allclose(unseen.after(KERNEL, second=second), expected, atol=2e-4)
    if name == "mixed":
        assert set(unseen.shown[rows]) == {"both", "image", "text"}
        part, said = unseen.alone(KERNEL, "image") or pytest.fail("there is a machine of pictures")
        judged = np.flatnonzero(np.isin(part, unseen.validation))
        seen = unseen.bench.signals.take(part[judged]).only("image")
        known = np.arange(unseen.bench.starts[0])
        first = kernel_machines(unseen.bench.signals.take(known), {"kind": unseen.codes[known]}, {"kind": 3})
        np.testing.assert_allclose(said[judged], first["kind"].predict_proba(seen), atol=2e-4)
    else:
        assert unseen.alone(KERNEL, "image") is None and unseen.alone(KERNEL, "text") is None


def mixed(power: float = 0.0) -> Unseen:
    products, features = shop(*SHOPS["mixed"])
    codes = label_codes(products["label_kind"])[1]
    # A rare class, so that weights matter.
    codes[(codes == 2) & (np.arange(N) % 5 > 0)] = 0
    codes[::17] = -1
    products = products.assign(label_kind=[None if code < 0 else f"class {code}" for code in codes])
    unseen = Unseen("kind", codes, 3, features, made_split(N), HeadConfig(), products)
    unseen.weigh(power)
    return unseen


def machine_of(unseen: Unseen, known: np.ndarray, power: float) -> KernelMachine:
    """A machine of the products ``known`` alone, with weights after the classes of all training products."""
    own = unseen.codes[known]
    ridge = class_ridge(unseen.codes, 3, power, slice(unseen.bench.starts[0]))[known]
    return kernel_machines(unseen.bench.signals.take(known), {"kind": own}, {"kind": 3}, ridge)["kind"]


@pytest.mark.parametrize("power", [0.0, 0.5])
def test_random_split_and_learning_curve_judge_one_sided_products_by_the_machine_of_their_side(
    power: float,
) -> None:
    unseen = mixed(power)
    signals, first = unseen.bench.signals, unseen.bench.starts[0]
    rows, others, said = unseen.left_out(KERNEL)
    assert set(unseen.shown[rows]) == {"both", "image", "text"}
    expected = machine_of(unseen, others, power).predict_proba(signals.take(rows))
    np.testing.assert_allclose(said, expected, atol=2e-4)
    curve = unseen.learning_curve(KERNEL)
    assert [count for count, _ in curve] == [
        int((unseen.train < at).sum()) for at in unseen.bench.curve_counts
    ]
    for (_, chances), at in zip(curve, unseen.bench.curve_counts, strict=True):
        machine = machine_of(unseen, np.arange(at), power)
        expected = machine.predict_proba(signals.take(unseen.validation))
        np.testing.assert_allclose(chances, expected, atol=2e-4)
    assert (
        np.array_equal(curve[-1][1], unseen.after(KERNEL, second=False))
        and unseen.bench.curve_counts[-1] == first
    )


@pytest.mark.parametrize("kind", ["kernel", "logistic"])
def test_a_shop_of_pictures_alone_is_calibrated_by_them(kind: str) -> None:
    trained = train_attribute("kind", *shop(EVERY, NONE), made_split(N), config=HeadConfig(kinds=(kind,)))
    before, after = map(expected_calibration_error, (trained.calibration_before, trained.calibration_after))
    assert after <= before
    assert trained.head.temperatures_.image.value != 1.0


@pytest.mark.parametrize("learnt", ["pictures", "texts"])
def test_a_product_with_nothing_but_the_side_that_was_never_there_is_abstained(learnt: str) -> None:
    # Nine of ten are of one class, so the class shares alone would pass for sure.
    labels = np.where(np.arange(N) % 10 > 0, "usual", "rare")
    pictures, texts = (shop(EVERY, NONE)[1], shop(NONE, EVERY)[1])
    known, other = (pictures, texts) if learnt == "pictures" else (texts, pictures)
    head = AttributeHead("kind").fit(known, labels)
    _, confidence, abstained = head.decide(other)
    assert abstained.all() and (confidence > head.abstain_below).all()
    assert not head.decide(known)[2].all()


@pytest.mark.parametrize("kind", ["kernel", "logistic"])
def test_each_side_has_its_own_temperature(kind: str, tmp_path: Path) -> None:
    config = HeadConfig(kinds=(kind,))
    head = train_attribute("kind", *shop(NONE, NONE), made_split(N), config=config).head
    values = head.temperatures_.values()
    assert values["image"] != values["both"]
    products, features = made_products(N, seed=1, noise=2.0)
    seen = ProductFeatures(features.vectors, ("",) * N, ("",) * N)
    truth = products["label_kind"].to_numpy()

    def error(temperature: Temperature) -> float:
        moved = AttributeHead.load(tmp_path).calibrate(SideTemperatures(image=temperature), None)
        labels, confidence, _ = moved.decide(seen)
        return expected_calibration_error(reliability(np.minimum(confidence, 1.0), labels == truth))

    head.save(tmp_path)
    assert AttributeHead.load(tmp_path).temperatures_ == head.temperatures_
    assert error(head.temperatures_.image) < error(head.temperatures_.both)


def test_a_row_is_scaled_by_what_its_product_shows() -> None:
    features = shop(DRAWN == 1, (DRAWN == 2) | (DRAWN == 1))[1]
    signals = FeatureSpace().fit(features).transform(features)
    shown = shown_sides(signals)
    # Those with neither side count as the whole ones.
    assert (shown == np.where(DRAWN == 2, "text", "both")).all()
    chances = np.tile([0.6, 0.4], (3, 1))
    scaled = SideTemperatures(Temperature(1.0), Temperature(0.5), Temperature(2.0)).apply(
        chances, np.array(["both", "image", "text"])
    )
    odds = scaled[:, 0] / scaled[:, 1]
    assert odds == pytest.approx([1.5, 1.5**2, 1.5**0.5])
