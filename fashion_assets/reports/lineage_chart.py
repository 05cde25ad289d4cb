"""The lineage of the styles as a Sankey diagram in inline SVG, and its events as sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from fashion_assets.reports import svg
from fashion_assets.reports.lineage_layout import OTHERS, Layout, Node, lay_out
from fashion_assets.reports.palette import colour_slots, css_colour
from fashion_assets.reports.svg_charts import LABEL_GAP, empty_chart, month_axis
from fashion_assets.reports.wording import clip, month_title, percent, plain, style_label

NAME_ROOM = 170.0
BAR = 11.0  # width of a node in pixels
#: What stands at the node where it happened: before it for beginnings, behind it for ends.
BEGINNINGS = {"born": "new", "return": "back", "split": "split off"}
ENDS = {"dead": "ended", "merge": "merged"}
EVENTS_LISTED = 60
_OPACITY = {"survive": 0.34, "split": 0.6, "merge": 0.6}


@dataclass(frozen=True)
class EventRow:
    """One line of the list of events."""

    month: str
    event: str
    sentence: str
    evidence: str


def lineage_chart_svg(
    lineage: pd.DataFrame,
    history: pd.DataFrame,
    *,
    highlight: Sequence[int] = (),
    width: float = 1120,
    height: float = 560,
) -> str:
    """Styles as bars as high as their share, month beside month, joined where one goes on, splits or is merged.

    `lineage` holds STYLE_LINEAGE rows and `history` STYLE_PROFILES rows. The styles of `highlight` get their colours
    first, as in the other charts.
    """
    title = "Lineage of the styles"
    shown = lay_out(lineage, history, 10.0, height - 34.0)
    if len(shown.months) < 2:
        return empty_chart(width, title, "Lineage needs two months in a row.")
    slots = colour_slots([*highlight, *(one for one in shown.names if one not in highlight)])
    label_room = max(svg.text_width(svg.shorten(name, NAME_ROOM)) for name in shown.names.values()) + 24
    left, right = 30.0, width - max(label_room, 170.0) - BAR
    step = (right - left) / (len(shown.months) - 1)

    def x(column: float) -> float:
        return left + column * step

    parts = [
        svg.ribbon(
            x(link.column) + BAR / 2,
            x(link.column + 1) - BAR / 2,
            link.left,
            link.right,
            _colour(link.target if link.event == "split" else link.source, slots),
            opacity=_OPACITY[link.event],
            tooltip=_link_words(shown, link.source, link.target, link.event, link.column),
        )
        for link in shown.links
    ]
    parts += [
        svg.rect(
            x(node.column) - BAR / 2,
            node.top,
            BAR,
            node.height,
            _colour(node.style_id, slots),
            tooltip=_node_words(shown, node),
        )
        for node in shown.nodes.values()
    ]
    parts += _beginnings(shown, x)
    parts += _names(shown, slots, right)
    parts += _ends(shown, x)
    parts += month_axis(shown.months, x, height - 26, right - left)
    described = f"{shown.months[0]} to {shown.months[-1]}, {len(shown.names)} styles drawn on their own"
    return svg.document(width, height, title, f"{described}, {shown.n_folded} in the grey bars.", parts)


def _colour(style_id: int, slots: Mapping[int, int]) -> str:
    return svg.GHOST if style_id == OTHERS else css_colour(slots[style_id])


def _name(shown: Layout, style_id: int) -> str:
    return f"{shown.n_folded} other styles" if style_id == OTHERS else shown.names[style_id]


def _node_words(shown: Layout, node: Node) -> str:
    words = f"{_name(shown, node.style_id)}, {month_title(shown.months[node.column])}: {percent(node.share)}"
    notes = [_scale_words(shown)] if node.style_id == OTHERS and shown.others_scale < 1 else node.notes
    return "; ".join([words, *notes])


def _scale_words(shown: Layout) -> str:
    return f"drawn at {percent(shown.others_scale, 0)} of their height"


def _link_words(shown: Layout, source: int, target: int, event: str, column: int) -> str:
    months = f"{shown.months[column]} to {shown.months[column + 1]}"
    if event == "split":
        return f"{months}: {_name(shown, target)} split from {_name(shown, source)}"
    if event == "merge":
        return f"{months}: {_name(shown, source)} merged into {_name(shown, target)}"
    return f"{months}: {_name(shown, source)} goes on"


def _beginnings(shown: Layout, x: Callable[[float], float]) -> list[str]:
    """How a style began, in a word before its first node."""
    return [
        svg.text(
            x(node.column) - BAR / 2 - 4,
            node.top + node.height / 2 + 4,
            BEGINNINGS[event],
            anchor="end",
            size=11,
            halo=True,
        )
        for node in shown.nodes.values()
        for event in sorted(node.events & set(BEGINNINGS))
    ]


def _names(shown: Layout, slots: Mapping[int, int], right: float) -> list[str]:
    """Names at the last month's nodes, kept apart."""
    last = sorted(
        (node for node in shown.nodes.values() if node.column == len(shown.months) - 1),
        key=lambda node: node.top,
    )
    places = svg.spread([node.top + node.height / 2 for node in last], LABEL_GAP * 0.9, 10, 1e9)
    parts = []
    for node, place in zip(last, places, strict=True):
        middle = node.top + node.height / 2
        colour = _colour(node.style_id, slots)
        start = right + BAR / 2
        parts.append(svg.path([(start + 2, middle), (start + 9, place)], colour, 0.9))
        ink = svg.MUTED if node.style_id == OTHERS else svg.INK
        name = svg.shorten(_name(shown, node.style_id), NAME_ROOM)
        parts.append(svg.text(start + 12, place + 4.2, name, colour=ink))
        if node.style_id == OTHERS and shown.others_scale < 1:
            parts.append(svg.text(start + 12, place + 20, _scale_words(shown), colour=ink, size=11))
    return parts


