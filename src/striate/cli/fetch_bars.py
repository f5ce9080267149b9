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

from striate._internal.periodic_thread import run_periodically
from striate._internal.progress_bars import format_size
from striate.fetch import Event, Listener, Plan
from striate.fetch.retry_policy import format_duration

_QUIET_KINDS = {"received", "checking"}
_SIGN_OF_LIFE = 30.0  # seconds without a line after which one says how far it is
_FOR_CTRL_C = 3  # columns, so that the terminal's ^C does not break a bar in two


@contextlib.contextmanager
def drawn(plan: Plan, *, quiet: bool, as_json: bool) -> Iterator[Listener]:
    """Give a listener that shows what happens on standard error."""
    if as_json:
        yield lambda event: print(event.to_json(), file=sys.stderr, flush=True)
    elif quiet:
        yield lambda event: None
    elif sys.stderr.isatty() and plan.missing:
        bars = _Bars(plan)
        with bars.progress, run_periodically(0.5, bars.tick):
            yield bars.listen
    else:
        yield _Lines(plan).listen


def told(event: Event, name: str) -> str | None:
    """Say an event in one line; None for those that only move a bar."""
    if event.kind in _QUIET_KINDS:
        return None
    size = "" if event.total is None else f" ({format_size(event.total)})"
    because = f": {event.reason}" if event.reason else ""
    again = f"; next attempt in {format_duration(event.seconds)}" if event.seconds else ""
    return {
        "present": f"{name} is here already{size}",
        "started": f"{name} from {event.address}" + (f", from {format_size(event.done)} on" if event.done else ""),
        "retrying": f"{name} is tried again{because}{again}",
        "waiting": f"{name} waits{because}{again}",
        "restarted": f"{name} starts over{because}",
        "fetched": f"{name} is whole{size}",
        "failed": f"{name} is not fetched",  # the sentence follows in the end
    }[event.kind]


class _Told:
    """What was told already: the same trouble of one host is told once, not for each file and attempt."""

    def __init__(self) -> None:
        self._reasons: set[str] = set()

    def is_news(self, event: Event) -> bool:
        """Whether an event has not been told yet."""
        if event.kind == "fetched":
            self._reasons.clear()
        if event.kind not in ("retrying", "waiting") or event.reason is None:
            return True
        news = event.reason not in self._reasons
        self._reasons.add(event.reason)
        return news


class _Lines:
    """A line for each thing that happens, where bars cannot be drawn; a sign of life now and then."""

    def __init__(self, plan: Plan) -> None:
        self._names = {entry.file.name: entry.file.session or entry.file.name for entry in plan.files}
        self._started: set[str] = set()
        self._told = _Told()
        self._spoke = time.monotonic()

    def listen(self, event: Event) -> None:
        """Say an event."""
        name = self._names[event.file]
        line = told(event, name) if self._told.is_news(event) else None
        if event.kind == "started":
            line = None if event.file in self._started else line
            self._started.add(event.file)
        if event.kind == "received" and time.monotonic() - self._spoke > _SIGN_OF_LIFE:
            line = f"{name}: {format_size(event.done)}" + (f" of {format_size(event.total)}" if event.total else "")
        if line is not None:
            print(line, file=sys.stderr, flush=True)
            self._spoke = time.monotonic()


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
            console=Console(stderr=True, width=max(40, Console(stderr=True).width - _FOR_CTRL_C)),
            expand=True,
        )
        self._names = {entry.file.name: entry.file.session or entry.file.name for entry in plan.files}
        self._tasks: dict[str, TaskID] = {}
        self._here = {entry.file.name: entry.received for entry in plan.files}
        self._sizes = {entry.file.name: entry.size for entry in plan.files}
        self._until: dict[str, tuple[float, str]] = {}
        self._told = _Told()
        self._lock = threading.Lock()
        for entry in plan.missing:
            self._tasks[entry.file.name] = self.progress.add_task(
                self._names[entry.file.name], total=entry.size, completed=entry.received, state=""
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
            line = told(event, self._names[event.file]) if self._told.is_news(event) else None
            if event.kind in ("retrying", "waiting", "restarted") and line:
                self.progress.console.print(f"[yellow]{escape(line)}[/]", highlight=False)

    def tick(self) -> None:
        """Count the waits down."""
        with self._lock:
            for name, (until, _reason) in self._until.items():
                left = max(0.0, until - time.monotonic())
                self.progress.update(self._tasks[name], state=f"again in {format_duration(left)}")

    def _move(self, name: str, done: int) -> None:
        self._here[name] = done
        self.progress.update(self._tasks[name], completed=done)
        self.progress.update(self._all, completed=sum(self._here.values()), total=self._total())

    def _total(self) -> int | None:
        known = [size for size in self._sizes.values() if size is not None]
        return sum(known) if len(known) == len(self._sizes) else None
