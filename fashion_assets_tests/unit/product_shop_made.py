"""A small shop drawn by code, for tests of product models: three kinds of product that text and picture both tell."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np

KINDS = {"dress": "gown", "shoe": "sneaker", "bag": "tote"}
COLOURS = {"red": (200, 30, 40), "blue": (40, 60, 200)}
MATERIALS = ("cotton", "linen", "wool", "leather", "silk", "denim", "velvet", "suede", "canvas", "jersey")


def product_picture(kind: str, colour: str, seed: int) -> bytes:
    """A PNG of a shape by kind in a colour, on white."""
    rng = np.random.default_rng(seed)
    pixels = np.full((64, 64, 3), 255, np.uint8)
    shade = np.clip(np.array(COLOURS[colour])[::-1] + rng.integers(-25, 25, 3), 0, 255)
    fill = tuple(int(value) for value in shade)
    if kind == "dress":
        cv2.fillPoly(pixels, [np.array([[32, 6], [56, 60], [8, 60]], np.int32)], fill)
    elif kind == "shoe":
        cv2.ellipse(pixels, (32, 44), (26, 9), 0, 0, 360, fill, -1)
    else:
        cv2.rectangle(pixels, (14, 22), (50, 56), fill, -1)
    return bytes(cv2.imencode(".png", pixels)[1])


def write_model_shop(folder: Path, products: int = 90) -> None:
    """cards.csv and images/ of ``products`` products: labels kind and colour, one column of a single class, one without
    a label, a card of a known id, one product without text, one without picture, and a picture that no card names.
    """
    (folder / "images").mkdir(parents=True)
    rows = []
    for number in range(products):
        kind, colour = list(KINDS)[number % 3], list(COLOURS)[number // 3 % 2]
        material = MATERIALS[number // 6 % len(MATERIALS)]
        word = KINDS[kind] if number % 4 else kind
        code = f"model{chr(97 + number % 26)}{chr(97 + number // 26)}"
        name = "p-image" if number == 8 else f"p{number}"
        title = "" if number == 8 else f"{material} {word} {colour} {code}"
        rows.append([name, title, kind, colour, "always", ""])
        (folder / "images" / f"{name}.png").write_bytes(product_picture(kind, colour, number))
    rows.append(["p-text", "velvet gown red evening", "dress", "red", "always", ""])
    rows.append(["p1", "a second card of one id", "bag", "blue", "always", ""])
    (folder / "images" / "nobody.png").write_bytes(product_picture("bag", "red", 999))
    with (folder / "cards.csv").open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(["id", "title", "kind", "colour", "constant", "blank"])
        writer.writerows(rows)
