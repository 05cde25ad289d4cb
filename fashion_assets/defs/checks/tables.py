"""Checks of tables: the columns, types and nulls of the schema, and each key once. They block: what reads the table
would break, or count twice.
"""

from collections.abc import Callable

import pyarrow as pa

from fashion_assets.defs.checks.factory import Check, Finding, Look
from fashion_assets.defs.schemas import SCHEMAS
from fashion_assets.storage.errors import UserError

#: Asset -> the columns that name a row. Tables that are not here have none (refused rows, series with several models).
KEYS: dict[str, tuple[str, ...]] = {
    "raw_posts": ("post_id",),
    "cleaned_posts": ("post_id",),
    "closed_month": ("month",),
    "keyword_training_words": ("word",),
    "fashion_keywords": ("post_id",),
    "new_words": ("word",),
    "post_images": ("image_id",),
    "garment_images": ("image_id",),
    "text_embeddings": ("item_id",),
    "image_embeddings": ("item_id",),
    "multimodal_embeddings": ("post_id",),
    "style_clusters": ("post_id",),
    "style_experiments": ("variant",),
    "style_profiles": ("style_id",),
    "style_registry": ("style_id",),
    "products": ("id",),
    "product_embeddings": ("item_id",),
    "product_split": ("id",),
    "product_predictions": ("id", "attribute"),
    "product_evaluation": ("attribute",),
    "category_projection": ("target_category",),
    "projected_products": ("id",),
}


def _text(stored: pa.Schema) -> pa.Schema:
    from fashion_assets.encoders.schemas import embeddings_schema

    return embeddings_schema(_width(stored))


def _multimodal(stored: pa.Schema) -> pa.Schema:
    from fashion_assets.encoders.schemas import multimodal_schema

    joint = _width(stored, "joint_vector") if "joint_vector" in stored.names else None
    return multimodal_schema(_width(stored), joint_dim=joint)


def _products(stored: pa.Schema) -> pa.Schema:
    from fashion_assets.products.schemas import PRODUCTS

    labels = [name for name in stored.names if name.startswith("label_")]
    return pa.schema([*PRODUCTS, *((name, pa.string()) for name in labels)])


def _product_vectors(stored: pa.Schema) -> pa.Schema:
    from fashion_assets.products.schemas import product_embeddings_schema

    return product_embeddings_schema(_width(stored), {})


def _width(stored: pa.Schema, column: str = "vector") -> int:
    kind = stored.field(column).type if column in stored.names else None
    # Of a column that is no vector, no width: the comparison then names the column.
    return int(kind.list_size) if kind is not None and pa.types.is_fixed_size_list(kind) else 1


#: Tables whose width is the encoder's, or whose labels are the shop's: the schema follows from what is stored.
_BY_WIDTH: dict[str, Callable[[pa.Schema], pa.Schema]] = {
    "text_embeddings": _text,
    "image_embeddings": _text,
    "multimodal_embeddings": _multimodal,
    "products": _products,
    "product_embeddings": _product_vectors,
}


def columns_off(stored: pa.Schema, expected: pa.Schema) -> list[str]:
    """The columns of ``expected`` that ``stored`` lacks or holds in another type, and what is found there instead."""
    found = {column.name: _type_name(column.type) for column in stored}
    # Nothing but nulls has no type where the table was stored without a schema (products, whose labels are the shop's).
    return [
        f"{column.name} ({found.get(column.name, 'missing')}, expected {_type_name(column.type)})"
        for column in expected
        if found.get(column.name) not in (_type_name(column.type), *(["null"] if column.nullable else []))
    ]


def _type_name(kind: pa.DataType) -> str:
    """The type as Parquet keeps it: list items are called ``element``, and there are no whole-second times."""
    name = str(kind).replace("element: ", "item: ").replace("timestamp[s]", "timestamp[ms]")
    return name.replace(" not null", "")


def _look_at(asset: str) -> Callable[[Look], Finding]:
    def schema_holds(look: Look) -> Finding:
        """The table has the columns and types of its schema, no nulls where none may be, and each key once."""
        import pyarrow.compute as pc

        stored = look.lake.schema(asset, look.partition)
        expected = _BY_WIDTH[asset](stored) if asset in _BY_WIDTH else SCHEMAS[asset]
        off = columns_off(stored, expected)
        key = [name for name in KEYS.get(asset, ()) if name in stored.names]
        # Of the columns only the key and those that may hold no null (lists have no statistics worth reading).
        filled = [
            column.name
            for column in expected
            if not column.nullable and column.name in stored.names and not pa.types.is_nested(column.type)
        ]
        table = look.lake.read(asset, look.partition, columns=list(dict.fromkeys([*key, *filled])))
        nulls = [name for name in filled if table[name].null_count]
        known = table.select(key).drop_null() if key else table.select([])
        if len(key) == 1:
            distinct = pc.count_distinct(known[key[0]]).as_py()
        else:
            distinct = known.group_by(key).aggregate([]).num_rows if key else 0
        repeated = known.num_rows - distinct if key else 0
        found = f"{table.num_rows} rows; columns off: {', '.join(off) or 'none'}"
        if nulls:
            found += f"; empty places in {', '.join(nulls)}"
        if key:
            found += f"; repeated {' and '.join(key)}: {repeated}"
        return Finding(not off and not nulls and repeated == 0, found, {"rows": table.num_rows})

    return schema_holds


def table_checks() -> list[Check]:
    """One check for each table with a schema."""
    tables = dict.fromkeys([*SCHEMAS, *_BY_WIDTH])
    unknown = sorted(KEYS.keys() - tables.keys())
    if unknown:
        raise UserError(f"keys are named for tables without a schema: {', '.join(unknown)}")
    return [
        Check(asset, f"{asset}_schema", _look_at(asset), severity="ERROR", blocking=True) for asset in tables
    ]
