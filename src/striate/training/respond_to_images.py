"""Predict the responses of a run to raw images: the implementation of `TrainedModel.respond`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from striate._internal.arrays import as_array
from striate._internal.devices import resolve_device
from striate._internal.progress_bars import progress_bar
from striate._internal.torch_defaults import torch_defaults
from striate.component_errors import component_errors
from striate.data.batch import Batch
from striate.data.context import Context
from striate.data.raw_images import RawImages, model_images, screen_sized
from striate.errors import InputError, listed, nearest
from striate.models.kernels import freed_memory_kept
from striate.recordings.table_labels import stack_components

if TYPE_CHECKING:
    from striate.recordings import Recording
    from striate.training.input_statistics import ComponentStatistics, SessionInputs
    from striate.training.trained_model import TrainedModel

UNITS = ("standardised", "raw")
_NAMED_STATES = ("median", "mean")


@component_errors()
@torch_defaults()
def respond(
    run: TrainedModel,
    images: Any,
    *,
    behavior: Any = None,
    pupil_center: Any = None,
    recording: str | Recording | None = None,
    units: str = "standardised",
    batch_size: int | None = None,
    module: torch.nn.Module | None = None,
    device: str = "auto",
) -> pd.DataFrame:
    """Predict responses to raw images; see `TrainedModel.respond`."""
    if units not in UNITS:
        raise InputError(f"There are no units {units!r}: {nearest(str(units), UNITS)}.")
    if batch_size is not None and (type(batch_size) is not int or batch_size < 1):
        raise InputError(f"batch_size is {batch_size!r}; give a whole number ≥ 1.")
    session = _session(run, recording)
    inputs = run.inputs(session)
    given = RawImages(images, inputs.spec.stimulus)
    standardisation = run.standardisation(session)
    behavior_values = _state("behavior", behavior, inputs, len(given), session)
    pupil = _state("pupil_center", pupil_center, inputs, len(given), session)
    if behavior_values is not None:
        behavior_values = standardisation.behavior(behavior_values)
    if pupil is not None:
        pupil = standardisation.pupil_center(pupil)
    target = resolve_device(device)
    encoder = run.module(module).to(target)
    size = run.data.input_size(inputs.spec.stimulus, inputs.image_shape)
    unit_ids = run.unit_ids(session)
    rates = np.empty((len(given), len(unit_ids)), dtype=np.float32)
    tier = next(iter(inputs.spec.test_tiers), inputs.spec.validation_tier)
    start = 0
    with freed_memory_kept(), torch.inference_mode(), progress_bar("Responding", len(given)) as advance:
        for raw in _batches(given, inputs.image_shape, size, batch_size or run.data.batch_size):
            rows = slice(start, start + len(raw))
            pixels = model_images(raw, size, standardisation)
            state = None if behavior_values is None else torch.from_numpy(behavior_values[rows])
            if state is not None and run.data.behavior_planes:
                behavior_channels = state[:, :, None, None].expand(-1, -1, *size)
                pixels = torch.cat([pixels, behavior_channels], dim=1)
            eye = None if pupil is None else torch.from_numpy(pupil[rows])
            context = _average_context(run, state, eye, len(unit_ids))
            row_numbers = torch.arange(start, start + len(raw))
            batch = Batch(session, tier, row_numbers, pixels, None, state, eye, context=context).to(target)
            rates[rows] = encoder(batch).cpu().float().numpy()
            start += len(raw)
            advance(len(raw))
    if units == "raw":
        rates *= standardisation.response_scale.astype(np.float32)
    index = pd.Index(given.names, name="image")
    return pd.DataFrame(rates, index=index, columns=pd.Index(unit_ids, name="unit_id"))


def _average_context(
    run: TrainedModel, behavior: torch.Tensor | None, pupil_center: torch.Tensor | None, neurons: int
) -> Context | None:
    """Return the average context of a session, because raw images belong to none; None if the model uses no context."""
    settings = run.data.context
    if settings is None or behavior is None:
        return None
    size = behavior.shape[1] + (0 if pupil_center is None else pupil_center.shape[1])
    return Context.average(len(behavior), settings, size, neurons)


def _batches(
    images: RawImages, screen: tuple[int, int], size: tuple[int, int], count: int
) -> Iterator[NDArray[np.float32]]:
    """Yield batches of images, (B, C, H, W). All images of a batch have the size of the screen or that of the input."""
    named = zip(images.names, images, strict=True)
    while chunk := list(islice(named, count)):
        fitting = [screen_sized(image, screen, size, name) for name, image in chunk]
        start = 0
        for end in range(1, len(fitting) + 1):
            if end == len(fitting) or fitting[end].shape != fitting[start].shape:
                yield np.stack(fitting[start:end]).astype(np.float32)
                start = end


def _session(run: TrainedModel, recording: Any) -> str:
    session: Any = getattr(recording, "session", recording)
    if session is None:
        if len(run.sessions) > 1:
            raise InputError(
                f"{run.folder} was trained on several recordings: say whose neurons respond, recording=…; one of "
                f"{listed(run.sessions, 8)}."
            )
        return run.sessions[0]
    if session not in run.sessions:
        raise InputError(
            f"{run.folder} was not trained on recording {session!r}: {nearest(str(session), run.sessions)}."
        )
    return str(session)


def _state(name: str, given: Any, inputs: SessionInputs, count: int, session: str) -> NDArray[np.float64] | None:
    """Return the raw values of behaviour or eye position for each image, (T, K); None if the model does not use them."""
    statistics: ComponentStatistics | None = getattr(inputs, name)
    components = inputs.spec.components[name]
    what = f"({', '.join(components)})"
    if statistics is None:
        if given is not None:
            raise InputError(f"This model does not use {name}: leave it out.")
        return None
    if given is None:
        raise InputError(
            f"This model uses {name} {what}: give it in raw units, a value for all images or one for each, or "
            f'{name}="median" for the median of the training trials of {session}.'
        )
    if isinstance(given, str):
        if given not in _NAMED_STATES:
            raise InputError(
                f"There is no state {given!r} of {name}: {nearest(given, _NAMED_STATES)}; or give values {what}."
            )
        values = np.array([getattr(statistics, given)])
    elif isinstance(given, Mapping | pd.DataFrame | pd.Series):
        values = stack_components(name, given, inputs.spec)
    else:
        values = np.atleast_2d(as_array(given, name).astype(np.float64))
    if values.ndim != 2 or values.shape[1] != len(components) or len(values) not in (1, count):
        raise InputError(
            f"{name} has shape {np.shape(values)}; {count} images need ({count}, {len(components)}) or ({len(components)},): {what}."
        )
    if not np.isfinite(values).all():
        raise InputError(f"{name} holds NaN or infinity: give a number for each of {what}.")
    return np.repeat(values, count, axis=0) if len(values) == 1 else values
