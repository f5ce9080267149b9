"""What a report shows of runs and submissions, gathered from them and set in order."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from striate.errors import InputError
from striate.metrics.bootstrap import RESAMPLES
from striate.recordings import Recording
from striate.report.build import Material, tier_title
from striate.report.compare import Contender, by_protocol, by_strength, contend, differences, protocol_title
from striate.submissions import Submission, Truth, open_submission

if TYPE_CHECKING:  # who reads pages, such as a portal, does not load PyTorch
    from striate.training import Run


def gather(
    recording: Recording,
    models: Mapping[str, Run | Submission | Path | str],
    *,
    truth: Truth | None = None,
    title: str | None = None,
    bootstrap: int = RESAMPLES,
    seed: int = 0,
    device: str = "auto",
) -> Material:
    """Set models side by side on one recording: predict, score, compare, and find what else is known of them.

    Parameters
    ----------
    recording
        What is predicted.
    models
        By the name that the report gives it: a finished run, which predicts now; or a submission; or the folder or file of either.
    truth
        Measured responses of its test tiers; those of the recording if not given.
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
    if not models:
        raise InputError("A report needs a model: give a run or a submission.")
    measured = Truth.of(recording) if truth is None else truth
    opened = {name: _opened(model) for name, model in models.items()}
    runs = {name: model for name, model in opened.items() if not isinstance(model, Submission)}
    for run in runs.values():
        run.refuse_unfinished()
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


def _opened(model: Run | Submission | Path | str) -> Run | Submission:
    from striate.training import Run

    if not isinstance(model, Path | str):
        return model
    return Run.open(model) if Run.is_one(model) else open_submission(model)


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
    from striate.training.machine import folder_name

    facts = model.provenance
    seed = f", seed {facts['seed']}" if "seed" in facts else ""
    return f"run {folder_name(model.folder)} ({model.recipe.description or 'its own recipe'}{seed}); protocol {model.protocol}"
