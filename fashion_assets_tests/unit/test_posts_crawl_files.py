"""posts.crawl_files: every kind of file, every encoding, and a sentence with a place for what is broken."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.posts import allowance, csv_records
from fashion_assets.posts import json_records as json_records_module
from fashion_assets.posts.crawl_files import CrawlRead, read_crawl_file
from fashion_assets.posts.csv_records import read_records
from fashion_assets.posts.json_records import json_records
from fashion_assets.posts.schemas import CRAWL_COLUMNS
from fashion_assets.storage.errors import UserError

FETCH = "2024-06-25 14:06:46"


def record(number: int, **changes: str) -> dict[str, str]:
    cells = dict.fromkeys(CRAWL_COLUMNS, "")
    cells |= {"poster_id": f"author{number:06d}", "post_id": f"post{number}", "post_title": f"标题{number}"}
    cells |= {"post_date": "06-11", "post_content": f"内容{number}，好看", "post_fetch_time": FETCH}
    return cells | changes


def csv_text(records: list[dict[str, str]], columns: tuple[str, ...] = CRAWL_COLUMNS, end: str = "\n") -> str:
    target = io.StringIO()
    writer = csv.DictWriter(target, columns, lineterminator=end)
    writer.writeheader()
    writer.writerows(records)
    return target.getvalue()


def read(tmp_path: Path, data: bytes | str, name: str = "a.csv") -> CrawlRead:
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return read_crawl_file(path)


THREE = [record(1), record(2), record(3)]


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gb18030", "gbk"],
)
def test_encodings(tmp_path: Path, encoding: str) -> None:
    result = read(tmp_path, csv_text(THREE).encode(encoding))
    assert result.refused is None
    assert list(result.frame["post_title"]) == ["标题1", "标题2", "标题3"]
    assert list(result.frame["post_id"]) == ["post1", "post2", "post3"]
    assert result.frame["fault"].isna().all()
    assert list(result.frame["source_row"]) == [2, 3, 4]
    if encoding.startswith(("utf-16", "utf-32", "gb")):
        assert "was read as" in result.notes[0]


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
def test_utf16_with_byte_order_mark(tmp_path: Path, mark: bytes) -> None:
    encoded = csv_text(THREE).encode("utf-16-le" if mark == b"\xff\xfe" else "utf-16-be")
    assert list(read(tmp_path, mark + encoded).frame["post_title"]) == ["标题1", "标题2", "标题3"]


def test_damaged_lines_of_a_utf8_file_are_refused_alone(tmp_path: Path) -> None:
    lines = csv_text([record(n) for n in range(1, 8)]).encode().split(b"\n")
    lines[3] = lines[3].replace("内容".encode(), b"\xb1\xff\xfe")
    result = read(tmp_path, b"\n".join(lines))
    assert result.refused is None
    assert list(result.frame.loc[result.frame["fault"].notna(), "source_row"]) == [4]
    assert "Line 4 holds bytes that are not UTF-8" in result.frame["fault"][2]
    assert result.frame["post_id"][2] is None and result.frame["post_id"].notna().sum() == 6


def test_nul_bytes_refuse_the_row_and_name_the_column(tmp_path: Path) -> None:
    text = csv_text([record(1), record(2, post_content="上\0下"), record(3)]) + "\0\0\0\0\n"
    result = read(tmp_path, text)
    assert list(result.frame["fault"].notna()) == [False, True, False, True]
    assert "NUL" in result.frame["fault"][1] and "line 3" in result.frame["fault"][1].lower()
    assert result.frame["fault_column"][1] == "post_content" and result.frame["post_id"][1] == "post2"
    assert "NUL" in result.frame["fault"][3] and result.frame["post_id"][3] is None


def test_columns_in_any_order_case_and_with_extras(tmp_path: Path) -> None:
    columns = (" Keyword ", *reversed(CRAWL_COLUMNS))
    text = csv_text([record(1) | {" Keyword ": "穿搭"}], columns).replace("post_id", "  POST_ID ", 1)
    result = read(tmp_path, text)
    assert result.frame["post_id"][0] == "post1"
    assert json.loads(result.frame["extra"][0]) == {"Keyword": "穿搭"}


def test_only_the_required_columns_are_needed(tmp_path: Path) -> None:
    columns = ("poster_id", "post_id", "post_title", "post_date", "post_content", "post_fetch_time")
    result = read(tmp_path, csv_text([{name: record(1)[name] for name in columns}], columns))
    assert result.refused is None and result.frame["post_like"].isna().all()


def test_missing_columns_refuse_the_file_by_name_and_list_what_is_there(tmp_path: Path) -> None:
    result = read(tmp_path, "id,title,text\n1,a,b\n", "foreign.csv")
    assert result.refused is not None and result.frame.empty
    for part in ("foreign.csv", "post_id", "post_fetch_time", "id, title, text", "columns.yaml", "constants"):
        assert part in result.refused


def test_a_file_without_header_shows_nothing_of_its_first_row(tmp_path: Path) -> None:
    secret = "5f3a9c0e12ab34cd56ef7890"
    result = read(tmp_path, "\n".join(csv_text([record(1, poster_id=secret)]).split("\n")[1:]))
    assert result.refused is not None and secret not in result.refused and "header" in result.refused


@pytest.mark.parametrize("data", [b"", b"\n\n \n", b"\xef\xbb\xbf", b"\x00" * 64])
def test_empty_files(tmp_path: Path, data: bytes) -> None:
    refused = read(tmp_path, data).refused
    assert refused is not None and "a.csv was refused: it is empty" in refused


def test_a_header_alone_is_refused(tmp_path: Path) -> None:
    assert "no row" in (read(tmp_path, csv_text([])).refused or "")


def test_repeated_column_names_are_refused(tmp_path: Path) -> None:
    text = csv_text([record(1)]).replace("post_tag", "Post_Title", 1)
    assert "post_title more than once" in (read(tmp_path, text).refused or "")


def test_other_kinds_and_encodings_are_refused_by_name(tmp_path: Path) -> None:
    assert "no crawl file by its name" in (read(tmp_path, b"x", "notes.xlsx").refused or "")
    noise = bytes(range(128, 256)) * 40
    assert "neither UTF-8" in (read(tmp_path, b"\n".join([noise, noise, noise])).refused or "")


# --- broken CSV


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("a.xlsx", "as CSV"),
        ("a.tar.gz", "as .zip"),
        ("a.csv.zst", "as .gz"),
        ("a.jpg", "incoming/media/<post_id>/"),
        ("a.doc", "expected .csv"),
    ],
)
def test_of_other_kinds_it_is_said_what_to_do(tmp_path: Path, name: str, says: str) -> None:
    refused = read(tmp_path, b"x", name).refused or ""
    assert refused.startswith(f"{name} was refused: it is no crawl file by its name; ") and says in refused


def test_cells_that_a_spreadsheet_was_kept_from_reading_as_numbers(tmp_path: Path) -> None:
    forced = [
        record(1, post_id='="7342345678901234567"', post_title="'好看'"),
        record(2, post_id="'734234567"),
    ]
    text = csv_text(forced).replace('"=""7342345678901234567"""', '="7342345678901234567"')
    frame = read(tmp_path, text).frame
    assert list(frame["post_id"]) == ["7342345678901234567", "734234567"]
    assert frame["post_title"][0] == "'好看'"


