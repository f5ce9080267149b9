"""The folder of a run: its files, how they are written, and its lock."""

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from striate._internal.atomic_write import atomic_write
from striate.errors import InputError, printable_text
from striate.models.serialisation import WEIGHTS as WEIGHTS
from striate.training.folder_kinds import ENSEMBLE as ENSEMBLE
from striate.training.folder_kinds import RECIPE as RECIPE

NEURONS = "neurons.parquet"
HISTORY = "history.parquet"
PROVENANCE = "provenance.json"
CHECKPOINT = "checkpoint.safetensors"
TENSORBOARD = "tensorboard"
SCORES = "scores.json"
CARD = "README.md"
INPUTS = "standardisation.json"
MEMBERS = "members"
TRAINING = "training"  # status in the provenance
FINISHED = "finished"
_LOCK = ".lock"
_RUN_FILES = (RECIPE, WEIGHTS, NEURONS, HISTORY, PROVENANCE, CHECKPOINT, TENSORBOARD, SCORES, INPUTS, CARD)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file atomically, replacing an earlier file."""
    with atomic_write(path, overwrite=True) as aside:
        aside.write_text(printable_text(json.dumps(content, indent=1, ensure_ascii=False)) + "\n", encoding="utf-8")


def write_text(path: Path, content: str) -> None:
    """Write a text file atomically, replacing an earlier file."""
    with atomic_write(path, overwrite=True) as aside:
        aside.write_text(printable_text(content), encoding="utf-8")


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a Parquet file atomically, replacing an earlier file."""
    with atomic_write(path, overwrite=True) as aside, aside.open("wb") as file:  # PyArrow takes UTF-8 paths only
        table.to_parquet(file, index=False)


@contextlib.contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Create the folder of a run if necessary, and lock it for this process within the ``with`` block.

    If the folder is empty at the end of the block, it is removed.

    Raises
    ------
    InputError
        If another process trains in the folder, the path is not a folder, or the folder holds anything but a run.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(
            f"{folder} cannot be the folder of a run, because it or a folder above it is a file: choose another path."
        ) from error
    except OSError as error:
        raise InputError(f"{folder} cannot be made ({error.strerror}): choose another place.") from error
    lock = _acquire_lock(folder)
    try:
        others = [p.name for p in folder.iterdir() if p.name != _LOCK]
        if others and not (folder / PROVENANCE).exists() and not (folder / RECIPE).exists():
            raise InputError(f"{folder} holds something else than a run ({others[0]}): choose a new folder.")
        yield
    finally:
        left = [p for p in folder.iterdir() if p.name != _LOCK]
        (folder / _LOCK).unlink(missing_ok=True)
        if not left:
            with contextlib.suppress(OSError):
                folder.rmdir()
        os.close(lock)


def _acquire_lock(folder: Path) -> int:
    path = folder / _LOCK
    while True:
        try:
            lock = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
        except OSError as error:
            raise InputError(f"{folder} cannot be written ({error.strerror}): choose another place.") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(lock, 32).decode(errors="replace").strip()
            os.close(lock)
            raise InputError(
                f"{folder} is being trained by another process ({holder}): wait, or choose another folder."
            ) from error
        except OSError:  # the file system does not support locks
            return lock
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock), path.stat()):
                os.truncate(lock, 0)
                os.write(lock, str(os.getpid()).encode())
                return lock
        os.close(lock)  # another process has just removed the lock file: create a new one


def remove_run_files(folder: Path) -> None:
    """Remove the files of an earlier run from a folder; other files stay."""
    for name in reversed(_RUN_FILES):
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
