"""Progress of long work, drawn on standard error; silent where nobody is watching."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator

Advance = Callable[[int], None]


def size_parts(size: int) -> tuple[float, int, str]:
    """A size in bytes for people: a value, how many of its decimals matter, and its unit (1 MB is 10⁶ bytes, as on the boxes of disks)."""
    unit, name = next((u, n) for u, n in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1, "B")) if size >= u or u == 1)
    value = size / unit
    return value, 0 if value >= 100 or unit == 1 else 1 if unit < 1e9 else 2, name


def size_text(size: int | None, *, exact: bool = True) -> str:
    """Write a size in bytes for people: ``"about 416 MB"``, ``"1.1 kB"``; nothing where it is not known."""
    if size is None:
        return ""
    value, decimals, unit = size_parts(size)
    return f"{'' if exact else 'about '}{value:,.{decimals}f} {unit}"


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
