"""What was sent before a phase ended has its receipt in that phase, whatever else goes into the chain meanwhile."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from striate.errors import InputError
from tests.portal.notices.moves import At, chain
from tests.portal.world import World

SECOND = timedelta(seconds=1)


def sent_at(world: World, user: Any, at: datetime, **fields: Any) -> Any:
    from striate.portal.models import Submission

    made = world.send(user, world.file(0.3), **fields)
    Submission.objects.filter(pk=made.pk).update(received_at=at)
    return made


def done_later(world: World) -> None:
    """As after the pause in which a job that must wait is not tried."""
    from striate.portal.models import Job

    Job.objects.update(due_at=world.built.rules.starts)
    world.work()


@pytest.mark.slow
def test_a_choice_waits_for_the_receipts_of_what_was_sent_before_the_end(world: World, clock: At) -> None:
    from striate.portal.models import Link
    from striate.portal.receiving.choosing import choose
    from striate.portal.receiving.on_the_way import ON_THE_WAY

    ada, ben = world.person("ada", team="Ada"), world.person("ben", team="Ben")
    first, closes = world.scored(ada, world.file(0.5)), world.built.rules.closes
    late = sent_at(world, ben, closes - SECOND)
    clock(closes + 10 * SECOND)
    with pytest.raises(InputError, match="has just ended"):
        choose(first)
    clock(closes + ON_THE_WAY)
    with pytest.raises(InputError, match=r"1 file .* is still being checked"):
        choose(first)
    world.work()
    assert Link.objects.get(submission=late).at == closes - SECOND
    assert choose(first).kind == "choice"
    assert [(entry.team, entry.kind) for entry in chain(world)][-1] == ("Ada", "choice")


@pytest.mark.slow
def test_a_baseline_waits_for_what_is_still_on_its_way_into_the_table(world: World, clock: At) -> None:
    from striate.portal.models import Link
    from striate.portal.receiving.on_the_way import ON_THE_WAY

    ada, olga = world.person("ada", team="Ada"), world.person("olga", staff=True)
    closes = world.built.rules.closes
    clock(closes + 2 * SECOND)
    baseline = sent_at(world, olga, closes + 2 * SECOND, team=None, baseline="LN baseline")
    done_later(world)
    assert not Link.objects.exists(), "nothing is known of it yet"
    clock(closes - SECOND)
    late = world.send(ada, world.file(0.5))
    clock(closes + 3 * SECOND)
    done_later(world)
    assert [link.submission_id for link in Link.objects.all()] == [late.pk]
    clock(closes + ON_THE_WAY)
    done_later(world)
    assert [link.submission_id for link in Link.objects.all()] == [late.pk, baseline.pk]


@pytest.mark.slow
def test_a_baseline_between_two_phases_waits_too(world: World, clock: At, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of each phase counts, and not that of the last alone."""
    from striate.portal.models import Link
    from striate.portal.receiving import checking
    from striate.portal.receiving.on_the_way import ON_THE_WAY
    from striate.portal.scoring.leases import Lease
    from striate.portal.scoring.work import do

    ada, olga = world.person("ada", team="Ada"), world.person("olga", staff=True)
    rules = world.built.rules
    first, second = rules.phases
    again = second.model_copy(update={"starts": first.ends + timedelta(days=1), "submissions": True})
    monkeypatch.setattr(checking, "rules_in_force", lambda: rules.model_copy(update={"phases": (first, again)}))
    sent_at(world, ada, first.ends - SECOND)
    moment = first.ends + ON_THE_WAY
    clock(moment)
    baseline = sent_at(world, olga, moment, team=None, baseline="LN baseline")
    lease = Lease.claim(job=baseline.jobs.get())
    assert lease is not None
    do(lease, None)
    assert not Link.objects.exists()
    done_later(world)
    done_later(world)
    assert [link.at for link in Link.objects.all()] == [first.ends - SECOND, moment]
