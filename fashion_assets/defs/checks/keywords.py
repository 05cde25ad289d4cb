"""Check of the keywords: the words of a month are those of the months before it."""

from collections import Counter

from fashion_assets.defs.checks.factory import Check, Finding, Look

#: Posts that both sides of a comparison need; of fewer, a word more or less is chance.
MIN_POSTS = 100


def vocabulary_drift(look: Look) -> Finding:
    """Words of the month against the year before: the stability index of their frequencies (PSI) is at most 0.5, and
    what chance adds.
    """
    from fashion_assets.trends.drift import word_drift

    counts, posts = _words(look, look.month)
    before: Counter[str] = Counter()
    posts_before = 0
    for month in look.earlier("fashion_keywords"):
        words, rows = _words(look, month)
        before += words
        posts_before += rows
    if min(posts, posts_before) < MIN_POSTS:
        return Finding(
            True, f"{posts} posts, {posts_before} before them: under {MIN_POSTS} words tell nothing"
        )
    drift = word_drift(before, counts)
    moved = ", ".join(f"{word} {was:.1%} -> {now:.1%}" for word, was, now in drift.moved)
    stability = drift.stability
    return Finding(
        not stability.changed,
        f"PSI {stability.psi:.3f} (limit {stability.limit:.3f}), {drift.unseen:.1%} of mentions are of unseen words"
        + (f"; most moved: {moved}" if moved else ""),
        {"psi": stability.psi, "limit": stability.limit, "unseen": drift.unseen},
    )


def _words(look: Look, month: str) -> tuple[Counter[str], int]:
    """How many posts name each keyword, and all posts of the month."""
    import pyarrow.compute as pc

    column = look.lake.read("fashion_keywords", month, columns=["keywords"])["keywords"]
    counted = pc.value_counts(pc.list_flatten(column).combine_chunks())
    return Counter({item["values"]: item["counts"] for item in counted.to_pylist()}), len(column)


KEYWORD_CHECKS = [Check("fashion_keywords", "vocabulary_drift", vocabulary_drift)]
