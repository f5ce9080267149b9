"""What a report shows of runs and submissions, gathered from them and set in order."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from striate.catalog import as_recording
from striate.errors import InputError, describe_type
from striate.metrics.bootstrap import DEFAULT_RESAMPLES
from striate.recordings import Recording
from striate.report.comparison import Contender, by_protocol, by_strength, contend, differences, protocol_title
from striate.report.report import Material, tier_title
from striate.submissions import Submission, Truth, open_submission, open_truth

Model: TypeAlias = "Run | Submission | Path | str"
Models: TypeAlias = "Mapping[str, Model] | Iterable[Model] | Model"

if TYPE_CHECKING:  # who reads pages, such as a portal, does not load PyTorch
    from striate.training import Run


# Endings of submission files. Anything else after a dot belongs to the name: "lr0.002-s0" is not a file of type ".002-s0".
_ENDINGS = (".parquet", ".pq", ".csv")


def model_name(path: Path) -> str:
    """Return the name of a run or submission: the last part of its path, without the ending of a submission file."""
    name = path.name or path.resolve().name or str(path)
    ending = path.suffix.lower()
    return name[: -len(ending)] if ending in _ENDINGS and not path.is_dir() else name


def gather(
    recording: Recording | Path | str,
    models: Models,
    *,
    truth: Truth | Path | str | None = None,
    title: str | None = None,
    bootstrap: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    device: str = "auto",
) -> Material:
    """Set models side by side on one recording: predict, score, compare, and find what else is known of them.

    Parameters
    ----------
    recording
        What is predicted, or its path or name.
    models
        By the name that the report gives it: a finished run, which predicts now; or a submission; or the folder or file of
        either. One model alone, or a list, is named by its folders and files.
    truth
        Measured responses of its test tiers, or what `open_truth` takes; those of the recording if not given.
    title
        Heading of the report.
    bootstrap, seed
        Resamples of the images for the intervals, and their seed.
    device
        Where runs predict, as for `striate.predict`.

    Returns
    -------
    Material
        With the models by protocol, in each from the weakest to the strongest, for `write_report`.

    Raises
    ------
    InputError
        If there is no model, one is neither a run nor a submission, is not finished, or does not answer this recording.
    striate.errors.WithheldError
        If the recording withholds its responses, and no truth is given.
    """
    recording = as_recording(recording)
    models = _named(models)
    if not models:
        raise InputError("A report needs a model: give a run or a submission.")
    measured = (
        Truth.from_recording(recording) if truth is None else truth if isinstance(truth, Truth) else open_truth(truth)
    )
    opened = {name: _opened(model) for name, model in models.items()}
    runs = {name: model for name, model in opened.items() if not isinstance(model, Submission)}
    for run in runs.values():
        run.require_finished()
    ordered = by_strength(
        [
            contend(name, _submission(model, recording, device), measured, bootstrap=bootstrap, seed=seed)
            for name, model in opened.items()
        ]
    )
    material = Material(
        title=title or f"{recording.session}, predicted",
        summary=[_said(ordered, measured.tiers[0])],
        recording=recording,
        truth=measured,
        contenders=ordered,
        differences=differences(ordered, measured, resamples=bootstrap, seed=seed) if bootstrap else (),
        histories={contender.name: runs[contender.name].history for contender in ordered if contender.name in runs},
        provenance={contender.name: _origin(models[contender.name], opened[contender.name]) for contender in ordered},
    )
    if (strongest := runs.get(ordered[-1].name)) is not None:
        session = recording.session
        material.positions = strongest.encoder().receptive_field_pixels(session, recording.image_shape)
        material.unit_ids = strongest.unit_ids(session)
    return material


def _named(models: Models) -> Mapping[str, Model]:
    """Name models that were given without names."""
    if isinstance(models, Mapping):
        return models
    alone = isinstance(models, str | os.PathLike | Submission) or hasattr(models, "provenance")
    if not alone and not isinstance(models, Iterable):
        raise InputError(f"Expected runs and submissions, got {describe_type(models)}.")
    named: dict[str, Model] = {}
    for model in [models] if alone else models:  # type: ignore[union-attr]
        place = getattr(model, "folder", model)
        name = model_name(Path(place)) if isinstance(place, str | os.PathLike) else "submission"
        if name in named:
            raise InputError(f"Two models are called {name!r}: give a mapping from names to models.")
        named[name] = model  # type: ignore[assignment]
    return named


def _opened(model: Run | Submission | Path | str) -> Run | Submission:
    from striate.training import Run

    if isinstance(model, Run | Submission):
        return model
    if not isinstance(model, Path | str):
        raise InputError(f"Expected a run or a submission, or its path; got {describe_type(model)}.")
    return Run.open(model) if Run.is_run_folder(model) else open_submission(model)


def _submission(model: Run | Submission, recording: Recording, device: str) -> Submission:
    if isinstance(model, Submission):
        if model.session not in (None, recording.session):
            raise InputError(
                f"A submission answers recording {model.session}, and the report is about {recording.session}: give one for that."
            )
        return model
    from striate.training import predict

    return Submission.from_predictions(predict(model, recording, device=device))


def _said(ordered: list[Contender], tier: str) -> str:
    count = len(ordered)
    if count == 1:
        return f"One model: {ordered[0].name}."
    groups = by_protocol(ordered)
    if len(groups) > 1:
        named = "; ".join(
            f"{protocol_title(protocol)}: {', '.join(each.name for each in group)}"
            for protocol, group in groups.items()
        )
        return (
            f"{count} models that see different things, which are not compared with each other ({named}). {ordered[-1].name} is "
            "looked at most closely."
        )
    return (
        f"{count} models, from the weakest to the strongest by their correlation to average on the {tier_title(tier)}; the strongest, "
        f"{ordered[-1].name}, is looked at most closely."
    )


def _origin(given: Run | Submission | Path | str, model: Run | Submission) -> str:
    if isinstance(model, Submission):
        where = f" {Path(given).name}" if isinstance(given, Path | str) else ""
        return f"submission{where}; protocol {model.protocol or 'not stated'}"
    from striate.training.environment import folder_name

    facts = model.provenance
    seed = f", seed {facts['seed']}" if "seed" in facts else ""
    return f"run {folder_name(model.folder)} ({model.recipe.description or 'its own recipe'}{seed}); protocol {model.protocol}"
