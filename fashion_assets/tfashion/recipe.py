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
            files = sorted(path.rglob("*")) if path.is_dir() else [path]
            for file in (file for file in files if file.is_file()):
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
            name: tuple(value) if isinstance(value, list) else value
            for name, value in given.items()
            if name in Recipe.__dataclass_fields__
        }
        return replace(Recipe(), **known)
    except (ValueError, TypeError, AttributeError) as fault:
        raise UserError(
            f"{path} cannot be read ({fault}); delete it, or write it anew: fashion-assets keywords train"
        ) from fault
