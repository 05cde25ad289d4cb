"""``python -m fashion_assets.defs.home DIR`` makes the run-history folder that ``make ui`` starts with."""

from __future__ import annotations

import sys
from pathlib import Path

from fashion_assets.defs.runner import prepare_dagster_home
from fashion_assets.settings import Settings

if __name__ == "__main__":
    prepare_dagster_home(Settings(data_dir=Path(sys.argv[1])))