def test_the_line_in_which_a_spreadsheet_names_its_delimiter(tmp_path: Path) -> None:
    text = csv_text(THREE).replace(",", ";").replace("，", ",")
    frame = read(tmp_path, "sep=;\r\n" + text).frame
    assert list(frame["post_id"]) == ["post1", "post2", "post3"]
    assert list(frame["source_row"]) == [3, 4, 5]
    assert "holds no row" in (read(tmp_path, "sep=;\n").refused or "") or read(tmp_path, "sep=;\n").refused


@pytest.mark.parametrize("of", ["rows", "header", "both"])
def test_a_delimiter_at_the_end_of_lines_costs_no_row(tmp_path: Path, of: str) -> None:
    header, *rows = csv_text(THREE).splitlines()
    header += "," * (of in ("header", "both"))
    rows = [row + "," * (of in ("rows", "both")) for row in rows]
    frame = read(tmp_path, "\n".join([header, *rows])).frame
    assert list(frame["post_id"]) == ["post1", "post2", "post3"] and frame["fault"].isna().all()
    assert list(frame["post_fetch_time"]) == [FETCH] * 3 and frame["extra"].isna().all()


def test_a_swallowed_record_is_found_behind_a_delimiter_at_the_end_of_lines(tmp_path: Path) -> None:
    header, *rows = csv_text([record(n) for n in range(1, 5)]).splitlines()
    rows[0] = rows[0].replace("标题1", '"标题1')
    rows[2] = rows[2].replace("标题3", '标题3"')
    frame = read(tmp_path, "\n".join([header, *(row + "," for row in rows)])).frame
    assert "opens a quote" in str(frame["fault"][0])
    assert list(frame["post_id"]) == [None, "post2", "post3", "post4"]


