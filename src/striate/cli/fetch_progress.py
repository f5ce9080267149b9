"""Progress of ``striate fetch``: progress bars on a terminal, lines of text elsewhere, and JSON for scripts."""

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

_SILENT_KINDS = {"received", "checking"}
_STATUS_INTERVAL = 30.0  # seconds without output after which a status line is printed
_CTRL_C_COLUMNS = 3  # columns left free for the ^C of a terminal, which would otherwise wrap a bar


@contextlib.contextmanager
def show_progress(plan: Plan, *, quiet: bool, as_json: bool) -> Iterator[Listener]:
    """Yield a listener that shows the events of a fetch on standard error."""
    if as_json:
        yield lambda event: print(event.to_json(), file=sys.stderr, flush=True)
    elif quiet:
        yield lambda event: None
    elif sys.stderr.isatty() and plan.missing:
        bars = _ProgressBars(plan)
        with bars.progress, run_periodically(0.5, bars.tick):
            yield bars.listen
    else:
        yield _ProgressLines(plan).listen


def event_message(event: Event, name: str) -> str | None:
    """Describe an event in one line; None for an event that only moves a bar."""
    if event.kind in _SILENT_KINDS:
        return None
    size = "" if event.total is None else f" ({format_size(event.total)})"
    reason = f": {event.reason}" if event.reason else ""
    delay = f"; next attempt in {format_duration(event.seconds)}" if event.seconds else ""
    return {
        "present": f"{name} exists already{size}",
        "started": f"{name} from {event.address}" + (f", resumed at {format_size(event.done)}" if event.done else ""),
        "retrying": f"{name} is tried again{reason}{delay}",
        "waiting": f"{name} is waiting{reason}{delay}",
        "restarted": f"{name} starts from the beginning{reason}",
        "fetched": f"{name} is complete{size}",
        "failed": f"{name} was not fetched",  # the reason follows as the error of the command
    }[event.kind]


class _RepeatedReasons:
    """Suppresses repeated messages, because several files and attempts fail for the same reason."""

    def __init__(self) -> None:
        self._reasons: set[str] = set()

    def is_new(self, event: Event) -> bool:
        """Return whether the reason of an event has not been shown yet."""
        if event.kind == "fetched":
            self._reasons.clear()
        if event.kind not in ("retrying", "waiting") or event.reason is None:
            return True
        new = event.reason not in self._reasons
        self._reasons.add(event.reason)
        return new


class _ProgressLines:
    """Prints a line for each event, and a status line from time to time, where bars cannot be drawn."""

    def __init__(self, plan: Plan) -> None:
        self._names = {entry.file.name: entry.file.session or entry.file.name for entry in plan.files}
        self._started: set[str] = set()
        self._reasons = _RepeatedReasons()
        self._last_output = time.monotonic()

    def listen(self, event: Event) -> None:
        """Print an event."""
        name = self._names[event.file]
        line = event_message(event, name) if self._reasons.is_new(event) else None
        if event.kind == "started":
            line = None if event.file in self._started else line
            self._started.add(event.file)
        if event.kind == "received" and time.monotonic() - self._last_output > _STATUS_INTERVAL:
            line = f"{name}: {format_size(event.done)}" + (f" of {format_size(event.total)}" if event.total else "")
        if line is not None:
            print(line, file=sys.stderr, flush=True)
            self._last_output = time.monotonic()


class _ProgressBars:
    """Draws a progress bar for each file and one for all files on a terminal."""

    def __init__(self, plan: Plan) -> None:
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[state]}", style="yellow"),
            console=Console(stderr=True, width=max(40, Console(stderr=True).width - _CTRL_C_COLUMNS)),
            expand=True,
        )
        self._names = {entry.file.name: entry.file.session or entry.file.name for entry in plan.files}
        self._tasks: dict[str, TaskID] = {}
        self._received = {entry.file.name: entry.received for entry in plan.files}
        self._sizes = {entry.file.name: entry.size for entry in plan.files}
        self._until: dict[str, tuple[float, str]] = {}
        self._reasons = _RepeatedReasons()
        self._lock = threading.Lock()
        for entry in plan.missing:
            self._tasks[entry.file.name] = self.progress.add_task(
                self._names[entry.file.name], total=entry.size, completed=entry.received, state=""
            )
        self._all = self.progress.add_task(
            "[bold]total", total=self._total(), completed=sum(self._received.values()), state=""
        )

    def listen(self, event: Event) -> None:
        """Update the bars."""
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
                "fetched": "[green]complete",
                "present": "[green]complete",
                "failed": "[red]failed",
            }
            self.progress.update(task, state=state.get(event.kind, ""))
            line = event_message(event, self._names[event.file]) if self._reasons.is_new(event) else None
            if event.kind in ("retrying", "waiting", "restarted") and line:
                self.progress.console.print(f"[yellow]{escape(line)}[/]", highlight=False)

    def tick(self) -> None:
        """Update the countdowns of waiting files."""
        with self._lock:
            for name, (until, _reason) in self._until.items():
                left = max(0.0, until - time.monotonic())
                self.progress.update(self._tasks[name], state=f"next attempt in {format_duration(left)}")

    def _move(self, name: str, done: int) -> None:
        self._received[name] = done
        self.progress.update(self._tasks[name], completed=done)
        self.progress.update(self._all, completed=sum(self._received.values()), total=self._total())

    def _total(self) -> int | None:
        known = [size for size in self._sizes.values() if size is not None]
        return sum(known) if len(known) == len(self._sizes) else None
