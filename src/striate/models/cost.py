"""Cost of a model: its parameters, and the multiply-adds of the response to one image."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from striate.data.context import Context
from striate.models.encoder import Encoder
from striate.models.kernels import use_backend


def parameters(model: nn.Module) -> int:
    """Return the number of trained numbers of a model.

    Examples
    --------
    >>> parameters(nn.Linear(2, 3))
    9
    """
    return sum(each.numel() for each in model.parameters())


def multiply_adds(encoder: Encoder, session: str | None = None) -> int:
    """Count the multiply-adds of the forward pass of one image: core, readout, shifter and modulators.

    A multiply-add is a multiplication whose result is added to another: a convolution of a kernel of K × K with C input channels (of
    its group) takes K² · C of them for each output value, and a matrix product of (M, K) and (K, N) takes M · K · N. Also counted are
    both products of attention, the four of each bilinear interpolation, and the weighted sums of readouts. Normalisations, nonlinearities
    and other functions of single values are not. What does not depend on the number of images, such as kernels that are made of a
    basis, does not count either.

    Parameters
    ----------
    encoder
        The encoder. It computes nothing: only shapes are followed.
    session
        Recording whose neurons are predicted; by default that with most neurons.

    Returns
    -------
    int
        Multiply-adds of one image.

    Examples
    --------
    >>> from striate.models import EncoderSettings, build_encoder
    >>> encoder = build_encoder(EncoderSettings(core={"layers": 1}), {"mouse": [[0, 0], [1, 0], [0, 1]]}, (1, 36, 64))
    >>> multiply_adds(encoder) == 28 * 56 * 64 * 9 * 9 + 3 * 64 * (4 + 1)  # 9 × 9 kernels; 3 neurons, 64 features
    True
    """
    shapes = copy.deepcopy(encoder).to("meta").eval()
    chosen = session or max(shapes.sessions, key=shapes.neurons)
    return _count(shapes, chosen, images=2) - _count(shapes, chosen, images=1)


def _count(encoder: Encoder, session: str, images: int) -> int:
    inputs = encoder.inputs
    batch: dict[str, Any] = {
        "images": torch.empty(images, *encoder.input_shape, device="meta"),
        "session": session,
        "pupil_center": torch.empty(images, 2, device="meta") if encoder.uses_pupil_center else None,
        "behavior": torch.empty(images, inputs.behavior_size, device="meta") if encoder.uses_behavior else None,
    }
    if encoder.uses_context:
        assert inputs.context is not None
        context = Context.average(images, inputs.context, inputs.context_size, encoder.neurons(session))
        batch["context"] = context.map(lambda values: values.to("meta"))
    aten = torch.ops.aten
    counter = FlopCounterMode(
        display=False,
        custom_mapping={aten.grid_sampler_2d: _bilinear, aten.sum: _sum},
    )
    # the definitions in PyTorch's own operations, which the counter knows; attention as its two matrix products
    with use_backend("reference"), sdpa_kernel(SDPBackend.MATH), torch.no_grad(), counter:
        encoder.rates(**batch)
    return counter.get_total_flops() // 2


def _bilinear(maps: Sequence[int], grid: Sequence[int], *_: Any, out_shape: Sequence[int], **__: Any) -> int:
    return 2 * 4 * math.prod(out_shape)


def _sum(values: Sequence[int], *_: Any, out_shape: Sequence[int], **__: Any) -> int:
    """A sum along axes, of products in the readouts: one multiply-add for each value."""
    return 2 * math.prod(values)