def test_a_value_beyond_the_header_or_a_missing_cell_costs_the_row(tmp_path: Path) -> None:
    header, *rows = csv_text(THREE).splitlines()
    lines = [header, rows[0] + ",x", rows[1].rpartition(",")[0], rows[2]]
    frame = read(tmp_path, "\n".join(lines)).frame
    assert list(frame["fault"].notna()) == [True, True, False]


def test_authors_whose_ids_were_rounded_are_not_one(tmp_path: Path) -> None:
    rounded = [record(1, poster_id="7.34235E+18"), record(2, poster_id="7.34235E+18"), record(3)]
    result = read(tmp_path, csv_text(rounded))
    assert list(result.frame["poster_id"]) == [None, None, "author000003"]
    assert result.frame["fault"].isna().all() and "2 rows" in result.notes[0]


def broken(tmp_path: Path, lines: list[str]) -> pd.DataFrame:
    return read(tmp_path, "\n".join([",".join(CRAWL_COLUMNS), *lines]) + "\n").frame


def line(number: int, content: str = "好") -> str:
    return f"a{number},p{number},题,,06-11,,{content},,1,2,3,{FETCH}"


def test_an_unterminated_quote_costs_one_line(tmp_path: Path) -> None:
    frame = broken(tmp_path, [line(1), line(2, '"没有结束'), line(3), line(4, '"有,逗号"'), line(5)])
    assert list(frame["post_id"]) == ["p1", None, "p3", "p4", "p5"]
    assert list(frame["source_row"]) == [2, 3, 4, 5, 6]
    assert "Line 3" in frame["fault"][1] and "quote" in frame["fault"][1]
    assert frame["post_content"][3] == "有,逗号"


def test_an_unterminated_quote_that_swallows_a_record_is_found(tmp_path: Path) -> None:
    # The quote of line 3 is closed by the stray one of line 5 and makes a record of the right width.
    frame = broken(
        tmp_path,
        [line(1), f'a2,p2,题,,06-11,,"没有结束,,1,2,3,{FETCH}', line(3), f'x",,1,2,3,{FETCH}', line(5)],
    )
    assert {"p1", "p3", "p5"} <= set(frame["post_id"].dropna())
    assert frame["fault"].notna().sum() == 2


def test_stray_quotes_and_wrong_cell_counts(tmp_path: Path) -> None:
    frame = broken(tmp_path, [line(1, '"好"看'), line(2) + ",一个多", "a3,p3,少", line(4, '5" 跟'), line(5)])
    assert list(frame["post_id"]) == [None, None, None, "p4", "p5"]
    assert "13 cells where the header has 12" in frame["fault"][1]
    assert "3 cells" in frame["fault"][2]
    assert frame["post_content"][3] == '5" 跟'


