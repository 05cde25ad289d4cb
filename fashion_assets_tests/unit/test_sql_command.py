"""``fashion-assets sql`` writes every type of DuckDB, the same way as a table, CSV and JSON."""

from __future__ import annotations

import csv
import errno
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from fashion_assets.cli import app
from fashion_assets.cli.answers import TableFormat, sql
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.warehouse import answer, publish_tables


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    publish_tables(folder / "warehouse.duckdb", {"posts": pa.table({"post_id": ["a", "b"]})})
    return folder


def asked(root: Path, statement: str, kind: str) -> str:
    wide = {"COLUMNS": "400"}  # so that no cell of the table is broken
    printed = CliRunner(env=wide).invoke(
        app, ["sql", statement, "--data-dir", str(root), "--format", kind], catch_exceptions=False
    )
    assert printed.exit_code == 0, printed.output
    return printed.output


#: Expression -> what JSON says, and the cell of CSV and table where that is not the JSON text itself.
VALUES: list[tuple[Any, ...]] = [
    ("7", 7, "7"),
    ("170141183460469231731687303715884105727::hugeint", 2**127 - 1, str(2**127 - 1)),
    ("18446744073709551615::ubigint", 2**64 - 1, str(2**64 - 1)),
    ("-5", -5, "-5"),
    ("0.1::float", 0.1, "0.1"),
    ("0.1::double", 0.1, "0.1"),
    ("1.50::decimal(5,2)", 1.5, "1.5"),
    ("3::decimal(5,0)", 3, "3"),
    ("12345678901234567.89::decimal(30,2)", "12345678901234567.89", "12345678901234567.89"),
    ("true", True, "True"),
    ("'裙'", "裙", "裙"),
    ("'x'::enum('x', 'y')", "x", "x"),
    ("'{\"a\": 1}'::json", '{"a": 1}', '{"a": 1}'),
    ("'00000000-0000-0000-0000-000000000001'::uuid", *["00000000-0000-0000-0000-000000000001"] * 2),
    ("'abc'::blob", "616263", "616263"),
    ("date '2024-01-01'", "2024-01-01", "2024-01-01"),
    ("date '12024-01-01'", "12024-01-01", "12024-01-01"),
    ("'infinity'::date", "infinity", "infinity"),
    ("time '10:11:12'", "10:11:12", "10:11:12"),
    ("time_ns '10:11:12.123456789'", "10:11:12.123456789", "10:11:12.123456789"),
    ("timestamp '2024-01-01 10:11:12'", "2024-01-01T10:11:12", "2024-01-01T10:11:12"),
    ("timestamp_s '2024-01-01 10:11:12'", "2024-01-01T10:11:12", "2024-01-01T10:11:12"),
    ("timestamp_ns '2024-01-01 00:00:00.123456789'", *["2024-01-01T00:00:00.123456789"] * 2),
    ("timestamp '12024-01-01 00:00:00'", *["12024-01-01T00:00:00.000000"] * 2),
    ("'infinity'::timestamp", "infinity", "infinity"),
    ("'infinity'::timestamptz", "infinity", "infinity"),
    ("interval 1 day", "1 day", "1 day"),
    ("interval '1 year 2 months 3 days 4 hours 0.5 seconds'", *["1 year 2 months 3 days 04:00:00.5"] * 2),
    ("interval 0 day", "00:00:00", "00:00:00"),
    ("[]", [], "[]"),
    ("[1, null]::int[2]", [1, None], "[1, null]"),
    ("['裙']", ["裙"], '["裙"]'),
    ("[date '2024-01-01']", ["2024-01-01"], '["2024-01-01"]'),
    ("[0.1::float, 'nan', 'inf']", [0.1, None, None], "[0.1, null, null]"),
    ("[interval '-1 month']", ["-1 month"], '["-1 month"]'),
    ("['abc'::blob]", ["616263"], '["616263"]'),
    ("[{'x': 1.5::decimal(5,2)}]", [{"x": 1.5}], '[{"x": 1.5}]'),
    ("{'a': null, 'b': ['infinity'::timestamp]}", *[{"a": None, "b": ["infinity"]}] * 2),
    ("map {'a': 1}", {"a": 1}, '{"a": 1}'),
    ("map {1: [date '2024-01-01'], 2: null}", *[{"1": ["2024-01-01"], "2": None}] * 2),
    ("union_value(k := date '2024-01-01')", "2024-01-01", "2024-01-01"),
    ("'nan'::double", None, "nan"),
    ("'inf'::float", None, "inf"),
    ("null", None, ""),
    ("null::interval", None, ""),
    ("null::struct(a int)", None, ""),
    ("null::map(int, int)", None, ""),
    ("null::union(a int, b varchar)", None, ""),
]


@pytest.mark.parametrize(("expression", "as_json", "cell"), VALUES, ids=[one[0] for one in VALUES])
def test_a_value_is_written_in_each_format(root: Path, expression: str, as_json: Any, cell: Any) -> None:
    statement = f"select 'first' a, {expression} b"
    text = json.dumps(cell, ensure_ascii=False) if isinstance(cell, dict) else cell
    assert json.loads(asked(root, statement, "json"), parse_constant=pytest.fail) == [
        {"a": "first", "b": as_json}
    ]
    in_csv = "" if text == "nan" else text
    assert list(csv.reader(io.StringIO(asked(root, statement, "csv")))) == [["a", "b"], ["first", in_csv]]
    assert f"│ first │ {text} " in asked(root, statement, "table")


