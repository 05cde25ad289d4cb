"""Do styles keep their ids while they drift, and are births, deaths, splits and merges found? On made months.

    OMP_NUM_THREADS=1 python benchmarks/style_identity.py [--kind plain heavy blurred] [--seeds 200 201 ...] [--speed]

Each seed: three months as the first window, then twelve months in which every style drifts, its share wanders, and two
styles are born, two die, two split and two merge (at once or over three months); six months with a birth and a death
for the retention. Three kinds of data; the thresholds were chosen on seeds 0-19 of the first two:

- plain: 12 styles, 96 columns, normal noise, 700 posts a month;
- heavy: 20 styles in a subspace of 24 of 256 columns under a common direction, noise with a t distribution of 4 degrees
  of freedom in length, 4 % of the posts without any style, 1,500 posts a month;
- blurred: 15 styles, 64 columns, more noise, faster drift, 2 % of the posts without any style, 1,000 posts a month.

Retention: of 2,000 fixed posts, the share whose id is the same in two consecutive models; beside ours three ways that
keep k fixed: k-means anew with ids by label order, the same with ids by the Hungarian method, k-means started from last
month's centroids, which keeps ids by losing what is born and by keeping what is dead. "ours, living" leaves out the
posts of the style that dies, which cannot keep its id.
Events: found if told with the right styles in the month it begins or the four after it; false: every other event.
`--speed`: CPU seconds of a new month of 10,000 posts against those of the first fit (UMAP) of a month of 10,000.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans

from fashion_assets.encoders.rows import unit_rows
from fashion_assets.styles.continuation import Continuation, StyleState, continue_styles
from fashion_assets.styles.identity import carry_ids
from fashion_assets.styles.living import ContinuationParams
from fashion_assets.styles.model import StyleModel

Rows = npt.NDArray[np.float32]
FIRST, EVENTFUL, LATE = 3, 12, 3
WINDOW = 12
KINDS = ("plain", "heavy", "blurred")


@dataclass(frozen=True)
class Kind:
    """What the months are made of."""

    k: int
    dim: int
    posts: int
    noise: float
    drift: float
    subspace: int
    common: float
    tails: float
    strays: float


MADE = {
    "plain": Kind(12, 96, 700, 1.3, 0.10, 96, 0.0, 0.0, 0.0),
    "heavy": Kind(20, 256, 1_500, 1.1, 0.10, 24, 0.8, 4.0, 0.04),
    "blurred": Kind(15, 64, 1_000, 1.6, 0.14, 64, 0.3, 6.0, 0.02),
}


@dataclass
class Truth:
    """An injected event: its kind, month and the true styles in it."""

    event: str
    month: int
    styles: tuple[int, ...]


@dataclass
class Months:
    """Months of made posts; `month()` gives rows and their true style, -1 for strays."""

    kind: Kind
    seed: int
    centres: dict[int, Rows] = field(default_factory=dict)
    shares: dict[int, float] = field(default_factory=dict)
    moves: list[tuple[int, Rows, int]] = field(default_factory=list)
    closing: list[tuple[int, int]] = field(default_factory=list)
    events: list[Truth] = field(default_factory=list)
    made: int = 0

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)
        self.basis = np.linalg.qr(self.random.normal(size=(self.kind.dim, self.kind.subspace)))[0].T
        self.common = unit_rows(self.random.normal(size=(1, self.kind.dim)))[0]
        weights = self.random.dirichlet(np.full(self.kind.k, 8.0))
        for weight in weights:
            self.add(self._direction(), max(float(weight), 0.03))

    def add(self, centre: Rows, share: float) -> int:
        self.centres[self.made], self.shares[self.made] = centre, share
        self.made += 1
        return self.made - 1

    def _direction(self) -> Rows:
        return unit_rows(self.random.normal(size=(1, self.kind.subspace)) @ self.basis)[0]

    def month(self) -> tuple[Rows, npt.NDArray[np.int64]]:
        self._move()
        keys = np.array(sorted(self.centres))
        weights = np.array([self.shares[key] for key in keys])
        truth = self.random.choice(keys, size=self.kind.posts, p=weights / weights.sum())
        centres = np.stack([self.centres[key] for key in truth])
        strays = self.random.random(len(truth)) < self.kind.strays
        truth[strays] = -1
        centres[strays] = unit_rows(
            self.random.normal(size=(int(strays.sum()), self.kind.subspace)) @ self.basis
        )
        noise = self.random.normal(size=centres.shape) / np.sqrt(self.kind.dim)
        if self.kind.tails:
            scale = self.random.chisquare(self.kind.tails, size=(len(truth), 1)) / self.kind.tails
            noise /= np.sqrt(np.maximum(scale, 0.05))
        return unit_rows(centres + self.kind.common * self.common + self.kind.noise * noise), truth

    def _move(self) -> None:
        for key in sorted(self.centres):
            step = self.kind.drift * self._direction()
            self.centres[key] = unit_rows((self.centres[key] + step)[None])[0]
            self.shares[key] *= float(np.exp(0.08 * self.random.normal()))
        for key, target, left in self.moves:
            centre = self.centres[key]
            self.centres[key] = unit_rows((centre + (target - centre) / left)[None])[0]
        self.moves = [(key, target, left - 1) for key, target, left in self.moves if left > 1]
        for left_key, right_key in [pair for pair in self.closing if not self._busy(pair)]:
            self.shares[left_key] += self.shares.pop(right_key)
            self.centres.pop(right_key)
            self.closing.remove((left_key, right_key))

    def _busy(self, pair: tuple[int, int]) -> bool:
        return any(key in pair for key, _, _ in self.moves)

    def inject(self, event: str, month: int) -> None:
        """Begin an event with the coming month."""
        used = {style for one in self.events for style in one.styles}
        total = sum(self.shares.values())
        big = [key for key in sorted(self.centres) if key not in used and self.shares[key] > 0.03 * total]
        chosen = [int(key) for key in self.random.permutation(big)]
        if event == "born":
            key = self.add(self._direction(), float(self.random.uniform(0.04, 0.1)) * total)
            self.events.append(Truth(event, month, (key,)))
        elif event == "dead":
            self.centres.pop(chosen[0]), self.shares.pop(chosen[0])
            self.events.append(Truth(event, month, (chosen[0],)))
        elif event == "split":
            # half the time both halves move away, half the time one stays
            parent = next((key for key in chosen if self.shares[key] > 0.06 * total), chosen[0])
            centre, share = self.centres[parent], self.shares[parent]
            away = self._direction()
            away = unit_rows((away - (away @ centre) * centre)[None])[0]
            angle = np.deg2rad(55)
            child = self.add(centre.copy(), 0.45 * share)
            self.shares[parent] = 0.55 * share
            both = bool(self.random.random() < 0.5)
            turn = angle / 2 if both else angle
            months = int(self.random.choice([1, 3]))
            self.moves.append((child, np.cos(turn) * centre + np.sin(turn) * away, months))
            if both:
                self.moves.append((parent, np.cos(turn) * centre - np.sin(turn) * away, months))
            self.events.append(Truth(event, month, (parent, child)))
        else:
            pair = chosen[:2]
            both = bool(self.random.random() < 0.5)
            middle = unit_rows((self.centres[pair[0]] + self.centres[pair[1]])[None])[0]
            target = middle if both else self.centres[pair[0]]
            months = int(self.random.choice([1, 3]))
            self.moves.append((pair[1], target, months))
            if both:
                self.moves.append((pair[0], target, months))
            self.closing.append((pair[0], pair[1]))
            self.events.append(Truth(event, month, (pair[0], pair[1])))


def assigned(rows: Rows, centroids: Rows, ids: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    return ids[(rows @ centroids.T).argmax(axis=1)]


def kmeans(rows: Rows, k: int, seed: int, start: Rows | None = None) -> tuple[npt.NDArray[np.int32], Rows]:
    model = KMeans(
        k, n_init=3 if start is None else 1, init="k-means++" if start is None else start, random_state=seed
    )
    labels = model.fit(rows).labels_.astype(np.int32)
    return labels, unit_rows(model.cluster_centers_)


def window_of(months: list[tuple[Rows, npt.NDArray[np.int64]]]) -> tuple[Rows, npt.NDArray[np.int64]]:
    recent = months[-WINDOW:]
    rows = np.concatenate([rows for rows, _ in recent])
    ages = np.concatenate([np.full(len(rows), len(recent) - 1 - i) for i, (rows, _) in enumerate(recent)])
    return rows, ages


def first_model(months: list[tuple[Rows, npt.NDArray[np.int64]]]) -> tuple[npt.NDArray[np.int32], Rows]:
    """k-means started from the true means: how good the first fit is, is not what is tested here."""
    rows, truth = np.concatenate([rows for rows, _ in months]), np.concatenate([truth for _, truth in months])
    keys = np.unique(truth[truth >= 0])
    start = np.stack([rows[truth == key].mean(axis=0) for key in keys])
    return np.arange(len(keys), dtype=np.int32), kmeans(rows, len(keys), 0, start)[1]


@dataclass
class Told:
    """What one seed gave."""

    kept: dict[str, list[float]]
    found: dict[str, list[bool]]
    delays: list[int]
    false_events: int
    n_events: int
    n_months: int


def retention(kind: Kind, seed: int, months: int = 6) -> dict[str, list[float]]:
    """Share of 2,000 fixed posts whose id stays, month by month, over drifting months with a birth and a death."""
    made = Months(kind, seed)
    past = [made.month() for _ in range(FIRST)]
    probe = np.concatenate([rows for rows, _ in past])[:2_000]
    of = np.concatenate([truth for _, truth in past])[:2_000]
    ids, centroids = first_model(past)
    states: dict[str, tuple[npt.NDArray[np.int32], Rows]] = dict.fromkeys(
        ("refit", "Hungarian", "warm start", "ours"), (ids, centroids)
    )
    next_id = kind.k
    going = StyleState.start(ids, centroids, kind.k)
    kept: dict[str, list[float]] = {name: [] for name in (*states, "ours, living")}
    total: dict[str, list[float]] = {}
    first = assigned(probe, centroids, ids)
    for number in range(months):
        if number == 1:
            made.inject("born", number)
        if number == 3:
            made.inject("dead", number)
        past.append(made.month())
        rows, ages = window_of(past)
        before = {name: assigned(probe, state[1], state[0]) for name, state in states.items()}
        labels, fresh = kmeans(rows, kind.k, seed * 100 + number)
        states["refit"] = np.arange(kind.k, dtype=np.int32), fresh
        old_ids, old_centroids = states["Hungarian"]
        known = (rows @ old_centroids.T).argmax(axis=1).astype(np.int32)
        carried = carry_ids(labels, known, kind.k, old_ids, next_id)
        states["Hungarian"], next_id = (carried.ids, fresh), carried.next_id
        states["warm start"] = ids, kmeans(rows, kind.k, seed, states["warm start"][1])[1]
        going = continue_styles(rows, ages, going).state
        states["ours"] = going.ids, going.centroids
        for name, state in states.items():
            now = assigned(probe, state[1], state[0])
            kept[name].append(float((now == before[name]).mean()))
            total[name] = [float((now == first).mean())]
            if name == "ours":
                alive = np.isin(of, list(made.centres))
                kept["ours, living"].append(float((now == before[name])[alive].mean()))
                total["ours, living"] = [float((now == first)[alive].mean())]
    return {**kept, **{f"{name}, first to last": share for name, share in total.items()}}


def events(kind: Kind, seed: int, params: ContinuationParams, *, show: bool = False) -> Told:
    """Twelve months with eight events, and whether ours tells them."""
    made = Months(kind, seed)
    past = [made.month() for _ in range(FIRST)]
    rows, _ = window_of(past)
    ids, centroids = first_model(past)
    state = StyleState.start(ids, centroids, kind.k)
    order = ["born", "dead", "split", "merge"] * 2
    at = {
        int(month): order[i] for i, month in enumerate(np.linspace(0, EVENTFUL - 1, len(order)).astype(int))
    }
    history: list[tuple[Continuation, dict[int, int]]] = []
    owner = _owners(past[-1], ids, centroids)
    owners = [owner]
    kept = []
    probe = np.concatenate([rows for rows, _ in past])[:2_000]
    for number in range(EVENTFUL + LATE):
        if number in at:
            made.inject(at[number], number)
        past.append(made.month())
        rows, ages = window_of(past)
        before = assigned(probe, centroids, ids)
        going = continue_styles(rows, ages, state, params=params)
        state, ids, centroids = going.state, going.state.ids, going.state.centroids
        kept.append(float((before == assigned(probe, centroids, ids)).mean()))
        owners.append(_owners(past[-1], ids, centroids))
        history.append((going, owners[-1]))
    told = [
        (month, one)
        for month, (going, _) in enumerate(history)
        for one in going.events
        if one.event != "survive"
    ]
    used: set[int] = set()
    found: dict[str, list[bool]] = {"born": [], "dead": [], "split": [], "merge": []}
    delays = []
    for truth in made.events:
        hit = None
        for position, (month, one) in enumerate(told):
            if position in used or one.event != truth.event or not truth.month <= month <= truth.month + 4:
                continue
            now, then = owners[month + 1], owners[truth.month]
            if truth.event in ("born",):
                right = now.get(truth.styles[0]) == one.style_id
            elif truth.event == "dead":
                right = then.get(truth.styles[0]) == one.style_id
            elif truth.event == "split":
                right = {now.get(key) for key in truth.styles} == {one.style_id, *one.other_style_ids}
            else:
                right = {then.get(key) for key in truth.styles} == {one.style_id, *one.other_style_ids}
            if right:
                hit = position
                delays.append(month - truth.month)
                break
        found[truth.event].append(hit is not None)
        if hit is not None:
            used.add(hit)
        if show:
            names = owners[truth.month]
            print(
                f"    {truth.event:6s} month {truth.month:2d} {[names.get(s) for s in truth.styles]} "
                f"{'found' if hit is not None else 'MISSED'}"
            )
    if show:
        for position, (month, one) in enumerate(told):
            mark = "     " if position in used else "FALSE"
            print(f"    {mark} {month:2d} {one.event} {one.style_id} {one.other_style_ids} {one.evidence}")
    return Told({"ours": kept}, found, delays, len(told) - len(used), len(told), EVENTFUL + LATE)


def _owners(
    month: tuple[Rows, npt.NDArray[np.int64]], ids: npt.NDArray[np.int32], centroids: Rows
) -> dict[int, int]:
    """True style -> the id that most of its posts of the month have, if half of that id's posts are its own."""
    rows, truth = month
    given = assigned(rows, centroids, ids)
    owner = {}
    for key in np.unique(truth[truth >= 0]):
        values, counts = np.unique(given[truth == key], return_counts=True)
        best = int(values[counts.argmax()])
        if counts.max() >= 0.5 * (truth == key).sum():
            owner[int(key)] = best
    return owner


