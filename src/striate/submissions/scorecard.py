"""A scorecard: what a submission scored, per neuron and on average, with intervals and ceilings."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from striate import __version__
from striate._internal import notebook_html
from striate._internal.atomic_write import atomic_write
from striate._internal.paths import expand_path
from striate._internal.safe_parsing import parse_model, read_limited
from striate.benchmarks.tiers import TIERS
from striate.errors import InputError
from striate.metrics.evaluate import METRICS, NORMALISED_METRICS
from striate.metrics.score_summary import missing_score_text

if TYPE_CHECKING:
    import pandas as pd

LABELS = {
    "single_trial_correlation": "single-trial correlation",
    "correlation_to_average": "correlation to average",
    "feve": "FEVE",
    "cc_norm": "normalised correlation",
    "single_trial_ceiling": "single-trial ceiling",
    "cc_max": "ceiling to average",
    "jackknife_oracle": "oracle predictor",
    "split_half": "split-half reliability",
}
CEILINGS = ("single_trial_ceiling", "cc_max")
RELIABILITIES = ("jackknife_oracle", "split_half")
QUANTITIES = (*METRICS, *NORMALISED_METRICS, *CEILINGS, *RELIABILITIES)

_LARGEST_FILE = 2**27  # bytes
_PerNeuron = list[float | None]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class IntervalScore(_Strict):
    """A percentile interval over resamples of the images.

    Attributes
    ----------
    low, high
        Its ends.
    level
        Share of the resamples within it.
    """

    low: float
    high: float
    level: float


class Score(_Strict):
    """One metric, ceiling or reliability of one tier.

    Attributes
    ----------
    mean
        Mean over the neurons that count; None where it is not defined.
    reason
        Why it is not defined; None where it is.
    interval
        Bootstrap interval of the mean; None for reliabilities, where not defined, or without a bootstrap.
    neurons
        How many neurons count.
    per_neuron
        One value for each unit id; None where the neuron does not count.
    """

    mean: float | None
    reason: str | None
    interval: IntervalScore | None
    neurons: int
    per_neuron: _PerNeuron

    def __repr_args__(self) -> Any:
        return [(name, value) for name, value in super().__repr_args__() if name != "per_neuron"]


class TierScores(_Strict):
    """The scores of one tier.

    Attributes
    ----------
    trials, images
        How many there are of each.
    single_trial_correlation, correlation_to_average, feve
        The three metrics.
    cc_norm
        Correlation to average, divided by its ceiling.
    single_trial_ceiling, cc_max
        The highest single-trial correlation and correlation to average that a model of the image alone can expect.
    jackknife_oracle, split_half
        How well responses predict themselves: single trials by the other repeats (the oracle predictor, which is no
        ceiling), and halves of the repeats by each other.
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

    def __repr__(self) -> str:
        return f"<TierScores of {self.trials} trials of {self.images} images: {_said(self)}>"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return notebook_html.section(f"{self.trials:,} trials of {self.images:,} images", self.html_table())

    def html_table(self) -> str:
        """Render the scores as a table for notebooks."""
        rows, undefined = [], []
        for name in QUANTITIES:
            score = getattr(self, name)
            interval = f"{score.interval.low:.4f} to {score.interval.high:.4f}" if score.interval else ""
            mean = "–" if score.mean is None else f"{score.mean:.4f}"
            rows.append((LABELS[name], mean, interval, f"{score.neurons:,}"))
            if score.mean is None:
                undefined.append(notebook_html.small_text(f"{LABELS[name]}: {missing_score_text(score.reason)}"))
        return notebook_html.table(("", "mean", "interval", "neurons"), rows) + "".join(undefined)


class BootstrapSettings(_Strict):
    """How the intervals were made.

    Attributes
    ----------
    resamples
        Number of resamples; 0 for none.
    seed
        Of the resamples and of the random halves of the split-half reliability.
    """

    resamples: int
    seed: int


