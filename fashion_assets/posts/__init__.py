"""Crawled posts: from a crawl file as it comes from the platform to clean rows, and a reason for every other
row.

Belongs here: reading crawl files, landing them in the lake by the post's month, resolving dates and counts,
cleaning text, hashing author ids. Does not belong here: words and phrases (``keywords``), decoding pictures
(``media`` - here a picture is only bytes with a digest), and anything that knows of Dagster.
"""
