"""Scores of a submission, or of any array of predictions, against the truth."""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate._internal.progress_bars import progress_bar
from striate.errors import InputError, shortened, validate_count, validate_seed
from striate.metrics import (
    METRICS_VERSION,
    Reliability,
    Repeats,
    estimate_metrics,
    evaluate,
    jackknife_oracle,
    split_half,
)
from striate.metrics import bootstrap as resample
from striate.metrics.bootstrap import DEFAULT_RESAMPLES, BootstrapEstimate, Interval
from striate.metrics.compute import affordable_resamples
from striate.metrics.estimates import TOGETHER
from striate.metrics.evaluate import METRICS, NORMALISED_METRICS
from striate.metrics.registered import registered_info
from striate.metrics.score_summary import ScoreSummary, summarise_scores
from striate.registry import metrics as registry
from striate.submissions.alignment import align, require_same_benchmark, require_same_session, require_same_tiers
from striate.submissions.ground_truth import Truth
from striate.submissions.open import open_submission, open_truth
from striate.submissions.scorecard import (
    CEILINGS,
    BootstrapSettings,
    IntervalScore,
    MetricScore,
    MetricSource,
    Score,
    Scorecard,
    TierScores,
)
from striate.submissions.submission import Submission
from striate.submissions.trial_table import prefix_errors

if TYPE_CHECKING:
    from striate.recordings import Recording


def score(
    submission: Submission | Path | str,
    truth: "Truth | Recording | Path | str",
    *,
    tiers: Sequence[str] | str | None = None,
    metrics: Sequence[str] | str | None = None,
    bootstrap: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    allow_failures: bool = False,
) -> Scorecard:
    """Score a submission against the truth.

    Rows are aligned by trial index and columns by unit id, so that they may be in any order.

    Parameters
    ----------
    submission
        Predictions of every trial and neuron of the truth, or a path that `open_submission` accepts.
    truth
        The standardised responses, a recording that has them, or a path that `open_truth` accepts.
    tiers
        The tiers to score. By default all tiers, which must then be the same in submission and truth.
    metrics
        Further metrics to compute, by the names that they are registered by (`striate.registry.metrics`). Those that the
        benchmark of the truth names are always computed.
    bootstrap
        Number of resamples of the images for the confidence intervals; 0 for no intervals. Further metrics of large recordings
        have fewer, see `striate.metrics.compute.affordable_resamples`.
    seed
        Random seed of the resamples and of the random halves of the split-half reliability.
    allow_failures
        Whether a further metric may fail: then its score is not defined, and says why.

    Returns
    -------
    Scorecard
        The scores, with the neurons in the order of the truth.

    Raises
    ------
    InputError
        If a tier, trial or neuron is missing or extra, a trial has another image id, a file is damaged, or a further metric
        does not exist, or fails and may not.
    WithheldError
        If the truth is a recording or an archive that withholds the responses.

    Examples
    --------
    >>> from striate.submissions import Submission, Truth, score
    >>> trials = {"tier": ["test"] * 4, "trial_idx": [1, 2, 3, 4], "image_id": [0, 0, 1, 1]}
    >>> truth = Truth("27204-5-13", [7], **trials, responses=[[1.0], [2.0], [5.0], [6.0]])
    >>> submission = Submission(
    ...     "27204-5-13", None, "image", [7], **trials, predictions=[[1.0], [1.0], [2.0], [2.0]]
    ... )
    >>> score(submission, truth, bootstrap=0)  # doctest: +ELLIPSIS
    <Scorecard 27204-5-13, image, 1 neurons: test single-trial correlation 0.9701, ...>
    """
    _validate_resamples(bootstrap)
    validate_seed(seed)
    typed = _typed_tiers(tiers)
    asked_for = further_metrics(metrics)  # an unknown name is refused before anything is read
    source = submission
    submission, truth = _open(submission, truth, typed)
    requested = None if typed is None else truth.benchmark.tier_names(typed)
    further = further_metrics([*truth.benchmark.metrics.names, *asked_for])
    with prefix_errors(source):
        require_same_session(submission, truth, "truth")
        require_same_benchmark(submission, truth, "truth")
        scored_tiers = require_same_tiers(submission.tiers, truth.tiers) if requested is None else requested
        alignments = {tier: align(submission, truth, tier) for tier in scored_tiers}  # find all errors before scoring
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        fingerprints = [pool.submit(getattr, table, "fingerprint") for table in (submission, truth)]
        scores = {}
        for tier in scored_tiers:
            rows = truth.rows(tier)
            responses = truth.responses if len(rows) == len(truth.tier) else truth.responses[rows]
            predictions = alignments[tier].reorder(submission.predictions)
            repeats = Repeats(truth.image_id[rows])
            other = {
                name: _score_further_metric(name, responses, predictions, repeats, bootstrap, seed, allow_failures)
                for name in further
            }
            scores[tier] = _score_tier(responses, predictions, repeats, other, bootstrap, seed, pool)
        submission_fingerprint, truth_fingerprint = (future.result() for future in fingerprints)
    return Scorecard(
        metrics_version=METRICS_VERSION,
        benchmark=truth.benchmark,
        session=submission.session or truth.session,
        track=submission.track,
        protocol=submission.protocol,
        submission_fingerprint=submission_fingerprint,
        truth_fingerprint=truth_fingerprint,
        bootstrap=BootstrapSettings(resamples=bootstrap, seed=seed),
        unit_ids=truth.unit_ids.tolist(),
        tiers=scores,
    )


