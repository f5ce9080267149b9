"""The full recordings that a competition is made of: opened, known again, and held against its rules before any work."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from striate._internal.progress_bars import progress_bar
from striate.benchmarks import BenchmarkSpec
from striate.competition.fingerprints import picture_hashes, response_hashes
from striate.competition.rules import Rules
from striate.competition.tables import Track
from striate.errors import InputError, listed
from striate.recordings import Recording
from striate.simulate import Simulation

Array = NDArray[Any]
Source = Path | str | Recording | Simulation


@dataclass(frozen=True, eq=False)
class Full:
    """A full recording.

    Attributes
    ----------
    recording
        As it was given, with nothing withheld.
    order : (T,)
        Place of each trial in the order of presentation, from 0; empty where nothing tells it.
    picture : (T,)
        Hash of the pixels of each trial's image: the same picture has the same one in all recordings.
    seed
        Seed that it was simulated from, where that is known.
    """

    recording: Recording
    order: NDArray[np.int64]
    picture: NDArray[np.str_] = field(repr=False)
    seed: int | None = None

    @property
    def session(self) -> str:
        """Its session."""
        return self.recording.session

    @property
    def tier(self) -> NDArray[Any]:
        """Tier of each trial, (T,)."""
        return self.recording.trials["tier"].to_numpy().astype(str)


def opened(source: Source) -> Full:
    """Open a full recording: a path, a recording in memory, or a simulated one with what it withholds.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    seed = None
    if isinstance(source, Simulation):
        seed = source.truth.seed
        recording = source.truth.reveal(source.recording)
        recording = made_of(
            recording.session,
            recording.neurons,
            recording.trials.assign(trial_idx=source.truth.order),
            recording.arrays,
            recording.benchmark,
        )
    elif isinstance(source, Recording):
        recording = source
    else:
        from striate.catalog import open as open_recording

        recording = open_recording(source)
    indices = recording.trials["trial_idx"].to_numpy()
    order = np.empty(0, dtype=np.int64)
    if indices.dtype.kind in "iu":
        order = np.argsort(np.argsort(indices, kind="stable")).astype(np.int64)
    return Full(recording, order, picture_hashes(recording.images), seed)


def made_of(
    session: str, neurons: pd.DataFrame, trials: pd.DataFrame, arrays: Mapping[str, Array], benchmark: BenchmarkSpec
) -> Recording:
    """A recording of tables and arrays, with statistics computed over its training trials."""
    return Recording(
        session,
        neurons,
        trials,
        images=arrays["images"],
        responses=arrays["responses"],
        behavior=arrays.get("behavior"),
        pupil_center=arrays.get("pupil_center"),
        benchmark=benchmark,
    )


def open_all(rules: Rules, sources: Iterable[Source]) -> dict[str, Full]:
    """Open the recordings that the rules name, and hold each against them.

    Returns
    -------
    dict
        By session, in the order of ``rules.sessions``.

    Raises
    ------
    InputError
        If one is missing, too many, not full, too small, or contradicts itself; the sentence says which and how to mend it.
    """
    found: dict[str, Full] = {}
    given = list(sources)
    with progress_bar("reading recordings", len(given)) as advance:
        for source in given:
            full = opened(source)
            if full.session not in rules.sessions:
                raise InputError(
                    f"Recording {full.session} is in none of the rules' tracks and not for pre-training: leave it out, or add "
                    f"it. The rules name {', '.join(rules.sessions)}."
                )
            if full.recording.benchmark != rules.benchmark:
                raise InputError(
                    f"Recording {full.session} follows {_other_benchmark(full.recording.benchmark, rules.benchmark)}: put that of "
                    "the recordings under benchmark in the rules."
                )
            if full.session in found:
                raise InputError(f"Recording {full.session} was given twice: give each once.")
            found[full.session] = full
            advance(1)
    if missing := [session for session in rules.sessions if session not in found]:
        raise InputError(
            f"The rules name {listed(missing)}, which {'was' if len(missing) == 1 else 'were'} not given: add it."
        )
    for track in rules.tracks:
        require_fit(found[track.session], track, rules)
    for session in rules.pretraining.sessions:
        _require_full(found[session])
        _require_one_picture_an_id(found[session])
    _refuse_the_same_twice(found)
    return {session: found[session] for session in rules.sessions}


def _other_benchmark(given: BenchmarkSpec, expected: BenchmarkSpec) -> str:
    if given.name != expected.name:
        return f"benchmark {given.name!r}, and the rules {expected.name!r}"
    tables, others = given.model_dump(mode="json"), expected.model_dump(mode="json")
    keys = [key for key, value in tables.items() if value != others[key]]
    return f"another description of benchmark {given.name!r} than the rules have (they differ in {listed(keys)})"


