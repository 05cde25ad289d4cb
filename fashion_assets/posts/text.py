"""Cleaning the text of posts: what people wrote, in one spelling, without what the platform put around it.

Belongs here: what is done to one text. Does not: what is done to a row (``cleaning``) or to words (``keywords``).
"""

from __future__ import annotations

import ast
import html
import json
import re
import unicodedata
from functools import lru_cache
from typing import Any

#: Elements of web pages that crawls leave in texts, in the form that pages have; what people put into angle brackets
#: (<3, <OOTD>) is theirs. A tag never reaches over the next "<", so that every character is looked at once.
_MARKUP = re.compile(
    r"<(?:(?:br|hr|p|div|a|img|li|ul|ol|h[1-6]|blockquote|video|iframe|(?P<inline>span|b|i|u|em|strong|font))"
    r"(?:\s+[a-z:-]++=(?:[^<>\"']|\"[^\"<]*+\"|'[^'<]*+')*+)?\s*/?"
    r"|/(?:p|div|a|li|ul|ol|h[1-6]|blockquote|video|iframe|(?P<inline_end>span|b|i|u|em|strong|font))\s*)>",
    re.I,
)

#: What the name of a tag is called where tags are objects, the likeliest first.
_TAG_KEYS = ("name", "tag_name", "hashtagname", "hashtag_name", "topic_title", "title", "text", "tag")
#: A list of tags has some hundred characters; evaluating a far longer one could eat the memory.
_MAX_TAG_LIST = 20_000

#: Distinct texts kept in memory by each cache: a month of posts, some tens of MB.
_CACHE_SIZE = 1 << 15

_URL_CHARACTERS = r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]"
_LINK = re.compile(
    rf"https?://{_URL_CHARACTERS}*"
    rf"|(?<![A-Za-z0-9@.])www\.{_URL_CHARACTERS}+"
    rf"|(?<![A-Za-z0-9@.])(?:[A-Za-z0-9\-]+\.)+(?:com|cn|net|org|link|co|io|me|cc|top|shop)/{_URL_CHARACTERS}*",
    re.I,
)
_EMAIL = re.compile(r"[A-Za-z0-9._%+\-]+@[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)+")
# A name ends at white space, at the next mark, or at punctuation; the platform allows 24 characters.
_MENTION = re.compile(r"[@＠](?=[^\s@＠#＃\d])[^\s@＠#＃,，。.!！?？:：;；、（）()\[\]【】|｜/]{1,24}")

#: Punctuation, white space and brackets end a tag; so does an emoji, which follows a tag more often than it
#: is in it.
_TAG_END = r"\s#＃,，。!！?？…、;；:：（）()\[\]【】《》<>「」『』“”\"|｜/\\~～"
#: The platform's longest tag has 20 characters or so; a longer run is a sentence behind a stray mark.
_MAX_TAG = 40

_EMOTICON = re.compile(r"\[([一-鿿A-Za-z0-9]{1,10})[RH]\]|\[([一-鿿]{1,6})\]")
_ALIAS = re.compile(r":[a-z][a-z0-9_'’&.\-]{1,60}:", re.I)
_KEYCAP = re.compile(r"([0-9#*])\ufe0f?\u20e3")
_SKIN_TONES = re.compile("[\U0001f3fb-\U0001f3ff]")
# Format, control, private and surrogate characters; combining marks that stack on nothing are left alone.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufffd\ue000-\uf8ff\ud800-\udfff\U000e0000-\U000e0fff]"
)
# The same without the joiner and the selectors that emoji consist of.
_INVISIBLE_NOT_EMOJI = re.compile("[\u00ad\u034f\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]|[\t-\r]")
_SPACES = re.compile(r"\s+")
# Begins where a row of marks begins, or a long row would cost its length squared.
_BOILERPLATE = re.compile(
    r"\s*(?<![-–—|_])[-–—|_]++\s*小红书(?:\s*[-–—|]\s*你的生活指南|_你的生活指南)?\s*$|^小红书$"
)
_TRAILING_DASH = re.compile(r"(?:^|\s)[-–—]\s*$")


def clean_text(text: str | None) -> str:
    """One line of plain text: no links, mentions, control characters or boilerplate; emoji as Chinese words.

    NFKC-normalised, traditional characters as simplified ones, white space collapsed. Hashtags stay in place
    with their mark; ``split_hashtags`` takes them out.
    """
    return _clean(text) if text else ""


