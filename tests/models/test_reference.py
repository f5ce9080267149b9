"""Rates and all gradients of a training step, against the model written out anew in double precision."""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from striate.models import Encoder, EncoderSettings, build_encoder
from striate.models.readouts import gaussian
from striate.training.losses import batch_weight, poisson

NEURONS, BATCH, TRIALS = 7, 5, 865


def written_out(model: Encoder, images: Tensor, pupil_center: Tensor, noise: Tensor) -> Tensor:
    maps = images
    for index, layer in enumerate(model.core.layers):
        for convolution in [layer.convolution] if index == 0 else list(layer.convolution):  # type: ignore[list-item, arg-type]
            maps = F.conv2d(maps, convolution.weight, padding=convolution.padding, groups=convolution.groups)
        mean, variance = maps.mean((0, 2, 3), keepdim=True), maps.var((0, 2, 3), unbiased=False, keepdim=True)
        weight, bias = (p[None, :, None, None] for p in (layer.norm.weight, layer.norm.bias))
        maps = F.elu((maps - mean) / torch.sqrt(variance + 1e-5) * weight + bias)
    readout = model.readout("m")
    first, _, second = readout.position_network
    means = torch.tanh(second(F.elu(first(readout.cortical_positions))))
    drawn = [(readout.spread[:, axis] * noise).sum(-1) for axis in (0, 1)]
    positions = (means + torch.stack(drawn, dim=-1)).clamp(-1, 1)
    shift = pupil_center
    for linear in model.shifters["session_m"].layers:
        shift = torch.tanh(F.linear(shift, linear.weight, linear.bias))
    sampled = F.grid_sample(maps, (positions + shift[:, None])[:, :, None], align_corners=True)[..., 0]
    return F.elu(torch.einsum("bcn,nc->bn", sampled, readout.features) + readout.bias) + 1


def penalty(model: Encoder) -> Tensor:
    weight = model.core.layers[0].get_parameter("convolution.weight")
    kernel = weight.new_tensor([[0, -1, 0], [-1, 4, -1], [0, -1, 0]])
    rough = F.conv2d(weight.reshape(-1, 1, 9, 9), kernel[None, None], padding=1)
    return 6.3831 * (rough**2).sum() / (weight**2).sum() + 0.0076 * model.readout("m").features.abs().sum()


def test_a_step_of_training_is_the_formulas(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    settings = EncoderSettings.model_validate({"core": {"channels": 8}, "shifter": True})
    model = build_encoder(settings, {"m": np.random.default_rng(0).normal(size=(NEURONS, 3))}, (4, 36, 64)).train()
    reference = copy.deepcopy(model).double()
    images, pupil_center = torch.randn(BATCH, 4, 36, 64), torch.randn(BATCH, 2)
    responses, noise = torch.rand(BATCH, NEURONS), torch.randn(BATCH, NEURONS, 2)
    monkeypatch.setattr(gaussian.torch, "randn", lambda *_, **__: noise)
    rates = model.rates(images, "m", pupil_center)
    expected = written_out(reference, images.double(), pupil_center.double(), noise.double())
    torch.testing.assert_close(rates.double(), expected, atol=1e-4, rtol=1e-4)
    (poisson(rates, responses).sum() * batch_weight(TRIALS, BATCH) + model.regulariser("m")).backward()
    by_hand = (expected - responses.double() * (expected + 1e-8).log()).sum() * np.sqrt(TRIALS / BATCH)
    (by_hand + penalty(reference)).backward()
    for (name, ours), theirs in zip(model.named_parameters(), reference.parameters(), strict=True):
        assert ours.grad is not None, name
        assert theirs.grad is not None, name
        assert (ours.grad - theirs.grad).abs().max() <= 1e-4 * theirs.grad.abs().max(), name
