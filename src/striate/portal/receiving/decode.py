"""The process that reads a participant's file: it has limits, no truth and no credentials, and hands out a checked array.

Run as ``python -m striate.portal.receiving.decode LIMITS``; what to do is told on standard input, as JSON, and the outcome on
standard output. Whatever a file does to this process, nothing but this process is harmed.
"""

import json
import resource
import sys
from pathlib import Path
from typing import Any


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
    import numpy as np

    from striate.competition.submit import board_of
    from striate.portal.receiving.keys import read_keys, require_complete
    from striate.submissions import open_submission

    rules, keys = read_keys(keys_file)
    submission = open_submission(source, **(told if source.is_dir() else {}))
    board = board_of(submission, rules)
    wanted = keys[board.track.name]
    matches = require_complete(submission, wanted)
    predictions = np.empty((len(wanted.tier), len(wanted.unit_ids)), np.float32)
    for tier, found in matches.items():
        predictions[wanted.rows(tier)] = found.take(submission.predictions)
    np.save(out / "predictions.npy", predictions, allow_pickle=False)
    if source.is_dir():
        submission.write(out / "native.parquet")
    return {"track": board.track.name, "protocol": board.protocol}


def main() -> None:
    """Decode what standard input tells."""
    memory, seconds, written = map(int, sys.argv[1:])
    limit(memory, seconds, written)
    from striate.errors import StriateError

    job = json.load(sys.stdin)
    try:
        said = decode(Path(job["source"]), Path(job["keys"]), Path(job["out"]), job["told"])
    except StriateError as error:
        said = {"refused": str(error)}
    except MemoryError:
        said = {"refused": "The file needs more memory to be read than a submission of this competition can."}
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main()
