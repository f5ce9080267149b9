"""The code of a page of the documentation, run block by block as a reader would."""

import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.fixtures.forked_python import ForkedPython

DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"^```(?P<kind>python|console)(?P<flags>[^\n]*)\n(?P<code>.*?)^```", re.MULTILINE | re.DOTALL)
_SKIPPED = re.compile(r"<!-- not run: (?P<why>[^>]+) -->\s*$")
_REFUSED = re.compile(r"<!-- exit status (?P<status>\d+) -->\s*$")

# What a console block needs of a shell: patterns such as *.zip, and an exit status that is checked.
_SHELL = """
import glob, subprocess
from tests.fixtures.forked_python import run_command

def _run(words, expected):
    expanded = [name for word in words for name in (sorted(glob.glob(word)) if "*" in word else [word])]
    status = run_command(expanded[1:]) if expanded[0] == "striate" else subprocess.run(expanded).returncode
    assert status == expected, f"{words}: exit status {status}, expected {expected}"
"""


@dataclass(frozen=True)
class Block:
    """One fenced block: Python to execute, or a console session whose lines after ``$ `` are commands."""

    kind: str
    code: str
    line: int
    not_run: str | None
    status: int = 0


def blocks(page: Path) -> list[Block]:
    """All Python and console blocks of a page, in order.

    A comment ``<!-- not run: why -->`` right before a block keeps it from being run; ``<!-- exit status 1 -->``
    says how the commands of a console block end.
    """
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _BLOCK.finditer(text):
        before = text[: match.start()]
        skipped, refused = _SKIPPED.search(before), _REFUSED.search(before)
        line = before.count("\n") + 1
        status = int(refused["status"]) if refused else 0
        found.append(Block(match["kind"], match["code"], line, skipped["why"] if skipped else None, status))
    return found


def run_page(page: Path, folder: Path, environment: dict[str, str], python: ForkedPython) -> int:
    """Run the blocks of a page in order, in one folder; Python blocks share their names.

    Returns
    -------
    int
        How many blocks were run.
    """
    script = []
    for block in blocks(page):
        if block.not_run:
            continue
        if block.kind == "python":
            script.append(f"# line {block.line} of {page.name}\n{block.code}")
        else:
            script += [_as_python(command, block.status) for command in _commands(block.code)]
    done = python.run("\n".join([_SHELL, *script]), folder, environment)
    assert done.returncode == 0, f"{page}: {done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return len(script)


def _commands(session: str) -> list[str]:
    joined = session.replace("\\\n", " ")
    return [line[2:].split("  #")[0] for line in joined.splitlines() if line.startswith("$ ")]


def _as_python(command: str, status: int) -> str:
    words = shlex.split(command)
    program = [sys.executable] if words[0] == "python" else words[:1]
    return f"_run({[*program, *words[1:]]!r}, {status})"