def _typed_tiers(tiers: object) -> tuple[str, ...] | None:
    """Return the tiers as they were typed; which names they have is known when the truth is open."""
    if tiers is None or isinstance(tiers, str):
        return None if tiers is None else (tiers,)
    if not isinstance(tiers, Iterable):
        raise InputError(f"tiers is {shortened(tiers)}; expected names of tiers, such as ['test'].")
    typed = tuple(tiers)
    if not typed:
        raise InputError("No tier is to be scored; name at least one.")
    return typed


def _validate_resamples(bootstrap: object) -> None:
    if isinstance(bootstrap, int) and bootstrap < 0:
        raise InputError(
            f"A bootstrap of {bootstrap} resamples was asked for; give 0 for none, or usually {DEFAULT_RESAMPLES}."
        )
    validate_count("bootstrap", bootstrap, minimum=0)


def score_array(
    predictions: ArrayLike,
    truth: Truth,
    *,
    metrics: Sequence[str] | str | None = None,
    bootstrap: int = DEFAULT_RESAMPLES,
    seed: int = 0,
) -> Scorecard:
    """Score an array of predictions, such as the expected responses of a simulation, like a submission.

    Parameters
    ----------
    predictions : (T, N)
        Predictions in standardised units. Rows and columns are those of the truth, in the same order.
    truth
        The standardised responses.
    metrics, bootstrap, seed
        As in `score`.

    Returns
    -------
    Scorecard
        The scores, without a track and a protocol.

    Raises
    ------
    InputError
        If the shape is not that of the responses of the truth, or a value is not finite.

    Examples
    --------
    >>> from striate.submissions import Truth, score_array
    >>> truth = Truth("27204-5-13", [7], ["test"] * 3, [1, 2, 3], [0, 0, 1], [[1.0], [2.0], [5.0]])
    >>> card = score_array([[1.0], [1.0], [3.0]], truth, bootstrap=0)
    >>> round(card.tiers["test"].single_trial_correlation.mean, 3)
    0.971
    """
    submission = Submission(
        session=truth.session,
        track=None,
        protocol=None,
        unit_ids=truth.unit_ids,
        tier=truth.tier,
        trial_idx=truth.trial_idx,
        image_id=truth.image_id,
        predictions=cast("NDArray[np.float32]", predictions),  # the constructor validates the type
        benchmark=truth.benchmark,
    )
    return score(submission, truth, metrics=metrics, bootstrap=bootstrap, seed=seed)


def _open(
    submission: Submission | Path | str, truth: "Truth | Recording | Path | str", tiers: tuple[str, ...] | None
) -> tuple[Submission, Truth]:
    """Open submission and truth in parallel, because parsing two CSVs of 200 MB takes most of the time."""
    if not isinstance(submission, Submission | str | os.PathLike):
        type_name = type(submission).__name__
        raise InputError(f"The submission is of type {type_name}; give a path, or make one with Submission.from_array.")
    only = tiers[0] if tiers and len(tiers) == 1 else None
    with ThreadPoolExecutor(max_workers=1) as pool:
        future = pool.submit(_open_truth, truth, tiers)
        opened = submission if isinstance(submission, Submission) else open_submission(submission, tier=only)
        return opened, future.result()


