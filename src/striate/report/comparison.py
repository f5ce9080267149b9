"""Comparison of models on one truth: scores with confidence intervals, and paired differences."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from striate.benchmarks import BenchmarkSpec
from striate.metrics import Repeats, estimate_difference, paired_bootstrap
from striate.metrics.bootstrap import DEFAULT_RESAMPLES, BootstrapEstimate
from striate.metrics.estimates import TOGETHER
from striate.metrics.score_summary import METRIC_CEILINGS, RATIO_METRICS, is_too_few_images
from striate.submissions import Score, Scorecard, Submission, Truth, score
from striate.submissions.alignment import align
from striate.submissions.scorecard import require_one_benchmark


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
    metrics
        Metrics that were asked for, beside those of the benchmark.

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
    metrics: tuple[str, ...] = ()

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
    card = score(submission, truth, metrics=metrics, bootstrap=bootstrap, seed=seed)
    return ScoredModel(name, submission, card, (metrics,) if isinstance(metrics, str) else tuple(metrics or ()))


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
    """Sort models by protocol, and within each protocol from the worst to the best score on the first tier.

    The score is that of `ranking_metric`.

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
    return [model for group in group_by_protocol(models).values() for model in _from_worst_to_best(group)]


def _from_worst_to_best(group: list[ScoredModel]) -> list[ScoredModel]:
    metric = ranking_metric(group)
    if metric is None:
        return group
    tier = next(iter(group[0].scorecard.tiers))

    def quality(model: ScoredModel) -> float:
        scores = model.scorecard.tiers[tier]
        mean = scores.by_name[metric].mean
        return float("-inf") if mean is None else mean if scores.higher_is_better(metric) else -mean

    return sorted(group, key=quality)


def ranking_metric(models: Sequence[ScoredModel]) -> str | None:
    """Return the metric by which models of one protocol are sorted: the one that ranks the board of their first tier.

    The board is that of the first track of the benchmark that allows the protocol. Where the metric is not defined, it is the
    first of the others that is; None if none is, or there are no models.

    Examples
    --------
    >>> from striate.report import score_model
    >>> from striate.submissions import Submission, Truth
    >>> trials = {"tier": ["test"] * 3, "trial_idx": [1, 2, 3], "image_id": [0, 0, 1]}
    >>> truth = Truth("27204-5-13", [7], **trials, responses=[[1.0], [2.0], [5.0]])
    >>> submission = Submission("27204-5-13", None, "image", [7], **trials, predictions=[[1.0], [1.0], [3.0]])
    >>> model = score_model("CNN", submission, truth, bootstrap=0)
    >>> ranking_metric([model])
    'correlation_to_average'
    """
    if not models:
        return None
    benchmark = require_one_benchmark([model.scorecard for model in models])
    tier = next(iter(models[0].scorecard.tiers))
    board = next(each.board for each in benchmark.tiers if each.name == tier)
    track = next((each.name for each in benchmark.tracks if models[0].protocol in each.protocols), None)
    scores = [model.scorecard.tiers[tier].by_name for model in models]
    for name in (benchmark.ranking_metric(board=board, track=track), *metric_labels(models, tier)):
        if any(name in each and each[name].mean is not None for each in scores):
            return name
    return None


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
        Bootstrap estimate of the difference in each metric, by its name. Of a metric whose lower values are better, a negative
        difference is an improvement.

    Examples
    --------
    >>> from striate.metrics import estimate_difference
    >>> responses, good, bad = [[1.0], [2.0], [5.0]], [[1.0], [2.0], [4.0]], [[2.0], [2.0], [2.0]]
    >>> metric = "single_trial_correlation"
    >>> estimate = estimate_difference(metric, responses, good, bad, image_ids=[0, 0, 1], resamples=10)
    >>> difference = PairedDifference("CNN", "constant", "test", {metric: estimate})
    >>> round(difference.metrics[metric].value, 3)
    0.996
    """

    better: str
    worse: str
    tier: str
    metrics: Mapping[str, BootstrapEstimate]

    def entry(self, metric: str) -> tuple[float, float, float] | None:
        """Return difference, lower and upper bound; None if the difference is not defined."""
        estimate = self.metrics.get(metric)
        interval = estimate.interval if estimate else None
        if estimate is None or estimate.value is None or interval is None:
            return None
        return estimate.value, interval.low, interval.high


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
    >>> difference.better, difference.worse, round(difference.metrics["single_trial_correlation"].value, 3)
    ('CNN', 'constant', 0.971)
    """
    results = []
    pairs = [pair for group in group_by_protocol(models).values() for pair in pairwise(group)]
    for tier in truth.tiers:
        rows = truth.rows(tier)
        responses, repeats = truth.responses[rows], Repeats(truth.image_id[rows])
        for worse, better in pairs:
            first, second = better.predictions(truth, tier), worse.predictions(truth, tier)
            differences: dict[str, BootstrapEstimate] = {}
            of_worse = metric_labels([worse], tier)
            in_both = [name for name in metric_labels([better], tier) if name in of_worse]
            if any(name in TOGETHER for name in in_both):
                together = paired_bootstrap(responses, first, second, repeats, resamples=resamples, seed=seed)
                differences = {name: getattr(together, name) for name in TOGETHER}
            for name in in_both:
                if name not in TOGETHER and _is_defined(better, tier, name) and _is_defined(worse, tier, name):
                    differences[name] = estimate_difference(
                        name, responses, first, second, repeats, resamples=resamples, seed=seed
                    )
            results.append(PairedDifference(better.name, worse.name, tier, differences))
    return results


