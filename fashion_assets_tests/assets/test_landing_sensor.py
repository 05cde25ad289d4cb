"""The sensor asks for the months that new files touch: once, whole, in slices, and again after a failure."""

import gzip
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import dagster as dg
import pytest

from fashion_assets.defs import posts, sensors
from fashion_assets.defs.io_managers import LakeIOManager
from fashion_assets.defs.landing import RUN_SETTLE_SECONDS
from fashion_assets.defs.posts import raw_posts
from fashion_assets.defs.run_tags import LANDED, LANDED_DIGEST, LANDED_MONTH
from fashion_assets.defs.sensors import ATTEMPTS, incoming_sensor
from fashion_assets.posts import landed, month_digests, settling, waiting
from fashion_assets.posts.landed import read_ledger
from fashion_assets.posts.month_digests import landing_digests
from fashion_assets.settings import Settings
from fashion_assets.storage.lake import Lake
from fashion_assets.storage.locks import locked
from fashion_assets.storage.months import key_of_month
from fashion_assets.storage.places import Stamp

HEADER = "poster_id,post_id,post_title,post_date,post_content,post_fetch_time"
FAILURE, SUCCESS, CANCELED = (
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.CANCELED,
)


class House:
    """A data root with a sensor, and a record of what its runs would have done."""

    def __init__(self, root: Path) -> None:
        self.settings = Settings(data_dir=root)
        self.instance = dg.DagsterInstance.ephemeral()
        self.asked: list[dg.RunRequest] = []
        self.said = ""

    def crawl(self, name: str, *rows: str) -> Path:
        path = self.settings.root / "incoming" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
        return path

    def tick(self) -> list[str | None]:
        """The partitions that one look asks for."""
        context = dg.build_sensor_context(instance=self.instance, resources={"settings": self.settings})
        result = incoming_sensor(context)
        if isinstance(result, dg.SkipReason):
            self.asked, self.said = [], str(result.skip_message)
            return []
        assert isinstance(result, dg.SensorResult)
        assert result.cursor is None, "nothing is kept that could grow"
        self.asked, self.said = list(result.run_requests or []), ""
        return [request.partition_key for request in self.asked]

    def run(self, status: dg.DagsterRunStatus = SUCCESS) -> None:
        """The runs that the last look asked for, as the daemon starts them and as they end."""
        for request in self.asked:
            tags = {**request.tags, "dagster/run_key": str(request.run_key)}
            self.instance.create_run(
                job_name="__ASSET_JOB",
                run_id=None,
                run_config=None,
                status=status,
                tags=tags,
                root_run_id=None,
                parent_run_id=None,
                step_keys_to_execute=None,
                execution_plan_snapshot=None,
                job_snapshot=None,
                parent_job_snapshot=None,
                asset_selection=None,
                asset_check_selection=None,
                resolved_op_selection=None,
                op_selection=None,
                remote_job_origin=None,
                job_code_origin=None,
                asset_graph=dg.Definitions().resolve_asset_graph(),
            )
            if status == SUCCESS:
                self.made(tags[LANDED_MONTH])

    def made(self, month: str) -> None:
        version = landing_digests(self.settings.lake)[month]
        self.instance.report_runless_asset_event(
            dg.AssetMaterialization(
                "raw_posts", partition=key_of_month(month), tags={"dagster/data_version": version}
            )
        )


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    yield House(tmp_path)


def post(number: int, date: str, words: str = "马面裙") -> str:
    return f"u{number},{number:024x},新中式,{date},{words},2024-04-01 10:00:00"


def test_a_file_asks_for_the_months_of_its_posts_once(house: House) -> None:
    house.crawl("a.csv", post(1, "2024-01-05"), post(2, "2024-03-05"))
    assert house.tick() == [], "it may still be written"
    assert "a.csv" in house.said
    assert house.tick() == ["2024-01-01", "2024-03-01"]
    assert all(request.tags[LANDED] == "yes" for request in house.asked)
    first = {request.run_key for request in house.asked}
    house.run()
    assert house.tick() == []
    assert house.said == "nothing new in incoming/"

    late = house.crawl("late.csv", post(3, "2024-01-09"))
    house.tick()
    assert house.tick() == ["2024-01-01"]
    assert not first & {request.run_key for request in house.asked}
    house.run()

    house.crawl("same.csv").write_bytes(late.read_bytes())
    house.tick()
    assert house.tick() == [], "the same file under another name does nothing"
    assert len(read_ledger(house.settings.lake)) == 2


