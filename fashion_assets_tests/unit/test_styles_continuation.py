"""Months that go on: what stays keeps its id, and each kind of event is told with the right styles."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fashion_assets.encoders.rows import unit_rows
from fashion_assets.styles.continuation import Continuation, StyleState, continue_styles
from fashion_assets.styles.lineage import StyleEvent
from fashion_assets_tests.unit.styles_made import around

DIM, EACH = 48, 60


class Story:
    """Months of posts around directions that a test moves, adds or takes away; centres drift a little by themselves."""

    def __init__(self, k: int, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.centres = dict(enumerate(unit_rows(self.random.normal(size=(k, DIM)))))
        self.months: list[np.ndarray] = []
        self.truth: list[np.ndarray] = []
        for _ in range(4):
            self._post()
        self.state = StyleState.start(
            np.arange(k, dtype=np.int32), np.stack([self.centres[key] for key in range(k)]), k
        )

    def direction(self) -> np.ndarray:
        return unit_rows(self.random.normal(size=(1, DIM)))[0]

    def turned(self, key: int, angle: float) -> np.ndarray:
        """A direction `angle` degrees from a style's."""
        centre = self.centres[key]
        away = self.direction()
        away = unit_rows((away - (away @ centre) * centre)[None])[0]
        return np.cos(np.deg2rad(angle)) * centre + np.sin(np.deg2rad(angle)) * away

    def _post(self) -> None:
        for key in sorted(self.centres):
            self.centres[key] = unit_rows((self.centres[key] + 0.06 * self.direction())[None])[0]
        truth = np.repeat(sorted(self.centres), EACH)
        self.months.append(around(np.stack([self.centres[key] for key in truth]), 1.2, self.random))
        self.truth.append(truth)

    def month(self) -> Continuation:
        self._post()
        recent = self.months[-8:]
        ages = np.concatenate([np.full(len(rows), len(recent) - 1 - i) for i, rows in enumerate(recent)])
        going = continue_styles(np.concatenate(recent), ages, self.state)
        self.state = going.state
        return going

    def id_of(self, key: int) -> int:
        """The id that most of the newest posts of a true style have."""
        rows = self.months[-1][self.truth[-1] == key]
        found = self.state.ids[(rows @ self.state.centroids.T).argmax(axis=1)]
        values, counts = np.unique(found, return_counts=True)
        assert counts.max() > 0.8 * len(rows)
        return int(values[counts.argmax()])

    def until(self, event: str, months: int = 4) -> StyleEvent:
        """The first event of this kind; nothing but survivals may come before it or beside it."""
        for _ in range(months):
            changes = [one for one in self.month().events if one.event != "survive"]
            if changes:
                assert [one.event for one in changes] == [event], changes
                return changes[0]
        raise AssertionError(f"no {event} within {months} months")


@pytest.fixture(params=[1, 2])
def story(request: pytest.FixtureRequest) -> Story:
    return Story(6, seed=request.param)


def test_drift_alone_changes_no_id(story: Story) -> None:
    probe = story.months[0]
    before = (probe @ story.state.centroids.T).argmax(axis=1)
    for _ in range(6):
        going = story.month()
        assert [one.event for one in going.events] == ["survive"] * 6
        assert going.state.ids.tolist() == list(range(6)) and going.state.next_id == 6
    assert [story.id_of(key) for key in range(6)] == list(range(6))
    assert ((probe @ story.state.centroids.T).argmax(axis=1) == before).mean() > 0.97


def test_a_style_is_born(story: Story) -> None:
    story.centres[6] = story.direction()
    event = story.until("born", 2)
    assert event.style_id == 6 == story.id_of(6) and not event.other_style_ids
    assert f"{event.n_posts} of the" in event.evidence and event.n_posts >= 40


def test_a_style_dies_and_its_id_is_not_given_again(story: Story) -> None:
    del story.centres[2]
    assert [one.event for one in story.month().events] == ["survive"] * 6  # one empty month can be a gap
    event = story.until("dead", 2)
    assert event.style_id == 2 and "posts in the last 2 months" in event.evidence
    assert 2 not in story.state.ids and story.state.retired_ids.tolist() == [2]
    story.centres[7] = story.direction()
    assert story.until("born").style_id == 6


def test_a_style_that_returns_has_its_own_id(story: Story) -> None:
    winter = story.centres.pop(2)
    story.until("dead")
    story.month()
    story.centres[2] = winter
    event = story.until("return", 3)
    assert event.style_id == 2 == story.id_of(2) and not len(story.state.retired_ids)
    assert story.state.next_id == 6


def test_a_style_splits_and_the_larger_half_keeps_the_id(story: Story) -> None:
    rows = {key: story.centres[key] for key in story.centres}
    story.centres[1] = story.turned(1, 30)
    turned = 2 * (rows[1] @ story.centres[1]) * rows[1] - story.centres[1]
    story.centres[6] = unit_rows(turned[None])[0]
    # the two halves together are as large as the style was
    story._post = _halved(story, (1, 6))  # type: ignore[method-assign]
    event = story.until("split")
    assert event.style_id == 6 and event.other_style_ids == (1,)
    assert {story.id_of(1), story.id_of(6)} == {1, 6}


