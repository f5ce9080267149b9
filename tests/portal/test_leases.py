"""Workers that are killed, late, or many: each submission is scored once."""

from datetime import timedelta
from typing import Any

import pytest

from tests.portal.test_limits import at_once
from tests.portal.world import World


def expire(world: World) -> None:
    """Let all leases run out."""
    from django.utils import timezone

    from striate.portal.models import Job

    Job.objects.filter(done_at=None).update(leased_until=timezone.now() - timedelta(seconds=1))


def test_a_job_is_leased_to_one(world: World) -> None:
    from striate.portal.scoring.leases import Lease

    world.send(world.person("ada", team="Ada"), world.file(0.5))
    leases = [each for each in at_once([Lease.claim] * 4) if each is not None]
    assert len(leases) == 1
    assert isinstance(leases[0], Lease)
    expire(world)
    assert Lease.claim() is not None


@pytest.mark.parametrize("at", ["check", "score"])
def test_a_worker_that_is_killed_in_the_middle_costs_nothing(
    world: World, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a worker has done when it is killed is what its last transaction wrote: here it is cut off in the middle."""
    from striate.portal.models import Link, Score
    from striate.portal.receiving import checking
    from striate.portal.scoring import score
    from striate.portal.scoring.work import work

    class Killed(BaseException):
        pass

    def kill(*_: Any, **__: Any) -> None:
        raise Killed

    sent = world.send(world.person("ada", team="Ada"), world.file(0.5))
    if at == "score":
        work(world.live)
    with monkeypatch.context() as broken:
        broken.setattr(*((checking, "move") if at == "check" else (score, "rank_later")), kill)
        with pytest.raises(Killed):
            work(world.live)
    sent.refresh_from_db()
    assert sent.state in ("received", "queued", "scoring")
    assert not work(world.live), "the lease is not over"
    expire(world)
    world.work()
    sent.refresh_from_db()
    assert sent.state == "scored"
    assert (Score.objects.count(), Link.objects.count()) == (1, 1)


def test_a_worker_that_comes_back_late_records_nothing(world: World) -> None:
    from striate.portal.models import Score
    from striate.portal.scoring.leases import Lease, LostLeaseError
    from striate.portal.scoring.score import score
    from striate.portal.scoring.work import work

    sent = world.send(world.person("ada", team="Ada"), world.file(0.5))
    work(world.live)
    late = Lease.claim()
    assert late is not None
    expire(world)
    world.work()
    sent.refresh_from_db()
    assert sent.state == "scored"
    with pytest.raises(LostLeaseError):
        score(late, world.live)
    assert Score.objects.count() == 1


@pytest.mark.slow
def test_many_workers_score_each_submission_once(world: World) -> None:
    from striate.portal.models import Score, Standing, Submission

    for number in range(6):
        world.send(world.person(f"p{number}", team=f"Team {number}"), world.file(0.5, seed=number))
    outcomes = at_once([world.work] * 3)
    assert not [each for each in outcomes if isinstance(each, Exception)], outcomes
    assert set(Submission.objects.values_list("state", flat=True)) == {"scored"}
    assert Score.objects.count() == 6
    assert len(Standing.objects.get().rows) == 6, "the board has seen the last of them"


def test_a_lease_is_renewed_while_the_work_lasts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    from striate.portal.models import Job
    from striate.portal.scoring import leases

    monkeypatch.setattr(leases, "_RENEWED_EVERY", 0.05)
    world.send(world.person("ada", team="Ada"), world.file(0.5))
    lease = leases.Lease.claim()
    assert lease is not None
    before = Job.objects.get().leased_until
    with lease.kept():
        until = time.monotonic() + 60
        while Job.objects.get().leased_until == before and time.monotonic() < until:
            time.sleep(0.02)
    assert Job.objects.get().leased_until > before


def test_a_ranking_that_ends_late_does_not_undo_a_later_one(world: World) -> None:
    from striate.portal.boards.standings import rank
    from striate.portal.models import Standing
    from striate.portal.scoring.later import rank_later
    from striate.portal.scoring.leases import Lease

    world.send(world.person("ada", team="Ada"), world.file(0.5))
    world.work()
    made = Standing.objects.get()
    rank_later(made.track, made.protocol)
    early = Lease.claim()
    assert early is not None
    Standing.objects.update(job=early.job.pk + 1, rows=[{"team": "of a later job"}])
    rank(early, world.live)
    assert Standing.objects.get().rows == [{"team": "of a later job"}]


def test_receipts_and_boards_do_not_wait_for_all_scores(world: World) -> None:
    from django.utils import timezone

    from striate.portal.models import Job
    from striate.portal.scoring.later import rank_later
    from striate.portal.scoring.leases import Lease
    from striate.portal.scoring.work import work

    ada = world.person("ada", team="Ada")
    for seed in range(2):
        world.send(ada, world.file(0.5, seed=seed))
        assert work(world.live)
    rank_later("sensorium", "image")
    world.send(ada, world.file(0.5, seed=2))

    def turns() -> list[str]:
        leases = [Lease.claim() for _ in range(4)]
        expire(world)
        return [lease.job.kind for lease in leases if lease is not None]

    assert turns() == ["check", "score", "score", "rank"]
    Job.objects.filter(kind="rank").update(created_at=timezone.now() - timedelta(seconds=6))
    assert turns() == ["check", "rank", "score", "score"]
