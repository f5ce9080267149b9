"""The registry: components are found by decorator, by entry point, in plugin files and modules, and errors name the cure."""

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ValidationError

from striate.errors import InputError
from striate.registry import (
    REGISTRIES,
    Part,
    Registry,
    Settings,
    chosen_settings,
    import_object,
    installed_plugins_only,
    load_plugin,
    losses,
)

HUBER = '''
"""A plugin."""
from striate.registry import losses
from striate.training import LossSettings


class HuberSettings(LossSettings):
    """Settings of the Huber loss."""

    delta: float = 1.0


@losses.register("test-huber", settings=HuberSettings)
def huber(rates, responses, *, settings):
    """Huber loss.

    More about it.
    """
    return (rates - responses).abs() * settings.delta
'''


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    """Forget the components that a test registers."""
    yield
    for registry in REGISTRIES.values():
        for component in registry.loaded():
            if not component.module.startswith("striate."):
                registry.forget(component.module)


@pytest.fixture
def shapes() -> Registry[Any]:
    registry: Registry[Any] = Registry("shapes", "shape", default="square")

    class SquareSettings(Settings):
        side: int = 1

    @registry.register("square", settings=SquareSettings)
    def square(settings: SquareSettings) -> int:
        return settings.side**2

    return registry


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    path = tmp_path / "my_losses.py"
    path.write_text(HUBER)
    return path


def test_a_plugin_file_registers_its_components(plugin: Path) -> None:
    load_plugin(plugin)
    component = losses["test-huber"]
    assert "test-huber" in losses.names()
    assert component.summary == "Huber loss."
    assert losses.settings({"type": "test-huber", "delta": 2}).delta == 2  # type: ignore[attr-defined]
    assert component.source.module == "my_losses.py"
    assert component.source.package is None
    assert len(component.source.sha256 or "") == 64


def test_a_file_is_loaded_again_only_if_it_changed(plugin: Path) -> None:
    first = load_plugin(plugin)
    assert load_plugin(str(plugin)) is first
    old = losses["test-huber"].source.sha256
    plugin.write_text(HUBER + "\nVERSION = 2\n")
    assert load_plugin(plugin).VERSION == 2
    assert losses["test-huber"].source.sha256 != old


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("x = 1\nraise KeyError('no')", r"cannot be loaded \(line 2: KeyError: 'no'\)"),
        ("def f(:", r"cannot be loaded \(line 1: "),
        (
            HUBER + "\nimport there_is_no_such_module",
            "it imports 'there_is_no_such_module', which is not installed: install the package",
        ),
        (HUBER + "\nraise SystemExit(3)", None),
    ],
)
def test_a_plugin_that_fails_leaves_nothing_behind(tmp_path: Path, code: str, message: str | None) -> None:
    path = tmp_path / "broken.py"
    path.write_text(code)
    with pytest.raises(SystemExit if message is None else InputError, match=message):
        load_plugin(path)
    assert "test-huber" not in losses.names()


@pytest.mark.parametrize(
    ("plugin", "message"),
    [
        ("/nowhere/plugin.py", "cannot be read"),
        ("no_such_package.models", "There is no module 'no_such_package.models'"),
        (".", "cannot be loaded|There is no module"),
    ],
)
def test_plugins_that_do_not_exist(plugin: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_plugin(plugin)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"type": "squares"}, "There is no shape 'squares': did you mean 'square'"),
        ({"type": 3}, "There is no shape '3'"),
        (["square"], "expected a table with the key type"),
        (Settings(), "There is no shape ''"),
    ],
)
def test_tables_that_choose_nothing(shapes: Registry[Any], table: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        shapes.settings(table)


def test_settings_are_checked_and_called(shapes: Registry[Any]) -> None:
    assert shapes.build(shapes.settings({"side": 3})) == 9
    assert shapes.settings({}).type == "square"
    for table in ({"side": "x"}, {"sides": 3}):
        with pytest.raises(ValidationError):
            shapes.settings(table)


def test_a_name_belongs_to_one_component(shapes: Registry[Any]) -> None:
    def other() -> None:
        """Another one."""

    with pytest.raises(InputError, match=r"registers the shape 'square' twice: choose another name"):
        shapes.register("square")(other)
    with pytest.raises(InputError, match=r'register needs a name: write @shapes.register\("other"\) above other'):
        shapes.register(other)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="cannot name a shape"):
        shapes.register("../Square")
    with pytest.raises(InputError, match=r"expected a class derived from striate\.registry\.Settings"):
        shapes.register("round", settings=dict)(other)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="derive a class of its own"):
        shapes.register("round", settings=shapes["square"].settings)(other)


def test_the_same_definition_may_run_again(shapes: Registry[Any]) -> None:
    for _ in range(2):  # a cell of a notebook that is executed twice

        @shapes.register("line")
        def line() -> None:
            """A line."""

    assert "line" in shapes


