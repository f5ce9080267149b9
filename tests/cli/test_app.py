"""The program itself: what a wrong call is answered, and with which status."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.fixtures.command import run_in_process

from striate import __version__
from striate.cli.app import program


def striate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "striate", *arguments], capture_output=True, text=True, timeout=60)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "says", "see"),
    [
        (["scor", "a", "b"], "Did you mean 'score'?", "striate -h"),
        (["score", "a", "b", "--format", "csv"], "No such option: --format", "striate score -h"),
        (["train"], "Missing argument 'recipe'", "striate train -h"),
        (["simulate", "out", "--neurons", "many"], "Invalid value for '--neurons'", "striate simulate -h"),
        (["score", "a", "b", "--out"], "Option '--out' requires an argument", "striate -h"),
    ],
)
def test_a_wrong_call_is_one_sentence_and_where_to_look(arguments: list[str], says: str, see: str) -> None:
    ran = striate(*arguments)
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr.startswith("error: ")
    assert says in ran.stderr
    assert ran.stderr.rstrip().endswith(f"{see}.")
    assert ran.stderr.count("\n") == 1


@pytest.mark.slow
def test_the_status_of_a_command_is_that_of_the_program() -> None:
    assert striate("--version").stdout.split() == ["striate", __version__]
    assert striate("--version").returncode == 0
    assert "score" in striate().stdout + striate().stderr
    assert striate("check", "/no/such/archive").returncode == 1
    empty = striate("info", "")
    assert (empty.returncode, empty.stderr.count("\n")) == (1, 1)


def failing(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
        RuntimeError("CUDA out of memory."),
    ],
)
def test_too_little_memory_is_one_sentence(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("striate.training.recipe_names", failing(error))
    ran = run_in_process("recipes")
    assert ran.status == 1
    assert ran.err.startswith("error: There is too little memory.")
    assert ran.err.count("\n") == 1


def test_a_mistake_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("striate.training.recipe_names", failing(RuntimeError("shapes cannot be multiplied")))
    with pytest.raises(RuntimeError, match="shapes"):
        run_in_process("recipes")


@pytest.mark.slow
def test_an_interruption_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("striate.training.recipe_names", failing(KeyboardInterrupt()))
    ran = run_in_process("recipes")
    assert (ran.status, ran.err) == (130, "interrupted\n")


def commands(group: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command and group, as words of the command line."""
    group = group or program()
    yield path
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


@pytest.mark.slow
def test_help_fits_80_columns_and_names_no_type_for_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    seen = list(commands())
    assert len(seen) > 30
    for path in seen:
        shown = run_in_process(*path, "-h")
        assert shown.status == 0, path
        assert "<bool>" not in shown.out, path
        assert "``" not in shown.out, path
        assert max(map(len, shown.out.splitlines())) <= 80, path


def test_help_shows_names_in_brackets() -> None:
    assert "[sweep]" in run_in_process("sweep", "-h").out
    assert "striate[hub]" in run_in_process("share", "-h").out


def test_every_command_stands_in_a_panel_of_its_task() -> None:
    panels: dict[str, list[str]] = {}
    for name, command in program().commands.items():
        panels.setdefault(command.rich_help_panel, []).append(name)
    assert list(panels) == ["Data", "Models", "Scores and submissions", "Competitions and portals", "Examples"]
    assert max(map(len, panels.values())) <= 8
    assert "train" in panels["Models"]


def test_two_commands_of_one_name_stand_in_different_groups_only() -> None:
    """``check`` and ``convert`` are about recordings; what is about submissions says so."""
    top = {path[0] for path in commands() if len(path) == 1}
    assert {"check", "convert"} <= top
    assert "validate" not in top
    assert {path[1] for path in commands() if path[:1] == ("submission",) and len(path) > 1} == {"check", "reformat"}