def split_hashtags(text: str | None) -> tuple[str, list[str]]:
    """(the text without its hashtags, the tags without mark, cleaned, in order, without repeats).

    Knows ``#tag``, ``#a#b``, ``#tag[话题]#`` and the full-width mark. Links and mentions go first, because
    both may hold a mark. The rest is not cleaned otherwise.
    """
    if not text or ("#" not in text and "＃" not in text):
        return text or "", []
    tags: list[str] = []

    def take(found: re.Match[str]) -> str:
        shown = found["topic"] or found["tag"]
        name = _clean(shown).replace("#", "").strip()
        if not name or len(name) > _MAX_TAG or re.fullmatch(r"[\d\W_]+", name):
            return f" {shown} "
        tags.append(name)
        return " "

    # References hold a mark (&#39;), and quotation marks of markup would become part of a link.
    plain = _without_addresses(_INVISIBLE_NOT_EMOJI.sub("", _without_markup(text)))
    rest = _tag_pattern().sub(take, _KEYCAP.sub(r" \1 ", plain))
    return re.sub(r"[#＃]", " ", rest), unique_tags(tags)


def unique_tags(tags: list[str]) -> list[str]:
    """The tags in order without repeats, upper and lower case being one; the first spelling stays."""
    seen: dict[str, str] = {}
    for tag in tags:
        seen.setdefault(tag.casefold(), tag)
    return list(seen.values())


def split_tag_list(text: str | None) -> list[str]:
    """The tags of a tag column: separated by commas, ``|`` or ``#``, or a JSON or Python list, of texts or of objects
    with a name.
    """
    if not text:
        return []
    text = _without_markup(text).strip()
    names = _names_listed(text)
    if names is not None:
        text = ", ".join(names)
    elif text[0:1] + text[-1:] in ("[]", "{}") and "话题" not in text:
        # Python's, numpy's and PostgreSQL's ways to write a list.
        text = re.sub(r"""["'\[\]{}]""", "", re.sub(r"""(["'])\s+["']|\]\s*\[""", ",", text))
    if "#" in text or "＃" in text:
        rest, tags = split_hashtags(text)
        return unique_tags([*tags, *split_tag_list(rest)])
    parts = (clean_text(part) for part in re.split(r"[,，、|｜;；\n\t]+", text))
    return unique_tags([part for part in parts if part and part.lower() != "nan"])


def _names_listed(text: str) -> list[str] | None:
    """The names in a JSON list, or in Python's form of a list of dictionaries; None if the text is neither."""
    if text[0:1] not in ("[", "{") or len(text) > _MAX_TAG_LIST:
        return None
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        if "{" not in text or ":" not in text:
            return (
                None  # a flat list; Python would join texts that only a space separates, as numpy writes them
            )
        try:
            entries = ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return None
    entries = entries if isinstance(entries, (list, tuple)) else [entries]
    return [name for entry in entries if (name := _name_of_tag(entry))]


def _name_of_tag(entry: object) -> str | None:
    if isinstance(entry, dict):
        by_key = {str(key).lower(): value for key, value in entry.items()}
        entry = next((by_key[key] for key in _TAG_KEYS if isinstance(by_key.get(key), str)), None)
    return str(entry) if isinstance(entry, (str, int)) else None


@lru_cache(maxsize=_CACHE_SIZE)
def _clean(text: str) -> str:
    # Mentions before emoji (names hold emoji), emoji before NFKC (which takes some of them apart).
    text = _words_for_emoji(_without_addresses(_without_markup(text)))
    text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", _CONTROL.sub(" ", text)))
    text = _simplified(_INVISIBLE.sub("", text))
    if "://" in text or "@" in text:
        text = _without_addresses(text)  # what NFKC has just made one: full-width addresses
    if "[" in text:
        text = _EMOTICON.sub(lambda found: f" {found[1] or found[2]} ", text)
    text = _SPACES.sub(" ", _CONTROL.sub(" ", text)).strip()
    return _TRAILING_DASH.sub("", _BOILERPLATE.sub("", text)).strip()


def _without_markup(text: str) -> str:
    """The text with HTML's references as their characters and without the elements of a page."""
    if "&" in text:
        text = html.unescape(text)
    if "<" in text:
        # Bold or coloured letters (search results mark what was looked for) stay one word with their neighbours.
        text = _MARKUP.sub(lambda found: "" if found["inline"] or found["inline_end"] else " ", text)
    return text


def _without_addresses(text: str) -> str:
    """The text without links, mail addresses and mentions."""
    if "." in text or "://" in text:
        text = _LINK.sub(" ", text)
    if "@" in text or "＠" in text:
        text = _MENTION.sub(" ", _EMAIL.sub(" ", text))
    return text


@lru_cache(maxsize=1)
def _emoji_names() -> dict[str, str]:
    """Emoji (any length, without variation selectors and skin tones) to its Chinese words."""
    import emoji

    emoji.config.load_language("zh")
    names: dict[str, str] = {}
    for symbol, entry in emoji.EMOJI_DATA.items():
        bare = _bare(symbol)
        # ©, ®, ™ and ℹ are letters more often than pictures; NFKC spells them.
        if bare and not (len(bare) == 1 and ord(bare) < 0x2190) and bare == symbol.replace("\ufe0f", ""):
            names.setdefault(bare, re.sub(r"[:_\s]+", " ", entry.get("zh") or entry["en"]).strip())
    return names


