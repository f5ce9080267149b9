"""Scorecard: the scores of a submission for each neuron and on average, with confidence intervals and ceilings."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from striate import __version__
from striate._internal import notebook_html
from striate._internal.atomic_write import atomic_write
from striate._internal.paths import expand_path
from striate._internal.safe_parsing import parse_model, read_limited
from striate._internal.text_cleaning import Line
from striate.benchmarks import BenchmarkSpec, load_benchmark
from striate.benchmarks.spec_tables import ComponentName
from striate.errors import InputError, describe_type
from striate.metrics.evaluate import METRICS, NORMALISED_METRICS
from striate.metrics.registered import registered_info
from striate.metrics.score_summary import missing_score_text

if TYPE_CHECKING:
    import pandas as pd

LABELS = {
    **{name: registered_info(name).label for name in (*METRICS, *NORMALISED_METRICS)},
    "single_trial_ceiling": "single-trial ceiling",
    "cc_max": "ceiling to average",
    "jackknife_oracle": "oracle predictor",
    "split_half": "split-half reliability",
}
CEILINGS = ("single_trial_ceiling", "cc_max")
RELIABILITIES = ("jackknife_oracle", "split_half")
QUANTITIES = (*METRICS, *NORMALISED_METRICS, *CEILINGS, *RELIABILITIES)

_MAX_FILE_BYTES = 2**27  # bytes
_TierName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")]
_PerNeuron = list[float | None]


def _described_benchmark(value: object) -> BenchmarkSpec:
    """Return a benchmark by its description. A name is refused: it could be the path of any file."""
    if not isinstance(value, Mapping | BenchmarkSpec):
        raise ValueError(f"should be the description of a benchmark, not {describe_type(value)}")
    return load_benchmark(value)


_Benchmark = Annotated[
    BenchmarkSpec,
    BeforeValidator(_described_benchmark),
    PlainSerializer(lambda spec: spec.model_dump(mode="json", exclude_none=True)),
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class IntervalScore(_Strict):
    """Confidence interval from resamples of the images.

    Attributes
    ----------
    low, high
        Lower and upper bound.
    level
        Confidence level, such as 0.95.
    """

    low: float
    high: float
    level: float


class Score(_Strict):
    """One metric, ceiling or reliability of one tier.

    Attributes
    ----------
    mean
        Mean over the included neurons; None if it is not defined.
    reason
        Why `mean` is None; None if it is defined.
    interval
        Confidence interval of the mean; None for a reliability, an undefined mean, or without a bootstrap.
    neurons
        Number of included neurons.
    per_neuron
        One value for each unit id of the scorecard; None for excluded neurons.

    Examples
    --------
    >>> from striate.submissions import Score
    >>> Score(mean=0.5, reason=None, interval=None, neurons=2, per_neuron=[0.4, 0.6])
    Score(mean=0.5, reason=None, interval=None, neurons=2)
    """

    mean: float | None
    reason: str | None
    interval: IntervalScore | None
    neurons: int
    per_neuron: _PerNeuron

    def __repr_args__(self) -> Any:
        return [(name, value) for name, value in super().__repr_args__() if name != "per_neuron"]


class MetricSource(_Strict):
    """Where the code of a metric comes from; the attributes are those of `striate.registry.Source`."""

    module: str
    package: str | None
    version: str | None
    sha256: str | None


class MetricScore(Score):
    """Score of a further metric, of a benchmark or from another package.

    Attributes
    ----------
    label
        Name of the metric in tables.
    higher_is_better
        Whether better predictions have higher values.
    resamples
        Number of resamples of the interval; 0 for none. Large recordings have fewer than the scorecard's other metrics.
    source
        Module, package and hash of its code. Scores of different code must not be compared.

    Examples
    --------
    >>> import striate
    >>> from striate.metrics import describe_metric
    >>> from striate.submissions import Truth, score_array
    >>> @striate.registry.metrics.register("example_error")
    ... @describe_metric("squared error", higher_is_better=False)
    ... def squared_error(responses, predictions, repeats):
    ...     return ((responses - predictions) ** 2).mean(axis=0)
    >>> truth = Truth("27204-5-13", [7], ["test"] * 3, [1, 2, 3], [0, 0, 1], [[1.0], [2.0], [5.0]])
    >>> card = score_array([[1.0], [1.0], [5.0]], truth, metrics="example_error", bootstrap=0)
    >>> card.tiers["test"].other["example_error"].label, round(card.tiers["test"].other["example_error"].mean, 3)
    ('squared error', 0.333)
    """

    label: Line
    higher_is_better: bool
    resamples: int
    source: MetricSource


class TierScores(_Strict):
    """The scores of one tier.

    Attributes
    ----------
    trials, images
        Number of trials and of images.
    single_trial_correlation, correlation_to_average, feve
        The three metrics of SENSORIUM 2022.
    cc_norm
        Correlation to average, divided by its ceiling.
    single_trial_ceiling, cc_max
        The highest single-trial correlation and the highest correlation to average expected of a model that sees only the
        image.
    jackknife_oracle, split_half
        Reliability of the responses: the correlation of single trials with the mean of the other repeats (the oracle
        predictor, which is not a ceiling), and the split-half reliability.
    other
        Scores of further metrics, by the names that they are registered by.

    Examples
    --------
    >>> from striate.submissions import Truth, score_array
    >>> truth = Truth("27204-5-13", [7], ["test"] * 3, [1, 2, 3], [0, 0, 1], [[1.0], [2.0], [5.0]])
    >>> scores = score_array([[1.0], [1.0], [3.0]], truth, bootstrap=0).tiers["test"]
    >>> scores.trials, scores.images, round(scores.single_trial_correlation.mean, 3)
    (3, 2, 0.971)
    """

    trials: int
    images: int
    single_trial_correlation: Score
    correlation_to_average: Score
    feve: Score
    cc_norm: Score
    single_trial_ceiling: Score
    cc_max: Score
    jackknife_oracle: Score
    split_half: Score
    other: Annotated[dict[ComponentName, MetricScore], Field(max_length=64)] = {}

    @model_serializer(mode="wrap")
    def _without_empty(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave `other` out if there are no further metrics."""
        fields: dict[str, Any] = serialize(self)
        if not self.other:
            fields.pop("other", None)
        return fields

    @property
    def by_name(self) -> dict[str, Score]:
        """All scores by name: metrics, further metrics, ceilings and reliabilities."""
        return {
            **{name: getattr(self, name) for name in (*METRICS, *NORMALISED_METRICS)},
            **self.other,
            **{name: getattr(self, name) for name in (*CEILINGS, *RELIABILITIES)},
        }

    def label(self, name: str) -> str:
        """Return the name of a score in tables."""
        return self.other[name].label if name in self.other else LABELS[name]

    def higher_is_better(self, name: str) -> bool:
        """Return whether better predictions have a higher value of a metric, as all of striate's own have."""
        return self.other[name].higher_is_better if name in self.other else True

    def __repr__(self) -> str:
        return f"<TierScores of {self.trials} trials of {self.images} images: {_mean_scores_text(self)}>"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return notebook_html.section(f"{self.trials:,} trials of {self.images:,} images", self.html_table())

    def html_table(self) -> str:
        """Return the scores as an HTML table for notebooks."""
        rows, undefined = [], []
        for name, score in self.by_name.items():
            interval = f"{score.interval.low:.4f} to {score.interval.high:.4f}" if score.interval else ""
            mean = "–" if score.mean is None else f"{score.mean:.4f}"
            rows.append((self.label(name), mean, interval, f"{score.neurons:,}"))
            if score.mean is None:
                undefined.append(notebook_html.small_text(f"{self.label(name)}: {missing_score_text(score.reason)}"))
        return notebook_html.table(("", "mean", "interval", "neurons"), rows) + "".join(undefined)


