"""What scores are compared with: the noise ceiling of recordings, and the oracle of simulated ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from striate.errors import InputError
from striate.metrics import cc_max, single_trial_ceiling
from striate.metrics.score_summary import ceilings_by_metric
from striate.simulate.oracle import oracle_scores
from striate.submissions import Truth
from striate.zoo.results import References

if TYPE_CHECKING:
    from striate.recordings import Recording
    from striate.simulate import SimulatedTruth

_Means = Mapping[str, float | None]


def references(
    recordings: Sequence[Recording], tiers: Sequence[str], truths: Sequence[SimulatedTruth] = ()
) -> dict[str, dict[str, References]]:
    """Return the ceilings and the oracles of tiers, as means over recordings.

    Parameters
    ----------
    recordings
        The recordings.
    tiers
        Tiers whose responses are known.
    truths
        Ground truths of simulated recordings. There is an oracle only if each recording has one.

    Returns
    -------
    dict
        Tier → metric → references.

    Raises
    ------
    InputError
        If a truth is not that of a recording.
    """
    known = {truth.session: truth for truth in truths}
    sessions = {recording.session for recording in recordings}
    if unknown := [session for session in known if session not in sessions]:
        raise InputError(
            f"There is a truth of {unknown[0]}, but no such recording: give its archive, or leave the truth out."
        )
    found = {}
    for tier in tiers:
        sources: dict[str, list[_Means]] = {"ceiling": [_ceilings(each, tier) for each in recordings]}
        if known and set(known) == sessions:
            sources["oracle_image"] = [
                oracle_scores(known[each.session], each, tier, "image").means for each in recordings
            ]
            sources["oracle_state"] = [oracle_scores(known[each.session], each, tier).means for each in recordings]
        names = dict.fromkeys(name for means in sources.values() for one in means for name in one)
        found[tier] = {
            name: References(**{source: _mean([one.get(name) for one in means]) for source, means in sources.items()})
            for name in names
        }
    return found


def _ceilings(recording: Recording, tier: str) -> _Means:
    truth = Truth.from_recording(recording, tier)
    return ceilings_by_metric(
        {
            "single_trial_ceiling": single_trial_ceiling(truth.responses, truth.image_id).mean,
            "cc_max": cc_max(truth.responses, truth.image_id).mean,
        }
    )


def _mean(values: Sequence[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined and len(defined) == len(values) else None
