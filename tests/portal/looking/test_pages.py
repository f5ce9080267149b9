"""Pages of recordings, and their prepared files: for those who may download."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.competition.examples import OTHER, TRACK
from tests.portal.looking.prepared import parts, prepare_all
from tests.portal.test_languages import GERMAN
from tests.portal.world import World


def test_a_page_waits_until_its_recording_is_prepared(unprepared: World, reader: Any) -> None:
    browser = unprepared.browser(reader)
    page, state = f"/data/recordings/{TRACK}/", f"/data/recordings/{TRACK}/state/"
    assert "is being prepared" in browser.get(page).content.decode()
    waiting = browser.get(state)
    assert "HX-Refresh" not in waiting.headers
    assert 'hx-trigger="every 2s"' in waiting.content.decode()
    prepare_all()
    assert browser.get(state).headers["HX-Refresh"] == "true"
    text = browser.get(page).content.decode()
    assert "is being prepared" not in text
    assert "withheld" in text
    listed = browser.get("/data/recordings/").content.decode()
    assert "train 60" in listed
    assert "train 60" not in unprepared.browser().get("/data/recordings/").content.decode()
    assert browser.get("/data/recordings/99-9-9/").status_code == 404


@pytest.mark.slow
def test_prepared_files_are_given_to_those_who_may_download(unprepared: World, reader: Any) -> None:
    prepare_all()
    browser = unprepared.browser(reader)
    address = parts(browser.get(f"/data/recordings/{OTHER}/").content.decode())
    file = f"{address}raster-image-depth.tiles"
    whole = browser.get(file)
    content = b"".join(whole.streaming_content)
    tag = whole.headers["ETag"]
    assert "immutable" in whole.headers["Cache-Control"]
    assert "private" in whole.headers["Cache-Control"]
    assert browser.get(file, headers={"If-None-Match": tag}).status_code == 304
    some = browser.get(file, headers={"Range": "bytes=10-29"})
    assert (some.status_code, some.content) == (206, content[10:30])
    assert some.headers["Content-Range"] == f"bytes 10-29/{len(content)}"
    assert browser.get(file, headers={"Range": f"bytes={len(content)}-"}).status_code == 416
    assert browser.head(file).headers["Content-Length"] == str(len(content))
    ben = unprepared.person("ben", team="Ben")
    new = unprepared.person("new", admitted=False)
    for user, status in ((None, 401), (ben, 403), (new, 403)):
        for path in (file, f"{address}summary.json", f"/data/recordings/{OTHER}/", f"/data/recordings/{OTHER}/state/"):
            assert unprepared.browser(user).get(path).status_code == status, path
    assert browser.get(f"{address}images-train-0.png").headers["Content-Type"] == "image/png"
    for wrong in ("none.json", "..%2F..%2Fx.json", "summary.json.bak", ".json", "summary%00.json"):
        assert browser.get(f"{address}{wrong}").status_code in (400, 404), wrong
    assert browser.get(file.replace(OTHER, TRACK)).status_code == 404, "the key is that of another recording"


@pytest.mark.slow
def test_a_german_page_says_what_was_written_down_in_english(unprepared: World, reader: Any) -> None:
    from striate.portal.looking import store

    prepare_all()
    browser = unprepared.browser(reader)
    path = f"/data/recordings/{TRACK}/"
    english, german = (browser.get(path, headers=headers).content.decode() for headers in ({}, GERMAN))
    for page, said in (
        (english, ("raw units", "grey value<", "note</strong>", "The responses of a tier are withheld")),
        (german, ("Rohwerte", "Grauwert<", "Hinweis</strong>", "Die Antworten eines Teils")),
    ):
        for each in said:
            assert each in page, each
    assert "raw units" not in german[german.index("<table") :]
    other = browser.get(f"/data/recordings/{OTHER}/", headers=GERMAN).content.decode()
    assert "Verhalten, Laufgeschwindigkeit<" in other
    assert "Augenposition, waagerecht<" in other
    summary = store.summary(store.recording(TRACK, None).content)
    for finding in summary["findings"]:
        assert finding["rule"] in german
    assert german.count('<span lang="en">') == len(summary["findings"]) > 0


@pytest.mark.slow
def test_a_page_names_what_the_benchmark_of_its_recording_names(unprepared: World, reader: Any, colourful: str) -> None:
    prepare_all()
    browser = unprepared.browser(reader)
    english, german = (
        browser.get(f"/data/recordings/{colourful}/", headers=headers).content.decode() for headers in ({}, GERMAN)
    )
    for page, said in (
        (english, ("Benchmark: Mice in colour.", "behaviour, head angle<", "eye position, azimuth<", "pixel value<")),
        (german, ("Benchmark: Mice in colour.", "Verhalten, head angle<", "Augenposition, azimuth<", "Pixelwert<")),
        (english, ("licking (raw units)", "eye position, elevation (raw units)", "mean pixel value", "images, uv<")),
        (german, ("licking (Rohwerte)", "Laufgeschwindigkeit (Rohwerte)", "mittlerer Pixelwert", "Bilder, grün<")),
        (english, ('<li class="tier-4">gratings</li>', 'fill="#ff00ff"', '<option value="1">green</option>')),
    ):
        for each in said:
            assert each in page, each
    assert "grey value" not in english
    plain = browser.get(f"/data/recordings/{OTHER}/").content.decode()
    assert 'name="channel"' not in plain
    assert '<li class="tier-2">test</li>' in plain
    address = parts(english)
    assert browser.get(f"{address}images-gratings-0-1.png").headers["Content-Type"] == "image/png"


def test_findings_are_said_as_the_rules_say_them() -> None:
    from django.utils.translation import override

    from striate.portal.looking.findings import DEMANDS, SEVERITIES, findings
    from striate.recordings.checks.report import Severity
    from striate.recordings.checks.rules import RULES

    with override("en-gb"):
        assert {name: str(said) for name, said in DEMANDS.items()} == {
            name: rule.demand.replace("`", "") for name, rule in RULES.items()
        }
        assert {name: str(said) for name, said in SEVERITIES.items()} == {each: each.value for each in Severity}
    former = {"severity": "error", "rule": "former", "file": "x", "message": "It is so.", "fix": ""}
    (said,) = findings({"findings": [former]})
    assert (said.demand, said.message) == ("", "It is so."), "of a rule that there is no more"


def test_why_there_are_no_reliabilities_is_in_the_readers_language() -> None:
    import numpy as np
    import pandas as pd
    from django.utils.translation import gettext, override

    from striate.portal.looking.responses import reliability

    recording = SimpleNamespace(trials=pd.DataFrame({"tier": [], "image_id": []}))
    nothing: Any = SimpleNamespace(known=np.zeros(0, dtype=bool), scale=np.ones(3), recording=recording)
    with override("de"):
        assert gettext(reliability(nothing).reason).startswith("kein Bild")
