"""The I/O manager of every table: Parquet in the lake, one file per (asset, month).

Belongs here: how Dagster's contexts become lake paths and back. Writing and reading themselves live in
``storage.lake``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_origin

import dagster as dg

from fashion_assets.defs.process_memory import PEAK_MEMORY, peak_memory_mb
from fashion_assets.defs.stored_files import stored_file
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import write_parquet_atomic, write_parquet_stream_atomic
from fashion_assets.storage.lake import Lake, MissingMonthsError
from fashion_assets.storage.months import month_of_key
from fashion_assets.storage.places import Place, is_remote, place
from fashion_assets.storage.tables import TableStream, as_arrow

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from upath import UPath


class LakeIOManager(dg.UPathIOManager):
    """Stores a pandas frame, pyarrow table or `TableStream` as ``<root>/<asset>/<month>.parquet``, atomically.

    The parts of a stream are written one after the other while they are made; what its ``metadata`` gives
    after the last is logged beside the row count, and the file's SHA-256 with both.

    An input annotated ``dict[str, T]`` always arrives as a dict partition key -> T, also when it holds one
    month; any month that is absent is named in the error. ``T`` is ``pa.Table`` or ``pd.DataFrame``. Of an input
    with ``columns`` in its metadata (``columns``) only those are read.
    """

    extension = ".parquet"

    def __init__(self, root: Place, schemas: Mapping[str, pa.Schema] | None = None) -> None:
        from upath import UPath

        super().__init__(base_path=root if is_remote(root) else UPath(root))
        self._lake = Lake(root)
        self._schemas = schemas or {}

    def get_asset_relative_path(self, context: dg.InputContext | dg.OutputContext) -> UPath:
        from upath import UPath

        relative = UPath(*context.asset_key.path)
        return relative if context.has_asset_partitions else relative / "all"

    def get_path_for_partition(
        self, context: dg.InputContext | dg.OutputContext, path: UPath, partition: str
    ) -> UPath:
        try:
            return path / month_of_key(partition)
        except UserError:
            return path / partition

    def dump_to_path(
        self, context: dg.OutputContext, obj: pd.DataFrame | pa.Table | TableStream, path: UPath
    ) -> None:
        asset = "/".join(context.asset_key.path)
        schema = self._schemas.get(asset)
        target = place(str(path))
        if not isinstance(obj, TableStream):
            digest = write_parquet_atomic(target, as_arrow(obj, schema, asset))
        elif schema is not None and not obj.schema.equals(schema):
            raise UserError(f"{asset} is streamed in another schema than its own: {obj.schema} for {schema}")
        else:
            digest = write_parquet_stream_atomic(target, obj.schema, obj.tables(asset))
        context.add_output_metadata({**stored_file(target, digest), PEAK_MEMORY: peak_memory_mb()})

    def get_metadata(
        self, context: dg.OutputContext, obj: pd.DataFrame | pa.Table | TableStream
    ) -> dict[str, Any]:
        # Called after the table was written, when a stream is through.
        if isinstance(obj, TableStream):
            told = obj.metadata() if obj.metadata else {}
            return {
                "dagster/row_count": obj.n_rows,
                "dagster/column_schema": table_schema(obj.schema),
                **told,
            }
        schema = self._schemas.get("/".join(context.asset_key.path))
        schema = as_arrow(obj).schema if schema is None else schema
        return {"dagster/row_count": len(obj), "dagster/column_schema": table_schema(schema)}

    def load_from_path(self, context: dg.InputContext, path: UPath) -> pa.Table:
        asset = "/".join(context.asset_key.path)
        wanted = context.definition_metadata.get("columns")
        return self._lake.read(asset, None if path.stem == "all" else path.stem, wanted)

    def load_input(self, context: dg.InputContext) -> Any:
        wanted = context.dagster_type.typing_type
        if not context.has_asset_partitions:
            return _converted(self.load_from_path(context, self._get_path(context)), wanted)
        asset = "/".join(context.asset_key.path)
        paths = self._get_paths_for_partitions(context)
        missing = [path.stem for path in paths.values() if not place(str(path)).exists()]
        if missing:
            raise MissingMonthsError(asset, sorted(missing), self._lake.root)
        if get_origin(wanted) is dict:
            value_type = wanted.__args__[1]
            return {
                key: _converted(self.load_from_path(context, path), value_type) for key, path in paths.items()
            }
        if len(paths) != 1:
            raise UserError(
                f"{asset} maps to {len(paths)} partitions here; annotate the input as dict[str, …]"
            )
        return _converted(self.load_from_path(context, next(iter(paths.values()))), wanted)


def columns(*names: str) -> dg.AssetIn:
    """An input of which only the named columns are read: a month's texts are most of its memory."""
    return dg.AssetIn(metadata={"columns": list(names)})


def _converted(table: pa.Table, wanted: Any) -> Any:
    """``table`` itself, or a frame whose list columns hold Python lists, as the domain functions made them."""
    import pyarrow as pa

    return table if wanted is pa.Table else to_frame(table)


def to_frame(table: pa.Table | pa.RecordBatch) -> pd.DataFrame:
    """A pandas frame of ``table``, or of a batch of one.

    List columns hold Python lists (Arrow's own conversion makes arrays).
    """
    import pyarrow as pa

    frame = table.to_pandas()
    for field in table.schema:
        if pa.types.is_list(field.type) or pa.types.is_large_list(field.type):
            frame[field.name] = table[field.name].to_pylist()
        elif pa.types.is_integer(field.type) and table[field.name].null_count:
            frame[field.name] = frame[field.name].astype("Int64")  # a count that is unknown is no float
    return frame


def table_schema(schema: pa.Schema) -> dg.TableSchema:
    """The column table that the UI shows: name, Arrow type and what the column holds."""
    from fashion_assets.defs.schemas import COLUMNS

    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=field.name,
                type=str(field.type).replace("item: ", "").replace("element: ", ""),
                description=COLUMNS.get(field.name),
            )
            for field in schema
        ]
    )
