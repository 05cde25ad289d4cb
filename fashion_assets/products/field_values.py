"""Every field of the product cards as a column of text: the named ones, the shop's own, and the characteristics."""

from __future__ import annotations

import json
from collections import Counter

import pandas as pd

from fashion_assets.products.text import text_language

#: Not on the cards, but told from them.
DERIVED_FIELDS = ("text language", "picture size")


def field_values(products: pd.DataFrame, max_fields: int) -> dict[str, pd.Series[str]]:
    """Field -> its values (n,), None where a card has none: title, description, shop; the columns of ``extra``; the
    keys of the characteristics; then ``text language`` and ``picture size``. Of extra columns and of keys only the
    ``max_fields`` fullest.
    """
    found: dict[str, pd.Series[str]] = {}
    for name in ("title", "description", "shop"):
        found[name] = products[name].where(products[name].fillna("") != "", None)
    for column, prefix in (("extra", ""), ("characteristics", "characteristics: ")):
        cards = [json.loads(text) if isinstance(text, str) else {} for text in products[column]]
        filled = Counter(
            key for card in cards for key, value in card.items() if value not in (None, "", [], {})
        )
        for key, _ in filled.most_common(max_fields):
            values = [_as_text(card.get(key)) for card in cards]
            found[f"{prefix}{key}"] = pd.Series(values, index=products.index, dtype=object)
    found["text language"] = products["text"].fillna("").map(text_language)
    sizes = (
        products["image_width"].astype("Int64").astype("string")
        + " x "
        + (products["image_height"].astype("Int64").astype("string"))
    )
    found["picture size"] = sizes.astype(object).where(products["image_width"].notna(), None)
    return found


def _as_text(value: object) -> str | None:
    if value is None or value in ("", [], {}):
        return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
