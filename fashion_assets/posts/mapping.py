"""A declared mapping: how the columns of a file that comes from elsewhere are called here.

``incoming/columns.yaml`` holds a list of rules, the first whose ``files`` pattern matches wins;
``incoming/<file>.columns.yaml`` holds one rule for the file beside it and goes before the list::

    - files: "post_texts*.csv"
      columns: {post_id: post, poster_id: author, post_date: date, post_title: title, post_content: text}
      constants: {post_fetch_time: "2024-07-03 00:00:00"}
      absent: [post_location]
      tag_separator: "|"
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from fashion_assets.posts.schemas import CRAWL_COLUMNS
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.places import Place, inside, is_remote

MAPPING_NAME = "columns.yaml"
_KEYS = ("files", "columns", "constants", "absent", "tag_separator")
#: A mapping is a page of text; more is another file under its name.
_MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class ColumnMapping:
    """One rule: our column names to the file's, fixed values, and columns that the file does not have."""

    files: str = "*"
    columns: dict[str, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    tag_separator: str | None = None
    declared_in: str = MAPPING_NAME

    @property
    def digest(self) -> str:
        """16 hex digits that change when what the rule says changes."""
        said = [self.columns, self.constants, sorted(self.absent), self.tag_separator]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def load_mappings(incoming: Place) -> list[ColumnMapping]:
    """The rules of ``incoming/columns.yaml``, none if the file is not there; ``UserError`` if it is not
    valid.
    """
    path = incoming / MAPPING_NAME
    return read_mapping_file(path) if path.is_file() else []


def mapping_for(
    path: Place,
    incoming: Place,
    mappings: Sequence[ColumnMapping],
    mapping_files: Collection[Place] | None = None,
) -> ColumnMapping | None:
    """The rule for a file: the one beside it, else the first in the list whose pattern matches its path or
    name. ``mapping_files``: those that are there, where that is known already.
    """
    beside = path.with_name(f"{path.name}.{MAPPING_NAME}")
    if beside.is_file() if mapping_files is None else beside in mapping_files:
        return read_mapping_file(beside)[0]
    relative = inside(incoming, path).as_posix()
    for rule in mappings:
        if fnmatchcase(relative, rule.files) or fnmatchcase(path.name, rule.files):
            return rule
    return None


def read_mapping_file(path: Place) -> list[ColumnMapping]:
    """The rules of one mapping file, one or more; ``UserError`` names file, rule and key of a mistake."""
    import yaml

    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UserError(f"{path} is larger than a mapping can be; expected a short list of column names.")
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except OSError as fault:
        if is_remote(path) and not isinstance(fault, FileNotFoundError):
            raise
        raise UserError(f"{path} cannot be read ({fault.strerror or type(fault).__name__}).") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as fault:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(fault).split())}.") from None
    rules = [content] if isinstance(content, dict) else content
    if not isinstance(rules, list) or not rules:
        raise UserError(f"{path} holds no rule; expected a list of entries with the keys {', '.join(_KEYS)}.")
    return [
        _parse_rule(rule, f"{path}, rule {number}", path.name) for number, rule in enumerate(rules, start=1)
    ]


def _parse_rule(rule: Any, place: str, name: str) -> ColumnMapping:
    if not isinstance(rule, dict):
        raise UserError(f"{place} is not an entry of keys; expected {', '.join(_KEYS)}.")
    unknown = sorted(str(key) for key in rule if key not in _KEYS)
    if unknown:
        raise UserError(f"{place} has the unknown key {', '.join(unknown)}; expected {', '.join(_KEYS)}.")
    columns = _named(rule.get("columns"), f"{place}, columns")
    constants = _named(rule.get("constants"), f"{place}, constants")
    absent = rule.get("absent") or []
    if not isinstance(absent, list) or not all(isinstance(entry, str) for entry in absent):
        raise UserError(f"{place}, absent: expected a list of column names.")
    _check_known(absent, f"{place}, absent")
    everywhere = [*columns, *constants, *absent]
    twice = sorted({entry for entry in everywhere if everywhere.count(entry) > 1})
    if twice:
        raise UserError(f"{place} says two things about {', '.join(twice)}; name each column once.")
    sources = [source.strip().lower() for source in columns.values()]
    shared = sorted({source for source in sources if sources.count(source) > 1})
    if shared:
        raise UserError(f"{place}, columns: the file's column {', '.join(shared)} is used for two of ours.")
    separator = rule.get("tag_separator")
    if separator is not None and not (isinstance(separator, str) and separator):
        raise UserError(f"{place}, tag_separator: expected a text such as '|'.")
    files = rule.get("files", "*")
    if not isinstance(files, str) or not files:
        raise UserError(f"{place}, files: expected a pattern such as 'posts_*.csv'.")
    return ColumnMapping(files, columns, constants, tuple(absent), separator, name)


def _named(entry: Any, place: str) -> dict[str, str]:
    """A table of our column names to texts; YAML's own numbers and times are taken as they were written."""
    if entry is None:
        return {}
    if not isinstance(entry, dict) or any(
        value is None or isinstance(value, (dict, list)) for value in entry.values()
    ):
        raise UserError(f"{place}: expected entries such as 'post_id: id'.")
    _check_known([str(key) for key in entry], place)
    return {str(key): str(value) for key, value in entry.items()}


def _check_known(names: Sequence[str], place: str) -> None:
    unknown = [name for name in names if name not in CRAWL_COLUMNS]
    if unknown:
        raise UserError(
            f"{place}: {', '.join(unknown)} is no column of ours; expected {', '.join(CRAWL_COLUMNS)}."
        )
