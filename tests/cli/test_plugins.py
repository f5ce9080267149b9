"""The option --plugin, before and after the command."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import tomli_w
from tests.fixtures.command import assert_one_sentence, run_in_process
from tests.fixtures.recordings import small_recording
from tests.training.small import TABLES

import striate
from striate.registry import REGISTRIES
from striate.training import Run

PLUGIN = '''
from striate.registry import losses

@losses.register("cubic")
def cubic(rates, responses):
    """Absolute error to the third power."""
    return (rates - responses).abs() ** 3
'''


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "my_losses.py"
    path.write_text(PLUGIN)
    yield path
    for registry in REGISTRIES.values():
        for component in registry.loaded():
            if component.module.startswith("striate_plugin_"):
                registry.forget(component.module)


def test_a_plugin_is_loaded_wherever_it_is_named(tmp_path: Path, plugin: Path) -> None:
    (tmp_path / "recipe.toml").write_text(tomli_w.dumps({**TABLES, "loss": {"type": "cubic"}}))
    striate.write(small_recording(), tmp_path / "archive.zip")
    command = ["train", tmp_path / "recipe.toml", tmp_path / "archive.zip", "--set", "schedule.max_epochs=1"]
    refused = run_in_process(*command, "--out", tmp_path / "none")
    assert_one_sentence(refused, "There is no loss 'cubic'", "--plugin")
    for number, arguments in enumerate(([f"--plugin={plugin}", *command], [*command, "--plugin", plugin])):
        done = run_in_process(*arguments, "--out", tmp_path / f"run{number}")
        assert done.status == 0, done.err
    command_of_run = Run.open(tmp_path / "run1").provenance["attempts"][0]["command"]
    assert command_of_run[-4:] == ["--plugin", "my_losses.py", "--out", "run1"]


def test_help_and_lists_know_the_components_of_plugins(plugin: Path) -> None:
    assert "loss cubic" in run_in_process("train", "--help", "--plugin", plugin).out
    listed = run_in_process("recipes", "--components", "--plugin", plugin).out
    assert "cubic" in listed
    assert "my_losses.py" in listed
    assert "squared_error" in listed


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["recipes", "--plugin"], "needs the path of a .py file"),
        (["--plugin", "nowhere.py", "recipes"], "nowhere.py cannot be read"),
        (["recipes", "--plugin", "no_such_module"], "There is no module 'no_such_module'"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_is_one_sentence(arguments: list[str], says: str) -> None:
    assert_one_sentence(run_in_process(*arguments), says)


def test_a_broken_plugin_is_one_sentence_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("a = 1\nb = 1 / 0\n")
    assert_one_sentence(run_in_process("recipes", "--plugin", tmp_path / "broken.py"), "line 2", "ZeroDivisionError")
