"""From a file to a receipt: in the browser and by the API; what is the same, what is refused, what it costs."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from striate.competition import Receipts
from striate.errors import InputError
from striate.submissions import Submission as Native
from striate.submissions.formats import sensorium_csv
from tests.fixtures.command import run_in_process
from tests.portal.world import World


def upload(world: World, user: Any, *files: Path, **fields: str) -> Any:
    opened = [file.open("rb") for file in files]
    try:
        page = world.browser(user).post("/submit/", {"file": opened, **fields}, follow=True)
    finally:
        for each in opened:
            each.close()
    found = page.redirect_chain and page.redirect_chain[-1][0]
    return world.browser(user).post(found, follow=True) if found else page


@pytest.mark.slow
@pytest.mark.usefixtures("real_children")
def test_a_file_is_checked_receipted_and_scored(world: World) -> None:
    from striate.portal.models import Submission

    ada = world.person("ada", team="Ada")
    page = upload(world, ada, world.file(0.5), note="the first")
    sent = Submission.objects.get()
    assert page.redirect_chain[-1][0] == f"/submissions/{sent.pk}/"
    assert sent.state == "queued", "checked in the answer to the upload"
    assert "Receipt 1" in page.content.decode()
    world.work()
    text = world.browser(ada).get(f"/submissions/{sent.pk}/").content.decode()
    assert "hx-get" not in text, "nothing more happens, so that the page asks no more"
    assert f"{sent.scores.get().value:.4f}" in text


def test_the_score_is_that_of_the_library(world: World) -> None:
    from striate.competition import score_live

    sent = world.scored(world.person("ada", team="Ada"), world.file(0.5))
    found, card = sent.scores.get(), score_live(world.file(0.5), world.live)
    assert found.value == card.ranking.mean
    for name, values in found.metrics.items():
        scored = getattr(card.scorecard.tiers["test"], name)
        assert values["mean"] == scored.mean
        if scored.interval is None:
            assert values["low"] is values["high"] is None, "too few images"
        else:
            assert (values["low"], values["high"]) == pytest.approx((scored.interval.low, scored.interval.high))


def test_the_csvs_of_2022_are_taken_as_the_native_file_that_they_make(world: World, tmp_path: Path) -> None:
    from striate.portal.models import Submission

    native = Native.read(world.file(0.5))
    csvs = sensorium_csv.write(native, tmp_path)
    page = upload(world, world.person("ada", team="Ada"), *csvs)
    assert "choose the board" in page.content.decode()
    upload(world, world.person("ben", team="Ben"), *csvs, board="sensorium-image")
    world.work()
    sent = Submission.objects.get()
    assert (sent.state, sent.reason) == ("scored", "")
    kept = world.submissions(tmp_path / "store") / f"{sent.kept}.parquet"
    assert Native.read(kept).fingerprint == native.fingerprint


def test_the_same_file_from_a_team_is_the_same_submission(world: World) -> None:
    from striate.portal.models import Link, Submission

    ada = world.person("ada", team="Ada")
    colleague = world.person("bea", team="Ada")
    first = world.api(ada).submit(world.file(0.5))
    again = world.api(colleague).submit(world.file(0.5))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert Submission.objects.count() == Link.objects.count() == 1


@pytest.mark.slow
def test_the_same_file_from_two_teams_is_shown_to_organisers_alone(world: World) -> None:
    ada, ben = world.person("ada", team="Ada"), world.person("ben", team="Ben")
    one, other = world.scored(ada, world.file(0.5)), world.scored(ben, world.file(0.5))
    assert one.kept == other.kept
    assert "Ben" not in world.browser(ada).get(f"/submissions/{one.pk}/").content.decode()
    assert "Ben" in world.browser(world.person("olga", staff=True)).get(f"/submissions/{one.pk}/").content.decode()


def broken(world: World, folder: Path) -> dict[str, Path]:
    """Files that are no submissions, by what is wrong with them."""
    sound = world.file(0.5)
    data = sound.read_bytes()
    native = Native.read(sound)
    made = {}

    def write(name: str, content: bytes) -> None:
        made[name] = folder / f"{name}.parquet"
        made[name].write_bytes(content)

    write("cut", data[: len(data) // 2])
    write("text", b"not parquet at all " * 50)
    write("pickle", b"\x80\x04\x95" + bytes(200))
    half = native.tier == "test"
    live_only = replace(
        native,
        tier=native.tier[half],
        trial_idx=native.trial_idx[half],
        image_id=native.image_id[half],
        predictions=native.predictions[half],
    )
    made["tiers"] = folder / "live only.parquet"
    live_only.write(made["tiers"])
    made["session"] = folder / "other session.parquet"
    replace(native, session="99-1-1").write(made["session"])
    return made


@pytest.mark.slow
@pytest.mark.parametrize("what", ["cut", "text", "pickle", "tiers", "session"])
@pytest.mark.usefixtures("real_children")
def test_what_is_no_submission_is_refused_with_a_sentence_and_costs_nothing(
    world: World, what: str, tmp_path: Path
) -> None:
    from striate.portal.models import Job, Link, Submission

    ada = world.person("ada", team="Ada")
    file = broken(world, tmp_path)[what]
    answer = world.api(ada).submit(file)
    assert answer.status_code == 201
    state = answer.json()
    assert state["state"] == "refused"
    assert state["reason"].endswith((".", "?"))
    assert str(world.place.data) not in state["reason"], "no path of the server is told"
    assert not Link.objects.exists()
    assert not Job.objects.filter(done_at=None).exists()
    assert not world.files("submissions", "incoming"), "what is refused is not kept"
    world.api(ada).submit(file)
    assert Submission.objects.count() == 2, "a refused file may be sent again"


@pytest.mark.slow
def test_the_chain_is_that_of_the_library(world: World, tmp_path: Path) -> None:
    import shutil

    ada, ben = world.person("ada", team="Ada"), world.person("ben", team="Ben")
    first = world.scored(ada, world.file(0.5))
    world.scored(ben, world.file(0.3))
    world.browser(ada).post(f"/submissions/{first.pk}/choose/")
    shutil.copytree(world.place.competition, tmp_path / "public")
    answer = world.browser().get("/receipts.jsonl")
    (tmp_path / "public" / "receipts.jsonl").write_bytes(b"".join(answer.streaming_content))
    chain = Receipts.read(tmp_path / "public")
    assert chain.problems() == []
    page = world.browser(ada).get(f"/submissions/{first.pk}/").content.decode()
    assert f'href="/submissions/{first.pk}/receipt.json" download' in page
    saved = world.browser(ada).get(f"/submissions/{first.pk}/receipt.json")
    assert saved.headers["Content-Disposition"] == 'attachment; filename="receipt-001.json"'
    (tmp_path / "receipt-001.json").write_bytes(saved.content)
    told = ("competition", "verify", tmp_path / "public", "--receipt", tmp_path / "receipt-001.json")
    verified = run_in_process(*told)
    assert verified.status == 0, verified.out
    (tmp_path / "receipt-001.json").write_bytes(saved.content.replace(b'"Ada"', b'"Eve"'))
    assert run_in_process(*told).status == 1, "a receipt of another chain"
    assert [(e.number, e.team, e.kind, e.chosen) for e in chain.entries] == [
        (1, "Ada", "submission", None),
        (2, "Ben", "submission", None),
        (3, "Ada", "choice", 1),
    ]
    store = world.submissions(tmp_path / "store")
    for entry in chain.entries:
        content = (store / f"{entry.sha256}.parquet").read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry.sha256


@pytest.mark.slow
def test_a_baseline_has_no_limit_and_is_submitted_by_organisers(world: World) -> None:
    ada, olga = world.person("ada", team="Ada"), world.person("olga", staff=True)
    assert world.api(ada).submit(world.file(0.0), baseline="LN baseline").status_code == 403
    for seed in range(5):
        answer = world.api(olga).submit(world.file(0.0, seed=seed), baseline="LN baseline")
        assert answer.json()["state"] == "queued", answer.json()
        assert answer.json()["receipt"]["baseline"] is True
    wrong = world.api(olga).submit(world.file(0.1), baseline="CNN baseline with behaviour").json()
    assert wrong["state"] == "refused", "this baseline does not stand in that track"


def test_nothing_is_taken_outside_of_the_phases(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.portal.models import Submission
    from striate.portal.receiving import taking

    ada = world.person("ada", team="Ada")
    later = datetime.now(UTC) + timedelta(days=110)
    monkeypatch.setattr(taking.timezone, "now", lambda: later)
    answer = world.api(ada).submit(world.file(0.5))
    assert answer.status_code == 422
    assert "not taken now" in answer.json()["detail"]
    assert not Submission.objects.exists()


def test_what_was_received_before_the_end_counts_though_it_is_checked_after(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from types import SimpleNamespace

    from striate.portal.models import Link, Submission
    from striate.portal.receiving import chain
    from striate.portal.receiving.states import PATIENCE

    ada = world.person("ada", team="Ada")
    sent = world.send(ada, world.file(0.5))
    closes = world.built.rules.closes
    Submission.objects.filter(pk=sent.pk).update(received_at=closes - timedelta(seconds=1))
    monkeypatch.setattr(chain, "timezone", SimpleNamespace(now=lambda: closes + timedelta(minutes=1)))
    world.work()
    assert Link.objects.get().at == closes - timedelta(seconds=1)
    assert PATIENCE["received"] > timedelta(minutes=10)


def test_an_upload_goes_on_where_it_was_broken_off(world: World) -> None:
    data = world.file(0.5).read_bytes()
    api = world.api(world.person("ada", team="Ada"))
    about = {"filename": "../../x.parquet", "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    number = api("POST", "uploads", about).json()["id"]
    assert api("PUT", f"uploads/{number}?offset=0", data[:100]).json()["received"] == 100
    assert api("POST", "submissions", {"upload": number}).status_code == 422
    assert api("POST", "uploads", about).json() == {"id": number, "size": len(data), "received": 100}
    gap = api("PUT", f"uploads/{number}?offset=200", data[200:])
    assert gap.status_code == 422
    assert "go on from 100" in gap.json()["detail"]
    assert api("PUT", f"uploads/{number}?offset=100", data[100:]).json()["received"] == len(data)
    done = api("POST", "submissions", {"upload": number})
    assert (done.status_code, done.json()["filename"]) == (201, "x.parquet")
    assert api("GET", f"uploads/{number}").json()["received"] == len(data), "who lost the answer can ask again"
    assert api("PUT", f"uploads/{number}?offset={len(data)}", b"more").status_code == 422
    assert not world.files("uploads")


@pytest.mark.parametrize("wrong", ["longer", "other"])
def test_bytes_that_were_not_announced_are_refused(world: World, wrong: str) -> None:
    data = world.file(0.5).read_bytes()
    api = world.api(world.person("ada", team="Ada"))
    about = {"filename": "x", "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    number = api("POST", "uploads", about).json()["id"]
    answer = api("PUT", f"uploads/{number}?offset=0", data + b"!" if wrong == "longer" else bytes(len(data)))
    if wrong == "other":
        answer = api("POST", "submissions", {"upload": number})
    assert answer.status_code == 422


def test_a_file_that_is_too_large_is_refused_before_it_is_sent(world: World) -> None:
    api = world.api(world.person("ada", team="Ada"))
    about = {"filename": "x", "size": 500_000_001, "sha256": "0" * 64}
    answer = api("POST", "uploads", about)
    assert answer.status_code == 422
    assert "500 MB are allowed" in answer.json()["detail"]


def test_the_description_of_the_api_is_sound(world: World) -> None:
    schema = json.loads(world.browser().get("/api/v1/openapi.json").content)
    assert schema["openapi"].startswith("3.")
    assert {"/api/v1/uploads", "/api/v1/submissions", "/api/v1/keys"} <= set(schema["paths"])
    assert world.browser().get("/api/v1/docs").status_code == 404, "its page would load scripts from elsewhere"


@pytest.mark.slow
def test_files_that_nobody_needs_are_removed_and_no_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process may be killed between taking a file in and recording it, or between the outcome and the removal."""
    import time
    from types import SimpleNamespace
    from uuid import uuid4

    from striate.portal.models import Submission
    from striate.portal.receiving import store
    from striate.portal.scoring import housekeeping

    ada = world.person("ada", team="Ada")
    over, waiting, unknown, young = (
        world.scored(ada, world.file(0.5)).pk,
        world.send(ada, world.file(0.6)).pk,
        uuid4(),
        uuid4(),
    )
    for number in (over, unknown):
        world.keep("submissions", f"incoming/{number}/submission.parquet", b"left behind")
    time.sleep(2)  # a service notes whole seconds
    between = datetime.now(UTC) - timedelta(seconds=1)
    world.keep("submissions", f"incoming/{young}/submission.parquet", b"on its way")
    later = SimpleNamespace(now=lambda: between + housekeeping._INCOMING_KEPT)
    monkeypatch.setattr(store, "timezone", later)
    housekeeping._next_cleaning[0] = 0.0
    housekeeping.keep_house()
    left = {name.split("/")[1] for name in world.files("submissions", "incoming")}
    assert left == {str(waiting), str(young)}
    world.work()
    assert Submission.objects.get(pk=waiting).state == "scored"


