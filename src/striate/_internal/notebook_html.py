"""HTML representations of objects in notebooks: sections, tables and images. All text is escaped."""

import base64
import html
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_TABLE = "border-collapse: collapse; margin: 0.3em 0 0.7em 0"
_CELL = "padding: 0.15em 0.8em 0.15em 0; vertical-align: top"
_LINE = "1px solid rgba(128, 128, 128, 0.35)"  # on light and on dark pages


def section(title: str, *parts: str) -> str:
    """Return parts under a bold title."""
    return f"<div><strong>{html.escape(title)}</strong>{''.join(parts)}</div>"


def key_value_table(pairs: Mapping[str, object]) -> str:
    """Return a table with two columns, names and values."""
    rows = "".join(
        f'<tr><td style="{_CELL}; text-align: left; opacity: 0.7">{html.escape(name)}</td>'
        f'<td style="{_CELL}; text-align: left">{html.escape(str(value))}</td></tr>'
        for name, value in pairs.items()
    )
    return f'<table style="{_TABLE}">{rows}</table>'


def table(
    headings: Sequence[str], rows: Iterable[Sequence[object]], *, text_columns: int = 1, wrapped: bool = False
) -> str:
    """Return a table whose first columns are text and whose other columns are numbers.

    Parameters
    ----------
    headings, rows
        Column headings, and the cells of each row.
    text_columns
        Number of left-aligned columns; the others are right-aligned.
    wrapped
        Whether the text of the last column may wrap.
    """

    def cells(tag: str, row: Sequence[object], style: str) -> str:
        found = ""
        for i, value in enumerate(row):
            side = "left" if i < text_columns else "right"
            space = "normal" if wrapped and i == len(row) - 1 else "nowrap"
            look = f"{_CELL}; {style}text-align: {side}; white-space: {space}"
            found += f'<{tag} style="{look}">{html.escape(str(value))}</{tag}>'
        return found

    head = cells("th", headings, f"border-bottom: {_LINE}; ")
    body = "".join(f"<tr>{cells('td', row, '')}</tr>" for row in rows)
    return f'<table style="{_TABLE}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def small_text(text: str) -> str:
    """Return a paragraph of small text."""
    return f'<div style="opacity: 0.7; font-size: 0.9em">{html.escape(text)}</div>'


def text(content: str) -> str:
    """Return preformatted text, such as TOML."""
    return f"<pre>{html.escape(content)}</pre>"


def image_gallery(images: Iterable[Any], captions: Iterable[str], *, width: int = 150) -> str:
    """Return images, uint8 arrays of shape (H, W) or (H, W, 3), side by side; an empty string if Pillow is missing."""
    try:
        from PIL import Image
    except ImportError:
        return ""
    figures = []
    for pixels, caption in zip(images, captions, strict=True):
        file = io.BytesIO()
        picture = Image.fromarray(pixels)
        picture.thumbnail((2 * width, 2 * width))
        picture.save(file, "PNG")
        data = base64.b64encode(file.getvalue()).decode()
        scaling = "pixelated" if picture.width < width else "auto"
        figures.append(
            f'<figure style="display: inline-block; margin: 0 0.6em 0.6em 0"><img src="data:image/png;base64,{data}" '
            f'width="{width}" style="image-rendering: {scaling}" alt="{html.escape(caption)}">'
            f'<figcaption style="font-size: 0.8em; opacity: 0.7">{html.escape(caption)}</figcaption></figure>'
        )
    return f"<div>{''.join(figures)}</div>"


def summarise_values(values: Any) -> str:
    """Summarise the values of an array: up to three numbers, or their range."""
    import numpy as np

    flat = np.asarray(values, dtype=np.float64).reshape(-1)
    if flat.size == 0:
        return "none"
    if flat.size <= 3:
        return ", ".join(f"{value:.4g}" for value in flat)
    return f"{np.nanmin(flat):.4g} to {np.nanmax(flat):.4g}" if not np.isnan(flat).all() else "NaN"