def require_fit(full: Full, track: Track, rules: Rules) -> None:
    """Raise `InputError` unless a track can be made of a recording."""
    who, recording = f"Recording {full.session} (track {track.name!r})", full.recording
    _require_full(full)
    _require_one_picture_an_id(full)
    training, live, final = rules.benchmark.training_tier, rules.live_tier, rules.final_tier
    if training not in recording.tiers:
        raise InputError(f"{who} has no training trials: give a recording with a tier {training!r}.")
    split = rules.tiers.split
    if split == "given" and final not in recording.tiers:
        raise InputError(
            f'{who} has no tier {final!r}, and the rules take the split as given: set tiers.split = "stratified" to draw the '
            "final images from its test images."
        )
    if split == "stratified" and final in recording.tiers:
        raise InputError(f'{who} has a tier {final!r} already: set tiers.split = "given", or rename the tier.')
    if live not in recording.tiers:
        raise InputError(f"{who} has no tier {live!r}: there is nothing to withhold.")
    _require_apart(full, who)
    _require_enough(full, rules, who)
    for variable, missing in (
        ("behavior", recording.behavior_withheld),
        ("pupil_center", recording.pupil_center_withheld),
    ):
        needing = [name for name in track.protocols if variable in rules.benchmark.protocol(name).inputs]
        if missing and variable not in track.withhold and needing:
            raise InputError(
                f"{who} has no {variable} (all zero), but the track allows {needing[-1]!r}: allow only protocols without it, "
                f"and name {variable!r} in withhold."
            )


def _require_full(full: Full) -> None:
    recording = full.recording
    for tier in recording.benchmark.test_tiers:
        if tier in recording.tiers and tier in recording.withheld_tiers:
            raise InputError(
                f"Recording {full.session} withholds the responses of tier {tier!r} itself (all zero): a competition is made of "
                "full recordings."
            )
    for tier in recording.benchmark.training_tiers:
        if tier in recording.tiers and not recording.responses[recording.rows(tier)].any():
            raise InputError(
                f"Recording {full.session} has no responses in tier {tier!r} (all zero): give the full recording."
            )


def _require_one_picture_an_id(full: Full) -> None:
    pictures = pd.Series(full.picture).groupby(full.recording.trials["image_id"].to_numpy()).nunique()
    if several := pictures[pictures > 1].index.tolist():
        raise InputError(
            f"In recording {full.session} {len(several)} image ids stand for different pictures ({listed(several)}), so that repeats "
            "cannot be told: give each picture its own id (`striate check` lists all)."
        )


def _require_apart(full: Full, who: str) -> None:
    shown_in: dict[str, set[str]] = {}
    withheld = set(full.recording.benchmark.board_tiers)
    for picture, tier in zip(full.picture.tolist(), full.tier.tolist(), strict=True):
        shown_in.setdefault(picture, set()).add(tier)
    for picture, shown in shown_in.items():
        if len(shown) > 1 and shown & withheld:
            row = int(np.flatnonzero(full.picture == picture)[0])
            raise InputError(
                f"{who} shows image {full.recording.trials['image_id'].iloc[row]} in the tiers {', '.join(sorted(shown))}: an image "
                "of a test tier is shown in no other, or models learn it by heart."
            )


def _require_enough(full: Full, rules: Rules, who: str) -> None:
    stratified = rules.tiers.split == "stratified"
    for tier, called, wanted in (
        (rules.live_tier, "live", rules.tiers.live),
        (rules.final_tier, "final", rules.tiers.final),
    ):
        shown = full.picture[full.tier == (rules.live_tier if stratified else tier)]
        repeats = pd.Series(shown).value_counts()
        images = len(repeats)
        if stratified:
            finals = int(np.clip(round(rules.tiers.final_share * images), 1, max(1, images - 1)))
            images = finals if called == "final" else images - finals
        if images < wanted.least_images:
            of = f" (of {len(repeats)} test images, final_share = {rules.tiers.final_share})" if stratified else ""
            raise InputError(
                f"{who} gives {images} {called} images{of}, and tiers.{called}.least_images asks for {wanted.least_images}: take "
                "another recording, or ask for fewer."
            )
        if (fewest := int(repeats.min())) < wanted.least_repeats:
            few = int((repeats < wanted.least_repeats).sum())
            raise InputError(
                f"{who} shows {few} of its {called} images less than {wanted.least_repeats} times (fewest: {fewest}), as "
                f"tiers.{called}.least_repeats asks: leave these images out, or ask for fewer repeats"
                f"{'' if wanted.least_repeats > 2 or fewest > 1 else '; FEVE and the correlation to average need 2'}."
            )


def _refuse_the_same_twice(found: dict[str, Full]) -> None:
    """One trial in two recordings would give away in one what the other withholds."""
    owner: dict[str, str] = {}
    with progress_bar("comparing recordings", len(found)) as advance:
        for session, full in found.items():
            for signature in set(response_hashes(full.recording.responses).tolist()) - {""}:
                if (other := owner.setdefault(signature, session)) != session:
                    raise InputError(
                        f"Recordings {other} and {session} have trials with the very same responses: they are one recording "
                        "under two names, and what one withholds could be read in the other. Give different recordings."
                    )
            advance(1)