@pytest.mark.slow
@pytest.mark.usefixtures("real_children")
def test_what_was_found_is_told_before_anything_is_counted(world: World) -> None:
    from striate.portal.models import Link, Submission

    ada, ben = world.person("ada", team="Ada"), world.person("ben", team="Ben")
    tried = world.tried(ada, world.file(0.5))
    assert not Submission.objects.exists()
    assert not Link.objects.exists()
    page = world.browser(ada).get(f"/submit/{tried.pk}/").content.decode()
    native = Native.read(world.file(0.5))
    trials = {tier: int((native.tier == tier).sum()) for tier in native.tiers}
    for said in (
        "sensorium, image",
        "11-1-1",
        f"{trials['test']} of the live test, {trials['final_test']} of the final test",
        f"<dd>{len(native.unit_ids)}</dd>",
        hashlib.sha256(world.file(0.5).read_bytes()).hexdigest(),
        "3 more within 24 hours, and 5 in all",
        "a try",
    ):
        assert said in page, said
    assert world.browser(ben).post(f"/submit/{tried.pk}/").headers["Location"] == "/submit/"
    assert not Submission.objects.exists()
    world.browser(ada).post(f"/submit/{tried.pk}/")
    sent = Submission.objects.get()
    assert (sent.state, sent.note, sent.team.name) == ("queued", "a try", "Ada")
    assert not world.files("uploads")
    assert not [each for each in world.place.uploads.iterdir() if each.name != "incoming"]
    for ask in ("get", "post"):  # the button is pressed once more, or the reader goes back
        again = getattr(world.browser(ada), ask)(f"/submit/{tried.pk}/")
        assert again.headers["Location"] == f"/submissions/{sent.pk}/"
    assert Submission.objects.count() == 1


