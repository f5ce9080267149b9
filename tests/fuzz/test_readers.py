"""Readers keep their promise on what once broke them, and on new mutations of sound files."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from striate.errors import InputError
from tests.fuzz import oracle
from tests.fuzz.mutate import mutated
from tests.fuzz.oracle import FAILURES, broken_promise
from tests.fuzz.targets import TARGETS, Target, portal

ONCE = sorted(FAILURES.glob("*-*")) if FAILURES.is_dir() else []


@pytest.fixture(scope="module")
def child() -> Iterator[ProcessPoolExecutor]:
    """A process for what the portal reads: it sets Django up without a database, which tests of the portal could not undo."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool


@pytest.mark.parametrize("file", ONCE, ids=lambda path: path.name)
def test_what_once_failed(file: Path, child: ProcessPoolExecutor) -> None:
    name = file.name.rpartition("-")[0]
    if name in portal.TARGETS:
        assert child.submit(broken_promise, name, file.read_bytes()).result() is None
    else:
        assert broken_promise(name, file.read_bytes()) is None


@pytest.mark.slow
def test_a_broken_promise_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def said(read: Callable[[Path], object]) -> str | None:
        monkeypatch.setitem(TARGETS, "bad", Target(read, "a", lambda: [b""]))
        return broken_promise("bad", b"content")

    def raising(error: BaseException) -> Callable[[Path], object]:
        def read(path: Path) -> object:
            raise error

        return read

    def endless(path: Path) -> object:
        while True:
            pass

    monkeypatch.setattr(oracle, "SECONDS", 1)
    assert said(lambda path: path.read_bytes()) is None
    assert "a message of 5000 characters" in str(said(raising(InputError("x" * 5000))))
    assert "KeyError" in str(said(raising(KeyError("a"))))
    assert "RecursionError" in str(said(raising(RecursionError())))
    assert "empty message" in str(said(raising(InputError(""))))
    assert "MemoryError" in str(said(lambda path: bytes(2 * oracle.MEMORY)))
    assert "seconds" in str(said(endless))


def first_broken_promise(name: str) -> str | None:
    """Read sound files and mutations of them; the same in each run, because a failure here would be of another change."""
    seeds = TARGETS[name].seeds()
    if not seeds:
        return "there is no sound file"
    draws = (random.Random(seed) for seed in range(60))
    contents = [*seeds, *(mutated(rng.choice(seeds), seeds, rng) for rng in draws)]
    return next((problem for each in contents if (problem := broken_promise(name, each)) is not None), None)


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_a_short_run(name: str, child: ProcessPoolExecutor) -> None:
    if name in portal.TARGETS:
        assert child.submit(first_broken_promise, name).result() is None
    else:
        assert first_broken_promise(name) is None
