"""Let a team choose the submission that shall count in the end, where the rules let it."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from striate.competition.submit import MOST_CHOICES
from striate.errors import InputError
from striate.portal.in_force import rules_in_force
from striate.portal.models import Link, Submission, Team
from striate.portal.models.submissions import State
from striate.portal.receiving import chain
from striate.portal.receiving.on_the_way import refuse_while_files_are_on_their_way
from striate.portal.scoring.later import rank_later


def may_choose() -> bool:
    """Whether there is anything to choose now."""
    rules = rules_in_force()
    return rules.ranking.choice == "chosen" and rules.phase_at(timezone.now()) is not None


def choose(submission: Submission) -> Link:
    """Choose a scored submission; the last choice for a board counts, and the same choice again is no change.

    Raises
    ------
    InputError
        If the rules let nobody choose, no phase is on, it was not scored, its team is disqualified or has chosen too often today, or files of another phase have no receipt yet.
    """
    rules = rules_in_force()
    if rules.ranking.choice != "chosen":
        raise InputError(
            _("In this competition the last submission of a team counts: there is nothing to choose.")
            if rules.ranking.choice == "last"
            else _(
                "In this competition the submission of a team that is best on the live test counts: there is nothing to choose."
            )
        )
    if rules.phase_at(timezone.now()) is None:
        raise InputError(_("No phase is on: it is too early or too late to choose."))
    if submission.state != State.SCORED or submission.baseline:
        raise InputError(_("Only a scored submission of a team can be chosen."))
    with transaction.atomic():
        ends, now = chain.lock_chain(), timezone.now()
        assert submission.team_id is not None  # it is no baseline
        team = Team.objects.get(pk=submission.team_id)
        if team.disqualified_at is not None:
            raise InputError(
                _("Team %(team)s was disqualified (%(why)s): it cannot choose any more.")
                % {"team": team.name, "why": team.disqualified_for}
            )
        if chosen(submission):  # no change, and no link in the chain
            return Link.objects.filter(submission=submission, kind="choice").latest("number")
        recent = Link.objects.filter(
            kind="choice",
            submission__team=team,
            submission__track=submission.track,
            submission__protocol=submission.protocol,
            at__gt=now - timedelta(days=1),
        )
        if recent.count() >= MOST_CHOICES:
            raise InputError(
                _("Your team has chosen %(count)d times within 24 hours, which is the most: choose again later.")
                % {"count": MOST_CHOICES}
            )
        refuse_while_files_are_on_their_way(rules_in_force(), now)
        # one file may have several receipts, where they were given before the portal was started
        receipt = Link.objects.filter(submission=submission, kind="submission").latest("number")
        made = chain.add(ends, submission, kind="choice", at=now, chosen=receipt.number)
        rank_later(submission.track, submission.protocol)
    return made


def chosen(submission: Submission) -> bool:
    """Whether this is what its team chose last for its board."""
    same = Link.objects.filter(
        kind="choice",
        submission__team=submission.team,
        submission__track=submission.track,
        submission__protocol=submission.protocol,
    )
    last = same.order_by("-number").first()
    return last is not None and last.submission_id == submission.pk
