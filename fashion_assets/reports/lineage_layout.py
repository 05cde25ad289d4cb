"""Where the nodes and ribbons of the lineage chart stand: plain geometry, no drawing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from fashion_assets.reports.share_series import share_series
from fashion_assets.reports.wording import style_label

#: Styles drawn on their own: those with the most telling history first; the rest share one grey node.
DRAWN_STYLES = 16
OTHERS = -2
LEAST_HEIGHT = 3.0  # pixels of a style without posts in the month: its node must still be seen
GAP = 7.0


@dataclass
class Node:
    """A style in a month: its place on the upright axis, and the ends of its life that fall there."""

    style_id: int
    column: int
    share: float
    top: float = 0.0
    height: float = 0.0
    notes: list[str] = field(default_factory=list)
    events: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Link:
    """A ribbon from a node to one of the next month; `left` and `right` are its (top, bottom) at either end."""

    source: int
    target: int
    column: int
    event: str
    left: tuple[float, float]
    right: tuple[float, float]


@dataclass(frozen=True)
class Layout:
    """`nodes` by (column, style id); `names` of the drawn styles; `n_folded` styles are in the grey nodes.

    The grey nodes are drawn at `others_scale` times their height: below 1 where they would dwarf the drawn styles.
    """

    months: list[str]
    nodes: dict[tuple[int, int], Node]
    links: list[Link]
    names: dict[int, str]
    n_folded: int
    others_scale: float


def lay_out(lineage: pd.DataFrame, history: pd.DataFrame, top: float, bottom: float) -> Layout:
    """The layout between the heights `top` and `bottom`.

    `lineage` holds STYLE_LINEAGE rows (month, event, style_id, other_style_ids, evidence), `history` STYLE_PROFILES
    rows; only months that both know are shown. Heights are shares of the month's posts. A node's side is divided among
    its ribbons in proportion to the shares of the nodes at their other ends.
    """
    known, series = share_series(history)
    events = _events(lineage)
    months = [month for month in known if month in events]
    shares = {one.style_id: {month: one.share[known.index(month)] for month in months} for one in series}
    names = {one.style_id: one.name for one in series}
    order = _order(events, shares, months)
    drawn = order[:DRAWN_STYLES]
    place = {style_id: style_id if style_id in drawn else OTHERS for style_id in order}
    nodes, flows = _graph(events, shares, months, place)
    others_scale = _stack(nodes, _beside_kin(drawn, events, months), len(months), top, bottom)
    links = _ribbons(nodes, flows)
    shown = {style_id: names.get(style_id, style_label("", style_id)) for style_id in drawn}
    return Layout(months, nodes, links, shown, len(order) - len(drawn), others_scale)


@dataclass(frozen=True)
class _Event:
    kind: str
    style_id: int
    others: tuple[int, ...]
    evidence: str


def _events(lineage: pd.DataFrame) -> dict[str, list[_Event]]:
    found: dict[str, list[_Event]] = {}
    for month, kind, style_id, others, evidence in zip(
        lineage["month"],
        lineage["event"],
        lineage["style_id"],
        lineage["other_style_ids"],
        lineage["evidence"],
        strict=True,
    ):
        one = _Event(str(kind), int(style_id), tuple(int(other) for other in others), str(evidence))
        found.setdefault(str(month)[:7], []).append(one)
    return found


def _order(
    events: Mapping[str, Sequence[_Event]], shares: Mapping[int, Mapping[str, float]], months: Sequence[str]
) -> list[int]:
    """All styles of the months: those that were born, split, merged or died within them first, then by peak share."""
    peak: dict[int, float] = {}
    changed: set[int] = set()
    for column, month in enumerate(months):
        for one in events[month]:
            for style_id in (one.style_id, *(one.others if column else ())):
                values = (value for value in shares.get(style_id, {}).values() if math.isfinite(value))
                peak.setdefault(style_id, max(values, default=0.0))
            if column and one.kind != "survive":
                changed.update((one.style_id, *one.others))
    return sorted(peak, key=lambda style_id: (style_id not in changed, -peak[style_id], style_id))


def _beside_kin(
    drawn: Sequence[int], events: Mapping[str, Sequence[_Event]], months: Sequence[str]
) -> list[int]:
    """The drawn styles by id, each one that split off or was merged moved beside its relative: fewer crossings."""
    ordered = sorted(drawn)
    for month in months[1:]:
        for one in events[month]:
            if one.kind in ("split", "merge") and one.style_id in ordered and one.others[:1]:
                relative = one.others[0]
                if relative in ordered and relative != one.style_id:
                    ordered.remove(one.style_id)
                    ordered.insert(ordered.index(relative) + 1, one.style_id)
    return ordered


_Flow = tuple[int, int, int, str]  # column of the source, source, target, event


def _graph(
    events: Mapping[str, Sequence[_Event]],
    shares: Mapping[int, Mapping[str, float]],
    months: Sequence[str],
    place: Mapping[int, int],
) -> tuple[dict[tuple[int, int], Node], set[_Flow]]:
    nodes: dict[tuple[int, int], Node] = {}
    flows: set[_Flow] = set()
    alive: list[set[int]] = []
    for column, month in enumerate(months):
        alive.append({one.style_id for one in events[month] if one.kind not in ("merge", "dead")})
        for style_id in sorted(alive[column]):
            share = shares.get(style_id, {}).get(month, 0.0)
            node = nodes.setdefault((column, place[style_id]), Node(place[style_id], column, 0.0))
            node.share += share if math.isfinite(share) else 0.0
        for one in events[month] if column else ():
            sources = one.others if one.kind == "split" else (one.style_id,)
            targets = one.others if one.kind == "merge" else (one.style_id,)
            if one.kind in ("born", "return", "dead"):
                at = (column - (one.kind == "dead"), place[one.style_id])
                if at in nodes and one.style_id in place and at[1] != OTHERS:
                    nodes[at].events.add(one.kind)
                    nodes[at].notes.append(f"{one.kind} in {month}: {one.evidence}")
                continue
            for source in sources:
                for target in targets:
                    if source in alive[column - 1] and target in alive[column]:
                        folded = place[source] == place[target] == OTHERS
                        kind = "survive" if folded else one.kind
                        flows.add((column - 1, place[source], place[target], kind))
            end = (column - (one.kind == "merge"), place[one.style_id])
            if one.kind != "survive" and end in nodes and end[1] != OTHERS:
                nodes[end].events.add(one.kind)
                nodes[end].notes.append(f"{one.kind} in {month}: {one.evidence}")
    return nodes, flows


def _stack(
    nodes: dict[tuple[int, int], Node], order: Sequence[int], n_columns: int, top: float, bottom: float
) -> float:
    """Give each node its place: columns in the one order, the grey node last, heights by share.

    Returns the scale of the grey nodes: they get at most as much room as all drawn styles of the fullest column.
    """
    columns = [
        [nodes[column, style_id] for style_id in (*order, OTHERS) if (column, style_id) in nodes]
        for column in range(n_columns)
    ]
    most = max(map(len, columns), default=1)
    room = bottom - top - GAP * (most - 1) - LEAST_HEIGHT * most
    drawn = [sum(node.share for node in column if node.style_id != OTHERS) for column in columns]
    grey = [sum(node.share for node in column if node.style_id == OTHERS) for column in columns]
    others_scale = (
        min(1.0, max(drawn, default=1.0) / max(*grey, 1e-9)) if max(drawn, default=0.0) > 0 else 1.0
    )
    fullest = (
        max((own + others_scale * rest for own, rest in zip(drawn, grey, strict=True)), default=1.0) or 1.0
    )
    for column in columns:
        y = top
        for node in column:
            scale = others_scale if node.style_id == OTHERS else 1.0
            node.top, node.height = y, LEAST_HEIGHT + room * scale * node.share / fullest
            y += node.height + GAP
    return others_scale


def _ribbons(nodes: Mapping[tuple[int, int], Node], flows: set[_Flow]) -> list[Link]:
    """The flows as ribbons, laid along each node's side in the order of the nodes they lead to."""
    by_source: dict[tuple[int, int], list[_Flow]] = {}
    by_target: dict[tuple[int, int], list[_Flow]] = {}
    for flow in flows:
        by_source.setdefault((flow[0], flow[1]), []).append(flow)
        by_target.setdefault((flow[0] + 1, flow[2]), []).append(flow)
    left: dict[_Flow, tuple[float, float]] = {}
    right: dict[_Flow, tuple[float, float]] = {}
    for key, own in by_source.items():
        own.sort(key=lambda flow: (nodes[flow[0] + 1, flow[2]].top, flow))
        left.update(_divide(nodes[key], own, [nodes[flow[0] + 1, flow[2]].height for flow in own]))
    for key, own in by_target.items():
        own.sort(key=lambda flow: (nodes[flow[0], flow[1]].top, flow))
        right.update(_divide(nodes[key], own, [nodes[flow[0], flow[1]].height for flow in own]))
    return [
        Link(source, target, column, kind, left[flow], right[flow])
        for flow in sorted(flows)
        for column, source, target, kind in [flow]
    ]


def _divide(node: Node, flows: Sequence[_Flow], weights: Sequence[float]) -> dict[_Flow, tuple[float, float]]:
    pieces: dict[_Flow, tuple[float, float]] = {}
    y = node.top
    for flow, weight in zip(flows, weights, strict=True):
        height = node.height * weight / sum(weights)
        pieces[flow] = (y, y + height)
        y += height
    return pieces