def test_a_name_of_an_installed_package_cannot_be_taken() -> None:
    with pytest.raises(InputError, match=r"'poisson', which .*striate.* has"):
        losses.register("poisson")(lambda rates, responses: rates)


def test_fields_hold_any_component(shapes: Registry[Any]) -> None:
    class Drawing(BaseModel):
        first: Annotated[Settings, Part(shapes)]
        others: tuple[Annotated[Settings, Part(shapes)], ...] = ()

    drawing = Drawing.model_validate_json('{"first": {"side": 2}, "others": [{"type": "square"}]}')
    assert [settings.type for _, settings in chosen_settings(drawing)] == ["square", "square"]
    assert Drawing.model_validate(drawing.model_dump()) == drawing
    with pytest.raises(ValidationError, match="side"):
        Drawing.model_validate_json('{"first": {"side": 2.5}}')


def test_files_of_others_import_installed_packages_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "left_here.py").write_text("raise AssertionError('this code must not run')")
    monkeypatch.syspath_prepend(tmp_path)
    with installed_plugins_only():
        for plugin in ("left_here", str(tmp_path / "left_here.py"), "left_here:Net"):
            with pytest.raises(InputError, match="belongs to no installed package"):
                import_object(plugin) if ":" in plugin else load_plugin(plugin)
        assert load_plugin("striate.models.encoder").__name__ == "striate.models.encoder"


def test_every_built_in_component_is_found_by_its_entry_point() -> None:
    found = {kind: registry.names() for kind, registry in REGISTRIES.items()}
    for kind in ("models", "cores", "readouts", "shifters", "modulators", "nonlinearities", "losses"):
        assert found[kind], f"no {kind}; is striate installed?"
        for name in found[kind]:
            assert REGISTRIES[kind][name].settings.model_fields["type"].default == name
        default = REGISTRIES[kind].default
        assert default is None or default in found[kind]


def test_a_package_is_found_by_its_entry_points(tmp_path: Path) -> None:
    """A package with an entry point needs no import; one that lies about it, or is broken, is named."""
    (tmp_path / "lab_losses.py").write_text(HUBER.replace("test-huber", "lab-huber"))
    (tmp_path / "lab_broken.py").write_text("import there_is_no_such_module")
    info = tmp_path / "lab_losses-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lab-losses\nVersion: 1.2\n")
    (info / "RECORD").write_text("lab_losses.py,,\nlab_broken.py,,\n")
    (info / "entry_points.txt").write_text(
        "[striate.losses]\nlab-huber = lab_losses\nlab-lies = lab_losses\nlab-broken = lab_broken\n"
    )
    code = textwrap.dedent("""
        from striate.errors import InputError
        from striate.registry import losses
        assert {"lab-huber", "poisson"} <= set(losses)
        component = losses["lab-huber"]
        print(component.source.package, component.source.version, component.source.module)
        for name in ("lab-lies", "lab-broken", "lab-hubert"):
            try:
                losses[name]
            except InputError as error:
                print(error)
    """)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_with_path(tmp_path)
    )
    lines = done.stdout.splitlines()
    assert lines[0] == "lab-losses 1.2 lab_losses"
    assert "its module lab_losses does not register it: update or uninstall lab-losses" in lines[1]
    assert "of package lab-losses cannot be loaded (it imports 'there_is_no_such_module'" in lines[2]
    assert "did you mean 'lab-huber'" in lines[3]


def _with_path(folder: Path) -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ('@cores.register("x")\ndef x(settings, inputs): ...', "The core 'x' is a function; expected a class derived from striate.models.Core"),
        ('@cores.register("x")\nclass X: ...', "The core 'x' is the class X; expected a class derived from striate.models.Core"),
        ('@losses.register("poisson")\ndef x(rates, responses): ...', r"wrong.py registers the loss 'poisson', which .*striate.* has"),
        ('for _ in range(2):\n    losses.register("x")(lambda rates, responses: rates)\nlosses.register("x")(print)', None),
        ('@losses.register("x")\ndef x(r, p): ...\n@losses.register("x")\ndef y(r, p): ...', "wrong.py registers the loss 'x' twice: choose"),
        ('@losses.register("x", settings=dict)\ndef x(r, p): ...', "The settings of loss 'x' are dict; expected a class derived from striate.training.LossSettings"),
        ("from striate.training import LossSettings\nclass S(LossSettings):\n    delta = 1.0", r"line 4: PydanticUserError: A non-annotated attribute"),
    ],
)  # fmt: skip
def test_wrong_components_of_a_plugin_file_are_one_sentence(tmp_path: Path, code: str, says: str | None) -> None:
    path = tmp_path / "wrong.py"
    path.write_text(f"\nfrom striate.registry import cores, losses\n{code}\n")
    with pytest.raises(InputError, match=says) as raised:
        load_plugin(path)
    assert len(str(raised.value)) < 500
    assert "striate_plugin" not in str(raised.value)
    assert "errors.pydantic.dev" not in str(raised.value)
    assert not str(raised.value).endswith(".).")
