"""Optimisers, and the groups of parameters that they treat alike.

An optimiser is registered by ``@striate.registry.optimisers.register(name, settings=...)``, where the class of the settings
derives from `OptimiserSettings`. It is a function of its settings and a list of parameter groups that returns a
`torch.optim.Optimizer`. Each group has the keys ``params``, ``lr``, ``learning_rate_factor`` and, if the settings have a
weight decay, ``weight_decay``. The trainer sets ``lr`` before each step. Any state is saved in checkpoints.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Annotated, Any

import schedulefree
import torch
from pydantic import Field
from torch import nn

from striate.errors import InputError, describe_type, listed, quoted
from striate.registry import optimisers
from striate.training.recipe import NamedParametersSettings, OptimiserSettings

_PARTS = ("core", "readout", "shifter", "modulators")
_Beta = Annotated[float, Field(ge=0, lt=1)]
_WeightDecay = Annotated[float, Field(ge=0)]


class AdamSettings(OptimiserSettings):
    """Settings of Adam (Kingma and Ba, 2015).

    Attributes
    ----------
    betas
        Decay of the running averages of the gradient and of its square.

    Examples
    --------
    >>> AdamSettings().betas
    (0.9, 0.999)
    """

    betas: tuple[_Beta, _Beta] = (0.9, 0.999)


class AdamWSettings(OptimiserSettings):
    """Settings of AdamW, Adam with decoupled weight decay (Loshchilov and Hutter, 2019).

    Attributes
    ----------
    betas
        Decay of the running averages of the gradient and of its square.
    weight_decay
        Each step shrinks the weights by this factor times the learning rate. Biases, and other parameters with fewer than two
        axes, do not decay.

    Examples
    --------
    >>> AdamWSettings(core={"weight_decay": 0.1}).readout.weight_decay is None
    True
    """

    betas: tuple[_Beta, _Beta] = (0.9, 0.999)
    weight_decay: _WeightDecay = 0.01


class ScheduleFreeAdamWSettings(OptimiserSettings):
    """Settings of schedule-free AdamW (Defazio et al., 2024), which averages the weights instead of reducing the learning rate.

    Use it with ``schedule.type = "constant"``. Validation and the result use the averaged weights.

    Attributes
    ----------
    betas
        Interpolation between the averaged and the latest weights, at which gradients are computed, and decay of the running
        average of the squared gradient.
    weight_decay
        As for ``"adamw"``.
    warmup_steps
        Number of updates over which the learning rate rises linearly.

    Examples
    --------
    >>> ScheduleFreeAdamWSettings().warmup_steps
    0
    """

    betas: tuple[_Beta, _Beta] = (0.9, 0.999)
    weight_decay: _WeightDecay = 0.0
    warmup_steps: Annotated[int, Field(ge=0)] = 0


@optimisers.register("adam", settings=AdamSettings)
def adam(settings: AdamSettings, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """Adam (Kingma and Ba, 2015)."""
    return torch.optim.Adam(groups, betas=settings.betas)


@optimisers.register("adamw", settings=AdamWSettings)
def adamw(settings: AdamWSettings, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """AdamW, Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""
    return torch.optim.AdamW(groups, betas=settings.betas)


