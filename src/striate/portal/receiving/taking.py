"""Take a file in: nothing of it is read yet but its bytes."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from striate._internal.text_cleaning import clean_line
from striate.competition.manifest import sha256_of
from striate.errors import InputError
from striate.portal.competition import competition
from striate.portal.in_force import rules_in_force
from striate.portal.models import Job, Membership, Submission, Team, Upload, User
from striate.portal.models.submissions import State
from striate.portal.moments import shown
from striate.portal.receiving import clock, store
from striate.portal.receiving.states import move
from striate.portal.receiving.uploads import require_size
from striate.portal.words import plain_name
from striate.submissions.formats.sensorium_csv import SUBMISSION_FILES

NATIVE = "submission.parquet"
CSVS = tuple(SUBMISSION_FILES.values())
LARGER_AS_TEXT = 4  # times
_MOST_AT_ONCE = 3  # files of a team that are being checked


class BusyError(InputError):
    """What is sent is sound, but can only be taken a little later."""


def largest_file() -> int:
    """Bytes that a native file may have."""
    return competition().rules.limits.megabytes * 10**6


def takes_csvs() -> bool:
    """Whether the benchmark of the competition allows the CSVs of 2022."""
    return "sensorium_csv" in competition().benchmark.submission.formats


def require_files(files: Mapping[str, Path]) -> int:
    """Bytes of the files of a submission.

    Raises
    ------
    InputError
        If they are others than the native file or both CSVs, or too large.
    """
    if set(files) != {NATIVE} and not takes_csvs():
        raise InputError(_("Send one native file (.parquet)."))
    if set(files) not in ({NATIVE}, set(CSVS)):
        raise InputError(
            _("Send one native file, or both CSVs of 2022 (%(names)s).") % {"names": _(" and ").join(CSVS)}
        )
    size = sum(file.stat().st_size for file in files.values())
    require_size(size, largest_file() * (1 if NATIVE in files else LARGER_AS_TEXT))
    return size


def refuse_outside_of_phases(baseline: str) -> None:
    """Raise `InputError` where no phase takes submissions now."""
    rules, now = rules_in_force(), timezone.now()
    phase = rules.phase_at(now)
    if not baseline and (phase is None or not phase.submissions):
        when = "; ".join(
            _("%(phase)s %(starts)s to %(ends)s") % {"phase": p.name, "starts": shown(p.starts), "ends": shown(p.ends)}
            for p in rules.phases
            if p.submissions
        )
        raise InputError(_("Submissions are not taken now: %(when)s.") % {"when": when})


def take(
    files: Mapping[str, Path],
    *,
    team: Team | None,
    baseline: str = "",
    by: User,
    filename: str,
    note: str = "",
    told: Mapping[str, str] | None = None,
    upload: Upload | None = None,
) -> tuple[Submission, bool]:
    """Take a submission in.

    Parameters
    ----------
    files
        By name: ``submission.parquet``, or the two CSVs of 2022. They are moved away.
    team, baseline
        Whose it is; one of the two.
    by
        Who sends it.
    filename
        What the sender calls it.
    note
        The team's own words.
    told
        Track and protocol, which CSVs do not say.
    upload
        By which it came. What it became is noted in the same transaction, so that whoever asks again finds it.

    Returns
    -------
    Submission
        The one that was made; or that which the team has sent before, if the file is the same.
    bool
        Whether it is new.

    Raises
    ------
    InputError
        If no phase takes submissions, a file is too large, or the sender has left the team meanwhile.
    BusyError
        If too many files of the team are being checked, or the portal's clock cannot be trusted.
    """
    if clock.problem():
        raise BusyError(_("The clock of this portal is being set: submissions are taken again when it is right."))
    refuse_outside_of_phases(baseline)
    rules = competition().rules
    if baseline and baseline not in {each.name for each in rules.baselines}:
        raise InputError(_("The rules have no baseline %(name)s.") % {"name": repr(baseline)})
    if team is not None and team.disqualified_at is not None:
        raise InputError(
            _("Team %(team)s was disqualified (%(why)s): it cannot submit any more.")
            % {"team": team.name, "why": team.disqualified_for}
        )
    size = require_files(files)
    digests = [sha256_of(files[name]) for name in sorted(files)]
    sha256 = digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    if (known := _known(team, baseline, sha256)) is not None:
        _note(upload, known)
        return known, False
    if team is not None and _being_checked(team) >= _MOST_AT_ONCE:
        raise BusyError(
            _("%(count)d files of your team are being checked: send more when that is done.") % {"count": _MOST_AT_ONCE}
        )
    made = Submission(
        id=uuid4(),
        team=team,
        baseline=baseline,
        by=by,
        filename=plain_name(filename),
        sha256=sha256,
        size=size,
        note=clean_line(note)[:300],
        track=(told or {}).get("track", ""),
        protocol=(told or {}).get("protocol", ""),
    )
    store.put(files, made.pk)
    try:
        with transaction.atomic():
            if team is not None:
                _require_member(by, team)
            move(made, State.RECEIVED)
            Job.objects.create(kind=Job.Kind.CHECK, submission=made)
            _note(upload, made)
    except IntegrityError:  # the same file came by another way in this instant
        store.forget(made.pk)
        if (known := _known(team, baseline, sha256)) is not None:
            _note(upload, known)
            return known, False
        raise
    except BaseException:
        store.forget(made.pk)
        raise
    return made, True


def _require_member(user: User, team: Team) -> None:
    """Who left the team while the file was taken in could submit for another one; the lock is that under which one leaves."""
    locked = Team.objects.select_for_update().filter(pk=team.pk).first()
    if locked is None or not Membership.objects.filter(user=user, team=locked).exists():
        raise InputError(
            _("You are not in team %(team)s any more: send the file as the team that you are in now.")
            % {"team": team.name}
        )


def _note(upload: Upload | None, became: Submission) -> None:
    if upload is not None:
        Upload.objects.filter(pk=upload.pk).update(submission=became)


def _known(team: Team | None, baseline: str, sha256: str) -> Submission | None:
    same = Submission.objects.filter(team=team, baseline=baseline, sha256=sha256)
    return same.exclude(state=State.REFUSED).first()


def _being_checked(team: Team) -> int:
    return Submission.objects.filter(team=team, state__in=(State.RECEIVED, State.CHECKED)).count()