def test_a_file_that_grows_waits_until_two_looks_find_it_unchanged(house: House) -> None:
    house.crawl("a.csv", post(1, "2024-01-05"))
    house.tick()
    house.crawl("a.csv", post(1, "2024-01-05"), post(2, "2024-01-06"))
    assert house.tick() == []
    assert house.tick() == ["2024-01-01"]
    assert int(read_ledger(house.settings.lake)["rows"].sum()) == 2


def test_a_delivery_that_says_that_it_is_whole_lands_at_the_first_look(house: House) -> None:
    house.crawl("monday/a.csv", post(1, "2024-01-05"))
    (house.settings.root / "incoming/monday/_SUCCESS").touch()
    listed = house.crawl("tuesday/b.csv", post(2, "2024-02-05"))
    files = [
        {"name": "b.csv", "bytes": listed.stat().st_size},
        {"name": "absent.csv", "bytes": 10},
    ]
    (listed.parent / "_manifest.json").write_text(json.dumps({"files": files}))
    assert house.tick() == ["2024-01-01", "2024-02-01"]


def test_a_month_under_way_is_not_asked_for_twice(house: House) -> None:
    house.crawl("a.csv", post(1, "2024-01-05"))
    house.tick()
    house.tick()
    house.run(dg.DagsterRunStatus.STARTED)
    house.crawl("b.csv", post(2, "2024-01-06"))
    house.tick()
    assert house.tick() == []
    assert "2024-01 is under way" in house.said


def test_a_failed_run_is_asked_for_again_with_a_new_key_and_not_for_ever(house: House) -> None:
    house.crawl("a.csv", post(1, "2024-01-05"))
    house.tick()
    keys = []
    for _ in range(ATTEMPTS):
        assert house.tick() == ["2024-01-01"]
        keys.append(house.asked[0].run_key)
        house.run(FAILURE)
    assert len(set(keys)) == ATTEMPTS
    assert house.tick() == []
    assert f"2024-01 has failed {ATTEMPTS} times" in house.said
    # New rows are a new occasion.
    house.crawl("b.csv", post(2, "2024-01-06"))
    house.tick()
    assert house.tick() == ["2024-01-01"]
    house.run()
    assert house.tick() == []


def test_rows_that_go_and_come_again_are_asked_for_each_time_with_a_key_of_their_own(house: House) -> None:
    """The month has its first state again: what succeeded for it before is no failure, and Dagster knows its key."""
    house.crawl("a.csv", post(1, "2024-01-05"))
    house.crawl("b.csv", post(2, "2024-01-05"))
    house.tick()
    keys: list[str | None] = []
    months = landed.landing_root(house.settings.lake) / "2024-01"
    for number in range(9):
        assert house.tick() == ["2024-01-01"], number
        keys.append(house.asked[0].run_key)
        house.run()
        assert house.tick() == []
        if number % 2:
            [hidden] = months.glob("*.aside")
            hidden.rename(hidden.with_suffix(".parquet"))
        else:
            there, _ = months.glob("*.parquet")
            there.rename(there.with_suffix(".aside"))
    assert len(set(keys)) == 9


def test_keys_stay_new_when_the_records_of_old_runs_are_deleted(house: House) -> None:
    house.crawl("a.csv", post(1, "2024-01-05"))
    house.tick()
    keys = []
    for _ in range(2):
        house.tick()
        keys.append(house.asked[0].run_key)
        house.run(FAILURE)
    oldest = house.instance.get_runs()[-1]
    house.instance.delete_run(oldest.run_id)
    house.tick()
    keys.append(house.asked[0].run_key)
    assert len(set(keys)) == 3, "the key of the second run is not given to the third"


def test_failures_are_counted_from_the_last_success(house: House) -> None:
    house.crawl("a.csv", post(1, "2024-01-05"))
    sensors.land(house.settings)
    for status in (FAILURE, FAILURE, SUCCESS):
        house.tick()
        house.run(status)
    house.instance.wipe_assets([dg.AssetKey("raw_posts")])
    for _ in range(ATTEMPTS):
        assert house.tick() == ["2024-01-01"]
        house.run(FAILURE)
    assert house.tick() == [] and f"has failed {ATTEMPTS} times" in house.said


