"""How a fetch is drawn: a bar a file and one in all on a terminal, lines elsewhere, JSON for scripts."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from striate.cli.app import size_text
from striate.fetch import Event, Listener, Plan
from striate.fetch.patience import duration

_QUIET_KINDS = {"received", "checking"}


@contextlib.contextmanager
def drawn(plan: Plan, *, quiet: bool, as_json: bool) -> Iterator[Listener]:
    """Give a listener that shows what happens on standard error."""
    if as_json:
        yield lambda event: print(event.to_json(), file=sys.stderr, flush=True)
    elif quiet:
        yield lambda event: None
    elif sys.stderr.isatty():
        bars = _Bars(plan)
        with bars.progress, _ticking(bars):
            yield bars.listen
    else:
        yield _Lines(plan).listen


def told(event: Event, name: str) -> str | None:
    """Say an event in one line; None for those that only move a bar."""
    if event.kind in _QUIET_KINDS:
        return None
    size = "" if event.total is None else f" ({size_text(event.total)})"
    because = f": {event.reason}" if event.reason else ""
    again = f"; next attempt in {duration(event.seconds)}" if event.seconds else ""
    return {
        "present": f"{name} is here already{size}",
        "started": f"{name} from {event.address}" + (f", from {size_text(event.done)} on" if event.done else ""),
        "retrying": f"{name} goes on{because}{again}",
        "waiting": f"{name} waits{because}{again}",
        "restarted": f"{name} starts over{because}",
        "fetched": f"{name} is whole{size}",
        "failed": f"{name} is not fetched",  # the sentence follows in the end
    }[event.kind]


class _Lines:
    """A line for each thing that happens, where bars cannot be drawn."""

    def __init__(self, plan: Plan) -> None:
        self._names = {entry.file.name: entry.file.session or entry.file.name for entry in plan.entries}
        self._started: set[str] = set()

    def listen(self, event: Event) -> None:
        """Say an event."""
        again = event.kind == "started" and event.file in self._started
        line = told(event, self._names[event.file])
        if line is not None and not again:
            print(line, file=sys.stderr, flush=True)
        if event.kind == "started":
            self._started.add(event.file)


class _Bars:
    """Bars on a terminal."""

    def __init__(self, plan: Plan) -> None:
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[state]}", style="yellow"),
            console=Console(stderr=True),
            expand=True,
        )
        self._names = {entry.file.name: entry.file.session or entry.file.name for entry in plan.entries}
        self._tasks: dict[str, TaskID] = {}
        self._here = {entry.file.name: entry.here for entry in plan.entries}
        self._sizes = {entry.file.name: entry.size for entry in plan.entries}
        self._until: dict[str, tuple[float, str]] = {}
        self._lock = threading.Lock()
        for entry in plan.missing:
            self._tasks[entry.file.name] = self.progress.add_task(
                self._names[entry.file.name], total=entry.size, completed=entry.here, state=""
            )
        self._all = self.progress.add_task(
            "[bold]in all", total=self._total(), completed=sum(self._here.values()), state=""
        )

    def listen(self, event: Event) -> None:
        """Move the bars."""
        with self._lock:
            task = self._tasks.get(event.file)
            if task is None:
                return
            if event.total is not None:
                self._sizes[event.file] = event.total
                self.progress.update(task, total=event.total)
            if event.kind == "restarted":
                self._move(event.file, 0)
            elif event.done is not None and event.kind != "checking":
                self._move(event.file, event.done)
            self._until.pop(event.file, None)
            if event.kind in ("retrying", "waiting") and event.seconds:
                self._until[event.file] = (time.monotonic() + event.seconds, event.reason or "")
            state = {
                "checking": "checking",
                "fetched": "[green]whole",
                "present": "[green]whole",
                "failed": "[red]failed",
            }
            self.progress.update(task, state=state.get(event.kind, ""))
            line = told(event, self._names[event.file])
            if event.kind in ("retrying", "waiting", "restarted") and line:
                self.progress.console.print(f"[yellow]{escape(line)}[/]", highlight=False)

    def tick(self) -> None:
        """Count the waits down."""
        with self._lock:
            for name, (until, _reason) in self._until.items():
                left = max(0.0, until - time.monotonic())
                self.progress.update(self._tasks[name], state=f"again in {duration(left)}")

    def _move(self, name: str, done: int) -> None:
        self._here[name] = done
        self.progress.update(self._tasks[name], completed=done)
        self.progress.update(self._all, completed=sum(self._here.values()), total=self._total())

    def _total(self) -> int | None:
        known = [size for size in self._sizes.values() if size is not None]
        return sum(known) if len(known) == len(self._sizes) else None


@contextlib.contextmanager
def _ticking(bars: _Bars) -> Iterator[None]:
    over = threading.Event()

    def tick() -> None:
        while not over.wait(0.5):
            bars.tick()

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
