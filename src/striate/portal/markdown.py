"""Text in Markdown that somebody wrote, as HTML that harms nobody: no HTML of its own, no script, style or picture from elsewhere."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

_HEADINGS = {f"h{level}" for level in range(1, 7)}
_INLINE = {"a", "br", "code", "em", "s", "strong"}
_BLOCKS = {"blockquote", "hr", "li", "ol", "p", "pre", "ul"}
_TABLES = {"table", "tbody", "td", "th", "thead", "tr"}
_TAGS = _HEADINGS | _INLINE | _BLOCKS | _TABLES
# HTML is shown as it was typed.
_written = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


@lru_cache(maxsize=256)  # some texts of a few kilobytes take a second, and pages that show them are public
def rendered(text: str, *, below: int = 2, of_strangers: bool = False) -> SafeString:
    """Render Markdown; pictures, which would be loaded from elsewhere, are left out.

    Parameters
    ----------
    text
        What somebody wrote.
    below
        By how many levels headings are lowered, so that they stand below those of the page.
    of_strangers
        Whether anybody may have written it: links lead to https alone, and are marked as being of users.
    """
    tokens = parsed(text, below=below)
    options: dict[str, Any] = {"attributes": {"a": {"href", "title"}}}
    if of_strangers:
        options = {
            "url_schemes": {"https"},
            "link_rel": "nofollow noopener ugc",
            "attributes": {"a": {"href"}, "*": set()},
        }
    return mark_safe(harmless(tokens, **options))


def parsed(text: str, *, below: int) -> list[Token]:
    """What Markdown consists of, with headings lowered by some levels."""
    tokens = _written.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + below)}"
    return tokens


def harmless(tokens: Sequence[Token], *, pictures: bool = False, **options: Any) -> str:
    """Render what was parsed, and leave out whatever is not known to be harmless.

    Parameters
    ----------
    tokens
        As of `parsed`.
    pictures
        Whether pictures stay; whoever lets them has looked where they come from.
    **options
        More for ``nh3.clean``.
    """
    html = _written.renderer.render(tokens, _written.options, {})
    about = {
        "url_schemes": {"http", "https", "mailto"},
        "set_tag_attribute_values": {"pre": {"tabindex": "0"}},
    } | options
    return nh3.clean(html, tags=_TAGS | {"img"} if pictures else _TAGS, **about)
