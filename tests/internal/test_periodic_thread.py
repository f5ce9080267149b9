"""Something is done now and then, in a thread of its own."""

import threading
import time

import pytest

from striate._internal.periodic_thread import run_periodically


def test_it_is_called_again_until_the_context_ends() -> None:
    said: list[str] = []
    again = threading.Event()

    def do() -> None:
        said.append("do")
        if said.count("do") == 3:
            again.set()

    with run_periodically(0.001, do, on_start=lambda: said.append("first"), on_stop=lambda: said.append("last")):
        assert again.wait(10)
    assert said[0] == "first"
    assert said[-1] == "last"
    assert set(said[1:-1]) == {"do"}
    count = len(said)
    time.sleep(0.02)
    assert len(said) == count


def test_an_error_within_ends_it_too_and_the_last_call_is_not_waited_for_without_end() -> None:
    stuck = threading.Event()
    began = time.monotonic()
    with (
        pytest.raises(KeyError),
        run_periodically(60, lambda: None, on_stop=lambda: stuck.wait(60) and None, join_timeout=0.05),
    ):
        raise KeyError
    assert time.monotonic() - began < 30
    stuck.set()
