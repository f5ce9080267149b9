"""A clock that jumps gives no receipt a wrong time, and is seen by those who watch."""

from datetime import timedelta

import pytest
from django.utils import timezone

from striate.competition.clock import ClockError
from tests.portal.world import World


@pytest.fixture
def jumped(monkeypatch: pytest.MonkeyPatch):
    """Set how far the clock was set forward since the process started."""
    from striate.portal.receiving import clock

    def jump(by: timedelta) -> None:
        monkeypatch.setattr(clock._SINCE_START, "jumped", lambda: by)

    return jump


@pytest.mark.slow
def test_no_receipt_is_given_while_the_clock_is_wrong(world: World, jumped) -> None:
    from striate.portal.models import Job, Link, Submission
    from striate.portal.receiving.taking import BusyError, take

    ada = world.person("ada", team="Ada")
    world.scored(ada, world.file(0.5))
    waiting = world.send(ada, world.file(0.6, seed=1))
    links = Link.objects.count()
    assert links == 1
    olga = world.person("olga", staff=True)
    assert "clock" not in world.browser(olga).get("/organise/").content.decode()

    jumped(timedelta(days=10))
    with pytest.raises(BusyError, match="clock"):
        take({}, team=ada.team, by=ada, filename="x.parquet")
    assert world.browser().get("/ready").json()["clock"] is False
    assert "was set forward by 14400 minutes" in world.browser(olga).get("/organise/").content.decode()
    assert "striate_clock_trusted 0.0" in world.browser(olga).get("/metrics").content.decode()
    world.work()
    assert Link.objects.count() == links, "it waits"

    jumped(timedelta(0))
    Job.objects.filter(done_at=None).update(due_at=timezone.now())
    world.work()
    assert Link.objects.count() == links + 1
    assert Submission.objects.filter(state="scored").count() == 2
    assert waiting is not None


def test_a_clock_before_the_last_receipt_is_refused_and_a_file_received_ahead_is_dated_now(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from striate.portal.models import Link, Submission
    from striate.portal.receiving import clock

    ada = world.person("ada", team="Ada")
    world.send(ada, world.file(0.5))
    Submission.objects.update(received_at=timezone.now() + timedelta(days=10))
    world.work()
    last = Link.objects.get()
    assert last.at <= timezone.now()
    assert clock.problem() == ""

    real = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: real() - timedelta(days=10))
    assert "the last receipt is of" in clock.problem()
    from striate.portal.models import Chain
    from striate.portal.receiving.chain import following

    with pytest.raises(ClockError, match="set the clock"):
        following(Chain.objects.get(pk=1), timezone.now(), kind="submission")
