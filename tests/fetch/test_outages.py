"""A host that is down is said to be down, waited for if asked, and costs nothing that was received."""

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.fetch import Event, OutageError
from striate.fetch.retry_policy import RetryPolicy, format_duration, parse_retry_after
from tests.fetch.things import QUICK, bring, described, only, zipped
from tests.fixtures.hosts import Host, serving

ZIP = zipped()


@pytest.mark.parametrize("fault", ["503 seconds", "503 date", "page 503", "429 seconds"])
def test_a_host_that_asks_for_hours_is_not_waited_for(fault: str, tmp_path: Path) -> None:
    host = Host({"/a.zip": ZIP}, fault=lambda _path, _number: fault, retry_after=5 * 3600)
    with serving(host):
        outcome = bring(described(host, {"a.zip": ZIP}), tmp_path)
    (error,) = outcome.failures.values()
    assert isinstance(error, OutageError)
    assert error.exit_status == 75
    assert len(host.requests) == 1
    for part in ("5 h", "wait=True") + (("down or under maintenance",) if fault[0] != "4" else ("fewer requests",)):
        assert part in str(error)


def test_a_page_is_an_outage_and_not_data(tmp_path: Path) -> None:
    host = Host({"/a.zip": ZIP}, fault=lambda _path, _number: "page")
    with serving(host):
        outcome = bring(described(host, {"a.zip": ZIP}), tmp_path)
    (error,) = outcome.failures.values()
    assert isinstance(error, OutageError)
    assert "“Scheduled service maintenance”" in str(error)
    assert not (tmp_path / "a.zip").exists()


@pytest.mark.parametrize("known", [{}, {"size": None, "about": 60_000}])
def test_a_wrong_length_is_an_outage_and_not_data(known: dict[str, int | None], tmp_path: Path) -> None:
    host = Host({"/a.zip": zipped(1, size=900)})
    with serving(host):
        outcome = bring(described(host, {"a.zip": ZIP}, **known), tmp_path)
    (error,) = outcome.failures.values()
    assert isinstance(error, OutageError)
    assert "bytes where a file of" in str(error)


def test_waiting_ends_when_the_host_is_back(tmp_path: Path) -> None:
    host = Host({"/a.zip": ZIP}, fault=lambda _path, _number: "503 seconds", retry_after=7)
    events: list[Event] = []
    with serving(host):
        back = threading.Timer(0.4, lambda: setattr(host, "fault", lambda _path, _number: None))
        back.start()
        path = only(bring(described(host, {"a.zip": ZIP}), tmp_path, events=events, wait=True))
    assert path.read_bytes() == ZIP
    waits = [e for e in events if e.kind == "waiting"]
    assert len(waits) >= 3
    assert all(
        e.seconds is not None and e.seconds <= QUICK.max_poll_wait for e in waits
    )  # what a host asks for is bounded
    assert "asks to be called again in 7 s" in (waits[0].reason or "")


def test_waiting_has_an_end(tmp_path: Path) -> None:
    host = Host({"/a.zip": ZIP}, fault=lambda _path, _number: "503 seconds", retry_after=600)
    with serving(host):
        retry_policy = replace(QUICK, max_outage=0.2)
        started = time.monotonic()
        outcome = bring(described(host, {"a.zip": ZIP}), tmp_path, wait=True, retry_policy=retry_policy)
    assert isinstance(outcome.failures["a.zip"], OutageError)
    assert 0.2 < time.monotonic() - started < 60


def test_a_short_wait_is_none(tmp_path: Path) -> None:
    """A host that asks for a second gets it, without anybody having asked to wait."""
    host = Host({"/a.zip": ZIP}, fault=lambda _path, number: "429 seconds" if number == 0 else None, retry_after=1)
    started = time.monotonic()
    with serving(host):
        only(bring(described(host, {"a.zip": ZIP}), tmp_path, retry_policy=replace(QUICK, max_retry_after=5.0)))
    assert 1.0 <= time.monotonic() - started < 30


def test_nobody_answers(tmp_path: Path) -> None:
    of = described("http://127.0.0.1:9/", {f"{n}.zip": ZIP for n in range(6)})
    outcome = bring(of, tmp_path)
    assert len(outcome.failures) == 6
    assert all("127.0.0.1:9 cannot be reached" in str(error) for error in outcome.failures.values())


def test_a_host_that_is_down_is_not_asked_for_every_file_anew(tmp_path: Path) -> None:
    files = {f"/{n}.zip": ZIP for n in range(20)}
    host = Host(files, fault=lambda _path, _number: "500")
    with serving(host):
        outcome = bring(described(host, files), tmp_path)
    assert len(outcome.failures) == 20
    assert len(host.requests) <= 4 * QUICK.max_attempts + 16


@given(st.integers(0, 10**8))
def test_seconds_are_read(seconds: int) -> None:
    assert parse_retry_after({"Retry-After": str(seconds)}) == seconds


@given(st.integers(-(10**6), 10**6))
def test_dates_are_read(seconds: int) -> None:
    date = datetime.now(UTC) + timedelta(seconds=seconds)
    found = parse_retry_after({"Retry-After": format_datetime(date, usegmt=True)})
    assert found is not None
    assert abs(found - max(0, seconds)) < 2.5


@given(st.text(max_size=30))
def test_nonsense_is_no_time(text: str) -> None:
    found = parse_retry_after({"Retry-After": text})
    assert found is None or found >= 0


@given(st.integers(1, 400))
def test_waits_grow_to_a_bound(failures: int) -> None:
    retry_policy = RetryPolicy(initial_wait=1.0, max_wait=60.0)
    wait = retry_policy.backoff(failures)
    assert min(60.0, 2.0 ** min(failures - 1, 6)) / 2 <= wait <= 60.0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (3, "3 s"),
        (89, "89 s"),
        (600, "10 min"),
        (5400, "1 h 30 min"),
        (19800, "5 h 30 min"),
        (7200, "2 h"),
        (90000, "25 h"),
    ],
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
