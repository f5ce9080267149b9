"""Readers keep their promise on what once broke them, and on new mutations of sound files."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.errors import InputError
from tests.fuzz import oracle
from tests.fuzz.mutate import mutated
from tests.fuzz.oracle import FAILURES, broken_promise
from tests.fuzz.targets import TARGETS, Target

ONCE = sorted(FAILURES.glob("*-*")) if FAILURES.is_dir() else []


@pytest.mark.parametrize("file", ONCE, ids=lambda path: path.name)
def test_what_once_failed(file: Path) -> None:
    assert broken_promise(file.name.rpartition("-")[0], file.read_bytes()) is None


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


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_a_short_run(name: str) -> None:
    seeds = TARGETS[name].seeds()
    assert seeds
    for content in seeds:
        assert broken_promise(name, content) is None

    @settings(max_examples=60, derandomize=True)  # `make fuzz` explores; here a failure would be of another change
    @given(st.integers(0, 2**32 - 1))
    def fuzz(seed: int) -> None:
        rng = random.Random(seed)
        assert broken_promise(name, mutated(rng.choice(seeds), seeds, rng)) is None

    fuzz()
