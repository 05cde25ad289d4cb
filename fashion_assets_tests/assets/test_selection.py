"""What ``run --select`` understands."""

from __future__ import annotations

from typing import Any

import pytest

from fashion_assets.definitions import build_definitions
from fashion_assets.defs.selection import resolve_selection
from fashion_assets.storage.errors import UserError


@pytest.fixture(scope="module")
def graph() -> Any:
    return build_definitions().resolve_asset_graph()


def test_names_reach_and_groups(graph: Any) -> None:
    assert resolve_selection(graph, "raw_posts, warehouse") == {"raw_posts", "warehouse"}
    below = resolve_selection(graph, "word_vectors,style_model+")
    assert {"word_vectors", "style_clusters", "style_profiles", "monthly_style_report", "warehouse"} <= below
    assert "text_embeddings" not in below
    above = resolve_selection(graph, "+cleaned_posts")
    assert {"raw_posts", "cleaned_posts"} <= above and "fashion_keywords" not in above
    assert resolve_selection(graph, "group:trends") == {"style_trends", "keyword_trends", "weekly_trends"}


@pytest.mark.parametrize("text", ["nope", "nope+", "group:nope", "raw_posts,nope", "a b c", ",", "("])
def test_what_names_nothing_is_a_sentence(graph: Any, text: str) -> None:
    with pytest.raises(UserError):
        resolve_selection(graph, text)


def test_a_decision_is_in_a_selection_by_its_name_alone(graph: Any) -> None:
    assert "closed_month" not in resolve_selection(graph, "+monthly_style_report")
    assert "closed_month" not in resolve_selection(graph, "style_profiles+")
    assert resolve_selection(graph, "closed_month") == {"closed_month"}
    assert "product_finetuning" not in resolve_selection(graph, "products+")
    assert resolve_selection(graph, "product_finetuning") == {"product_finetuning"}