class BootstrapSettings(_Strict):
    """Settings of the confidence intervals.

    Attributes
    ----------
    resamples
        Number of resamples; 0 for no intervals.
    seed
        Random seed of the resamples and of the random halves of the split-half reliability.
    """

    resamples: int
    seed: int


class Scorecard(_Strict):
    """All scores of a submission.

    Attributes
    ----------
    metrics_version
        Value of `striate.metrics.METRICS_VERSION`. Scores of different versions must not be compared.
    striate_version
        Version of striate that computed the scores.
    benchmark
        Description of the benchmark of the truth. Scores of different benchmarks must not be compared.
    session, track, protocol
        Session, track and protocol of the submission; None if not known.
    submission_fingerprint, truth_fingerprint
        SHA-256 hashes of the ids and values of submission and truth.
    unit_ids
        Unit ids of the values in `Score.per_neuron`, in the same order.
    bootstrap
        Settings of the confidence intervals.
    tiers
        Scores of each tier, by its name.

    Examples
    --------
    >>> from striate.submissions import Truth, score_array
    >>> truth = Truth("27204-5-13", [7], ["test"] * 3, [1, 2, 3], [0, 0, 1], [[1.0], [2.0], [5.0]])
    >>> card = score_array([[1.0], [1.0], [3.0]], truth, bootstrap=0)
    >>> card.benchmark.name, card.session, list(card.tiers), card.unit_ids
    ('sensorium2022', '27204-5-13', ['test'], [7])
    """

    format: Literal["striate scorecard 3"] = "striate scorecard 3"
    metrics_version: str
    striate_version: str = __version__
    benchmark: _Benchmark
    session: str | None
    track: str | None
    protocol: str | None
    submission_fingerprint: str
    truth_fingerprint: str
    bootstrap: BootstrapSettings
    unit_ids: list[int]
    tiers: Annotated[dict[_TierName, TierScores], Field(min_length=1, max_length=64)]

    def __repr__(self) -> str:
        tiers = "; ".join(f"{tier} {_mean_scores_text(scores)}" for tier, scores in self.tiers.items())
        return f"<Scorecard {self.session}, {self.protocol}, {len(self.unit_ids)} neurons: {tiers}>"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        facts = {
            "benchmark": self.benchmark.name,
            "session": self.session,
            "track": self.track,
            "protocol": self.protocol,
            "neurons": f"{len(self.unit_ids):,}",
        }
        parts = [notebook_html.key_value_table({name: value for name, value in facts.items() if value is not None})]
        for tier, scores in self.tiers.items():
            parts.append(
                notebook_html.section(
                    f"{tier}: {scores.trials:,} trials of {scores.images:,} images", scores.html_table()
                )
            )
        return notebook_html.section("Scorecard", *parts)

    def write(self, path: Path | str, *, overwrite: bool = False) -> None:
        """Write the scorecard as a JSON file.

        Parameters
        ----------
        path
            File to write. It is replaced atomically, so that it is never incomplete.
        overwrite
            Whether to replace an existing file.

        Raises
        ------
        InputError
            If the file exists and `overwrite` is False.
        """
        with atomic_write(path, overwrite=overwrite) as aside:
            aside.write_text(self.model_dump_json() + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path | str) -> "Scorecard":
        """Read and check a file that `write` has written. It may come from an untrusted source.

        Parameters
        ----------
        path
            The JSON file.

        Raises
        ------
        InputError
            If the file is not a scorecard, or is damaged.
        """
        file = expand_path(path)
        try:
            content = read_limited(file, _MAX_FILE_BYTES)
        except OSError as error:
            raise InputError(f"{file} cannot be read ({error.strerror}).") from error
        card = parse_model(cls, content, str(file), "score again")
        for tier, scores in card.tiers.items():
            for name, quantity in scores.by_name.items():
                if len(quantity.per_neuron) != len(card.unit_ids):
                    raise InputError(
                        f"{file}: {tier}.{name} needs one value for each of the {len(card.unit_ids)} unit ids; score again."
                    )
        return card

    def summary(self) -> dict[str, object]:
        """Return everything except the values of single neurons and the description of the benchmark, as JSON values."""
        per_neuron: Any = {"per_neuron": True}
        tiers: Any = {
            tier: {**dict.fromkeys(QUANTITIES, per_neuron), "other": dict.fromkeys(scores.other, per_neuron)}
            for tier, scores in self.tiers.items()
        }
        summary = self.model_dump(exclude={"unit_ids": True, "tiers": tiers})
        return {**summary, "benchmark": self.benchmark.name, "neurons": len(self.unit_ids)}

    def per_neuron(self, tier: str) -> "pd.DataFrame":
        """Return a table of one tier, with a row for each unit id and a column for each metric, ceiling and reliability.

        Parameters
        ----------
        tier
            Name of a scored tier.

        Raises
        ------
        InputError
            If the tier was not scored.

        Examples
        --------
        >>> from striate.submissions import Truth, score_array
        >>> truth = Truth("27204-5-13", [7], ["test"] * 3, [1, 2, 3], [0, 0, 1], [[1.0], [2.0], [5.0]])
        >>> card = score_array([[1.0], [1.0], [3.0]], truth, bootstrap=0)
        >>> card.per_neuron("test")["single_trial_correlation"].round(3).to_dict()
        {7: 0.971}
        """
        import pandas as pd

        if tier not in self.tiers:
            raise InputError(f"Tier {tier!r} was not scored, only {', '.join(self.tiers)}.")
        columns = {name: score.per_neuron for name, score in self.tiers[tier].by_name.items()}
        index = pd.Index(self.unit_ids, name="unit_id")
        return pd.DataFrame(columns, index=index, dtype="float64")


