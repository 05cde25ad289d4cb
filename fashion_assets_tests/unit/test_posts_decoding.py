"""posts.decoding: what is Chinese in GB18030, and what only can be read as such."""

from __future__ import annotations

import pytest

from fashion_assets.posts.decoding import decode_lines
from fashion_assets.storage.errors import UserError

SIMPLIFIED = "新中式穿搭太好看了，周末逛街新买的马面裙配针织开衫很显瘦，姐妹们冲鸭！牛仔裤 复古 港风 ootd\n"
TRADITIONAL = (
    "新中式穿搭太好看了，週末逛街新買的馬面裙配針織開衫很顯瘦，姐妹們衝鴨！牛仔褲 復古 港風 體驗 質感\n"
)
JAPANESE = "今日のコーデはこれです。とても可愛いスカートを買いました。新宿で買い物、秋服のおすすめ\n"
FRENCH = (
    "Robe d'été légère, élégante, très à la mode, façon brodée, matière aérée, coupe évasée, idéale à Noël\n"
)


@pytest.mark.parametrize("text", [SIMPLIFIED, TRADITIONAL])
def test_chinese_of_either_script_is_read_from_gb18030(text: str) -> None:
    found = decode_lines((text * 3).encode("gb18030"))
    assert (found.encoding, found.damaged) == ("GB18030", {})
    assert "".join(found.lines) == text * 3


@pytest.mark.parametrize(
    ("text", "encoding"), [(TRADITIONAL, "big5"), (JAPANESE, "shift_jis"), (FRENCH, "latin-1")]
)
def test_other_encodings_are_refused_and_not_kept_as_garbled_posts(text: str, encoding: str) -> None:
    data = ("post_id,post_title\n" + text * 3).encode(encoding, "ignore")
    with pytest.raises(UserError, match=r"save it again as UTF-8|neither UTF-8"):
        decode_lines(data)


def test_a_few_rare_letters_tell_nothing() -> None:
    assert decode_lines("a,裯襌\n".encode("gb18030")).encoding == "GB18030"
