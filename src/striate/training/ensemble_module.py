"""The module of an ensemble: gives each member the inputs that it was trained with, and combines what the members predict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from striate.data import Batch, DataSettings
from striate.data.config import ORIGINAL
from striate.data.context import Context
from striate.data.context_settings import ContextSettings
from striate.errors import InputError, shortened
from striate.models import Encoder

Combination = Literal["rates", "pre-activations"]

# Settings that say which trials and neurons are used, and how fast. The others decide what a model sees.
_NOT_INPUTS = {"areas", "layers", "unit_ids", "neurons", "neuron_seed", "batch_size", "cache_gib"}
_CONVERTED = {"behavior", "behavior_planes", "pupil_center", "context", "image_size"}


def common_data(members: Sequence[DataSettings]) -> DataSettings:
    """Return the settings of batches from which the inputs of all members can be made.

    They have behaviour, eye position and the context of trials if one member uses them. If the sizes of the images differ, they are the recorded ones.
    Neurons are selected as for the first member.

    Parameters
    ----------
    members
        Settings of the members' data.

    Raises
    ------
    InputError
        If the members differ in a setting that cannot be converted.

    Examples
    --------
    >>> common = common_data([DataSettings(), DataSettings(behavior=True, image_size=(72, 128))])
    >>> common.behavior, common.behavior_planes, common.image_size
    (True, False, 'original')
    """
    settings = [each.for_prediction() for each in members]
    inputs = [each.model_dump(exclude=_NOT_INPUTS) for each in settings]
    for key in inputs[0].keys() - _CONVERTED:
        if any(each[key] != inputs[0][key] for each in inputs):
            values = sorted({str(each[key]) for each in inputs})
            raise InputError(
                f"The members differ in data.{key} ({shortened(' and '.join(values), 80)}): give runs with the same."
            )
    batch_size = min(each.batch_size for each in settings)  # for the member that needs the most memory
    if all(each == inputs[0] for each in inputs):
        return settings[0].model_copy(update={"batch_size": batch_size})
    sizes = {each.image_size for each in settings}
    behavior = any(each.behavior for each in settings)
    return settings[0].model_copy(
        update={
            "behavior": behavior,
            "behavior_planes": not behavior,  # members append the planes themselves
            "pupil_center": any(each.pupil_center for each in settings),
            "context": _common_context([each.context for each in settings if each.context is not None]),
            "image_size": sizes.pop() if len(sizes) == 1 else ORIGINAL,
            "batch_size": batch_size,
        }
    )


def same_inputs(one: DataSettings, other: DataSettings) -> bool:
    """Return whether the inputs of two models are the same.

    Examples
    --------
    >>> same_inputs(DataSettings(batch_size=16, folds=5), DataSettings()), same_inputs(DataSettings(), DataSettings(behavior=True))
    (True, False)
    """
    left, right = (each.for_prediction().model_dump(exclude=_NOT_INPUTS) for each in (one, other))
    return left == right


def member_batch(batch: Batch, common: DataSettings, wanted: DataSettings) -> Batch:
    """Convert a batch of the common settings to one of a member's settings.

    Images are rescaled as in training (bilinear, half-pixel centres, no anti-aliasing); planes of behaviour are appended where the
    member wants them; and what the member does not use is left out. Gradients pass through.

    Parameters
    ----------
    batch
        Batch of the settings `common`.
    common
        Result of `common_data`.
    wanted
        Settings of the member's data.

    Examples
    --------
    >>> batch = Batch("mouse", "test", torch.arange(2), torch.zeros(2, 1, 36, 64), behavior=torch.ones(2, 3))
    >>> wanted = DataSettings(behavior=True, image_size=(18, 32))
    >>> member_batch(batch, DataSettings(behavior=True, behavior_planes=False), wanted).images.shape
    torch.Size([2, 4, 18, 32])
    """
    if all(getattr(common, key) == getattr(wanted, key) for key in _CONVERTED):
        return batch
    images, behavior = batch.images, batch.behavior if wanted.behavior else None
    if isinstance(wanted.image_size, tuple) and tuple(images.shape[2:]) != wanted.image_size:
        images = F.interpolate(images, wanted.image_size, mode="bilinear", align_corners=False)
    if behavior is not None and wanted.behavior_planes:
        planes = behavior[:, :, None, None].expand(-1, -1, *images.shape[2:])
        images = torch.cat([images, planes.to(images.dtype)], dim=1)
    eye = batch.pupil_center if wanted.pupil_center else None
    context = _member_context(batch, common, wanted)
    return replace(batch, images=images, behavior=behavior, pupil_center=eye, context=context)


def _common_context(members: Sequence[ContextSettings]) -> ContextSettings | None:
    """Return the settings of a context that holds those of all members that use one."""
    if not members:
        return None
    strict = any(each.unknown_order == "refuse" for each in members)
    return ContextSettings(
        past=max(each.past for each in members),
        future=max(each.future for each in members),
        past_responses=tuple(sorted({trials for each in members for trials in each.past_responses})),
        unknown_order="refuse" if strict else "average",
    )


def _member_context(batch: Batch, common: DataSettings, wanted: DataSettings) -> Context | None:
    """Return the part of the context that a member uses: its window, eye position only if the member sees it, its past responses."""
    if wanted.context is None or common.context is None or batch.context is None or batch.behavior is None:
        return None
    first = common.context.past - wanted.context.past
    window = slice(first, first + wanted.context.window)
    variables = slice(None) if wanted.pupil_center else slice(batch.behavior.shape[1])
    past, before = batch.context.past_responses, batch.context.measured_before
    if wanted.context.past_responses and past is not None:
        past = past[:, [common.context.past_responses.index(trials) for trials in wanted.context.past_responses]]
    else:
        past = before = None
    return Context(
        behavior=batch.context.behavior[:, window, variables],
        exists=batch.context.exists[:, window],
        positions=batch.context.positions,
        past_responses=past,
        measured_before=before,
    )


class EnsembleModule(nn.Module):
    """Predicts with several trained modules together, differentiably in the image.

    Parameters
    ----------
    members
        Trained modules, which map a batch to rates.
    settings
        Settings of each member's data.
    combine
        ``"rates"`` is the mean of the rates r = f(a) of the members, ``"pre-activations"`` is f of the mean of their drives a, where
        f is the output nonlinearity that all members share. Gains of rates that members have are averaged too.

    Attributes
    ----------
    data
        Settings of the batches that the module takes.

    Examples
    --------
    >>> from striate.training.own_module import FromImages
    >>> members = [FromImages(nn.Sequential(nn.Flatten(), nn.Linear(36 * 64, 2), nn.Softplus())) for _ in range(3)]
    >>> ensemble = EnsembleModule(members, [DataSettings()] * 3)
    >>> ensemble(Batch("mouse", "test", torch.arange(4), torch.zeros(4, 1, 36, 64))).shape
    torch.Size([4, 2])
    """

    def __init__(
        self, members: Iterable[nn.Module], settings: Sequence[DataSettings], combine: Combination = "rates"
    ) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.settings = tuple(settings)
        self.data = common_data(settings)
        self.combine = combine

    def forward(self, batch: Batch) -> Tensor:
        """Return the combined rates of a batch, (B, N)."""
        batches = [member_batch(batch, self.data, each) for each in self.settings]
        if self.combine == "rates":
            return _mean([member(each) for member, each in zip(self.members, batches, strict=True)])
        encoders = [cast("Encoder", member) for member in self.members]
        drive = _mean([encoder.drive(each) for encoder, each in zip(encoders, batches, strict=True)])
        if not any(encoder.settings.modulators for encoder in encoders):
            return encoders[0].activate(drive, batches[0])
        return _mean([encoder.activate(drive, each) for encoder, each in zip(encoders, batches, strict=True)])


def _mean(values: Sequence[Tensor]) -> Tensor:
    total = values[0]
    for each in values[1:]:
        total = total + each
    return total / len(values)
