"""Progress of long work, drawn on standard error; silent where nobody is watching."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator

Advance = Callable[[int], None]


@contextlib.contextmanager
def progress(description: str, total: int) -> Iterator[Advance]:
    """Draw a bar for `total` steps; the yielded function advances it.

    Drawn only where standard error is a terminal and ``STRIATE_QUIET`` is not set.
    """
    if not sys.stderr.isatty() or os.environ.get("STRIATE_QUIET"):
        yield lambda _steps: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(description, total=total)
        yield lambda steps: bar.advance(task, steps)