def _halved(story: Story, halves: tuple[int, int]):  # type: ignore[no-untyped-def]
    post = story._post

    def fewer() -> None:
        post()
        keep = np.ones(len(story.truth[-1]), bool)
        for key, share in zip(halves, (0.4, 0.5), strict=True):
            own = np.flatnonzero(story.truth[-1] == key)
            keep[own[: int(share * EACH)]] = False
        story.months[-1], story.truth[-1] = story.months[-1][keep], story.truth[-1][keep]

    return fewer


@pytest.mark.parametrize("k", [1, 3])
def test_many_posts_of_one_kind_are_no_new_styles(k: int) -> None:
    generator = np.random.default_rng(1)
    rows = around(np.repeat(unit_rows(generator.normal(size=(1, DIM))), 5_000, axis=0), 1.2, generator)
    # As a scan leaves them: k parts of one cloud.
    part = (rows @ generator.normal(size=(DIM, k))).argmax(axis=1)
    centres = unit_rows(np.stack([rows[part == one].mean(axis=0) for one in range(k)]))
    state = StyleState.start(np.arange(k, dtype=np.int32), centres, k)
    going = continue_styles(rows, np.zeros(len(rows), np.int64), state)
    assert {one.event for one in going.events} <= {"survive", "merge"}, going.events


@pytest.mark.parametrize(("each", "ends"), [(2, []), (40, ["dead"])])
def test_a_style_of_few_posts_does_not_end_by_chance(each: int, ends: list[str]) -> None:
    generator = np.random.default_rng(2)
    centres = unit_rows(generator.normal(size=(3, DIM)))
    # Six months in which the third style has a tenth of the others' posts, then two without it.
    counts = [(10 * each, 10 * each, each if age >= 2 else 0) for age in range(8)]
    truth = np.concatenate([np.repeat([0, 1, 2], count) for count in counts])
    ages = np.repeat(np.arange(8), [sum(count) for count in counts])
    state = StyleState.start(np.arange(3, dtype=np.int32), centres, 3)
    going = continue_styles(around(centres[truth], 0.8, generator), ages, state)
    assert [one.event for one in going.events if one.event != "survive"] == ends


def test_posts_from_before_a_style_was_what_it_is_do_not_pull_it_back() -> None:
    generator = np.random.default_rng(3)
    now, far = unit_rows(generator.normal(size=(2, DIM)))
    was = unit_rows((now + 0.5 * unit_rows(generator.normal(size=(1, DIM)))[0])[None])[0]
    rows = around(np.repeat(np.stack([now, was, far]), 100, axis=0), 0.6, generator)
    ages = np.repeat([0, 3, 0], 100)
    state = StyleState.start(np.arange(2, dtype=np.int32), np.stack([now, far]), 2)
    young = dataclasses.replace(state, max_ages=np.array([1, state.max_ages[1]], np.int32))
    kept, pulled = (continue_styles(rows, ages, one).state for one in (young, state))
    assert kept.centroids[0] @ now > pulled.centroids[0] @ now + 0.005
    # The months since then are the style's own, also where some had no model.
    assert kept.max_ages.tolist() == [2, state.max_ages[1]]
    assert continue_styles(rows, ages, young, elapsed=5).state.max_ages[0] == 6


@pytest.mark.parametrize("steps", [1, 3])
def test_two_styles_merge(story: Story, steps: int) -> None:
    start, target = story.centres[4], story.centres[3]
    for step in range(1, steps):
        story.centres[4] = unit_rows((start + (target - start) * step / steps)[None])[0]
        assert {one.event for one in story.month().events} == {"survive"}
    story.centres.pop(4)
    post = story._post

    def twice() -> None:
        post()
        more = around(np.repeat(story.centres[3][None], EACH, axis=0), 1.2, story.random)
        story.months[-1] = np.concatenate([story.months[-1], more])
        story.truth[-1] = np.concatenate([story.truth[-1], np.full(EACH, 3)])

    story._post = twice  # type: ignore[method-assign]
    event = story.until("merge", 5)
    assert {event.style_id, *event.other_style_ids} == {3, 4}
    assert story.id_of(3) == event.other_style_ids[0]
    assert event.style_id not in story.state.ids


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 60), k=st.integers(1, 4))
def test_any_window_keeps_the_promises(seed: int, n: int, k: int) -> None:
    generator = np.random.default_rng(seed)
    unit = unit_rows(generator.normal(size=(n, 8)))
    ages = generator.integers(0, 4, size=n)
    ages[0] = 0
    state = StyleState.start(
        np.arange(k, dtype=np.int32) * 2, unit_rows(generator.normal(size=(k, 8))), 2 * k
    )
    going = continue_styles(unit, ages, state)
    ids = going.state.ids.tolist()
    assert ids == sorted(set(ids)) and len(ids) >= 1
    assert set(ids) <= set(state.ids.tolist()) | set(range(2 * k, going.state.next_id))
    assert going.labels.shape == (n,) and going.labels.max() < len(ids)
    np.testing.assert_allclose(np.linalg.norm(going.state.centroids, axis=1), 1, atol=1e-5)
    # each old style is told of once; what is gone ended in an event
    told = [one.style_id for one in going.events if one.style_id in state.ids]
    assert sorted(told) == state.ids.tolist()
    gone = {one.style_id for one in going.events if one.event in ("dead", "merge")}
    assert gone == set(state.ids.tolist()) - set(ids)
    again = continue_styles(unit, ages, state)
    np.testing.assert_array_equal(again.state.centroids, going.state.centroids)
    assert again.events == going.events