@optimisers.register("schedule_free_adamw", settings=ScheduleFreeAdamWSettings)
def schedule_free_adamw(settings: ScheduleFreeAdamWSettings, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """Schedule-free AdamW (Defazio et al., 2024)."""
    return ScheduleFreeAdamW(groups, betas=settings.betas, warmup_steps=settings.warmup_steps)


class ScheduleFreeAdamW(schedulefree.AdamWScheduleFree):  # type: ignore[misc]
    """Schedule-free AdamW that can go on from other weights."""

    @torch.no_grad()
    def restart(self) -> None:
        """Go on from the weights that the parameters have now: forget the latest weights, which the average pulls them to."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if "z" in self.state[parameter]:
                    self.state[parameter]["z"].copy_(parameter)


def build_optimiser(
    settings: OptimiserSettings, module: nn.Module, learning_rate: float, factors: Mapping[str, float] | None = None
) -> torch.optim.Optimizer:
    """Make the optimiser of a module.

    Parameters
    ----------
    settings
        Settings of the optimiser.
    module
        Module to train. Its frozen parameters are included if their part is among `factors`, because they may be trained later.
    learning_rate
        Learning rate of the first step.
    factors
        Further factors of the learning rate by part, such as ``{"core": 0.1}``.

    Returns
    -------
    Optimizer
        The optimiser, in training mode if it has modes.

    Raises
    ------
    InputError
        If a pattern of ``[[optimiser.groups]]`` names no parameter.

    Examples
    --------
    >>> settings = AdamWSettings(core={"learning_rate_factor": 0.1, "weight_decay": 0.5})
    >>> module = nn.ModuleDict({"core": nn.Linear(2, 2), "readout": nn.Linear(2, 1)})
    >>> for group in build_optimiser(settings, module, 1.0).param_groups:
    ...     print(group["lr"], group["weight_decay"], [tuple(p.shape) for p in group["params"]])
    0.1 0.5 [(2, 2)]
    0.1 0.0 [(2,)]
    1.0 0.01 [(1, 2)]
    1.0 0.0 [(1,)]
    """
    groups: dict[tuple[float, float | None], dict[str, Any]] = {}
    _refuse_patterns_without_parameters(settings, module)
    for name, parameter in module.named_parameters():
        part = next((each for each in _PARTS if name.startswith((f"{each}.", f"{each}s."))), None)
        extra = (factors or {}).get(part) if part else None
        if not parameter.requires_grad and extra is None:
            continue
        own, named = (getattr(settings, part) if part else None), _named_settings(settings, name)
        factor = own.learning_rate_factor if own else 1.0
        if named is not None and "learning_rate_factor" in named.model_fields_set:
            factor = named.learning_rate_factor
        factor *= 1.0 if extra is None else extra
        decay: float | None = getattr(settings, "weight_decay", None)
        if decay is not None:
            own_decay = own.weight_decay if own else None
            decay = 0.0 if parameter.ndim < 2 else decay if own_decay is None else own_decay
            if named is not None and named.weight_decay is not None:
                decay = named.weight_decay
        if (factor, decay) not in groups:
            group: dict[str, Any] = {"params": [], "lr": learning_rate * factor, "learning_rate_factor": factor}
            groups[factor, decay] = group if decay is None else group | {"weight_decay": decay}
        groups[factor, decay]["params"].append(parameter)
    optimiser: torch.optim.Optimizer = optimisers.build(settings, list(groups.values()))
    if not isinstance(optimiser, torch.optim.Optimizer):
        raise InputError(
            f"The optimiser {settings.type!r} was built as {describe_type(optimiser)}; expected a torch.optim.Optimizer: return one."
        )
    if callable(train := getattr(optimiser, "train", None)):
        train()
    return optimiser


def _named_settings(settings: OptimiserSettings, name: str) -> NamedParametersSettings | None:
    """Return the last group whose patterns match the name of a parameter."""
    matching = [group for group in settings.groups if any(fnmatchcase(name, each) for each in group.parameters)]
    return matching[-1] if matching else None


def _refuse_patterns_without_parameters(settings: OptimiserSettings, module: nn.Module) -> None:
    names = [name for name, _ in module.named_parameters()]
    for pattern in (each for group in settings.groups for each in group.parameters):
        if not any(fnmatchcase(name, pattern) for name in names):
            raise InputError(
                f"optimiser.groups: no parameter of the model matches {quoted(pattern)}; its parameters are {listed(names, 6)}."
            )


def set_learning_rate(optimiser: torch.optim.Optimizer, learning_rate: float) -> None:
    """Set the learning rate of each group: that of the schedule times the factor of the group."""
    for group in optimiser.param_groups:
        group["lr"] = learning_rate * group["learning_rate_factor"]


@contextmanager
def evaluation_weights(optimiser: torch.optim.Optimizer) -> Iterator[None]:
    """Give the parameters the values to evaluate within the ``with`` block.

    Optimisers with the methods ``eval`` and ``train``, such as schedule-free AdamW, evaluate other weights than they train.
    At the end of the block the parameters have exactly the values from before.
    """
    evaluate = getattr(optimiser, "eval", None)
    if not callable(evaluate):
        yield
        return
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    before = [parameter.detach().clone() for parameter in parameters]
    evaluate()
    try:
        yield
    finally:
        optimiser.train()  # type: ignore[attr-defined]
        with torch.no_grad():  # converting back would round
            for parameter, value in zip(parameters, before, strict=True):
                parameter.copy_(value)


def restart(optimiser: torch.optim.Optimizer) -> None:
    """Tell an optimiser that the parameters were given other values, if it has a method ``restart``."""
    if callable(method := getattr(optimiser, "restart", None)):
        method()
