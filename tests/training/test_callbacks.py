"""How training is shown: a bar on a terminal or in a notebook, lines in a log, nothing where nothing is wanted."""

import io
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from tests.fixtures.recordings import small_recording
from tests.training.small import small_recipe

from striate._internal.progress_bars import progress_bar
from striate.training import train
from striate.training.trainer import Trainer


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("STRIATE_QUIET", raising=False)
    return Terminal()


@pytest.mark.slow
def test_it_shows_loss_correlation_rate_and_time(
    tmp_path: Path, screen: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", screen)
    train(small_recipe(schedule__max_epochs=4), small_recording(training=150), tmp_path / "run")
    drawn = screen.getvalue()
    for part in ("epoch 4 loss ", " validation ", " best ", " rate 0.02", "≤"):
        assert part in drawn
    assert "…" not in drawn, "it fits on the screen"


@pytest.mark.slow
@pytest.mark.parametrize("way", ["argument", "variable"])
@pytest.mark.parametrize("terminal", [True, False])
def test_it_can_be_silent(
    tmp_path: Path, screen: Terminal, monkeypatch: pytest.MonkeyPatch, way: str, terminal: bool
) -> None:
    monkeypatch.setattr(sys, "stderr", screen)
    if way == "variable":
        monkeypatch.setenv("STRIATE_QUIET", "1")
    monkeypatch.setattr(screen, "isatty", lambda: terminal)
    train(small_recipe(schedule__max_epochs=1), small_recording(), tmp_path / "run", progress=way != "argument")
    drawn = screen.getvalue()
    assert "loss" not in drawn
    assert way == "argument" or drawn == "", "only loading may show a bar of its own"


@pytest.mark.slow
def test_a_log_gets_one_line_for_each_epoch(tmp_path: Path, screen: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(screen, "isatty", lambda: False)
    run = train(small_recipe(schedule__max_epochs=3), small_recording(), tmp_path / "run")
    lines = screen.getvalue().splitlines()
    assert len(lines) == 3
    for line, row in zip(lines, run.history.iloc[1:].to_dict("records"), strict=True):
        assert line.startswith(f"epoch {row['epoch']}: loss {row['loss']:.6g}, ")
        assert f"validation {row['validation_correlation']:.4f} (best " in line
        assert line.endswith(f"{row['seconds']:.1f} s")


@pytest.mark.slow
@pytest.mark.parametrize("terminal", [True, False])
def test_a_resumed_run_says_where_it_goes_on(
    tmp_path: Path, screen: Terminal, monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    recipe = small_recipe(schedule__max_epochs=3)
    with monkeypatch.context() as patch:
        validate, calls = Trainer.validate, iter(range(9))

        def interrupted(trainer: Trainer) -> float:
            if next(calls) == 3:  # the untrained model and two epochs were validated
                raise KeyboardInterrupt
            return validate(trainer)

        patch.setattr(Trainer, "validate", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, small_recording(), tmp_path / "run", progress=False)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(screen, "isatty", lambda: terminal)
    monkeypatch.setenv("COLUMNS", "300")
    train(recipe, small_recording(), tmp_path / "run")
    assert f"Resuming {tmp_path / 'run'} after 2 epochs" in screen.getvalue()
    train(recipe, small_recording(), tmp_path / "another")
    assert screen.getvalue().count("Resuming") == 1


class Cell:
    """Stands for the output of a notebook's cell."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def display(self, content: str, display_id: bool) -> "Cell":
        return self

    def update(self, content: str) -> None:
        self.shown.append(content)


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Cell:
    cell = Cell()
    ipython = ModuleType("IPython")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())  # type: ignore[attr-defined]
    shown = ModuleType("IPython.display")
    shown.HTML, shown.display = str, cell.display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", shown)
    monkeypatch.delenv("STRIATE_QUIET", raising=False)
    monkeypatch.setattr("striate._internal.progress_bars._REDRAWN", 0)
    return cell


def test_a_notebook_gets_a_bar(tmp_path: Path, cell: Cell) -> None:
    train(small_recipe(schedule__max_epochs=2), small_recording(), tmp_path / "run")
    assert any("<progress max=" in drawn and "epoch 2 loss " in drawn for drawn in cell.shown)
    assert cell.shown[-1].startswith("epoch 2: validation ")


def test_other_long_work_has_a_bar_in_a_notebook_and_takes_it_away(cell: Cell) -> None:
    with progress_bar("<packing>", 4) as advance:
        advance(3)
    assert cell.shown == ['<progress max="4" value="3" style="width: 12em"></progress> &lt;packing&gt;: 3 of 4', ""]