def _ends(shown: Layout, x: Callable[[float], float]) -> list[str]:
    """Name and end of each style that ended within the months, behind its last node, kept apart."""
    parts = []
    for column in range(len(shown.months) - 1):
        ended = sorted(
            (node for node in shown.nodes.values() if node.column == column and node.events & set(ENDS)),
            key=lambda node: node.top,
        )
        places = svg.spread([node.top + node.height / 2 for node in ended], 14, 8, 1e9)
        for node, place in zip(ended, places, strict=True):
            end = ", ".join(ENDS[event] for event in sorted(node.events & set(ENDS)))
            room = min(NAME_ROOM, x(1) - x(0) - BAR - svg.text_width(end, 11) - 18)
            words = f"{svg.shorten(_name(shown, node.style_id), max(room, 30.0), 11)} {end}"
            parts.append(svg.text(x(column) + BAR / 2 + 4, place + 4, words, size=11, halo=True))
    return parts


def has_lineage(lineage: pd.DataFrame, history: pd.DataFrame) -> bool:
    """Whether both know two months, so that something can be said of what came of a style."""
    both = {str(month)[:7] for month in lineage["month"]} & {str(month)[:7] for month in history["month"]}
    return len(both) > 1


def lineage_events(lineage: pd.DataFrame, history: pd.DataFrame) -> list[EventRow]:
    """The events but "survive", newest first, at most `EVENTS_LISTED`; the births of the first month left out.

    In the first month of all every style is born, which tells nothing.
    """
    if lineage.empty:
        return []
    newest = history.sort_values("month", kind="stable").drop_duplicates("style_id", keep="last")
    names = {
        int(i): style_label(name, int(i)) for i, name in zip(newest["style_id"], newest["name"], strict=True)
    }
    told = lineage[(lineage["event"] != "survive") & (lineage["month"] > lineage["month"].min())]
    rows = []
    for record in told.sort_values(["month", "style_id"], ascending=[False, True]).to_dict("records"):
        name, *others = (
            f"{clip(names.get(int(i), style_label('', int(i))), 40)} ({int(i)})"
            for i in (record["style_id"], *record["other_style_ids"])
        )
        kin = ", ".join(others)
        sentence = {
            "split": f"{name} split from {kin}",
            "merge": f"{name} was merged into {kin}",
            "born": f"{name} appeared",
            "return": f"{name} came back",
            "dead": f"{name} ended",
        }[record["event"]]
        rows.append(EventRow(str(record["month"])[:7], record["event"], sentence, plain(record["evidence"])))
    return rows[:EVENTS_LISTED]
