"""Scoring again: no score is edited, a board never mixes versions, and it changes at once."""

import json
from typing import Any

import pytest

from tests.fixtures.command import run_in_process
from tests.portal.world import World

OLD, NEW = "striate 0, metrics version 1", "striate 1, metrics version 2"


@pytest.fixture
def scorer_is(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let the workers be of a version; the new one finds all scores a little lower."""
    from striate.portal.scoring import rescore, score
    from striate.portal.scoring.measure import Measured, measure

    def be(version: str) -> None:
        def other(*given: Any) -> Measured:
            found = measure(*given)
            low = 0.0 if version == OLD else 0.01
            metrics = {
                name: {key: value - low if isinstance(value, float) else value for key, value in each.items()}
                for name, each in found.metrics.items()
            }
            assert found.value is not None
            return Measured(found.value - low, metrics, found.draws - low)  # type: ignore[arg-type]

        monkeypatch.setattr(score, "scorer", lambda benchmark: version)
        monkeypatch.setattr(rescore, "scorer", lambda benchmark: version)
        monkeypatch.setattr(score, "measure", other)

    be(OLD)
    return be


def board(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.browser().get("/boards/sensorium-image.json").json()
    return found


def values(shown: dict[str, Any]) -> dict[str, float]:
    return {row["team"]: row["metrics"]["correlation_to_average"]["mean"] for row in shown["rows"]}


def step(world: World) -> bool:
    from striate.portal.scoring.work import work

    return work(world.live)


def test_a_board_changes_to_the_new_scorer_at_once(world: World, scorer_is: Any) -> None:
    from striate.portal.models import Score
    from striate.portal.organising.pages import score_again

    for name, skill in (("Ada", 0.5), ("Ben", 0.3), ("Cleo", 0.7)):
        world.scored(world.person(name.lower(), team=name), world.file(skill))
    before = board(world)
    assert before["scorer"] == OLD
    old = list(Score.objects.order_by("pk").values_list("pk", "value", "scorer"))
    scorer_is(NEW)
    assert score_again("olga", version=NEW) == 3
    assert score_again("olga", version=NEW) == 0, "what is queued is not queued again"
    seen = []
    while step(world):
        seen.append(board(world))
    after = board(world)
    assert after["scorer"] == NEW
    assert values(after) == {team: round(value - 0.01, 4) for team, value in values(before).items()}
    assert all(values(each) in (values(before), values(after)) for each in seen), "a board never mixes versions"
    assert list(Score.objects.order_by("pk").values_list("pk", "value", "scorer"))[:3] == old, "no score is edited"
    assert Score.objects.count() == 6
    assert not step(world)


def test_what_comes_after_an_upgrade_calls_the_others_to_follow(world: World, scorer_is: Any) -> None:
    world.scored(world.person("ada", team="Ada"), world.file(0.5))
    scorer_is(NEW)
    sent = world.send(world.person("ben", team="Ben"), world.file(0.3))
    steps = []
    while step(world):
        shown = board(world)
        steps.append((shown["scorer"], sorted(values(shown))))
    assert (OLD, ["Ada", "Ben"]) not in steps
    assert (NEW, ["Ben"]) not in steps
    assert steps[-1] == (NEW, ["Ada", "Ben"])
    assert sent.scores.count() == 1


def test_a_worker_of_another_version_leaves_the_job(world: World, scorer_is: Any) -> None:
    from django.utils import timezone

    from striate.portal.models import Job
    from striate.portal.organising.pages import score_again

    ada = world.person("ada", team="Ada")
    sent = world.scored(ada, world.file(0.5))
    score_again("olga", version=NEW)
    world.work()
    (job,) = Job.objects.filter(kind="rescore")
    assert job.done_at is None
    assert job.due_at > timezone.now()
    assert job.attempts == 0
    assert sent.scores.count() == 1
    scorer_is(NEW)
    Job.objects.update(due_at=timezone.now())
    world.work()
    assert sorted(sent.scores.values_list("scorer", flat=True)) == [OLD, NEW]


def test_a_worker_that_falls_in_the_middle_leaves_no_gap(
    world: World, scorer_is: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.utils import timezone

    from striate.portal.models import Job, Score
    from striate.portal.organising.pages import score_again
    from striate.portal.scoring import rescore

    for name, skill in (("Ada", 0.5), ("Ben", 0.3)):
        world.scored(world.person(name.lower(), team=name), world.file(skill))
    scorer_is(NEW)
    score_again("olga", version=NEW)
    with monkeypatch.context() as patch:

        def falls(*_: Any) -> None:
            raise SystemExit

        patch.setattr(rescore, "rank_later", falls)
        step(world)
        with pytest.raises(SystemExit):
            step(world)  # it has measured the last one, and falls before that is recorded
    assert Score.objects.filter(scorer=NEW).count() == 1
    assert board(world)["scorer"] == OLD
    Job.objects.filter(done_at=None).update(leased_until=timezone.now())
    world.work()
    assert board(world)["scorer"] == NEW
    assert Score.objects.count() == 4


def test_what_cannot_be_scored_again_is_told_and_keeps_its_score(world: World, scorer_is: Any) -> None:
    from django.utils import timezone

    from striate.portal.models import Job
    from striate.portal.organising.pages import score_again

    olga = world.person("olga", staff=True)
    sent = world.scored(world.person("ada", team="Ada"), world.file(0.5))
    world.lose("submissions", f"{sent.kept}.parquet")
    scorer_is(NEW)
    score_again(olga, version=NEW)
    for _ in range(7):
        Job.objects.filter(done_at=None).update(due_at=timezone.now())
        world.work()
    assert not Job.objects.filter(done_at=None).exists()
    sent.refresh_from_db()
    assert sent.state == "scored"
    assert board(world)["scorer"] == OLD
    page = world.browser(olga).get("/organise/").content.decode()
    assert OLD in page


def test_organisers_queue_it_on_a_page_or_by_command(world: World, scorer_is: Any, folders: Any) -> None:
    from striate.competition.commitment import scorer
    from striate.portal.models import AuditEntry, Job

    olga = world.person("olga", staff=True)
    world.scored(world.person("ada", team="Ada"), world.file(0.5))
    assert world.browser(olga).post("/organise/rescore/").status_code == 302
    version = scorer(world.built.rules.benchmark)
    assert Job.objects.filter(kind="rescore", scorer=version).count() == 1
    assert AuditEntry.objects.get(what="score again").after == {"scorer": version, "queued": 1}
    done = run_in_process("serve", "rescore", folders / "public", "--data", world.place.data, "--track", "sensorium")
    assert done.status == 0, done.err
    assert "queued 0" in done.out
    wrong = run_in_process("serve", "rescore", folders / "public", "--data", world.place.data, "--track", "wrong")
    assert "no track" in wrong.err
    assert json.dumps(AuditEntry.objects.first().after)
