"""Looking at the data: what is prepared is right, shows nothing that is withheld, and is given to those who may download."""

import json
import os
import signal
import sys
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from striate.loading.standardisation import Standardisation
from striate.metrics import jackknife_oracle
from striate.recordings import Recording, write
from tests.competition.examples import OTHER, TRACK, mouse
from tests.portal.test_leases import expire
from tests.portal.world import World, on_a_port

TIERS = ("train", "validation", "test", "final_test")
STEP = 25 * 2 * 0.5 / 254  # the largest error of a code, in standard deviations: half a step of the square root


def read_tile(file: Path, number: int) -> NDArray[np.uint8]:
    """One tile of a raster; they are numbered level by level, row by row."""
    starts = np.frombuffer(file.with_suffix(".index").read_bytes(), dtype="<u4")
    packed = file.with_suffix(".tiles").read_bytes()[starts[number] : starts[number + 1]]
    return np.frombuffer(zlib.decompress(packed), dtype=np.uint8).reshape(256, 256)


@dataclass
class Looked:
    """What was prepared of a recording, as a browser reads it."""

    folder: Path

    @property
    def summary(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "summary.json").read_text()))

    @property
    def names(self) -> dict[str, list[Any]]:
        return dict(json.loads((self.folder / "names.json").read_text()))

    def column(self, name: str) -> NDArray[Any]:
        kind, start, length = self.summary["columns"][name]
        return np.frombuffer((self.folder / "columns.bin").read_bytes(), np.dtype(kind.lower()), length, start)

    def level(self, order: str, number: int = 0) -> NDArray[np.float32]:
        """A level of the raster, put together of its tiles."""
        from striate.portal.looking.codes import decoded
        from striate.portal.looking.pyramid import TILE

        levels = self.summary["raster"]["levels"][order]
        grids = [(-(-each["rows"] // TILE), -(-each["columns"] // TILE)) for each in levels]
        first = sum(down * across for down, across in grids[:number])
        down, across = grids[number]
        file = self.folder / f"raster-{order}"
        tiles = [[read_tile(file, first + row * across + column) for column in range(across)] for row in range(down)]
        codes = np.block(tiles)
        assert (codes[levels[number]["rows"] :] == 255).all(), "beyond the edge there is nothing"
        return decoded(codes[: levels[number]["rows"], : levels[number]["columns"]])


def looked(recording: Recording, folder: Path, *, track: bool = False, withheld: tuple[str, ...] = ()) -> Looked:
    """Write a recording, and prepare it."""
    from striate.portal.looking.prepare import prepare

    archive, out, aside = folder / f"{recording.session}.zip", folder / "looked", folder / "aside"
    write(recording, archive)
    for each in (out, aside):
        each.mkdir()
    prepare(archive, out, aside, recording.session, track=track, withheld=withheld)
    return Looked(out)


@pytest.fixture(scope="module")
def full() -> Recording:
    return mouse(TRACK, finals=5, neurons=14)


@pytest.fixture(scope="module")
def shown(full: Recording, tmp_path_factory: pytest.TempPathFactory) -> Looked:
    """A recording for pre-training, of which everything is public."""
    return looked(full, tmp_path_factory.mktemp("shown"))


@given(st.lists(st.floats(0, 30), min_size=1, max_size=50))
def test_a_response_survives_as_a_byte(values: list[float]) -> None:
    from striate.portal.looking.codes import LARGEST, decoded, encoded

    some = np.array(values)
    codes = encoded(some)
    assert (np.diff(codes[np.argsort(some, kind="stable")].astype(int)) >= 0).all(), "larger ones have larger codes"
    np.testing.assert_allclose(decoded(codes), np.minimum(some, LARGEST), atol=STEP)
    assert encoded(np.array([np.nan])) == 255
    assert np.isnan(decoded(np.array([255], np.uint8)))[0]


@given(st.integers(1, 700), st.integers(1, 600), st.floats(0, 0.9), st.integers(0, 2**32 - 1))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_level_has_the_means_of_blocks(
    tmp_path_factory: pytest.TempPathFactory, rows: int, columns: int, missing: float, seed: int
) -> None:
    from striate.portal.looking import pyramid

    rng = np.random.default_rng(seed)
    values = rng.gamma(0.5, 1.0, (rows, columns)).astype(np.float32)
    values[rng.random(rows) < missing] = np.nan
    values[rng.random((rows, columns)) < missing / 10] = np.nan
    folder = tmp_path_factory.mktemp("pyramid")
    levels = pyramid.write(folder / "raster-a-b", lambda start, end: values[start:end], (rows, columns))
    document = {"raster": {"levels": {"a-b": [vars(each) for each in levels]}}}
    (folder / "summary.json").write_text(json.dumps(document))
    assert max(levels[-1].rows, levels[-1].columns) <= pyramid.TILE
    for number in range(len(levels)):
        size = 2**number
        padded = np.full((-(-rows // size) * size, -(-columns // size) * size), np.nan)
        padded[:rows, :columns] = values
        blocks = padded.reshape(len(padded) // size, size, -1, size)
        known = np.isfinite(blocks).sum(axis=(1, 3))
        means = np.where(known, np.nansum(blocks, axis=(1, 3)) / np.maximum(known, 1), np.nan)
        np.testing.assert_allclose(Looked(folder).level("a-b", number), np.minimum(means, 25), atol=STEP)


def test_the_raster_has_the_responses_in_every_order(full: Recording, shown: Looked) -> None:
    expected = Standardisation.of(full).responses(full.responses)
    orders = set(shown.summary["raster"]["levels"])
    assert orders == {f"{t}-{n}" for t in ("image", "time") for n in ("depth", "reliability", "response")}
    for order in orders:
        trials, neurons = (
            shown.column(f"{kind}.{name}") for kind, name in zip(("trials", "neurons"), order.split("-"), strict=True)
        )
        assert sorted(trials) == list(range(len(full.trials)))
        assert sorted(neurons) == list(range(len(full.neurons)))
        np.testing.assert_allclose(shown.level(order), np.minimum(expected[trials][:, neurons], 25), atol=STEP)
    tiers = [TIERS.index(each) for each in full.trials["tier"].iloc[shown.column("trials.image")]]
    assert tiers == sorted(tiers)
    images = full.trials.iloc[shown.column("trials.image")]
    assert (images.groupby("tier", sort=False)["image_id"].apply(lambda ids: ids.is_monotonic_increasing)).all()
    assert full.trials["trial_idx"].iloc[shown.column("trials.time")].is_monotonic_increasing
    assert full.neurons["z"].iloc[shown.column("neurons.depth")].is_monotonic_increasing


def test_the_columns_have_what_numpy_says(full: Recording, shown: Looked) -> None:
    values = Standardisation.of(full).responses(full.responses)
    np.testing.assert_allclose(shown.column("neuron.response"), values.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(shown.column("trial.response"), values.mean(axis=1), rtol=1e-5)
    np.testing.assert_array_equal(shown.column("neuron.z"), full.neurons["z"].astype(np.float32))
    np.testing.assert_array_equal(shown.column("trial.running speed"), full.behavior[:, 2])
    np.testing.assert_array_equal(shown.column("trial.vertical"), full.pupil_center[:, 1])
    test = full.trials["tier"].isin(TIERS[2:]).to_numpy()
    oracle = jackknife_oracle(values[test], full.trials["image_id"].to_numpy()[test])
    np.testing.assert_allclose(shown.column("neuron.reliability"), oracle.values, rtol=1e-4)
    assert shown.names["units"] == full.neurons["unit_id"].tolist()
    assert shown.names["trials"] == full.trials["trial_idx"].tolist()
    summary = shown.summary
    assert {each["name"]: (each["trials"], each["images"], each["public"]) for each in summary["tiers"]} == {
        "train": (60, 60, 60),
        "validation": (10, 10, 10),
        "test": (24, 6, 24),
        "final_test": (20, 5, 20),
    }
    assert sum(summary["responses"]["counts"]) == values.size
    few = summary["responses"]["counts"][:4]
    assert few == np.histogram(values, np.array(summary["responses"]["edges"][:5]))[0].tolist()
    assert (summary["responses"]["zeros"], summary["withheld"]) == (0, [])


def test_thumbnails_stand_in_the_order_of_the_tables(full: Recording, shown: Looked) -> None:
    sheets = shown.summary["sheets"]
    height, width = sheets["height"], sheets["width"]
    assert (height, width) == full.image_shape, "small images are shown as they are"
    ids, tiers, number = shown.names["images"], shown.column("image.tier"), 0
    for code, tier in enumerate(TIERS):
        for place in range(sheets["tiers"][tier]):
            sheet = np.asarray(Image.open(shown.folder / f"images-{tier}-{place // 48}.png"))
            y, x = (place % 48) // sheets["across"] * height, (place % 48) % sheets["across"] * width
            rows = np.flatnonzero((full.trials["tier"] == tier) & (full.trials["image_id"] == ids[number]))
            np.testing.assert_array_equal(sheet[y : y + height, x : x + width], full.images[rows[0], 0])
            assert tiers[number] == code
            assert shown.column("image.shown")[number] == len(rows)
            assert (shown.column("trial.image")[rows] == number).all()
            assert shown.column("image.mean")[number] == pytest.approx(full.images[rows[0]].mean())
            number += 1
    assert number == len(ids)


def _changed(recording: Recording, rows: NDArray[np.bool_], **arrays: NDArray[Any]) -> Recording:
    kept = {name: np.array(values) for name, values in recording.arrays.items()}
    for name, values in arrays.items():
        kept[name][rows] = values[rows]
    return Recording(recording.session, recording.neurons, recording.trials, **kept)


def test_nothing_withheld_leaves_a_trace(full: Recording, tmp_path: Path) -> None:
    """Were the withheld responses and behaviour in a published archive by mistake, not one byte of what is shown would depend on them."""
    rng = np.random.default_rng(4)
    test, all_rows = full.trials["tier"].isin(TIERS[2:]).to_numpy(), np.ones(len(full.trials), dtype=bool)
    noise = {
        name: rng.gamma(2.0, 1.0, full.arrays[name].shape).astype(np.float32) for name in ("responses", "behavior")
    }
    other = _changed(_changed(full, test, responses=noise["responses"]), all_rows, behavior=noise["behavior"])
    zero = _changed(full, test, responses=np.zeros_like(full.responses))
    made = []
    for number, recording in enumerate((full, other, zero)):
        (tmp_path / str(number)).mkdir()
        made.append(looked(recording, tmp_path / str(number), track=True, withheld=("behavior",)))
    files = sorted(each.name for each in made[0].folder.iterdir())
    for one in made[1:]:
        assert sorted(each.name for each in one.folder.iterdir()) == files
        for file in files:
            if file != "summary.json":
                assert (one.folder / file).read_bytes() == (made[0].folder / file).read_bytes(), file
        about = [{**each.summary, "findings": None} for each in (made[0], one)]
        assert about[0] == about[1]
    summary = made[0].summary
    assert summary["withheld"] == ["behavior"]
    assert not any("pupil dilation" in name or "running" in name for name in summary["columns"])
    assert {each["variable"] for each in summary["statistics"]} == {"images", "responses", "pupil_center"}
    assert [each["public"] for each in summary["tiers"]] == [60, 10, 0, 0]


def test_withheld_responses_are_shown_as_withheld_and_not_as_zeros(full: Recording, tmp_path: Path) -> None:
    test = full.trials["tier"].isin(TIERS[2:]).to_numpy()
    public = looked(_changed(full, test, responses=np.zeros_like(full.responses)), tmp_path)
    assert "withheld-tier" in {each["rule"] for each in public.summary["findings"]}
    level = public.level("image-depth")
    hidden = test[public.column("trials.image")]
    assert np.isnan(level[hidden]).all()
    assert np.isfinite(level[~hidden]).all()
    assert np.isnan(public.column("trial.response")[test]).all()
    values = Standardisation.of(full).responses(full.responses)[~test]
    np.testing.assert_allclose(public.column("neuron.response"), values.mean(axis=0), rtol=1e-5)
    assert "no image was shown more than once" in public.summary["reliability"]["reason"]
    assert set(public.summary["raster"]["levels"]) == {
        f"{t}-{n}" for t in ("image", "time") for n in ("depth", "response")
    }


def test_what_is_no_recording_is_said_to_be_none(full: Recording, tmp_path: Path) -> None:
    from striate.portal.looking.prepare import prepare

    archive = tmp_path / "broken.zip"
    write(full, archive)
    archive.write_bytes(archive.read_bytes()[:-400])
    (tmp_path / "out").mkdir()
    (tmp_path / "aside").mkdir()
    prepare(archive, tmp_path / "out", tmp_path / "aside", TRACK, track=False, withheld=())
    summary = Looked(tmp_path / "out").summary
    assert summary["failed"]
    assert summary["findings"]


@pytest.fixture
def unprepared(world: World) -> Iterator[World]:
    """A portal that has prepared nothing."""
    from striate.portal.looking import store

    forget("looking")
    store._summary.cache_clear()
    yield world
    forget("looking")


def forget(folder: str) -> None:
    """Remove a folder of the storage, if it is there."""
    from striate.portal.looking.store import storage

    try:
        folders, files = storage().listdir(folder)
    except FileNotFoundError:
        return
    for each in files:
        storage().delete(f"{folder}/{each}")
    for each in folders:
        forget(f"{folder}/{each}")
    storage().delete(folder)


def prepare_all() -> None:
    from striate.portal.looking.child import do_next
    from striate.portal.looking.jobs import look_later

    look_later()
    while do_next():
        pass


@pytest.fixture
def reader(world: World) -> Any:
    """Somebody who accepted the terms."""
    from striate.portal.hosting.dataset import terms_digest, terms_text
    from striate.portal.models import Acceptance

    ada = world.person("ada", team="Ada")
    Acceptance.objects.create(user=ada, sha256=terms_digest(), terms=terms_text())
    return ada


def parts(page: str) -> str:
    """The address below which the prepared files lie, as a page says it."""
    return page.split('data-files="')[1].split('"')[0]


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


def test_each_recording_is_prepared_once(unprepared: World) -> None:
    from striate.portal.looking import store
    from striate.portal.models import Job
    from striate.portal.scoring.housekeeping import keep_house
    from striate.portal.scoring.work import work

    keep_house()
    keep_house()
    assert Job.objects.filter(kind="look").count() == len(store.recordings()) == 3
    assert not work(unprepared.live), "who scores does not stop for that"
    prepare_all()
    keep_house()
    assert not Job.objects.filter(done_at=None).exists()
    assert Job.objects.count() == 3
    assert all(store.is_prepared(each) for each in store.recordings())
    forget(f"looking/{store.key(store.recordings()[0])}")
    keep_house()
    assert Job.objects.filter(done_at=None).count() == 1, "what was deleted is prepared again"
    prepare_all()
    assert all(store.is_prepared(each) for each in store.recordings())
    assert not list(unprepared.place.data.glob(".looking-*")), "the packed recordings are gone"
    for session in (TRACK, OTHER):
        archive = store.recording(session)
        assert archive is not None
        summary = store.summary(archive)
        assert summary is not None
        public = {each["name"]: each["public"] for each in summary["tiers"]}
        assert (public["test"] > 0) == (session == OTHER), "of tracks, no response to a test image is shown"


def test_one_that_is_killed_leaves_nothing_half_done(unprepared: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.portal.looking import prepare, store
    from striate.portal.looking.child import do_next
    from striate.portal.looking.jobs import look_later

    class Killed(BaseException):
        pass

    def kill(*_: Any) -> None:
        raise Killed

    look_later()
    with monkeypatch.context() as broken:
        broken.setattr(prepare, "write_sheets", kill)
        with pytest.raises(Killed):
            do_next()
    assert not any(store.is_prepared(each) for each in store.recordings())
    expire(unprepared)
    prepare_all()
    assert all(store.is_prepared(each) for each in store.recordings())


def test_an_archive_that_was_changed_is_not_prepared(unprepared: World, reader: Any, monkeypatch: Any) -> None:
    from django.utils import timezone

    from striate.portal.looking import jobs, store
    from striate.portal.models import Job

    monkeypatch.setattr(jobs, "sha256_of", lambda _file: "0" * 64)
    for _ in range(7):
        prepare_all()
        Job.objects.filter(done_at=None).update(due_at=timezone.now())
    assert not any(store.is_prepared(each) for each in store.recordings())
    page = unprepared.browser(reader).get(f"/data/recordings/{TRACK}/").content.decode()
    assert "tried several times" in page
    assert "hx-get" not in page


@pytest.mark.slow
def test_a_process_that_is_killed_is_followed_by_another(unprepared: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker's hand on it: started where a recording waits, killed in the middle, started again, ended with the worker."""
    from striate.portal.looking import background, store
    from striate.portal.looking.jobs import look_later
    from striate.portal.models import Job

    monkeypatch.setattr(background, "_EVERY", 0.0)
    monkeypatch.setattr(background, "_PAUSE", 0.0)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    look_later()
    hand = background.Background()
    hand.tend()
    assert hand.running is not None
    assert not Path("/proc").exists() or b"live-truth" not in Path(f"/proc/{hand.running.pid}/environ").read_bytes()
    until = time.monotonic() + 120
    while not Job.objects.exclude(lease="").exists() and time.monotonic() < until:
        time.sleep(0.01)
    hand.running.send_signal(signal.SIGKILL)
    hand.running.wait(10)
    assert Job.objects.filter(done_at=None).exclude(lease="").exists(), "it was killed in the middle"
    expire(unprepared)
    until = time.monotonic() + 120
    while time.monotonic() < until and not all(store.is_prepared(each) for each in store.recordings()):
        hand.tend()
        time.sleep(0.1)
    assert all(store.is_prepared(each) for each in store.recordings())
    hand.end()
    assert hand.running is None or hand.running.poll() is not None


BLANK = """canvas => {
  const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data, seen = new Set();
  for (let i = 0; i < data.length; i += 4) if (data[i + 3]) seen.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
  return seen.size;
}"""


@pytest.mark.slow
@pytest.mark.parametrize(("session", "width"), [(OTHER, 1280), (TRACK, 390)])
def test_a_browser_draws_every_view(unprepared: World, reader: Any, session: str, width: int) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = next((path for path in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(path).exists()), None)
    if chromium is None:
        pytest.skip("there is no Chromium")
    prepare_all()
    cookie = unprepared.browser(reader).cookies["sessionid"].value
    with on_a_port() as address, playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = opened.new_context(viewport={"width": width, "height": 900})
        context.add_cookies([{"name": "sessionid", "value": cookie, "url": address}])
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{address}data/recordings/{session}/")

        def drawn(view: str, canvas: str = "canvas[data-picture]", colours: int = 8) -> Any:
            found = page.locator(f"[data-view={view}] {canvas}").first
            found.scroll_into_view_if_needed()
            until = time.monotonic() + 120
            while time.monotonic() < until and found.evaluate(BLANK) < colours:
                page.wait_for_timeout(50)
            assert found.evaluate(BLANK) >= colours, (view, canvas, complaints)
            return found

        raster = drawn("raster", colours=30)
        before = raster.evaluate("canvas => canvas.toDataURL()")
        page.locator("[data-view=raster] [name=neurons]").select_option("response")
        page.wait_for_timeout(500)
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
