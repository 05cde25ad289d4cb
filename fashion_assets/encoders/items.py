"""What a caller hands to ``encode``, as a plain list: any iterable of items, opened pictures as arrays.

Belongs here: the shape of the call. Does not: which kinds of items an encoder takes (each encoder says so).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from fashion_assets.encoders.pictures import PackedPicture, is_pillow_image, pixels_of_image
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.places import is_place


def item_list(items: Iterable[Any], model_id: str) -> list[Any]:
    """The items in order: of a list, tuple, array, pandas Series (whatever its index) or generator.

    Pillow images become uint8 arrays (h, w, 3 or 4). Raises UserError for a single item that is not in a
    list, which would otherwise be taken apart (a str into characters, a picture into rows), and for a table.
    """
    single = isinstance(items, str | bytes | PackedPicture) or is_place(items) or is_pillow_image(items)
    # A stack of pictures has four axes; with two or three an array is one picture.
    single = single or (isinstance(items, np.ndarray) and items.dtype == np.uint8 and items.ndim in (2, 3))
    if single or isinstance(items, Mapping) or hasattr(items, "columns") or not isinstance(items, Iterable):
        raise UserError(
            f"{model_id} encodes a list of items and was given one {type(items).__name__}; "
            "put a single item into a list, and take one column of a table"
        )
    return [pixels_of_image(item) if is_pillow_image(item) else item for item in items]
