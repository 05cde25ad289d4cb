"""Checks of what arrived: counts add up, and a month looks as the months before it make one expect."""

from datetime import date, datetime, timedelta

from fashion_assets.defs.checks.factory import Check, Finding, Look
from fashion_assets.defs.landing import PLATFORM_ZONE
from fashion_assets.defs.records import data_version

#: Above this share of refused rows someone should look also at a first month, which has no history.
HIGH_QUARANTINE_RATE = 0.2

#: Above this share of posts with a text that another post of the month has, a first month is worth a look: campaigns
#: and crawlers that write a post again under a new id bring such.
HIGH_REPEATED_RATE = 0.5

#: As many rows may be chance, whatever share of a small month they are: one of three is a third, and tells nothing.
FEW_ROWS = 5

#: Posts that a month should have, or has, before its volume is judged: of fewer, chance alone halves or doubles them.
MIN_POSTS = 50


def kept_and_quarantined_add_up(look: Look) -> Finding:
    """Rows landed = older crawls + kept + quarantined: nothing is lost and nothing doubled.

    Where files of the month have landed since ``raw_posts`` was made, it is the rows that it was made of: the others
    come with the next one, which is asked for already.
    """
    from fashion_assets.posts.month_digests import landing_digest
    from fashion_assets.posts.raw import arrival_counts, counts_of

    landed = arrival_counts(look.settings.lake, look.month)
    made_of = data_version(look.instance, "raw_posts", str(look.partition))
    as_landed = made_of == landing_digest(look.settings.lake, look.month)
    arrived = landed if as_landed else counts_of(look.lake.read("raw_posts", look.month, ["superseded"]))
    later = landed["rows"] - arrived["rows"]
    kept = look.lake.row_count("cleaned_posts", look.month)
    refused = look.lake.row_count("quarantined_posts", look.month)
    return Finding(
        arrived["rows"] == arrived["superseded"] + kept + refused,
        f"{arrived['rows']} rows arrived = {arrived['superseded']} older crawls + {kept} kept + {refused} quarantined"
        + ("" if as_landed else f"; {later} rows have landed since"),
        {
            **{f"arrived_{name}": value for name, value in arrived.items()},
            "kept": kept,
            "quarantined": refused,
        },
    )


def quarantine_rate(look: Look) -> Finding:
    """No more rows are refused than in the year before (four standard deviations), and no more than a fifth."""
    from fashion_assets.trends.usual import rate_against_history

    def counts(month: str) -> tuple[int, int]:
        refused = look.lake.row_count("quarantined_posts", month)
        return refused, refused + look.lake.row_count("cleaned_posts", month)

    refused, rows = counts(look.month)
    stored = set(look.earlier("cleaned_posts"))
    judged = rate_against_history(
        refused,
        rows,
        [counts(month) for month in look.earlier("quarantined_posts") if month in stored],
    )
    limit = _limit(HIGH_QUARANTINE_RATE, judged.limit, rows)
    usual = f"; {judged.usual:.1%} are usual" if judged.usual is not None else ""
    return Finding(
        judged.rate <= limit,
        f"{refused} of {rows} rows were refused ({judged.rate:.1%}; limit {limit:.1%}{usual})",
        {"rate": judged.rate, "limit": limit},
    )


def repeated_texts(look: Look) -> Finding:
    """No more posts have a text that another post of the month has than in the year before, and no more than half."""
    from fashion_assets.trends.usual import rate_against_history

    repeated, posts = _repeats(look, look.month)
    judged = rate_against_history(
        repeated, posts, [_repeats(look, month) for month in look.earlier("cleaned_posts")]
    )
    limit = _limit(HIGH_REPEATED_RATE, judged.limit, posts)
    return Finding(
        judged.rate <= limit,
        f"{repeated} of {posts} posts repeat the text of another ({judged.rate:.1%}; limit {limit:.1%})",
        {"rate": judged.rate, "limit": limit},
    )


def _limit(fixed: float, by_history: float | None, total: int) -> float:
    """The share up to which a month is as it should be: the lower of both limits, and never under `FEW_ROWS` rows."""
    limit = fixed if by_history is None else min(fixed, by_history)
    return max(limit, min(FEW_ROWS / max(total, 1), 1.0))


