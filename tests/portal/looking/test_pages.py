"""Pages of recordings, and their prepared files: for those who may download."""

from typing import Any

from tests.competition.examples import OTHER, TRACK
from tests.portal.looking.prepared import parts, prepare_all
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
