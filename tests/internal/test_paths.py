"""Containers without a home folder, and paths that begin with ~."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.messages import assert_short
from tests.fixtures.recordings import small_recording

import striate
from striate._internal import paths
from striate._internal.atomic_write import atomic_write, atomic_write_folder
from striate._internal.paths import cache_folder, expand_path, settings_folder
from striate.errors import InputError

NOBODY = 54_321  # a user that no system knows


@pytest.fixture
def no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "STRIATE_CACHE", "STRIATE_SETTINGS", "STRIATE_CATALOG", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: NOBODY)


def test_a_cache_alone_suffices(no_home: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    assert cache_folder() == tmp_path / "cache"
    assert settings_folder() == tmp_path / "cache" / "settings"
    striate.write(small_recording(), tmp_path / "a.zip")
    assert len(striate.open("a.zip").trials)
    assert not (tmp_path / "~").exists()


def test_without_any_folder_the_sentence_names_the_variable(
    no_home: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from striate.catalog import list_datasets

    monkeypatch.chdir(tmp_path)
    assert not paths.has_home()
    for ask in (cache_folder, settings_folder):
        with pytest.raises(InputError, match="set STRIATE_CACHE to a folder"):
            ask()
    assert "sensorium2022" in list_datasets()
    striate.write(small_recording(), tmp_path / "a.zip")
    with pytest.raises(InputError, match="set STRIATE_CACHE to a folder"):
        striate.open("a.zip")
    with pytest.raises(InputError, match="begins with ~"):
        expand_path("~/a.zip")
    assert sorted(os.listdir(tmp_path)) == ["a.zip"]


def test_no_folder_is_ever_called_tilde(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(tmp_path)
    with atomic_write("~/a.txt") as aside:
        aside.write_text("a")
    with atomic_write_folder("~/b") as aside:
        (aside / "c").write_text("c")
    assert (home / "a.txt").read_text() == "a"
    assert (home / "b" / "c").read_text() == "c"
    assert not (tmp_path / "~").exists()


_NAMELESS = f"import os; os.getuid = lambda: {NOBODY}; from striate.cli import main; main()"


@pytest.mark.slow
def test_commands_of_a_user_without_name_and_home(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH")}
    environment |= {"STRIATE_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}

    def run(*arguments: str) -> None:
        command = [sys.executable, "-c", _NAMELESS, *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    striate.write(small_recording(), tmp_path / "a.zip")
    run("catalog", "list")
    run("check", "a.zip")
    run("train", "ln-small", "a.zip", "--out", "run", "--set", "schedule.max_epochs=1")
    run("predict", "run", "a.zip", "--tier", "validation", "--out", "p.parquet")
    run("score", "p.parquet", "a.zip", "--tier", "validation")
    assert not (tmp_path / "~").exists()


@pytest.mark.parametrize("name", ["y/" * 3000, "a\0b", "a\ud800"], ids=["long", "NUL", "surrogate"])
def test_a_path_that_no_file_can_have_is_one_sentence_everywhere(name: str) -> None:
    from striate.competition import Vault
    from striate.competition.rules import read_rules
    from striate.data.raw_images import RawImages
    from striate.models import load
    from striate.portal.entries.card import read_card
    from striate.recordings.array_files import read_arrays, read_table
    from striate.submissions import open_submission
    from striate.training import Run
    from striate.training.recipe import load_recipe

    readers: list[Callable[[Any], object]] = [
        *(striate.open, striate.check, read_arrays, read_table, load_recipe, Run.open, open_submission, load),
        *(read_rules, read_card, RawImages, lambda path: Vault.read(path, "x"), lambda path: striate.score(path, path)),
    ]
    for reader in readers:
        with pytest.raises(InputError) as caught:
            reader(name)
        assert_short(caught.value)
