"""The database of the run history where it does not answer: a sentence about it, for command lines."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from fashion_assets.storage.errors import UserError


@contextmanager
def history_named() -> Iterator[None]:
    """UserError in place of what SQLAlchemy raises where the run history cannot be opened, read or written.

    SQLite writes beside its files also when they are only read. Its plain DatabaseError means a damaged file; those
    below it but OperationalError are faults of a statement, and ours. dagster-postgres raises a class of its own from
    the last of its tries to connect.
    """
    from sqlalchemy.exc import DatabaseError, OperationalError

    try:
        yield
    except Exception as fault:
        cause = fault.__cause__ if type(fault).__name__ == "DagsterPostgresException" else fault
        if not isinstance(cause, DatabaseError) or type(cause) not in (DatabaseError, OperationalError):
            raise
        reason = str(cause.orig).strip().partition("\n")[0]
        raise UserError(
            f"the run history of {os.environ.get('DAGSTER_HOME')} does not answer ({reason}); it needs room on its "
            "disk and the right to write there, also to be looked at, and where it is PostgreSQL, that server; one "
            "that is damaged restore, or move away: then the next run makes everything anew, models included"
        ) from fault
