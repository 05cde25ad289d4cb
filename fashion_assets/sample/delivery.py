"""Posts with their ids, days and engagement, and the crawl records that deliver them: on time, late, again.

Belongs here: who posted what when, and what a crawler saw of it. Words are in `post_text`, files in
`crawl_files`.
"""

from __future__ import annotations

import calendar
import math
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from fashion_assets.sample import phrases
from fashion_assets.sample.post_text import PostText, write_post
from fashion_assets.sample.styles import STYLES, LatentStyle

COLUMNS: Final = (
    "poster_id",
    "post_id",
    "post_title",
    "post_location",
    "post_date",
    "post_time",
    "post_content",
    "post_tag",
    "post_comments",
    "post_like",
    "post_collect",
    "post_fetch_time",
)
LATE_SHARE: Final = 0.04
REPEAT_SHARE: Final = 0.06
NO_TEXT_SHARE: Final = 0.01
AUTHORS_PER_POST: Final = 0.35
CRAWL_DAYS: Final = 6
"""A crawl runs over the first days of the next month."""
RELATIVE_DATE_SHARE: Final = 0.4
"""Of the posts of the last days before a crawl, as many are shown by the platform as 昨天 or 3天前."""
SHANGHAI: Final = timedelta(hours=8)

Record = dict[str, str | None]


@dataclass(frozen=True)
class Post:
    """One made-up post; `created` is Asia/Shanghai wall time, `month` the index of its month."""

    post_id: str
    author: str
    style: LatentStyle
    created: datetime
    month: int
    text: PostText
    likes: int
    collects: int
    comments: int
    n_pictures: int


@dataclass(frozen=True)
class Delivery:
    """One record of a crawl file: `crawl` is the index of the crawl's month, `kind` ok, late or repeat."""

    post: Post
    crawl: int
    kind: str
    fetched: datetime
    record: Record


