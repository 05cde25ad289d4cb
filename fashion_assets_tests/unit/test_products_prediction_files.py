"""Predictions against truth, file by file: the figures, and a sentence for everything that was not counted."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from fashion_assets.products.prediction_files import evaluate_files
from fashion_assets.storage.csv_text import csv_text
from fashion_assets.storage.errors import UserError

PREDICTIONS = """id,gender,gender_confidence,gender_abstained,season,season_confidence,season_abstained,inputs
1,Women,0.9,False,Summer,0.8,False,image+text
2,Men,0.6,False,Winter,0.4,True,image+text
3,Women,0.9,False,Summer,0.7,False,text
4,Men,0.8,False,Fall,0.9,False,image
9,Men,0.8,False,Fall,0.9,False,image
"""
TRUTH = """id,productDisplayName,gender,season
1,red dress,Women,Summer
2,red dress,Women,Winter
3,blue shirt,Women,
4,blue coat,Men,Spring
5,grey coat,Men,Spring
"""


def files(folder: Path, predictions: str = PREDICTIONS, truth: str = TRUTH) -> tuple[Path, Path]:
    one, other = folder / "preds.csv", folder / "truth.csv"
    one.write_text(predictions, encoding="utf-8")
    other.write_text(truth, encoding="utf-8")
    return one, other


def test_cells_and_names_that_were_written_as_no_formula_are_read_as_they_were(tmp_path: Path) -> None:
    table = pd.DataFrame({"id": ["=1+1", "b"], "-kind": ["-x", "+y"], "-kind_confidence": [0.9, 0.8]})
    written = csv_text(table)
    assert "'=1+1" in written and "'-x" in written and "'-kind" in written
    truth = csv_text(table[["id", "-kind"]])
    for text in (truth, truth.replace("'", "")):  # as this program writes it, and as a person does
        found = evaluate_files(*files(tmp_path, written, text))
        assert found.n_judged == 2 and found.metrics["-kind"].accuracy.value == 1.0


def test_the_file_says_how_its_labels_were_decided(tmp_path: Path) -> None:
    for column, words in (("together", "joint decoder;"), ("alone", "each head's own")):
        head, *rows = PREDICTIONS.splitlines()
        text = "\n".join([f"{head},decided", *(f"{row},{column}" for row in rows)]) + "\n"
        assert words in evaluate_files(*files(tmp_path, text)).decided
    assert "is not said" in evaluate_files(*files(tmp_path)).decided


def test_figures_and_a_sentence_for_what_was_left_out(tmp_path: Path) -> None:
    found = evaluate_files(*files(tmp_path))
    assert found.n_judged == 4 and found.n_predictions == 5 and found.n_truth == 5
    assert found.metrics["gender"].accuracy.value == pytest.approx(0.75)
    assert found.metrics["season"].accuracy.value == pytest.approx(2 / 3)
    assert (found.all_right.value, found.n_all_right) == (pytest.approx(1 / 3), 3)
    assert found.families == "families of near-identical names (productDisplayName)"
    notes = "\n".join(found.notes)
    assert "1 of 5 products of truth.csv have no prediction and are not judged (5)" in notes
    assert "1 of 5 products of preds.csv were predicted, but no true label is known (9)" in notes
    assert "season: 1 judged product without a true label does not count" in notes
    assert "season: 1 label of the truth is never predicted, 1 product, all wrong: Spring (1)" in notes
    rows = found.table().set_index("attribute")
    assert rows.loc["season", "coverage"] == pytest.approx(2 / 3)
    assert rows.loc["season", "accuracy_answered"] == pytest.approx(0.5)
    assert rows.loc["gender", "accuracy_missing_wrong"] == pytest.approx(3 / 5)
    # bins (0.86, 0.93], (0.53, 0.6], (0.73, 0.8]: |1 - 0.9| * 2 + |0 - 0.6| + |1 - 0.8|, over 4
    assert rows.loc["gender", "calibration_error"] == pytest.approx((0.2 + 0.6 + 0.2) / 4)


def test_repeated_ids_blank_ids_and_broken_rows_are_counted(tmp_path: Path) -> None:
    predictions = "id,gender\n1,Women\n1,Men\n,Men\n2,Women,what\n2,\n"
    found = evaluate_files(*files(tmp_path, predictions, "item_id,label_gender\n1,Women\n2,Men\n2,Women\n"))
    assert found.metrics["gender"].accuracy.value == pytest.approx(0.5)
    notes = "\n".join(found.notes)
    assert "preds.csv: 1 ids stand more than once (1)" in notes and "1 later rows are not" in notes
    assert "preds.csv: 1 rows have no id and are not judged (first: row 4)" in notes
    assert "preds.csv: 1 rows cannot be read and are not judged (first: row 5" in notes
    assert "truth.csv: 1 ids stand more than once (2)" in notes
    assert "gender: 1 blank prediction counts as wrong" in notes
    assert found.families.startswith("single products")


def test_families_of_the_truth_widen_the_interval(tmp_path: Path) -> None:
    rows = [(n, n // 20, "a" if n % 2 else "b") for n in range(400)]
    predictions = "id,x,x_confidence\n" + "".join(
        f"{n},{label if (family % 3) else 'a'},0.9\n" for n, family, label in rows
    )
    truth = "".join(f"{n},{family},{label}\n" for n, family, label in rows)
    by_family = evaluate_files(*files(tmp_path, predictions, "id,family,x\n" + truth)).metrics["x"].accuracy
    one_by_one = evaluate_files(*files(tmp_path, predictions, "id,group,x\n" + truth)).metrics["x"].accuracy
    assert by_family.value == one_by_one.value
    assert by_family.high - by_family.low > 1.3 * (one_by_one.high - one_by_one.low)


def test_a_product_without_a_family_is_one_of_its_own(tmp_path: Path) -> None:
    predictions = "id,x,x_confidence\n" + "".join(f"{n},{'ab'[n % 3 == 0]},0.9\n" for n in range(200))
    blank = "id,family,x\n" + "".join(f"{n},{'' if n else 'one'},a\n" for n in range(200))
    single = "id,family,x\n" + "".join(f"{n},{n},a\n" for n in range(200))
    found = [evaluate_files(*files(tmp_path, predictions, truth)).metrics["x"] for truth in (blank, single)]
    assert found[0].accuracy == found[1].accuracy and found[0].accuracy.low < found[0].accuracy.high


def test_parquet_and_gzip_are_read(tmp_path: Path) -> None:
    import gzip

    import pandas as pd

    pd.DataFrame({"id": [1, 2], "gender": ["Men", "Women"]}).to_parquet(tmp_path / "preds.parquet")
    (tmp_path / "truth.csv.gz").write_bytes(gzip.compress(b"id,gender\n1,Men\n2,Men\n"))
    found = evaluate_files(tmp_path / "preds.parquet", tmp_path / "truth.csv.gz")
    assert found.metrics["gender"].accuracy.value == 0.5


@pytest.mark.parametrize(
    ("predictions", "truth", "sentence"),
    [
        ("id,gender\n1,Men\n", "id,gender\n2,Men\n", "have no id in common"),
        ("id,gender\n1,Men\n", "name,gender\n1,Men\n", "truth.csv has no id column"),
        ("id,gender,gender_confidence\n1,Men,1\n", "id,season\n1,Fall\n", "truth.csv has no column gender"),
        ("id,gender\n1,Men\n", "id,gender\n1,\n", "has no true label of gender"),
        ("", "id,gender\n1,Men\n", "preds.csv is empty"),
    ],
)
def test_what_cannot_be_judged_is_a_sentence(
    tmp_path: Path, predictions: str, truth: str, sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        evaluate_files(*files(tmp_path, predictions, truth))


def test_asked_labels_have_to_be_there(tmp_path: Path) -> None:
    one, other = files(tmp_path)
    assert list(evaluate_files(one, other, labels=["gender"]).metrics) == ["gender"]
    with pytest.raises(UserError, match="has no column colour; it predicts gender, season"):
        evaluate_files(one, other, labels=["colour"])
    with pytest.raises(UserError, match="there is no file"):
        evaluate_files(one, tmp_path / "nowhere.csv")


def test_a_truth_that_is_not_utf8_is_read_by_the_encoding_that_is_named(tmp_path: Path) -> None:
    predictions, truth = files(
        tmp_path, "id,性别,性别_confidence\n1,女,.9\n2,男,.8\n", "id,性别\n1,女\n2,女\n"
    )
    truth.write_bytes(truth.read_text("utf-8").encode("gb18030"))
    with pytest.raises(UserError, match="name its encoding"):
        evaluate_files(predictions, truth)
    found = evaluate_files(predictions, truth, encoding="gb18030")
    assert found.metrics["性别"].accuracy.value == 0.5
