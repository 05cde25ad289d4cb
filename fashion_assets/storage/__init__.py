"""Bytes on disk: atomic files, the Parquet lake and the DuckDB publication.

Belongs here: where a table lies, how it gets there without ever being seen half-written, how it is read
back. Does not belong here: what a table means (domain packages) and anything of Dagster (``defs``).
"""
