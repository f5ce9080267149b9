"""Fill a board with rows: ``python -m benchmarks.portal.rows COMPETITION DATA COUNT``. Each is a team with one scored submission."""

import sys

import numpy as np

from striate.portal import Place
from striate.portal.running.prepare import set_up


def fill(count: int) -> None:
    """Add teams, their submissions with receipts, and their scores; the board is ranked by the worker."""
    from django.db import transaction
    from django.utils import timezone

    from striate.competition.commitment import scorer
    from striate.metrics.evaluate import METRICS
    from striate.portal.models import Score, Submission, Team
    from striate.portal.models.submissions import State
    from striate.portal.receiving import chain
    from striate.portal.scoring.later import rank_later

    random = np.random.default_rng(0)
    with transaction.atomic():
        ends = chain.lock_chain()
        for number in range(count):
            sent = Submission.objects.create(
                team=Team.objects.create(name=f"Laboratory {number}"),
                track="main",
                protocol="image",
                filename="x.parquet",
                sha256=f"{number:064x}",
                kept=f"{number:064x}",
                size=1,
                state=State.SCORED,
            )
            chain.add(ends, sent, at=timezone.now())
            draws = random.normal(0.3 * random.random(), 0.01, 1001)
            one = {"mean": draws[0], "low": draws[0] - 0.02, "high": draws[0] + 0.02, "reason": None}
            Score.objects.create(
                submission=sent,
                scorer=scorer(),  # a board does not mix versions
                value=draws[0],
                metrics=dict.fromkeys(METRICS, one),
                draws=draws.astype("<f8").tobytes(),
            )
        rank_later("main", "image")


def main() -> None:
    """Read the command line."""
    set_up(Place.of(sys.argv[1], sys.argv[2]))
    fill(int(sys.argv[3]))


if __name__ == "__main__":
    main()
