"""What no amendment may do, said to organisers on pages: in their language, with moments as pages show them.

What may be is decided by `striate.competition.in_force`, which says the same in English and with moments for programs; it is
asked afterwards, and by everybody who verifies the chain.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

from django.utils.translation import gettext as _

from striate.competition import Rules
from striate.competition.notices import Timing
from striate.errors import InputError
from striate.portal.moments import shown


def refuse_disorder(rules: Rules, moved: Sequence[Timing], at: datetime) -> None:
    """Look at the phases as they would be.

    Parameters
    ----------
    rules
        In force.
    moved
        Phases that would change.
    at
        Now.

    Raises
    ------
    InputError
        If submissions are over, something would be moved that has passed or to where time has passed, a phase would end before it
        begins, or two would overlap.
    """
    if at >= rules.closes:
        raise InputError(
            _("Submissions were taken until %(when)s: since then no phase can be moved.")
            % {"when": shown(rules.closes)}
        )
    new = {timing.phase: timing for timing in moved}
    for phase in rules.phases:
        if phase.name not in new:
            continue
        after = new[phase.name]
        for before, moment in ((phase.starts, after.starts), (phase.ends, after.ends)):
            if before != moment and min(before, moment) <= at:
                raise InputError(
                    _(
                        "It is %(now)s: what was to be on %(before)s cannot be moved to %(after)s, since only what lies ahead can be "
                        "moved, and only to where it lies ahead."
                    )
                    % {"now": shown(at), "before": shown(before), "after": shown(moment)}
                )
    phases = [
        new.get(phase.name) or Timing(phase=phase.name, starts=phase.starts, ends=phase.ends) for phase in rules.phases
    ]
    for each in phases:
        if each.ends <= each.starts:
            raise InputError(
                _("Phase %(phase)s would end on %(ends)s, but begin on %(starts)s: put the dates in order.")
                % {"phase": each.phase, "ends": shown(each.ends), "starts": shown(each.starts)}
            )
    for former, latter in pairwise(phases):
        if latter.starts < former.ends:
            raise InputError(
                _(
                    "Phase %(latter)s would begin on %(starts)s, before phase %(former)s ends on %(ends)s: move the other phase first."
                )
                % {
                    "latter": latter.phase,
                    "starts": shown(latter.starts),
                    "former": former.phase,
                    "ends": shown(former.ends),
                }
            )
