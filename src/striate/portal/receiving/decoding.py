"""Have a file decoded by a child process, and trust nothing of what comes back before it was checked."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from striate.competition.rules import Rules
from striate.errors import InputError
from striate.submissions.keyed import Keys

_MEMORY, _TIMES = 2 * 2**30, 6  # bytes that any child may have, and how often it may hold the predictions beside
_SECONDS = 60  # of the processor
_PATIENCE = 120.0  # seconds on the wall
_LONGEST_ANSWER = 2**16  # bytes
_LONGEST_REASON = 1000  # characters
TEMPORARY = "striate-decode-"  # how folders for what a child hands out begin
_INHERITED = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")


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
        In the order of the keys; finite, ≥ 0.
    native
        The native file: what was sent, or what was made of CSVs; there as long as the context is.
    """

    track: str
    protocol: str
    predictions: NDArray[np.float32]
    native: Path


@contextmanager
def decoded(
    source: Path, keys_file: Path, rules: Rules, keys: dict[str, Keys], told: dict[str, str] | None = None
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
            raise InputError(said["refused"][:_LONGEST_REASON])
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


def _child(source: Path, keys_file: Path, out: Path, keys: dict[str, Keys], told: dict[str, str]) -> dict[str, str]:
    largest = max(4 * len(each.tier) * len(each.unit_ids) for each in keys.values())
    limits = (_MEMORY + _TIMES * largest, _SECONDS, 2**20 + 2 * largest)
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    environment |= {"OMP_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system", "HOME": str(out)}
    # The file is named alone, so that no message tells where it lies.
    job = {"source": source.name, "keys": str(keys_file), "out": str(out), "told": told}
    child = subprocess.Popen(
        [sys.executable, "-m", "striate.portal.receiving.decode", *map(str, limits)],
        cwd=source.parent,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        close_fds=True,
    )
    try:
        answer, complaint = child.communicate(json.dumps(job).encode(), timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        raise InputError(
            f"The file was not read within {_PATIENCE:.0f} seconds: it is no ordinary submission."
        ) from None
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
    # SIGKILL is not among them: no file brings it about, but a machine that is out of memory, or somebody, does.
    if child.returncode in (-signal.SIGXCPU, -signal.SIGXFSZ, -signal.SIGSEGV, -signal.SIGABRT):
        raise InputError(
            "The file could not be read within the limits of time and memory that are enough for a submission of this competition: "
            "write it again with striate."
        )
    try:
        said = json.loads(answer[:_LONGEST_ANSWER])
        if child.returncode != 0 or not all(isinstance(each, str) for each in said.values()):
            raise ValueError
    except (ValueError, AttributeError):
        last = complaint.decode(errors="replace").strip().splitlines()[-1:] or ["nothing"]
        raise PlatformError(f"The child ended with status {child.returncode} and said: {last[0][:300]}") from None
    return dict(said)


def _checked(file: Path, shape: tuple[int, int]) -> NDArray[np.float32]:
    wanted = 4 * shape[0] * shape[1]
    try:
        if not wanted <= file.stat().st_size <= wanted + 1024:
            raise ValueError(f"its file has {file.stat().st_size} bytes")
        predictions = np.load(file, allow_pickle=False)
        if predictions.dtype != np.float32 or predictions.shape != shape:
            raise ValueError(f"it has {predictions.dtype} of shape {predictions.shape}")
        if not np.isfinite(predictions).all() or float(predictions.min()) < 0:
            raise ValueError("it has values that are no rates")
    except (OSError, ValueError, EOFError) as error:
        raise PlatformError(f"What the child handed out is no array of predictions: {error}.") from None
    found: NDArray[np.float32] = predictions
    return found


def room_for(folder: Path, size: int) -> bool:
    """Whether a disk has room for a file, and some to spare."""
    return shutil.disk_usage(folder).free > 2 * size + 2**28