def test_records_over_several_lines_keep_their_first_line_number(tmp_path: Path) -> None:
    text = csv_text([record(1, post_content='一\n二,"三"\n\n四'), record(2)], end="\r\n")
    frame = read(tmp_path, text).frame
    assert frame["post_content"][0].split() == ["一", '二,"三"', "四"]
    assert list(frame["source_row"]) == [2, 6]


def test_a_quote_that_is_never_closed_is_looked_for_only_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f'"open {number},x\n' for number in range(3000)]
    taken = 0
    original = csv_records.csv.reader

    def counting(source: object, **options: object) -> object:
        def counted() -> object:
            nonlocal taken
            for one in source:  # type: ignore[attr-defined]
                taken += 1
                yield one

        return original(counted(), **options)  # type: ignore[arg-type, call-overload]

    monkeypatch.setattr(csv_records.csv, "reader", counting)
    found = list(read_records(lines, width=2))
    assert len(found) == 3000 and all(one.fault for one in found)
    assert taken <= len(lines) * (csv_records.MAX_RECORD_LINES + 1)


cells = st.text(st.sampled_from("ab,\"\n穿搭 '"), max_size=8)


@given(st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=6))
def test_what_csv_writes_is_read_back(rows: list[list[str]]) -> None:
    target = io.StringIO()
    csv.writer(target, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    lines = target.getvalue().splitlines(keepends=True)
    assert [one.cells for one in read_records(lines, width=3)] == rows


@given(st.text(st.sampled_from('ab,"\n穿'), max_size=60))
def test_every_line_that_is_not_blank_is_a_record_or_refused(text: str) -> None:
    lines = [part + "\n" for part in text.split("\n")]
    covered: list[int] = []
    for one in read_records(lines, width=3):
        assert bool(one.fault) != (len(one.cells) == 3)
        covered.extend(range(one.line, one.last_line + 1))
    assert len(covered) == len(set(covered))
    assert set(covered) >= {number for number, part in enumerate(lines, start=1) if part.strip()}


# --- other kinds


def test_jsonl(tmp_path: Path) -> None:
    rows = [
        json.dumps(
            record(1) | {"Post_Like": 12, "post_tag": ["穿搭", "ootd"], "ip": {"省": "浙江"}},
            ensure_ascii=False,
        ),
        '{"post_id": ',
        "[1, 2]",
        "",
        json.dumps(record(2) | {"post_like": 3.0, "post_title": None}),
        '{"post_id": "x", "POST_ID": "y"}',
        json.dumps(record(3, post_title="\ud83d 半个")),
        json.dumps(record(4, post_title="a\0b")),
    ]
    rows[0] = rows[0].replace('"post_like": "", ', "")
    frame = read(tmp_path, "\n".join(rows), "a.jsonl").frame
    assert list(frame["source_row"]) == [1, 2, 3, 5, 6, 7, 8]
    assert list(frame["fault"].isna()) == [True, False, False, True, False, False, False]
    assert (
        frame["post_tag"][0] == "穿搭, ootd"
        and frame["post_like"][0] == "12"
        and frame["post_like"][3] == "3"
    )
    assert json.loads(frame["extra"][0]) == {"ip": '{"省": "浙江"}'}
    assert (
        "column" in frame["fault"][1]
        and "no object" in frame["fault"][2]
        and "more than once" in frame["fault"][4]
    )
    assert "NUL" in frame["fault"][5] and frame["fault_column"][6] == "post_title"


LISTED = [{"post_id": "p1", "a": {"b": [1]}}, {"post_id": "p2"}, {"post_id": "p3"}]


@pytest.mark.parametrize("indent", [None, 0, 1, 4])
@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.json.gz"])
def test_a_list_of_objects(tmp_path: Path, name: str, indent: int | None) -> None:
    rows = [record(number) | {"post_tag": ["穿搭", "a, b"], "user": {"id": 1}} for number in (1, 2, 3)]
    data = ("\ufeff\n" + json.dumps(rows, ensure_ascii=False, indent=indent)).encode()
    result = read(tmp_path, gzip.compress(data) if name.endswith(".gz") else data, name)
    assert result.refused is None and result.frame["fault"].isna().all()
    assert list(result.frame["post_id"]) == ["post1", "post2", "post3"]
    assert list(result.frame["source_row"]) == [1, 2, 3]


@pytest.mark.parametrize("indent", [0, 2])
def test_a_broken_object_of_a_list_costs_no_other(indent: int) -> None:
    text = json.dumps(LISTED, indent=indent).replace('"p2"', '"p2')
    columns, records = json_records(text.splitlines(keepends=True), {})
    assert columns == ["post_id", "a"]
    assert [one.cells.get("post_id") for one in records] == ["p1", None, "p3"]
    assert str(records[1].fault).startswith("Object 2 of the list (line ") and records[2].line == 3


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ('[{"a": 1}, {"a": 2}', ["", "", "cut off"]),
        ('[{"a": 1}, {"a": ', ["", "what follows is not read"]),
        ('[{"a": 1}, 5, {"a": 2, "A": 3}]', ["", "no object", "more than once"]),
        ('[{"a": 1}]\nmore', ["", "end of the list"]),
        ('[{"a": 1}]\n[]\n[{"a": 2},\n{"a": 3}]\n', ["", "", ""]),
        ('{"a": 1},\n{"a": 2}\n', ["", ""]),
        ('{"a": 1}\n[{"a": 2}]\n', ["", "no object"]),
    ],
)
def test_what_is_wrong_in_a_list_is_said(text: str, faults: list[str]) -> None:
    records = json_records(text.splitlines(keepends=True), {})[1]
    assert len(records) == len(faults)
    for one, fault in zip(records, faults, strict=True):
        assert bool(one.fault) == bool(fault) and fault in (one.fault or "")


