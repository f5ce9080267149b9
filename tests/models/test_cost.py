"""Multiply-adds against counts from the definitions of layers."""

from typing import Any

import numpy as np
import pytest
import torch

from striate.models import Encoder, EncoderSettings, ModelInputs, build_encoder
from striate.models.cost import multiply_adds, parameters

NEURONS = 30


def encoder(shape: tuple[int, int, int] = (1, 36, 64), behavior: int = 0, **settings: Any) -> Encoder:
    neurons = {"mouse": np.random.default_rng(0).random((NEURONS, 3))}
    return build_encoder(EncoderSettings(**settings), neurons, shape, behavior_size=behavior)


def gaussian(channels: int) -> int:
    """Four products for each interpolated value, and one with its weight."""
    return NEURONS * channels * 5


LOCATIONS = 28 * 56  # of 36 × 64 pixels after a kernel of 9 × 9
CNN = LOCATIONS * 64 * (81 + 3 * (64 + 49 + 64))  # each separable layer: to channels, in space, to channels


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, CNN + gaussian(64)),
        (
            {"core": {"type": "minimodel"}},
            36 * 64 * 16 * 25 * 25 + 18 * 32 * (16 * 81 + 16 * 320) + gaussian(320),
        ),
        (
            {"core": {"layers": 2, "channels": 8, "depth_separable": False}},
            LOCATIONS * 8 * (81 + 8 * 49) + gaussian(8),
        ),
        (
            {"core": {"layers": 1, "channels": 8}, "readout": {"type": "spatial_separable"}},
            LOCATIONS * 8 * 81 + NEURONS * 8 * (28 * 56 + 28 + 1),
        ),
        ({"shifter": True}, CNN + gaussian(64) + 2 * 5 + 5 * 5 + 5 * 2),
    ],
    ids=["convolutional", "minimodel", "not separable", "spatial separable readout", "shifter"],
)
def test_they_follow_from_the_definition(settings: dict[str, Any], expected: int) -> None:
    assert multiply_adds(encoder(**settings)) == expected


def test_published_figures() -> None:
    """Millions for 36 × 64 pixels: the minimodel, the equivariant core of 8 × 8 features, and V1T with stride 4 and 2."""
    for core, figure in (
        ({"type": "minimodel"}, 27),
        ({"type": "rotation_equivariant"}, 397),
        ({"type": "vit", "stride": 4}, 329),
        ({"type": "vit", "stride": 2}, 1871),
    ):
        assert multiply_adds(encoder(core=core)) == pytest.approx(figure * 1e6, rel=0.02)


def test_attention_is_counted() -> None:
    """A block of V1T: four linear layers for each token, and two products of all pairs of tokens."""
    two, one = (multiply_adds(encoder(core={"type": "vit", "stride": 4, "blocks": blocks})) for blocks in (2, 1))
    tokens, width, inner, hidden = 8 * 15 + 1, 155, 4 * 155, 488  # a class token beside 8 × 15 patches
    linear = width * 3 * inner + inner * width + 2 * width * hidden
    assert two - one == tokens * linear + 2 * tokens**2 * inner


def test_it_neither_computes_nor_changes_the_encoder() -> None:
    model = encoder(core={"layers": 1, "channels": 4}).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    multiply_adds(model)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_behaviour_is_part_of_the_model() -> None:
    without = multiply_adds(encoder(behavior=3))
    assert multiply_adds(encoder(behavior=3, modulators=[{"type": "gain"}])) > without


def test_the_largest_recording_is_counted() -> None:
    neurons = {"small": np.zeros((2, 2)), "large": np.zeros((20, 2))}
    model = build_encoder(EncoderSettings(core={"layers": 1, "channels": 4}), neurons, (1, 36, 64))
    assert multiply_adds(model) - multiply_adds(model, "small") == 18 * 4 * 5
    assert parameters(model) == sum(each.numel() for each in model.parameters())
    assert isinstance(model.inputs, ModelInputs)