def _mean_scores_text(scores: TierScores) -> str:
    means = ((LABELS[name], getattr(scores, name).mean) for name in METRICS)
    return ", ".join(f"{label} {'–' if mean is None else format(mean, '.4f')}" for label, mean in means)


def require_one_benchmark(scorecards: Iterable[Scorecard]) -> BenchmarkSpec:
    """Return the benchmark of scorecards, which must be the same for all.

    Raises
    ------
    InputError
        If two scorecards have different benchmarks, by name or by description.

    Examples
    --------
    >>> from striate.submissions import Truth, score_array
    >>> truth = Truth("27204-5-13", [7], ["test"] * 3, [1, 2, 3], [0, 0, 1], [[1.0], [2.0], [5.0]])
    >>> require_one_benchmark([score_array([[1.0], [1.0], [3.0]], truth, bootstrap=0)]).name
    'sensorium2022'
    """
    first, *others = (card.benchmark for card in scorecards)
    for other in others:
        if other != first:
            names = f"{first.name} and {other.name}"
            if first.name == other.name:
                names = f"{first.name}, described in two ways"
            raise InputError(
                f"The scorecards are of different benchmarks ({names}), whose scores cannot be compared: take those of one "
                "benchmark."
            )
    return first


class MeanScores(_Strict):
    """Mean of one metric over several recordings, in two ways.

    Attributes
    ----------
    over_neurons
        Mean over the included neurons of all recordings; None if the metric is not defined for any recording.
    over_recordings
        Mean of the means of the recordings; None if the metric is not defined for any recording.
    neurons, recordings
        Number of included neurons and of recordings with a defined mean.

    Examples
    --------
    >>> from striate.submissions import MeanScores
    >>> MeanScores(over_neurons=0.35, over_recordings=0.4, neurons=8000, recordings=5).over_recordings
    0.4
    """

    over_neurons: float | None
    over_recordings: float | None
    neurons: int
    recordings: int


