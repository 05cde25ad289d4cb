"""The general dictionary: what it knows of words, read once."""

from __future__ import annotations

from fashion_assets.keywords.dictionary import UNKNOWN, load_dictionary, total_frequency


def test_what_it_knows_of_words() -> None:
    dictionary = load_dictionary()
    assert dictionary["已经"].tag == "d"
    assert dictionary["历史"].tag == "n"
    assert dictionary["已经"].frequency > dictionary["裙子"].frequency > 0
    assert "没有人说的话" not in dictionary
    assert UNKNOWN == (0, "x")


def test_it_holds_the_whole_file_in_normal_case() -> None:
    dictionary = load_dictionary()
    assert len(dictionary) > 349_000
    assert all(word and word == word.lower() for word in dictionary)
    assert all(entry.frequency > 0 and entry.tag for entry in dictionary.values())
    assert "t恤" in dictionary
    assert "T恤" not in dictionary


def test_the_total_is_that_of_the_entries() -> None:
    assert total_frequency() == sum(entry.frequency for entry in load_dictionary().values())
    assert load_dictionary() is load_dictionary()
