"""Receipts are not dated by a clock that contradicts the chain or itself."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.competition.clock import TOLERANCE, Clock, ClockError, clock_problem
from striate.competition.receipts import Receipts

NOW = datetime(2031, 5, 4, tzinfo=UTC)


@given(st.timedeltas(timedelta(days=-400), timedelta(days=400)))
def test_a_clock_far_before_the_last_receipt_is_refused_and_no_other(ahead):
    assert bool(clock_problem(NOW, NOW + ahead)) is (ahead > TOLERANCE)
    assert bool(clock_problem(NOW, None, ahead)) is (abs(ahead) > TOLERANCE)
    assert len(clock_problem(NOW, NOW + ahead)) <= 300


def test_a_clock_that_is_set_while_the_process_runs_has_jumped(monkeypatch):
    clock, real = Clock(), time.time
    assert abs(clock.jumped()) < timedelta(seconds=60)
    for days in (10, -10):
        monkeypatch.setattr(time, "time", lambda days=days: real() + days * 86400)
        assert abs(clock.jumped() - timedelta(days=days)) < timedelta(seconds=60)


def test_a_receipt_before_the_last_one_says_what_to_do():
    fields = {"team": "A", "track": "t", "protocol": "image", "sha256": "0" * 64}
    chain = Receipts("0" * 64).added(at=NOW + timedelta(days=10), **fields)
    with pytest.raises(ClockError, match="Set the clock"):
        chain.added(at=NOW, **fields)
