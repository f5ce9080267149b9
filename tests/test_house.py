"""The house: rooms import in one direction only, and the front door opens at once."""

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
    "recordings",
    "metrics",
    "stimuli",
    "simulate",
    "simulation",
    "catalog",
    "fetch",
    "loading",
    "models",
    "training",
    "submissions",
    "report",
    "competition",
    "portal",
    "reproduce",
    "demo",
    "cli",
)
FREE = {
    "addresses",
    "arrays",
    "errors",
    "file_kinds",
    "files",
    "folders",
    "lazy",
    "names",
    "notebook",
    "parquet",
    "parsing",
    "progress",
    "repeating",
    "texts",
    "validation",
    "zips",
}  # every room stands on these; they import no room
OUTSIDE = {"testing", "__init__", "__main__"}  # these look into the rooms, and no room looks at them
HEAVY = ("torch", "pandas", "matplotlib", "numpy")

FILES = sorted(SOURCE.rglob("*.py"))


def room_of(file: Path) -> str:
    first = file.relative_to(SOURCE).parts[0]
    return first.removesuffix(".py")


def imported_rooms(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Rooms that a module looks into, and where: at its top, within functions, for types, or by the public face."""
    public = striate._PUBLIC
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith("striate.")]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module == "striate":
            names = [public.get(alias.name, f"striate.{alias.name}") for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("striate."):
            names = [node.module]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "striate":
            names = [public[node.attr]] if node.attr in public else []
        for name in names:
            if name != "striate.__version__":
                yield name.split(".")[1], node.lineno


def test_every_room_is_in_the_plan() -> None:
    rooms = {room_of(file) for file in FILES}
    assert rooms <= {*ROOMS, *FREE, *OUTSIDE}


@pytest.mark.parametrize("room", sorted({room_of(file) for file in FILES} - OUTSIDE))
def test_a_room_imports_only_rooms_before_it(room: str) -> None:
    allowed = FREE | ({room, *ROOMS[: ROOMS.index(room)]} if room in ROOMS else {room})
    wrong = [
        f"{file.relative_to(SOURCE)}:{line} imports {other}"
        for file in FILES
        if room_of(file) == room
        for other, line in imported_rooms(ast.parse(file.read_text(encoding="utf-8")))
        if other not in allowed
    ]
    assert not wrong, "\n".join(wrong)


def test_imports_within_a_package_are_absolute() -> None:
    """Relative imports would hide from the test above where they lead."""
    relative = [
        f"{file.relative_to(SOURCE)}:{node.lineno}"
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level > 0
    ]
    assert not relative


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
    for name, room in striate._PUBLIC.items():
        assert name in dir(striate)
        assert room.split(".")[1] in {*ROOMS, *FREE}


def test_json_is_read_in_one_place() -> None:
    """Ruff forbids ``json.loads``; pydantic's own parser has other limits, and cannot be forbidden by name."""
    allowed = {"parsing.py", "validation.py"}  # the second reads what it has just written
    wrong = [
        f"{file.relative_to(SOURCE)}:{node.lineno}: use striate.parsing.parse_as"
        for file in FILES
        if str(file.relative_to(SOURCE)) not in allowed
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("model_validate_json", "validate_json")
    ]
    assert not wrong, "\n".join(wrong)
