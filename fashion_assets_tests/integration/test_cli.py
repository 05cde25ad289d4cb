"""The command line as public interface: mistakes are sentences, results can be piped."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
import pytest

from fashion_assets.storage.warehouse import publish_tables
from fashion_assets_tests.integration.conftest import Run

HEADER = (
    "poster_id,post_id,post_title,post_location,post_date,post_time,post_content,post_tag,"
    "post_comments,post_like,post_collect,post_fetch_time"
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    publish_tables(
        tmp_path / "warehouse.duckdb",
        {
            "posts": pa.table(
                {
                    "post_id": ["a", "b"],
                    "tags": [["裙", "复古"], []],
                    "likes": pa.array([1, None], pa.int64()),
                }
            )
        },
    )
    return tmp_path


@pytest.mark.parametrize(
    "arguments", [[], ["run"], ["sample"], ["sql"], ["doctor"], ["keywords"], ["keywords", "extract"]]
)
def test_every_command_has_help_for_people(cli: Run, arguments: list[str]) -> None:
    shown = cli(*arguments, "--help")
    assert shown.returncode == 0
    assert "Usage" in shown.stdout
    if arguments not in ([], ["keywords"]):
        assert "--data-dir" in shown.stdout


def test_the_version_is_that_of_the_package(cli: Run) -> None:
    assert cli("--version").stdout == f"fashion-assets {version('fashion-assets')}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run"], "put crawl files there, or try: fashion-assets sample"),
        (["run", "--months", "2024-13"], "'2024-13' is not a month"),
        (["sql", "select 1"], "there is no warehouse"),
        (["keywords", "extract", "missing.csv", "--out", "out.jsonl"], "there is no file missing.csv"),
    ],
)
def test_a_mistake_is_one_sentence_and_a_failure(
    cli: Run, tmp_path: Path, arguments: list[str], said: str
) -> None:
    failed = cli(*arguments, "--data-dir", tmp_path / "empty")
    assert failed.returncode == 1
    assert said in failed.stderr
    assert "Traceback" not in failed.stderr
    message = [line for line in failed.stderr.splitlines() if line.startswith("fashion-assets:")]
    assert len(message) == 1


def test_debug_shows_the_traceback_wherever_it_stands(cli: Run, tmp_path: Path) -> None:
    for arguments in (["--debug", "sql", "select 1"], ["sql", "select 1", "--debug"]):
        failed = cli(*arguments, "--data-dir", tmp_path)
        assert failed.returncode != 0
        assert "Traceback" in failed.stderr


def test_sql_prints_table_csv_and_json(cli: Run, root: Path) -> None:
    statement = "select post_id, tags, likes from posts order by post_id"
    table = cli("sql", statement, "--data-dir", root)
    assert table.returncode == 0 and "post_id" in table.stdout and "复古" in table.stdout
    as_csv = cli("sql", statement, "--data-dir", root, "--format", "csv")
    assert as_csv.stdout.splitlines() == ["post_id,tags,likes", 'a,"[""裙"", ""复古""]",1', "b,[],"]
    as_json = json.loads(cli("sql", statement, "--data-dir", root, "--format", "json").stdout)
    assert as_json == [
        {"post_id": "a", "tags": ["裙", "复古"], "likes": 1},
        {"post_id": "b", "tags": [], "likes": None},
    ]


@pytest.mark.parametrize(
    "statement", ["drop table posts", "select * from read_text('/etc/hostname')", "selekt 1"]
)
def test_sql_only_reads(cli: Run, root: Path, statement: str) -> None:
    refused = cli("sql", statement, "--data-dir", root)
    assert refused.returncode == 1
    assert "the warehouse says" in refused.stderr or "the warehouse is only read" in refused.stderr
    assert (
        cli("sql", "select count(*) n from posts", "--data-dir", root, "--format", "csv").stdout == "n\n2\n"
    )


def test_doctor_says_what_to_do(cli: Run, tmp_path: Path) -> None:
    found = cli("doctor", "--data-dir", tmp_path)
    assert found.returncode == 0, found.stderr
    for subject in (
        "python",
        "dagster",
        "device",
        "encoder local:cbow",
        "encoder onnx",
        "data root",
        "incoming",
    ):
        assert subject in found.stdout
    assert f"fashion-assets sample {tmp_path}" in found.stdout


def test_a_wrong_setting_is_named(cli: Run, tmp_path: Path) -> None:
    failed = cli("doctor", "--data-dir", tmp_path, FASHION_MIN_GARMENT_SHARE="7")
    assert failed.returncode == 1
    assert "FASHION_MIN_GARMENT_SHARE='7'" in failed.stderr


def test_keywords_of_each_row_come_out_as_lines(cli: Run, tmp_path: Path) -> None:
    posts, out = tmp_path / "posts.csv", tmp_path / "out.jsonl"
    rows = [
        "u1,p1,多巴胺穿搭 - 小红书,,05-01,,今天的新中式马面裙真好看,,1,2,3,2024-06-01 10:00:00",
        "u1,p2, - ,,,,,,,,,",
        "u1,p1,多巴胺穿搭,,05-01,,同一条,,1,2,3,2024-06-02 10:00:00",
    ]
    posts.write_text("\n".join([HEADER, *rows]), encoding="gb18030")
    ran = cli("keywords", "extract", posts, "--out", out)
    assert ran.returncode == 0, ran.stderr
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [line["post_id"] for line in lines] == ["p1", "p2", "p1"]
    assert lines[0]["keywords"] == ["多巴胺穿搭", "新中式", "马面裙"]
    assert lines[1]["keywords"] == []


def test_keywords_of_an_unreadable_file_is_a_sentence(cli: Run, tmp_path: Path) -> None:
    posts = tmp_path / "posts.csv"
    posts.write_text("a,b\n1,2\n", encoding="utf-8")
    failed = cli("keywords", "extract", posts, "--out", tmp_path / "out.jsonl")
    assert failed.returncode == 1
    assert "post_id" in failed.stderr and "it has a, b" in failed.stderr
    assert not (tmp_path / "out.jsonl").exists()


def test_run_names_refused_files_and_goes_on(cli: Run, tmp_path: Path) -> None:
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    (incoming / "empty.csv").write_text("", encoding="utf-8")
    (incoming / "other.csv").write_text("name,age\nx,1\n", encoding="utf-8")
    row = "u1,p1,新中式,,2024-05-01,,马面裙,,1,2,3,2024-06-01 10:00:00"
    (incoming / "good.csv").write_text(f"{HEADER}\n{row}\n", encoding="utf-8")
    ran = cli("run", "--data-dir", tmp_path, "--select", "cleaned_posts,raw_posts,quarantined_posts")
    assert ran.returncode == 0, ran.stderr
    assert "empty.csv" in ran.stdout and "other.csv" in ran.stdout and "name, age" in ran.stdout
    unknown = cli("run", "--data-dir", tmp_path, "--select", "no_such_asset")
    assert unknown.returncode == 1 and "no_such_asset" in unknown.stderr
    nowhere = cli("run", "--data-dir", tmp_path, "--months", "2019-05")
    assert nowhere.returncode == 1 and "2019-05" in nowhere.stderr


def test_sample_takes_a_folder_or_the_data_root(cli: Run, tmp_path: Path) -> None:
    size = ("--months", "1", "--posts-per-month", "10", "--products", "0")
    named = cli("sample", tmp_path / "a", *size)
    rooted = cli("sample", "--data-dir", tmp_path / "b", *size)
    assert named.returncode == rooted.returncode == 0, rooted.stderr
    crawl = Path("incoming") / "crawl_2024-01.csv"
    assert (tmp_path / "a" / crawl).read_bytes() == (tmp_path / "b" / crawl).read_bytes()
    (tmp_path / "c" / "incoming").mkdir(parents=True)
    (tmp_path / "c" / "incoming" / "own.csv").write_text("mine", encoding="utf-8")
    refused = cli("sample", tmp_path / "c", *size)
    assert refused.returncode == 1 and "own.csv" in refused.stderr
