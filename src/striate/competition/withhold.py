"""One public recording: made of a full one from a list of what may be public, everything else stays behind."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from striate.competition.fingerprints import response_hashes
from striate.competition.full import Full, made_of
from striate.competition.keys import CompetitionSeed, hidden_indices
from striate.competition.vault import Mapping
from striate.recordings import Recording
from striate.submissions import Truth

# Of the neurons; animal, session and scan follow from the session's name. Of the trials: tier, image id, trial index.
PUBLIC_NEURON_FIELDS = ("unit_id", "area", "layer", "x", "y", "z")


@dataclass(frozen=True, eq=False)
class Withheld:
    """What becomes of a full recording.

    Attributes
    ----------
    public
        The recording as it is published.
    mapping
        Which trial of the full recording each of its trials is.
    live, final
        Standardised responses of the withheld tiers; None for a pre-training recording.
    """

    public: Recording
    mapping: Mapping
    live: Truth | None
    final: Truth | None


def withheld(
    full: Full,
    seed: CompetitionSeed,
    *,
    tier: NDArray[np.str_],
    image_id: NDArray[np.int64],
    hide_order: bool,
    hide: tuple[str, ...] = (),
    hide_tests: bool = True,
) -> Withheld:
    """Make the public recording.

    Its trials stand in a fresh random order, and its statistics are computed over the training trials alone.

    Parameters
    ----------
    full
        The full recording.
    seed
        From which order and names of trials follow.
    tier : (T,)
        Tier of each trial of the full recording.
    image_id : (T,)
        Public id of each trial's image.
    hide_order
        Whether trials are named by keyed hashes.
    hide
        Variables that are zero in all trials: ``behavior``, ``pupil_center``.
    hide_tests
        Whether the responses of the tiers of live and final images are zero.
    """
    source, session = full.recording, full.session
    rows = seed.generator(f"files of {session}").permutation(len(source.trials))
    original = source.trials["trial_idx"].to_numpy()
    index: Any = hidden_indices(seed.trial_key(session), original.tolist()) if hide_order else original
    trials = pd.DataFrame({"tier": tier, "image_id": image_id, "trial_idx": index}).iloc[rows].reset_index(drop=True)
    arrays = {name: np.asarray(values[rows]) for name, values in source.arrays.items()}
    neurons = source.neurons[list(PUBLIC_NEURON_FIELDS)]
    benchmark = source.benchmark
    everything = made_of(session, neurons, trials, arrays, benchmark)
    mapping = Mapping(
        row=rows.astype(np.int64),
        original=original[rows].astype(str),
        order=full.order[rows] if full.order.size else full.order,
        behavior=everything.behavior,
        pupil_center=everything.pupil_center,
        trial=response_hashes(arrays["responses"]),
    )
    tiers = benchmark.board_tiers
    live, final = (Truth.from_recording(everything, [tier]) for tier in tiers) if hide_tests else (None, None)
    public = dict(arrays)
    for variable in hide:
        public[variable] = np.zeros_like(public[variable])
    if hide_tests:
        tests = np.flatnonzero(trials["tier"].isin(tiers).to_numpy())
        public["responses"] = public["responses"].copy()
        public["responses"][tests] = 0
    return Withheld(made_of(session, neurons, trials, public, benchmark), mapping, live, final)
