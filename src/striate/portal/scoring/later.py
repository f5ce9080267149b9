"""Have a board ranked a little later, by a worker."""

from striate.portal.models import Job


def rank_later(track: str, protocol: str) -> None:
    """Have a board ranked, in the transaction of what changes it; a job that has not begun will see this change, too."""
    waiting = Job.objects.filter(kind=Job.Kind.RANK, track=track, protocol=protocol, done_at=None, lease="")
    if not waiting.exists():
        Job.objects.create(kind=Job.Kind.RANK, track=track, protocol=protocol)
