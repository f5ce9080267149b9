"""Text in Markdown that somebody wrote, as HTML that harms nobody."""

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

_TAGS = {
    *[
        "p",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "ul",
        "ol",
        "li",
        "blockquote",
        "pre",
        "code",
        "em",
        "strong",
        "s",
        "a",
        "br",
        "hr",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
    ]
}
_written = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def rendered(text: str, *, below: int = 2) -> SafeString:
    """Render Markdown; HTML in it is shown as text, and pictures, which would be loaded from elsewhere, are left out.

    Parameters
    ----------
    text
        What somebody wrote.
    below
        By how many levels headings are lowered, so that they stand below those of the page.
    """
    tokens = _written.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + below)}"
    html = _written.renderer.render(tokens, _written.options, {})
    clean = nh3.clean(html, tags=_TAGS, attributes={"a": {"href", "title"}}, url_schemes={"http", "https", "mailto"})
    return mark_safe(clean)
