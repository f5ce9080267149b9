"""Plugins of recipes and runs: what is loaded, what is recorded, and that a run's folder never executes code."""

import hashlib
import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from tests.fixtures.command import run_in_process
from tests.fixtures.recordings import small_recording
from tests.training.small import TABLES

from striate.errors import InputError
from striate.recordings import write
from striate.registry import REGISTRIES, code_source, components, load_plugin
from striate.training import Run, load_recipe, predict, train

LOSS = """
from striate.registry import losses

@losses.register("cubic")
def cubic(rates, responses):
    return (rates - responses).abs() ** 3
"""
RECORDING = small_recording(neurons=5, training=20)
TRAINED: dict[str, Any] = {**TABLES, "schedule": {"max_epochs": 1}, "loss": {"type": "cubic"}}


def forget() -> None:
    """Do as a new process would: know nothing of plugins."""
    for name in [name for name in sys.modules if name.startswith(("striate_plugin_", "cubic_lab"))]:
        del sys.modules[name]
        for each in REGISTRIES.values():
            each.forget(name)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    forget()
    yield
    forget()


def recipe_with(folder: Path, plugins: list[str]) -> Path:
    path = folder / "recipe.toml"
    path.write_text(tomli_w.dumps({"plugins": plugins, **TRAINED}))
    return path


def test_a_recipe_names_its_plugins_relative_to_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_losses.py").write_text(LOSS)
    recipe = load_recipe(recipe_with(tmp_path, ["my_losses.py"]))
    assert recipe.loss.type == "cubic"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert load_recipe(recipe) == recipe
    assert load_recipe(tmp_path / "recipe.toml", ["data.batch_size=8"]).data.batch_size == 8
    run = train(recipe, RECORDING, tmp_path / "run", progress=False)
    (entry,) = run.provenance["plugins"]
    digest = hashlib.sha256(LOSS.encode()).hexdigest()
    assert entry == {
        "kind": "losses", "name": "cubic", "module": "my_losses.py", "package": None, "version": None, "sha256": digest
    }  # fmt: skip
    assert run.recipe.plugins == ("my_losses.py",), "the folder belongs to this machine"


@pytest.mark.parametrize(
    ("plugins", "says"),
    [
        (["nowhere.py"], "nowhere.py cannot be read"),
        (["no_such_lab.losses"], "There is no module 'no_such_lab.losses'"),
        ("my_losses.py", "plugins = "),
        ([3], "plugins"),
    ],
)
def test_plugins_that_cannot_be_loaded_are_one_sentence(tmp_path: Path, plugins: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        load_recipe(recipe_with(tmp_path, plugins))


def test_a_run_whose_plugin_is_not_loaded_says_which(tmp_path: Path) -> None:
    (tmp_path / "my_losses.py").write_text(LOSS)
    train(recipe_with(tmp_path, ["my_losses.py"]), RECORDING, tmp_path / "run", progress=False)
    forget()
    says = r"needs the plugin my_losses\.py, which has the loss 'cubic': load it first \(striate\.load_plugin\('my_losses\.py'\)\)"
    with pytest.raises(InputError, match=says):
        Run.open(tmp_path / "run")
    load_plugin(tmp_path / "my_losses.py")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = Run.open(tmp_path / "run")
        assert predict(run, RECORDING, "validation").values.shape[1] == 5


def test_changed_code_of_a_plugin_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "my_losses.py").write_text(LOSS)
    train(recipe_with(tmp_path, ["my_losses.py"]), RECORDING, tmp_path / "run", progress=False)
    (tmp_path / "my_losses.py").write_text(LOSS.replace("** 3", "** 4"))
    forget()
    load_plugin(tmp_path / "my_losses.py")
    with pytest.warns(
        UserWarning, match=r"The code of the loss 'cubic' \(my_losses\.py\) has changed since .*run was trained"
    ) as caught:
        predict(tmp_path / "run", RECORDING, "validation")
    assert {warning.filename for warning in caught} == {__file__}, "the line of the user, not one of striate"
    write(RECORDING, tmp_path / "mouse.zip")
    command = (
        "predict",
        tmp_path / "run",
        tmp_path / "mouse.zip",
        "--out",
        tmp_path / "p.parquet",
        "--tier",
        "validation",
    )
    outcome = run_in_process("--plugin", tmp_path / "my_losses.py", *command)
    assert outcome.status == 0
    lines = outcome.err.splitlines()
    assert [line for line in lines if "changed" in line] == [
        line for line in lines if line.startswith("warning: The code of")
    ]
    assert not any("warn(" in line or "UserWarning" in line or ".py:" in line for line in lines), outcome.err


