"""The life of a submission: each step that there is, and none that there is not."""

import itertools
from datetime import timedelta

import pytest

from tests.portal.world import World

STATES = ("received", "checked", "queued", "scoring", "scored", "refused", "failed")
STEPS = {
    ("received", "checked"),
    ("received", "refused"),
    ("received", "failed"),
    ("checked", "queued"),
    ("checked", "refused"),
    ("checked", "failed"),
    ("queued", "scoring"),
    ("queued", "failed"),
    ("scoring", "scored"),
    ("scoring", "failed"),
    ("failed", "queued"),
}
OVER = {"scored", "refused", "failed"}


def test_every_step_is_allowed_or_refused_as_the_life_says(world: World) -> None:
    from django.db import transaction
    from django.utils import timezone

    from striate.portal.models import Submission, Transition
    from striate.portal.models.submissions import State
    from striate.portal.receiving.states import NoSuchStepError, locked, move

    ada = world.person("ada", team="Ada")
    sent = world.send(ada, world.file(0.5))
    for before, after in itertools.product(STATES, STATES):
        deadline = None if before in OVER else timezone.now() + timedelta(hours=1)
        Submission.objects.filter(pk=sent.pk).update(state=before, deadline=deadline)
        count = Transition.objects.count()
        with transaction.atomic():
            current = locked(sent)
            if (before, after) not in STEPS:
                with pytest.raises(NoSuchStepError):
                    move(current, State(after))
                continue
            move(current, State(after), "why")
        sent.refresh_from_db()
        assert (sent.state, sent.reason) == (after, "why")
        assert (sent.deadline is None) == (after in OVER), "no state without a deadline but the last ones"
        assert Transition.objects.count() == count + 1


def test_a_step_outside_of_a_transaction_is_refused(world: World) -> None:
    from striate.portal.models.submissions import State
    from striate.portal.receiving.states import NoSuchStepError, move

    sent = world.send(world.person("ada", team="Ada"), world.file(0.5))
    with pytest.raises(NoSuchStepError):
        move(sent, State.REFUSED)


def test_the_database_keeps_no_unfinished_state_without_a_deadline(world: World) -> None:
    from django.db import IntegrityError

    from striate.portal.models import Submission

    sent = world.send(world.person("ada", team="Ada"), world.file(0.5))
    with pytest.raises(IntegrityError):
        Submission.objects.filter(pk=sent.pk).update(deadline=None)


def test_a_sound_file_goes_all_the_way(world: World) -> None:
    sent = world.scored(world.person("ada", team="Ada"), world.file(0.5))
    assert sent.state == "scored"
    assert [t.after for t in sent.transitions.all()] == ["received", "checked", "queued", "scoring", "scored"]


@pytest.mark.parametrize("state", ["received", "queued", "scoring"])
def test_what_is_over_its_deadline_fails_and_counts_towards_no_limit(world: World, state: str) -> None:
    from django.utils import timezone

    from striate.portal.models import Job, Submission
    from striate.portal.receiving import chain
    from striate.portal.scoring.housekeeping import keep_house
    from striate.portal.scoring.work import work

    ada = world.person("ada", team="Ada")
    sent = world.send(ada, world.file(0.5))
    if state != "received":
        work(world.live)
    Submission.objects.filter(pk=sent.pk).update(
        state=state, track="sensorium", protocol="image", deadline=timezone.now() - timedelta(seconds=1)
    )
    keep_house()
    sent.refresh_from_db()
    assert sent.state == "failed"
    assert not Job.objects.filter(submission=sent, done_at=None).exists()
    assert not chain.counted(chain.Chain.objects.get(pk=1), sent).entries


@pytest.mark.parametrize("model", ["Score", "Transition", "Link"])
def test_scores_lives_and_receipts_are_written_once(world: World, model: str) -> None:
    from striate.portal import models
    from striate.portal.models.unchanging import UnchangingError

    world.scored(world.person("ada", team="Ada"), world.file(0.5))
    rows = getattr(models, model).objects
    row = rows.first()
    for tried in (row.save, row.delete, rows.all().delete, lambda: rows.update(at=None)):
        with pytest.raises(UnchangingError):
            tried()


def test_what_failed_is_queued_again_once_however_many_ask(world: World) -> None:
    from striate.errors import InputError
    from striate.portal.models import Job, Submission
    from striate.portal.receiving.checking import retry
    from striate.portal.scoring.housekeeping import fail
    from striate.portal.scoring.work import work

    sent = world.send(world.person("ada", team="Ada"), world.file(0.5))
    work(world.live)
    fail(sent, "It fell.")
    asked_twice = Submission.objects.get(pk=sent.pk)
    retry(asked_twice)
    with pytest.raises(InputError, match="Only what failed"):
        retry(asked_twice)
    assert Job.objects.filter(kind=Job.Kind.SCORE, done_at=None).count() == 1
