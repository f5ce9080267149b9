"""Display of the progress of jobs: bars on a terminal, one in a notebook, and a line for each ended job elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from striate._internal.progress_bars import NotebookBar, is_notebook, is_quiet, is_terminal, print_to_stderr

if TYPE_CHECKING:
    from striate.sweeps.jobs import Job, JobResult


class JobProgress:
    """Follows jobs. This class shows nothing; those derived from it do.

    Parameters
    ----------
    total
        Number of jobs.

    Attributes
    ----------
    states
        What each running job is doing, by its name.
    done
        Number of jobs that have ended.

    Examples
    --------
    >>> JobProgress(3).states
    {}
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self.states: dict[str, str] = {}
        self._best: dict[str, float] = {}
        self._started: dict[str, float] = {}

    def start(self, job: Job) -> None:
        """Note that a job has started."""
        self._started[job.name] = time.monotonic()
        self.states[job.name] = "starting"

    def epoch(self, job: Job, epoch: int, value: float) -> None:
        """Note that a job has completed an epoch."""
        best = self._best[job.name] = max(value, self._best.get(job.name, value))
        self.states[job.name] = f"epoch {epoch}, validation {value:.4f} (best {best:.4f})"

    def scoring(self, job: Job) -> None:
        """Note that the training of a job has finished."""
        self.states[job.name] = "scoring"

    def end(self, result: JobResult) -> None:
        """Note that a job has ended."""
        self.done += 1
        self.states.pop(result.job.name, None)
        if (line := self.describe(result)) is not None:
            self.print(line)

    def describe(self, result: JobResult) -> str | None:
        """Return a line about a result; None for a run that was finished before."""
        name = result.job.name
        if not result.trained:
            return None
        count = f"{self.done} of {self.total}"
        if result.status == "failed":
            return f"{name} failed ({count}): {result.reason}"
        seconds = time.monotonic() - self._started.get(name, time.monotonic())
        best = f", validation {self._best[name]:.4f}" if name in self._best else ""
        return f"{name} {result.status}{best}, {seconds:.0f} s ({count})"

    def print(self, line: str) -> None:
        """Show a line that stays."""

    def refresh(self) -> None:
        """Show the current state."""


class JobLog(JobProgress):
    """Writes a line to standard error for each job that ends."""

    def print(self, line: str) -> None:
        """Write the line."""
        print_to_stderr(line)


class TerminalJobs(JobProgress):
    """Shows a bar of all jobs, and a line for each that runs."""

    def __init__(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        super().__init__(total)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[text]}"),
        )
        self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self.bar.add_task("runs", total=total or None, text="")

    def refresh(self) -> None:
        """Draw the bar again."""
        text = "\n".join(f"{name}: {state}" for name, state in self.states.items())
        self.bar.update(self._task, total=self.total or None, completed=self.done, text=text)

    def print(self, line: str) -> None:
        """Print the line above the bar."""
        self.bar.console.print(line, markup=False, highlight=False, soft_wrap=True)


class NotebookJobs(JobProgress):
    """Shows a bar in the output of a notebook cell."""

    def __init__(self, total: int) -> None:
        super().__init__(total)
        self._bar: Any = NotebookBar(total)
        self.failures: list[str] = []

    def refresh(self) -> None:
        """Draw the bar again."""
        text = "; ".join(f"{name}: {state}" for name, state in self.states.items())
        self._bar.show(self.done, f"{self.done} of {self.total} runs. {text}")

    def finish(self) -> None:
        """Replace the bar by the number of runs."""
        self._bar.end(f"{self.done} of {self.total} runs")


@contextlib.contextmanager
def job_progress(total: int, enabled: bool = True) -> Iterator[JobProgress]:
    """Show the progress of jobs within the ``with`` block; ``STRIATE_QUIET`` turns it off.

    Examples
    --------
    >>> with job_progress(3, enabled=False) as progress:
    ...     progress.done
    0
    """
    if not enabled or is_quiet():
        yield JobProgress(total)
    elif is_terminal():
        terminal = TerminalJobs(total)
        with terminal.bar:
            yield terminal
    elif is_notebook():
        notebook = NotebookJobs(total)
        try:
            yield notebook
        finally:
            notebook.finish()
    else:
        yield JobLog(total)
