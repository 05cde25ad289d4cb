"""Title, body and hashtags of one made-up post.

Belongs here: mixing a style's words with everybody's words. Dates, counts and ids are in `delivery`.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import Final

from fashion_assets.sample import phrases
from fashion_assets.sample.styles import COMMON, SEASONS, STYLES, LatentStyle

OWN_WORD: Final = 0.72
"""Share of slots filled from the post's own style; the rest make styles overlap (see `data/README.md`)."""
COMMON_WORD: Final = 0.19
OTHER_STYLE_TAG: Final = 0.3
"""Posts that carry another style's hashtag, as people tag what is in fashion."""

_CHOICE: Final = re.compile(r"\[([^\[\]]*)\]")
_SLOT: Final = re.compile(r"\{(\w+)\}")
_FACET_OF_SLOT: Final = {"garment2": "garment", "colour2": "colour", "hair": "hair_beauty"}


@dataclass(frozen=True)
class PostText:
    """What a post says; `tags` are without #, in the order of the text."""

    title: str
    body: str
    tags: tuple[str, ...]


class Writer:
    """Fills templates for one post. All chance comes from `rng`."""

    def __init__(self, style: LatentStyle, month_of_year: int, rng: random.Random) -> None:
        self.style = style
        self.month_of_year = month_of_year
        self.rng = rng
        self.other = rng.choice([one for one in STYLES if one.name != style.name])

    def word(self, slot: str) -> str:
        """A word for the slot: the style's own, everybody's, or another style's."""
        rng = self.rng
        if slot == "season":
            return rng.choice(SEASONS[self.month_of_year])
        if slot == "shape":
            return rng.choice(COMMON["body_type"])
        if slot == "wow":
            return rng.choice(phrases.WOW)
        if slot == "size":
            return rng.choice("SML")
        if slot == "number":
            return str(rng.randint(3, 99))
        if slot == "height":
            return f"{rng.randint(153, 172)}/{rng.randint(43, 62)}kg"
        if slot == "city":
            return rng.choice(phrases.CITIES)
        facet = _FACET_OF_SLOT.get(slot, slot)
        chance = rng.random()
        if chance < OWN_WORD:
            return rng.choice(self.style.words[facet])
        if chance < OWN_WORD + COMMON_WORD:
            return rng.choice(COMMON[facet])
        return rng.choice(self.other.words[facet])

    def fill(self, template: str) -> str:
        """The template with one of each [a|b|c] chosen and every {slot} filled."""
        template = _CHOICE.sub(lambda found: self.rng.choice(found.group(1).split("|")), template)
        return _SLOT.sub(lambda found: self.word(found.group(1)), template)

    def tags(self) -> tuple[str, ...]:
        """3 to 10 different hashtags: everybody's, the style's own, sometimes another style's."""
        rng = self.rng
        chosen = rng.sample(phrases.COMMON_TAGS, rng.randint(1, 4))
        chosen += [self.fill(form) for form in rng.sample(phrases.TAG_FORMS, rng.randint(2, 5))]
        if rng.random() < OTHER_STYLE_TAG:
            chosen.append(rng.choice(self.other.words["style"]))
        rng.shuffle(chosen)
        return tuple(dict.fromkeys(tag.replace(" ", "") for tag in chosen))

    def title(self) -> str:
        """A title, now and then with an opening in mathematical letters or an emoji; may be empty."""
        rng = self.rng
        title = self.fill(rng.choice(phrases.TITLES))
        if title and rng.random() < 0.06:
            title = f"{rng.choice(phrases.MATHEMATICAL_OPENINGS)} {title}"
        if rng.random() < 0.35:
            title += rng.choice(phrases.EMOJI)
        return title

    def body(self, tags: tuple[str, ...]) -> str:
        """Two to five sentences, then the hashtags; one line, as the crawler writes it."""
        rng = self.rng
        sentences = [self.fill(one) for one in rng.sample(phrases.SENTENCES, rng.randint(2, 4))]
        sentences += [self.fill(one) for one in rng.sample(phrases.CHATTER, rng.randint(0, 2))]
        if rng.random() < 0.05:
            sentences.append(rng.choice(phrases.TRADITIONAL_CHATTER))
        rng.shuffle(sentences)
        text = ""
        for sentence in sentences:
            end = rng.choice(("，", "。", "！", "～", " ", "！！", "…", "\n"))
            if rng.random() < 0.22:
                end = rng.choice(phrases.EMOJI) + end
            if rng.random() < 0.06:
                end = rng.choice(phrases.PLATFORM_EMOTICONS) + end
            text += sentence + end
        if rng.random() < 0.05:
            text += f" {rng.choice(phrases.MENTIONS)} "
        if rng.random() < 0.03:
            text += f" {rng.choice(phrases.LINKS)} "
        hashtags = " ".join(f"#{tag}" for tag in tags)
        return f"{text.strip()} \t {hashtags}" if hashtags else text.strip()


def write_post(style: LatentStyle, month_of_year: int, rng: random.Random) -> PostText:
    """The text of one post of a style, written in a month of the year (1-12)."""
    writer = Writer(style, month_of_year, rng)
    tags = writer.tags() if rng.random() < 0.94 else ()
    return PostText(writer.title(), writer.body(tags), tags)
