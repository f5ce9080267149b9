"""A browser draws every view."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.competition.examples import OTHER, TRACK
from tests.portal.looking.prepared import prepare_all
from tests.portal.world import World, on_a_port

BLANK = """canvas => {
  const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data, seen = new Set();
  for (let i = 0; i < data.length; i += 4) if (data[i + 3]) seen.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
  return seen.size;
}"""
GREY = """canvas => {
  const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  for (let i = 0; i < data.length; i += 4) if (data[i] !== data[i + 1] || data[i] !== data[i + 2]) return false;
  return true;
}"""


def chromium() -> str:
    found = next((path for path in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(path).exists()), None)
    if found is None:
        pytest.skip("there is no Chromium")
    return found


@pytest.mark.slow
def test_a_browser_draws_the_channels_and_tiers_of_a_benchmark(unprepared: World, reader: Any, colourful: str) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    playwright.expect.set_options(timeout=60_000)
    prepare_all()
    cookie = unprepared.browser(reader).cookies["sessionid"].value
    with on_a_port() as address, playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        context = opened.new_context(viewport={"width": 900, "height": 900})
        context.add_cookies([{"name": "sessionid", "value": cookie, "url": address}])
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{address}data/recordings/{colourful}/")
        gallery = page.locator("[data-view=gallery]")
        gallery.scroll_into_view_if_needed()
        gallery.locator("[name=tier]").select_option("gratings")
        said, large = gallery.locator("output"), gallery.locator("canvas[data-large]")
        playwright.expect(gallery.locator("[data-where]")).to_have_text("images 1 to 2 of 2")
        for channel, grey in (("", False), ("0", True), ("1", True)):
            gallery.locator("[name=channel]").select_option(channel)
            drawn = f"0.{channel}" if channel else "0"
            playwright.expect(gallery.locator("ul.thumbnails")).to_have_attribute("data-drawn", drawn)
            gallery.locator("ul.thumbnails button").first.focus()
            playwright.expect(said).to_contain_text("tier gratings")
            playwright.expect(said).to_contain_text(f"channel {['uv', 'green'][int(channel)]}" if channel else "pixel")
            assert large.evaluate(GREY) is grey
        traces = page.locator("[data-view=traces] canvas[data-picture]")
        traces.scroll_into_view_if_needed()
        traces.press("ArrowRight")
        playwright.expect(page.locator("[data-view=traces] output")).to_contain_text("head angle (raw units)")
        raster = page.locator("[data-view=raster] canvas[data-picture]")
        raster.focus()
        for _ in range(60):
            raster.press("ArrowDown")
        playwright.expect(page.locator("[data-view=raster] output")).to_contain_text("tier gratings")
        assert not complaints
        axe = pytest.importorskip("axe_playwright_python.sync_playwright")
        found = axe.Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        opened.close()


@pytest.mark.slow
@pytest.mark.parametrize(("session", "width"), [(OTHER, 1280), (TRACK, 390)])
def test_a_browser_draws_every_view(unprepared: World, reader: Any, session: str, width: int) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    playwright.expect.set_options(timeout=60_000)
    prepare_all()
    cookie = unprepared.browser(reader).cookies["sessionid"].value
    with on_a_port() as address, playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        context = opened.new_context(viewport={"width": width, "height": 900})
        context.add_cookies([{"name": "sessionid", "value": cookie, "url": address}])
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{address}data/recordings/{session}/")

        def wait_for(come_to_pass: Callable[[], bool]) -> None:
            until = time.monotonic() + 120
            while time.monotonic() < until and not come_to_pass():
                page.wait_for_timeout(50)

        def drawn(view: str, canvas: str = "canvas[data-picture]", colours: int = 8) -> Any:
            found = page.locator(f"[data-view={view}] {canvas}").first
            found.scroll_into_view_if_needed()
            wait_for(lambda: found.evaluate(BLANK) >= colours)
            assert found.evaluate(BLANK) >= colours, (view, canvas, complaints)
            return found

        raster = drawn("raster", colours=30)
        before = raster.evaluate("canvas => canvas.toDataURL()")
        page.locator("[data-view=raster] [name=neurons]").select_option("response")
        wait_for(lambda: raster.evaluate("canvas => canvas.toDataURL()") != before)
        assert raster.evaluate("canvas => canvas.toDataURL()") != before
        page.locator("[data-view=raster] [data-in]").click()
        raster.focus()
        raster.press("ArrowRight")
        said = page.locator("[data-view=raster] output")
        playwright.expect(said).to_contain_text("unit")
        playwright.expect(said).to_contain_text("response (standard deviations)")
        if session == TRACK:  # the last trials are of test tiers
            for _ in range(60):
                raster.press("ArrowDown")
            playwright.expect(said).to_contain_text("withheld")
        drawn("gallery", "ul canvas", 20)
        assert page.locator("[data-view=gallery] li").count() == 48
        page.locator("[data-view=gallery] [data-on]").click()
        playwright.expect(page.locator("[data-where]")).to_have_text("images 49 to 60 of 60")
        page.locator("[data-view=gallery] li button").first.focus()
        playwright.expect(page.locator("[data-view=gallery] output")).to_contain_text("contrast")
        drawn("gallery", "canvas[data-large]", 20)
        drawn("traces", colours=4).press("ArrowRight")
        playwright.expect(page.locator("[data-view=traces] output")).to_contain_text("trial")
        cloud = drawn("cloud", colours=8)
        before = cloud.evaluate("canvas => canvas.toDataURL()")
        cloud.press("ArrowLeft")
        page.wait_for_timeout(200)
        assert cloud.evaluate("canvas => canvas.toDataURL()") != before
        drawn("cloud", "canvas[data-depths]", 3)
        for name in ("value", "response", "mean", "contrast", *(["reliability", "halves"] if session == OTHER else [])):
            drawn("histograms", f"canvas[data-histogram={name}]", 3)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert not complaints
        axe = pytest.importorskip("axe_playwright_python.sync_playwright")
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found = axe.Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
        opened.close()
