"""Scores of a run: each metric of each tier of each recording, with its confidence interval, in ``scores.json``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field

from striate._internal.atomic_write import atomic_write
from striate._internal.safe_parsing import parse_model, read_limited
from striate.errors import InputError
from striate.metrics import Repeats, estimate_metrics
from striate.metrics.bootstrap import DEFAULT_RESAMPLES

if TYPE_CHECKING:
    from striate.recordings import Recording
    from striate.training.ensemble import Ensemble
    from striate.training.run import Run

_LARGEST_FILE = 2**24  # bytes
_Name = Annotated[str, Field(max_length=200)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class MetricSummary(_Strict):
    """Mean of a metric over the neurons of a recording.

    Attributes
    ----------
    mean
        Mean over the neurons; None if it is not defined.
    low, high
        Bounds of the 95 % interval from resamples of the images; None if there is none.
    reason
        Why `mean` is None; None if it is defined.

    Examples
    --------
    >>> MetricSummary(mean=0.31, low=0.29, high=0.33).text
    '0.3100 (0.2900 to 0.3300)'
    """

    mean: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None

    @property
    def text(self) -> str:
        """The mean and its interval for tables; a dash if there is no mean."""
        if self.mean is None:
            return "–"
        return f"{self.mean:.4f}" if self.low is None else f"{self.mean:.4f} ({self.low:.4f} to {self.high:.4f})"


class TierSummary(_Strict):
    """Scores of one tier of one recording.

    Attributes
    ----------
    trials, images
        Number of trials and of different images.
    metrics
        Summary of each metric, by name.
    """

    trials: int
    images: int
    metrics: dict[_Name, MetricSummary]


class SessionScores(_Strict):
    """Scores of a run.

    Attributes
    ----------
    sessions
        Scores of each tier of each recording: session → tier → scores.

    Examples
    --------
    >>> scores = SessionScores(sessions={"27204-5-13": {"validation": TierSummary(trials=9, images=9, metrics={})}})
    >>> scores.tiers
    ('validation',)
    """

    sessions: dict[_Name, dict[_Name, TierSummary]] = {}

    @property
    def tiers(self) -> tuple[str, ...]:
        """Names of all tiers that have scores."""
        return tuple(dict.fromkeys(tier for tiers in self.sessions.values() for tier in tiers))

    def updated(self, other: SessionScores) -> SessionScores:
        """Return these scores and others, which replace those of the same tier of the same recording."""
        sessions = {name: dict(tiers) for name, tiers in self.sessions.items()}
        for session, tiers in other.sessions.items():
            sessions.setdefault(session, {}).update(tiers)
        return SessionScores(sessions=sessions)

    def write(self, path: Path) -> None:
        """Write a JSON file atomically, replacing an earlier file."""
        with atomic_write(path, overwrite=True) as aside:
            aside.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> SessionScores:
        """Read a file that `write` has written.

        Raises
        ------
        InputError
            If the file is missing or damaged.
        """
        mend = "copy or train the run anew"
        try:
            return parse_model(cls, read_limited(path, _LARGEST_FILE), path, mend)
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror}): {mend}.") from error


def summarise_tier(
    names: Iterable[str],
    responses: ArrayLike,
    predictions: ArrayLike,
    image_ids: NDArray[Any],
    *,
    resamples: int = DEFAULT_RESAMPLES,
) -> TierSummary:
    """Summarise how well predictions match responses.

    Parameters
    ----------
    names
        Names of the metrics. If no image was shown twice, the correlation to average is that of single trials, and is left out.
    responses, predictions : (T, N)
        Standardised responses and their predictions.
    image_ids : (T,)
        Id of the image shown in each trial.
    resamples
        Number of resamples of the images for the intervals.

    Examples
    --------
    >>> import numpy as np
    >>> responses = np.random.default_rng(0).gamma(2, size=(20, 3))
    >>> summary = summarise_tier(["single_trial_correlation"], responses, responses, np.arange(20), resamples=10)
    >>> summary.trials, summary.metrics["single_trial_correlation"].mean > 0.99
    (20, True)
    """
    repeats = Repeats(image_ids)
    images = len(repeats.images)
    wanted = [name for name in names if name != "correlation_to_average" or images < repeats.trials]
    estimates = estimate_metrics(wanted, responses, predictions, repeats, resamples=resamples, allow_failures=True)
    metrics = {}
    for name, estimate in estimates.items():
        interval = estimate.summary.interval
        metrics[name] = MetricSummary(
            mean=estimate.summary.mean,
            low=interval.low if interval else None,
            high=interval.high if interval else None,
            reason=estimate.summary.reason,
        )
    return TierSummary(trials=repeats.trials, images=images, metrics=metrics)


def score_tiers(
    model: Run | Ensemble, recordings: Iterable[Recording], tiers: Iterable[str] | None = None, *, device: str = "auto"
) -> SessionScores:
    """Score a model on tiers of the recordings that it was trained on, as far as their responses are given.

    Parameters
    ----------
    model
        A finished run or ensemble.
    recordings
        Recordings that it was trained on.
    tiers
        Tiers to score; by default all test tiers whose responses the recording has.
    device
        Device of the computation; see `striate.train`.

    Returns
    -------
    SessionScores
        The scores; recordings that withhold all responses of these tiers have none.

    Raises
    ------
    InputError
        If a recording is not one that the model was trained on.
    """
    from striate.data import loaders
    from striate.training.predict import predict

    known = {entry["session"]: entry["fingerprint"] for entry in model.recordings}
    sessions: dict[str, dict[str, TierSummary]] = {}
    for recording in recordings:
        if known.get(recording.session, recording.fingerprint) != recording.fingerprint:
            raise InputError(
                f"Recording {recording.session} has other content than when {model.folder} was trained: give that which it was "
                "trained on."
            )
        wanted = recording.benchmark.test_tiers if tiers is None else recording.benchmark.tier_names(tiers)
        given = [tier for tier in wanted if tier in recording.tiers and tier not in recording.withheld_tiers]
        if not given:
            continue
        predictions = predict(model, recording, given, device=device)
        measured = loaders(recording, model.data.for_prediction().model_copy(update={"cache_gib": 0.0}), tiers=given)
        scores = {}
        for tier in given:
            rows = predictions.tier == tier
            scores[tier] = summarise_tier(
                recording.benchmark.metrics.names,
                measured.responses(tier),
                predictions.values[rows],
                predictions.image_id[rows],
            )
        sessions[recording.session] = scores
    return SessionScores(sessions=sessions)