@pytest.mark.slow
@pytest.mark.usefixtures("real_children")
def test_what_would_be_refused_is_said_and_leaves_nothing(world: World, tmp_path: Path) -> None:
    from striate.portal.models import Submission, Upload

    ada = world.person("ada", team="Ada")
    for file in broken(world, tmp_path).values():
        with file.open("rb") as opened:
            page = world.browser(ada).post("/submit/", {"file": opened})
        assert page.status_code == 200
        text = page.content.decode()
        assert "Nothing was submitted." in text
        assert str(world.place.data) not in text
    assert not Submission.objects.exists()
    assert not Upload.objects.exists()
    assert not list(world.place.uploads.iterdir())


def test_what_was_checked_is_forgotten_when_told_so_or_when_another_is_checked(world: World) -> None:
    from striate.portal.models import Submission, Upload

    ada = world.person("ada", team="Ada")
    first = world.tried(ada, world.file(0.5))
    second = world.tried(ada, world.file(0.3))
    assert [each.pk for each in Upload.objects.all()] == [second.pk]
    answer = world.browser(ada).get(f"/submit/{first.pk}/", follow=True)  # in another tab
    assert "That file is not kept any more" in answer.content.decode()
    world.browser(ada).post(f"/submit/{second.pk}/", {"forget": "1"})
    assert not Upload.objects.exists()
    assert not list(world.place.uploads.iterdir())
    assert not Submission.objects.exists()


