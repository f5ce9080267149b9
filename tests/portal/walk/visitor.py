"""Somebody with a browser, who minds on every page what an impatient or a blind reader would."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

DESKTOP, PHONE = (1280, 900), (390, 844)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
_STATUS = "Failed to load resource: the server responded with a status of"


def chromium() -> str | None:
    """Where the browser is."""
    path = os.environ.get("STRIATE_CHROMIUM", "/usr/bin/chromium")
    return path if Path(path).is_file() else None


@contextmanager
def browsing() -> Iterator[Any]:
    """A browser without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def _axe() -> str:
    spec = find_spec("axe_playwright_python")
    assert spec is not None
    assert spec.submodule_search_locations
    return (Path(spec.submodule_search_locations[0]) / "axe.min.js").read_text(encoding="utf-8")


class Visitor:
    """A browser window of some size, on a portal."""

    def __init__(
        self, browser: Any, address: str, size: tuple[int, int] = DESKTOP, *, javascript: bool = True, **options: Any
    ) -> None:
        self.address, self.size, self.javascript = address, size, javascript
        self.context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            java_script_enabled=javascript,
            base_url=address,
            locale="en-GB",
            timezone_id="Europe/Berlin",
            has_touch=size == PHONE,
            **options,
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(60_000)
        self.complaints: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(f"script failed: {error}"))
        self.page.on("request", self._asked)

    def _heard(self, message: Any) -> None:
        if message.type == "error" and not message.text.startswith(_STATUS):
            self.complaints.append(f"console: {message.text}")

    def _asked(self, request: Any) -> None:
        here = urlsplit(request.url)
        if here.scheme not in ("data", "blob") and here.netloc != urlsplit(self.address).netloc:
            self.complaints.append(f"asked another machine: {request.url}")

    def open(self, path: str, status: int = 200) -> None:
        """Open a page, and look at it."""
        answer = self.page.goto(path)
        assert answer is not None
        assert answer.status == status, (path, answer.status)
        self.look()

    def press(self, name: str, **options: Any) -> None:
        """Press a button."""
        self.page.get_by_role("button", name=name, **options).click()

    def follow(self, name: str, **options: Any) -> None:
        """Follow a link."""
        self.page.get_by_role("link", name=name, **options).first.click()

    def fill(self, **fields: str) -> None:
        """Fill in fields, by their labels (a space for each low line)."""
        for label, text in fields.items():
            self.field(label.replace("_", " ")).fill(text)

    def field(self, label: str) -> Any:
        """A field by its label."""
        return self.page.get_by_label(re.compile(f"^{re.escape(label)}:?$"))

    def look(self) -> None:
        """Hold the page against what holds for every page.

        It is accessible, says nothing on the console, asks no other machine, and does not scroll sideways.
        """
        page = self.page
        page.wait_for_load_state()
        assert not self.complaints, (page.url, self.complaints)
        wide, room = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert wide <= room, f"{page.url} scrolls sideways at {self.size[0]} px: it is {wide} px wide"
        assert page.locator("h1").count() == 1, page.url
        if self.javascript:
            found = self.faults(RULES)
            assert not found, (page.url, found)

    def faults(self, rules: list[str]) -> list[str]:
        """What axe finds that makes the page hard or impossible to use for somebody."""
        self.page.evaluate(_axe())
        found: list[str] = self.page.evaluate(
            "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})"
            ".then(r => r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html).join(' | ').slice(0, 400)))",
            rules,
        )
        return found

    def reach_everything_by_keyboard(self) -> None:
        """Go through the page by the tabulator key: every control is met, and shows that it is."""
        page = self.page
        page.evaluate("document.activeElement.blur()")
        page.evaluate(
            "for (const e of document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary'))"
            " if (e.checkVisibility() && !e.disabled) e.dataset.unmet = ''"
        )
        shown = True
        for _ in range(150):
            page.keyboard.press("Tab")
            shown &= page.evaluate(
                "(() => { const e = document.activeElement; delete e.dataset.unmet;"
                " return e === document.body || getComputedStyle(e).outlineStyle !== 'none'; })()"
            )
            if not page.locator("[data-unmet]").count():
                break
        unmet = page.evaluate("[...document.querySelectorAll('[data-unmet]')].map(e => e.outerHTML)")
        assert not unmet, (page.url, unmet)
        assert shown, f"{page.url}: the focus cannot be seen everywhere"

    def close(self) -> None:
        """Close the window."""
        self.context.close()
