"""Progress bars on terminals and in notebooks; elsewhere nothing is shown."""

import contextlib
import html
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

Advance = Callable[[int], None]

_REDRAWN = 0.2  # seconds between two updates of a notebook bar


def size_with_unit(size: int) -> tuple[float, int, str]:
    """Split a size in bytes into value, number of decimals to display, and decimal unit (1 MB = 10⁶ bytes)."""
    unit, name = next((u, n) for u, n in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1, "B")) if size >= u or u == 1)
    value = size / unit
    return value, 0 if value >= 100 or unit == 1 else 1 if unit < 1e9 else 2, name


def format_size(size: int | None, *, exact: bool = True) -> str:
    """Format a size in bytes: ``"about 416 MB"``, ``"1.1 kB"``; an empty string for None."""
    if size is None:
        return ""
    value, decimals, unit = size_with_unit(size)
    return f"{'' if exact else 'about '}{value:,.{decimals}f} {unit}"


def is_quiet() -> bool:
    """Whether ``STRIATE_QUIET`` turns progress output off."""
    return bool(os.environ.get("STRIATE_QUIET"))


def is_terminal() -> bool:
    """Whether standard error is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()


def print_to_stderr(line: str) -> None:
    """Print a line to standard error, unless it is closed."""
    if sys.stderr is not None:
        print(line, file=sys.stderr, flush=True)


def is_notebook() -> bool:
    """Whether the process is a Jupyter kernel, which can show HTML."""
    ipython = sys.modules.get("IPython")  # already imported in a kernel
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and getattr(shell, "kernel", None) is not None


class NotebookBar:
    """Progress bar in the output of a notebook cell.

    Parameters
    ----------
    total
        Number of steps; None for an indeterminate bar.
    """

    def __init__(self, total: int | None = None) -> None:
        from IPython.display import HTML, display  # type: ignore[import-not-found, unused-ignore]

        self._html = HTML
        self._drawn = time.monotonic()
        self._handle: Any = display(HTML(""), display_id=True)
        self.total = total

    def show(self, done: int, text: str, *, at_once: bool = False) -> None:
        """Update the bar, at most five times a second unless `at_once` is set."""
        if not at_once and time.monotonic() - self._drawn < _REDRAWN:
            return
        self._drawn = time.monotonic()
        share = f' max="{max(1, self.total)}" value="{done}"' if self.total is not None else ""
        self._handle.update(self._html(f'<progress{share} style="width: 12em"></progress> {html.escape(text)}'))

    def end(self, text: str = "") -> None:
        """Replace the bar with a line of text, or remove it."""
        self._handle.update(self._html(html.escape(text)))


@contextlib.contextmanager
def progress_bar(description: str, total: int) -> Iterator[Advance]:
    """Show a progress bar with `total` steps, and yield a function that advances it.

    The bar is shown only on terminals and in notebooks, and never if ``STRIATE_QUIET`` is set.
    """
    if is_quiet() or not (is_terminal() or is_notebook()):
        yield lambda _steps: None
        return
    if not is_terminal():
        with _in_cell(description, total) as advance:
            yield advance
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(description, total=total)
        yield lambda steps: bar.advance(task, steps)


@contextlib.contextmanager
def _in_cell(description: str, total: int) -> Iterator[Advance]:
    bar, done = NotebookBar(total), 0

    def advance(steps: int) -> None:
        nonlocal done
        done += steps
        bar.show(done, f"{description}: {done:,} of {total:,}")

    try:
        yield advance
    finally:
        bar.end()
