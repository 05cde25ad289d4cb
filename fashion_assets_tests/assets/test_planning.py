"""The plan, without running it: what is missing, what goes together, in which order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from fashion_assets.definitions import build_definitions
from fashion_assets.defs.outside_files import file_with_checksum, files_looked_for
from fashion_assets.defs.planning import Node, Planner
from fashion_assets.defs.resources import recipe_path, tfashion_path, user_dictionary_path
from fashion_assets.defs.training_posts import MAX_POSTS, training_version
from fashion_assets.keywords.user_dictionary import add_terms
from fashion_assets.settings import Settings
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.months import key_of_month
from fashion_assets.tfashion.model import WEIGHTS
from fashion_assets.tfashion.recipe import Recipe

MONTHS = ["2024-01", "2024-02"]


@pytest.fixture
def instance() -> dg.DagsterInstance:
    return dg.DagsterInstance.ephemeral()


def planner(
    instance: dg.DagsterInstance, root: Path, posts: int = 10, months: list[str] = MONTHS, **sources: str
) -> Planner:
    settings = Settings(data_dir=root)
    graph = build_definitions(settings).resolve_asset_graph()
    digests = {f"raw_posts/{key_of_month(month)}": "same" for month in months}
    return Planner(
        graph,
        instance,
        settings,
        months,
        {"keyword_training_words": "same", "new_words": "same", **digests, **sources},
        posts,
    )


def made(instance: dg.DagsterInstance, plan: Planner, nodes: list[Node], **metadata: Any) -> None:
    """Record materialisations as a run would; models, warehouse, pages are empty files, tables are not looked for."""
    versions = {
        spec.key.to_user_string(): spec.code_version for spec in build_definitions().resolve_all_asset_specs()
    }
    for node in nodes:
        model = file_with_checksum(plan.settings, node.asset, node.partition)
        looked_for = files_looked_for(plan.settings, node.asset, node.partition, metadata)
        for file in filter(None, (model, *looked_for)):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        tags = {"dagster/code_version": versions[node.asset] or "", "dagster/data_version": "same"}
        instance.report_runless_asset_event(
            dg.AssetMaterialization(node.asset, partition=node.partition, tags=tags, metadata=metadata)
        )


def below(nodes: list[Node]) -> set[str]:
    return {f"{node.asset} {(node.partition or '')[:7]}".strip() for node in nodes}


def test_everything_is_planned_once_upstream_first_and_months_in_order(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    plan = planner(instance, tmp_path)
    nodes = plan.plan()
    assert len(nodes) == len(set(nodes))
    # No product files and no other taxonomy have been delivered.
    assert not {"products", "product_embeddings", "category_projection"} & {node.asset for node in nodes}
    done: set[Node] = set()
    for batch in plan.batches(nodes):
        run = {Node(asset, batch.partition) for asset in batch.assets}
        for node in run:
            parents = [parent for parent in plan.upstream(node) if parent in set(nodes) and parent != node]
            assert all(parent in done | run for parent in parents), node
        done |= run
    assert done == set(nodes)


def test_what_one_function_makes_goes_together(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    plan = planner(instance, tmp_path)
    january = key_of_month("2024-01")
    made(instance, plan, [Node("raw_posts", january), Node("cleaned_posts", january)])
    again = planner(instance, tmp_path).plan({"quarantined_posts"}, ["2024-01"])
    assert below(again) == {"cleaned_posts 2024-01", "quarantined_posts 2024-01"}
    assert below(planner(instance, tmp_path).plan({"raw_posts", "quarantined_posts"}, ["2024-01"])) == below(
        again
    )


def test_nothing_is_planned_when_all_is_made_and_only_what_follows_when_one_is_new(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    plan = planner(instance, tmp_path)
    made(instance, plan, plan.plan(), landed_posts=10)
    assert planner(instance, tmp_path).plan() == []

    late = planner(instance, tmp_path, **{f"raw_posts/{key_of_month('2024-01')}": "other"})
    planned = below(late.plan())
    assert {"raw_posts 2024-01", "cleaned_posts 2024-01", "style_clusters 2024-01", "warehouse"} <= planned
    # February's report charts January's shares; nothing else of February is made anew, and no model is.
    assert {name for name in planned if name.endswith("2024-02")} == {"monthly_style_report 2024-02"}
    assert not {"word_vectors", "style_model 2024-01"} & planned


def test_a_page_that_was_deleted_is_made_again(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    """A folder of reports that somebody cleared away is not fresh; the tables are, and stay."""
    plan = planner(instance, tmp_path)
    made(instance, plan, plan.plan(), landed_posts=10)
    reports = Settings(data_dir=tmp_path).reports
    (reports / "2024-01" / "style_report.html").unlink()
    (reports / "style_atlas.html").unlink()
    again = planner(instance, tmp_path)
    assert below(again.plan()) == {"monthly_style_report 2024-01", "style_atlas"}
    page = Node("monthly_style_report", key_of_month("2024-01"))
    assert again.reason(page) == "style_report.html is gone"


def test_a_part_of_the_product_model_that_was_deleted_is_made_again(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    """`products predict` has no model without them, and each reads only what it made itself."""
    sources = {"products": "same", "quarantined_products": "same"}
    plan = planner(instance, tmp_path, **sources)
    figures = {"kind": "logistic", "attributes": "season", "words_of_the_cards": "40 words"}
    made(instance, plan, plan.plan(), landed_posts=10, **figures)
    assert not planner(instance, tmp_path, **sources).plan()
    models = Settings(data_dir=tmp_path).models
    for gone, asset, partition in (
        ("product_words/cbow.safetensors", "product_embeddings", None),
        ("products/heads/season/training.json", "attribute_classifiers", "season"),
        ("products/model.json", "product_predictions", None),
    ):
        (models / gone).rename(tmp_path / "away")
        again = planner(instance, tmp_path, **sources)
        assert again.reason(Node(asset, partition)) == f"{Path(gone).name} is gone"
        assert Node(asset, partition) in again.plan()
        (tmp_path / "away").rename(models / gone)


def test_pinned_assets_are_made_anew_when_the_corpus_has_doubled(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    plan = planner(instance, tmp_path)
    made(instance, plan, plan.plan(), landed_posts=10)
    assert planner(instance, tmp_path, posts=19).plan() == []
    planned = below(planner(instance, tmp_path, posts=20).plan())
    assert {
        "word_vectors",
        "text_embeddings 2024-01",
        "style_model 2024-01",
        "style_model 2024-02",
    } <= planned
    assert "image_embeddings 2024-01" not in planned


def test_what_was_learned_from_as_many_posts_as_ever_stays_however_the_corpus_grows(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    plan = planner(instance, tmp_path)
    made(instance, plan, plan.plan(), landed_posts=MAX_POSTS)
    assert planner(instance, tmp_path, posts=10 * MAX_POSTS).plan() == []


#: What a training makes; what another classifier changes; and the styles, which only other word vectors change.
TRAINING = {"keyword_training_words", "tfashion_model"}
FOLLOWS = {f"fashion_keywords {month}" for month in MONTHS}
STYLES = {f"style_model {month}" for month in MONTHS}


def test_a_new_month_is_extracted_by_the_classifier_that_is_there(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    plan = planner(instance, tmp_path)
    made(instance, plan, plan.plan(), landed_posts=10)
    planned = below(planner(instance, tmp_path, posts=15, months=[*MONTHS, "2024-03"]).plan())
    assert {"fashion_keywords 2024-03", "style_model 2024-03", "new_words"} <= planned
    assert not planned & ({"word_vectors"} | TRAINING | FOLLOWS | STYLES)


def test_a_doubled_corpus_is_learned_from_anew(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    plan = planner(instance, tmp_path)
    made(instance, plan, plan.plan(), landed_posts=10)
    grown = planner(instance, tmp_path, posts=20, months=[*MONTHS, "2024-03"]).plan()
    assert below(grown) >= {"word_vectors"} | TRAINING | FOLLOWS | STYLES
    order = [node.asset for node in grown]
    assert order.index("word_vectors") < order.index("tfashion_model") < order.index("fashion_keywords")
    assert order.index("keyword_training_words") < order.index("tfashion_model") < order.index("style_model")


def test_other_training_words_change_classifier_and_keywords_but_no_vectors_and_no_style_model(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    plan = planner(instance, tmp_path)
    made(instance, plan, plan.plan(), landed_posts=10)
    planned = below(planner(instance, tmp_path, keyword_training_words="other").plan())
    # The text of a post is embedded by its keywords.
    assert planned >= TRAINING | FOLLOWS | {"text_embeddings 2024-01", "monthly_style_report 2024-02"}
    assert not {"word_vectors", "cleaned_posts 2024-01", "image_embeddings 2024-01", "new_words"} & planned
    assert not STYLES & planned
    # Reviewed terms change what is proposed.
    assert below(planner(instance, tmp_path, new_words="other").plan()) >= {"new_words"}


def test_a_lost_classifier_is_trained_again_from_the_words_that_are_there(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    plan = planner(instance, tmp_path)
    made(instance, plan, plan.plan(), landed_posts=10)
    (tfashion_path(Settings(data_dir=tmp_path)) / WEIGHTS).unlink()
    planned = below(planner(instance, tmp_path).plan())
    assert planned >= {"tfashion_model"} | FOLLOWS
    assert not ({"word_vectors", "keyword_training_words"} | STYLES) & planned


def test_the_version_of_the_training_words_is_that_of_recipe_files_and_reviewed_terms(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    words, posts = tmp_path / "words.txt", tmp_path / "posts"
    words.write_text("马面裙\n", encoding="utf-8")
    posts.mkdir()
    versions = [training_version(settings)]
    Recipe(positives=(str(words),), posts=(str(posts),)).save(recipe_path(settings))
    versions.append(training_version(settings))
    words.write_text("马面裙\n西装\n", encoding="utf-8")
    versions.append(training_version(settings))
    (posts / "a.txt").write_text("一条裙子\n", encoding="utf-8")
    versions.append(training_version(settings))
    add_terms(user_dictionary_path(settings), [("老钱风", "")])
    versions.append(training_version(settings))
    add_terms(user_dictionary_path(settings), [("老钱风", "style")])
    versions.append(training_version(settings))
    assert len(set(versions)) == len(versions)
    assert training_version(settings) == versions[-1]
    words.unlink()
    with pytest.raises(
        UserError, match=r"words\.txt, which the keyword classifier was trained from, is gone"
    ):
        training_version(settings)


FOUR = ["2024-01", "2024-02", "2024-03", "2024-04"]


def test_a_month_alone_brings_what_is_learned_once_from_the_others(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    """Word vectors and styles stay as they are once made: made of this month alone, they would stay wrong."""
    planned = below(planner(instance, tmp_path, months=FOUR).plan(months=["2024-03"]))
    assert {f"cleaned_posts {month}" for month in FOUR} <= planned
    assert {f"quarantined_posts {month}" for month in FOUR} <= planned
    assert {f"style_model {month}" for month in FOUR[:3]} <= planned
    assert {f"multimodal_embeddings {month}" for month in FOUR[:3]} <= planned
    assert not {"style_model 2024-04", "fashion_keywords 2024-04", "style_clusters 2024-01"} & planned


def test_months_in_any_order_make_the_same_nodes_as_all_at_once(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    whole = set(planner(instance, tmp_path, months=FOUR).plan())
    found: list[Node] = []
    for month in ("2024-03", "2024-01", "2024-04", "2024-02"):
        plan = planner(instance, tmp_path, months=FOUR)
        nodes = plan.plan(months=[month])
        models = [str(node.partition) for node in found + nodes if node.asset == "style_model"]
        assert models == sorted(models), "styles go on from month to month, whatever was asked for first"
        made(instance, plan, nodes, landed_posts=10)
        found += nodes
    assert set(found) == whole


def test_a_month_alone_brings_no_other_once_the_others_are_there(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    plan = planner(instance, tmp_path, months=FOUR)
    made(instance, plan, plan.plan(), landed_posts=10)
    again = below(planner(instance, tmp_path, months=FOUR).plan(months=["2024-03"], force=True))
    assert {name[-7:] for name in again if " 2024-" in name} == {"2024-03"}


def test_reports_come_after_their_months_newest_first(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    plan = planner(instance, tmp_path, months=FOUR)
    batches = plan.batches(plan.plan())
    reports = [batch.partition for batch in batches if "monthly_style_report" in batch.assets]
    assert reports == [key_of_month(month) for month in reversed(FOUR)]
    models = [batch.partition for batch in batches if "style_model" in batch.assets]
    assert models == [key_of_month(month) for month in FOUR]
    last = max(index for index, batch in enumerate(batches) if "style_profiles" in batch.assets)
    first = min(index for index, batch in enumerate(batches) if "monthly_style_report" in batch.assets)
    assert last < first, "a report charts the months before it"


def test_a_month_is_closed_by_its_name_alone(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    plan = planner(instance, tmp_path)
    assert "closed_month" not in {node.asset for node in plan.plan()}
    assert below(plan.plan({"closed_month"}, ["2024-01"])) == {"closed_month 2024-01"}