def test_lists_without_an_object_and_with_damaged_lines(tmp_path: Path) -> None:
    assert "list is empty" in (read(tmp_path, " [ ]\n", "a.json").refused or "")
    assert "cut off" in (read(tmp_path, "[", "a.json").refused or "")
    assert "required columns" in (read(tmp_path, '{"code": -1}', "a.json").refused or "")
    lines = json.dumps(LISTED, indent=0).splitlines(keepends=True)
    assert [one.fault for one in json_records(lines, {11: "bytes"})[1]] == [None, "bytes", None]


@given(st.text(alphabet='[]{},:" \n1ax\\', max_size=60))
def test_any_text_that_looks_like_a_list_is_read_or_refused(text: str) -> None:
    try:
        _, records = json_records(("[" + text).splitlines(keepends=True), {})
    except UserError:
        return
    assert records and len({one.line for one in records}) == len(records)


def test_a_list_of_broken_objects_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_records_module, "MAX_BROKEN", 3)
    lines = ["[\n", '{"a": 1},\n', *['{"a",\n'] * 9, "]\n"]
    faults = [one.fault or "" for one in json_records(lines, {})[1]]
    assert len(faults) == 5 and "what follows is not read" in faults[-1]


def test_a_jsonl_without_any_object_is_refused(tmp_path: Path) -> None:
    assert "none of its 2 lines" in (read(tmp_path, "a\nb\n", "a.jsonl").refused or "")
    assert "required columns" in (read(tmp_path, '{"id": 1}\n', "a.jsonl").refused or "")