def _open_truth(truth: "Truth | Recording | Path | str", tiers: tuple[str, ...] | None) -> Truth:
    from striate.recordings import Recording

    if isinstance(truth, Truth):
        return truth
    if isinstance(truth, Recording):
        return Truth.from_recording(truth, tiers)
    if isinstance(truth, str | os.PathLike):
        return open_truth(Path(truth), tiers=tiers)
    raise InputError(f"A truth is a Truth, a recording or a path, got {type(truth).__name__}.")


def _score_tier(
    responses: NDArray[np.float32],
    predictions: NDArray[np.float32],
    repeats: Repeats,
    other: dict[str, MetricScore],
    resamples: int,
    seed: int,
    pool: ThreadPoolExecutor,
) -> TierScores:
    metrics = pool.submit(evaluate, responses, predictions, repeats)
    reliability = pool.submit(split_half, responses, repeats, seed=seed)
    oracle = pool.submit(jackknife_oracle, responses, repeats)
    intervals = resample(responses, predictions, repeats, resamples=resamples, seed=seed) if resamples else None
    metric_set = metrics.result()
    values = {name: metric_set.feve.values if name == "feve" else getattr(metric_set, name) for name in METRICS} | {
        "cc_norm": metric_set.cc_norm.values
    }
    summaries = summarise_scores(metric_set, intervals, len(repeats.images))
    return TierScores(
        trials=repeats.trials,
        images=len(repeats.images),
        **{name: _metric_score(summaries[name], values[name]) for name in (*METRICS, *NORMALISED_METRICS)},
        **{name: _reliability_score(getattr(metric_set, name), getattr(intervals, name, None)) for name in CEILINGS},
        jackknife_oracle=_reliability_score(oracle.result()),
        split_half=_reliability_score(reliability.result()),
        other=other,
    )


def further_metrics(metrics: object) -> tuple[str, ...]:
    """Return the names of registered metrics, each once, without those that every scorecard has.

    Raises
    ------
    InputError
        If `metrics` are not names of metrics, or there is no such metric.

    Examples
    --------
    >>> further_metrics(["feve"])
    ()
    """
    names = [] if metrics is None else [metrics] if isinstance(metrics, str) else metrics
    if not isinstance(names, Iterable) or isinstance(names, bytes):
        raise InputError(f"metrics is {shortened(metrics)}; expected names of metrics, such as {[*registry][:1]}.")
    return tuple(name for name in dict.fromkeys(registry[each].name for each in names) if name not in TOGETHER)


def _score_further_metric(
    name: str,
    responses: NDArray[np.float32],
    predictions: NDArray[np.float32],
    repeats: Repeats,
    resamples: int,
    seed: int,
    allow_failures: bool,
) -> MetricScore:
    component, info = registry[name], registered_info(name)
    with progress_bar(info.label, affordable_resamples(resamples, *responses.shape)) as advance:
        found = estimate_metrics(
            [name],
            responses,
            predictions,
            repeats,
            resamples=resamples,
            seed=seed,
            advance=advance,
            allow_failures=allow_failures,
        )[name]
    return MetricScore(
        **_metric_score(found.summary, found.values).model_dump(),
        label=info.label,
        higher_is_better=info.higher_is_better,
        resamples=0 if found.bootstrap is None else len(found.bootstrap.samples),
        source=MetricSource(**asdict(component.source)),
    )


def _metric_score(summary: ScoreSummary, values: NDArray[np.float64]) -> Score:
    return Score(
        mean=summary.mean,
        reason=summary.reason,
        interval=_interval(summary.interval),
        neurons=int(np.isfinite(values).sum()),
        per_neuron=_nan_to_none(values),
    )


def _reliability_score(reliability: Reliability, estimate: BootstrapEstimate | None = None) -> Score:
    return Score(
        mean=reliability.mean,
        reason=reliability.reason,
        interval=_interval(estimate.interval if estimate else None),
        neurons=int(np.isfinite(reliability.values).sum()),
        per_neuron=_nan_to_none(reliability.values),
    )


def _interval(interval: Interval | None) -> IntervalScore | None:
    return IntervalScore(low=interval.low, high=interval.high, level=interval.level) if interval else None


def _nan_to_none(values: NDArray[np.float64]) -> list[float | None]:
    return [None if value != value else value for value in values.tolist()]
