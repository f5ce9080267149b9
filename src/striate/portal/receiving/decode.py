"""The process that reads a participant's file: it has limits, no truth, no network and no credentials, and hands out a checked array.

Run as ``python -m striate.portal.receiving.decode``. It imports what it needs, and waits; what to do is told on standard input, as
JSON, and the outcome on standard output. It reads one file, and ends. Whatever a file does to this process, nothing but this
process is harmed.
"""

import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np

from striate._internal.safe_parsing import parse_json_object
from striate.competition.boards import board_of
from striate.errors import LONGEST, StriateError
from striate.portal.receiving.confine import confine
from striate.portal.receiving.keys import read_keys
from striate.submissions import open_submission
from striate.submissions.alignment import require_same_benchmark
from striate.submissions.trial_table import printable_text
from striate.submissions.validate import align_all


def limit(memory: int, seconds: int, written: int) -> None:
    """Limit this process for good: bytes of memory, seconds of processor, bytes of a file that it writes."""
    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, written),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 128),
    ):
        _, hard = resource.getrlimit(what)
        # Past the soft limit of the processor comes SIGXCPU; past the hard one SIGKILL, which would not say why.
        last = most + 5 if what == resource.RLIMIT_CPU else most
        last = last if hard == resource.RLIM_INFINITY else min(last, hard)
        resource.setrlimit(what, (min(most, last), last))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it, and would go on


def decode(source: Path, keys_file: Path, out: Path, told: dict[str, str]) -> dict[str, Any]:
    """Read and check a submission; write its predictions in the order of the keys.

    Parameters
    ----------
    source
        The native file, or a folder with the CSVs of 2022.
    keys_file
        What must be predicted.
    out
        Folder for ``predictions.npy`` and, of CSVs, the native file ``native.parquet``.
    told
        Session and protocol, which CSVs do not say.

    Raises
    ------
    InputError
        If it is no whole submission to a board of the competition.
    """
    rules, keys = read_keys(keys_file)
    submission = open_submission(source, **(told if source.is_dir() else {}))
    board = board_of(submission, rules)
    wanted = keys[board.track.name]
    require_same_benchmark(submission, wanted, "competition")
    matches = align_all(submission, dict.fromkeys(wanted.tiers, wanted))
    predictions = np.empty((len(wanted.tier), len(wanted.unit_ids)), np.float32)
    for tier, found in matches.items():
        predictions[wanted.rows(tier)] = found.reorder(submission.predictions)
    np.save(out / "predictions.npy", predictions, allow_pickle=False)
    if source.is_dir():
        submission.write(out / "native.parquet")
    return {"track": board.track.name, "protocol": board.protocol}


def main() -> None:
    """Decode what standard input tells; nothing, if it ends without a word."""
    told = sys.stdin.read()
    if not told:
        return
    job = parse_json_object(told)
    source, keys_file, out = Path(job["folder"], job["source"]), Path(job["keys"]), Path(job["out"])
    os.chdir(job["folder"])  # the file is named alone, so that no message tells where it lies
    limit(*job["limits"])
    confine((source, keys_file), out)
    try:
        said = decode(Path(job["source"]), keys_file, out, job["told"])
    except StriateError as error:
        said = {"refused": printable_text(str(error), LONGEST)}  # it may cite the file, at any length
    except MemoryError:
        said = {"refused": "The file needs more memory to be read than a submission of this competition can."}
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main()
