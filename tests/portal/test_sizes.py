"""Sizes are said in one unit: 1 MB is 10⁶ bytes, on pages and on the command line."""

import re

import pytest

from striate._internal.progress_bars import format_size
from tests.portal.world import World

SIZES = [0, 1, 999, 1000, 99_900, 1_048_576, 416_000_000, 1_500_000_000, 2**40]


@pytest.mark.parametrize("size", SIZES)
def test_pages_say_a_size_as_the_command_line_does(portal: World, size: int) -> None:
    from django.template import Context, Template
    from django.utils.translation import override

    page = Template("{% load sizes %}{{ size|size }}")
    with override("en-gb"):
        assert page.render(Context({"size": size})).replace("\u00a0", " ") == format_size(size)
    with override("de"):
        assert re.match(r"^[\d.]+(,\d+)?\u00a0(B|kB|MB|GB)$", page.render(Context({"size": size})))


def test_no_page_says_sizes_in_another_unit() -> None:
    from pathlib import Path

    import striate.portal

    for template in (Path(striate.portal.__file__).parent / "templates").rglob("*.html"):
        assert "filesizeformat" not in template.read_text(), (
            f"{template}: it counts 1 MB as 2²⁰ bytes; take the filter size"
        )