def test_a_tick_reads_so_many_bytes_and_at_least_one_file(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tick that reads on until all is landed goes past the time that the daemon waits for it."""
    monkeypatch.setattr(sensors, "BYTES_PER_TICK", 1_700)
    for name, n_posts in (("a", 5), ("b", 5), ("c", 100), ("d", 5)):
        path = house.crawl(
            f"{name}.csv", *(post(number, "2024-01-05", name * 40) for number in range(n_posts))
        )
    with gzip.open(path.with_suffix(".csv.gz"), "wb") as packed:  # of some bytes that stand for many
        packed.write(path.read_bytes().replace(b"dd", b"ee"))
    landed_files = []
    house.tick()
    for _ in range(5):
        house.tick()
        landed_files.append(int((read_ledger(house.settings.lake)["status"] == "landed").sum()))
    assert landed_files == [2, 3, 4, 5, 5], "a and b, then c alone, then d, then the packed one"


def test_a_run_that_nobody_landed_for_leaves_a_file_that_is_being_written(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person's materialisation in the UI, while files are on their way."""
    whole = house.crawl("whole.csv", post(1, "2024-01-05"))
    listed = house.crawl("day/listed.csv", post(3, "2024-01-07"))
    (listed.parent / "_SUCCESS").touch()
    half = house.crawl("half.csv", post(2, "2024-01-06"))
    old = time.time() - 3600
    os.utime(whole, (old, old))
    waited: list[float] = []
    looked_at: list[str] = []
    still_written = settling.still_written

    def rest_arrives(seconds: float) -> None:
        waited.append(seconds)
        half.write_text(half.read_text(encoding="utf-8") + post(4, "2024-01-08") + "\n", encoding="utf-8")

    def watched(files: Mapping[Path, Stamp], seconds: float, sleep: object) -> dict[Path, str]:
        looked_at.extend(path.name for path in files)
        return still_written(files, seconds, rest_arrives)

    monkeypatch.setattr(waiting, "still_written", watched)
    monkeypatch.setattr(posts, "RUN_SETTLE_SECONDS", RUN_SETTLE_SECONDS)

    def materialise() -> list[str]:
        resources = {"settings": house.settings, "io_manager": LakeIOManager(house.settings.lake)}
        assert dg.materialize([raw_posts], partition_key="2024-01-01", resources=resources).success
        return sorted(read_ledger(house.settings.lake)["file"])

    assert materialise() == ["day/listed.csv", "whole.csv"]
    assert waited == [30.0] and "listed.csv" not in looked_at, "a marker says that it is whole"
    monkeypatch.setattr(waiting, "still_written", lambda files, seconds, sleep: {})
    assert materialise() == ["day/listed.csv", "half.csv", "whole.csv"]
    assert Lake(house.settings.lake).row_count("raw_posts", "2024-01") == 4


def test_a_canceled_run_stays_canceled(house: House) -> None:
    house.crawl("a.csv", post(1, "2024-01-05"))
    house.tick()
    house.tick()
    house.run(CANCELED)
    assert house.tick() == []
    assert "was canceled" in house.said


def test_what_another_process_landed_and_made_is_known(house: House) -> None:
    """A tick that was killed after landing is the same: the next one finds the month."""
    house.crawl("a.csv", post(1, "2024-01-05"), post(2, "2024-02-05"))
    sensors.land(house.settings)
    house.made("2024-02")
    assert house.tick() == ["2024-01-01"]
    assert house.asked[0].tags[LANDED_DIGEST] == landing_digests(house.settings.lake)["2024-01"][:16]


def test_months_that_are_no_partition_are_not_asked_for(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One bad key would lose the whole tick."""
    house.crawl("a.csv", post(1, "2024-01-05"), post(2, "2024-03-05"))
    sensors.land(house.settings)
    shorter = dg.MonthlyPartitionsDefinition(start_date="2024-02-01", timezone="Asia/Shanghai")
    monkeypatch.setattr(sensors, "MONTHS", shorter)
    assert house.tick() == ["2024-03-01"]


def test_many_files_land_in_slices_and_none_is_lost(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensors, "FILES_PER_TICK", 4)
    for number in range(10):
        house.crawl(f"{number}.csv", post(number, f"2024-0{1 + number // 4}-05"))
    landed, asked = [], []
    house.tick()
    for _ in range(4):
        asked.append(house.tick())
        landed.append(int((read_ledger(house.settings.lake)["status"] == "landed").sum()))
        house.run()
    assert landed == [4, 8, 10, 10]
    # A month waits while the next slice may touch it again.
    assert asked == [[], ["2024-01-01"], ["2024-02-01", "2024-03-01"], []]


def test_a_tick_does_not_wait_for_another_landing(house: House) -> None:
    house.crawl("a.csv", post(1, "2024-01-05"))
    house.tick()
    with locked(landed.landing_root(house.settings.lake) / ".lock"):
        assert house.tick() == [] and house.said == "another landing is at work"
    assert house.tick() == ["2024-01-01"]


def test_refused_files_do_not_hold_up_the_others(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensors, "FILES_PER_TICK", 2)
    for number in range(4):
        house.crawl(f"a{number}.csv").write_text(f"no,crawl\n{number},1\n")
    house.crawl("z.csv", post(1, "2024-01-05"))
    house.tick()
    assert [house.tick() for _ in range(3)][-1] == ["2024-01-01"]


def test_a_tick_says_of_refused_files_that_they_are(house: House) -> None:
    for number in range(7):
        house.crawl(f"a{number}.csv").write_text(f"no,crawl\n{number},1\n")
    house.tick()
    for _ in range(2):  # also when they were refused before
        assert house.tick() == []
        assert house.said.count("was refused: the required columns") == 5
        assert "2 more files were refused" in house.said


def test_a_tick_reads_no_more_of_the_lake_when_more_has_landed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a tick opens depends on the files that are new and on their months, not on all that has landed before."""
    opened: list[Path] = []
    for module, name in ((landed, "read_parquet"), (month_digests, "read_parquet_schema")):
        read = getattr(module, name)

        def counted(path: Path, *arguments: object, read: Callable[..., object] = read) -> object:
            opened.append(path)
            return read(path, *arguments)

        monkeypatch.setattr(module, name, counted)

    def opened_by_two_files(number: int, month: str) -> int:
        house.crawl(f"a{number}.csv", post(number, f"{month}-05"))
        house.tick()
        opened.clear()
        assert house.tick() == [f"{month}-01"]
        house.run()
        # A second file of the same authors: the files that the tick before wrote are known by now.
        house.crawl(f"b{number}.csv", post(number + 1, f"{month}-05"))
        house.tick()
        house.tick()
        house.run()
        return len(opened)

    opened_by_two_files(10, "2023-01")
    few = opened_by_two_files(20, "2023-02")
    for number in range(100, 160):
        house.crawl(f"{number}.csv", post(number, f"2024-0{2 + number % 2}-05"))
    house.tick()
    house.tick()
    house.run()
    opened_by_two_files(30, "2023-03")  # reads the sixty, once
    assert opened_by_two_files(40, "2023-04") == few


def test_a_tick_opens_the_new_files_of_a_touched_month_and_not_all_of_them(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []
    read = month_digests.read_parquet_schema
    monkeypatch.setattr(month_digests, "read_parquet_schema", lambda path: opened.append(path) or read(path))
    picture = house.settings.root / "incoming" / "media" / f"{1:024x}" / "1.jpg"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"\xff\xd8\xff1")
    counts = []
    for first in range(1, 41, 8):
        for number in range(first, first + 8):
            house.crawl(f"{number:02d}.csv", post(number, "2024-01-05"))
        house.tick()
        assert house.tick() == ["2024-01-01"]
        house.run()
        counts.append(len(opened))
        opened.clear()
    assert counts == [8] * 5, "the month has forty files in the end"
    written_down = landing_digests(house.settings.lake)
    for hidden in (".row_digests.parquet", "month_digests.parquet"):
        (landed.landing_root(house.settings.lake) / hidden).unlink()
    assert landing_digests(house.settings.lake) == written_down and len(opened) == 40


@pytest.mark.slow
def test_ten_thousand_files_of_which_most_have_landed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Known files are neither read nor counted again, and the new ones among them land in slices."""
    monkeypatch.setattr(sensors, "FILES_PER_TICK", 20)
    new = [house.crawl(f"{number:05d}.csv", post(number, "2024-01-05")) for number in range(0, 10_000, 200)]
    house.tick()
    assert [house.tick() for _ in range(3)] == [[], [], ["2024-01-01"]]
    ledger = read_ledger(house.settings.lake)
    assert len(ledger) == len(new) == 50
    house.run()

    # 9,950 more whose content has landed, as the ledger tells: a second delivery of the same files.
    for number in range(10_000):
        if number % 200:
            new[number // 200].parent.joinpath(f"{number:05d}.csv").hardlink_to(new[number // 200])
    house.tick()
    monkeypatch.setattr(sensors, "FILES_PER_TICK", 10_000)
    assert house.tick() == []
    assert house.said == "nothing new in incoming/"
    assert len(read_ledger(house.settings.lake)) == 50
    read: list[Path] = []
    monkeypatch.setattr("fashion_assets.posts.landing.local_copy", lambda path: read.append(path))
    assert house.tick() == []
    assert read == [], "no file that is as it was is read again"
