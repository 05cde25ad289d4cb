"""Bytes of a crawl file to text: UTF-8, UTF-16 and GB18030, with or without byte order mark, line by line."""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field

from fashion_assets.storage.errors import UserError

#: How much of a file decides whether it is UTF-16: enough for a header and some rows.
_SAMPLE = 4096
#: Share of zero bytes at one side of the pairs that makes a file UTF-16: digits, commas and line ends have
#: one.
_ZERO_SHARE = 0.10

#: At least half of the lines with non-ASCII bytes must be readable, or it is another encoding altogether.
_READABLE_SHARE = 0.5

#: Almost any bytes can be read as GB18030; of Chinese in it, at least this share of the letters is among the 3,755 most
#: common characters (GB 2312, level 1). Simplified text has nearly all of them there, traditional text more than half;
#: Big5 read as GB18030 a third, Shift-JIS and Latin-1 none.
_COMMON_SHARE = 0.4
#: Letters that such a share is told from.
_ENOUGH_LETTERS, _MOST_LETTERS = 20, 20_000


@dataclass(frozen=True)
class DecodedText:
    """The lines of a file (line ends kept), its encoding, and what is wrong with which 1-based line."""

    lines: list[str]
    encoding: str
    damaged: dict[int, str] = field(default_factory=dict)


def decode_lines(data: bytes) -> DecodedText:
    """The physical lines of a file; damaged ones are readable with replacement characters and named.

    Raises ``UserError`` (without file name) if the bytes are in none of the encodings.
    """
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)) and len(data) % 4 == 0:
        return _from_text(data.decode("utf-32", "replace"), "UTF-32")
    if data.startswith(codecs.BOM_UTF16_LE):
        return _from_text(data[2:].decode("utf-16-le", "replace"), "UTF-16")
    if data.startswith(codecs.BOM_UTF16_BE):
        return _from_text(data[2:].decode("utf-16-be", "replace"), "UTF-16")
    wide = _utf16_without_mark(data)
    if wide:
        return _from_text(data.decode(wide, "replace"), "UTF-16")
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return _from_text(data.decode("utf-8"), "UTF-8")
    except UnicodeDecodeError:
        return _line_by_line(data)


def _utf16_without_mark(data: bytes) -> str | None:
    sample = data[: _SAMPLE // 2 * 2]
    half = len(sample) // 2
    if half < 2:
        return None
    even, odd = sample[0::2].count(0) / half, sample[1::2].count(0) / half
    if odd > _ZERO_SHARE and even < _ZERO_SHARE / 10:
        return "utf-16-le"
    if even > _ZERO_SHARE and odd < _ZERO_SHARE / 10:
        return "utf-16-be"
    return None


def _from_text(text: str, encoding: str) -> DecodedText:
    lines = _split(text)
    damaged: dict[int, str] = {}
    if encoding != "UTF-8" and "\ufffd" in text:
        for number, line in enumerate(lines, start=1):
            if "\ufffd" in line:
                damaged[number] = (
                    f"Line {number} holds bytes that are not {encoding}; save the file again as UTF-8."
                )
    return DecodedText(lines, encoding, damaged)


def _line_by_line(data: bytes) -> DecodedText:
    """UTF-8 or GB18030, whichever reads more lines; what the better one cannot read is damaged."""
    # 0x0A is never part of a longer character in either encoding.
    pieces = data.split(b"\n")
    pieces = [piece + b"\n" for piece in pieces[:-1]] + ([pieces[-1]] if pieces[-1] else [])
    telling = [number for number, piece in enumerate(pieces) if not piece.isascii()]
    # By character, not by line: damaged UTF-8 still is mostly whole characters, GB18030 read as UTF-8 hardly
    # any.
    as_utf8 = data.decode("utf-8", "replace")
    broken = as_utf8.count("\ufffd")
    whole = sum(not character.isascii() for character in as_utf8) - broken
    chosen = "utf-8" if whole >= broken else "gb18030"
    unreadable = {number for number in telling if not _readable(pieces[number], chosen)}
    if chosen == "gb18030" and len(unreadable) > len(telling) * _READABLE_SHARE:
        raise UserError("its bytes are neither UTF-8 nor UTF-16 nor GB18030; save it again as UTF-8")
    if chosen == "gb18030":
        _refuse_other_encodings(data)
    lines: list[str] = []
    damaged: dict[int, str] = {}
    for number, piece in enumerate(pieces):
        for line in _split(piece.decode(chosen, "replace")):
            lines.append(line)
            if number in unreadable:
                damaged[len(lines)] = (
                    f"Line {len(lines)} holds bytes that are not {chosen.upper()}, unlike the rest; "
                    "crawl the post again or mend the line."
                )
    return DecodedText(lines, chosen.upper(), damaged)


def _refuse_other_encodings(data: bytes) -> None:
    """Raise UserError if ``data``, read as GB18030, is not Chinese: it would be kept as garbled posts."""
    letters = 0
    common = 0
    for character in data.decode("gb18030", "replace"):
        if character.isascii() or not character.isalpha():
            continue
        letters += 1
        common += _is_common(character)
        if letters == _MOST_LETTERS:
            break
    if letters >= _ENOUGH_LETTERS and common < _COMMON_SHARE * letters:
        raise UserError(
            f"its bytes are not UTF-8, and read as GB18030 only {common / letters:.0%} of its letters are common "
            "Chinese ones: it is Big5, Shift-JIS or another encoding; save it again as UTF-8"
        )


def _is_common(character: str) -> bool:
    """Whether the character is one of GB 2312, level 1: rows 16 to 55 of the set."""
    try:
        lead = character.encode("gb2312")[0]
    except UnicodeEncodeError:
        return False
    return 0xB0 <= lead <= 0xD7


def _readable(piece: bytes, encoding: str) -> bool:
    try:
        piece.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _split(text: str) -> list[str]:
    """Lines with their ends; only LF, CRLF and CR end one (str.splitlines knows eight more)."""
    if "\r" in text.replace("\r\n", ""):
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    return [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