def speed(posts: int, columns: int) -> None:
    """CPU seconds of the first fit of a month (UMAP and scan), and of a month later on a window of twelve."""
    import pyarrow as pa

    from fashion_assets.encoders.tables import vector_array
    from fashion_assets.styles.fitting import fit_style_model
    from fashion_assets.styles.model import assign_styles

    made = Months(replace(MADE["plain"], k=20, dim=columns, subspace=columns, posts=posts), 1)

    def table(number: int) -> pa.Table:
        rows, month = made.month()[0], f"2024-{number:02d}"
        flags = np.ones(posts, dtype=bool)
        return pa.table(
            {
                "post_id": [f"{month}-{row}" for row in range(posts)],
                "month": [month] * posts,
                "model_id": ["made"] * posts,
                "has_text": flags,
                "has_image": flags,
                "vector": vector_array(rows),
            }
        )

    def branch(tables: list[pa.Table], number: int, previous: StyleModel | None) -> tuple[StyleModel, float]:
        start, month = time.process_time(), f"2024-{number:02d}"
        model = fit_style_model(pa.concat_tables(tables), month, text_dim=columns // 2, previous=previous)
        assign_styles(model, tables[-1], month)
        return model, time.process_time() - start

    tables = [table(1).slice(0, 500)]
    branch(tables, 1, None)  # numba compiles UMAP
    tables = [table(1)]
    model, first = branch(tables, 1, None)
    for number in range(2, 13):
        tables.append(table(number))
        model, later = branch(tables, number, model)
    share = later / first
    print(f"{posts:,} posts a month, {columns} columns, {model.k} styles: first fit {first:.1f} CPU s, the")
    print(f"twelfth month on {12 * posts:,} posts {later:.1f} CPU s: {share:.0%} of it (aim: at most 20 %)")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kind", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(200, 210)))
    parser.add_argument("--show", action="store_true", help="each event of each seed")
    parser.add_argument("--events-only", action="store_true")
    parser.add_argument("--speed", action="store_true", help="the time of a new month, and nothing else")
    parser.add_argument("--posts", type=int, default=10_000, help="posts a month for --speed")
    parser.add_argument("--columns", type=int, default=256, help="columns of the vectors for --speed")
    options = parser.parse_args()
    if options.speed:
        speed(options.posts, options.columns)
        return
    params = ContinuationParams()
    for name in options.kind:
        kind = MADE[name]
        print(f"{name}: {len(options.seeds)} seeds")
        if not options.events_only:
            rows = [retention(kind, seed) for seed in options.seeds]
            for way in ("refit", "Hungarian", "warm start", "ours", "ours, living"):
                each = np.array([row[way] for row in rows])
                last = np.mean([row[f"{way}, first to last"][0] for row in rows])
                print(
                    f"  {way:12s} stays per month {each.mean():6.1%}, worst month {each.min():6.1%}, ", end=""
                )
                print(f"after six months {last:6.1%}")
        told = []
        start = time.process_time()
        for seed in options.seeds:
            if options.show:
                print("  seed", seed)
            told.append(events(kind, seed, params, show=options.show))
        for event in ("born", "dead", "split", "merge"):
            hits = [hit for one in told for hit in one.found[event]]
            print(f"  {event:6s} {sum(hits)} of {len(hits)} found ({np.mean(hits):.0%})")
        false, months = sum(one.false_events for one in told), sum(one.n_months for one in told)
        precision = 1 - false / max(sum(one.n_events for one in told), 1)
        delay = np.mean([months for one in told for months in one.delays])
        print(
            f"  false  {false} in {months} months ({false / months:.2f} a month), precision {precision:.0%}"
        )
        print(f"  found {delay:.1f} months after the first in which it shows, in the mean")
        each = np.concatenate([one.kept["ours"] for one in told])
        seconds = (time.process_time() - start) / months
        print(
            f"  stays per month with all events {each.mean():.1%}, worst month {each.min():.1%}; {seconds:.2f} CPU s"
        )


if __name__ == "__main__":
    main()
