"""What the zoo has measured: scores, references and cost of each model, and low-data curves; as JSON and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from striate._internal.atomic_write import atomic_write
from striate._internal.safe_parsing import parse_model, read_limited
from striate._internal.text_cleaning import Line
from striate.errors import InputError
from striate.metrics.bootstrap import BootstrapEstimate
from striate.sweeps.comparison import mean_over_seeds

if TYPE_CHECKING:
    import pandas as pd

RESULTS = "results.json"
_LARGEST_FILE = 2**24  # bytes
_Name = Annotated[str, Field(max_length=200)]
Start = Literal["scratch", "frozen", "fine-tuned"]
STARTS: tuple[Start, ...] = ("scratch", "frozen", "fine-tuned")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ZooScore(_Strict):
    """A metric of a model, over seeds.

    Attributes
    ----------
    mean
        Mean over recordings, neurons and seeds; None if it is not defined.
    low, high
        Bounds of its 95 % interval, from resamples of the images and of the seeds.
    deviation
        Standard deviation over seeds; None for a single seed.

    Examples
    --------
    >>> ZooScore(mean=0.31, low=0.29, high=0.33, deviation=0.004).text()
    '0.310 (0.290 to 0.330)'
    """

    mean: float | None
    low: float | None = None
    high: float | None = None
    deviation: float | None = None

    @classmethod
    def of(cls, estimate: BootstrapEstimate, deviation: float | None = None) -> ZooScore:
        """Return an estimate with its interval."""
        interval = estimate.interval
        if estimate.value is None or interval is None:
            return cls(mean=estimate.value)
        return cls(mean=estimate.value, low=interval.low, high=interval.high, deviation=deviation)

    def text(self) -> str:
        """Return the mean and its interval for tables; a dash if there is no mean."""
        if self.mean is None:
            return "–"
        return f"{self.mean:.3f}" if self.low is None else f"{self.mean:.3f} ({self.low:.3f} to {self.high:.3f})"


class References(_Strict):
    """What a metric of a tier is compared with; means over recordings.

    Attributes
    ----------
    ceiling
        Noise ceiling: the highest score expected of a model that sees the image alone. None without repeated images.
    oracle_image, oracle_state
        Score of the true expected responses of a simulation, given the image alone, or also behaviour and eye position.
    """

    ceiling: float | None = None
    oracle_image: float | None = None
    oracle_state: float | None = None


class MeasuredModel(_Strict):
    """A recipe, trained with several seeds.

    Attributes
    ----------
    recipe, description, protocol
        Name and description of the recipe, and the protocol that its inputs need.
    image_alone
        Whether the protocol allows the image alone, so that the noise ceiling bounds its scores.
    seeds
        Seeds that have finished.
    parameters, multiply_adds
        Number of trained numbers, and multiply-adds of one image; None for a model of one's own.
    seconds, memory_mib
        Time of a training, and peak memory of its process in MiB; means over seeds.
    scores
        Tier → metric → score.
    members
        Number of runs that predict together; 1 for single models. Parameters, multiply-adds and seconds are those of all
        members.
    """

    recipe: _Name
    description: str
    protocol: _Name
    image_alone: bool
    seeds: tuple[int, ...]
    parameters: int
    multiply_adds: int | None
    seconds: float
    memory_mib: float
    scores: dict[_Name, dict[_Name, ZooScore]]
    members: Annotated[int, Field(ge=1)] = 1


class CurvePoint(_Strict):
    """A model of a low-data curve.

    Attributes
    ----------
    start
        ``"scratch"``; or with a core of other recordings, ``"frozen"`` or ``"fine-tuned"``.
    images
        Number of training images of each recording.
    score
        Score of the curve's metric and tier.
    gain
        Relative difference from training from scratch on the same images; None for ``"scratch"``.
    """

    start: Start
    images: int
    score: ZooScore
    gain: ZooScore | None = None


class LowDataCurve(_Strict):
    """Scores of one recipe against the number of training images.

    Attributes
    ----------
    recipe, protocol, tier, metric
        What was trained, and how it was scored.
    seeds
        Seeds; each draws images of its own.
    core_sessions
        Recordings that the cores were trained on; empty without such cores.
    finetune
        Learning rate of a fine-tuned core, as a fraction of that of the schedule.
    points
        The models.
    """

    recipe: _Name
    protocol: _Name
    tier: _Name
    metric: _Name
    seeds: tuple[int, ...]
    core_sessions: tuple[_Name, ...] = ()
    finetune: float | None = None
    points: tuple[CurvePoint, ...]


class MeasuredRecording(_Strict):
    """A recording that models were trained and scored on."""

    session: _Name
    fingerprint: _Name
    neurons: int
    training_trials: int
    training_images: int


class ZooResults(_Strict):
    """Results of `striate.zoo.run_zoo` and `striate.zoo.run_curve` on the same recordings.

    Attributes
    ----------
    title
        Title of the table.
    striate, torch, device, threads, parallel
        What they were measured with: versions, device, threads of a training, and trainings at a time.
    benchmark, ranking_metric, validation_tier
        Benchmark of the recordings; models are sorted by this metric of the validation trials.
    recordings
        The recordings.
    references
        Tier → metric → ceiling and oracles.
    models
        The models; within each protocol, the best comes first.
    left_out
        Recipes that do not fit the recordings or have failed, with the reason.
    curves
        Low-data curves.
    """

    format: Literal[1] = 1
    title: Line
    striate: _Name
    torch: _Name
    device: _Name
    threads: int
    parallel: int
    benchmark: _Name
    ranking_metric: _Name
    validation_tier: _Name
    recordings: tuple[MeasuredRecording, ...]
    references: dict[_Name, dict[_Name, References]] = {}
    models: tuple[MeasuredModel, ...] = ()
    left_out: dict[_Name, str] = {}
    curves: tuple[LowDataCurve, ...] = ()

    @property
    def tiers(self) -> tuple[str, ...]:
        """Tiers with scores, validation first."""
        return tuple(dict.fromkeys(tier for model in self.models for tier in model.scores))

    @property
    def protocols(self) -> dict[str, tuple[MeasuredModel, ...]]:
        """Models of each protocol, from the best to the worst on the validation trials."""
        grouped: dict[str, list[MeasuredModel]] = {}
        for model in self.models:
            grouped.setdefault(model.protocol, []).append(model)
        return {name: tuple(sorted(group, key=self._rank)) for name, group in grouped.items()}

    def _rank(self, model: MeasuredModel) -> tuple[bool, float]:
        score = model.scores.get(self.validation_tier, {}).get(self.ranking_metric)
        return (True, 0.0) if score is None or score.mean is None else (False, -score.mean)

    def metrics(self, tier: str) -> tuple[str, ...]:
        """Return the metrics of a tier that any model has a value of."""
        return tuple(
            dict.fromkeys(
                name
                for model in self.models
                for name, score in model.scores.get(tier, {}).items()
                if score.mean is not None
            )
        )

    def fraction(self, model: MeasuredModel, tier: str, metric: str) -> tuple[float, str] | None:
        """Return a score as a fraction of what is reachable, and of what that is: ``"oracle"`` or ``"ceiling"``.

        The oracle is that of a simulation with the inputs of the model. Where there is none, it is the noise ceiling, which bounds
        models of the image alone only. None if neither is known.
        """
        mean = model.scores[tier][metric].mean if metric in model.scores.get(tier, {}) else None
        references = self.references.get(tier, {}).get(metric)
        if mean is None or references is None:
            return None
        oracle = references.oracle_image if model.image_alone else references.oracle_state
        reachable, name = (oracle, "oracle") if oracle is not None else (references.ceiling, "ceiling")
        return (mean / reachable, name) if reachable is not None and reachable > 0 else None

    def with_curve(self, curve: LowDataCurve) -> ZooResults:
        """Return the results with a curve, in place of an earlier one of the same recipe."""
        others = tuple(each for each in self.curves if each.recipe != curve.recipe)
        return self.model_copy(update={"curves": (*others, curve)})

    def table(self) -> pd.DataFrame:
        """Return a row for each model, tier and metric, with cost, references and fingerprints."""
        import pandas as pd

        rows = []
        for model in self.models:
            for tier, metrics in model.scores.items():
                for metric, score in metrics.items():
                    references = self.references.get(tier, {}).get(metric, References())
                    fraction = self.fraction(model, tier, metric)
                    rows.append(
                        {
                            "recipe": model.recipe,
                            "protocol": model.protocol,
                            "tier": tier,
                            "metric": metric,
                            **score.model_dump(),
                            "seeds": len(model.seeds),
                            "members": model.members,
                            **references.model_dump(),
                            "fraction": None if fraction is None else fraction[0],
                            "fraction_of": None if fraction is None else fraction[1],
                            "parameters": model.parameters,
                            "multiply_adds": model.multiply_adds,
                            "seconds": model.seconds,
                            "memory_mib": model.memory_mib,
                            "sessions": [each.session for each in self.recordings],
                            "fingerprints": [each.fingerprint for each in self.recordings],
                        }
                    )
        return pd.DataFrame(rows)

    def curve_table(self) -> pd.DataFrame:
        """Return a row for each point of the low-data curves."""
        import pandas as pd

        rows = [
            {
                "recipe": curve.recipe,
                "protocol": curve.protocol,
                "tier": curve.tier,
                "metric": curve.metric,
                "start": point.start,
                "images": point.images,
                **point.score.model_dump(),
                **{f"gain_{name}": value for name, value in (point.gain or ZooScore(mean=None)).model_dump().items()},
                "seeds": len(curve.seeds),
            }
            for curve in self.curves
            for point in curve.points
        ]
        return pd.DataFrame(rows)

    def write(self, folder: Path) -> None:
        """Write ``results.json``, ``table.parquet`` and ``curves.parquet`` to a folder, replacing earlier ones."""
        with atomic_write(folder / RESULTS, overwrite=True) as aside:
            aside.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
        for name, table in (("table.parquet", self.table()), ("curves.parquet", self.curve_table())):
            if len(table):
                with atomic_write(folder / name, overwrite=True) as aside, aside.open("wb") as file:
                    table.to_parquet(file, index=False)

    @classmethod
    def read(cls, path: Path | str) -> ZooResults:
        """Read a ``results.json``, or that of a folder.

        Raises
        ------
        InputError
            If there is none, or it is damaged.
        """
        path = Path(path)
        file = path / RESULTS if path.is_dir() else path
        try:
            return parse_model(cls, read_limited(file, _LARGEST_FILE), file, "run striate zoo again")
        except OSError as error:
            raise InputError(
                f"{file} cannot be read ({error.strerror}): give the folder that striate zoo wrote."
            ) from error


def summarise(estimates: Sequence[BootstrapEstimate], name: str) -> ZooScore:
    """Return the score of a model from the estimates of its seeds; see `striate.sweeps.comparison.mean_over_seeds`.

    Parameters
    ----------
    estimates
        Estimates of the runs, with the same resamples of the images.
    name
        Name of the model: seeds of different models are drawn independently.

    Examples
    --------
    >>> score = summarise([BootstrapEstimate(value, np.full(9, value), 0.95) for value in (0.2, 0.4)], "cnn")
    >>> round(score.mean, 6), round(score.deviation, 3)
    (0.3, 0.141)
    """
    values = [each.value for each in estimates if each.value is not None]
    deviation = float(np.std(values, ddof=1)) if len(values) == len(estimates) > 1 else None
    return ZooScore.of(mean_over_seeds(estimates, name), deviation)
