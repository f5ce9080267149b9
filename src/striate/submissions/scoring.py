"""Score a submission, or any array of predictions, against the truth."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate.benchmarks.tiers import tier_names
from striate.errors import InputError, validate_count, validate_seed
from striate.metrics import (
    METRICS_VERSION,
    Reliability,
    Repeats,
    evaluate,
    jackknife_oracle,
    split_half,
)
from striate.metrics import bootstrap as resample
from striate.metrics.bootstrap import DEFAULT_RESAMPLES, BootstrapEstimate, Interval
from striate.metrics.evaluate import METRICS, NORMALISED_METRICS
from striate.metrics.score_summary import ScoreSummary, summarise_scores
from striate.submissions.alignment import match, matched_tiers, same_session
from striate.submissions.ground_truth import Truth
from striate.submissions.open import open_submission, open_truth
from striate.submissions.scorecard import (
    CEILINGS,
    BootstrapSettings,
    IntervalScore,
    Score,
    Scorecard,
    TierScores,
)
from striate.submissions.submission import Submission
from striate.submissions.trial_table import naming

if TYPE_CHECKING:
    from striate.recordings import Recording


def score(
    submission: Submission | Path | str,
    truth: "Truth | Recording | Path | str",
    *,
    tiers: Sequence[str] | str | None = None,
    bootstrap: int = DEFAULT_RESAMPLES,
    seed: int = 0,
) -> Scorecard:
    """Score a submission against the truth.

    Rows are matched by trial index and columns by unit id, in any order.

    Parameters
    ----------
    submission
        Predictions of every trial and neuron of the truth, or a path that `open_submission` takes.
    truth
        The standardised responses, a recording that has them, or a path that `open_truth` takes.
    tiers
        The tiers to score; by default all, which then must be the same in both.
    bootstrap
        Number of resamples of the images for the intervals; 0 for none.
    seed
        Of the resamples, and of the random halves of the split-half reliability.

    Returns
    -------
    Scorecard
        With the neurons in the order of the truth.

    Raises
    ------
    InputError
        If a trial, neuron or tier is missing, extra, or shows another image, or a file is damaged.
    WithheldError
        If the truth is a recording or an archive that withholds the responses.
    """
    _check_resamples(bootstrap)
    validate_seed(seed)
    asked = None if tiers is None else tier_names(tiers)
    if asked == ():
        raise InputError("No tier is to be scored; name at least one.")
    given = submission
    submission, truth = _opened(submission, truth, asked)
    with naming(given):
        same_session(submission, truth, "truth")
        wanted = matched_tiers(submission.tiers, truth.tiers) if asked is None else asked
        matches = {tier: match(submission, truth, tier) for tier in wanted}  # all, before any work
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        fingerprints = [pool.submit(getattr, table, "fingerprint") for table in (submission, truth)]
        scored = {}
        for tier in wanted:
            rows = truth.rows(tier)
            responses = truth.responses if len(rows) == len(truth.tier) else truth.responses[rows]
            predictions = matches[tier].take(submission.predictions)
            scored[tier] = _score_tier(responses, predictions, truth.image_id[rows], bootstrap, seed, pool)
        of_submission, of_truth = (future.result() for future in fingerprints)
    return Scorecard(
        metrics_version=METRICS_VERSION,
        session=submission.session or truth.session,
        track=submission.track,
        protocol=submission.protocol,
        submission_fingerprint=of_submission,
        truth_fingerprint=of_truth,
        bootstrap=BootstrapSettings(resamples=bootstrap, seed=seed),
        unit_ids=truth.unit_ids.tolist(),
        tiers=scored,
    )


def _check_resamples(bootstrap: object) -> None:
    if isinstance(bootstrap, int) and bootstrap < 0:
        raise InputError(
            f"A bootstrap of {bootstrap} resamples was asked for; give 0 for none, or usually {DEFAULT_RESAMPLES}."
        )
    validate_count("bootstrap", bootstrap, minimum=0)


def score_array(
    predictions: ArrayLike,
    truth: Truth,
    *,
    bootstrap: int = DEFAULT_RESAMPLES,
    seed: int = 0,
) -> Scorecard:
    """Score an array, such as the expected response of a simulation or an oracle, as if it were a submission.

    Parameters
    ----------
    predictions : (T, N)
        A row for each row of the truth and a column for each of its unit ids, in the same order; standardised units.
    truth
        The standardised responses.
    bootstrap, seed
        As for `score`.

    Raises
    ------
    InputError
        If the shape is not that of the truth's responses, or a value is not finite.
    """
    submission = Submission(
        session=truth.session,
        track=None,
        protocol=None,
        unit_ids=truth.unit_ids,
        tier=truth.tier,
        trial_idx=truth.trial_idx,
        image_id=truth.image_id,
        predictions=cast("NDArray[np.float32]", predictions),  # whatever they are: they are checked here
    )
    return score(submission, truth, bootstrap=bootstrap, seed=seed)


def _opened(
    submission: Submission | Path | str, truth: "Truth | Recording | Path | str", tiers: tuple[str, ...] | None
) -> tuple[Submission, Truth]:
    """Open both at once: parsing 200 MB of text each is most of the work."""
    if not isinstance(submission, Submission | str | os.PathLike):
        what = type(submission).__name__
        raise InputError(f"A submission or a path is scored, got {what}: make one with Submission.from_array.")
    only = tiers[0] if tiers and len(tiers) == 1 else None
    with ThreadPoolExecutor(max_workers=1) as pool:
        opening = pool.submit(_truth, truth, tiers)
        opened = submission if isinstance(submission, Submission) else open_submission(submission, tier=only)
        return opened, opening.result()


def _truth(given: "Truth | Recording | Path | str", tiers: tuple[str, ...] | None) -> Truth:
    from striate.recordings import Recording

    if isinstance(given, Truth):
        return given
    if isinstance(given, Recording):
        return Truth.of(given, tiers)
    if isinstance(given, str | os.PathLike):
        return open_truth(Path(given), tiers=tiers)
    raise InputError(f"A truth is a Truth, a recording or a path, got {type(given).__name__}.")


def _score_tier(
    responses: NDArray[np.float32],
    predictions: NDArray[np.float32],
    image_ids: NDArray[np.generic],
    resamples: int,
    seed: int,
    pool: ThreadPoolExecutor,
) -> TierScores:
    repeats = Repeats(image_ids)
    metrics = pool.submit(evaluate, responses, predictions, repeats)
    reliability = pool.submit(split_half, responses, repeats, seed=seed)
    oracle = pool.submit(jackknife_oracle, responses, repeats)
    intervals = resample(responses, predictions, repeats, resamples=resamples, seed=seed) if resamples else None
    found = metrics.result()
    values = {name: found.feve.values if name == "feve" else getattr(found, name) for name in METRICS} | {
        "cc_norm": found.cc_norm.values
    }
    said = summarise_scores(found, intervals, len(repeats.images))
    return TierScores(
        trials=repeats.trials,
        images=len(repeats.images),
        **{name: _metric(said[name], values[name]) for name in (*METRICS, *NORMALISED_METRICS)},
        **{name: _of_neurons(getattr(found, name), getattr(intervals, name, None)) for name in CEILINGS},
        jackknife_oracle=_of_neurons(oracle.result()),
        split_half=_of_neurons(reliability.result()),
    )


def _metric(said: ScoreSummary, values: NDArray[np.float64]) -> Score:
    return Score(
        mean=said.mean,
        reason=said.reason,
        interval=_interval(said.interval),
        neurons=int(np.isfinite(values).sum()),
        per_neuron=_or_none(values),
    )


def _of_neurons(found: Reliability, resampled: BootstrapEstimate | None = None) -> Score:
    return Score(
        mean=found.mean,
        reason=found.reason,
        interval=_interval(resampled.interval if resampled else None),
        neurons=int(np.isfinite(found.values).sum()),
        per_neuron=_or_none(found.values),
    )


def _interval(interval: Interval | None) -> IntervalScore | None:
    return IntervalScore(low=interval.low, high=interval.high, level=interval.level) if interval else None


def _or_none(values: NDArray[np.float64]) -> list[float | None]:
    return [None if value != value else value for value in values.tolist()]
