"""What people open: the monthly HTML page, its montage, the interactive atlas, the charts in asset metadata.

Belongs here: turning tables and pictures that other packages made into self-contained pages and images, and
the rules that keep those safe to open (everything from a post escaped, no request to anywhere, nothing
above a garment mask published). Does not belong here: computing any figure that a table already holds,
reading the lake, choosing which month to render.
"""
