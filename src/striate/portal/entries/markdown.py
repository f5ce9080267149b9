"""Markdown of participants as harmless HTML: no HTML of theirs, no pictures, links by https alone."""

from functools import cache

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

_INLINE = {"a", "br", "code", "em", "s", "strong"}
_BLOCKS = {"blockquote", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "ul"}
_TABLES = {"table", "tbody", "td", "th", "thead", "tr"}
_BELOW = 3  # the page has three levels of headings of its own


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")


def rendered(text: str) -> SafeString:
    """Render Markdown; what is not harmless is left out."""
    parser = _parser()
    tokens = parser.parse(text)
    for token in tokens:
        if token.type.startswith("heading"):
            token.tag = f"h{min(6, int(token.tag[1]) + _BELOW)}"
    html = parser.renderer.render(tokens, parser.options, {})
    return mark_safe(
        nh3.clean(
            html,
            tags=_INLINE | _BLOCKS | _TABLES,
            attributes={"a": {"href"}, "*": set()},
            url_schemes={"https"},
            link_rel="nofollow noopener ugc",
            set_tag_attribute_values={"pre": {"tabindex": "0"}},
        )
    )