def test_moments_carry_their_zone(root: Path) -> None:
    statement = (
        "select timestamptz '2024-01-01 10:11:12+00' a, [now()] b, timestamptz '12024-01-01 00:00:00+00' c"
    )
    (row,) = json.loads(asked(root, statement, "json"))
    assert row["a"] == "2024-01-01T10:11:12+00:00" and row["b"][0].endswith("+00:00")
    assert row["c"] == "12024-01-01T00:00:00.000000+00:00"
    assert "2024-01-01T10:11:12+00:00" in asked(root, statement, "csv")


def test_repeated_names_lose_no_column(root: Path) -> None:
    statement = 'select 1 a, 2 a, 3 a_2, [4] a, 5 "=b", 6 "=b"'
    row = {"a": 1, "a_3": 2, "a_2": 3, "a_4": [4], "=b": 5, "=b_2": 6}
    assert json.loads(asked(root, statement, "json")) == [row]
    assert asked(root, statement, "csv") == "a,a_3,a_2,a_4,'=b,'=b_2\n1,2,3,[4],5,6\n"
    assert "│ 1 │ 2   │ 3   │ [4] │ 5  │ 6    │" in asked(root, statement, "table")


def test_no_rows_and_whole_numbers_with_gaps(root: Path) -> None:
    assert asked(root, "from posts where false", "json") == "[]\n"
    assert asked(root, "from posts where false", "csv") == "post_id\n"
    assert "0 rows" in asked(root, "from posts where false", "table")
    rows = "(9007199254740993, true, 1.5::float), (null, null, null)"
    gaps = f"select *, sum(a) over () d from (values {rows}) t(a, b, c)"
    assert asked(root, gaps, "csv") == f"a,b,c,d\n{2**53 + 1},True,1.5,{2**53 + 1}\n,,,{2**53 + 1}\n"
    assert asked(
        root, "select sum(x) a, 'b' b from (values (null::int), (3)) t(x) group by x order by 1", "csv"
    ) == ("a,b\n3,b\n,b\n")


def test_csv_runs_no_formula_of_any_type(root: Path) -> None:
    statement = (
        "select interval '-1 day' a, '-infinity'::date b, ['=1+1'] c, {'=x': '=1'} d, map {'=x': '@y'} e"
    )
    (cells,) = list(csv.reader(io.StringIO(asked(root, statement, "csv"))))[1:]
    assert cells == ["'-1 day", "'-infinity", '["=1+1"]', '{"=x": "=1"}', '{"=x": "@y"}']


def test_a_table_shows_names_as_they_are_and_counts_what_it_leaves_out(root: Path) -> None:
    """Rich would take a name in brackets for markup, and fail on one that closes nothing."""
    assert "│ [/b] " in asked(root, "select '[/b]' x, 1 \"[/b]\"", "table").replace("┃", "│")
    shown = asked(root, "select range n, 'a word as wide as the caption' w from range(1000)", "table")
    assert "1000 rows, the first 200 shown" in shown and "│ 199 │" in shown and "│ 200 │" not in shown


#: Turns text red, writes to the clipboard, is an eight-bit CSI, and turns the direction of writing.
COMMANDS = "chr(27) || '[31m' || chr(27) || ']52;c;eA==' || chr(7) || chr(155) || '2J' || chr(8238)"


def test_a_table_commands_no_terminal(root: Path) -> None:
    shown = asked(root, f'select {COMMANDS} x, 1 "\x1b]8;;http://e\x07"', "table")
    assert "\\u001b[31m\\u001b]52;c;eA==\\u0007\\u009b2J\\u202e" in shown
    assert "\\u001b]8;;http://e\\u0007" in shown
    assert not set(shown) & set("\x1b\x07\x9b\u202e")
    assert " 1 row " in shown


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_a_program_gets_each_character_and_a_terminal_no_command(
    root: Path, kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = []
    for terminal in (False, True):
        monkeypatch.setattr("sys.stdout.isatty", lambda terminal=terminal: terminal)
        sql(f"select {COMMANDS} x", root, TableFormat(kind))
        said.append(capsys.readouterr().out)
    piped, on_screen = said
    whole = "\x1b[31m\x1b]52;c;eA==\x07\x9b2J\u202e"
    assert whole in (json.loads(piped)[0]["x"] if kind == "json" else piped)
    assert not set(on_screen) & set("\x1b\x07\x9b\u202e") and "\\u001b[31m" in on_screen
    assert kind == "csv" or json.loads(on_screen) == json.loads(piped)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("connect 'x'", "is only read"),
        ("disconnect", "is only read"),
        ("explain connect 'x'", "the warehouse says"),
        (
            "select 'caf\udce9'",
            'not UTF-8 text behind "select \'caf"',
        ),  # what a shell makes of a byte of Latin-1
    ],
)
def test_what_duckdb_has_no_word_for_is_refused_with_a_sentence(
    root: Path, statement: str, told: str
) -> None:
    with pytest.raises(UserError) as refused:
        answer(root / "warehouse.duckdb", statement)
    assert told in str(refused.value)


def test_a_fault_while_rows_are_handed_over_is_duckdbs_and_no_files(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`select repeat('x', 100000000) from range(50)` ends so, after 2 GB; a full disk is told as one."""

    def fails(fault: OSError) -> None:
        def bounded(_: Any) -> None:
            raise fault

        monkeypatch.setattr("fashion_assets.storage.warehouse._bounded", bounded)

    fails(
        OSError("Arrow Appender: the offset of 2200000000 exceeds this.\n* SET arrow_large_buffer_size=true")
    )
    with pytest.raises(UserError, match=r"exceeds this\. Ask for less at a time\.$"):
        answer(root / "warehouse.duckdb", "select 1")
    fails(OSError("INTERRUPT Error: Interrupted!"))
    with pytest.raises(UserError, match=r"more than 600 seconds; ask for less at a time$"):
        answer(root / "warehouse.duckdb", "select 1")
    fails(OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(OSError, match="No space"):
        answer(root / "warehouse.duckdb", "select 1")
