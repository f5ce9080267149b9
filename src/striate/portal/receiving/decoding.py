"""Have a file decoded by a child process, and trust nothing of what comes back before it was checked."""

import atexit
import contextlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from django.utils.translation import gettext
from numpy.typing import NDArray

from striate._internal.safe_parsing import parse_json_object
from striate.competition.rules import Rules
from striate.errors import LONGEST, InputError
from striate.portal.receiving.confine import bare_environment, protection
from striate.portal.running.priority import give_way
from striate.recordings import npy_format
from striate.submissions.trial_table import TrialIds

_MEMORY, _TIMES = 2 * 2**30, 6  # bytes that any child may have, and how often it may hold the predictions beside
_SECONDS = 60  # of the processor
_PATIENCE = 600.0  # seconds on the wall: a child gives way to all that people wait for
_LONGEST_ANSWER = 2**16  # bytes
_PIECE = 2**18  # predictions that are looked at together
TEMPORARY = "striate-decode-"  # how folders for what a child hands out begin
# What a child dies of that a file has led astray, or to its limits. SIGKILL is not among them: no file brings it
# about, but a machine that is out of memory, or somebody, does.
_OVERDONE = tuple(-getattr(signal, f"SIG{name}") for name in ("XCPU", "XFSZ", "SEGV", "ABRT", "BUS", "FPE", "ILL"))


log = logging.getLogger("striate.portal.decoding")


class PlatformError(Exception):
    """The portal failed at something; the submission is not to blame."""


@dataclass(frozen=True)
class Decoded:
    """A submission that was read.

    Attributes
    ----------
    track, protocol
        Its board.
    predictions : (T, N)
        In the order of the keys; finite, ≥ 0. Mapped from a file, which is there as long as the context is.
    native
        The native file: what was sent, or what was made of CSVs; there as long as the context is.
    """

    track: str
    protocol: str
    predictions: NDArray[np.float32]
    native: Path


@contextmanager
def decoded(
    source: Path, keys_file: Path, rules: Rules, keys: dict[str, TrialIds], told: dict[str, str] | None = None
) -> Iterator[Decoded]:
    """Read a file in a child process with limits.

    Parameters
    ----------
    source
        The native file, or a folder with the CSVs of 2022. Messages name the file, not its folder.
    keys_file
        What must be predicted, for the child.
    rules, keys
        The same, to check what the child says.
    told
        Session and protocol, for CSVs.

    Raises
    ------
    InputError
        If the submission must be refused: why, for its sender.
    PlatformError
        If the child failed at something else.
    """
    with tempfile.TemporaryDirectory(prefix=TEMPORARY) as folder:
        out = Path(folder) / "out"
        out.mkdir()
        said = _child(source, keys_file, out, keys, told or {})
        if "refused" in said:
            raise InputError(said["refused"][:LONGEST])
        try:
            track = rules.track(said["track"])
            wanted = keys[track.name]
        except (KeyError, InputError) as error:
            raise PlatformError(f"The child names no track ({error}).") from None
        if said.get("protocol") not in track.protocols:
            raise PlatformError(f"The child names the protocol {said.get('protocol')!r}.")
        native = out / "native.parquet" if source.is_dir() else source
        predictions = _checked(out / "predictions.npy", (len(wanted.tier), len(wanted.unit_ids)))
        yield Decoded(track.name, said["protocol"], predictions, native)


def _child(source: Path, keys_file: Path, out: Path, keys: dict[str, TrialIds], told: dict[str, str]) -> dict[str, str]:
    largest = max(4 * len(each.tier) * len(each.unit_ids) for each in keys.values())
    job = {
        "folder": str(source.parent.resolve()),
        "source": source.name,
        "keys": str(keys_file),
        "out": str(out),
        "told": told,
        "limits": (_MEMORY + _TIMES * largest, _SECONDS, 2**20 + 2 * largest),
    }
    child = _spare.take()
    try:
        status, answer, complaint = child.do(json.dumps(job).encode())
    finally:
        child.end()
        _spare.prepare()
    if status in _OVERDONE:
        raise InputError(
            gettext(
                "The file could not be read within the limits of time and memory that are enough for a submission of this competition: "
                "write it again with striate."
            )
        )
    try:
        said = parse_json_object(answer)
        if status != 0 or not all(isinstance(each, str) for each in said.values()):
            raise ValueError
    except ValueError:
        last = complaint.decode(errors="replace").strip().splitlines()[-1:] or ["nothing"]
        raise PlatformError(f"The child ended with status {status} and said: {last[0][:300]}") from None
    return dict(said)