def test_parquet_with_typed_columns(tmp_path: Path) -> None:
    frame = pd.DataFrame([record(1), record(2)])
    frame["post_like"] = [12, None]
    frame["post_fetch_time"] = pd.Timestamp(FETCH, tz="Asia/Shanghai")
    frame["post_tag"] = [["穿搭", "ootd"], []]
    frame.to_parquet(tmp_path / "a.parquet")
    result = read_crawl_file(tmp_path / "a.parquet")
    assert result.refused is None
    assert list(result.frame["post_like"]) == ["12", None]
    assert result.frame["post_fetch_time"][0] == FETCH
    assert list(result.frame["post_tag"]) == ["穿搭, ootd", None]
    assert "no whole Parquet file" in (
        read(tmp_path, (tmp_path / "a.parquet").read_bytes()[:-9], "b.parquet").refused or ""
    )


def test_gzip_whole_and_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = gzip.compress(csv_text(THREE).encode())
    assert len(read(tmp_path, data, "a.csv.gz").frame) == 3
    assert "not a whole gzip file" in (read(tmp_path, data[:-12], "b.csv.gz").refused or "")
    assert "not a whole gzip file" in (read(tmp_path, b"plain", "c.csv.gz").refused or "")
    monkeypatch.setattr(allowance, "MAX_UNPACKED_BYTES", 100)
    assert "more than 100 bytes" in (read(tmp_path, data, "a.csv.gz").refused or "")


def test_what_is_packed_and_named_as_text_is_told_so(tmp_path: Path) -> None:
    data = gzip.compress(csv_text(THREE).encode())
    assert "add .gz to its name" in (read(tmp_path, data, "a.csv").refused or "")
    zipped = make_zip(tmp_path / "a.zip", {"a.csv": csv_text(THREE).encode()}).read_bytes()
    assert "a zip archive or a spreadsheet" in (read(tmp_path, zipped, "b.jsonl").refused or "")
    assert "name it .parquet" in (read(tmp_path, b"PAR1" + b"\0" * 50, "c.csv").refused or "")


def make_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_zip_members_are_read_by_name_and_bad_ones_named(tmp_path: Path) -> None:
    good = csv_text(THREE).encode()
    path = make_zip(
        tmp_path / "archive.zip",
        {
            "b/二.csv": good,
            "a.jsonl": json.dumps(record(9)).encode(),
            "../evil.csv": good,
            "/etc/evil.csv": good,
            "c:\\evil.csv": good,
            "inner.zip": b"PK",
            "bad.csv": b"x,y\n1,2\n",
            "packed.csv.gz": gzip.compress(good),
            "__MACOSX/._b.csv": b"",
        },
    )
    result = read_crawl_file(path)
    assert result.refused is None
    assert sorted(result.frame["source_file"].unique()) == ["archive.zip/a.jsonl", "archive.zip/b/二.csv"]
    assert len(result.frame) == 4
    refused = " ".join(result.refused_members.values())
    assert refused.count("way out of the archive") == 3 and "archive.zip/bad.csv was refused" in refused
    assert "archive.zip/packed.csv.gz was refused: it is packed within the archive" in refused
    assert "archive.zip/inner.zip is no CSV" in " ".join(result.notes)


def test_zips_that_hold_nothing_readable(tmp_path: Path) -> None:
    assert "no readable crawl file" in (
        read_crawl_file(make_zip(tmp_path / "p.zip", {"p1/1.jpg": b"x"})).refused or ""
    )
    assert "incoming/media/" in (
        read_crawl_file(make_zip(tmp_path / "p.zip", {"p1/1.jpg": b"x"})).refused or ""
    )
    data = make_zip(tmp_path / "a.zip", {"a.csv": csv_text(THREE).encode()}).read_bytes()
    assert "not a whole zip archive" in (read(tmp_path, data[:-30], "b.zip").refused or "")
    damaged = data.replace(data[60:70], b"\0" * 10, 1)
    assert "damaged" in (read(tmp_path, damaged, "c.zip").refused or "")


