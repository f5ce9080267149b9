"""The process of a job: ``python -m striate.sweeps.worker`` trains and scores one run.

It reads its order, one line of JSON, from standard input, and writes events as lines of JSON to standard output. Everything else that is
printed goes to standard error. When standard input is closed, because the parent has died, it stops with a checkpoint.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Report = Callable[..., None]


def main() -> int:
    """Carry out the order on standard input; the exit status."""
    events = os.dup(1)
    os.dup2(2, 1)  # whatever libraries print must not mix with the events

    def report(kind: str, **values: Any) -> None:
        with contextlib.suppress(
            BrokenPipeError
        ):  # the parent has died, and the thread that watches it stops this process
            os.write(events, json.dumps({"kind": kind, **values}).encode() + b"\n")

    from striate._internal.safe_parsing import parse_json_object

    line = b""
    while not line.endswith(b"\n"):
        if not (received := os.read(0, 2**16)):
            return 1  # the parent has died
        line += received
    order = parse_json_object(line)
    threading.Thread(target=_watch_parent, daemon=True).start()
    return carry_out(order, report)


def carry_out(order: Mapping[str, Any], report: Report) -> int:
    """Train and score a run, and report how it went; 0 if it has finished, otherwise 1."""
    from striate.component_errors import component_error
    from striate.errors import StriateError, is_out_of_memory

    try:
        train_and_score(order, report)
    except StriateError as error:
        report("failed", reason=str(error))
    except Exception as error:
        traceback.print_exc()
        named = component_error(error)
        if named is not None:
            reason = str(named)
        elif is_out_of_memory(error):
            reason = (
                "There is too little memory: run fewer jobs at a time, or train with smaller batches (data.batch_size)."
            )
        elif isinstance(error, OSError):
            reason = f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror or error}."
        else:
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]} (its log says more)."
        report("failed", reason=reason)
    else:
        report("finished")
        return 0
    return 1


def train_and_score(order: Mapping[str, Any], report: Report) -> None:
    """Train the run of an order unless it is finished, score it, and write its scores."""
    sys.path += [entry for entry in order["path"] if entry not in sys.path]
    sys.argv = list(order["arguments"])  # the provenance of the run names this command
    import striate
    from striate._internal.safe_parsing import parse_toml
    from striate.errors import InputError
    from striate.sweeps.scores import score_run
    from striate.training import Callback, Run, Trainer, load_recipe, train

    class ReportEpochs(Callback):
        def on_epoch(self, trainer: Trainer) -> None:
            report("epoch", epoch=trainer.epoch, value=float(trainer.validation_correlation))

    for plugin in order["plugins"]:
        striate.load_plugin(plugin)
    recordings = [
        striate.open(path, session) for path, session in zip(order["recordings"], order["sessions"], strict=True)
    ]
    for recording, fingerprint in zip(recordings, order["fingerprints"], strict=True):
        if recording.fingerprint != fingerprint:
            raise InputError(f"{recording.source} has changed since the sweep began: start the sweep anew.")
    folder = Path(order["run"])
    if not (Run.is_run_folder(folder) and Run.open(folder).finished):
        train(
            load_recipe(parse_toml(order["recipe"])),
            recordings,
            folder,
            core=order["core"],
            finetune=order["finetune"],
            seed=order["seed"],
            callbacks=[ReportEpochs()],
            device=order["device"],
        )
    report("scoring")
    scores = score_run(
        Run.open(folder), recordings, test=order["test"], metrics=order["metrics"], device=order["device"]
    )
    scores.write(Path(order["scores"]))


def _watch_parent() -> None:
    """Stop this process, as a scheduler would, when its parent has died."""
    while os.read(0, 1):  # not from sys.stdin, whose lock would be held when this process ends
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    warnings.simplefilter("default")
    sys.exit(main())
