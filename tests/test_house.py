"""The structure of the package: rooms import in one direction only, and ``import striate`` is instant."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import striate

SOURCE = Path(striate.__file__).parent

# The way of the data. A room imports only rooms that stand before it.
ROOMS = (
    "errors",
    "_internal",
    "registry",
    "component_errors",
    "benchmarks",
    "recordings",
    "metrics",
    "stimuli",
    "simulate",
    "catalog",
    "fetch",
    "data",
    "models",
    "training",
    "submissions",
    "report",
    "sweeps",
    "zoo",
    "competition",
    "portal",
    "reproduce",
    "demo",
    "cli",
)
OUTSIDE = {"testing", "__init__", "__main__"}  # these import rooms, and no room imports them
HEAVY = ("torch", "pandas", "matplotlib", "numpy")

FILES = sorted(SOURCE.rglob("*.py"))


def public_names() -> dict[str, str]:
    """Return the public names of striate, and the room that each comes from."""
    found = {}
    for node in ast.parse((SOURCE / "__init__.pyi").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            found |= {alias.name: f"striate.{node.module or alias.name}" for alias in node.names}
    return found


PUBLIC = public_names()


def room_of(file: Path) -> str:
    first = file.relative_to(SOURCE).parts[0]
    return first.removesuffix(".py")


def imported_rooms(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Rooms that a module imports, and where: at its top, within functions, for types, or by a public name."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith("striate.")]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module == "striate":
            names = [PUBLIC.get(alias.name, f"striate.{alias.name}") for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("striate."):
            names = [node.module]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "striate":
            names = [PUBLIC[node.attr]] if node.attr in PUBLIC else []
        for name in names:
            if name != "striate.__version__":
                yield name.split(".")[1], node.lineno


def test_every_room_is_in_the_plan() -> None:
    rooms = {room_of(file) for file in FILES}
    assert rooms == {*ROOMS, *OUTSIDE}


@pytest.mark.slow
@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_rooms_before_it(room: str) -> None:
    allowed = set(ROOMS[: ROOMS.index(room) + 1])
    wrong = [
        f"{file.relative_to(SOURCE)}:{line} imports {other}"
        for file in FILES
        if room_of(file) == room
        for other, line in imported_rooms(ast.parse(file.read_text(encoding="utf-8")))
        if other not in allowed
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
def test_imports_within_a_package_are_absolute() -> None:
    """Relative imports would hide from the test above where they lead."""
    relative = [
        f"{file.relative_to(SOURCE)}:{node.lineno}"
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level > 0
    ]
    assert not relative


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    ["import striate; striate.__all__", "from striate.cli.app import load_commands; load_commands()"],
    ids=["import striate", "the commands"],
)
def test_no_heavy_library_is_imported_before_it_is_used(code: str) -> None:
    report = f"{code}; import sys; print(*[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True)
    assert not done.stdout.split(), done.stdout


def test_public_names_are_those_of_their_rooms() -> None:
    assert set(PUBLIC) == set(striate.__all__)
    for name, room in PUBLIC.items():
        assert name in dir(striate)
        assert room.split(".")[1] in {*ROOMS, *OUTSIDE}
