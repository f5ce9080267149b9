"""Take over a chain of receipts that ``striate competition receipt`` began, so that the portal goes on with it."""

from django.db import transaction

from striate.competition import Amendment, InForce, Receipt, Receipts
from striate.competition.manifest import sha256_of
from striate.competition.name_key import name_key
from striate.competition.receipts import FILE, require_whole
from striate.errors import InputError
from striate.portal.competition import competition
from striate.portal.models import Job, Link, Submission, Team
from striate.portal.models.submissions import State
from striate.portal.receiving import store
from striate.portal.receiving.chain import lock_chain, write
from striate.portal.receiving.states import move

_LONGEST_REASON = 300  # characters, of which a team's row has room; the chain has all


def take_over() -> int:
    """Take over the receipts of the competition's folder, if the portal has none yet; return how many there were.

    Every submission must be kept where the portal keeps its own, named by its hash. Each is scored anew by the portal's worker.

    Raises
    ------
    InputError
        If the chain is broken or has a notice that no organiser could give, a submission is missing or was changed, or the portal has a chain that is another.
    """
    folder = competition().folder
    if not (folder / FILE).exists():
        return 0
    receipts = Receipts.read(folder)
    require_whole(receipts)
    with transaction.atomic():
        lock_chain()
        digests = list(Link.objects.order_by("number").values_list("digest", flat=True))
        if digests:
            _require_same(receipts, digests)
            return 0
        for receipt in {each.sha256: each for each in reversed(receipts.receipts)}.values():
            _require_kept(receipt)
        standing = InForce.of(competition().rules, receipts.entries)
        taken: dict[tuple[str, str], Submission] = {}
        for entry in receipts.entries:
            if not isinstance(entry, Receipt):
                write(entry, team=None if isinstance(entry, Amendment) else _team(entry.team))
                continue
            key = entry.team, entry.sha256
            if key not in taken:
                taken[key] = _submission(entry)
            write(entry, submission=taken[key])
        for out in standing.disqualified:
            Team.objects.filter(name=out.team).update(
                disqualified_at=out.at, disqualified_for=out.why[:_LONGEST_REASON]
            )
    return len(receipts.entries)


def _require_same(receipts: Receipts, digests: list[str]) -> None:
    own = [receipt.digest for receipt in receipts.entries]
    if own != digests[: len(own)]:
        raise InputError(
            f"{competition().folder / FILE} has other receipts than the portal ({len(own)} and {len(digests)}): receipts are given in "
            "one place. Remove what `striate competition receipt` added after the portal was started, or name other data (--data)."
        )


def _require_kept(receipt: Receipt) -> None:
    lacking = InputError(
        f"The submission of receipt {receipt.number} ({receipt.team!r}) is missing or was changed: put the files of `striate "
        f"competition receipt --store` into {store.where()}, then start again."
    )
    try:
        with store.kept(receipt.sha256) as file:
            if sha256_of(file) != receipt.sha256:
                raise lacking
    except OSError:
        raise lacking from None


def _team(name: str) -> Team:
    team = Team.objects.filter(name_key=name_key(name)).first() or Team.objects.create(name=name)
    if team.name != name:
        raise InputError(
            f"Teams {team.name!r} and {name!r} differ in case or in letters that look alike, which no portal takes: their receipts "
            "cannot be taken over."
        )
    return team


def _submission(receipt: Receipt) -> Submission:
    with store.kept(receipt.sha256) as file:
        size = file.stat().st_size
    made = Submission(
        team=None if receipt.baseline else _team(receipt.team),
        baseline=receipt.team if receipt.baseline else "",
        track=receipt.track,
        protocol=receipt.protocol,
        filename=store.kept_name(receipt.sha256[:16]),
        sha256=receipt.sha256,
        kept=receipt.sha256,
        size=size,
        received_at=receipt.at,
    )
    for state in (State.RECEIVED, State.CHECKED, State.QUEUED):
        move(made, state, "Its receipt was given before the portal was started.")
    made.reason = ""
    made.save()
    Job.objects.create(kind=Job.Kind.SCORE, submission=made)
    return made
