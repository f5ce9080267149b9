r"""Formulas drawn as vector pictures in the page: nothing is fetched, and they look the same in every browser.

Matplotlib, which striate needs anyway, sets them; the text of the formula is kept for those who listen to a page. A ``\\``
at the end of a line of a displayed formula begins a new line.
"""

import html
from functools import cache
from typing import Any

import matplotlib as mpl
from docutils import nodes
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import TextToPath
from sphinx.util import logging

_SIZE = 100.0  # units of the picture to one em
_LETTERS = {
    Path.MOVETO: "M",
    Path.LINETO: "L",
    Path.CURVE3: "Q",
    Path.CURVE4: "C",
    Path.CLOSEPOLY: "Z",
}
_POINTS = {Path.CURVE3: 2, Path.CURVE4: 3}


@cache
def svg(formula: str, scale: float = 1.0) -> str:
    """Draw one line of a formula, in the colour of the text, its baseline on that of the text.

    Raises
    ------
    ValueError
        If Matplotlib cannot set it.
    """
    with mpl.rc_context({"mathtext.fontset": "stix", "text.hinting": "none"}):
        drawer, font = TextToPath(), FontProperties(size=_SIZE)
        text = f"${formula}$"
        width, height, depth = drawer.get_text_width_height_descent(
            text, font, ismath=True
        )
        vertices, codes = drawer.get_text_path(font, text, ismath=True)
    margin = 0.04 * _SIZE
    top, bottom = height - depth + margin, depth + margin
    box = f"0 {-top:.1f} {width:.1f} {top + bottom:.1f}"
    em = {
        name: scale * value / _SIZE
        for name, value in (("w", width), ("h", top + bottom), ("d", bottom))
    }
    style = (
        f"width:{em['w']:.3f}em;height:{em['h']:.3f}em;vertical-align:-{em['d']:.3f}em"
    )
    label = html.escape(formula, quote=True)
    return (
        f'<svg class="formula" role="img" aria-label="{label}" viewBox="{box}" style="{style}">'
        f'<path fill="currentColor" d="{_path(vertices, codes)}"/></svg>'
    )


def _path(vertices: Any, codes: Any) -> str:
    parts, index = [], 0
    while index < len(codes):
        code = codes[index]
        count = _POINTS.get(code, 1)
        letter = _LETTERS[code]
        points = (
            ""
            if letter == "Z"
            else " ".join(
                f"{x:.1f} {-y:.1f}" for x, y in vertices[index : index + count]
            )
        )
        parts.append(letter + points)
        index += count
    return "".join(parts)


def _inline(self: Any, node: Any) -> None:
    self.body.append(_drawn(node, [node.astext()], 1.1))
    raise nodes.SkipNode


def _block(self: Any, node: Any) -> None:
    lines = [
        " ".join(line.split()) for line in node.astext().split(r"\\") if line.strip()
    ]
    self.body.append(f'<div class="math">{_drawn(node, lines, 1.25)}</div>\n')
    raise nodes.SkipNode


def _drawn(node: Any, lines: list[str], scale: float) -> str:
    try:
        return "<br>".join(svg(" ".join(line.split()), scale) for line in lines)
    except ValueError as error:
        reason = str(error).strip().splitlines()[-1]
        logging.getLogger(__name__).warning(
            "formula %r: %s", node.astext(), reason, location=node
        )
        return html.escape(node.astext())


def setup(app: Any) -> dict[str, bool]:
    """Register the renderer."""
    app.add_html_math_renderer(
        "formulas", inline_renderers=(_inline, None), block_renderers=(_block, None)
    )
    return {"parallel_read_safe": True, "parallel_write_safe": True}
