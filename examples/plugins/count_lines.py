"""Print how many lines each example has, without blank lines, comments and docstrings."""

import ast
from pathlib import Path


def lines_of(path):
    """Return the numbers of the lines of code."""
    lines = {n for n, line in enumerate(path.read_text().splitlines(), start=1) if line.split("#")[0].strip()}
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Expr)
                and isinstance(node.value, ast.Constant)
                and isinstance(node.value.value, str)
            ):
                lines -= set(range(node.lineno, node.end_lineno + 1))
    return lines


for path in sorted(Path(__file__).parent.glob("src/striate_examples/[!_]*.*")):
    print(f"{path.name:20} {len(lines_of(path))}")