def test_encrypted_and_too_large_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_zip(tmp_path / "a.zip", {"a.csv": csv_text(THREE).encode()})
    data = bytearray(path.read_bytes())
    central = data.index(b"PK\x01\x02")
    data[central + 8] |= 1
    assert "encrypted" in (read(tmp_path, bytes(data), "b.zip").refused or "")
    monkeypatch.setattr(allowance, "MAX_UNPACKED_BYTES", 10)
    assert "unpack to more than 10 bytes" in (read_crawl_file(path).refused or "")


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.zip"])
def test_a_file_is_refused_whole_when_it_unpacks_to_more_than_fits_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    text = csv_text(THREE).encode()
    monkeypatch.setattr(allowance, "MAX_UNPACKED_BYTES", 2 * len(text) - 1)
    path = tmp_path / name
    twice = text + text
    if name.endswith(".zip"):
        make_zip(path, {"a.csv": text, "b.csv": text})  # each would fit
    else:
        path.write_bytes(gzip.compress(twice) if name.endswith(".gz") else twice)
    result = read_crawl_file(path)
    held = "are" if name == "a.csv" else "unpack to"
    assert result.refused == (
        f"{name} was refused: its {path.stat().st_size:,} bytes {held} more than {2 * len(text) - 1:,} bytes, the "
        "most that is read of one crawl file; split it into several files."
    )
    assert result.frame.empty
    monkeypatch.setattr(allowance, "MAX_UNPACKED_BYTES", 2 * len(text))
    whole = read_crawl_file(path)
    assert whole.refused is None and whole.n_bytes == 2 * len(text)


def test_a_bomb_of_a_few_kilobytes_is_refused_before_it_is_kept_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tracemalloc

    monkeypatch.setattr(allowance, "MAX_UNPACKED_BYTES", 4_000_000)
    header = csv_text([]).encode()
    bomb = gzip.compress(header + b"a,b,c\n" * 5_000_000)
    path = tmp_path / "a.csv.gz"
    path.write_bytes(bomb)
    tracemalloc.start()
    refused = read_crawl_file(path).refused or ""
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "unpack to more than 4,000,000 bytes" in refused and "split it" in refused
    assert peak < 12_000_000, "less than the 30 MB that are packed in it"


def test_lines_of_no_length_are_counted_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each becomes a row of about 1 KB: 256 MB of them would be some 100 GB."""
    monkeypatch.setattr(allowance, "MAX_LINES", 100)
    for name, end in (("a.jsonl", b"\n"), ("b.jsonl", b"\r"), ("c.jsonl", b"\r\n")):
        refused = read(tmp_path, (b"{}" + end) * 101, name).refused or ""
        assert f"{name} was refused" in refused and "more than 100 lines" in refused
    members = {f"{number}.jsonl": b"{}\n" * 60 for number in range(2)}
    assert "more than 100 lines" in (read_crawl_file(make_zip(tmp_path / "a.zip", members)).refused or "")
    assert "more than 100 lines" not in (read(tmp_path, b"{}\n" * 100, "d.jsonl").refused or "")


def test_the_reader_says_beforehand_that_a_file_may_take_much_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allowance, "LARGE_BYTES", 1_000_000)
    text = csv_text(THREE * 2_000).encode()
    assert len(text) < allowance.LARGE_BYTES < 4 * len(text)
    told: list[str] = []
    small = {"plain.csv": text, "packed.csv.gz": gzip.compress(text)}
    large = {"long.csv": text * 4, "long.csv.gz": gzip.compress(text * 4)}
    for name, data in {**small, **large}.items():
        (tmp_path / name).write_bytes(data)
    make_zip(tmp_path / "long.zip", {f"{number}.csv": text for number in range(4)})
    pd.DataFrame(THREE).to_parquet(tmp_path / "short.parquet")
    for path in sorted(tmp_path.iterdir()):
        read_crawl_file(path, None, None, lambda name=path.name: told.append(name))  # type: ignore[misc]
    assert told == ["long.csv", "long.csv.gz", "long.zip", "short.parquet"]
