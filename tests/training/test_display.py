"""The bar on the terminal: there for who is watching, silent for who is not."""

import io
import sys
from pathlib import Path

import pytest
from tests.fixtures.recordings import small_recording
from tests.training.small import small_recipe

from striate.training import train


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("STRIATE_QUIET", raising=False)
    return Terminal()


def test_it_shows_loss_correlation_rate_and_time(
    tmp_path: Path, screen: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", screen)
    train(small_recipe(schedule__max_epochs=4), small_recording(training=150), tmp_path / "run")
    drawn = screen.getvalue()
    for part in ("epoch 4 loss ", " validation ", " best ", " rate 0.02", "≤"):
        assert part in drawn
    assert "…" not in drawn, "it fits on the screen"


@pytest.mark.parametrize("way", ["argument", "variable", "no terminal"])
def test_it_can_be_silent(tmp_path: Path, screen: Terminal, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setattr(sys, "stderr", screen)
    if way == "variable":
        monkeypatch.setenv("STRIATE_QUIET", "1")
    if way == "no terminal":
        monkeypatch.setattr(screen, "isatty", lambda: False)
    train(small_recipe(schedule__max_epochs=1), small_recording(), tmp_path / "run", progress=way != "argument")
    drawn = screen.getvalue()
    assert "loss" not in drawn
    assert way == "argument" or drawn == "", "only loading may show a bar of its own"
