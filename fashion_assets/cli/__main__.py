"""``python -m fashion_assets.cli``."""

from fashion_assets.cli import main

main()
