"""Author ids: hashed with a salt that stays in the data root, and masked wherever else they occur."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from fashion_assets.storage.errors import UserError

#: 256 bits, the output size of the hash: more adds nothing, fewer than 128 could be searched.
SALT_BYTES = 32
_MIN_SALT_BYTES = 16

#: 64 bits: among a million authors the chance of one collision is 3 in 10^8.
HASH_DIGITS = 16

#: A shorter id is an everyday word or number: it is replaced only where it is the whole cell.
_MIN_TOKEN = 6
#: From here on an id is also found inside a longer run of letters and digits ("uid5f3a…").
_MIN_INSIDE = 8
#: A number shorter than this may as well be a count, a date or a time in a column of those.
_MIN_NUMBER = 10

_STRUCTURED = frozenset(
    {"post_date", "post_time", "post_comments", "post_like", "post_collect", "post_fetch_time", "source_row"}
)
_WORD = re.compile(r"[0-9A-Za-z]")
# What may be the id of an author of another file: long, with a digit.
_TOKEN = re.compile(r"(?=[A-Za-z]*[0-9])[0-9A-Za-z]{8,64}")
# The platform's ids, of persons and posts alike.
_PLATFORM_ID = re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{24}(?![0-9A-Za-z])", re.I)
_SHOWN_OF_ID = 6
# What a crawler calls the id of a person in a column or in nested JSON (where quotes are escaped).
_PERSON_KEY = re.compile(
    r'((?P<quote>\\*")(?:\w*_)?(?:user|author|owner|poster|creator|blogger|u)_?id(?P=quote)\s*:\s*)'
    r"(?:(?P=quote))?([0-9A-Za-z_\-]{4,64})(?:(?P=quote))?",
    re.I,
)
# An address of a person's page names that person, whether or not a post of theirs is in the file.
_PROFILE = re.compile(r"(user/profile/|[?&](?:user_?id|author_?id|uid|appuid)=)([0-9A-Za-z_\-]{4,64})", re.I)


def load_or_create_salt(path: Path) -> bytes:
    """The salt at ``path``; made of random bytes (file mode 0600) the first time, once, whoever comes first.

    Raises ``UserError`` if the file is there and holds no salt: a new one would make every author a new
    person.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "w") as file:
                file.write(secrets.token_hex(SALT_BYTES) + "\n")
                file.flush()
                os.fsync(file.fileno())
            # link fails where the file exists by now, so two processes end up with the same salt.
            path.hardlink_to(temporary)
        except FileExistsError:
            pass
        finally:
            temporary.unlink(missing_ok=True)
    text = path.read_text(encoding="ascii", errors="replace").strip()
    if not re.fullmatch(rf"[0-9a-f]{{{2 * _MIN_SALT_BYTES},}}", text):
        raise UserError(
            f"{path} holds no author salt (expected {2 * SALT_BYTES} hex digits). Restore it from a copy; if "
            "it is lost, delete the file and land every crawl file again, because all author hashes change."
        )
    return bytes.fromhex(text[: len(text) // 2 * 2])


def hash_author(raw_id: str, salt: bytes) -> str:
    """The author's name in the lake: HMAC-SHA256 of the id under the salt, 16 hex digits."""
    return hmac.new(salt, raw_id.strip().encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:HASH_DIGITS]


def mask_author_ids(frame: pd.DataFrame, raw_ids: Collection[str], salt: bytes) -> pd.DataFrame:
    """A copy of the frame in which every raw id, in any text cell, is replaced by its hash.

    Ids of six and more characters are found as tokens anywhere in a cell (in addresses, in JSON), those of
    eight and more also inside longer runs; shorter ids only where they are the whole cell. A plain number of
    under ten digits stays in the count and time columns, where it is far likelier a count.
    """
    return AuthorMasker(raw_ids, salt).mask_frame(frame)


class AuthorMasker:
    """Replaces raw author ids in texts by their hashes; built once for many texts.

    Knows ``raw_ids`` themselves, and, by ``known_hashes``, the authors of earlier files: a token that hashes
    to one of them is their id, though nothing here remembers it.
    """

    def __init__(self, raw_ids: Collection[str], salt: bytes, known_hashes: Collection[str] = ()) -> None:
        self._salt = salt
        self._known_hashes = frozenset(known_hashes)
        ids = {raw.strip() for raw in raw_ids if raw and raw.strip()}
        self._hashes = {raw: hash_author(raw, salt) for raw in ids}
        # In a JSON cell an id with a quote or a backslash stands in its escaped form.
        self._hashes |= {
            escaped: self._hashes[raw]
            for raw in ids
            if (escaped := json.dumps(raw, ensure_ascii=False)[1:-1]) != raw
        }
        self._own = frozenset(self._hashes.values()) | self._known_hashes
        self._folded = {raw.lower(): hashed for raw, hashed in self._hashes.items()}
        long = [raw for raw in self._folded if len(raw) >= _MIN_TOKEN]
        self._lengths = sorted({len(raw) for raw in long}, reverse=True)
        characters = "".join(sorted({c for raw in long for c in raw + raw.upper()}))
        self._run = (
            re.compile(rf"[{re.escape(characters)}]{{{self._lengths[-1]},}}") if self._lengths else None
        )
        self._short = {raw for raw in self._folded if len(raw) < _MIN_TOKEN}
        self._short_json = bool(self._short)

    def mask_frame(self, frame: pd.DataFrame) -> pd.DataFrame:
        """A copy of the frame with every text cell masked; each distinct text is looked at once."""
        masked = frame.copy()
        for column in masked.columns:
            values = masked[column]
            if values.dtype != object and not pd.api.types.is_string_dtype(values):
                continue
            distinct = {value for value in values if isinstance(value, str)}
            changed = {value: new for value in distinct if (new := self.mask(value, str(column))) != value}
            if changed:
                new_values = [
                    changed.get(value, value) if isinstance(value, str) else value for value in values
                ]
                masked[column] = pd.Series(new_values, index=masked.index, dtype=object)
        return masked

    def mask(self, text: str, column: str = "") -> str:
        """The text with every known id in it replaced."""
        whole = text.strip().lower()
        if column not in _STRUCTURED and whole in self._folded:
            return self._folded[whole]
        if self._short_json and column == "extra":
            text = re.sub(r'"([^"\\]*)"', self._replace_json_value, text)
        if self._run is not None:
            keep_numbers = column in _STRUCTURED
            inside = column != "post_id"  # an id of a post may be built on its author's: it must stay an id
            text = self._run.sub(lambda run: self._replace(run, keep_numbers, inside), text)
        if column == "extra":
            text = _PERSON_KEY.sub(self._replace_person, text)
        if self._known_hashes and column not in _STRUCTURED:
            text = _TOKEN.sub(self._replace_known, text)
        if "=" in text or "/" in text:
            text = _PROFILE.sub(self._replace_profile, text)
        return text

    def mask_refused(self, text: str) -> str:
        """What is said of a file that is not read: masked, and of other platform ids only the beginning.

        Such a file may be named after a person of whom no post is here; the beginning is enough to find it by.
        """
        return _PLATFORM_ID.sub(
            lambda found: f"{found.group()[:_SHOWN_OF_ID]}~{hash_author(found.group(), self._salt)[:8]}",
            self.mask(text),
        )

    def _replace_json_value(self, found: re.Match[str]) -> str:
        hashed = self._folded.get(found.group(1).strip().lower())
        return f'"{hashed}"' if hashed else found.group()

    def _replace_known(self, found: re.Match[str]) -> str:
        hashed = hash_author(found.group(), self._salt)
        return hashed if hashed in self._known_hashes else found.group()

    def _replace_person(self, found: re.Match[str]) -> str:
        key, quote, raw = found.groups()
        hashed = raw if raw in self._own else hash_author(raw, self._salt)
        return f"{key}{quote}{hashed}{quote}"

    def _replace_profile(self, found: re.Match[str]) -> str:
        known = found.group(2) in self._own
        return found.group(1) + (found.group(2) if known else hash_author(found.group(2), self._salt))

    def _replace(self, run: re.Match[str], keep_numbers: bool, inside: bool) -> str:
        """Every id in a run of id characters, longest first at each place, by set look-up per length."""
        whole = run.string
        start, end = run.span()
        pieces: list[str] = []
        place = start
        while place < end:
            for length in self._lengths:
                candidate = whole[place : place + length].lower()
                if place + length > end or candidate not in self._folded:
                    continue
                if not (inside and length >= _MIN_INSIDE) and not _stands_alone(whole, place, place + length):
                    continue
                if keep_numbers and candidate.isdigit() and length < _MIN_NUMBER:
                    continue
                pieces.append(self._folded[candidate])
                place += length
                break
            else:
                pieces.append(whole[place])
                place += 1
        return "".join(pieces)


def _stands_alone(text: str, start: int, end: int) -> bool:
    """No letter or digit of the same script directly before or after."""
    before = start > 0 and _WORD.match(text[start - 1]) is not None
    after = end < len(text) and _WORD.match(text[end]) is not None
    return not (before or after)
