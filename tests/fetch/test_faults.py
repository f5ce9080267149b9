"""Whatever a host does, a file is whole in the end, or absent."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from striate.fetch import Event
from tests.fetch.things import QUICK, bring, described, left_behind, only, zipped
from tests.fixtures.hosts import FAULTS, Host, serving

ZIP = zipped()


@pytest.mark.slow
@pytest.mark.parametrize("known", ["hash and size", "hash", "nothing"])
@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_does_not_matter(fault: str, known: str, tmp_path: Path) -> None:
    host = Host({"/a.zip": ZIP}, fault=lambda _path, number: fault if number == 0 else None)
    changes = {"hash and size": {}, "hash": {"size": None}, "nothing": {"size": None, "sha256": None}}[known]
    with serving(host):
        path = only(bring(described(host, {"a.zip": ZIP}, **changes), tmp_path))
    unseen = fault == "change" and known == "nothing"  # without a hash, what the host has is what there is
    assert path.read_bytes() == ZIP or unseen
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("fault", ["truncate", "reset", "stall"])
def test_a_host_that_sends_parts_sends_no_byte_twice(fault: str, tmp_path: Path) -> None:
    content = zipped(size=400_000)
    host = Host({"/a.zip": content}, fault=lambda _path, number: fault if number < 4 else None)
    with serving(host):
        path = only(bring(described(host, {"a.zip": content}), tmp_path))
    assert path.read_bytes() == content
    if fault != "reset":  # a reset may drop what was on its way
        assert host.sent("/a.zip") == len(content)
    starts = [int(r.range.removeprefix("bytes=").rstrip("-")) for r in host.requests if r.range]
    assert starts == sorted(starts)
    assert len(starts) >= 3


@pytest.mark.slow
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(faults=st.lists(st.sampled_from([f for f in FAULTS if f != "stall"]), max_size=4), seed=st.integers(0, 10**6))
def test_any_sequence_of_faults_ends_in_the_file(
    faults: list[str], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    to = tmp_path_factory.mktemp("to")
    host = Host(
        {"/a.zip": ZIP}, fault=lambda _path, number: faults[number] if number < len(faults) else None, seed=seed
    )
    with serving(host):
        of = described(host, {"a.zip": ZIP})
        for _ in range(len(faults) + 1):  # three starts from the first byte end a run; the next one goes on
            outcome = bring(of, to)
            assert not (to / "a.zip").exists() or (to / "a.zip").read_bytes() == ZIP
            if not outcome.failures:
                break
    assert only(outcome).read_bytes() == ZIP


def test_a_host_that_ignores_ranges_starts_over(tmp_path: Path) -> None:
    host = Host({"/a.zip": ZIP}, fault=lambda _path, number: "truncate" if number == 0 else "ignore range")
    events: list[Event] = []
    with serving(host):
        path = only(bring(described(host, {"a.zip": ZIP}), tmp_path, events=events))
    assert path.read_bytes() == ZIP
    assert any(e.kind == "restarted" and "only whole" in (e.reason or "") for e in events)


def test_a_host_that_drops_every_connection_still_gives_the_file(tmp_path: Path) -> None:
    content = zipped(size=300_000)
    host = Host({"/a.zip": content}, fault=lambda _path, _number: "truncate", seed=3)
    with serving(host):
        of = described(host, {"a.zip": content})
        outcome = bring(of, tmp_path)
        for _ in range(20):  # a drop at the very first byte is no progress: enough of them end a run
            if not outcome.failures:
                break
            outcome = bring(of, tmp_path)
    assert only(outcome).read_bytes() == content


@pytest.mark.slow
def test_a_slow_trickle_is_no_download(tmp_path: Path) -> None:
    host = Host({"/a.zip": ZIP}, rate=700.0)
    with serving(host):
        outcome = bring(
            described(host, {"a.zip": ZIP}), tmp_path, retry_policy=replace(QUICK, max_attempts=2, min_speed=5000.0)
        )
    (error,) = outcome.failures.values()
    assert "next to nothing" in str(error)


def test_a_host_that_sends_the_wrong_bytes_for_ever_is_given_up(tmp_path: Path) -> None:
    host = Host({"/a.zip": zipped(1)})
    with serving(host):
        outcome = bring(described(host, {"a.zip": ZIP}, size=None), tmp_path)
    (error,) = outcome.failures.values()
    assert "a.zip came twice with the same content, which is not that of the catalogue" in str(error)
    assert not (tmp_path / "a.zip").exists()
