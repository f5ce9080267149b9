"""Files that were sent and have no receipt yet: what else goes into the chain must not push their receipts past the end of their phase.

The chain is in the order of time, and files are checked side by side. So a link of another phase waits until they have their receipts.
"""

from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from striate.competition import Rules
from striate.competition.tables import Phase
from striate.errors import InputError
from striate.portal.models import State, Submission
from striate.portal.moments import shown

# What was sent just before a phase ended may still be on its way into the table: as long as a request lasts at most, and some more.
ON_THE_WAY = timedelta(minutes=5)


def phase_that_just_ended(rules: Rules, moment: datetime) -> Phase | None:
    """The phase before a moment of which files may still be on their way into the table."""
    now = timezone.now()
    ended = (each for each in rules.phases if each.submissions and each.ends <= moment)
    return next((each for each in ended if now < each.ends + ON_THE_WAY), None)


def waiting_of_other_phases(rules: Rules, moment: datetime) -> int:
    """How many files of teams are being checked that were sent in another phase than that of a moment."""
    waiting = Submission.objects.filter(state=State.RECEIVED, baseline="").values_list("received_at", flat=True)
    return sum(rules.phase_at(received) != rules.phase_at(moment) for received in waiting)


def refuse_while_files_are_on_their_way(rules: Rules, now: datetime) -> None:
    """Look whether a link of this moment would push the receipt of what was sent in a phase past its end.

    Raises
    ------
    InputError
        If it may.
    """
    ended = phase_that_just_ended(rules, now)
    if ended is not None:
        raise InputError(
            _(
                "Phase %(phase)s has just ended, and what was sent before may still be on its way: decide this after %(when)s."
            )
            % {"phase": ended.name, "when": shown(ended.ends + ON_THE_WAY)}
        )
    behind = waiting_of_other_phases(rules, now)
    if behind:
        said = ngettext(
            "%(count)d file that was sent in another phase is still being checked: decide this when it has its receipt.",
            "%(count)d files that were sent in another phase are still being checked: decide this when they have their receipts.",
            behind,
        )
        raise InputError(said % {"count": behind})
