"""Labels of clothes-parsing networks, by name."""

from __future__ import annotations

import pytest

from fashion_assets.media.clothes_labels import classes_of_labels, shows_body
from fashion_assets.media.segmentation import BACKGROUND, GARMENT, PERSON
from fashion_assets.storage.errors import UserError

#: The labels of mattmdjaga/segformer_b2_clothes, as on its card.
ATR = [
    *("Background", "Hat", "Hair", "Sunglasses", "Upper-clothes", "Skirt", "Pants", "Dress", "Belt"),
    *("Left-shoe", "Right-shoe", "Face", "Left-leg", "Right-leg", "Left-arm", "Right-arm", "Bag", "Scarf"),
]
#: The first labels of sayeed99/segformer-b3-fashion, which has Fashionpedia's.
FASHIONPEDIA = [
    "Everything Else",
    "shirt, blouse",
    "top, t-shirt, sweatshirt",
    "cardigan",
    "glasses",
    "hat",
    "headband, head covering, hair accessory",
    "leg warmer",
    "tights, stockings",
    "bag, wallet",
    "hood",
]


def test_the_labels_of_the_clothes_checkpoint() -> None:
    classes = dict(zip(ATR, classes_of_labels(dict(enumerate(ATR))), strict=True))
    assert [name for name, value in classes.items() if value == BACKGROUND] == ["Background"]
    assert {name for name, value in classes.items() if value == GARMENT} == {
        "Upper-clothes",
        "Skirt",
        "Pants",
        "Dress",
        "Belt",
        "Scarf",
    }
    assert shows_body(dict(enumerate(ATR)))


def test_other_orders_and_other_sets() -> None:
    turned = dict(enumerate(reversed(ATR)))
    assert classes_of_labels(turned).tolist() == classes_of_labels(dict(enumerate(ATR))).tolist()[::-1]
    b, g, p = BACKGROUND, GARMENT, PERSON
    assert classes_of_labels(dict(enumerate(FASHIONPEDIA))).tolist() == [b, g, g, g, p, p, p, g, g, p, p]
    assert not shows_body(dict(enumerate(FASHIONPEDIA)))
    lip = ["background", "Glove", "UpperClothes", "Socks", "Jumpsuits", "left_shoe", "torso-skin"]
    with pytest.raises(UserError, match="labels 'UpperClothes' are not known"):
        classes_of_labels(dict(enumerate(lip)))
    lip[2] = "upper clothes"
    assert classes_of_labels(dict(enumerate(lip))).tolist() == [b, p, g, g, g, p, p]


def test_labels_of_another_kind_are_refused() -> None:
    with pytest.raises(UserError, match="'LABEL_0', 'LABEL_1' are not known"):
        classes_of_labels({0: "LABEL_0", 1: "LABEL_1"})
    with pytest.raises(UserError, match=r"'wall'.* and more are not known"):
        classes_of_labels(dict(enumerate(["wall", *"abcdefghij"])))
    with pytest.raises(UserError, match="none of its labels 'background', 'face' is a garment"):
        classes_of_labels({0: "background", 1: "face"})
    with pytest.raises(UserError, match=r"numbered \[0, 2\]; expected 0 to 1"):
        classes_of_labels({0: "background", 2: "dress"})