def month_start(start: str, index: int) -> datetime:
    """First second of the `index`-th month after `start` ("2024-01")."""
    year, month = (int(part) for part in start.split("-"))
    return datetime(year + (month - 1 + index) // 12, (month - 1 + index) % 12 + 1, 1)


def month_name(start: str, index: int) -> str:
    """The `index`-th month as "2024-01"."""
    return f"{month_start(start, index):%Y-%m}"


def object_id(created: datetime, rng: random.Random) -> str:
    """24 hex digits whose first eight are the creation second, as ids of the source have it."""
    second = int((created - SHANGHAI - datetime(1970, 1, 1)).total_seconds())
    return f"{second:08x}{rng.getrandbits(64):016x}"


def make_posts(start: str, months: int, posts_per_month: int, rng: random.Random) -> list[Post]:
    """`posts_per_month` posts for each month, in order of month; styles follow their season and trend."""
    n_authors = max(3, round(AUTHORS_PER_POST * posts_per_month))
    authors = {
        style.name: [
            object_id(datetime(2021, 1, 1) + timedelta(days=rng.random() * 900), rng)
            for _ in range(n_authors // 5 + 1)
        ]
        for style in STYLES
    }
    posts = []
    for index in range(months):
        first = month_start(start, index)
        n_days = calendar.monthrange(first.year, first.month)[1]
        weights = [style.weight(index, first.month) for style in STYLES]
        for style in rng.choices(STYLES, weights, k=posts_per_month):
            day_second = min(86399, max(0, round(rng.gauss(18.5, 3.6) * 3600)))
            created = first + timedelta(days=rng.randrange(n_days), seconds=day_second)
            home = style.name if rng.random() < 0.8 else rng.choice(STYLES).name
            likes = max(0, round(math.exp(rng.gauss(math.log(style.median_likes), 1.1))))
            pictures = rng.random()
            text = write_post(style, first.month, rng)
            n_pictures = 0 if pictures < 0.02 else 2 if pictures < 0.10 else 1
            if n_pictures and rng.random() < NO_TEXT_SHARE:
                text = PostText("", "", ())
            posts.append(
                Post(
                    object_id(created, rng),
                    rng.choice(authors[home]),
                    style,
                    created,
                    index,
                    text,
                    likes,
                    round(likes * rng.uniform(0.15, 0.6)),
                    round(likes * rng.uniform(0.02, 0.12)),
                    n_pictures,
                )
            )
    return posts


def shown_count(value: int, rng: random.Random) -> str:
    """A count as the platform shows it: 128, 1,234, 1.2k, 1.2万."""
    if value >= 10_000:
        return f"{value / 10_000:.1f}{rng.choice('万万万w')}"
    chance = rng.random()
    if value >= 1_000 and chance < 0.04:
        return f"{value:,}"
    if value >= 1_000 and chance < 0.07:
        return f"{value / 1_000:.1f}k"
    if value >= 1_000 and chance < 0.08:
        return f"{value // 1_000}千+"
    if value < 10 and chance < 0.3:
        return "10+"
    return str(value)


def _shown_date(
    post: Post, fetched: datetime, relative: bool, rng: random.Random
) -> tuple[str | None, str | None]:
    """What the columns post_date and post_time say."""
    created = post.created
    days = (fetched.date() - created.date()).days
    if relative:
        if days != 1:
            return f"{days}天前", None
        clock = f"{created:%H:%M}"
        return ("昨天", clock) if rng.random() < 0.3 else (f"昨天 {clock}", None)
    chance = rng.random()
    if chance < 0.04:
        return None, None
    if chance < 0.09:
        return f"编辑于 {created:%m-%d}", None
    if chance < 0.17:
        return f"{created:%Y-%m-%d}", None
    return f"{created:%m-%d}", None


def make_record(post: Post, fetched: datetime, growth: float, relative: bool, rng: random.Random) -> Record:
    """The 12 columns as the platform shows the post at `fetched`; `growth` multiplies its counts."""
    shown, clock = _shown_date(post, fetched, relative, rng)
    likes, collects, comments = (math.ceil(n * growth) for n in (post.likes, post.collects, post.comments))
    return {
        "poster_id": post.author,
        "post_id": post.post_id,
        "post_title": f"{post.text.title} - " + ("小红书" if rng.random() < 0.08 else ""),
        "post_location": rng.choice(phrases.PROVINCES) if rng.random() < 0.08 else None,
        "post_date": shown,
        "post_time": clock,
        "post_content": post.text.body or None,
        "post_tag": ", ".join(post.text.tags) or None,
        "post_comments": shown_count(comments, rng) if rng.random() > 0.01 else None,
        "post_like": shown_count(likes, rng),
        "post_collect": shown_count(collects, rng),
        "post_fetch_time": f"{fetched:%Y-%m-%d %H:%M:%S}",
    }


def fetch_time(start: str, crawl: int, days: tuple[int, int], rng: random.Random) -> datetime:
    """A second of the crawl of a month, on one of the days (0 = first of the next month), both included."""
    day = rng.randint(*days)
    return month_start(start, crawl + 1) + timedelta(days=day, hours=8, seconds=rng.randrange(15 * 3600))


def deliver(posts: list[Post], start: str, months: int, rng: random.Random) -> list[Delivery]:
    """Every post once, `REPEAT_SHARE` of them twice; late ones a month or two after their own."""
    deliveries = []
    for post in posts:
        latest = months - 1 - post.month
        late = latest > 0 and rng.random() < LATE_SHARE * months / max(1, months - 1)
        crawl = post.month + (min(latest, rng.randint(1, 2)) if late else 0)
        again = rng.random() < REPEAT_SHARE
        fetched = fetch_time(start, crawl, (0, CRAWL_DAYS // 2 - 1) if again else (0, CRAWL_DAYS - 1), rng)
        recent = (fetched.date() - post.created.date()).days <= 7
        relative = recent and rng.random() < RELATIVE_DATE_SHARE
        record = make_record(post, fetched, 1.0, relative, rng)
        deliveries.append(Delivery(post, crawl, "late" if late else "ok", fetched, record))
        if again:
            # In the last crawl a repeat can only be a second visit of the same crawl.
            later = rng.randint(crawl + 1, months - 1) if crawl + 1 < months else crawl
            seen = fetch_time(start, later, (CRAWL_DAYS // 2, CRAWL_DAYS - 1), rng)
            repeated = make_record(post, seen, rng.uniform(1.1, 1.8), False, rng)
            deliveries.append(Delivery(post, later, "repeat", seen, repeated))
    return deliveries