def average_scorecards(scorecards: Sequence[Scorecard], tier: str) -> dict[str, MeanScores]:
    """Average each metric over recordings in two ways: over all neurons, and over the means of the recordings.

    Parameters
    ----------
    scorecards
        One scorecard for each recording, with the same benchmark, protocol and version of the metrics.
    tier
        The tier to average.

    Returns
    -------
    dict
        Means of each metric in `striate.metrics.evaluate.METRICS` and of the further ones of all scorecards, by name.

    Raises
    ------
    InputError
        If there is no scorecard, benchmarks, protocols or versions differ, or a recording occurs twice or lacks the tier.

    Examples
    --------
    >>> from striate.submissions import Truth, average_scorecards, score_array
    >>> trials = {"tier": ["test"] * 3, "trial_idx": [1, 2, 3], "image_id": [0, 0, 1]}
    >>> cards = [
    ...     score_array([[1.0], [1.0], [3.0]], Truth(name, [7], **trials, responses=responses), bootstrap=0)
    ...     for name, responses in (("1-1-1", [[1.0], [2.0], [5.0]]), ("2-1-1", [[2.0], [1.0], [5.0]]))
    ... ]
    >>> round(average_scorecards(cards, "test")["single_trial_correlation"].over_recordings, 3)
    0.971
    """
    if not scorecards:
        raise InputError("There is no scorecard to average.")
    require_one_benchmark(scorecards)
    for attribute in ("protocol", "metrics_version"):
        different = sorted({str(getattr(card, attribute)) for card in scorecards})
        if len(different) > 1:
            raise InputError(
                f"The scorecards differ in {attribute} ({', '.join(different)}), so they have no common mean: average them "
                "separately."
            )
    sessions = [card.session for card in scorecards if card.session is not None]
    duplicates = sorted({s for s in sessions if sessions.count(s) > 1})
    if duplicates:
        raise InputError(f"There are several scorecards of session {duplicates[0]}; give one for each recording.")
    incomplete = [card.session for card in scorecards if tier not in card.tiers]
    if incomplete:
        raise InputError(f"The scorecard of session {incomplete[0]} has no tier {tier!r}.")
    scores = [card.tiers[tier] for card in scorecards]
    further = [name for name in scores[0].other if all(name in each.other for each in scores)]
    return {
        **{metric: _means([getattr(each, metric) for each in scores]) for metric in METRICS},
        **{metric: _means([each.other[metric] for each in scores]) for metric in further},
    }


def _means(scores: Sequence[Score]) -> MeanScores:
    defined = [(score.mean, score.neurons) for score in scores if score.mean is not None]
    neurons = sum(count for _, count in defined)
    return MeanScores(
        over_neurons=sum(mean * count for mean, count in defined) / neurons if neurons else None,
        over_recordings=sum(mean for mean, _ in defined) / len(defined) if defined else None,
        neurons=neurons,
        recordings=len(defined),
    )
