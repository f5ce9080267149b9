"""Comparison of models on one truth: scores with confidence intervals, and paired differences."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from striate.benchmarks import BenchmarkSpec, load_benchmark
from striate.metrics import Bootstrap, paired_bootstrap
from striate.metrics.bootstrap import DEFAULT_RESAMPLES
from striate.metrics.evaluate import METRICS, NORMALISED_METRICS
from striate.metrics.score_summary import METRIC_CEILINGS, is_too_few_images
from striate.submissions import MetricScore, Scorecard, Submission, Truth, score
from striate.submissions.alignment import align
from striate.submissions.scorecard import LABELS, require_one_benchmark


@dataclass(frozen=True)
class ScoredModel:
    """A model or an oracle, with its predictions and scores.

    Attributes
    ----------
    name
        Name of the model in tables and figures.
    submission
        Predictions of every trial of the truth.
    scorecard
        Scores of these predictions.

    Examples
    --------
    >>> from striate.report import score_model
    >>> from striate.submissions import Submission, Truth
    >>> trials = {"tier": ["test"] * 3, "trial_idx": [1, 2, 3], "image_id": [0, 0, 1]}
    >>> truth = Truth("27204-5-13", [7], **trials, responses=[[1.0], [2.0], [5.0]])
    >>> submission = Submission("27204-5-13", None, "image", [7], **trials, predictions=[[1.0], [1.0], [3.0]])
    >>> model = score_model("CNN", submission, truth, bootstrap=0)
    >>> model.name, model.predictions(truth, "test").tolist()
    ('CNN', [[1.0], [1.0], [3.0]])
    """

    name: str
    submission: Submission
    scorecard: Scorecard

    @property
    def protocol(self) -> str | None:
        """Protocol of the submission (what the model sees); None if it is not stated."""
        return self.submission.protocol

    @property
    def benchmark(self) -> BenchmarkSpec:
        """Benchmark that the predictions were scored under."""
        return self.scorecard.benchmark

    @property
    def sees_image_alone(self) -> bool | None:
        """Whether the model sees only the image, so that the ceilings bound it; None if its protocol is not stated."""
        return self.benchmark.sees_image_alone(self.protocol)

    def predictions(self, truth: Truth, tier: str) -> NDArray[np.float32]:
        """Return the predictions of one tier in the order of the rows and columns of the truth, of shape (T, N)."""
        return align(self.submission, truth, tier).reorder(self.submission.predictions)


def score_model(
    name: str,
    submission: Submission,
    truth: Truth,
    *,
    metrics: Sequence[str] | str | None = None,
    bootstrap: int = DEFAULT_RESAMPLES,
    seed: int = 0,
) -> ScoredModel:
    """Score a submission, for comparison with others on the same truth.

    Parameters
    ----------
    name
        Name of the model in tables and figures.
    submission
        Predictions of every trial of the truth.
    truth
        Measured responses.
    metrics
        Names of further metrics to compute, as in `striate.score`.
    bootstrap, seed
        Number of resamples for the confidence intervals, and their random seed.

    Examples
    --------
    >>> from striate.report import score_model
    >>> from striate.submissions import Submission, Truth
    >>> trials = {"tier": ["test"] * 3, "trial_idx": [1, 2, 3], "image_id": [0, 0, 1]}
    >>> truth = Truth("27204-5-13", [7], **trials, responses=[[1.0], [2.0], [5.0]])
    >>> submission = Submission("27204-5-13", None, "image", [7], **trials, predictions=[[1.0], [1.0], [3.0]])
    >>> score_model("CNN", submission, truth, bootstrap=0).protocol
    'image'
    """
    return ScoredModel(name, submission, score(submission, truth, metrics=metrics, bootstrap=bootstrap, seed=seed))


def group_by_protocol(models: Iterable[ScoredModel]) -> dict[str | None, list[ScoredModel]]:
    """Group models by protocol, in the order of the benchmark's protocols. Only models of one group are compared.

    Raises
    ------
    InputError
        If the models were scored under different benchmarks.

    Examples
    --------
    >>> from striate.report import score_model
    >>> from striate.submissions import Submission, Truth
    >>> trials = {"tier": ["test"] * 3, "trial_idx": [1, 2, 3], "image_id": [0, 0, 1]}
    >>> truth = Truth("27204-5-13", [7], **trials, responses=[[1.0], [2.0], [5.0]])
    >>> models = [
    ...     score_model(name, Submission("27204-5-13", None, protocol, [7], **trials, predictions=[[1.0]] * 3), truth, bootstrap=0)
    ...     for name, protocol in (("B", "image + behaviour"), ("A", "image"))
    ... ]
    >>> {protocol: [model.name for model in group] for protocol, group in group_by_protocol(models).items()}
    {'image': ['A'], 'image + behaviour': ['B']}
    """
    grouped: dict[str | None, list[ScoredModel]] = {}
    for model in models:
        grouped.setdefault(model.protocol, []).append(model)
    if not grouped:
        return {}
    benchmark = require_one_benchmark([model.scorecard for group in grouped.values() for model in group])
    return {name: grouped[name] for name in (*benchmark.protocol_names, None) if name in grouped}


def protocol_title(protocol: str | None) -> str:
    """Return the name of a protocol in headings.

    Examples
    --------
    >>> protocol_title("image"), protocol_title(None)
    ('protocol image', 'protocol not stated')
    """
    return "protocol not stated" if protocol is None else f"protocol {protocol}"


def sort_by_score(models: Sequence[ScoredModel]) -> list[ScoredModel]:
    """Sort models by protocol, and within each protocol from the lowest to the highest score.

    The score is the correlation to average on the first tier, or the single-trial correlation if no image is repeated.

    Examples
    --------
    >>> from striate.report import score_model
    >>> from striate.submissions import Submission, Truth
    >>> trials = {"tier": ["test"] * 3, "trial_idx": [1, 2, 3], "image_id": [0, 0, 1]}
    >>> truth = Truth("27204-5-13", [7], **trials, responses=[[1.0], [2.0], [5.0]])
    >>> models = [
    ...     score_model(
    ...         name,
    ...         Submission("27204-5-13", None, "image", [7], **trials, predictions=predictions),
    ...         truth,
    ...         bootstrap=0,
    ...     )
    ...     for name, predictions in (("CNN", [[1.0], [1.0], [3.0]]), ("constant", [[1.0], [1.0], [1.0]]))
    ... ]
    >>> [model.name for model in sort_by_score(models)]
    ['constant', 'CNN']
    """

    def ranking_score(model: ScoredModel) -> float:
        scores = next(iter(model.scorecard.tiers.values()))
        means = (scores.correlation_to_average.mean, scores.single_trial_correlation.mean)
        return next((mean for mean in means if mean is not None), float("-inf"))

    return [each for group in group_by_protocol(models).values() for each in sorted(group, key=ranking_score)]


@dataclass(frozen=True)
class PairedDifference:
    """Difference between the scores of two models on one tier, from the same resamples of the images.

    Attributes
    ----------
    better, worse
        Names of the two models. The difference is ``better`` − ``worse``.
    tier
        Name of the tier.
    metrics
        Bootstrap estimates of the differences.

    Examples
    --------
    >>> from striate.metrics import paired_bootstrap
    >>> responses, good, bad = [[1.0], [2.0], [5.0]], [[1.0], [2.0], [4.0]], [[2.0], [2.0], [2.0]]
    >>> estimates = paired_bootstrap(responses, good, bad, image_ids=[0, 0, 1], resamples=10)
    >>> difference = PairedDifference("CNN", "constant", "test", estimates)
    >>> round(difference.metrics.single_trial_correlation.value, 3)
    0.996
    """

    better: str
    worse: str
    tier: str
    metrics: Bootstrap


def paired_differences(
    models: Sequence[ScoredModel], truth: Truth, *, resamples: int = DEFAULT_RESAMPLES, seed: int = 0
) -> list[PairedDifference]:
    """Compare each model with the previous model of the same protocol, on every tier of the truth.

    Parameters
    ----------
    models
        Models in the order of their scores, from the lowest to the highest. Models of different protocols are not compared.
    truth
        Measured responses.
    resamples, seed
        Number of resamples of the paired bootstrap over images, and its random seed.

    Returns
    -------
    list of PairedDifference
        One difference for each pair of neighbours and each tier.

    Examples
    --------
    >>> from striate.report import paired_differences, score_model
    >>> from striate.submissions import Submission, Truth
    >>> trials = {"tier": ["test"] * 3, "trial_idx": [1, 2, 3], "image_id": [0, 0, 1]}
    >>> truth = Truth("27204-5-13", [7], **trials, responses=[[1.0], [2.0], [5.0]])
    >>> models = [
    ...     score_model(
    ...         name,
    ...         Submission("27204-5-13", None, "image", [7], **trials, predictions=predictions),
    ...         truth,
    ...         bootstrap=0,
    ...     )
    ...     for name, predictions in (("constant", [[1.0], [1.0], [1.0]]), ("CNN", [[1.0], [1.0], [3.0]]))
    ... ]
    >>> (difference,) = paired_differences(models, truth, resamples=10)
    >>> difference.better, difference.worse, round(difference.metrics.single_trial_correlation.value, 3)
    ('CNN', 'constant', 0.971)
    """
    results = []
    pairs = [pair for group in group_by_protocol(models).values() for pair in pairwise(group)]
    for tier in truth.tiers:
        rows = truth.rows(tier)
        responses, image_ids = truth.responses[rows], truth.image_id[rows]
        for worse, better in pairs:
            paired = paired_bootstrap(
                responses,
                better.predictions(truth, tier),
                worse.predictions(truth, tier),
                image_ids,
                resamples=resamples,
                seed=seed,
            )
            results.append(PairedDifference(better.name, worse.name, tier, paired))
    return results


def scores_with_intervals(models: Sequence[ScoredModel], tier: str) -> dict[str, dict[str, tuple[float, float, float]]]:
    """Return (mean, lower bound, upper bound) of each metric, by model and metric, without metrics that are not defined.

    Examples
    --------
    >>> from striate.report import score_model
    >>> from striate.submissions import Submission, Truth
    >>> trials = {"tier": ["test"] * 3, "trial_idx": [1, 2, 3], "image_id": [0, 0, 1]}
    >>> truth = Truth("27204-5-13", [7], **trials, responses=[[1.0], [2.0], [5.0]])
    >>> submission = Submission("27204-5-13", None, "image", [7], **trials, predictions=[[1.0], [1.0], [3.0]])
    >>> model = score_model("CNN", submission, truth, bootstrap=0)
    >>> [round(value, 3) for value in scores_with_intervals([model], "test")["CNN"]["single_trial_correlation"]]
    [0.971, 0.971, 0.971]
    """
    rows: dict[str, dict[str, tuple[float, float, float]]] = {}
    for model in models:
        rows[model.name] = {}
        for metric in metric_labels():
            result = getattr(model.scorecard.tiers[tier], metric)
            if result.mean is not None:
                interval = result.interval
                low, high = (interval.low, interval.high) if interval else (result.mean, result.mean)
                rows[model.name][metric] = (result.mean, low, high)
    return rows


def metric_labels() -> dict[str, str]:
    """Return the metrics of a comparison, with their names in tables.

    Examples
    --------
    >>> metric_labels()["feve"]
    'FEVE'
    """
    return {metric: LABELS[metric] for metric in (*METRICS, *NORMALISED_METRICS)}


def further_scores(models: Sequence[ScoredModel], tier: str) -> dict[str, dict[str, MetricScore]]:
    """Return the scores of the metrics beside those of `metric_labels`, by metric and model.

    Examples
    --------
    >>> further_scores([], "test")
    {}
    """
    scores: dict[str, dict[str, MetricScore]] = {}
    for model in models:
        for metric, scored in model.scorecard.tiers[tier].other.items():
            scores.setdefault(metric, {})[model.name] = scored
    return scores


def ceilings_with_intervals(models: Sequence[ScoredModel], tier: str) -> dict[str, tuple[float, float, float]]:
    """Return (mean, lower bound, upper bound) of the ceiling of each metric, without ceilings that are not defined.

    Examples
    --------
    >>> from striate.report import score_model
    >>> from striate.submissions import Submission, Truth
    >>> trials = {"tier": ["test"] * 4, "trial_idx": [1, 2, 3, 4], "image_id": [0, 0, 1, 1]}
    >>> truth = Truth("27204-5-13", [7], **trials, responses=[[1.0], [2.0], [5.0], [6.0]])
    >>> submission = Submission("27204-5-13", None, "image", [7], **trials, predictions=[[1.0], [1.0], [3.0], [3.0]])
    >>> model = score_model("CNN", submission, truth, bootstrap=0)
    >>> round(ceilings_with_intervals([model], "test")["correlation_to_average"][0], 3)
    0.984
    """
    scores = models[0].scorecard.tiers[tier]
    ceilings: dict[str, tuple[float, float, float]] = {}
    for metric, name in METRIC_CEILINGS.items():
        ceiling = getattr(scores, name)
        if ceiling.mean is not None:
            low, high = (ceiling.interval.low, ceiling.interval.high) if ceiling.interval else (ceiling.mean,) * 2
            ceilings[metric] = (ceiling.mean, low, high)
    return ceilings


def ceiling_description(protocol: str | None, benchmark: BenchmarkSpec | None = None) -> str:
    """Return a sentence that explains the ceilings for models of a protocol of a benchmark, by default of SENSORIUM 2022.

    Examples
    --------
    >>> ceiling_description("image")
    'The ceiling is the score expected of a perfect model of the image: √FEV for single trials, CC_max for averages.'
    """
    description = "The ceiling is the score expected of a perfect model of the image: √FEV for single trials, CC_max for averages."
    if not load_benchmark(benchmark).sees_image_alone(protocol):
        description += " A model that sees behaviour can exceed it."
    return description


def has_too_few_images(models: Sequence[ScoredModel], difference: "PairedDifference", metric: str) -> bool:
    """Return whether one of the two scores of a difference has too few images, so that the difference is not reported.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> score = SimpleNamespace(reason="too few images: 6 leave …")
    >>> scorecard = SimpleNamespace(tiers={"test": SimpleNamespace(feve=score)})
    >>> models = [SimpleNamespace(name=name, scorecard=scorecard) for name in ("CNN", "LN")]
    >>> has_too_few_images(models, SimpleNamespace(better="CNN", worse="LN", tier="test"), "feve")
    True
    """
    pair = (difference.better, difference.worse)
    scores = [getattr(c.scorecard.tiers[difference.tier], metric) for c in models if c.name in pair]
    return any(is_too_few_images(score.reason) for score in scores)