@pytest.mark.slow
def test_the_answer_says_when_a_limit_is_reached_and_that_a_file_is_known(world: World) -> None:
    ada = world.person("ada", team="Ada")
    for seed in range(3):
        world.scored(ada, world.file(0.5, seed=seed))
    tried = world.tried(ada, world.file(0.5, seed=3))
    assert "may be sent from" in world.browser(ada).get(f"/submit/{tried.pk}/").content.decode()
    again = world.tried(ada, world.file(0.5, seed=1))
    assert "would be the same submission" in world.browser(ada).get(f"/submit/{again.pk}/").content.decode()


@pytest.mark.slow
@pytest.mark.parametrize("when", ["Board", "received"])
def test_who_confirms_twice_at_once_comes_to_the_submission(
    world: World, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from striate.portal.models import Submission
    from striate.portal.receiving import pages, uploads

    ada = world.person("ada", team="Ada")
    address = f"/submit/{world.tried(ada, world.file(0.5)).pk}/"
    place = pages if hasattr(pages, when) else uploads
    real, first = getattr(place, when), []

    def overtaken(*given: Any, **named: Any) -> Any:
        found = real(*given, **named)
        if not first:
            first.append(None)
            first[0] = world.browser(ada).post(address)
        return found

    monkeypatch.setattr(place, when, overtaken)
    second = world.browser(ada).post(address)
    own = f"/submissions/{Submission.objects.get().pk}/"
    assert [(each.status_code, each.headers["Location"]) for each in (*first, second)] == [(302, own)] * 2


@pytest.mark.usefixtures("portal")
def test_those_who_wait_until_their_file_is_checked_leave_threads_for_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    from striate.portal.hosting import downloading
    from striate.portal.receiving import crowd, trying

    waiting = trying._queue._value  # type: ignore[attr-defined]
    checked = trying._places._value  # type: ignore[attr-defined]
    assert crowd.PLACES + crowd._QUEUE + downloading.PLACES + checked + waiting < crowd.THREADS
    monkeypatch.setattr(trying, "_places", threading.Semaphore(0))
    monkeypatch.setattr(trying, "_queue", threading.Semaphore(0))
    with pytest.raises(InputError, match="try again in a minute"), trying._place():
        pass
