"""Ports that a server keeps while it is being restarted."""

import random
import socket
from pathlib import Path

import pytest

from benchmarks import ports


def test_a_port_is_free_and_not_one_that_the_system_gives_to_others() -> None:
    found = {ports.free_port() for _ in range(20)}
    assert len(found) > 10, "processes side by side do not draw the same"
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        given = any_port.getsockname()[1]
    for port in found:
        assert 1024 < port < ports._first_ephemeral_port() <= given
        with socket.socket() as server:
            server.bind(("127.0.0.1", port))


def test_a_port_that_is_taken_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    first = ports.free_port()
    monkeypatch.setattr(ports, "_CANDIDATES", 1)
    monkeypatch.setattr(ports, "_first_ephemeral_port", lambda: first + 1)
    assert ports.free_port() == first
    with socket.socket() as server:
        server.bind(("127.0.0.1", first))
        with pytest.raises(RuntimeError, match=str(first)):
            ports.free_port()


def test_a_seed_does_not_choose_the_port() -> None:
    found = set()
    for _ in range(5):
        random.seed(0)
        found.add(ports.free_port())
    assert len(found) > 1


@pytest.mark.parametrize("text", ["", "no numbers", "1024\t65535\n", None])
def test_where_the_system_does_not_say_or_takes_nearly_all(
    text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = tmp_path / "range"
    if text is not None:
        said.write_text(text)
    monkeypatch.setattr(ports, "_RANGE", said)
    assert 20000 <= ports.free_port() < 32000
    said.write_text("40000\t60999\n")
    assert 28000 <= ports.free_port() < 40000
