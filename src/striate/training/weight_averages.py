"""Averages of the weights over a training: an exponential moving average, or stochastic weight averaging."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from striate.training.recipe import ScheduleSettings


def averaged_model(encoder: nn.Module, settings: ScheduleSettings) -> AveragedModel | None:
    """Make the average of the weights of an encoder that a schedule asks for; None if it asks for none.

    Buffers, such as the statistics of batch normalisation, are averaged as the weights are.

    Examples
    --------
    >>> layer = nn.Linear(1, 1)
    >>> average = averaged_model(layer, ScheduleSettings(swa_start=1))
    >>> for value in (1.0, 2.0, 6.0):
    ...     _ = nn.init.constant_(layer.weight, value)
    ...     average.update_parameters(layer)
    >>> average.module.weight.item()
    3.0
    """
    if settings.ema_decay:
        rule = get_ema_multi_avg_fn(settings.ema_decay)  # type: ignore[no-untyped-call]
        return AveragedModel(encoder, multi_avg_fn=rule, use_buffers=True)
    return AveragedModel(encoder, multi_avg_fn=_mean, use_buffers=True) if settings.swa_start else None


@torch.no_grad()
def _mean(averages: Sequence[Tensor], values: Sequence[Tensor], count: Tensor | int) -> None:
    """Make means of `count` values those of one value more; what is not continuous, such as a counter, is copied."""
    for average, value in zip(averages, values, strict=True):
        if average.is_floating_point():
            average.lerp_(value, 1 / (int(count) + 1))
        else:
            average.copy_(value)


@torch.no_grad()
def update_batch_statistics(module: nn.Module, batches: Iterable[Any], forward: Callable[[Any], object]) -> None:
    """Compute the statistics of batch normalisation anew, because averaged weights have others than those that were averaged.

    Parameters
    ----------
    module
        Module whose statistics are replaced. Frozen ones, which stay in evaluation mode, are kept.
    batches
        Training batches.
    forward
        Function that calls the module with a batch.

    Examples
    --------
    >>> module = nn.BatchNorm1d(1)
    >>> update_batch_statistics(module, torch.tensor([[[1.0], [3.0]], [[5.0], [7.0]]]), module)
    >>> module.running_mean.item(), module.momentum
    (4.0, 0.1)
    """
    module.train()
    norms = [each for each in module.modules() if isinstance(each, _BatchNorm) and each.training]
    norms = [each for each in norms if each.track_running_stats]
    if not norms:
        return
    momenta = [each.momentum for each in norms]
    try:
        for each in norms:
            each.reset_running_stats()
            each.momentum = None  # the mean over all batches
        for batch in batches:
            forward(batch)
    finally:
        for each, momentum in zip(norms, momenta, strict=True):
            each.momentum = momentum
