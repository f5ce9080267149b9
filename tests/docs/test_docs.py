"""Every example of the documentation runs; every link leads somewhere; every public name has its docstring."""

import os
import re
from pathlib import Path

import pytest
from tests.docs.pages import DOCS, blocks, run_page
from tests.fixtures.forked_python import ForkedPython

import striate

PAGES = sorted(page for page in DOCS.rglob("*.md") if "_build" not in page.parts)
WITH_CODE = [page for page in PAGES if any(block.not_run is None for block in blocks(page))]


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: str(page.relative_to(DOCS)))
def test_the_code_of_a_page_runs(page: Path, tmp_path: Path, forked_python: ForkedPython) -> None:
    # on busy cores, threads that wait for each other cost ten times more
    environment = {"OMP_NUM_THREADS": "1", **os.environ, "MPLBACKEND": "agg", "COLUMNS": "120"}
    environment["STRIATE_CACHE"] = str(tmp_path / "cache")
    folder = tmp_path / "work"
    folder.mkdir()
    assert run_page(page, folder, environment, forked_python) > 0


@pytest.mark.parametrize(
    "page", [*PAGES, DOCS.parent / "README.md", DOCS.parent / "CONTRIBUTING.md"], ids=lambda p: p.name
)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if not re.match(r"^(https?:|mailto:)", target):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_commands_that_the_pages_name_exist() -> None:
    from striate.cli import app
    from striate.cli.app import load_commands

    load_commands()
    known = {c.name for c in app.registered_commands} | {g.name for g in app.registered_groups}
    for page in [*PAGES, DOCS.parent / "README.md"]:
        for command in re.findall(r"(?:^\$ |`)striate ([a-z]+)\b", page.read_text(encoding="utf-8"), re.MULTILINE):
            assert command in known, f"{page.name} names `striate {command}`"


def test_every_public_name_has_a_docstring() -> None:
    for name in striate.__all__:
        if name != "__version__":
            assert getattr(striate, name).__doc__, name
