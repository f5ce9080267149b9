"""Limits hold whatever comes at once; faults of the platform cost nothing."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.portal.world import World


def at_once(tasks: list[Callable[[], Any]]) -> list[Any]:
    """Run tasks in threads that begin together; an exception is an outcome."""
    from django.db import connections

    barrier, outcomes = threading.Barrier(len(tasks)), []

    def run(task: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            outcomes.append(task())
        except Exception as error:
            outcomes.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return outcomes


def receive(world: World, user: Any, count: int) -> list[Any]:
    """Files that were received, past the limit of those that are checked at a time."""
    from striate.portal.receiving import taking

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(taking, "_MOST_AT_ONCE", 100)
        return [world.send(user, world.file(0.5, seed=seed)) for seed in range(count)]


@pytest.mark.slow
def test_files_that_are_checked_at_once_pass_no_limit(world: World) -> None:
    from striate.portal.models import Link, Submission
    from striate.portal.scoring.work import work

    sent = receive(world, world.person("ada", team="Ada"), 7)
    outcomes = at_once([lambda: work(world.live)] * len(sent))
    assert not [each for each in outcomes if isinstance(each, Exception)], outcomes
    world.work()
    states = sorted(Submission.objects.values_list("state", flat=True))
    assert states == ["refused"] * 4 + ["scored"] * 3
    assert Link.objects.count() == 3
    assert "3 are allowed" in Submission.objects.filter(state="refused")[0].reason


def test_the_same_file_sent_at_once_is_one_submission(world: World) -> None:
    from striate.portal.models import Submission

    ada, file = world.person("ada", team="Ada"), world.file(0.5)
    outcomes = at_once([lambda: world.send(ada, file)] * 5)
    assert len({each.pk for each in outcomes}) == 1, outcomes
    assert Submission.objects.count() == 1
    assert len(world.files("submissions", "incoming")) == 1


def test_a_person_who_joins_two_teams_at_once_is_in_one(world: World) -> None:
    from striate.portal.models import Membership

    teams = [world.person(name, team=name.title()).team for name in ("ada", "ben")]
    eve = world.person("eve")
    at_once([lambda t=team: world.browser(eve).post(f"/team/join/{t.invitation}/") for team in teams])
    assert Membership.objects.filter(user=eve).count() == 1


@pytest.mark.slow
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hours=st.lists(st.integers(0, 60), min_size=4, max_size=8))
def test_within_any_24_hours_no_more_are_accepted_than_allowed(portal: World, hours: list[int]) -> None:
    """The rolling window, and the total, whenever files are received."""
    from django.utils import timezone

    from striate.portal.models import Link, Submission
    from striate.portal.running.prepare import _begin_chain

    portal.empty()
    _begin_chain()
    ada = portal.person("ada", team="Ada")
    begin = timezone.now() - timedelta(days=5)
    for number, hour in enumerate(sorted(hours)):
        sent = portal.send(ada, portal.file(0.5, seed=number))
        Submission.objects.filter(pk=sent.pk).update(received_at=begin + timedelta(hours=hour))
        portal.work()
    given_at = list(Link.objects.order_by("number").values_list("at", flat=True))
    for moment in given_at:
        assert sum(timedelta(0) <= moment - at < timedelta(days=1) for at in given_at) <= 3
    assert len(given_at) <= 5
    accepted, expected = [], 0
    for hour in sorted(hours):
        if expected < 5 and sum(hour - at < 24 for at in accepted) < 3:
            accepted.append(hour)
            expected += 1
    assert len(given_at) == expected, "and none is refused that is allowed"
    portal.empty()


@pytest.mark.slow
def test_a_fault_of_the_platform_is_refunded_and_can_be_mended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.portal.models import Job, Link, Submission
    from striate.portal.receiving.decoding import PlatformError
    from striate.portal.scoring import score

    ada, olga = world.person("ada", team="Ada"), world.person("olga", staff=True)

    def fall(*_: Any) -> None:
        raise PlatformError("a disk is gone")

    with monkeypatch.context() as broken:
        broken.setattr(score, "measure", fall)
        failed = world.send(ada, world.file(0.5))
        for _ in range(10):
            Job.objects.filter(done_at=None).update(due_at=failed.received_at)
            world.work()
    failed.refresh_from_db()
    assert failed.state == "failed"
    others = [world.scored(ada, world.file(0.5, seed=seed)) for seed in (1, 2)]
    assert {each.state for each in others} == {"scored"}
    page = world.browser(olga).post(f"/submissions/{failed.pk}/again/", follow=True)
    assert "queued" in page.content.decode()
    world.work()
    failed.refresh_from_db()
    assert failed.state == "scored"
    assert world.scored(ada, world.file(0.5, seed=3)).state == "refused", "now it counts again"
    assert Link.objects.count() == 3, "with the receipt that it had"
    assert Submission.objects.count() == 4


@pytest.mark.slow
def test_what_failed_cannot_be_queued_past_the_limit(world: World) -> None:
    from striate.portal.models import Submission
    from striate.portal.scoring.housekeeping import fail
    from striate.portal.scoring.work import work

    ada, olga = world.person("ada", team="Ada"), world.person("olga", staff=True)
    sent = world.send(ada, world.file(0.5))
    work(world.live)
    fail(Submission.objects.get(pk=sent.pk), "a fault")
    for seed in (1, 2, 3):
        assert world.scored(ada, world.file(0.5, seed=seed)).state == "scored"
    page = world.browser(olga).post(f"/submissions/{sent.pk}/again/", follow=True).content.decode()
    assert "3 are allowed" in page
    sent.refresh_from_db()
    assert sent.state == "failed"


@pytest.mark.slow
def test_no_lock_is_held_while_a_file_is_kept_and_what_is_refused_is_not(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everybody else's receipts would wait for the disk, or for a service that is slow."""
    from django.db import connection

    from striate.portal.models import Submission
    from striate.portal.receiving import store

    real, locks = store.keep, []

    def keep(*given: Any) -> None:
        locks.append(connection.in_atomic_block)
        real(*given)

    monkeypatch.setattr(store, "keep", keep)
    ada = world.person("ada", team="Ada")
    for seed in range(world.built.rules.limits.per_day + 1):
        world.scored(ada, world.file(0.5, seed=seed))
    assert locks == [False] * world.built.rules.limits.per_day
    refused = Submission.objects.get(state="refused")
    assert "within 24 hours" in refused.reason
    assert f"{refused.kept}.parquet" not in world.files("submissions")


def test_what_was_refused_when_it_was_read_has_no_receipt_however_the_rules_are_then(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file was not kept."""
    from striate.portal.models import Link
    from striate.portal.receiving import checking

    answers = iter(["It is too early.", ""])
    monkeypatch.setattr(checking, "_refused", lambda *_: next(answers))
    sent = world.scored(world.person("ada", team="Ada"), world.file(0.5))
    assert (sent.state, sent.reason) == ("refused", "It is too early.")
    assert not Link.objects.exists()