def test_code_in_the_folder_of_a_run_is_never_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_losses.py").write_text(LOSS)
    folder = train(recipe_with(tmp_path, ["my_losses.py"]), RECORDING, tmp_path / "run", progress=False).folder
    forget()
    evil = "import pathlib\npathlib.Path('executed').touch()\n" + LOSS
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    for name in ("my_losses.py", "evil_lab.py"):
        (folder / name).write_text(evil)
    facts = json.loads((folder / "provenance.json").read_text())
    for module, package in (
        ("my_losses.py", None),
        ("evil_lab", None),
        ("evil_lab", "numpy"),
        ("evil_lab", "evil-lab"),
    ):
        facts["plugins"][0] |= {"module": module, "package": package}
        (folder / "provenance.json").write_text(json.dumps(facts))
        with pytest.raises(InputError, match="needs the"):
            Run.open(folder)
    facts["plugins"] = []
    (folder / "provenance.json").write_text(json.dumps(facts))
    for plugin in ("my_losses.py", str(folder / "evil_lab.py"), "evil_lab"):
        (folder / "recipe.toml").write_text(tomli_w.dumps({"plugins": [plugin], **TRAINED}))
        with pytest.raises(InputError, match="There is no loss 'cubic'"):
            Run.open(folder)
    assert not (folder / "executed").exists()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed package, whose entry point has the loss."""
    site = tmp_path / "site"
    (site / "cubic_lab").mkdir(parents=True)
    (site / "cubic_lab" / "__init__.py").write_text("")
    (site / "cubic_lab" / "losses.py").write_text(LOSS)
    info = site / "cubic_lab-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: cubic-lab\nVersion: 1.2\n")
    (info / "top_level.txt").write_text("cubic_lab\n")
    (info / "entry_points.txt").write_text("[striate.losses]\ncubic = cubic_lab.losses\n")
    clear = (components._entry_points.cache_clear, code_source._packages.cache_clear)
    monkeypatch.syspath_prepend(str(site))
    for each in clear:
        each()
    yield site
    monkeypatch.undo()
    for each in clear:
        each()


@pytest.mark.slow
def test_a_component_of_an_installed_package_is_found_and_recorded(tmp_path: Path, package: Path) -> None:
    train(TRAINED, RECORDING, tmp_path / "run", progress=False)
    forget()
    (entry,) = Run.open(tmp_path / "run").provenance["plugins"]
    assert (entry["module"], entry["package"], entry["version"]) == ("cubic_lab.losses", "cubic-lab", "1.2")


@pytest.mark.slow
def test_without_its_package_a_run_says_what_to_install(
    tmp_path: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(TRAINED, RECORDING, tmp_path / "run", progress=False)
    forget()
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != str(package)])
    components._entry_points.cache_clear()
    code_source._packages.cache_clear()
    says = r"needs the package cubic-lab, which has the loss 'cubic': install it \(pip install cubic-lab==1\.2\)"
    with pytest.raises(InputError, match=says):
        Run.open(tmp_path / "run")


@pytest.mark.slow
def test_a_module_of_an_installed_package_needs_no_entry_point(tmp_path: Path, package: Path) -> None:
    (package / "cubic_lab-1.2.dist-info" / "entry_points.txt").write_text("")
    components._entry_points.cache_clear()
    train({**TRAINED, "plugins": ["cubic_lab.losses"]}, RECORDING, tmp_path / "run", progress=False)
    forget()
    assert Run.open(tmp_path / "run").recipe.loss.type == "cubic"