def _repeats(look: Look, month: str) -> tuple[int, int]:
    """(posts beyond the first of each text, all posts) of a month; empty texts are not of one another."""
    import pyarrow.compute as pc

    from fashion_assets.posts.same_text import EMPTY_TEXT

    column = look.lake.read("cleaned_posts", month, columns=["content_hash"])["content_hash"]
    texts = column.filter(pc.not_equal(column, EMPTY_TEXT))
    return len(texts) - pc.count_distinct(texts).as_py(), len(column)


def month_volume(look: Look) -> Finding:
    """Posts a day lie between half and twice the usual, or within four robust standard deviations of the year before.

    A month without any post, where earlier months have some, warns too. Where fewer than 50 posts are usual and
    no more came, all this may be chance.
    """
    from fashion_assets.trends.coverage import first_day, last_day
    from fashion_assets.trends.usual import volume_against_history

    def per_day(posts: int, month: str, end: date) -> float:
        return posts / max((end - first_day(month)).days + 1, 1)

    # Earlier months by the calendar, from their footers alone; the median bears one that was never completed.
    earlier = [
        per_day(look.lake.row_count("cleaned_posts", month), month, last_day(month))
        for month in look.earlier("cleaned_posts")
    ]
    posts, end = look.lake.row_count("cleaned_posts", look.month), _days(look)[1]
    judged = volume_against_history(per_day(posts, look.month, end), earlier)
    usual = judged.usual if judged.usual is not None else max(earlier, default=0.0)
    expected = usual * ((end - first_day(look.month)).days + 1)
    told = max(posts, expected) >= MIN_POSTS
    if not posts:
        return Finding(
            not told, f"no post, though {expected:.0f} are usual" if told else "no post", {"posts": 0}
        )
    found = f"{posts} posts, {judged.per_day:.1f} a day; "
    if not told:
        found += f"fewer than {MIN_POSTS} tell nothing"
    elif judged.usual is None:
        found += "too few months before it to tell"
    else:
        found += f"{judged.usual:.1f} are usual"
    return Finding(not (told and judged.unusual), found, {"posts": posts})


def no_missing_days(look: Look) -> Finding:
    """No run of days without a post is longer than chance explains, to the month's end or the newest crawl.

    A month that is due and was last crawled before its end lacks its last days: it is late.
    """
    from fashion_assets.trends.coverage import first_day
    from fashion_assets.trends.usual import missing_days

    days, end = _days(look)
    posts = look.lake.row_count("cleaned_posts", look.month)
    gap = missing_days(days, posts, first_day(look.month), end)
    if gap is None:
        return Finding(True, f"{len(days)} days with posts up to {end:%Y-%m-%d}, no gap but by chance")
    return Finding(
        False,
        f"no post from {gap.first:%Y-%m-%d} to {gap.last:%Y-%m-%d}, which chance does not explain",
        {"first": str(gap.first), "last": str(gap.last), "days": gap.days},
    )


def _days(look: Look) -> tuple[list[date], date]:
    """The days with posts, and the last day that should have some: the month's end where the month is due, else the
    day before the newest crawl.
    """
    import pyarrow.compute as pc

    from fashion_assets.reports.closing import latest_due_month
    from fashion_assets.trends.coverage import first_day, last_day

    table = look.lake.read("cleaned_posts", look.month, columns=["post_date", "fetched_at"])
    days = [day for day in pc.unique(table["post_date"]).to_pylist() if day is not None]
    end = last_day(look.month)
    if look.month > latest_due_month(datetime.now(PLATFORM_ZONE)):
        crawled = pc.max(table["fetched_at"]).as_py()
        known = crawled.date() - timedelta(days=1) if crawled is not None else max(days, default=end)
        end = min(end, max(known, first_day(look.month)))
    return days, end


POST_CHECKS = [
    Check(
        "cleaned_posts",
        "kept_and_quarantined_add_up",
        kept_and_quarantined_add_up,
        severity="ERROR",
        blocking=True,
        reads=("quarantined_posts",),
    ),
    Check("cleaned_posts", "repeated_texts", repeated_texts),
    Check("cleaned_posts", "month_volume", month_volume),
    Check("cleaned_posts", "no_missing_days", no_missing_days),
    # Cleaned_posts is made by the same step, just before: reading it needs no edge, which would be a circle.
    Check("quarantined_posts", "quarantine_rate", quarantine_rate),
]
