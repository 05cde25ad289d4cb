"""Pictures and videos: decoding, perceptual hashes, garment regions, crops, and what privacy asks of them.

Belongs here: everything that looks at pixels to describe or cut them, as plain functions from arrays and data
frames to arrays and data frames. Does not belong here: vectors (``encoders``), which pictures a report shows
(``reports``), and unpacking what a crawl brought (``posts``).
"""
