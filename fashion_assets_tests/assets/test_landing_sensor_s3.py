"""The landing sensor over a bucket: the same requests, and few requests of the store for a look that finds nothing."""

from collections import Counter
from pathlib import Path

import dagster as dg
import pytest

from fashion_assets.defs.io_managers import LakeIOManager
from fashion_assets.defs.posts import raw_posts
from fashion_assets.posts.landed import landed_months
from fashion_assets.settings import Settings
from fashion_assets.storage.files import write_bytes_atomic
from fashion_assets.storage.lake import Lake
from fashion_assets.storage.places import Place, is_remote
from fashion_assets_tests.assets.test_landing_sensor import HEADER, House, post

pytestmark = pytest.mark.s3


class FarHouse(House):
    """A house whose crawl files arrive in a bucket, as objects."""

    def __init__(self, root: Path, bucket: Place) -> None:
        super().__init__(root)
        self.settings = Settings(
            data_dir=root, lake_url=str(bucket / "lake"), incoming_url=str(bucket / "incoming")
        )

    def deliver(self, name: str, *rows: str) -> None:
        write_bytes_atomic(self.settings.incoming / name, ("\n".join([HEADER, *rows]) + "\n").encode())


@pytest.fixture
def house(tmp_path: Path, s3_root: Place) -> FarHouse:
    return FarHouse(tmp_path, s3_root)


def test_objects_ask_for_the_months_of_their_posts_once(house: FarHouse) -> None:
    house.deliver("a.csv", post(1, "2024-01-05"), post(2, "2024-03-05"))
    assert house.tick() == []
    assert house.tick() == ["2024-01-01", "2024-03-01"]
    house.run()
    assert house.tick() == []
    house.deliver("day/b.csv", post(3, "2024-01-09"))
    write_bytes_atomic(house.settings.incoming / "day" / "_SUCCESS", b"")
    assert house.tick() == ["2024-01-01"], "a marker says that it is whole"
    house.run()
    house.deliver("day/copy.csv", post(3, "2024-01-09"))
    house.tick()
    assert house.tick() == [], "the same file under another name does nothing"
    assert landed_months(house.settings.lake) == ["2024-01", "2024-03"]
    assert not (house.settings.root / "lake").exists()


def test_raw_posts_reads_what_landed_and_is_stored_in_the_bucket(house: FarHouse) -> None:
    house.deliver("a.csv", post(1, "2024-01-05"), post(2, "2024-01-06"))
    made = dg.materialize(
        [raw_posts],
        partition_key="2024-01-01",
        resources={
            "settings": house.settings,
            "io_manager": LakeIOManager(house.settings.lake),
        },
    )
    assert made.success
    assert Lake(house.settings.lake).row_count("raw_posts", "2024-01") == 2
    [event] = made.asset_materializations_for_node("raw_posts")
    assert event.metadata["path"].value == f"{house.settings.lake}/raw_posts/2024-01.parquet"


def test_a_look_that_finds_nothing_asks_the_store_little(
    house: FarHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        house.deliver(f"{number}.csv", post(number, f"2024-{number % 4 + 1:02d}-05"))
    house.tick()
    assert len(house.tick()) == 4
    house.run()
    lake = house.settings.lake
    assert is_remote(lake)
    asked: Counter[str] = Counter()
    store = type(lake.fs)
    original = store._call_s3

    async def counted(self: object, method: object, *given: object, **named: object) -> object:
        asked[str(getattr(method, "__name__", method))] += 1
        return await original(self, method, *given, **named)

    monkeypatch.setattr(store, "_call_s3", counted)
    assert house.tick() == []
    # Whatever the number of files and months: two checks of the buckets, the lists, the lock, and five small tables.
    assert 0 < sum(asked.values()) < 45, asked
