"""Each recording is prepared once, whatever falls meanwhile."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.competition.examples import OTHER, TRACK
from tests.portal.looking.prepared import forget, prepare_all
from tests.portal.test_leases import expire
from tests.portal.world import World


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
    assert all(store.is_prepared(each.content) for each in store.recordings())
    assert not list(unprepared.place.data.glob(".looking-*")), "the packed recordings are gone"
    for session in (TRACK, OTHER):
        archive = store.recording(session)
        assert archive is not None
        summary = store.summary(archive.content)
        assert summary is not None
        public = {each["name"]: each["public"] for each in summary["tiers"]}
        assert (public["test"] > 0) == (session == OTHER), "of tracks, no response to a test image is shown"


class Counting:
    """A storage that counts what it is asked."""

    def __init__(self, storage: Any) -> None:
        self.storage, self.asked = storage, 0

    def __getattr__(self, name: str) -> Any:
        self.asked += 1
        return getattr(self.storage, name)


@pytest.mark.slow
def test_what_is_prepared_is_looked_for_now_and_then(unprepared: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.portal.looking import jobs, store
    from striate.portal.models import Job

    jobs.look_later()
    prepare_all()
    Job.objects.update(done_at=None)
    storage = Counting(store.storage())
    with monkeypatch.context() as counted:
        counted.setattr(store, "storage", lambda: storage)
        jobs.look_later()
        assert storage.asked == 0, "of what has a job, nothing need be known"
        Job.objects.all().delete()
        jobs.look_later()
        assert storage.asked == 3
        for _ in range(5):
            jobs.look_later()
        assert storage.asked == 3, "what was found is remembered"
    deleted = store.key(store.recordings()[0].content)
    forget(f"looking/{deleted}")
    jobs.look_later()
    assert not Job.objects.exists()
    jobs._next_look[0] = 0.0  # an hour later
    jobs.look_later()
    assert Job.objects.get().about == deleted, "what was deleted is prepared again"
    prepare_all()
    assert all(store.is_prepared(each.content) for each in store.recordings())


def test_one_that_was_given_up_costs_no_requests(unprepared: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.portal.looking import jobs, store
    from striate.portal.models import Job
    from striate.portal.scoring.leases import MOST_ATTEMPTS

    jobs.look_later()
    Job.objects.update(attempts=MOST_ATTEMPTS + 1)
    prepare_all()
    assert all(jobs.given_up(each.content) for each in store.recordings())
    with monkeypatch.context() as refusing:
        refusing.setattr(store, "storage", lambda: pytest.fail("the storage was asked"))
        jobs.look_later()
    assert Job.objects.filter(done_at=None).count() == 0


@pytest.mark.slow
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
    assert not any(store.is_prepared(each.content) for each in store.recordings())
    expire(unprepared)
    prepare_all()
    assert all(store.is_prepared(each.content) for each in store.recordings())


def test_an_archive_that_was_changed_is_not_prepared(unprepared: World, reader: Any, monkeypatch: Any) -> None:
    from django.utils import timezone

    from striate.portal.looking import jobs, store
    from striate.portal.models import Job

    monkeypatch.setattr(jobs, "sha256_of", lambda _file: "0" * 64)
    for _ in range(7):
        prepare_all()
        Job.objects.filter(done_at=None).update(due_at=timezone.now())
    assert not any(store.is_prepared(each.content) for each in store.recordings())
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
    while time.monotonic() < until and not all(store.is_prepared(each.content) for each in store.recordings()):
        hand.tend()
        time.sleep(0.1)
    assert all(store.is_prepared(each.content) for each in store.recordings())
    hand.end()
    assert hand.running is None or hand.running.poll() is not None


@pytest.mark.parametrize("content", [b"", b"[]", b"[" * 10_000, b'{"failed": ' + b"9" * 5000 + b"}", b"\xff"])
def test_what_is_prepared_and_damaged_is_prepared_anew(unprepared: World, content: bytes) -> None:
    from striate.portal.looking import store
    from striate.portal.looking.version import SUMMARY

    archive = store.recordings()[0].content
    with store.filled(store.key(archive)) as folder:
        (folder / SUMMARY).write_bytes(content)
        (folder / "other").write_bytes(b"x")
    store._summary.cache_clear()
    assert store.is_prepared(archive)
    assert store.summary(archive) is None
    assert not store.is_prepared(archive)
    with store.filled(store.key(archive)) as folder:
        (folder / SUMMARY).write_text('{"failed": false}')
    assert store.summary(archive) == {"failed": False}
    store._summary.cache_clear()
