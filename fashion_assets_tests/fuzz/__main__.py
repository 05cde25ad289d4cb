"""``python -m fashion_assets_tests.fuzz TARGET CORPUS -max_total_time=20``: one target under atheris (libFuzzer)."""

from __future__ import annotations

import sys

import atheris


def main() -> None:
    with atheris.instrument_imports(
        include=[
            "fashion_assets.posts",
            "fashion_assets.products",
            "fashion_assets.encoders.word_vector_files",
            "zipfile",
            "csv",
        ]
    ):
        from fashion_assets_tests.fuzz.targets import TARGETS

    name, *rest = sys.argv[1:]
    atheris.Setup([sys.argv[0], *rest], TARGETS[name])
    atheris.Fuzz()


main()
