"""Check a model, its penalty and the loss on one batch of each recording, before a training writes anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from striate.errors import InputError, describe_type, is_out_of_memory, shortened
from striate.models import Core, Encoder, FeatureMaps, Readout
from striate.models.penalties import valid_penalty
from striate.registry import losses
from striate.training.own_module import valid_rates

if TYPE_CHECKING:
    from striate.data import Batch, SessionLoaders
    from striate.training.recipe import LossSettings


def check_model(model: nn.Module, loss: LossSettings, data: SessionLoaders, device: torch.device) -> None:
    """Predict one batch of each recording, and compute its penalty and loss; this also initialises lazy modules.

    Parameters
    ----------
    model
        Encoder, or any other module from a `Batch` to rates, (B, N).
    loss
        Settings of the loss.
    data
        Loaders of the recordings.
    device
        Device that the model is moved to.

    Raises
    ------
    InputError
        If the model returns something else than rates ≥ 0, (B, N), if its penalty is no scalar, if the loss has no value for each
        neuron, or if the feature maps of a core have another shape than it declares.
    """
    model.to(device).eval()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), torch.no_grad():
        for loaders in data.values():
            batch = next(iter(loaders.prediction("validation")))
            if isinstance(model, Encoder):
                _check_components(model, batch)
            rates = valid_rates(_rates(model, batch), batch, len(loaders.unit_ids))
            _check_values(rates, batch.session)
            _check_penalty(model, batch.session)
            _check_loss(loss, rates.float())


def _rates(model: nn.Module, batch: Batch) -> Any:
    """Return what a model returns for a batch; raise `InputError` if it takes something else than a batch."""
    try:
        return model(batch)
    except (TypeError, AttributeError, NotImplementedError, ValueError, RuntimeError) as error:
        if isinstance(model, Encoder) or is_out_of_memory(error):
            raise
        name = type(model).__name__
        if _takes_images(model, batch):
            raise InputError(
                f"The module {name} takes images, but it is called with a batch: give encoder=striate.training.FromImages(module), or "
                "let its method forward begin with images = batch.images."
            ) from error
        absent = [key for key in ("behavior", "pupil_center") if getattr(batch, key) is None]
        if absent and "NoneType" in str(error):
            fields, keys = (" and ".join(f"{start}.{key}" for key in absent) for start in ("batch", "data"))
            verb = "is" if len(absent) == 1 else "are"
            raise InputError(
                f"The module {name} cannot use a batch ({shortened(error, 120)}): {fields} {verb} None, because {keys} {verb} false in "
                "the recipe. Set what the module needs to true."
            ) from error
        raise


def _takes_images(model: nn.Module, batch: Batch) -> bool:
    """Return whether a module maps the images of a batch to rates."""
    try:
        rates = model(batch.images)
    except Exception:  # code of others may raise anything
        return False
    return isinstance(rates, Tensor) and rates.ndim == 2 and len(rates) == len(batch)


def _check_components(encoder: Encoder, batch: Batch) -> None:
    """Raise `InputError` if a component returns something of another shape than it should."""
    core, readout = encoder.core, encoder.readout(batch.session)
    maps = _maps(core, batch, readout)
    depths = core.depths if readout.uses_depths else (FeatureMaps(core.channels, core.geometry),)
    attributes = "attribute depths declares" if readout.uses_depths else "attributes channels and geometry declare"
    found = maps if readout.uses_depths and isinstance(maps, list | tuple) else [maps]
    if len(found) != len(depths):
        raise InputError(
            f"depth_maps() of the core {core.settings.type!r} returned the maps of {len(found)} depths; its attribute depths declares "
            f"{len(depths)}."
        )
    for each, declared in zip(found, depths, strict=True):
        shape = (len(batch), declared.channels, *declared.geometry.shape)
        _check_shape(each, shape, f"The core {core.settings.type!r} returned maps", f", as its {attributes}")
    shift = None
    if (shifter := encoder.shifter(batch.session)) is not None:
        shift = shifter(batch.pupil_center)
        _check_shape(shift, (len(batch), 2), f"The shifter {shifter.settings.type!r} returned shifts")
    drive = readout(maps, shift, None)
    _check_shape(drive, (len(batch), readout.neurons), f"The readout {readout.settings.type!r} returned a drive")


def _maps(core: Core, batch: Batch, readout: Readout) -> Any:
    """Return the maps that a readout takes; raise `InputError` if the core uses behaviour without saying so."""
    compute = core.depth_maps if readout.uses_depths else core
    used = core.used_inputs(batch.behavior, batch.pupil_center)
    if "behavior" in used:
        return compute(batch.images, **used)
    try:
        return compute(batch.images, **used)
    except (TypeError, AttributeError) as error:
        if not any(text in str(error) for text in ("NoneType", "'behavior'")):
            raise
        raise InputError(
            f"The core {core.settings.type!r} cannot do without behaviour ({shortened(error, 120)}), but its settings do not say so: give "
            "them a property uses_behavior that returns True."
        ) from error


def _check_shape(values: Any, expected: tuple[int, ...], returned: str, says: str = "") -> None:
    shape = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
    if shape != expected:
        what = f"of shape {shape}" if isinstance(values, Tensor) else f"of type {shape}"
        raise InputError(f"{returned} {what}; expected a tensor of shape {expected}{says}.")


def _check_values(rates: Tensor, session: str) -> None:
    if rates.numel() and not torch.isfinite(rates).all():
        raise InputError(f"The model returned NaN or infinite rates for recording {session}, before any training.")
    if rates.numel() and float(rates.min()) < 0:
        raise InputError(
            f"The model returned negative rates for recording {session} (the least is {float(rates.min()):.3g}); rates are ≥ 0: end "
            "it with a function such as torch.nn.functional.softplus."
        )


def _check_penalty(model: nn.Module, session: str) -> None:
    regulariser = getattr(model, "regulariser", None)
    if not callable(regulariser):
        return
    name = f"regulariser(session) of {type(model).__name__}"
    try:
        penalty = regulariser(session)
    except TypeError as error:
        if "regulariser() " not in str(error) or isinstance(model, Encoder):
            raise
        raise InputError(
            f"{name} cannot be called ({shortened(error, 120)}): its argument is the session of a recording, a text."
        ) from error
    valid_penalty(penalty, name)


def _check_loss(settings: LossSettings, rates: Tensor) -> None:
    values = losses.function(settings)(rates, torch.ones_like(rates))
    shape = tuple(values.shape) if isinstance(values, Tensor) else describe_type(values)
    trials, neurons = rates.shape
    if shape not in ((trials, neurons), (neurons,)):
        raise InputError(
            f"The loss {settings.type!r} returned {f'a tensor of shape {shape}' if isinstance(shape, tuple) else shape}; expected one "
            f"value for each trial and neuron, {(trials, neurons)}, or one for each neuron, {(neurons,)}."
        )
