"""Metrics by name, of striate and of plugins: values, mean, and confidence interval. Scorecards and leaderboards use these."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate.metrics.bootstrap import (
    CONFIDENCE_LEVEL,
    DEFAULT_RESAMPLES,
    BootstrapEstimate,
    bootstrap,
    paired_bootstrap,
)
from striate.metrics.compute import (
    MetricFailedError,
    affordable_resamples,
    bootstrap_metric,
    compute_metric,
    mean_of_counting,
)
from striate.metrics.evaluate import METRICS, NORMALISED_METRICS, evaluate
from striate.metrics.registered import registered_info
from striate.metrics.repeated_images import Repeats
from striate.metrics.score_summary import ScoreSummary, summarise_scores, too_few_images_reason

TOGETHER = (*METRICS, *NORMALISED_METRICS)  # computed in one pass
_NO_NEURON = "it has a value for no neuron"


@dataclass(frozen=True)
class MetricEstimate:
    """A metric of one prediction.

    Attributes
    ----------
    values : (N,)
        Value of each neuron; NaN for neurons that do not count.
    summary
        Mean and interval, or the reason why there is none.
    bootstrap
        Mean of each resample of the images; None if there were no resamples.
    """

    values: NDArray[np.float64]
    summary: ScoreSummary
    bootstrap: BootstrapEstimate | None


def estimate_metrics(
    names: Sequence[str],
    responses: ArrayLike,
    predictions: ArrayLike,
    image_ids: ArrayLike | Repeats,
    *,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    level: float = CONFIDENCE_LEVEL,
    advance: Callable[[int], None] = lambda steps: None,
    allow_failures: bool = False,
) -> dict[str, MetricEstimate]:
    """Compute registered metrics with the confidence intervals of their means.

    Parameters
    ----------
    names
        Names of the metrics in `striate.registry.metrics`. Those of striate are computed together, in one pass.
    responses, predictions : (T, N)
        Standardised responses of one tier and their predictions.
    image_ids : (T,)
        Id of the image shown in each trial, or the `Repeats` made of these ids.
    resamples
        Number of resamples of the images; 0 for no intervals. Metrics of plugins have fewer in large recordings, see
        `striate.metrics.compute.affordable_resamples`.
    seed, level
        As in `striate.metrics.bootstrap`.
    advance
        Called with 1 after each resample of a metric of a plugin, to show progress.
    allow_failures
        Whether a metric of a plugin may fail: then it is not defined, and the summary says why. A leaderboard must not stop at
        predictions that one metric cannot bear.

    Returns
    -------
    dict
        Estimates by name, in the order of `names`.

    Raises
    ------
    InputError
        If there is no such metric, the shapes of the arrays do not match, or a metric of a plugin fails and may not.

    Examples
    --------
    >>> from striate.metrics import estimate_metrics
    >>> rng = np.random.default_rng(0)
    >>> predictions = rng.normal(size=(30, 2))
    >>> responses = predictions + rng.normal(size=(30, 2))
    >>> found = estimate_metrics(["single_trial_correlation"], responses, predictions, range(30), resamples=20)
    >>> round(found["single_trial_correlation"].summary.mean, 2)
    0.62
    """
    repeats = Repeats.from_image_ids(image_ids, len(np.asarray(responses)))
    found: dict[str, MetricEstimate] = {}
    if any(name in TOGETHER for name in names):
        metrics = evaluate(responses, predictions, repeats)
        drawn = (
            bootstrap(responses, predictions, repeats, resamples=resamples, seed=seed, level=level)
            if resamples
            else None
        )
        summaries = summarise_scores(metrics, drawn, len(repeats.images))
        values = {name: getattr(metrics, name) for name in TOGETHER}
        values |= {name: values[name].values for name in ("feve", "cc_norm")}
        found = {name: MetricEstimate(values[name], summaries[name], getattr(drawn, name, None)) for name in TOGETHER}
    for name in dict.fromkeys(names):
        if name not in found:
            found[name] = _estimate(
                name, responses, predictions, repeats, resamples, seed, level, advance, allow_failures
            )
    return {name: found[name] for name in names}


def _estimate(
    name: str,
    responses: ArrayLike,
    predictions: ArrayLike,
    repeats: Repeats,
    resamples: int,
    seed: int,
    level: float,
    advance: Callable[[int], None],
    allow_failures: bool,
) -> MetricEstimate:
    try:
        values = compute_metric(name, responses, predictions, repeats)
    except MetricFailedError as error:
        if not allow_failures:
            raise
        none = np.full(np.shape(responses)[1], np.nan)
        return MetricEstimate(none, ScoreSummary(None, None, error.reason), None)
    mean = mean_of_counting(values)
    if mean is None:
        return MetricEstimate(values, ScoreSummary(None, None, _NO_NEURON), None)
    count = affordable_resamples(resamples, repeats.trials, len(values))
    if not count:
        return MetricEstimate(values, ScoreSummary(mean, None, None), None)
    drawn = bootstrap_metric(
        name,
        responses,
        predictions,
        repeats,
        resamples=count,
        seed=seed,
        level=level,
        advance=advance,
        allow_failures=allow_failures,
    )
    few = too_few_images_reason(drawn, len(repeats.images)) if registered_info(name).ratio else None
    return MetricEstimate(
        values, ScoreSummary(None, None, few) if few else ScoreSummary(mean, drawn.interval, None), drawn
    )


def estimate_difference(
    name: str,
    responses: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    image_ids: ArrayLike | Repeats,
    *,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    level: float = CONFIDENCE_LEVEL,
    allow_failures: bool = False,
) -> BootstrapEstimate:
    """Compute the confidence interval of the difference between two predictions in the mean of a registered metric.

    Both predictions are scored on the same resamples of the images, as in `striate.metrics.paired_bootstrap`.

    Parameters
    ----------
    name
        Name of the metric in `striate.registry.metrics`.
    responses, first, second : (T, N)
        Standardised responses of one tier and the two predictions.
    image_ids, resamples, seed, level
        As in `estimate_metrics`.
    allow_failures
        Whether a metric of a plugin may fail in a resample, which is then not defined.

    Returns
    -------
    BootstrapEstimate
        Estimate of first − second. For a metric whose lower values are better, the better prediction has the lower value.

    Raises
    ------
    InputError
        As in `estimate_metrics`.

    Examples
    --------
    >>> from striate.metrics import estimate_difference
    >>> rng = np.random.default_rng(0)
    >>> better = rng.normal(size=(30, 2))
    >>> responses, worse = better + rng.normal(size=(30, 2)), better + 3 * rng.normal(size=(30, 2))
    >>> found = estimate_difference("single_trial_correlation", responses, better, worse, range(30), resamples=50)
    >>> found.excludes_zero
    True
    """
    repeats = Repeats.from_image_ids(image_ids, len(np.asarray(responses)))
    if name in TOGETHER:
        drawn = paired_bootstrap(responses, first, second, repeats, resamples=resamples, seed=seed, level=level)
        found: BootstrapEstimate = getattr(drawn, name)
        return found
    count = affordable_resamples(resamples, *np.shape(responses))
    a, b = (
        bootstrap_metric(
            name,
            responses,
            predictions,
            repeats,
            resamples=count,
            seed=seed,
            level=level,
            allow_failures=allow_failures,
        )
        for predictions in (first, second)
    )
    value = None if a.value is None or b.value is None else a.value - b.value
    return BootstrapEstimate(value, a.samples - b.samples, level)