class Scorecard(_Strict):
    """What a submission scored.

    Attributes
    ----------
    metrics_version
        `striate.metrics.METRICS_VERSION`: scores of different versions must not be compared.
    striate_version
        The version of striate that scored.
    session, track, protocol
        Of the submission; None where not known.
    submission_fingerprint, truth_fingerprint
        SHA-256 of the keys and values that were compared.
    unit_ids
        What `Score.per_neuron` is about.
    bootstrap
        How the intervals were made.
    tiers
        The scores of each tier.
    """

    format: Literal["striate scorecard 2"] = "striate scorecard 2"
    metrics_version: str
    striate_version: str = __version__
    session: str | None
    track: str | None
    protocol: str | None
    submission_fingerprint: str
    truth_fingerprint: str
    bootstrap: BootstrapSettings
    unit_ids: list[int]
    tiers: Annotated[dict[Literal[TIERS], TierScores], Field(min_length=1)]  # type: ignore[valid-type]

    def __repr__(self) -> str:
        tiers = "; ".join(f"{tier} {_said(scores)}" for tier, scores in self.tiers.items())
        return f"<Scorecard {self.session}, {self.protocol}, {len(self.unit_ids)} neurons: {tiers}>"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        about = {
            "session": self.session,
            "track": self.track,
            "protocol": self.protocol,
            "neurons": f"{len(self.unit_ids):,}",
        }
        parts = [notebook_html.key_value_table({name: value for name, value in about.items() if value is not None})]
        for tier, scores in self.tiers.items():
            parts.append(
                notebook_html.section(
                    f"{tier}: {scores.trials:,} trials of {scores.images:,} images", scores.html_table()
                )
            )
        return notebook_html.section("Scorecard", *parts)

    def write(self, path: Path | str, *, overwrite: bool = False) -> None:
        """Write JSON, whole or not at all.

        Raises
        ------
        InputError
            If the file exists already.
        """
        with atomic_write(path, overwrite=overwrite) as aside:
            aside.write_text(self.model_dump_json() + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path | str) -> "Scorecard":
        """Read what `write` has written, without trusting it.

        Raises
        ------
        InputError
            If it is no scorecard, or a damaged one.
        """
        file = expand_path(path)
        try:
            content = read_limited(file, _LARGEST_FILE)
        except OSError as error:
            raise InputError(f"{file} cannot be read ({error.strerror}).") from error
        card = parse_model(cls, content, str(file), "score again")
        for tier, scores in card.tiers.items():
            for name in QUANTITIES:
                if len(getattr(scores, name).per_neuron) != len(card.unit_ids):
                    raise InputError(
                        f"{file}: {tier}.{name} has not one value for each of the {len(card.unit_ids)} unit ids; score again."
                    )
        return card

    def summary(self) -> dict[str, object]:
        """All but the values per neuron, ready for JSON."""
        per_neuron = {"per_neuron": True}
        tier = dict.fromkeys(QUANTITIES, per_neuron)
        said = self.model_dump(exclude={"unit_ids": True, "tiers": dict.fromkeys(self.tiers, tier)})
        return {**said, "neurons": len(self.unit_ids)}

    def per_neuron(self, tier: str) -> "pd.DataFrame":
        """Table of one tier: a row for each unit id, a column for each metric, ceiling and reliability.

        Raises
        ------
        InputError
            If the tier was not scored.
        """
        import pandas as pd

        if tier not in self.tiers:
            raise InputError(f"Tier {tier!r} was not scored, only {', '.join(self.tiers)}.")
        columns = {name: getattr(self.tiers[tier], name).per_neuron for name in QUANTITIES}
        index = pd.Index(self.unit_ids, name="unit_id")
        return pd.DataFrame(columns, index=index, dtype="float64")


def _said(scores: TierScores) -> str:
    means = ((LABELS[name], getattr(scores, name).mean) for name in METRICS)
    return ", ".join(f"{label} {'–' if mean is None else format(mean, '.4f')}" for label, mean in means)


class Means(_Strict):
    """Both means of one metric across recordings.

    Attributes
    ----------
    over_neurons
        Mean over the neurons of all recordings; None where it is defined in none.
    over_recordings
        Mean of the recordings' means; None likewise.
    neurons, recordings
        How many count.
    """

    over_neurons: float | None
    over_recordings: float | None
    neurons: int
    recordings: int


def across(scorecards: Sequence[Scorecard], tier: str) -> dict[str, Means]:
    """Both means of each metric across recordings: over all neurons, and over recordings.

    Parameters
    ----------
    scorecards
        One of each recording, of the same protocol and version of the metrics.
    tier
        The tier whose scores are averaged.

    Raises
    ------
    InputError
        If there are none, protocols or versions differ, or one recording stands twice or lacks the tier.
    """
    if not scorecards:
        raise InputError("There is no scorecard to average.")
    for what in ("protocol", "metrics_version"):
        different = sorted({str(getattr(card, what)) for card in scorecards})
        if len(different) > 1:
            raise InputError(
                f"The scorecards differ in {what} ({', '.join(different)}), so they have no common mean: average them apart."
            )
    sessions = [card.session for card in scorecards if card.session is not None]
    doubled = sorted({s for s in sessions if sessions.count(s) > 1})
    if doubled:
        raise InputError(f"There are several scorecards of session {doubled[0]}; give one of each recording.")
    lacking = [card.session for card in scorecards if tier not in card.tiers]
    if lacking:
        raise InputError(f"The scorecard of session {lacking[0]} has no tier {tier!r}.")
    return {metric: _means([getattr(card.tiers[tier], metric) for card in scorecards]) for metric in METRICS}


def _means(scores: Sequence[Score]) -> Means:
    defined = [(score.mean, score.neurons) for score in scores if score.mean is not None]
    neurons = sum(count for _, count in defined)
    return Means(
        over_neurons=sum(mean * count for mean, count in defined) / neurons if neurons else None,
        over_recordings=sum(mean for mean, _ in defined) / len(defined) if defined else None,
        neurons=neurons,
        recordings=len(defined),
    )
