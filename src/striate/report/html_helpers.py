"""Self-contained HTML pages: styles and images are embedded in the file."""

import base64
import html
import io
from dataclasses import dataclass, field

from matplotlib.figure import Figure

_STYLE = """
:root { color-scheme: light; --ink: #1f2933; --quiet: #5c6773; --line: #e3e7ec; --accent: #0072b2; --paper: #fff; }
* { box-sizing: border-box; }
body { margin: 0; background: #f4f6f8; color: var(--ink);
       font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 2.5rem 1.5rem 4rem; }
header { margin-bottom: 2rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .4rem; letter-spacing: -.01em; }
header p { color: var(--quiet); margin: .2rem 0; max-width: 46rem; }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 10px;
          padding: 1.4rem 1.6rem 1.6rem; margin: 0 0 1.4rem; }
h2 { font-size: 1.2rem; margin: 0 0 .5rem; }
section p { max-width: 52rem; margin: .4rem 0 .9rem; color: #37424d; }
img { display: block; max-width: 100%; height: auto; margin: .6rem 0 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .4rem 0 .8rem; font-size: .93rem; }
th, td { text-align: right; padding: .38rem 1rem .38rem 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 600; color: var(--quiet); font-size: .82rem; white-space: normal; vertical-align: bottom; max-width: 9.5rem; }
th:first-child, td:first-child { text-align: left; }
td small { color: var(--quiet); }
td small.note { display: inline-block; max-width: 12rem; white-space: normal; vertical-align: top; line-height: 1.3; }
tr.best td { font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.2rem; margin: .3rem 0; font-size: .93rem; }
dt { color: var(--quiet); } dd { margin: 0; overflow-wrap: anywhere; }
footer { color: var(--quiet); font-size: .85rem; margin-top: 2rem; }
code { font-size: .88em; background: #eef1f4; padding: .1em .35em; border-radius: 4px; overflow-wrap: anywhere; }
"""

_LONGEST_LINE = 30  # characters in a cell of a table; longer small text is wrapped


@dataclass
class Page:
    """An HTML page that is built section by section.

    Parameters
    ----------
    title
        Heading of the page.
    summary
        Paragraphs of plain text below the heading.
    """

    title: str
    summary: list[str]
    _sections: list[str] = field(default_factory=list)

    def section(self, title: str, text: str, *parts: str) -> None:
        """Add a section with a heading, a paragraph of plain text, and parts made by `image`, `table` or `facts`."""
        body = "".join(parts)
        self._sections.append(f"<section><h2>{html.escape(title)}</h2><p>{html.escape(text)}</p>{body}</section>")

    def render(self, footer: str) -> str:
        """Return the page as HTML, with a footer of plain text."""
        summary = "".join(f"<p>{html.escape(line)}</p>" for line in self.summary)
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{html.escape(self.title)}</title><style>{_STYLE}</style></head><body><main>"
            f"<header><h1>{html.escape(self.title)}</h1>{summary}</header>"
            f"{''.join(self._sections)}<footer>{html.escape(footer)}</footer></main></body></html>\n"
        )


def image(figure: Figure, description: str) -> str:
    """Return an HTML element with the figure as an embedded PNG. `description` is its alternative text."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    width = round(figure.get_figwidth() * 100)
    return f'<img width="{width}" alt="{html.escape(description, quote=True)}" src="data:image/png;base64,{data}">'


def table(header: list[str], rows: list[list[str]], best: int | None = None) -> str:
    """Return an HTML table of plain texts. A text ``"a|b"`` shows b in a small font after a. Row `best` is emphasised."""

    def cell(text: str) -> str:
        first, _, second = text.partition("|")
        note = " class=note" if len(second) > _LONGEST_LINE else ""
        return html.escape(first) + (f" <small{note}>{html.escape(second)}</small>" if second else "")

    head = "".join(f"<th>{html.escape(name)}</th>" for name in header)
    body = "".join(
        f"<tr{' class=best' if index == best else ''}>{''.join(f'<td>{cell(text)}</td>' for text in row)}</tr>"
        for index, row in enumerate(rows)
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def facts(entries: dict[str, str]) -> str:
    """Return an HTML list of names and values, which are plain texts."""
    items = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in entries.items())
    return f"<dl>{items}</dl>"
