"""READMEs: Markdown as people write it, and as attackers do."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.portal.world import World

FILES = {"README.md", "figures/plot.png", "tables/a b.csv", "figures/evil.svg"}
HARMLESS = {"a", "blockquote", "br", "code", "del", "em", "hr", "img", "li", "ol", "p", "pre", "s", "strong", "ul"} | {
    "h2", "h3", "h4", "h5", "h6", "table", "tbody", "td", "th", "thead", "tr"
}  # fmt: skip
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<style>body{display:none}</style>",
    '<div style="position:fixed;inset:0">cover</div>',
    "<iframe src=https://evil.example></iframe>",
    '<form action="https://evil.example"><input name=password></form>',
    "<meta http-equiv=refresh content=0;url=https://evil.example>",
    "<base href=https://evil.example>",
    "[click](javascript:alert(1))",
    "[click](JaVaScRiPt:alert(1))",
    "[click](java\tscript:alert(1))",
    "[click](&#106;avascript:alert(1))",
    "[click](javascript&colon;alert(1))",
    "[click](vbscript:msgbox(1))",
    "[click](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[click](data:image/svg+xml,<svg onload=alert(1)>)",
    "[click](file:///etc/passwd)",
    "[click](//evil.example/x)",
    "[click](/accounts/sign-out/)",
    "[click](../../../secret)",
    "[click](..%2F..%2Fsecret)",
    "<javascript:alert(1)>",
    "![x](javascript:alert(1))",
    "![x](https://tracker.example/pixel.png)",
    "![x](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+)",
    "![x](figures/evil.svg)",
    '[a](https://ok.example "title\\" onmouseover=\\"alert(1)")',
    "[ref]\n\n[ref]: javascript:alert(1)",
    "# <img src=x onerror=alert(1)>",
    "`<script>`",
    "```html\n<script>alert(1)</script>\n```",
    '```"><script>alert(1)</script>\nx\n```',
    "| a |\n|---|\n| <script>alert(1)</script> |",
    "<!--><script>alert(1)</script>-->",
    "<a href='x' onclick='alert(1)'>x</a>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "\x00<script>alert(1)</script>",
]


class Seen(HTMLParser):
    """Which elements and attributes a browser would find."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]


def shown(text: str, *, pictures: bool = True) -> str:
    from striate.portal.hosting.readme import shown

    return shown(text, FILES, "/data/2/files/", pictures=pictures)


def assert_harmless(text: str) -> None:
    found = Seen(text)
    assert found.tags <= HARMLESS, found.tags - HARMLESS
    for tag, name, value in found.attributes:
        assert name in ("href", "src", "alt", "title", "rel", "start", "tabindex", "id"), (tag, name)
        if name == "href":
            assert re.match(r"^(https?://|mailto:|/data/2/files/|#(main$|readme-))", value), value
            assert ".." not in value or value.startswith(("http", "mailto"))
        if name == "src":
            assert re.match(r"^/data/2/files/[\w/%. -]+\.(png|jpe?g|gif|webp)\?shown$", value), value


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("around", ["{}", "# {}", "> {}", "- {}", "a **{}** b", "[{}](https://x.example)"])
def test_nothing_hostile_gets_through(text: str, around: str) -> None:
    assert_harmless(shown(around.format(text)))


@given(st.lists(st.sampled_from(["<", ">", '"', "'", "](", "![", "[", ")", "javascript:", "&#x6A;", "\n", "`", "|", "#",
                                 "script", "svg", " on", "load=", "style", "data:", "//", "..", "/", "\\", "a"]), max_size=30))  # fmt: skip
def test_no_mixture_of_pieces_gets_through(pieces: list[str]) -> None:
    assert_harmless(shown("".join(pieces)))


def test_what_people_write_is_rendered() -> None:
    text = shown(
        "# Data\n\nSee [the table](tables/a%20b.csv), [below](#the-licence), <https://example.org>.\n\n"
        "![a plot](figures/plot.png)\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n## The licence\n\n~~old~~ `code`\n"
    )
    assert '<h2 id="readme-data">Data</h2>' in text, "the page has a heading above it"
    assert 'href="/data/2/files/tables/a%20b.csv"' in text
    assert 'href="#readme-the-licence"' in text
    assert 'id="readme-the-licence"' in text
    assert 'src="/data/2/files/figures/plot.png?shown"' in text
    assert "<td>1</td>" in text
    assert "nofollow" in text


def test_who_may_not_have_files_reads_what_a_picture_shows() -> None:
    text = shown("![a plot](figures/plot.png)", pictures=False)
    assert "<img" not in text
    assert "[a plot]" in text
    assert "tracker" not in shown("![x](https://tracker.example/pixel.png)")


@pytest.mark.slow
def test_the_page_shows_it_and_pictures_come_as_pictures(world: World, tmp_path: Path) -> None:
    from striate.portal.hosting.dataset import terms_digest
    from striate.portal.hosting.in_place import publish_folder

    (tmp_path / "README.md").write_text("# Mice\n\n<script>alert(1)</script>\n\n![p](p.png)\n")
    (tmp_path / "p.png").write_bytes(b"\x89PNG")
    (tmp_path / "p.svg").write_text("<svg onload='alert(1)'/>")
    (tmp_path / "LICENSE").write_text("<script>alert(2)</script>")
    publish_folder(tmp_path, note="<script>alert(3)</script>")
    user = world.person("ada")
    browser: Any = world.browser(user)
    browser.post("/data/accept/", {"terms": terms_digest()})
    page = browser.get("/data/").content.decode()
    assert "<script>alert" not in page
    assert "/data/2/files/p.png?shown" in page
    picture = browser.get("/data/2/files/p.png?shown")
    assert picture.headers["Content-Type"] == "image/png"
    drawing = browser.get("/data/2/files/p.svg?shown")
    assert drawing.headers["Content-Type"] == "application/octet-stream"
    assert drawing.headers["Content-Disposition"].startswith("attachment")
    assert "<script>alert" not in browser.get("/data/versions/").content.decode()


def test_a_link_that_cannot_be_split_leads_nowhere() -> None:
    from striate.portal.hosting.readme import shown

    page = shown("[a](http://[) ![b](//[x.png) [c](https://host:x/)", {"x.png"}, "/data/1/", pictures=True)
    assert "http://[" not in page
    assert "<img" not in page
