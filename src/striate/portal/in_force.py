"""What is in force now: the rules of the folder, with what the notices in the portal's chain have changed since.

It is asked of the database each time, so that every process on every machine goes by the same phases from the moment on that a
notice was written.
"""

from functools import lru_cache

from striate.competition import InForce, Rules
from striate.competition.receipts import parsed
from striate.portal.competition import competition
from striate.portal.models import Link

NOTICES = ("amendment", "disqualification", "reinstatement")


def in_force() -> InForce:
    """Rules, moved phases and disqualified teams, as they are now."""
    bodies = Link.objects.filter(kind__in=NOTICES).order_by("number").values_list("body", flat=True)
    return _after(competition().anchor, tuple(bodies))


def rules_in_force() -> Rules:
    """The rules, with the phases as they are now."""
    return in_force().rules


@lru_cache(maxsize=8)
def _after(anchor: str, bodies: tuple[str, ...]) -> InForce:
    """What follows from notices, which are read once a process; the anchor stands for the rules."""
    return InForce.of(competition().rules, (parsed(body, "the portal's chain") for body in bodies))
