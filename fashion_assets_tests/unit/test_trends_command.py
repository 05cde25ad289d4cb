"""``fashion-assets trends forecast``: the files it writes, and a sentence for each broken one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from fashion_assets.cli.trends import trends_app
from fashion_assets.storage.errors import UserError
from fashion_assets.trends.series_files import read_series_csv


def run(*arguments: str) -> str:
    """What is printed; raises what the command raises."""
    app = typer.Typer()
    app.add_typer(trends_app, name="trends")
    result = CliRunner().invoke(app, ["trends", "forecast", *arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def weekly_file(path: Path, weeks: int) -> Path:
    rng = np.random.default_rng(0)
    dates = pd.date_range("2022-01-03", periods=weeks, freq="7D").strftime("%Y-%m-%d")
    rows = [
        pd.DataFrame({"series_id": name, "date": dates, "value": rng.uniform(1, 2, weeks)}) for name in "ab"
    ]
    pd.concat(rows).to_csv(path, index=False)
    return path


def test_the_forecast_and_its_backtest_are_written(tmp_path: Path) -> None:
    out, figures = tmp_path / "new" / "out.csv", tmp_path / "backtest.csv"
    said = run(
        str(weekly_file(tmp_path / "w.csv", 120)),
        "--horizon",
        "8",
        "--out",
        str(out),
        "--backtest",
        str(figures),
        "--fast",
    )
    found = pd.read_csv(out)
    assert list(found.columns) == ["series_id", "date", "mean", "lo", "hi", "model"]
    assert found.groupby("series_id").size().to_dict() == {"a": 8, "b": 8}
    assert found["date"][0] == "2024-04-22" and found["mean"].between(1, 2).all()
    assert set(pd.read_csv(figures)["model"]) == {"panel ensemble", "seasonal naive"}
    assert "2 series by panel ensemble" in said and "MASE" in said


def test_too_few_past_errors_give_no_interval_and_no_nan(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(
        "series_id,date,value\n" + "".join(f"a,2024-0{month}-01,{month}\n" for month in range(1, 5))
    )
    said = run(str(tmp_path / "s.csv"), "--horizon", "3", "--out", str(tmp_path / "o.csv"))
    assert "over 1 origin:" in said and "no interval to judge" in said and "nan" not in said
    assert pd.read_csv(tmp_path / "o.csv")[["lo", "hi"]].isna().all(axis=None)


def test_under_two_years_it_says_so(tmp_path: Path) -> None:
    said = run(str(weekly_file(tmp_path / "w.csv", 80)), "--horizon", "4", "--out", str(tmp_path / "o.csv"))
    assert "2 series: the yearly season cannot be known from 80 weeks (104 needed)" in said


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty"),
        ("series_id,date,value\n", "has a header but no rows"),
        (
            "series_id,date\na,2024-01-01\n",
            "w.csv: the series have the columns series_id, date; value is missing",
        ),
        ("series_id,date,value\na,2024-01-01,1\na,soon,2\n", "w.csv: line 3, column date: 'soon' is no date"),
        (
            "series_id,date,value\na,2024-01-01,1\na,2024-01-08,many\n",
            "line 3, column value: 'many' is no number",
        ),
        ("series_id,date,value\na,2024-01-01,1\n,2024-01-08,2\n", "line 3, column series_id: it is empty"),
        ("series_id,date,value\na,2024-01-01,1\na,2024-01-08,2\na,2024-01-08,3\n", "second in line 4"),
        ("series_id,date,value\na,2024-01-01,1,2,3\na,2024-01-08,2\n", "line 2 has more fields"),
        ("series_id,date,value\na,2024-01-01,1\na,2024-01-08,2,3\n", "Expected 3 fields in line 3, saw 4"),
    ],
)
def test_broken_files_get_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "w.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=sentence):
        run(str(path), "--out", str(tmp_path / "o.csv"))
    assert not (tmp_path / "o.csv").exists()


def test_no_file_no_text_and_a_folder_as_output(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no file"):
        run(str(tmp_path / "none.csv"), "--out", str(tmp_path / "o.csv"))
    (tmp_path / "w.csv").write_bytes(b"series_id,date,value\n\xff\xfe,2024,1\n")
    with pytest.raises(UserError, match="not UTF-8"):
        run(str(tmp_path / "w.csv"), "--out", str(tmp_path / "o.csv"))
    with pytest.raises(UserError, match="is a folder"):
        run(str(tmp_path / "w.csv"), "--out", str(tmp_path))


def test_missing_values_are_gaps_and_na_is_a_name(tmp_path: Path) -> None:
    path = tmp_path / "w.csv"
    path.write_text(
        "\ufeffseries_id,date,value\nNA,2024-01-01,\nNA,2024-01-08, 2 \nNA,2024-01-15,NaN\n", encoding="utf-8"
    )
    frame = read_series_csv(path)
    assert frame["series_id"].tolist() == ["NA"] * 3 and frame["value"].isna().tolist() == [True, False, True]
    assert frame.index.tolist() == [2, 3, 4]
