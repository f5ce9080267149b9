"""Modules of one's own: trained by ``striate.train(encoder=module)``, and loaded by ``Run.encoder(module)``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from torch import Tensor, nn

from striate._internal.user_warnings import warn
from striate.errors import InputError, describe_type
from striate.models.config import ModelSettings
from striate.models.inputs import ModelInputs
from striate.registry import models, source_of

if TYPE_CHECKING:
    from striate.data import Batch


class OwnModelSettings(ModelSettings):
    """The model of a run that was trained with a module of one's own. It has no settings, because the module is made by its owner.

    Examples
    --------
    >>> OwnModelSettings().type
    'own'
    """


@models.register("own", settings=OwnModelSettings)
def own_model(settings: OwnModelSettings, inputs: ModelInputs) -> Any:
    """A module of one's own, which is given to ``striate.train(encoder=module)``."""
    raise InputError(
        "This recipe is for a module of one's own: give it, striate.train(recipe, recordings, out, encoder=module)."
    )


def check_module(module: object) -> None:
    """Raise `InputError` if a module cannot be trained.

    Examples
    --------
    >>> check_module(nn.Linear)
    Traceback (most recent call last):
    ...
    striate.errors.InputError: encoder is the class Linear; expected a torch.nn.Module: give an object of it, such as Linear().
    """
    if isinstance(module, type):
        raise InputError(
            f"encoder is the class {module.__name__}; expected a torch.nn.Module: give an object of it, such as {module.__name__}()."
        )
    if not isinstance(module, nn.Module):
        raise InputError(f"encoder is {describe_type(module)}; expected a torch.nn.Module from a batch to rates.")
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise InputError(f"The module {type(module).__name__} has no parameters to train.")


class FromImages(nn.Module):
    """Makes a module that takes images a module that takes batches, for ``striate.train(encoder=...)``.

    Parameters
    ----------
    module
        Module from standardised images, (B, C, height, width), to rates, (B, N).

    Examples
    --------
    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(36 * 64, 50), nn.Softplus())
    >>> run = striate.train("cnn", recording, "run", encoder=FromImages(net))  # doctest: +SKIP
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, batch: Batch) -> Tensor:
        """Return the rates of the images of a batch."""
        rates: Tensor = self.module(batch.images)
        return rates


def valid_rates(rates: Any, batch: Batch, neurons: int) -> Tensor:
    """Return the rates that a module predicts for a batch, those of the neurons ``batch.neurons`` only if the batch selects neurons.

    Parameters
    ----------
    rates : (B, N) or (B, M)
        What the module returned: rates of all N neurons, or of the M selected ones.
    batch
        The batch.
    neurons
        Number of neurons of the recording, N.

    Raises
    ------
    InputError
        If `rates` is no such tensor.
    """
    wanted = neurons if batch.neurons is None else len(batch.neurons)
    shape = tuple(rates.shape) if isinstance(rates, Tensor) else type(rates).__name__
    if shape == (len(batch), wanted):
        return cast("Tensor", rates)
    if shape == (len(batch), neurons):  # of a module that does not know batch.neurons
        return cast("Tensor", rates[:, batch.neurons])
    raise InputError(
        f"The model returned rates of shape {shape} for recording {batch.session}; a batch of {len(batch)} trials and {wanted} "
        f"neurons needs {(len(batch), wanted)}."
    )


def module_facts(module: nn.Module) -> dict[str, Any]:
    """Return what the provenance of a run records of a module: its class, and where its code comes from."""
    kind = type(module)
    return {"class": kind.__qualname__, **asdict(source_of(kind.__module__))}


def warn_of_changed_code(module: nn.Module, recorded: Any, folder: Path) -> None:
    """Warn if the code of a module is not that which the run was trained with."""
    before = recorded.get("sha256") if isinstance(recorded, dict) else None
    facts = module_facts(module)
    if before is not None and facts["sha256"] != before:
        warn(
            f"The code of {facts['class']} ({facts['module']}) has changed since {folder} was trained, so it may behave otherwise."
        )