def _is_defined(model: ScoredModel, tier: str, metric: str) -> bool:
    return model.scorecard.tiers[tier].by_name[metric].mean is not None


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
        scores = model.scorecard.tiers[tier].by_name
        for metric in metric_labels(models, tier):
            if metric in scores and (entry := _with_interval(scores[metric])) is not None:
                rows[model.name][metric] = entry
    return rows


def _with_interval(score: Score) -> tuple[float, float, float] | None:
    if score.mean is None:
        return None
    return (score.mean, score.interval.low, score.interval.high) if score.interval else (score.mean,) * 3


def metric_labels(models: Sequence[ScoredModel], tier: str) -> dict[str, str]:
    """Return the metrics of a comparison, with their names in tables: those of the benchmark, then those that were asked for.

    Examples
    --------
    >>> from striate.report import score_model
    >>> from striate.submissions import Submission, Truth
    >>> trials = {"tier": ["test"] * 3, "trial_idx": [1, 2, 3], "image_id": [0, 0, 1]}
    >>> truth = Truth("27204-5-13", [7], **trials, responses=[[1.0], [2.0], [5.0]])
    >>> submission = Submission("27204-5-13", None, "image", [7], **trials, predictions=[[1.0], [1.0], [3.0]])
    >>> model = score_model("CNN", submission, truth, bootstrap=0)
    >>> list(metric_labels([model], "test").values())
    ['single-trial correlation', 'correlation to average', 'FEVE', 'normalised correlation']
    """
    labels: dict[str, str] = {}
    for model in models:
        scores = model.scorecard.tiers[tier]
        for name in (*model.benchmark.metrics.shown, *model.metrics, *scores.other):
            if name in scores.by_name:
                direction = "" if scores.higher_is_better(name) else " (lower is better)"
                labels.setdefault(name, scores.label(name) + direction)
    return labels


def tier_phrase(benchmark: BenchmarkSpec, tier: str) -> str:
    """Return what a tier is called within a sentence: "the" and its title, or its name.

    Examples
    --------
    >>> from striate.benchmarks import load_benchmark
    >>> tier_phrase(load_benchmark(), "test"), tier_phrase(load_benchmark(), "validation")
    ('the live test', 'tier validation')
    """
    title = next(each.title for each in benchmark.tiers if each.name == tier)
    return f"the {title}" if title else f"tier {tier}"


def ceilings_with_intervals(models: Sequence[ScoredModel], tier: str) -> dict[str, tuple[float, float, float]]:
    """Return (mean, lower bound, upper bound) of the ceiling of each metric, without ceilings that are not defined.

    The ceiling of ratios such as FEVE is 1 by definition. Metrics of plugins have no ceiling. If no correlation has one, the
    result is empty.

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
    scores, shown = models[0].scorecard.tiers[tier], metric_labels(models, tier)
    if all(getattr(scores, name).mean is None for name in METRIC_CEILINGS.values()):
        return {}
    ceilings = dict.fromkeys(RATIO_METRICS, (1.0, 1.0, 1.0))
    for metric, name in METRIC_CEILINGS.items():
        if (entry := _with_interval(getattr(scores, name))) is not None:
            ceilings[metric] = entry
    return {metric: ceiling for metric, ceiling in ceilings.items() if metric in shown}


def ceiling_description(image_alone: bool | None) -> str:
    """Return a sentence that explains the ceilings for models of a protocol.

    Parameters
    ----------
    image_alone
        Whether models of the protocol see the image alone; None if no protocol is stated.

    Examples
    --------
    >>> ceiling_description(True)
    'The ceiling is the score expected of a perfect model of the image: √FEV for single trials, CC_max for averages.'
    """
    description = "The ceiling is the score expected of a perfect model of the image: √FEV for single trials, CC_max for averages."
    if not image_alone:
        description += " A model that sees behaviour can exceed it."
    return description


def has_too_few_images(models: Sequence[ScoredModel], difference: "PairedDifference", metric: str) -> bool:
    """Return whether one of the two scores of a difference has too few images, so that the difference is not reported.

    Examples
    --------
    >>> from striate.report import score_model
    >>> from striate.submissions import Submission, Truth
    >>> trials = {"tier": ["test"] * 3, "trial_idx": [1, 2, 3], "image_id": [0, 0, 1]}
    >>> truth = Truth("27204-5-13", [7], **trials, responses=[[1.0], [2.0], [5.0]])
    >>> submission = Submission("27204-5-13", None, "image", [7], **trials, predictions=[[1.0], [1.0], [3.0]])
    >>> model = score_model("CNN", submission, truth, bootstrap=0)
    >>> has_too_few_images([model], PairedDifference("CNN", "LN", "test", {}), "feve")
    False
    """
    pair = (difference.better, difference.worse)
    scores = [model.scorecard.tiers[difference.tier].by_name.get(metric) for model in models if model.name in pair]
    return any(score is not None and is_too_few_images(score.reason) for score in scores)


def score_text(entry: tuple[float, float, float] | None, sign: str = "") -> tuple[str, str]:
    """Return a score and its interval as texts for tables; both are empty without a score.

    Numbers have three decimals; significant digits if they are all below 0.001, or one is 1,000 or more.

    Parameters
    ----------
    entry
        Value, lower and upper bound.
    sign
        ``"+"`` for differences, which always have a sign.

    Examples
    --------
    >>> score_text((0.5, 0.4, 0.6)), score_text((-12345.0, -12400.0, -12290.0))
    (('0.500', '[0.400, 0.600]'), ('-12345', '[-12400, -12290]'))
    """
    if entry is None:
        return "", ""
    largest = max(abs(number) for number in entry)
    digits = ".3f" if largest == 0 or 0.001 <= largest < 1000 else ".5g" if largest >= 1000 else ".3g"
    value, low, high = (format(number, sign + digits) for number in entry)
    return value, f"[{low}, {high}]"
