"""The monthly page: self-contained, inert whatever posts contain, complete in every odd month."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fashion_assets.reports.monthly import (
    CONTENT_SECURITY_POLICY,
    MAX_PAGE_BYTES,
    ReportCounts,
    render_monthly_report,
)
from fashion_assets.reports.monthly_view import facets, left_out_sentences, style_rows
from fashion_assets.reports.pictures import Thumb
from fashion_assets.reports.quarantine import quarantine_summary
from fashion_assets_tests.unit.test_reports_demo import HOSTILE, NAMES, PageCheck, profiles_frame, report_data


def test_page_is_self_contained_and_runs_no_script(tmp_path: Path) -> None:
    check = PageCheck(render_monthly_report(report_data(tmp_path)))
    check.assert_inert()
    assert "script" not in check.tags
    assert check.policy == CONTENT_SECURITY_POLICY
    assert check.tags.count("img") == 43  # 4 styles x 10 pictures, and 3 of the last


def test_hostile_texts_are_shown_and_do_nothing(tmp_path: Path) -> None:
    page = render_monthly_report(report_data(tmp_path, hostile=True))
    calm = PageCheck(render_monthly_report(report_data(tmp_path)))
    check = PageCheck(page)
    check.assert_inert()
    assert "script" not in check.tags
    assert set(check.tags) == set(calm.tags)
    assert check.tags.count("style") == 1
    text = "".join(check.text)
    assert HOSTILE[0] in text
    assert "{{ 7 * 7 }}" in text
    assert "\u202e" not in page
    assert "\x00" not in page


def test_page_tells_counts_models_provenance_and_reasons(tmp_path: Path) -> None:
    text = " ".join("".join(PageCheck(render_monthly_report(report_data(tmp_path))).text).split())
    for expected in (
        "January 2024",
        "2,871",
        "local:cbow@a91f30c2",
        "9f2c41d07be3a855",
        "the date '02-30' does not exist",
        "crawl_2024_01.csv:181",
        "k = 18 has the highest micro silhouette",
        "Wilson",
        "2024-02-01 09:30",
    ):
        assert expected in text
    assert "do not add up" not in text


def test_counts_that_do_not_add_up_are_said_aloud(tmp_path: Path) -> None:
    data = report_data(tmp_path)
    wrong = dataclasses.replace(data, counts=dataclasses.replace(data.counts, kept=900))
    assert "do not add up" in render_monthly_report(wrong)


def page_text(page: str) -> str:
    return " ".join("".join(PageCheck(page).text).split())


def test_the_page_says_rows_and_posts_so_that_both_counts_of_arrival_are_there(tmp_path: Path) -> None:
    data = report_data(tmp_path)
    page = render_monthly_report(
        dataclasses.replace(data, counts=dataclasses.replace(data.counts, older_crawls=11))
    )
    # 938 posts = 912 kept + 26 quarantined; run summaries count the rows
    for title, n in (("rows arrived", 949), ("older crawls", 11), ("posts", 938), ("kept", 912)):
        assert f"<dt>{title}</dt><dd>{n}</dd>" in page
    assert "Rows arrived = older crawls + posts, and posts = kept + quarantined" in page_text(page)


def test_what_was_left_out_is_said_in_the_right_number_and_files_are_named(tmp_path: Path) -> None:
    data = report_data(tmp_path)
    one = ReportCounts(2, 2, 0, 3, 1, 1, 1, refused_names=["p1/2.jpg"])
    text = page_text(render_monthly_report(dataclasses.replace(data, counts=one)))
    assert "1 picture file could not be read: p1/2.jpg. Why is in the table images of the warehouse" in text
    assert "1 picture shows less than 5% garment and takes no part in styles." in text
    assert "1 picture repeats another one;" in text
    several = dataclasses.replace(data.counts, refused_names=[f"p{i}/<b>.jpg" for i in range(5)])
    page = render_monthly_report(dataclasses.replace(data, counts=several))
    assert "14 picture files could not be read: p0/<b>.jpg, p1/<b>.jpg" in page_text(page)
    assert "p4/<b>.jpg and 9 more." in page_text(page) and "<b>.jpg" not in page
    assert left_out_sentences(ReportCounts(2, 2, 0), 1) == [
        "0 picture files could not be read.",
        "0 pictures show less than 5% garment and take no part in styles.",
        "0 pictures repeat another one; each group counts through one representative.",
        "1 kept post has no style: neither a fashion keyword nor a picture that shows 5% garment could be encoded.",
    ]
    assert left_out_sentences(ReportCounts(2, 2, 0), 0)[-1] == "Every kept post has a style."


def test_the_lineage_says_that_its_evidence_counts_the_window(tmp_path: Path) -> None:
    text = page_text(render_monthly_report(report_data(tmp_path)))
    assert "the evidence counts posts of the window and not of the one month" in text


@pytest.mark.parametrize(
    ("n_styles", "first", "heading"),
    [
        (1, "posts fall into 1 style.", "The style"),
        (4, "posts fall into 4 styles, led by", "The 4 styles"),
        (6, "posts fall into 6 styles; the 5 largest hold", "The 5 largest styles"),
    ],
)
def test_styles_are_called_the_largest_where_there_are_more(
    tmp_path: Path, n_styles: int, first: str, heading: str
) -> None:
    names = [f"风格 {i}" for i in range(n_styles)]
    page = render_monthly_report(report_data(tmp_path, names=names, n_months=2))
    assert first in " ".join(page_text(page).split()) and f'<h2 id="top">{heading}</h2>' in page


@pytest.mark.parametrize("n_styles", [0, 1, 2, 200])
def test_any_number_of_styles_is_a_page(tmp_path: Path, n_styles: int) -> None:
    page = render_monthly_report(
        report_data(tmp_path, names=[f"风格 {i}" for i in range(n_styles)], n_months=2)
    )
    PageCheck(page).assert_inert()
    assert len(page.encode()) < MAX_PAGE_BYTES
    if not n_styles:
        assert "There is no style to show" in page


def test_month_without_anything_is_a_page(tmp_path: Path) -> None:
    data = report_data(tmp_path, names=[])
    empty = dataclasses.replace(
        data,
        counts=dataclasses.replace(data.counts, arrived=0, kept=0, quarantined=0),
        quarantine_reasons=quarantine_summary(pd.DataFrame()),
        silhouette_curve=pd.DataFrame({"k": [], "micro": [], "macro": []}),
        facets=pd.DataFrame({"facet": [], "keyword": [], "n_posts": []}),
        chosen_k=None,
        k_reason="",
        model_ids={},
        provenance={},
    )
    text = "".join(PageCheck(render_monthly_report(empty)).text)
    assert "no post was kept" in text
    assert "No row of this month was refused" in text
    assert "none recorded" in text


def test_missing_values_become_dashes(tmp_path: Path) -> None:
    data = report_data(tmp_path, names=NAMES[:2])
    profiles = data.profiles.assign(
        likes_median=[pd.NA, np.nan], name=[None, ""], keywords=[None, np.array(["裙"])]
    )
    page = render_monthly_report(dataclasses.replace(data, profiles=profiles, pictures={}, posts={}))
    assert "nan" not in "".join(PageCheck(page).text).lower()
    assert "Style 0" in page


def test_heavy_pictures_are_made_smaller(tmp_path: Path) -> None:
    import io

    from PIL import Image

    noise = np.random.default_rng(0).integers(0, 255, (900, 700, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "JPEG", quality=95)
    heavy = Thumb(buffer.getvalue(), "p/1.jpg", 700, 900)
    data = report_data(tmp_path, names=NAMES[:5])
    page = render_monthly_report(
        dataclasses.replace(data, pictures={style: [heavy] * 10 for style in range(5)})
    )
    assert len(heavy.jpeg) * 50 > MAX_PAGE_BYTES
    assert len(page.encode()) < MAX_PAGE_BYTES
    assert PageCheck(page).tags.count("img") == 50


def test_history_after_the_month_is_not_shown(tmp_path: Path) -> None:
    data = report_data(tmp_path, n_months=3)
    later = profiles_frame("2031-07", NAMES)
    page = render_monthly_report(
        dataclasses.replace(data, profile_history=pd.concat([data.profile_history, later], ignore_index=True))
    )
    assert "2031" not in page


def test_change_is_coloured_only_where_the_intervals_are_apart() -> None:
    columns = ["month", "style_id", "name", "n_posts", "share", "share_low", "share_high", "keywords"]
    now = pd.DataFrame(
        [
            ("2024-01", 0, "a", 50, 0.50, 0.45, 0.55, []),
            ("2024-01", 1, "b", 20, 0.20, 0.18, 0.22, []),
            ("2024-01", 2, "c", 10, 0.10, 0.08, 0.12, []),
            ("2024-01", 3, "d", 5, 0.05, 0.03, 0.07, []),
        ],
        columns=columns,
    )
    then = pd.DataFrame(
        [
            ("2023-12", 0, "a", 30, 0.30, 0.25, 0.35, []),
            ("2023-12", 1, "b", 30, 0.30, 0.25, 0.35, []),
            ("2023-12", 2, "c", 10, 0.11, 0.09, 0.13, []),
        ],
        columns=columns,
    )
    rows = style_rows(now, pd.concat([then, now]), "2024-01")
    assert [row.direction for row in rows] == ["up", "down", "same", "new"]
    assert [row.change for row in rows] == ["+20.0 pp", "\u221210.0 pp", "\u22121.0 pp", "new"]
    assert {row.change for row in style_rows(now, now, "2024-01")} == {"–"}


def test_facets_are_ordered_by_posts_and_unknown_ones_come_last() -> None:
    frame = pd.DataFrame(
        {"facet": ["", "colour", "garment", "garment"], "keyword": list("wxyz"), "n_posts": [99, 5, 7, 9]}
    )
    found = facets(frame)
    assert [facet.title for facet in found] == ["Garment", "Colour", "No facet"]
    assert [(word.keyword, word.n_posts, word.width) for word in found[0].keywords] == [
        ("z", 9, 100.0),
        ("y", 7, 77.8),
    ]


def test_quarantine_reasons_of_one_kind_are_counted_together() -> None:
    frame = pd.DataFrame(
        {
            "column": ["post_like", "post_like", "post_date"],
            "reason": ["the count '-3' is negative", "the count '-12' is negative", "no date"],
            "source_file": ["a.csv", "a.csv", "b.csv"],
            "source_row": [4, 9, 2],
        }
    )
    summary = quarantine_summary(frame)
    assert summary.to_dict("records") == [
        {"column": "post_like", "reason": "the count '-3' is negative", "n_rows": 2, "example": "a.csv:4"},
        {"column": "post_date", "reason": "no date", "n_rows": 1, "example": "b.csv:2"},
    ]
    assert int(summary["n_rows"].sum()) == len(frame)


def test_share_of_nan_does_not_break_the_page(tmp_path: Path) -> None:
    data = report_data(tmp_path, names=NAMES[:2], n_months=1)
    broken = data.profiles.assign(share=math.nan, share_low=math.nan, share_high=math.nan)
    PageCheck(
        render_monthly_report(dataclasses.replace(data, profiles=broken, profile_history=broken))
    ).assert_inert()


def test_the_first_sentence_counts_the_posts_that_have_a_style(tmp_path: Path) -> None:
    data = report_data(tmp_path)
    clustered = int(data.profiles["n_posts"].sum())
    for kept, first in (
        (clustered + 3, f"{clustered:,} of {clustered + 3:,} posts fall"),
        (clustered, "posts fall"),
    ):
        counts = dataclasses.replace(data.counts, kept=kept, arrived=kept, quarantined=0)
        text = page_text(render_monthly_report(dataclasses.replace(data, counts=counts)))
        assert first in text
        assert (f"{clustered:,} of {clustered:,}" in text) is False


def test_a_first_month_says_nothing_of_what_became_of_its_styles(tmp_path: Path) -> None:
    data = report_data(tmp_path, n_months=1)
    born = pd.DataFrame(
        {
            "month": data.month,
            "event": "born",
            "style_id": data.profiles["style_id"],
            "other_style_ids": [[]] * len(data.profiles),
            "n_posts": data.profiles["n_posts"],
            "evidence": "found by the first scan",
        }
    )
    text = page_text(render_monthly_report(dataclasses.replace(data, lineage=born)))
    assert "Lineage needs two months" in text and "All styles went on from month to month" not in text


def test_styles_without_any_picture_have_no_row_of_empty_frames(tmp_path: Path) -> None:
    data = report_data(tmp_path)
    assert '<div class="pictures">' in render_monthly_report(data)
    page = render_monthly_report(dataclasses.replace(data, pictures={}))
    assert '<div class="pictures">' not in page
