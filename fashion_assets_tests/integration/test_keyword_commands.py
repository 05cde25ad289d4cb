"""``fashion-assets keywords`` as a person uses it: train, judge, score, accept; and what ``run`` makes of it.

One data root is trained once, on the test's own small files without the project's lists, which takes seconds.
A test that changes it works on a copy.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from fashion_assets.cli import main
from fashion_assets.keywords.background import load_background
from fashion_assets.keywords.lexicon import load_lexicon
from fashion_assets_tests.integration.conftest import Run, fashion_assets

MONTH = "2024-05"
HEADER = "poster_id,post_id,post_title,post_date,post_content,post_tag,post_like,post_fetch_time"
#: A term that no list holds, in every post.
COINED = "呼噜噜穿搭"
#: No lists, one light head, no ResNet: what is tested here is the way, not the figures.
QUICK = ("--no-lists", "--heads", "logistic", "--no-reference")

#: What is asked here, with all above it; styles and reports would only take time.
SELECT = ("--select", "+fashion_keywords,new_words")

Refused = Callable[..., str]


def write_words(folder: Path) -> tuple[Path, Path]:
    """300 fashion words as a table and 300 others as lines."""
    lexicon = load_lexicon()
    fashion = [term for facet in ("garment", "material", "style") for term in lexicon.terms(facet)][::5][:300]
    other = sorted(load_background())[::7][:300]
    positives, negatives = folder / "positives.csv", folder / "negatives.txt"
    rows = [f"{number},{word}" for number, word in enumerate(fashion)]
    positives.write_text("\n".join(["id,keyword", *rows]) + "\n", encoding="utf-8")
    negatives.write_text("\n".join(other) + "\n", encoding="utf-8")
    return positives, negatives


def write_crawl(folder: Path, n_posts: int = 24) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    garments = ["马面裙", "西装", "牛仔裤", "连衣裙"]
    rows = [
        f"u{n},p{n},{garments[n % 4]}分享,2024-05-{n % 28 + 1:02d},今天穿了{garments[(n + 1) % 4]} {COINED} 真好看,"
        f"新中式,{n},2024-06-01 10:00:00"
        for n in range(n_posts)
    ]
    (folder / "crawl.csv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Trained:
    """A data root with posts after ``keywords train`` and ``run``; its word files lie in it."""

    root: Path
    printed: str

    @property
    def positives(self) -> Path:
        return self.root / "positives.csv"

    @property
    def negatives(self) -> Path:
        return self.root / "negatives.txt"

    @property
    def model(self) -> Path:
        return self.root / "models" / "tfashion"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    root = tmp_path_factory.mktemp("keywords")
    positives, negatives = write_words(root)
    write_crawl(root / "incoming")
    files = ("--positives", positives, "--negatives", negatives)
    learned = fashion_assets("keywords", "train", "--data-dir", root, *files, *QUICK, COLUMNS="80")
    assert learned.returncode == 0, learned.stderr
    ran = fashion_assets("run", "--data-dir", root, *SELECT)
    assert ran.returncode == 0, ran.stderr
    return Trained(root, learned.stdout)


@pytest.fixture
def copy(trained: Trained, tmp_path: Path, cli: Run) -> Trained:
    """The trained data root as a copy that a test may change; its word files are those of the original."""
    root = tmp_path / "copy"
    shutil.copytree(trained.root, root, copy_function=shutil.copy2)
    recipe = root / "models" / "tfashion" / "recipe.json"
    assert str(trained.root) in recipe.read_text(encoding="utf-8")
    return Trained(root, "")


def keywords_of(root: Path) -> list[list[str]]:
    table = pd.read_parquet(root / "lake" / "fashion_keywords" / f"{MONTH}.parquet")
    return [list(words) for words in table["keywords"]]


def times(root: Path) -> dict[str, int]:
    """What a training and an extraction write, by name, with the time of its last writing."""
    files = {
        "word_vectors": root / "models" / "word_vectors" / "cbow.safetensors",
        "keyword_training_words": root / "lake" / "keyword_training_words" / "all.parquet",
        "tfashion_model": root / "models" / "tfashion" / "tfashion.safetensors",
        "fashion_keywords": root / "lake" / "fashion_keywords" / f"{MONTH}.parquet",
    }
    return {name: path.stat().st_mtime_ns for name, path in files.items()}


@pytest.mark.slow
def test_training_keeps_model_recipe_and_words(trained: Trained) -> None:
    recipe = json.loads((trained.model / "recipe.json").read_text(encoding="utf-8"))
    assert recipe["positives"] == [str(trained.positives)] and recipe["negatives"] == [str(trained.negatives)]
    assert recipe["lists"] is False and recipe["heads"] == ["logistic"]
    card = json.loads((trained.model / "tfashion.json").read_text(encoding="utf-8"))
    assert card["head"] == "logistic" and not card["uses_lists"]
    assert 0 <= card["honest_split"]["f1"]["value"] <= 1 and 0 <= card["family_split"]["f1"]["value"] <= 1
    words = pd.read_parquet(trained.root / "lake" / "keyword_training_words" / "all.parquet")
    assert set(words["origin"]) == {"positives", "negatives"} and words["rows"].sum() == 600
    # The posts had arrived but had not been cleaned before: they are learned from all the same.
    assert card["posts"] == 24


@pytest.mark.slow
def test_what_training_prints_fits_80_columns(trained: Trained) -> None:
    lines = trained.printed.splitlines()
    tables = [line for line in lines if line.startswith(("┃", "│"))]
    assert len(tables) > 10 and max(map(len, tables)) <= 80
    assert "…" not in "".join(tables)
    # Each row on one line: a wrapped cell leaves an empty one beside it.
    assert not [line for line in tables if not line.strip("│┃ ").split(" ")[0]]
    for said in ("logistic, kept", "by word, lengths matched", "by word family", "a word is a keyword from"):
        assert said in trained.printed


@pytest.mark.slow
def test_a_run_after_the_training_uses_it_and_a_second_has_nothing_to_do(trained: Trained, cli: Run) -> None:
    before = times(trained.root)
    model_id = json.loads((trained.model / "tfashion.json").read_text(encoding="utf-8"))["model_id"]
    assert (trained.root / "models" / "word_scores").is_dir() and model_id.startswith("tfashion:logistic@")
    assert len(keywords_of(trained.root)) == 24
    again = cli("run", "--data-dir", trained.root, *SELECT)
    assert again.returncode == 0 and "Nothing new" in again.stdout
    assert times(trained.root) == before


@pytest.mark.slow
def test_scores_have_a_row_for_each_word_in_order(trained: Trained, cli: Run, tmp_path: Path) -> None:
    words = [
        "马面裙",
        "真的",
        "马面裙",
        "a,b",
        'say "hi"',
        "裙" * 6667,
        "连\x00衣",
        "连衣\x1b[31m裙",
        "A",
        "2024",
    ]
    given = tmp_path / "words.txt"
    given.write_text("\n".join(words) + "\n\n", encoding="utf-8")
    out = tmp_path / "not" / "there" / "scores.csv"
    ran = cli("keywords", "score", given, "--out", out, "--data-dir", trained.root)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "" and "10 words" in ran.stderr and "tfashion:logistic@" in ran.stderr
    with out.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert list(rows[0]) == ["word", "score", "is_fashion", "facet"]
    assert [row["word"] for row in rows] == words
    scores = [float(row["score"]) for row in rows]
    assert all(0 <= score <= 1 for score in scores) and scores[0] == scores[2] > scores[1]
    assert rows[0]["is_fashion"] == "True" and rows[0]["facet"] == "garment"
    assert rows[1]["is_fashion"] == "False" and rows[1]["facet"] == ""
    # What no post can hold as a word is no keyword: a line of thousands, control characters, one letter, a number.
    assert [row["is_fashion"] for row in rows[5:]] == ["False"] * 5


@pytest.mark.slow
def test_evaluation_prints_the_figures_and_writes_them(trained: Trained, cli: Run, tmp_path: Path) -> None:
    labels, out = tmp_path / "labels.json", tmp_path / "figures.json"
    said = {
        "core": ["马面裙", "西装", "连衣裙"],
        "context": ["新中式"],
        "other": ["真的", "感觉", "下方"],
        "ambiguous": ["好看"],
    }
    labels.write_text(json.dumps(said, ensure_ascii=False), encoding="utf-8")
    ran = cli("keywords", "evaluate", labels, "--json", out, "--data-dir", trained.root)
    assert ran.returncode == 0, ran.stderr
    assert "7 words, 4 of fashion" in ran.stdout
    assert all(name in ran.stdout for name in ("precision", "recall", "F1", "AUC"))
    figures = json.loads(out.read_text(encoding="utf-8"))
    counts = (figures["true_positives"], figures["false_negatives"], figures["false_positives"])
    assert figures["n"] == 7 and counts[0] + counts[1] == figures["n_positive"] == 4
    assert figures["scorer"].startswith("tfashion:logistic@")
    for name in ("precision", "recall", "f1", "auc"):
        assert figures[name]["lo"] <= figures[name]["value"] <= figures[name]["hi"]


@pytest.mark.slow
def test_extract_asks_the_trained_model(trained: Trained, cli: Run, tmp_path: Path) -> None:
    out = tmp_path / "keywords.jsonl"
    crawl = trained.root / "incoming" / "crawl.csv"
    ran = cli("keywords", "extract", crawl, "--out", out, "--data-dir", trained.root)
    assert ran.returncode == 0, ran.stderr
    assert "24 posts, keywords by tfashion:logistic@" in ran.stderr
    found = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    # The same words as in the pipeline, which cleans and scores in another way.
    assert [post["keywords"] for post in found] == keywords_of(trained.root)


@pytest.mark.slow
def test_changed_words_are_learned_anew_by_the_next_run(copy: Trained, trained: Trained, cli: Run) -> None:
    recipe = copy.model / "recipe.json"
    moved = recipe.read_text(encoding="utf-8").replace(str(trained.root), str(copy.root))
    recipe.write_text(moved, encoding="utf-8")
    with copy.positives.open("a", encoding="utf-8") as handle:
        handle.write("301,呼噜领\n")
    before = times(copy.root)
    ran = cli("run", "--data-dir", copy.root, *SELECT)
    assert ran.returncode == 0, ran.stderr
    changed = {name for name, time in times(copy.root).items() if time != before[name]}
    assert changed == {"keyword_training_words", "tfashion_model", "fashion_keywords"}
    words = pd.read_parquet(copy.root / "lake" / "keyword_training_words" / "all.parquet")
    assert "呼噜领" in set(words["word"])
    assert "Nothing new" in cli("run", "--data-dir", copy.root, *SELECT).stdout


@pytest.mark.slow
def test_word_files_that_are_gone_stop_no_month(copy: Trained, trained: Trained, cli: Run) -> None:
    recipe = copy.model / "recipe.json"
    gone = recipe.read_text(encoding="utf-8").replace(str(trained.positives), str(copy.root / "gone.csv"))
    recipe.write_text(gone, encoding="utf-8")
    ran = cli("run", "--data-dir", copy.root, *SELECT)
    assert ran.returncode == 0, ran.stderr
    assert "classifier stays as it is" in ran.stdout and "gone.csv" in ran.stdout
    assert "keywords train" in ran.stdout and "Nothing new" in ran.stdout
    (copy.model / "tfashion.safetensors").unlink()
    failed = cli("run", "--data-dir", copy.root, *SELECT)
    assert failed.returncode == 1 and "gone.csv" in failed.stderr and "Traceback" not in failed.stderr


@pytest.mark.slow
def test_an_accepted_term_is_a_keyword_of_the_next_run(copy: Trained, cli: Run) -> None:
    assert not any(COINED in words for words in keywords_of(copy.root))
    accepted = cli("keywords", "accept", COINED, "--facet", "style", "--data-dir", copy.root)
    assert accepted.returncode == 0, accepted.stderr
    assert "holds 1 terms" in accepted.stdout and f"run --data-dir {copy.root}" in accepted.stdout
    ran = cli("run", "--data-dir", copy.root, *SELECT)
    assert ran.returncode == 0, ran.stderr
    assert all(COINED in words for words in keywords_of(copy.root))
    table = pd.read_parquet(copy.root / "lake" / "new_words" / "all.parquet")
    assert COINED not in set(table["word"])
    shown = cli("keywords", "new-words", "--data-dir", copy.root)
    assert shown.returncode == 0 and "n_posts" in shown.stdout


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["one class", "later file of posts", "encoder"])
def test_a_failed_training_leaves_recipe_and_model(
    copy: Trained, cli: Run, tmp_path: Path, fault: str
) -> None:
    posts = tmp_path / "posts"
    posts.mkdir()
    (posts / "a.txt").write_text("一条新裙子 真好看\n" * 3, encoding="utf-8")
    files = ["--positives", copy.positives, "--negatives", copy.negatives, "--posts", posts]
    environment = {}
    if fault == "one class":
        files[2:4], said = [], "--negatives"
    elif fault == "encoder":
        environment, said = {"FASHION_TEXT_ENCODER": "hf:nowhere/at/all"}, "FASHION_TEXT_ENCODER=hf:nowhere"
    else:
        (posts / "b.csv").write_text("id,n\n1,2\n", encoding="utf-8")
        said = "b.csv has the columns id, n"
    kept = {path: path.read_bytes() for path in (copy.root / "models").rglob("*") if path.is_file()}
    failed = cli("keywords", "train", "--data-dir", copy.root, *files, *QUICK, **environment)
    assert failed.returncode == 1 and said in failed.stderr and "Traceback" not in failed.stderr
    assert {path: path.read_bytes() for path in kept} == kept
    assert "Nothing new" in cli("run", "--data-dir", copy.root, *SELECT).stdout


@pytest.mark.slow
def test_an_encoder_that_is_not_here_says_where_it_was_looked_for(cli: Run, tmp_path: Path) -> None:
    positives, negatives = write_words(tmp_path)
    files = ("--positives", positives, "--negatives", negatives)
    spec = "st:GanymedeNil/text2vec-large-chinese"
    failed = cli(
        *("keywords", "train", "--data-dir", tmp_path / "data", *files, *QUICK),
        FASHION_TEXT_ENCODER=spec,
        HF_HOME=str(tmp_path / "cache"),
        HF_HUB_OFFLINE="1",
    )
    assert failed.returncode == 1 and "Traceback" not in failed.stderr
    for said in (
        f"FASHION_TEXT_ENCODER={spec}",
        str(tmp_path / "cache" / "hub"),
        "local:cbow",
        "the path of",
    ):
        assert said in failed.stderr, said
    assert not (tmp_path / "data" / "models" / "tfashion" / "recipe.json").exists()


@pytest.mark.slow
def test_another_encoder_than_the_model_s_is_refused_with_both_ids(
    copy: Trained, cli: Run, tmp_path: Path
) -> None:
    from fashion_assets.encoders.cbow_training import lexicon_cbow

    card = json.loads((copy.model / "tfashion.json").read_text(encoding="utf-8"))
    other = lexicon_cbow()
    other.save(tmp_path / "other.safetensors")
    (tmp_path / "words.txt").write_text("马面裙\n", encoding="utf-8")
    out = tmp_path / "out.csv"
    failed = cli(
        *("keywords", "score", tmp_path / "words.txt", "--out", out, "--data-dir", copy.root),
        FASHION_TEXT_ENCODER=f"local:cbow:{tmp_path / 'other.safetensors'}",
    )
    assert failed.returncode == 1 and "Traceback" not in failed.stderr
    assert card["encoder"] in failed.stderr and other.model_id.split("@")[1] in failed.stderr
    assert "FASHION_TEXT_ENCODER" in failed.stderr and "keywords train" in failed.stderr
    assert not out.exists()


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Run a command that must fail, in this process and in ``tmp_path``; its one sentence."""
    monkeypatch.chdir(tmp_path)
    # What a run sets for its own process.
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setenv("FASHION_DATA_DIR", "data")
    monkeypatch.delenv("FASHION_TEXT_ENCODER", raising=False)

    def run(*arguments: str | Path) -> str:
        monkeypatch.setattr("sys.argv", ["fashion-assets", "keywords", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr().err
        assert ended.value.code == 1 and said.startswith("fashion-assets: "), said
        assert "Traceback" not in said and len(said.strip().splitlines()) == 1
        assert not (tmp_path / "data" / "models").exists()
        return said

    return run


#: What is wrong with the file of that name, its content, and what the sentence must hold.
FAULTY_POSITIVES = {
    "columns.csv": ("id,body\n1,x\n", ["columns.csv", "id, body", "--column"]),
    "twice.csv": ("word,Word\na,b\n", ["twice.csv", "'word'", "more than once"]),
    "header.csv": ("keyword\n", ["header.csv", "holds no word"]),
    "empty.txt": ("", ["empty.txt", "holds no word"]),
    "blank.txt": (" \n\t\n\n", ["blank.txt", "holds no word"]),
    "nul.txt": ("\x00\x01\n\x00\x00\n\x00a\n", ["nul.txt", "not text"]),
    "torn.csv": ('id,word\n1,"a\n', ["torn.csv", "Line 2"]),
    "words.json": ("[]", ["words.json", "no word list"]),
    "words.zip": ("PK", ["words.zip", "unpack"]),
    "damaged.parquet": ("PAR1", ["damaged.parquet"]),
    "missing": (None, ["missing", "does not exist", "--positives"]),
}


@pytest.mark.parametrize("name", FAULTY_POSITIVES)
def test_faulty_positives_are_named(refused: Refused, tmp_path: Path, name: str) -> None:
    content, expected = FAULTY_POSITIVES[name]
    if content is not None:
        (tmp_path / name).write_text(content, encoding="utf-8")
    said = refused("train", "--positives", name, *QUICK)
    assert all(part in said for part in expected), said


def test_a_named_column_that_is_not_there(refused: Refused, tmp_path: Path) -> None:
    positives, negatives = write_words(tmp_path)
    said = refused("train", "--positives", positives, "--column", "term", "--negatives", negatives, *QUICK)
    assert "'term'" in said and "id, keyword" in said and "--column" in said


def test_one_side_only_or_the_same_on_both(refused: Refused, tmp_path: Path) -> None:
    positives, negatives = write_words(tmp_path)
    assert "give --negatives" in refused("train", "--positives", positives, *QUICK)
    assert "give --positives" in refused("train", "--negatives", negatives, *QUICK)
    both = refused("train", "--positives", negatives, "--negatives", negatives, *QUICK)
    assert "299 conflict" in both and "needs both kinds" in both
    (tmp_path / "poor.txt").write_text("真的\n穿搭\nA\n1234\n" + "裙" * 6667, encoding="utf-8")
    poor = refused("train", "--positives", "poor.txt", "--negatives", negatives, *QUICK)
    assert "dropped" in poor and "--positives" in poor


def test_a_head_that_there_is_not(refused: Refused) -> None:
    said = refused("train", "--heads", "logistic,forest")
    assert "'forest'" in said and "resnet, mlp, logistic" in said


def test_a_folder_that_holds_something_else_too(refused: Refused, tmp_path: Path) -> None:
    folder = tmp_path / "words"
    folder.mkdir()
    write_words(folder)
    (folder / "readme.pdf").write_bytes(b"%PDF")
    said = refused("train", "--positives", folder, *QUICK)
    assert "readme.pdf" in said and "move it out" in said
    (tmp_path / "hollow").mkdir()
    assert "holds no word" in refused("train", "--positives", "hollow", *QUICK)


def test_posts_without_text(refused: Refused, tmp_path: Path) -> None:
    positives, negatives = write_words(tmp_path)
    files = ("--positives", positives, "--negatives", negatives, *QUICK)
    (tmp_path / "posts.csv").write_text("id,likes\n1,2\n", encoding="utf-8")
    said = refused("train", *files, "--posts", "posts.csv")
    assert "posts.csv" in said and "id, likes" in said and "title, text or tags" in said
    assert "does not exist" in refused("train", *files, "--posts", "nowhere.csv")
    (tmp_path / "none.csv").write_text("title,text\n", encoding="utf-8")
    assert "none.csv holds no post" in refused("train", *files, "--posts", "none.csv")


def test_without_a_model_the_way_to_one_is_told(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("马面裙\n", encoding="utf-8")
    (tmp_path / "labels.json").write_text('{"core": ["裙子"], "other": ["真的"]}', encoding="utf-8")
    for arguments in (("score", "words.txt", "--out", "out.csv"), ("evaluate", "labels.json")):
        said = refused(*arguments)
        assert "no trained word classifier at" in said and "fashion-assets keywords train" in said
        assert str(tmp_path / "data") in said
    said = refused("new-words")
    assert "new_words has not been made" in said and "run --select new_words" in said


LABELS = {
    "": "1:1",
    '{"core": ["裙子"': "1:",
    "[]": "JSON list",
    "{}": "empty object",
    '{"core": "裙子", "other": ["真的"]}': "core is no list",
    '{"core": ["裙子"], "others": ["真的"]}': "others",
    '{"core": ["裙子"]}': "fashion words only",
    '{"other": ["真的"]}': "other words only",
    '{"core": ["裙子", 3], "other": ["真的"]}': "entry 2 of core",
    '{"core": ["裙子", ""], "other": ["真的"]}': "entry 2 of core is an empty word",
    '{"core": ["裙子"], "other": ["裙子"]}': "裙子 stands in core and in other",
    '{"core": ["裙子"], "core": ["真的"]}': "more than once",
    '{"裙子": "yes", "真的": false}': "expected true",
}


@pytest.mark.parametrize("content", LABELS)
def test_malformed_labels_are_named_with_the_place(refused: Refused, tmp_path: Path, content: str) -> None:
    (tmp_path / "labels.json").write_text(content, encoding="utf-8")
    said = refused("evaluate", "labels.json")
    assert "labels.json" in said and LABELS[content] in said, said


def test_an_out_path_that_is_a_folder(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("马面裙\n", encoding="utf-8")
    assert "is a folder; give --out" in refused("score", "words.txt", "--out", tmp_path)
    assert "is a folder; give --out" in refused("extract", "words.txt", "--out", tmp_path)
    assert "is a folder; give --json" in refused("evaluate", "labels.json", "--json", tmp_path)


@pytest.mark.parametrize(
    ("term", "facet", "expected"),
    [
        ("裙", "", "one character"),
        ("2024", "", "number"),
        ("美 拉德", "", "space between"),
        ("美拉\x07德", "", "U+0007"),
        ("长" * 41, "", "41 characters"),
        ("美拉德", "color", "garment, footwear"),
    ],
)
def test_what_cannot_be_accepted(
    refused: Refused, tmp_path: Path, term: str, facet: str, expected: str
) -> None:
    assert expected in refused("accept", "老钱风", term, "--facet", facet)
    assert not (tmp_path / "data" / "user_dictionary.txt").exists()


@pytest.mark.slow
def test_a_failed_step_tells_its_own_sentence_not_its_cause_s(copy: Trained, cli: Run) -> None:
    words = copy.root / "lake" / "keyword_training_words" / "all.parquet"
    words.write_bytes(b"PAR1 torn PAR1")
    failed = cli("run", "--data-dir", copy.root, "--select", "tfashion_model", "--force")
    assert failed.returncode == 1 and "Traceback" not in failed.stderr
    assert "tfashion_model failed: " in failed.stderr and str(words) in failed.stderr
