"""What the word classifier of a data root is trained from: kept beside the model, so that every later training
uses the same.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import file_digest, write_text_atomic
from fashion_assets.tfashion.sources import visible_files

#: What the entries that are no lists of texts may hold.
_KINDS: dict[str, tuple[type, ...]] = {
    "column": (str, type(None)),
    "lists": (bool, type(None)),
    "reference": (bool,),
}


@dataclass(frozen=True)
class Recipe:
    """Files as absolute paths. The default trains on the project's own lists and the posts of the data root."""

    positives: tuple[str, ...] = ()
    negatives: tuple[str, ...] = ()
    #: Column of the words in the positive files; None: found by its name.
    column: str | None = None
    #: Posts without labels, to learn vectors and contrast from, beside those that have landed.
    posts: tuple[str, ...] = ()
    #: Heads that are tried; empty: the default ones.
    heads: tuple[str, ...] = ()
    #: Whether the project's own word lists count beside the files; None: unless there are files but no posts, since
    #: then the labels given are all that is known of where the model will be used.
    lists: bool | None = None
    #: Whether the published way (split by row, published head) is trained as well, to be told beside the honest one.
    reference: bool = False

    @property
    def has_files(self) -> bool:
        return bool(self.positives or self.negatives)

    def uses_lists(self, *, has_posts: bool) -> bool:
        """``lists``, or what None means when there are posts or not."""
        return self.lists if self.lists is not None else has_posts or not self.has_files

    def digest(self) -> str:
        """SHA-256 of the choices and of every file's content. UserError for a file that is gone."""
        found = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode())
        for name in (*self.positives, *self.negatives, *self.posts):
            path = Path(name)
            if not path.exists():
                raise UserError(
                    f"{path}, which the keyword classifier was trained from, is gone; put it back, or train from other "
                    "files: fashion-assets keywords train"
                )
            for file in visible_files(path):
                found.update(f"{file.name} {file_digest(file)}".encode())
        return found.hexdigest()

    def save(self, path: Path) -> None:
        write_text_atomic(path, json.dumps(asdict(self), ensure_ascii=False, indent=2) + "\n")


def read_recipe(path: Path) -> Recipe:
    """The recipe in a file; the default one where there is no file. UserError for a damaged one."""
    if not path.is_file():
        return Recipe()
    try:
        given: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        known: dict[str, Any] = {
            name: _checked(name, value)
            for name, value in given.items()
            if name in Recipe.__dataclass_fields__
        }
        return replace(Recipe(), **known)
    except (ValueError, TypeError, AttributeError) as fault:
        raise UserError(
            f"{path} cannot be read ({fault}); delete it, or write it anew: fashion-assets keywords train"
        ) from fault


def _checked(name: str, value: Any) -> Any:
    """The entry as a recipe holds it. TypeError for one of another kind."""
    if name in _KINDS:
        if not isinstance(value, _KINDS[name]):
            raise TypeError(f"{name} is {value!r}")
        return value
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise TypeError(f"{name} is {value!r}, expected a list of texts")
    return tuple(value)