def emoji_words() -> frozenset[str]:
    """The Chinese words that `clean_text` writes for emoji."""
    return frozenset(_emoji_names().values())


@lru_cache(maxsize=1)
def _emoji_aliases() -> dict[str, str]:
    """English alias (":fallen_leaf:", as some crawlers write them) to the Chinese words."""
    import emoji

    names = _emoji_names()
    aliases: dict[str, str] = {}
    for symbol, entry in emoji.EMOJI_DATA.items():
        word = names.get(_bare(symbol))
        if word:
            aliases.update(
                dict.fromkeys([entry["en"].lower(), *(a.lower() for a in entry.get("alias", []))], word)
            )
    return aliases


def _bare(symbols: str) -> str:
    return _SKIN_TONES.sub("", symbols.replace("\ufe0f", ""))


@lru_cache(maxsize=1)
def _emoji_class() -> str:
    """The inside of a character class of everything that emoji begin with or consist of.

    Beyond the basic plane ``re`` tries one range after the other, so neighbours are merged into a few ranges;
    what lies between them are pictures too (no compatibility spelling), only without a name yet.
    """
    singles = {character for symbol in _emoji_names() for character in symbol}
    singles -= set("0123456789#*\u200d\u20e3")
    ranges: list[tuple[int, int]] = []
    for code in sorted(ord(character) for character in singles):
        last = ranges[-1][1] if ranges else -1
        between = range(last + 1, code)
        letters = any(unicodedata.decomposition(chr(gap)) for gap in between)
        if code > 0xFFFF and last > 0xFFFF and not letters:
            ranges[-1] = (ranges[-1][0], code)
        else:
            ranges.append((code, code))
    inside = [re.escape(chr(low)) if low == high else f"{chr(low)}-{chr(high)}" for low, high in ranges]
    return "".join(inside) + "\U0001f3fb-\U0001f3ff"


@lru_cache(maxsize=1)
def _emoji_run() -> re.Pattern[str]:
    inside = _emoji_class()
    return re.compile(f"[{inside}][{inside}\u200d\ufe0f\ufe0e\U000e0020-\U000e007f]*")


@lru_cache(maxsize=1)
def _tag_pattern() -> re.Pattern[str]:
    """``#topic[话题]#`` or ``#tag``; a tag may begin with emoji and ends before the next one."""
    inside = _emoji_class()
    return re.compile(
        rf"[#＃](?P<topic>[^#＃\[\]\n]{{1,60}}?)\[话题\][#＃]?"
        rf"|[#＃](?P<tag>[{inside}\u200d\ufe0f]*[^{_TAG_END}{inside}]+)"
    )


def _words_for_emoji(text: str) -> str:
    """The text with every emoji as its words, with a space on either side."""
    if text.isascii():
        return _ALIAS.sub(_alias_word, text) if text.count(":") > 1 else text
    text = _emoji_run().sub(lambda found: f" {_run_words(found.group())} ", _KEYCAP.sub(_keycap_word, text))
    return _ALIAS.sub(_alias_word, text) if text.count(":") > 1 else text


def _keycap_word(found: re.Match[str]) -> str:
    return f" {found[1]} " if found[1].isdigit() else " "


def _alias_word(found: re.Match[str]) -> str:
    word = _emoji_aliases().get(found.group().lower())
    return f" {word} " if word else found.group()


@lru_cache(maxsize=_CACHE_SIZE)
def _run_words(run: str) -> str:
    """The words of adjoining emoji: the longest known sequence at each place; what has no name falls out."""
    names = _emoji_names()
    symbols = _bare(run)
    words: list[str] = []
    place = 0
    while place < len(symbols):
        for end in range(min(len(symbols), place + _longest_emoji()), place, -1):
            if symbols[place:end] in names:
                words.append(names[symbols[place:end]])
                place = end
                break
        else:
            place += 1
    return " ".join(words)


@lru_cache(maxsize=1)
def _longest_emoji() -> int:
    return max(len(symbol) for symbol in _emoji_names())


@lru_cache(maxsize=1)
def _converter() -> tuple[Any, re.Pattern[str]]:
    """OpenCC's traditional-to-simplified converter, and the characters that it changes at all."""
    from opencc import OpenCC

    converter = OpenCC("t2s")
    # Each character on its own line, so that no phrase rule joins two of them.
    every = [chr(code) for span in ((0x3400, 0xA000), (0xF900, 0xFB00)) for code in range(*span)]
    changed = [
        old
        for old, new in zip(every, converter.convert("\n".join(every)).split("\n"), strict=True)
        if old != new
    ]
    return converter, re.compile(f"[{''.join(changed)}]")


def _simplified(text: str) -> str:
    if text.isascii():
        return text
    converter, traditional = _converter()
    return str(converter.convert(text)) if traditional.search(text) else text
