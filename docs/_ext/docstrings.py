"""What Sphinx needs to be told about the docstrings of striate."""

import re
from typing import Any

from sphinx.domains.python import PyObject

_ENTRY = re.compile(r"^(?P<names>\w+(?:, \w+)+)(?P<type> : .*)?$")


def _prepare(
    app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    lines[:] = _plain_references(_one_attribute_an_entry(lines))
    if what in ("attribute", "property") and lines and ": " in lines[0]:
        lines.insert(
            0, ""
        )  # else napoleon takes what stands before the colon for a type


def _plain_references(lines: list[str]) -> list[str]:
    """Turn references, which begin with 1 in every docstring, into a list: as footnotes they would clash on a page."""
    inline = [re.sub(r"\[(\d+)\]_", r"[\1]", line) for line in lines]
    return [re.sub(r"^(\s*)\.\. \[(\d+)\] ", r"\1\2. ", line) for line in inline]


def _one_attribute_an_entry(lines: list[str]) -> list[str]:
    """Split ``low, high`` of a section "Attributes" into two entries with the same text; napoleon does so for parameters only."""
    if "Attributes" not in lines:
        return lines
    start = lines.index("Attributes") + 2
    result, index = lines[:start], start
    while index < len(lines):
        entry = _ENTRY.match(lines[index])
        end = index + 1
        while end < len(lines) and (
            not lines[end].strip() or lines[end].startswith(" ")
        ):
            end += 1
        if entry and end > index + 1:
            for name in entry["names"].split(", "):
                result += [name + (entry["type"] or ""), *lines[index + 1 : end]]
        elif end < len(lines) and set(lines[end]) == {"-"}:  # the next section
            return result + lines[index:]
        else:
            result += lines[index:end]
        index = end
    return result


def _skip(
    app: Any, what: str, name: str, obj: Any, skip: bool, options: Any
) -> bool | None:
    """Leave out what only the inside needs."""
    return True if name in ("called", "model_config") else None


def setup(app: Any) -> dict[str, bool]:
    """Connect to autodoc, before napoleon reads the docstrings."""
    app.connect("autodoc-process-docstring", _prepare, priority=400)
    app.connect("autodoc-skip-member", _skip)
    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