class _Child:
    """A process that has done its imports, and waits for the one file that it reads."""

    def __init__(self) -> None:
        # Into files, which its limits concern: what a pipe brings would have to be held here, however much it is.
        self._answer, self._complaint = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 – closed in `end`
        self._running = subprocess.Popen(
            [sys.executable, "-P", "-m", "striate.portal.receiving.decode"],
            cwd="/",
            env=bare_environment(),
            stdin=subprocess.PIPE,
            stdout=self._answer,
            stderr=self._complaint,
            start_new_session=True,
            close_fds=True,
        )
        give_way(self._running.pid, session=True)

    @property
    def waits(self) -> bool:
        """Whether it still can be told something."""
        return self._running.poll() is None

    def do(self, job: bytes) -> tuple[int, bytes, bytes]:
        """Tell it what to do; its status, answer and complaints.

        Raises
        ------
        InputError
            If it takes too long.
        """
        assert self._running.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._running.stdin as told:  # its status tells why it has ended
            told.write(job)
        try:
            status = self._running.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            raise InputError(
                gettext("The file was not read within %(seconds)d seconds: it is no ordinary submission.")
                % {"seconds": _PATIENCE}
            ) from None
        return status, _begin(self._answer, _LONGEST_ANSWER), _end(self._complaint, _LONGEST_ANSWER)

    def end(self) -> None:
        """End it and whatever it has started, if it runs."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._running.pid, signal.SIGKILL)
        self._running.wait()
        if self._running.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._running.stdin.close()
        self._answer.close()
        self._complaint.close()


class _Spare:
    """One child that is ready, so that no file waits until Python has started and imported what it needs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: _Child | None = None

    def prepare(self) -> None:
        """Have a child ready."""
        with self._lock:
            if self._child is None:
                self._child = _Child()

    def take(self) -> _Child:
        """The child that is ready, or a new one."""
        with self._lock:
            child, self._child = self._child, None
        if child is not None and not child.waits:
            child.end()
            child = None
        return child or _Child()

    def end(self) -> None:
        """Have none."""
        with self._lock:
            child, self._child = self._child, None
        if child is not None:
            child.end()


_spare = _Spare()
atexit.register(_spare.end)


def make_ready() -> None:
    """Have a child ready for the first file."""
    _spare.prepare()


def say_protection() -> None:
    """Write into the log what is taken from processes that read files; a warning where this system does not let us take all."""
    found = protection()
    level = logging.INFO if found.network and found.files else logging.WARNING
    log.log(level, "participants' files are read by a process of its own; %s", found)


def _begin(file: IO[bytes], most: int) -> bytes:
    file.seek(0)
    return file.read(most)


def _end(file: IO[bytes], most: int) -> bytes:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - most))
    return file.read(most)


def _checked(file: Path, shape: tuple[int, int]) -> NDArray[np.float32]:
    wanted = 4 * shape[0] * shape[1]
    try:
        if not wanted <= file.stat().st_size <= wanted + 1024:
            raise ValueError(f"its file has {file.stat().st_size} bytes")
        # Mapped, and looked through a piece at a time: who only checks a file need not have all of it in memory.
        predictions = npy_format.memory_map(file)
        if predictions.dtype != np.float32 or predictions.shape != shape:
            raise ValueError(f"it has {predictions.dtype} of shape {predictions.shape}")
        for piece in _pieces(file, file.stat().st_size - wanted):
            # The least of values is not a number where one of them is none.
            if not (piece.min() >= 0 and piece.max() < np.inf):
                raise ValueError("it has values that are no rates")
    except (OSError, ValueError, EOFError) as error:
        raise PlatformError(f"What the child handed out is no array of predictions: {error}.") from None
    found: NDArray[np.float32] = predictions
    return found


def _pieces(file: Path, offset: int) -> Iterator[NDArray[np.float32]]:
    with file.open("rb") as opened:
        opened.seek(offset)
        while (piece := np.fromfile(opened, np.float32, _PIECE)).size:
            yield piece


def room_for(folder: Path, size: int) -> bool:
    """Whether a disk has room for a file, and some to spare."""
    return shutil.disk_usage(folder).free > 2 * size + 2**28
