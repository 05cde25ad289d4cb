"""Words of fashion in posts: normal form, tokens, stopwords, the lexicon, RAKE phrases, scored keywords per
post.

Belongs here: everything between a cleaned text and its keywords, as plain functions over strings and data
frames, and the counts and weights of words per month or per group (`facets`). Does not belong here: cleaning
of raw text (`posts`), vectors of words and posts (`encoders`), what a style is called in a report (`styles`),
Dagster assets (`defs`).
"""
