"""Signals that end a training: a checkpoint, one sentence, a status; and the same call goes on to the same weights."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli_w
import torch
from safetensors.torch import load_file
from tests.fixtures.forked_python import ForkedProcess, ForkedPython
from tests.fixtures.recordings import small_recording
from tests.training.small import TABLES, small_recipe

import striate
from striate.errors import StriateError
from striate.training import Recipe, Run, load_recipe, train
from striate.training.interrupt_signals import SIGNALS
from striate.training.trainer import Trainer

RECIPE = small_recipe(schedule__max_epochs=3, compute__checkpoint_minutes=1000)
EVERYTHING: dict[str, Any] = {  # that has a state of its own
    "optimiser": {"type": "schedule_free_adamw", "accumulate_steps": 2, "clip_norm": 10.0},
    "schedule": {"type": "cosine", "max_epochs": 4, "ema_decay": 0.8},
}
ALL = load_recipe({**TABLES, **EVERYTHING, "compute": {"checkpoint_minutes": 1000}})


@pytest.fixture
def handlers() -> Iterator[None]:
    before = {each: signal.getsignal(each) for each in SIGNALS}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


def sending(number: signal.Signals, at: int, monkeypatch: pytest.MonkeyPatch, times: int = 1) -> None:
    """Send a signal during a step of training, counted from 0."""
    step, calls = Trainer._step, iter(range(1000))

    def signalled(trainer: Trainer, batches: object) -> float:
        if next(calls) == at:
            for _ in range(times):
                os.kill(os.getpid(), number)
        return step(trainer, batches)  # type: ignore[arg-type]

    monkeypatch.setattr(Trainer, "_step", signalled)


def same_weights(one: Path, another: Path) -> bool:
    first, second = (load_file(folder / "weights.safetensors") for folder in (one, another))
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.slow
@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("recipe", [RECIPE, ALL], ids=["plain", "schedule-free, average, accumulation"])
@pytest.mark.parametrize("at", [0, 3, 4])  # within the first epoch, and at its end
def test_ctrl_c_keeps_every_step(at: int, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    train(recipe, small_recording(), tmp_path / "whole", progress=False)
    with monkeypatch.context() as patch:
        sending(signal.SIGINT, at, patch)
        with pytest.raises(KeyboardInterrupt) as raised:
            train(recipe, small_recording(), tmp_path / "stopped", progress=False)
    (note,) = raised.value.__notes__
    assert "A checkpoint was written, and the same command resumes" in note
    assert not (tmp_path / "stopped" / ".lock").exists()
    steps = count_steps(lambda: train(recipe, small_recording(), tmp_path / "stopped", progress=False), monkeypatch)
    whole = count_steps(lambda: train(recipe, small_recording(), tmp_path / "again", progress=False), monkeypatch)
    assert steps == whole - at - 1, "no step is repeated"
    assert same_weights(tmp_path / "whole", tmp_path / "stopped")


def count_steps(run: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> int:
    step, count = Trainer._step, 0

    def counted(trainer: Trainer, batches: object) -> float:
        nonlocal count
        count += 1
        return step(trainer, batches)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_step", counted)
        run()
    return count


@pytest.mark.slow
@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_handler_of_the_user_is_called_after_the_checkpoint(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[bool] = []
    signal.signal(number, lambda *_: called.append((tmp_path / "run" / "checkpoint.safetensors").exists()))
    with monkeypatch.context() as patch:
        sending(number, 2, patch, times=2)
        with pytest.raises(StriateError, match="the same command resumes"):
            train(RECIPE, small_recording(), tmp_path / "run", progress=False)
    assert called == [True]
    assert train(RECIPE, small_recording(), tmp_path / "run", progress=False).finished


@pytest.mark.usefixtures("handlers")
def test_a_second_ctrl_c_is_not_deferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sending(signal.SIGINT, 2, monkeypatch, times=2)
    with pytest.raises(KeyboardInterrupt) as raised:
        train(RECIPE, small_recording(), tmp_path / "run", progress=False)
    assert not getattr(raised.value, "__notes__", ())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.slow
@pytest.mark.usefixtures("handlers")
def test_an_ignored_signal_stays_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    sending(signal.SIGHUP, 2, monkeypatch)
    assert train(RECIPE, small_recording(), tmp_path / "run", progress=False).finished
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "more"),
    [
        *((number, {}) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGINT)),
        (signal.SIGTERM, EVERYTHING),
    ],
)
def test_a_process_that_is_asked_to_end(
    number: signal.Signals, more: dict[str, Any], tmp_path: Path, forked_python: ForkedPython
) -> None:
    tables = {**TABLES, **more, "compute": {"checkpoint_minutes": 1000}}
    tables["schedule"] = {"patience": 12, **tables["schedule"], "max_epochs": 12}
    (tmp_path / "recipe.toml").write_text(tomli_w.dumps(tables))
    striate.write(small_recording("1-1-1", training=200, seed=1), tmp_path / "a.zip")

    def start(name: str, err: int = 2) -> ForkedProcess:
        command = ["train", tmp_path / "recipe.toml", tmp_path / "a.zip", "--out", tmp_path / name]
        environment = {**os.environ, "STRIATE_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
        return forked_python.start(*command, environment=environment, out=err, err=err)

    reader, writer = os.pipe()
    process = start("run", writer)
    os.close(writer)
    with os.fdopen(reader) as lines:
        for line in lines:
            if line.startswith("epoch 2:"):
                break
        process.send_signal(number)
        said = lines.read()
    process.wait(timeout=60)
    assert process.returncode in (128 + number, -number)
    assert "Traceback" not in said
    assert "the same command resumes from it" in said
    assert Run.open(tmp_path / "run").provenance["status"] == "training"
    assert {p.name for p in (tmp_path / "run").iterdir() if p.name.startswith(".")} == set()
    for name in ("run", "whole"):
        assert start(name).wait(timeout=120) == 0
    assert same_weights(tmp_path / "run", tmp_path / "whole")
