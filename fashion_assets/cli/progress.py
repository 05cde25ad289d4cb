"""Progress bars of commands that take steps: one line per step, on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Called with (what is being done, finished, all); all is 0 where nobody can know.
Step = Callable[[str, int, int], None]


@contextmanager
def steps() -> Iterator[Step]:
    """A function that shows each step as a bar; a step whose words are new ends the one before it.

    What stands behind a colon says how far the step is ("training heads: season") and makes no new bar.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description:<40}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        shown: dict[str, TaskID] = {}

        def step(words: str, done: int, total: int) -> None:
            name = words.partition(":")[0]
            if name not in shown:
                finish()
                shown[name] = bars.add_task(words, total=total or None)
            bars.update(shown[name], description=words, completed=done, total=total or None)

        def finish() -> None:
            for name, task in shown.items():
                finished = bars.tasks[task].total or 1
                bars.update(task, description=name, total=finished, completed=finished)
                bars.stop_task(task)

        yield step
        finish()
