"""The settings of a model: every key has an effect."""

from typing import Any

import numpy as np
import pytest
import torch
from pydantic import BaseModel, ValidationError

from striate.models import ConvolutionalSettings, EncoderSettings, GaussianSettings, MLPShifterSettings, build_encoder

BASE: dict[str, Any] = {
    "core": {"channels": 4, "layers": 3},
    "readout": {"position_hidden_units": 3},
    "shifter": {"hidden_units": 2},
}

# key -> another value
CHANGES: dict[str, Any] = {
    "core.layers": 2,
    "core.channels": 5,
    "core.input_kernel_size": 7,
    "core.hidden_kernel_size": 5,
    "core.nonlinear": False,
    "core.depth_separable": False,
    "core.batch_norm_momentum": 0.1,
    "core.laplace_weight": 0.0,
    "core.last_layer_scale": False,
    "readout.position_hidden_units": 4,
    "readout.init_sigma": 0.3,
    "readout.offset_width": 0.5,
    "readout.initial_features": 0.5,
    "readout.l1_weight": 0.0,
    "readout.adaptive_l1_width": 0.3,
    "shifter.layers": 1,
    "shifter.hidden_units": 3,
    "shifter.zero_start": True,
    "shifter": False,
}


def behaviour(settings: dict[str, Any]) -> list[Any]:
    """Everything that an encoder does: its weights, penalties, and rates while it trains and after."""
    torch.manual_seed(0)
    model = build_encoder(EncoderSettings.model_validate(settings), {"1-1-1": np.eye(5, 2)}, (1, 18, 32))
    images, pupil = torch.randn(4, 1, 18, 32), torch.randn(4, 2)
    done = [[tuple(p.shape) for p in model.parameters()], model.regulariser("1-1-1").item()]
    done.append(model.train().rates(images, "1-1-1", pupil).tolist())
    done.append(model.eval().rates(images, "1-1-1", pupil).tolist())
    return done


def test_every_key_is_tested() -> None:
    def keys(settings: type[BaseModel], above: str) -> set[str]:
        return {f"{above}{name}" for name in settings.model_fields}

    every = (
        keys(ConvolutionalSettings, "core.") | keys(GaussianSettings, "readout.") | keys(MLPShifterSettings, "shifter.")
    )
    types = {"core.type", "readout.type", "shifter.type"}  # of components, which tests of their own cover
    assert set(CHANGES) == (every - types) | {"shifter"}


@pytest.mark.slow
@pytest.mark.parametrize("key", CHANGES)
def test_every_key_has_an_effect(key: str) -> None:
    table, _, name = key.rpartition(".")
    changed = BASE | {table: {**BASE[table], name: CHANGES[key]}} if table else BASE | {key: CHANGES[key]}
    assert behaviour(changed) != behaviour(BASE)
    assert behaviour(BASE) == behaviour(BASE)


@pytest.mark.parametrize(
    "settings",
    [
        {"core": {"hidden_kernel_size": 6}},
        {"core": {"layers": 0}},
        {"readout": {"spread": 0.1}},
        {"shifter": {"layers": 0}},
    ],
)
def test_what_is_not_allowed(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        EncoderSettings.model_validate(settings)


def test_a_shifter_is_switched_on_and_off_as_toml_can() -> None:
    assert EncoderSettings.model_validate({"shifter": False}).shifter is None
    assert EncoderSettings.model_validate({"shifter": True}).shifter == MLPShifterSettings()
    assert EncoderSettings().model_dump()["shifter"] is False
