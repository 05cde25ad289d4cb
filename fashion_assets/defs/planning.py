"""Which (asset, partition) is missing or stale, and in which order to make it, by Dagster's own records.

Belongs here: reading the asset graph and the event log. Does not belong here: running anything
(``runner``).

An asset partition is made anew when it was never made, when its file is gone or damaged, when it has not passed a
blocking check (nothing is made of it before it does), when its code version (version
of the code and the settings it depends on) is another, when what it is made of was made after it, or when
that is about to be made anew. Pinned assets are made only when missing, or when what they trigger on changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any, NamedTuple

import dagster as dg

from fashion_assets.defs.outside_files import file_with_checksum, files_looked_for
from fashion_assets.defs.partitions import MONTHS, REPORT_MONTHS
from fashion_assets.defs.records import FailedCheck, Record, failed_checks, newest_records
from fashion_assets.defs.stored_files import is_as_stored
from fashion_assets.defs.training_posts import MAX_POSTS
from fashion_assets.settings import Settings
from fashion_assets.storage.lake import Lake
from fashion_assets.storage.months import key_of_month, month_of_key, shift_month
from fashion_assets.storage.places import Place, Stamp
from fashion_assets.styles.experiments.variants import REFERENCE_VARIANTS

#: Pinned assets and the only upstreams that make them stale: retraining them for every new month would
#: change every vector, and every style, that people have already written down.
PINNED: Mapping[str, frozenset[str]] = {
    "word_vectors": frozenset(),
    "keyword_training_words": frozenset(),
    "tfashion_model": frozenset({"word_vectors", "keyword_training_words"}),
    "style_model": frozenset({"word_vectors"}),
}

#: Months before its own that an asset also reads (through the lake, not as Dagster edges): a change in one of
#: them makes it stale. The report charts the shares of the year before it.
LOOKS_BACK: Mapping[tuple[str, str], int] = {("monthly_style_report", "style_profiles"): REPORT_MONTHS - 1}

#: Closing a month is a decision, and so is tuning a network: planned where asked for by name, by no reach or plain run.
DECISIONS = frozenset({"closed_month", "product_finetuning"})

#: What is learned from the posts is learned anew once the corpus has grown by this factor: below it the vocabulary
#: that a retraining would add is covered by the character n-grams. What was learned from as many posts as are ever
#: learned from (``MAX_POSTS``) stays: a month must not make all months before it anew.
CORPUS_GROWTH = 2.0
GROWS_WITH_CORPUS = frozenset({"word_vectors", "keyword_training_words"})

#: Partitions that a plain run makes where there are many; all of them are made where the asset is asked for without
#: what it is made of (``--select style_experiments``). Others that were made once stay as they are.
PLANNED_PARTITIONS: Mapping[str, frozenset[str]] = {
    "style_experiments": frozenset(variant.key for variant in REFERENCE_VARIANTS)
}

#: What can be learned without any month, from the project's own lists.
_WITHOUT_MONTHS = frozenset({"word_vectors"})


class Node(NamedTuple):
    """One asset partition; ``partition`` is a Dagster partition key or None."""

    asset: str
    partition: str | None


class Batch(NamedTuple):
    """Assets of one partition that one run can make in their order."""

    assets: tuple[str, ...]
    partition: str | None


class Planner:
    """Plans over one asset graph, one instance and the months that have landed."""

    def __init__(
        self,
        graph: Any,
        instance: dg.DagsterInstance,
        settings: Settings,
        months: Iterable[str],
        sources: Mapping[str, str],
        landed_posts: int,
    ) -> None:
        """``landed_posts``: how many different posts have arrived in all.

        ``sources``: current data version of the root nodes, ``asset`` or ``asset/partition key``. Roots whose
        input is not there are left out of it; they and all below them are not planned.
        """
        self._instance = instance
        self.settings = settings
        self._lake = Lake(settings.lake)
        self._month_keys = [key_of_month(month) for month in sorted(months)]
        self._sources = sources
        self._landed_posts = landed_posts
        self.order = [key.to_user_string() for key in graph.toposorted_asset_keys]
        self._nodes = {name: graph.get(dg.AssetKey(name)) for name in self.order}
        # Assets that one function makes are made together or not at all: a run that was killed between the two may
        # have left one of them.
        self._together = {
            name: sorted(key.to_user_string() for key in node.execution_set_asset_keys)
            for name, node in self._nodes.items()
        }
        self._records: dict[str, dict[str | None, Record]] = {}
        self._blocking = {key for key in graph.asset_check_keys if graph.get_check_spec(key).blocking}
        self._failed_checks: dict[tuple[str, str | None], list[FailedCheck]] | None = None
        #: Stamps of the stored tables, by one look at each asset's folder: in a bucket each look is a request.
        self._stored: dict[str, dict[str, Stamp]] = {}
        #: Files that were found to be other than what was stored.
        self.damaged: dict[Node, Place] = {}
        self._absent = self._without_input()

    def _without_input(self) -> set[str]:
        """Assets that cannot be made because a file that they begin with has not been delivered."""
        absent = {
            asset
            for asset in ("products", "quarantined_products", "category_projection", "projected_products")
            if asset not in self._sources
        }
        if "products" in absent:
            absent |= {asset for asset in self.order if self._nodes[asset].group_name == "products"}
        if not self._month_keys:
            # Products alone: what is made of months only, or of such assets only, has nothing to be made of. Word
            # vectors have the lexicon.
            made_of_months = {"tfashion_model"}
            for asset in self.order:
                parents = self._parents(asset)
                nothing_else = all(self.is_monthly(one) or one in made_of_months for one in parents)
                if parents and nothing_else and not self.is_monthly(asset) and asset not in _WITHOUT_MONTHS:
                    made_of_months.add(asset)
            absent |= made_of_months
        return absent

    def partitions(self, asset: str) -> list[str | None]:
        """The partitions of ``asset`` that can be made now."""
        definition = self._nodes[asset].partitions_def
        if definition is None:
            return [None]
        return list(self._month_keys) if definition == MONTHS else list(definition.get_partition_keys())

    def can_be_made(self, asset: str) -> bool:
        """Whether what ``asset`` begins with has been delivered."""
        return asset not in self._absent

    def is_monthly(self, asset: str) -> bool:
        return bool(self._nodes[asset].partitions_def == MONTHS)

    def upstream(self, node: Node) -> list[Node]:
        """The nodes that ``node`` is made of, itself in an earlier month included, as far as they can exist."""
        found = []
        for key, mapping in self._parents(node.asset).items():
            partitions = self.partitions(key)
            if self.is_monthly(key) and self.is_monthly(node.asset):
                start = (getattr(mapping, "start_offset", 0) or 0) - LOOKS_BACK.get((node.asset, key), 0)
                end = getattr(mapping, "end_offset", 0) or 0
                month = month_of_key(str(node.partition))
                span = {key_of_month(shift_month(month, offset)) for offset in range(start, end + 1)}
                found += [Node(key, partition) for partition in partitions if partition in span]
            elif node.partition in partitions:
                found.append(Node(key, node.partition))
            else:
                found += [Node(key, partition) for partition in partitions]
        return found

    def _parents(self, asset: str) -> dict[str, Any]:
        mappings = self._nodes[asset].partition_mappings
        return {key.to_user_string(): mappings.get(key) for key in self._nodes[asset].parent_keys}

    def records(self, asset: str) -> dict[str | None, Record]:
        """The newest materialisation of each partition of ``asset``."""
        if asset not in self._records:
            partitioned = self._nodes[asset].partitions_def is not None
            self._records[asset] = newest_records(self._instance, asset, partitioned=partitioned)
        return self._records[asset]

    def reason(self, node: Node) -> str | None:
        """Why ``node`` itself must be made, or None if it is as its inputs are."""
        record = self.records(node.asset).get(node.partition)
        if record is None:
            return "missing"
        if (fault := self._fault(node, record)) is not None:
            return fault
        if (check := self.failed_check(node)) is not None:
            return f"blocking check {check} failed"
        if record.code_version != self._nodes[node.asset].code_version:
            return "code or settings changed"
        source = self._sources.get(node.asset if node.partition is None else f"{node.asset}/{node.partition}")
        if source is not None and source != record.data_version:
            return "new input"
        if node.asset in GROWS_WITH_CORPUS:
            return self._growth(record)
        triggers = PINNED.get(node.asset)
        for parent in self._all_upstream(node, triggers):
            made = self.records(parent.asset).get(parent.partition)
            if made is not None and made.storage_id > record.storage_id and parent.asset != node.asset:
                return f"{parent.asset} is newer"
        return None

    def failed_check(self, node: Node) -> str | None:
        """The name of a blocking check that the node, as it was last made, has not passed."""
        record = self.records(node.asset).get(node.partition)
        if self._failed_checks is None:
            self._failed_checks = failed_checks(self._instance, self._blocking)
        failed = self._failed_checks.get((node.asset, node.partition), ())
        return next((one.name for one in failed if record and one.concerns(record)), None)

    def _growth(self, record: Record) -> str | None:
        trained_on = int(record.metadata.get("landed_posts", 0))
        if trained_on >= MAX_POSTS:  # more of them would not be learned from
            return None
        grown = self._landed_posts > trained_on and self._landed_posts >= CORPUS_GROWTH * trained_on
        return "the corpus has doubled" if grown else None

    def _fault(self, node: Node, record: Record) -> str | None:
        """What is wrong of the files that the node is, if it is any: one is gone, or not what was stored."""
        looked_for = files_looked_for(self.settings, node.asset, node.partition, record.metadata)
        if (gone := next((one for one in looked_for if not one.exists()), None)) is not None:
            return f"{gone.name} is gone"
        path: Place | None = file_with_checksum(self.settings, node.asset, node.partition)
        if path is not None:
            stamp = Stamp.of(path)
        elif "path" in record.metadata:  # the I/O manager's note of where it wrote a table
            if node.asset not in self._stored:
                self._stored[node.asset] = self._lake.stamps(node.asset)
            path = self._lake.path(node.asset, node.partition)
            stamp = self._stored[node.asset].get(path.stem)
        else:
            return None
        if stamp is None:
            return f"{path.name} is gone"
        if is_as_stored(path, stamp, record.metadata):
            return None
        self.damaged[node] = path
        return f"{path.name} is not what was stored"

    def plan(
        self, selected: set[str] | None = None, months: list[str] | None = None, *, force: bool = False
    ) -> list[Node]:
        """What to make, upstream first, months oldest first; only ``selected`` assets and ``months``.

        Other months are in it where what is learned once would come out different without them (``_learned_from``), so
        that months made one by one in any order end as all at once.
        """
        if selected is not None:
            selected = {sibling for asset in selected for sibling in self._together[asset]}
        wanted = set(self._month_keys) if months is None else {key_of_month(month) for month in months}
        planned = self._plan(selected, wanted, {}, force=force)
        if months is not None and (more := self._learned_from(planned)):
            planned = self._plan(selected, wanted, more, force=force)
        return list(planned)

    def _plan(
        self, selected: set[str] | None, wanted: set[str], more: Mapping[str, set[str]], *, force: bool
    ) -> dict[Node, None]:
        """The plan over the month keys ``wanted``, and of each asset over those that ``more`` gives it besides."""
        planned: dict[Node, None] = {}
        for asset in self.order:
            unwanted = asset in self._absent | DECISIONS if selected is None else asset not in selected
            if unwanted:
                continue
            usual = PLANNED_PARTITIONS.get(asset)
            if selected is not None and not selected & self._parents(asset).keys():
                usual = None  # asked for by name
            for partition in self.partitions(asset):
                asked = not self.is_monthly(asset) or partition in wanted
                if not asked and partition not in more.get(asset, ()):
                    continue
                if usual is not None and partition not in usual:
                    continue
                # Itself first: each is looked at once, also where a sibling's reason would do.
                siblings = [name for name in self._together[asset] if name != asset]
                together = [Node(name, partition) for name in (asset, *siblings)]
                if (force and asked) or any(
                    self.reason(node) or self._follows(node, planned) for node in together
                ):
                    planned[Node(asset, partition)] = None
        return planned

    def _learned_from(self, planned: Mapping[Node, None]) -> dict[str, set[str]]:
        """Asset -> the month keys that it is needed of, because something learned once in the plan rests on them.

        Word vectors and training words are learned from every month that has landed. The styles of a month go on from
        those of the months before; fitted without them, they would stay so.
        """
        more: dict[str, set[str]] = {}

        def need(asset: str, keys: set[str]) -> None:
            if keys:
                for above in (asset, *self._monthly_ancestors(asset)):
                    for name in self._together[above]:
                        more[name] = more.get(name, set()) | keys

        if any(node.asset in GROWS_WITH_CORPUS for node in planned):
            need("cleaned_posts", set(self._month_keys) - self.records("cleaned_posts").keys())
        fitted = [str(node.partition) for node in planned if node.asset == "style_model"]
        if fitted:
            before = {key for key in self._month_keys if key < max(fitted)}
            need("style_model", before - self.records("style_model").keys())
        return more

    def _monthly_ancestors(self, asset: str) -> set[str]:
        found: set[str] = set()
        waiting = [asset]
        while waiting:
            for parent in self._parents(waiting.pop()):
                if parent not in found and self.is_monthly(parent):
                    found.add(parent)
                    waiting.append(parent)
        return found

    def _follows(self, node: Node, planned: Mapping[Node, None]) -> bool:
        triggers = PINNED.get(node.asset)
        return any(
            parent in planned
            and parent.asset != node.asset
            and (triggers is None or parent.asset in triggers)
            for parent in self._all_upstream(node, triggers)
        )

    def _all_upstream(self, node: Node, triggers: frozenset[str] | None) -> list[Node]:
        """Direct upstream nodes; for a pinned asset its triggers, which need not be direct."""
        return self.upstream(node) if triggers is None else [Node(name, None) for name in triggers]

    def batches(self, nodes: Iterable[Node]) -> list[Batch]:
        """Runs in order: a stage ends where months give way to a whole or to other partitions, and back.

        Within a stage each month is one run, oldest first, so that models of the month before are there. Reports are
        a stage of their own after the months that they look back on, newest first: people wait for the newest.
        """
        stage: dict[str, int] = {}
        for asset in self.order:
            kind = self._kind(asset)
            stage[asset] = max(
                (
                    stage[parent] + (self._kind(parent) != kind)
                    for parent in self._parents(asset)
                    if parent != asset
                ),
                default=0,
            )
        grouped: dict[tuple[int, str, str], list[str]] = {}
        for node in nodes:
            group = (stage[node.asset], self._kind(node.asset), node.partition or "")
            grouped.setdefault(group, []).append(node.asset)
        batches: list[Batch] = []
        for (_, kind), groups in groupby(sorted(grouped), key=lambda group: group[:2]):
            ordered = sorted(groups, reverse=kind == "report")
            batches += [Batch(tuple(grouped[group]), group[2] or None) for group in ordered]
        return batches

    def _kind(self, asset: str) -> str:
        definition = self._nodes[asset].partitions_def
        if any(asset == reader for reader, _ in LOOKS_BACK):
            return "report"
        return "whole" if definition is None else "month" if definition == MONTHS else "static"
