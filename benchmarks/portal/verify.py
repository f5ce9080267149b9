"""What must be true after a campaign, whatever happened in it: nothing is lost, doubled, stuck or wrong."""

import itertools
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.portal.competition import Played
from benchmarks.portal.waiting import progressing
from striate.competition import Receipt, score_live
from striate.competition import verify as verify_competition
from striate.metrics.evaluate import METRICS

_EQUAL = 1e-12  # scores of the same file, on the portal and off it


@dataclass(frozen=True)
class Check:
    """Something that must be true.

    Attributes
    ----------
    what
        In a few words.
    wrong
        What contradicts it; empty if nothing does.
    said
        What was found.
    """

    what: str
    wrong: tuple[str, ...]
    said: str


def people(teams: Sequence[str]) -> dict[str, str]:
    """Make an admitted account for each team; return their tokens."""
    from django.db import connections, transaction
    from django.utils import timezone

    from striate.portal.models import Membership, Team, Token, User

    tokens = {}
    with transaction.atomic():
        for number, name in enumerate(teams):
            user = User(username=f"p{number}", email=f"p{number}@example.org", approved_at=timezone.now())
            user.set_unusable_password()
            user.save()
            Membership.objects.create(user=user, team=Team.objects.create(name=name))
            tokens[name] = Token.make(user, "rehearsal")[1]
    connections.close_all()
    return tokens


def drained(patience: float) -> bool:
    """Wait until every submission has an end and no job is left; whether it came to that, or nothing came to pass for so many seconds."""
    from django.db import Error, connection

    from striate.portal.models import Job, Submission, Transition

    def over() -> bool:
        try:
            return not (Submission.objects.filter(deadline__isnull=False) or Job.objects.filter(done_at=None))
        except Error:
            connection.close()
            return False

    def progress() -> object:
        try:
            return Transition.objects.count(), Job.objects.exclude(done_at=None).count()
        except Error:
            connection.close()
            return None

    return progressing(over, progress, patience=patience)


def left() -> str:
    """What has no end yet: submissions by their state, jobs by their kind and what became of them."""
    from striate.portal.models import Job, Submission

    stuck = Counter(Submission.objects.filter(deadline__isnull=False).values_list("state", flat=True))
    jobs = Job.objects.filter(done_at=None).values_list("kind", "attempts", "leased_until", "due_at")
    return f"{dict(stuck)}, jobs {[tuple(map(str, job)) for job in jobs]}"


def states() -> dict[str, int]:
    """How many submissions are in each state."""
    from striate.portal.models import Submission

    return dict(Counter(Submission.objects.values_list("state", flat=True)))


def taken_over() -> int:
    """How many jobs were begun more than once, such as by another worker than the one that was killed."""
    from striate.portal.models import Job

    return Job.objects.filter(attempts__gt=1).count()


def checks(
    played: Played, store: Path, scratch: Path, taken: Sequence[Mapping[str, Any]], limit: int
) -> Iterator[Check]:
    """Hold the portal's database and store against what the senders were told, and against scoring off the portal.

    Parameters
    ----------
    played
        The competition.
    store
        Where the portal keeps submissions.
    scratch
        For a copy of what is published.
    taken
        What the senders noted where the portal took a file.
    limit
        Submissions that a team has.
    """
    from striate.portal.models import Submission

    found = list(Submission.objects.select_related("team").prefetch_related("transitions", "scores", "links"))
    yield from _nothing_lost(found, taken)
    yield _lives(found)
    yield _once(found)
    yield _limits(found, limit)
    yield _scores(played, found, {each["sha256"]: Path(each["file"]) for each in taken})
    yield from _chain(played, store, scratch, taken)
    yield _board(found)


def _nothing_lost(found: Sequence[Any], taken: Sequence[Mapping[str, Any]]) -> Iterator[Check]:
    known = {str(each.pk): each for each in found}
    lost = [each["file"] for each in taken if each["id"] not in known]
    other = [each["file"] for each in taken if each["id"] in known and known[each["id"]].sha256 != each["sha256"]]
    said = f"{len({each['id'] for each in taken})} submissions in {len(taken)} answers"
    yield Check("what senders were told was taken is there", (*lost, *other), said)
    stuck = tuple(f"{each.pk} is {each.state}" for each in found if not each.over)
    yield Check("every submission has an end", stuck, f"{len(found)} submissions")
    same = Counter((each.team_id, each.sha256) for each in found if each.state != "refused")
    twice = tuple(f"team {team}, file {sha256[:12]}" for (team, sha256), count in same.items() if count > 1)
    yield Check("no file is there twice", twice, f"{len(same)} files")


