"""Cut the picture of the README out of the demonstration's report: ``python report.py demo/report.html`` after ``make demo``."""

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

TARGET = Path(__file__).parents[1] / "images" / "report.png"
CHROMIUM = "/usr/bin/chromium"
WIDTH, MARGIN = 1120, 16

with sync_playwright() as playwright:
    browser = playwright.chromium.launch(
        executable_path=CHROMIUM, args=["--no-sandbox"]
    )
    page = browser.new_page(viewport={"width": WIDTH, "height": 900})
    page.goto(Path(sys.argv[1]).resolve().as_uri())
    scores = page.locator("section", has_text="Scores: live test").first
    scores.locator("table").nth(1).evaluate("table => table.parentElement.remove()")
    parts = [scores, page.get_by_alt_text("retinotopic map")]
    pictures = [
        Image.open(io.BytesIO(part.screenshot())).convert("RGB") for part in parts
    ]
    browser.close()
height = sum(picture.height + MARGIN for picture in pictures)
whole = Image.new("RGB", (max(picture.width for picture in pictures), height), "white")
top = 0
for picture in pictures:
    whole.paste(picture, ((whole.width - picture.width) // 2, top))
    top += picture.height + MARGIN
whole.save(TARGET, optimize=True)
