"""posts.authors: one salt per data root, and no raw id left in any cell."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.posts.authors import AuthorMasker, hash_author, load_or_create_salt, mask_author_ids
from fashion_assets.storage.errors import UserError

SALT = b"s" * 32
RAW = "5f3a9c0e12ab34cd56ef7890"


def test_the_salt_is_made_once_and_kept_private(tmp_path: Path) -> None:
    path = tmp_path / "root" / "author_salt"
    salt = load_or_create_salt(path)
    assert len(salt) == 32 and load_or_create_salt(path) == salt
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["author_salt"]


def test_many_at_once_get_the_same_salt(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        salts = set(pool.map(lambda _: load_or_create_salt(tmp_path / "salt"), range(32)))
    assert len(salts) == 1


@pytest.mark.parametrize("content", ["", "abc", "not hex at all, but long enough to be one"])
def test_a_damaged_salt_is_not_replaced_silently(tmp_path: Path, content: str) -> None:
    (tmp_path / "salt").write_text(content)
    with pytest.raises(UserError, match="holds no author salt"):
        load_or_create_salt(tmp_path / "salt")


def test_the_hash_is_short_stable_and_depends_on_the_salt() -> None:
    assert hash_author(RAW, SALT) == hash_author(f" {RAW} ", SALT) != hash_author(RAW, b"t" * 32)
    assert len(hash_author(RAW, SALT)) == 16 and set(hash_author(RAW, SALT)) <= set("0123456789abcdef")


def test_ids_are_masked_wherever_they_stand() -> None:
    hashed = hash_author(RAW, SALT)
    frame = pd.DataFrame(
        {
            "post_content": [
                f"看 https://www.xiaohongshu.com/user/profile/{RAW}?x=1 哦",
                f"作者{RAW.upper()}。",
                None,
            ],
            "extra": [json.dumps({"avatar": f"https://cdn/u{RAW}.jpg", "owner": {"id": RAW}}), None, "{}"],
            "n": [1, 2, 3],
        }
    )
    masked = mask_author_ids(frame, [RAW], SALT)
    assert RAW not in masked.to_csv().lower() and RAW in frame.to_csv().lower()
    assert masked["post_content"][0] == f"看 https://www.xiaohongshu.com/user/profile/{hashed}?x=1 哦"
    assert json.loads(masked["extra"][0]) == {"avatar": f"https://cdn/u{hashed}.jpg", "owner": {"id": hashed}}
    assert list(masked["n"]) == [1, 2, 3]


def test_short_and_numeric_ids_do_not_eat_counts_or_words() -> None:
    frame = pd.DataFrame(
        {
            "post_like": ["12", "1234567", "x"],
            "post_content": ["买了12件", "电话 1234567 对", "art"],
            "extra": ['{"u": "12"}', '{"likes": "112"}', None],
        }
    )
    masked = mask_author_ids(frame, ["12", "1234567", "art"], SALT)
    assert list(masked["post_like"]) == ["12", "1234567", "x"]
    assert masked["post_content"][0] == "买了12件"
    assert "1234567" not in masked["post_content"][1]
    assert masked["post_content"][2] == hash_author("art", SALT)
    assert json.loads(masked["extra"][0])["u"] == hash_author("12", SALT)
    assert masked["extra"][1] == '{"likes": "112"}'


def test_profile_addresses_of_strangers_are_masked_too() -> None:
    text = AuthorMasker([], SALT).mask("https://www.xiaohongshu.com/user/profile/60aa00bb11cc22dd33ee44ff")
    assert text.endswith(hash_author("60aa00bb11cc22dd33ee44ff", SALT))
    assert AuthorMasker([], SALT).mask("https://shop.cn/item?id=5") == "https://shop.cn/item?id=5"


def test_authors_of_earlier_files_are_known_by_their_hash() -> None:
    masker = AuthorMasker([], SALT, {hash_author(RAW, SALT)})
    assert masker.mask(f"和 {RAW} 一起") == f"和 {hash_author(RAW, SALT)} 一起"
    assert masker.mask("和 60aa00bb11cc22dd33ee44ff 一起") == "和 60aa00bb11cc22dd33ee44ff 一起"


@given(
    ids=st.lists(
        st.text("0123456789abcdefXYZ-_.", min_size=8, max_size=26), min_size=1, max_size=6, unique=True
    ),
    words=st.lists(st.sampled_from(["穿搭", " ", "/", "ootd", "12", '"', "?id=", "。"]), max_size=8),
    data=st.data(),
)
def test_no_long_id_survives(ids: list[str], words: list[str], data: st.DataObject) -> None:
    text = "|".join([*words, data.draw(st.sampled_from(ids)), *words, data.draw(st.sampled_from(ids))])
    masked = mask_author_ids(pd.DataFrame({"post_content": [text]}), ids, SALT)["post_content"][0]
    hashes = [hash_author(raw, SALT) for raw in ids]
    for hashed in hashes:
        masked = masked.replace(hashed, "\n")
    assert not any(raw.strip().lower() in masked.lower() for raw in ids)


@pytest.mark.parametrize("key", ["user_id", "userId", "at_user_id", "uid", "Author_ID"])
def test_what_an_extra_column_calls_a_persons_id_is_hashed_though_no_post_of_theirs_is_here(key: str) -> None:
    extra = json.dumps(
        {key: "other-person", "nested": json.dumps({key: "someone_else", "n": 1}), "post_id": "p1"}
    )
    masked = AuthorMasker([RAW], SALT).mask(extra, "extra")
    cells = json.loads(masked)
    assert cells[key] == hash_author("other-person", SALT) and cells["post_id"] == "p1"
    assert json.loads(cells["nested"]) == {key: hash_author("someone_else", SALT), "n": 1}


def test_a_refused_name_shows_of_an_unknown_id_only_the_beginning() -> None:
    other = "66" + "ab12" * 5 + "cd"
    shown = AuthorMasker([RAW], SALT).mask_refused(f"user_{other}/{RAW}.csv")
    assert shown.startswith("user_66ab12~") and shown.endswith(f"/{hash_author(RAW, SALT)}.csv")
    assert other not in shown and RAW not in shown