def _lives(found: Sequence[Any]) -> Check:
    from striate.portal.receiving.states import STEPS

    wrong = []
    for each in found:
        steps = [(step.before, step.after) for step in each.transitions.all()]
        possible = all(after in STEPS[before] for before, after in steps)
        joined = all(first[1] == second[0] for first, second in itertools.pairwise(steps))
        if not (steps and steps[0][0] == "" and possible and joined and steps[-1][1] == each.state):
            wrong.append(f"{each.pk}: {steps}")
    return Check("every life is one that submissions have", tuple(wrong), f"{len(found)} lives")


def _once(found: Sequence[Any]) -> Check:
    wrong = []
    for each in found:
        scores, receipts = len(each.scores.all()), len(each.links.all())
        ended = [step.after for step in each.transitions.all()].count("scored")
        queued = any(step.after == "queued" for step in each.transitions.all())
        if (scores, ended) != ((1, 1) if each.state == "scored" else (0, 0)) or receipts != int(queued):
            wrong.append(f"{each.pk} is {each.state}: {scores} scores, {receipts} receipts")
    scored = sum(each.state == "scored" for each in found)
    return Check("scored once, receipted once", tuple(wrong), f"{scored} scored")


def _limits(found: Sequence[Any], limit: int) -> Check:
    teams: dict[str, list[Any]] = defaultdict(list)
    for each in found:
        teams[each.team.name].append(each)
    wrong, over = [], 0
    for name, own in teams.items():
        count = Counter(each.state for each in own)
        over += count["refused"]
        if count["scored"] > limit:
            wrong.append(f"{name}: {count['scored']} scored")
        if count["refused"] and count["scored"] + count["failed"] < limit:
            wrong.append(f"{name}: {count['refused']} refused, but only {count['scored']} counted")
    for each in found:
        if each.state == "refused" and "are allowed" not in each.reason:
            wrong.append(f"{each.pk} was refused: {each.reason}")
    return Check("limits hold, and nothing but them refuses", tuple(wrong), f"{limit} a team; {over} refused by it")


def _scores(played: Played, found: Sequence[Any], files: Mapping[str, Path]) -> Check:
    wrong, largest, count = [], 0.0, 0
    for each in found:
        if each.state != "scored" or each.sha256 not in files:
            continue
        count += 1
        card = score_live(files[each.sha256], played.live, bootstrap=0).scorecard.tiers["test"]
        for name in METRICS:
            ours, theirs = getattr(card, name).mean, each.scores.all()[0].metrics[name]["mean"]
            if theirs is None and name == "feve":
                continue  # the portal's bootstrap found too few images for it; none is drawn here
            if ours is None or theirs is None:
                difference = 0.0 if ours is theirs else float("inf")
            else:
                difference = abs(ours - theirs)
            largest = max(largest, difference)
            if difference > _EQUAL:
                wrong.append(f"{each.pk}: {name} {theirs}, off the portal {ours}")
    return Check(
        "scores equal those of the same files off the portal", tuple(wrong), f"{count}; at most {largest:g} apart"
    )


def _chain(played: Played, store: Path, scratch: Path, taken: Sequence[Mapping[str, Any]]) -> Iterator[Check]:
    from striate.portal.receiving.chain import lines

    copy = scratch / "published"
    shutil.copytree(played.folder, copy)
    (copy / "receipts.jsonl").write_text("".join(lines()))
    given = [Receipt.model_validate(each["receipt"]) for each in taken if each["receipt"] is not None]
    found = verify_competition(copy, receipts=given, store=store).checks
    own, of_senders = (
        [c for c in found if not c.what.startswith("receipt ")],
        [c for c in found if c.what.startswith("receipt ")],
    )
    for check in own:
        yield Check(f"striate competition verify: {check.what}", (check.detail,) * (check.ok is False), check.detail)
    wrong = tuple(check.detail for check in of_senders if check.ok is False)
    yield Check("striate competition verify: receipts that senders were given", wrong, f"{len(of_senders)} receipts")


def _board(found: Sequence[Any]) -> Check:
    """By these rules the last submission of a team counts."""
    from striate.portal.models import Standing

    last: dict[str, Any] = {}
    for each in found:
        if each.state == "scored":
            receipt = each.links.all()[0].number
            last[each.team.name] = max(last.get(each.team.name, (0, None)), (receipt, each.scores.all()[0].value))
    standing = Standing.objects.first()
    shown = {row["team"]: row for row in standing.rows} if standing else {}
    wrong = [f"{name} stands on the board or was scored, not both" for name in shown.keys() ^ last.keys()]
    for name in shown.keys() & last.keys():
        receipt, value = last[name]
        mean = shown[name]["metrics"]["correlation_to_average"]["mean"]
        if shown[name]["receipt"] != receipt or mean != (None if value is None else round(value, 4)):
            wrong.append(f"{name}: receipt {shown[name]['receipt']} with {mean}; the last is {receipt} with {value}")
    return Check("the board shows the last score of each team", tuple(wrong), f"{len(shown)} rows")
