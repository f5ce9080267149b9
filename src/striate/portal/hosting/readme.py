"""Text in Markdown, as a page can show it: no HTML of its own, no script or style, no picture from elsewhere."""

import posixpath
import re
from collections.abc import Collection
from functools import lru_cache
from itertools import pairwise
from urllib.parse import quote, unquote

from markdown_it.token import Token

from striate._internal.urls import split_url
from striate.portal.markdown import harmless, parsed

NAMES = ("README.md", "readme.md", "README.markdown", "README", "README.txt")
LARGEST = 2**18  # bytes that are shown
PICTURES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
}

_ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title"},
    "ol": {"start"},
    **{f"h{level}": {"id"} for level in range(2, 7)},
}
_NOT_A_WORD = re.compile(r"[^\w]+")
_ANCHOR = "readme-"


def shown(text: str, files: Collection[str], address: str, *, pictures: bool) -> str:
    """Render Markdown to HTML that is safe on the page.

    Parameters
    ----------
    text
        Markdown. HTML in it is shown as it was typed.
    files
        Paths of the dataset, which relative links and pictures can mean.
    address
        Where those are: each stands at the address followed by its path.
    pictures
        Whether the reader may have files; otherwise a picture is told by its description.

    Returns
    -------
    str
        HTML.
    """
    tokens = parsed(text, below=1)  # the page has a heading above
    _anchor(tokens)
    place = _Place(files, address, pictures)
    for token in tokens:
        if token.children:
            token.children = [place.mended(child) for child in token.children]
    link_rel = "noopener noreferrer nofollow"
    return harmless(tokens, pictures=True, attributes=_ATTRIBUTES, link_rel=link_rel)


@lru_cache(maxsize=64)
def cached(_sha256: str, text: str, files: frozenset[str], address: str, pictures: bool) -> str:
    """The same, remembered."""
    return shown(text, files, address, pictures=pictures)


class _Place:
    """Where links and pictures lead."""

    def __init__(self, files: Collection[str], address: str, pictures: bool) -> None:
        self._files, self._address, self._pictures = files, address, pictures

    def mended(self, token: Token) -> Token:
        """Lead relative links to files of the dataset, and replace pictures from elsewhere by a link to them."""
        if token.type == "link_open":
            token.attrSet("href", self._target(str(token.attrGet("href") or "")) or "#main")
        elif token.type == "image":
            return self._picture(token)
        return token

    def _target(self, address: str) -> str | None:
        parts = split_url(address)
        if parts is None:
            return None
        if parts.scheme:
            return address if parts.scheme in ("http", "https", "mailto") else None
        if parts.netloc or address.startswith("/"):
            return None
        if not parts.path:
            return f"#{_ANCHOR}{_slug(unquote(parts.fragment))}"
        path = posixpath.normpath(unquote(parts.path))
        return self._address + quote(path) if path in self._files else None

    def _picture(self, token: Token) -> Token:
        source = str(token.attrGet("src") or "")
        target = self._target(source)
        parts = split_url(source)
        inside = target is not None and parts is not None and not parts.scheme
        if inside and self._pictures and parts and posixpath.splitext(parts.path)[1].lower() in PICTURES:
            token.attrSet("src", f"{target}?shown")
            return token
        said = Token("text", "", 0)
        said.content = f"[{token.content or 'picture'}]"
        return said


def _anchor(tokens: list[Token]) -> None:
    """Give headings names that links within the text lead to."""
    taken: dict[str, int] = {}
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            slug = _slug("".join(child.content for child in inline.children or ()))
            count = taken[slug] = taken.get(slug, -1) + 1
            opening.attrSet("id", f"{_ANCHOR}{slug}{f'-{count}' if count else ''}")


def _slug(text: str) -> str:
    return _NOT_A_WORD.sub("-", text.lower()).strip("-")
