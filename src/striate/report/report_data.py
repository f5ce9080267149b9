"""Collection of the data of a report from a recording, runs and submissions."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from striate.catalog import as_recording
from striate.errors import InputError, describe_type
from striate.metrics.bootstrap import DEFAULT_RESAMPLES
from striate.recordings import Recording
from striate.report.comparison import (
    ScoredModel,
    group_by_protocol,
    metric_labels,
    paired_differences,
    protocol_title,
    ranking_metric,
    score_model,
    sort_by_score,
    tier_phrase,
)
from striate.report.report import ReportData
from striate.submissions import Submission, Truth, open_submission, open_truth
from striate.submissions.scoring import further_metrics

Model: TypeAlias = "TrainedModel | Submission | Path | str"
Models: TypeAlias = "Mapping[str, Model] | Iterable[Model] | Model"

if TYPE_CHECKING:  # importing this package, as the portal does, must not load PyTorch
    from striate.training import TrainedModel


# Suffixes of submission files. Any other text after a dot is part of the name: "lr0.002-s0" has no suffix.
_SUFFIXES = (".parquet", ".pq", ".csv")


def model_name(path: Path) -> str:
    """Return the default name of a run or submission: the last part of its path, without the suffix of a submission file.

    Examples
    --------
    >>> model_name(Path("submissions/cnn.parquet")), model_name(Path("runs/lr0.002-s0"))
    ('cnn', 'lr0.002-s0')
    """
    name = path.name or path.resolve().name or str(path)
    suffix = path.suffix.lower()
    return name[: -len(suffix)] if suffix in _SUFFIXES and not path.is_dir() else name


def collect_report_data(
    recording: Recording | Path | str,
    models: Models,
    *,
    truth: Truth | Path | str | None = None,
    title: str | None = None,
    metrics: Sequence[str] | str | None = None,
    bootstrap: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    device: str = "auto",
) -> ReportData:
    """Predict and score a recording with each model, and collect all data of a report.

    Parameters
    ----------
    recording
        The predicted recording, its path or its name.
    models
        Models by the names that the report gives them. A model is a finished run, which is used for prediction, a submission,
        or the path of either. A single model, or a list of models, is named after its folders and files.
    truth
        Measured responses of the test tiers, or a path that `open_truth` accepts. By default those of the recording.
    title
        Heading of the report.
    metrics
        Names of further metrics to compute, as in `striate.score`.
    bootstrap, seed
        Number of resamples for the confidence intervals, and their random seed.
    device
        Device for prediction, as in `striate.predict`.

    Returns
    -------
    ReportData
        Data for `write_report`, with the models sorted by protocol and score.

    Raises
    ------
    InputError
        If there is no model, or one of them is neither a run nor a submission, is not finished, or is for another recording.
    striate.errors.WithheldError
        If the recording withholds its responses and `truth` is None.

    Examples
    --------
    >>> import numpy as np
    >>> import striate
    >>> recording = striate.simulate(
    ...     neurons=5, train=10, validation=2, test_images=4, repeats=2, image_shape=(36, 64)
    ... ).recording
    >>> models = {
    ...     f"constant {value}": striate.Submission.from_array(recording, np.full((8, 5), value), protocol="image")
    ...     for value in (1, 2)
    ... }
    >>> data = striate.report.collect_report_data(recording, models, bootstrap=10)
    >>> len(data.models), len(data.differences)
    (2, 1)
    """
    from striate.training import Run

    recording = as_recording(recording)
    models = _name_models(models)
    if not models:
        raise InputError("A report needs a model: give a run or a submission.")
    measured = (
        Truth.from_recording(recording) if truth is None else truth if isinstance(truth, Truth) else open_truth(truth)
    )
    further_metrics(metrics)  # an unknown name is refused before any prediction
    opened = {name: _open(model) for name, model in models.items()}
    runs = {name: model for name, model in opened.items() if not isinstance(model, Submission)}
    for run in runs.values():
        run.require_finished()
    ordered = sort_by_score(
        [
            score_model(
                name, _submission(model, recording, device), measured, metrics=metrics, bootstrap=bootstrap, seed=seed
            )
            for name, model in opened.items()
        ]
    )
    histories = {name: run.history for name, run in runs.items() if isinstance(run, Run)}
    data = ReportData(
        title=title or f"{recording.session}, predicted",
        summary=[_summary(ordered, measured.tiers[0])],
        recording=recording,
        truth=measured,
        models=ordered,
        differences=paired_differences(ordered, measured, resamples=bootstrap, seed=seed) if bootstrap else (),
        histories={model.name: histories[model.name] for model in ordered if model.name in histories},
        ensembles=[name for name in runs if name not in histories],
        provenance={model.name: _origin(models[model.name], opened[model.name]) for model in ordered},
    )
    best = runs.get(ordered[-1].name)
    if isinstance(best, Run) and best.recipe.model.type != "own":
        session = recording.session
        from striate.models import Encoder  # loads PyTorch, as the run has done already

        encoder: Any = best.encoder()
        if isinstance(encoder, Encoder) and encoder.readout(session).mean_positions() is not None:
            data.positions = encoder.receptive_field_pixels(session, recording.image_shape)
            data.unit_ids = best.unit_ids(session)
    return data


def _name_models(models: Models) -> Mapping[str, Model]:
    """Return models by name, named after their paths if they have no names."""
    if isinstance(models, Mapping):
        return models
    is_single = isinstance(models, str | os.PathLike | Submission) or hasattr(models, "provenance")
    if not is_single and not isinstance(models, Iterable):
        raise InputError(f"Expected runs and submissions, got {describe_type(models)}.")
    by_name: dict[str, Model] = {}
    for model in [models] if is_single else models:  # type: ignore[union-attr]
        path = getattr(model, "folder", model)
        name = model_name(Path(path)) if isinstance(path, str | os.PathLike) else "submission"
        if name in by_name:
            raise InputError(f"Two models have the name {name!r}: give a mapping from names to models.")
        by_name[name] = model  # type: ignore[assignment]
    return by_name


def _open(model: TrainedModel | Submission | Path | str) -> TrainedModel | Submission:
    from striate.training import TrainedModel, is_run_folder, open_run

    if isinstance(model, TrainedModel | Submission):
        return model
    if not isinstance(model, Path | str):
        raise InputError(f"Expected a run or a submission, or its path; got {describe_type(model)}.")
    return open_run(model) if is_run_folder(model) else open_submission(model)


def _submission(model: TrainedModel | Submission, recording: Recording, device: str) -> Submission:
    if isinstance(model, Submission):
        if model.session not in (None, recording.session):
            raise InputError(
                f"A submission is for recording {model.session}, but the report is about {recording.session}: give a submission "
                f"for {recording.session}."
            )
        return model
    from striate.training import predict

    return Submission.from_predictions(predict(model, recording, device=device))


def _summary(ordered: list[ScoredModel], tier: str) -> str:
    count = len(ordered)
    if count == 1:
        return f"One model: {ordered[0].name}."
    groups = group_by_protocol(ordered)
    if len(groups) > 1:
        names = "; ".join(
            f"{protocol_title(protocol)}: {', '.join(each.name for each in group)}"
            for protocol, group in groups.items()
        )
        return (
            f"{count} models of different protocols, which are not compared with each other ({names}). Figures of a single model "
            f"show {ordered[-1].name}."
        )
    best = f"Figures of a single model show the best one, {ordered[-1].name}."
    metric = ranking_metric(ordered)
    if metric is None:
        return f"{count} models, none of which has a score. Figures of a single model show {ordered[-1].name}."
    label, where = metric_labels(ordered, tier)[metric], tier_phrase(ordered[0].benchmark, tier)
    return f"{count} models, sorted by their {label} on {where}. {best}"


def _origin(source: TrainedModel | Submission | Path | str, model: TrainedModel | Submission) -> str:
    if isinstance(model, Submission):
        file_name = f" {Path(source).name}" if isinstance(source, Path | str) else ""
        return f"submission{file_name}; protocol {model.protocol or 'not stated'}"
    from striate.training.environment import folder_name

    kind = "run" if hasattr(model, "history") else "ensemble"
    return f"{kind} {folder_name(model.folder)} ({model.label}); protocol {model.protocol}"
