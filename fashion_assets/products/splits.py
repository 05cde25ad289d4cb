"""Which products are learnt from, chosen by, and judged on: whole families, every label column in its share.

Belongs here: the split and its file. Does not: what a family is (``families``).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from fashion_assets.products.counted import counted
from fashion_assets.products.families import families_of
from fashion_assets.products.model_folder import FINETUNING
from fashion_assets.products.schemas import LABEL_PREFIX, PRODUCT_SPLIT
from fashion_assets.storage.csv_text import csv_text, with_formula
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import write_text_atomic

SPLIT_FILE = "split.csv"
SPLITS = ("train", "validation", "test")


def product_split(
    products: pd.DataFrame, *, test_share: float = 0.2, validation_share: float = 0.15, seed: int = 7
) -> npt.NDArray[np.object_]:
    """ "train", "validation" or "test" of each product (n,); shares are of all products.

    Whole families, stratified over all label columns at once (``family_split``). Same products and seed, same
    split. Raises UserError for shares that leave nothing to learn from, or fewer than three families.
    """
    return _split(products, families_of(products), test_share, validation_share, seed)


def split_table(
    products: pd.DataFrame, *, test_share: float = 0.2, validation_share: float = 0.15, seed: int = 7
) -> pd.DataFrame:
    """``PRODUCT_SPLIT`` rows of ``product_split``, in the order of ``products``."""
    families = families_of(products)
    return pd.DataFrame(
        {
            "id": products["id"].astype(str).to_numpy(),
            "family": families,
            "split": _split(products, families, test_share, validation_share, seed),
        },
        columns=PRODUCT_SPLIT.names,
    )


def _split(
    products: pd.DataFrame,
    families: npt.NDArray[np.int64],
    test_share: float,
    validation_share: float,
    seed: int,
) -> npt.NDArray[np.object_]:
    if validation_share <= 0 or test_share + validation_share >= 1:
        raise UserError(
            f"the test share is {test_share} and the validation share {validation_share}; both must be above 0 "
            "and leave something to learn from, such as 0.2 and 0.15"
        )
    if (count := len(set(families.tolist()))) < len(SPLITS):
        raise UserError(
            f"{counted(len(families), 'product')} in {count} famil{'y' if count == 1 else 'ies'}; train, validation "
            "and test need one each at least: add other products"
        )
    labels = products[[name for name in products.columns if str(name).startswith(LABEL_PREFIX)]]
    split = family_split(families, labels, test_share=test_share, seed=seed)
    rest = np.flatnonzero(split == "train")
    if len(set(families[rest].tolist())) < 2:  # as many families as splits: one of the test's two moves over
        moved = families == families[np.flatnonzero(split == "test")[0]]
        split[moved] = "validation"
        return split
    share = validation_share / (1 - test_share)
    held_out = family_split(families[rest], labels.iloc[rest], test_share=share, seed=seed)
    split[rest[held_out == "test"]] = "validation"
    return split


def write_split(folder: Path, table: pd.DataFrame) -> Path:
    """Write ``<folder>/split.csv`` (id, family, split) and return its path."""
    path = Path(folder) / SPLIT_FILE
    write_text_atomic(path, csv_text(table[PRODUCT_SPLIT.names], lineterminator="\n"))
    return path


def store_first_split(folder: Path, table: pd.DataFrame) -> None:
    """Keep ``table`` for the trainings that follow in the model folder ``folder``: in its ``finetuning`` where it has
    another split already, which may be part of a finished model.
    """
    place = Path(folder)
    if (place / SPLIT_FILE).is_file():
        if _parts(read_split(place)) == _parts(table):
            return
        place = place / FINETUNING
    write_split(place, table)


def read_split(folder: Path) -> pd.DataFrame:
    """The ``PRODUCT_SPLIT`` rows that ``write_split`` wrote. Raises UserError if there are none or they are damaged."""
    path = Path(folder) / SPLIT_FILE
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except FileNotFoundError as error:
        raise UserError(f"{folder} holds no {SPLIT_FILE}; train first, which stores the split") from error
    except (ValueError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is damaged ({error}); delete it to split anew") from error
    if (
        list(table.columns) != PRODUCT_SPLIT.names
        or not set(table["split"]) <= set(SPLITS)
        or not table["family"].str.fullmatch(r"\d+").all()
    ):
        raise UserError(
            f"{path} is no split (columns {', '.join(table.columns)}); expected {', '.join(PRODUCT_SPLIT.names)}, "
            f"with numbers in family and {', '.join(SPLITS)} in the last. Delete it to split anew"
        )
    return table.assign(id=table["id"].map(with_formula), family=table["family"].astype(np.int64))


def stored_or_new_split(folder: Path, products: pd.DataFrame, *, seed: int = 7) -> tuple[pd.DataFrame, str]:
    """``kept_split`` of what ``split_table`` draws of ``products``. Raises UserError as both."""
    return kept_split(folder, split_table(products, seed=seed))


def kept_split(folder: Path, drawn: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """(``PRODUCT_SPLIT`` rows in the order of ``drawn``, a sentence where they are not ``drawn``, today's split).

    The split stored in ``folder``, or by a fine-tuning there, is kept as long as the products are the same and no
    family of theirs stands on two sides of it: with other labels, or encoders that were tuned on its training part,
    test products stay unseen.
    Raises UserError for a damaged file as ``read_split``.
    """
    for place in (Path(folder), Path(folder) / FINETUNING):
        parts = _parts(read_split(place)) if (place / SPLIT_FILE).is_file() else {}
        if set(parts) != set(drawn["id"]):
            continue
        kept = drawn.assign(split=drawn["id"].map(parts))
        if kept.equals(drawn):
            return drawn, ""
        whole = kept.groupby("family")["split"].nunique().max() == 1
        # Of products that were too few all were kept to learn from: that judges nothing.
        if whole and set(kept["split"]) == set(SPLITS):
            return kept, (
                f"the split is that of an earlier training in {place}; other labels or another seed would draw "
                f"another: delete {SPLIT_FILE} there to split anew"
            )
    return drawn, ""


def _parts(table: pd.DataFrame) -> dict[str, str]:
    """Id -> part."""
    return dict(zip(table["id"].astype(str), table["split"], strict=True))


def split_arrow(table: pd.DataFrame) -> pa.Table:
    """The lake table ``product_split``."""
    return pa.Table.from_pandas(table, schema=PRODUCT_SPLIT, preserve_index=False)


def family_split(
    families: npt.ArrayLike,
    labels: pd.DataFrame | Sequence[object] | npt.NDArray[np.object_] | None = None,
    *,
    test_share: float = 0.2,
    seed: int = 7,
) -> npt.NDArray[np.object_]:
    """ "train" or "test" for each product (n,); a family is never in both. Same input and seed, same split.

    Stratified as well as whole families allow: families are dealt, those with the rarest label and the big
    ones first, to the test side as long as it is due more of the labels they carry (after the iterative
    stratification of Sechidis et al. 2011, with families for items). A label that only one family carries
    goes to train: a test of an unseen label says nothing. Raises UserError for fewer than two families or a
    share outside (0, 1).
    """
    groups, family_count = _dense(families)
    if not 0 < test_share < 1:
        raise UserError(f"the test share is {test_share}; it must lie between 0 and 1, such as 0.2")
    if family_count < 2:
        raise UserError(
            f"{len(groups)} products form {family_count} family, which cannot be split; add other products"
        )
    counts, carriers = _label_counts(groups, family_count, labels)
    sizes = np.bincount(groups, minlength=family_count)
    totals: dict[int, int] = {}
    for family in counts:
        for label, number in family.items():
            totals[label] = totals.get(label, 0) + number
    rarest = np.array([min((carriers[label] for label in family), default=family_count) for family in counts])
    order = np.random.default_rng(seed).permutation(family_count)
    # Rarest label first, then big families before small ones (by powers of two), ties at random: every size
    # then gives its due to the test side. Dealt at random, the small ones would use up the room and no big
    # family be tested.
    order = order[np.lexsort((-np.floor(np.log2(sizes[order])), rarest[order]))]
    is_test = np.zeros(family_count, dtype=bool)
    due = dict.fromkeys(totals, 0.0)
    for family in order:
        for label, number in counts[family].items():
            due[label] += test_share * number
        if rarest[family] < 2:
            continue
        # How much nearer the test side comes to what it is due of every label, relative to the label's size.
        gain = sum(
            (abs(due[label]) - abs(due[label] - number)) / totals[label]
            for label, number in counts[family].items()
        )
        if gain > 0:
            is_test[family] = True
            for label, number in counts[family].items():
                due[label] -= number
    if is_test.all() or not is_test.any():
        smallest = order[np.argmin(sizes[order])]
        is_test[smallest] = not is_test[smallest]
    return np.where(is_test[groups], "test", "train").astype(object)


def _dense(families: npt.ArrayLike) -> tuple[npt.NDArray[np.int64], int]:
    codes, values = pd.factorize(np.asarray(families))
    return codes.astype(np.int64), len(values)


def _label_counts(
    groups: npt.NDArray[np.int64],
    family_count: int,
    labels: pd.DataFrame | Sequence[object] | npt.NDArray[np.object_] | None,
) -> tuple[list[dict[int, int]], dict[int, int]]:
    """Per family {label: items}, and per label the number of families that carry it; every item also has
    label -1.
    """
    counts: list[dict[int, int]] = [{} for _ in range(family_count)]
    columns = [np.full(len(groups), -1, dtype=np.int64)]
    offset = 0
    frame = (
        labels
        if isinstance(labels, pd.DataFrame)
        else pd.DataFrame({"label": [] if labels is None else list(labels)})
    )
    if labels is not None and len(frame) != len(groups):
        raise UserError(
            f"there are {len(groups)} products and {len(frame)} rows of labels; give one row per product"
        )
    for name in frame.columns if labels is not None else ():
        codes, values = pd.factorize(frame[name])
        columns.append(np.where(codes < 0, -2, codes + offset).astype(np.int64))
        offset += len(values)
    carriers: dict[int, int] = {}
    for column in columns:
        for group, label in zip(groups.tolist(), column.tolist(), strict=True):
            if label != -2:
                counts[group][label] = counts[group].get(label, 0) + 1
    for family in counts:
        for label in family:
            carriers[label] = carriers.get(label, 0) + 1
    return counts, carriers
