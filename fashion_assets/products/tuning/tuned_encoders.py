"""Tuned encoders on disk: saved as specs of the registry, and compared with the network that was trained."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fashion_assets.encoders import load_encoder
from fashion_assets.encoders.towers import NetworkEncoder
from fashion_assets.products.pictures import open_product_images
from fashion_assets.products.tuning.inputs import side_items
from fashion_assets.products.tuning.sides import Side
from fashion_assets.products.tuning.towers import LoadedSide
from fashion_assets.storage.errors import UserError

ENCODERS = "encoders"
#: A saved encoder whose rows turn further than this from the trained one's is not the same network.
LEAST_COSINE = 0.9999
#: Products that a saved encoder is compared on.
COMPARED = 8


def save_encoders(
    folder: Path, loaded: Sequence[LoadedSide], sides: Sequence[Side], products: pd.DataFrame, source: Path
) -> dict[str, str]:
    """Side -> spec of its encoder, tuned ones in ``folder/encoders``; one that two sides share is saved once."""
    learned = [one for one in loaded if one.tower is not None]
    specs = {one.name: one.spec for one in loaded if one.tower is None}
    for one in learned:
        names = [other.name for other in learned if other.network is one.network]
        place = folder / ENCODERS / ("joint" if len(names) > 1 else one.name)
        if one.name == names[0]:
            _save_encoder(one, place)
        specs[one.name] = f"{one.spec.partition(':')[0]}:{place}"
        side = sides[loaded.index(one)]
        _check_saved(specs[one.name], one.name, side, products, source)
    return specs


def _save_encoder(one: LoadedSide, place: Path) -> None:
    """Write the network beside its place and move it there whole."""
    if not isinstance(one.encoder, NetworkEncoder) or one.encoder.save is None:
        raise UserError(f"the {one.name} encoder {one.spec!r} cannot be saved")
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".saving-", dir=place.parent) as beside:
        made = Path(beside) / place.name
        made.mkdir()
        one.encoder.save(made)
        shutil.rmtree(place, ignore_errors=True)
        made.rename(place)


def _check_saved(spec: str, name: str, side: Side, products: pd.DataFrame, source: Path) -> None:
    """Load the saved encoder and compare its rows with those of the network that was trained."""
    import torch

    some = np.flatnonzero(side.has)[:COMPARED]
    with torch.no_grad():
        expected = side.rows(side.prepare(some, None)).cpu().numpy()
    with open_product_images(source) as images:
        content = side_items(products.iloc[some], images, name)
        rows = load_encoder(spec, device="cpu").encode(content.items)[content.rows]
    cosine = float((rows * expected).sum(axis=1).min())
    if cosine < LEAST_COSINE:
        raise UserError(
            f"{spec} does not give the rows of the network that was trained (smallest cosine {cosine:.5f}, expected "
            f"{LEAST_COSINE}); keep the folder and report it, the checkpoint beside it holds what was learned"
        )


def movable(spec: str, folder: Path) -> str:
    """The spec with a path below ``folder`` cut to ``./…``, so that an experiment may be moved."""
    return spec.replace(f":{folder}/", ":./", 1)


def in_place(spec: str, folder: Path) -> str:
    """The reverse of ``movable``, where the experiment lies now."""
    return spec.replace(":./", f":{folder}/", 1)
