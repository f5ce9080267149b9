"""Scores of a finished run, with the resamples of the images that paired differences are made of."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from striate._internal.atomic_write import atomic_write
from striate._internal.parquet_files import read_table
from striate._internal.safe_parsing import MalformedError, parse_json_object, read_limited
from striate.errors import InputError, WithheldError
from striate.metrics.bootstrap import CONFIDENCE_LEVEL, DEFAULT_RESAMPLES, BootstrapEstimate
from striate.registry import metrics as registry

if TYPE_CHECKING:
    from striate.recordings import Recording
    from striate.training import Run, TrainedModel

SCORES = "scores.parquet"
FACTS = "facts.json"
_COLUMNS = ("session", "tier", "metric", "value", "reason", "trials", "images", "neurons", "samples")
_RESAMPLING_SEED = (
    0  # the same for all runs: equal seeds draw equal resamples of the images, which makes differences paired
)


@dataclass(frozen=True, eq=False)
class RunScores:
    """Scores of one run on each recording, tier and metric.

    Attributes
    ----------
    table
        A row for each session, tier and metric: ``value`` (mean over neurons; NaN if it is not defined, then ``reason`` says why),
        numbers of ``trials``, ``images`` and ``neurons``, and ``samples``: the value in each resample of the images. All runs on the
        same recordings have the same resamples.
    facts
        ``protocol``, ``parameters`` (number of trained numbers), ``seconds`` (of training), ``memory_mib`` (peak of the process that
        trained and scored), ``epochs``, ``best_validation_correlation`` and ``recordings`` (session and fingerprint).

    Examples
    --------
    >>> table = pd.DataFrame({"session": ["1-1-1"], "tier": ["test"], "metric": ["feve"], "value": [0.5], "samples": [[0.4, 0.6]]})
    >>> RunScores(table, {}).estimate("test", "feve").value
    0.5
    """

    table: pd.DataFrame
    facts: Mapping[str, Any]

    @property
    def tiers(self) -> tuple[str, ...]:
        """Names of the scored tiers, in the order of the table."""
        return tuple(dict.fromkeys(self.table["tier"]))

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics, in the order of the table."""
        return tuple(dict.fromkeys(self.table["metric"]))

    def estimate(self, tier: str, metric: str) -> BootstrapEstimate:
        """Return the mean of a metric over recordings, with its resamples: images of each recording are resampled on their own.

        Its value is None if the metric is not defined on one of the recordings.
        """
        rows = self.table[(self.table["tier"] == tier) & (self.table["metric"] == metric)]
        if rows.empty or rows["value"].isna().any():
            return BootstrapEstimate(None, np.empty(0), CONFIDENCE_LEVEL)
        samples = np.mean([np.asarray(each, dtype=np.float64) for each in rows["samples"]], axis=0)
        return BootstrapEstimate(float(rows["value"].mean()), samples, CONFIDENCE_LEVEL)

    def write(self, folder: Path) -> None:
        """Write ``scores.parquet`` and ``facts.json`` to a folder, replacing earlier ones."""
        with atomic_write(folder / SCORES, overwrite=True) as aside, aside.open("wb") as file:
            self.table.to_parquet(file, index=False)
        with atomic_write(folder / FACTS, overwrite=True) as aside:
            aside.write_text(json.dumps(dict(self.facts), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> RunScores:
        """Read what `write` has written.

        Raises
        ------
        InputError
            If a file is missing or damaged.
        """
        table = read_table(folder / SCORES, "delete the file, and start the same command again")
        try:
            facts = parse_json_object(read_limited(folder / FACTS))
        except (OSError, MalformedError) as error:
            raise InputError(
                f"{folder / FACTS} is damaged: delete it, and start the same command again, which scores the run anew."
            ) from error
        if missing := [name for name in _COLUMNS if name not in table]:
            raise InputError(
                f"{folder / SCORES} is damaged (no column {missing[0]!r}): delete it, and start the same command again."
            )
        return cls(table, facts)


def score_run(
    run: Run,
    recordings: Iterable[Recording],
    *,
    test: bool = False,
    metrics: Sequence[str] = (),
    resamples: int = DEFAULT_RESAMPLES,
    device: str = "auto",
) -> RunScores:
    """Predict the validation trials of each recording with a finished run, and score them.

    Parameters
    ----------
    run
        A finished run.
    recordings
        Recordings that it has readouts for.
    test
        Whether to score the test tiers, too, where their responses are not withheld.
    metrics
        Names of metrics to compute beside those of the benchmark.
    resamples
        Number of resamples of the images.
    device
        Device of the prediction, as in `striate.predict`.

    Returns
    -------
    RunScores
        Scores with resamples.

    Raises
    ------
    InputError
        If the run is not finished, was trained on validation trials, has no readout for a recording, or there is no such metric.

    Examples
    --------
    >>> scores = score_run(Run.open("runs/cnn"), [recording])  # doctest: +SKIP
    >>> scores.estimate("validation", "single_trial_correlation").interval  # doctest: +SKIP
    """
    table = score_table(run, recordings, test=test, metrics=metrics, resamples=resamples, device=device)
    return RunScores(table, run_facts(run))


def score_table(
    model: TrainedModel,
    recordings: Iterable[Recording],
    *,
    test: bool = False,
    metrics: Sequence[str] = (),
    resamples: int = DEFAULT_RESAMPLES,
    device: str = "auto",
) -> pd.DataFrame:
    """Return the table of `RunScores` of a finished run or ensemble; arguments as those of `score_run`."""
    from striate.metrics import estimate_metrics
    from striate.submissions import Truth
    from striate.training import predict

    model.require_finished()
    if (reason := model.trained_on_validation) is not None:
        raise InputError(
            f"The validation score of {model.folder} would not count, because {reason}: leave data.folds out."
        )
    rows = []
    opened = list(recordings)
    for recording in opened:
        names = metric_names(recording, metrics)
        for tier in scored_tiers(recording, test=test):
            truth = Truth.from_recording(recording, tier)
            predictions = predict(model, recording, tier, device=device)
            kept = pd.Index(truth.unit_ids).get_indexer(pd.Index(predictions.unit_ids))  # recipes may select neurons
            estimates = estimate_metrics(
                names,
                truth.responses[:, kept],
                predictions.values,
                truth.image_id,
                resamples=resamples,
                seed=_RESAMPLING_SEED,
                allow_failures=True,
            )
            for name, found in estimates.items():
                value = found.summary.mean
                defined = value is not None and found.bootstrap is not None
                rows.append(
                    {
                        "session": recording.session,
                        "tier": tier,
                        "metric": name,
                        "value": np.nan if value is None else value,
                        "reason": found.summary.reason,
                        "trials": len(truth.tier),
                        "images": len(np.unique(truth.image_id)),
                        "neurons": int(np.isfinite(found.values).sum()),
                        "samples": found.bootstrap.samples if defined and found.bootstrap else np.empty(0),
                    }
                )
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def run_facts(run: Run) -> dict[str, Any]:
    """Return what a table says of a finished run beside its scores; see `RunScores.facts`.

    Examples
    --------
    >>> run_facts(Run.open("runs/cnn"))["parameters"]  # doctest: +SKIP
    """
    import resource
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "protocol": run.protocol,
        "seed": run.provenance.get("seed"),
        "parameters": sum(parameter.numel() for parameter in run.encoder().parameters()),
        "seconds": float(run.history["seconds"].fillna(0).sum()),
        "memory_mib": peak / (2**20 if sys.platform == "darwin" else 2**10),
        "epochs": run.provenance.get("epochs"),
        "best_validation_correlation": run.provenance.get("best_validation_correlation"),
        "recordings": [
            {name: entry[name] for name in ("session", "fingerprint")} for entry in run.provenance["recordings"]
        ],
    }


def metric_names(recording: Recording, further: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the names of the metrics that runs on a recording are scored with: those of its benchmark, then further ones.

    Raises
    ------
    InputError
        If there is no such metric.

    Examples
    --------
    >>> import striate
    >>> settings = {"neurons": 3, "train": 10, "validation": 4, "test_images": 2, "repeats": 2, "image_shape": (16, 24)}
    >>> metric_names(striate.simulate(**settings).recording, ["feve"])
    ('single_trial_correlation', 'correlation_to_average', 'feve', 'cc_norm')
    """
    names = (*recording.benchmark.metrics.shown, *further)
    return tuple(dict.fromkeys(registry[name].name for name in names))


def scored_tiers(recording: Recording, *, test: bool) -> tuple[str, ...]:
    """Return the tiers that runs on a recording are scored on: validation, and on demand the test tiers that it does not withhold.

    Raises
    ------
    WithheldError
        If test tiers are asked for, and the recording has none whose responses are known.

    Examples
    --------
    >>> import striate
    >>> settings = {"neurons": 3, "train": 10, "validation": 4, "test_images": 2, "repeats": 2, "image_shape": (16, 24)}
    >>> scored_tiers(striate.simulate(**settings).recording, test=True)
    ('validation', 'test')
    """
    validation = recording.benchmark.validation_tier
    if not test:
        return (validation,)
    known = [
        tier
        for tier in recording.benchmark.test_tiers
        if tier in recording.tiers and tier not in recording.withheld_tiers
    ]
    if not known:
        raise WithheldError(
            f"{recording.session} has no test responses that are known, so nothing can be scored on them: leave the test tiers out."
        )
    return (validation, *known)
