"""What the labels of a clothes-parsing network mean here: background, garment or person, told by their names.

By name, because checkpoints number their labels as they like. Covered are the label sets of ATR (18, that of
``mattmdjaga/segformer_b2_clothes``), LIP (20), and Fashionpedia as in ``sayeed99/segformer-b3-fashion`` (47).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from fashion_assets.media.segmentation import BACKGROUND, GARMENT, PERSON
from fashion_assets.storage.errors import UserError


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split(","))


_BACKGROUND_NAMES: Final = _names("background,everything else,unlabeled,unlabelled,other")
#: What is worn on the body, and the parts and trimmings of it.
_GARMENT_NAMES: Final = _names(
    "upper clothes,upper cloth,lower clothes,clothes,clothing,shirt,blouse,top,t shirt,sweatshirt,sweater,cardigan,"
    "jacket,vest,coat,cape,robe,dress,jumpsuit,skirt,pants,trousers,jeans,shorts,underwear,swimwear,belt,scarf,tie,"
    "sock,stocking,tights,leg warmer,"
    "collar,lapel,epaulette,sleeve,pocket,neckline,buckle,zipper,applique,bead,bow,flower,fringe,ribbon,rivet,ruffle,"
    "sequin,tassel"
)
_BODY_NAMES: Final = _names("hair,face,skin,neck,head,arm,leg,hand,foot,torso skin,body,person,human")
#: What is carried, or worn on head, hands and feet; a hood frames the face.
_ACCESSORY_NAMES: Final = _names(
    "hat,cap,hood,headband,glasses,sunglasses,sunglass,earring,necklace,jewelry,glove,watch,shoe,boot,bag,wallet,"
    "umbrella"
)


def classes_of_labels(id2label: Mapping[int, str]) -> npt.NDArray[np.uint8]:
    """(n,) uint8: BACKGROUND, GARMENT or PERSON of the labels 0 to n - 1.

    Case, ``-`` and ``_``, left and right, a plural s, and further names behind a comma do not matter. Raises
    UserError for labels of unknown meaning, and for a set without any garment.
    """
    classes = {index: _class_of(label) for index, label in id2label.items()}
    unknown = [label for index, label in sorted(id2label.items()) if classes[index] is None]
    if unknown:
        raise UserError(
            f"its labels {', '.join(map(repr, unknown[:8]))}{' and more' if len(unknown) > 8 else ''} are not known "
            "here; expected the labels of a clothes-parsing network (ATR, LIP, Fashionpedia), such as Upper-clothes, "
            "Skirt, Face, Background; if they mean such things, name them so in id2label of its config.json"
        )
    if GARMENT not in classes.values():
        raise UserError(
            f"none of its labels {', '.join(map(repr, id2label.values()))} is a garment; expected a clothes-parsing "
            "network"
        )
    if sorted(classes) != list(range(len(classes))):
        raise UserError(f"its labels are numbered {sorted(classes)}; expected 0 to {len(classes) - 1}")
    return np.array([classes[index] for index in sorted(classes)], dtype=np.uint8)


def shows_body(id2label: Mapping[int, str]) -> bool:
    """Whether a label stands for a part of the body, so that the network finds persons and not clothes alone."""
    return any(not _spellings(label).isdisjoint(_BODY_NAMES) for label in id2label.values())


def _class_of(label: str) -> int | None:
    spellings = _spellings(label)
    for names, value in (
        (_BACKGROUND_NAMES, BACKGROUND),
        (_GARMENT_NAMES, GARMENT),
        (_BODY_NAMES | _ACCESSORY_NAMES, PERSON),
    ):
        if not spellings.isdisjoint(names):
            return value
    return None


def _spellings(label: str) -> set[str]:
    """The label's first name in plain small letters, with and without a plural s."""
    words = label.lower().partition(",")[0].replace("-", " ").replace("_", " ").split()
    if words[:1] in (["left"], ["right"]):
        words = words[1:]
    name = " ".join(words)
    return {name, name.removesuffix("s")}
