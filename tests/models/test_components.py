"""The components of models that come with striate pass the conformance suites, as those of other packages must."""

import pytest

from striate.data import ContextSettings
from striate.registry import cores, modulators, nonlinearities, readouts, shifters
from striate.testing import CoreTests, ModulatorTests, NonlinearityTests, ReadoutTests, ShifterTests


class TestConvolutionalCore(CoreTests):
    settings = {"type": "convolutional", "layers": 2, "channels": 8}
    other_values = {"hidden_kernel_size": 5}


class TestLinearCore(CoreTests):
    settings = {"type": "convolutional", "layers": 3, "channels": 8, "nonlinear": False, "depth_separable": False}
    other_values = {"hidden_kernel_size": 5}


class TestConvolutionalCoreWithoutScale(CoreTests):
    settings = {"type": "convolutional", "layers": 2, "channels": 64, "last_layer_scale": False}
    other_values = {"hidden_kernel_size": 5}


class TestMinimodel(CoreTests):
    settings = {
        "type": "minimodel",
        "channels": 12,
        "input_channels": 8,
        "input_kernel_size": 9,
        "hidden_kernel_size": 3,
    }
    other_values = {"hidden_kernel_size": 5, "input_kernel_size": 7}


class TestGaborEnergyCore(CoreTests):
    settings = {"type": "gabor_energy", "periods": [4.0, 7.0], "orientations": 2, "channels": 8}
    other_values = {"periods": [4.0, 6.0], "orientations": 3, "hidden_kernel_size": 5, "semi_saturation": 3.0}


class TestFullResolutionCore(CoreTests):
    settings = {"type": "full_resolution", "layers": 3, "channels": 16, "input_kernel_size": 5}
    image_shape = (1, 72, 128)
    other_values = {"hidden_kernel_size": 5, "input_kernel_size": 7}


class TestInvertedResidualCore(CoreTests):
    settings = {
        "type": "inverted_residual",
        "channels": [8, 12],
        "strides": [2, 1],
        "stem_channels": 8,
        "expansion": 3,
        "squeeze_reduction": 4,
    }
    other_values = {"channels": [8, 8], "strides": [1, 1], "kernel_size": 5, "stem_kernel_size": 3, "stem_stride": 3}


class TestInvertedResidualCoreWithoutSqueeze(CoreTests):
    settings = {
        "type": "inverted_residual",
        "channels": [8, 12],
        "strides": [1, 2],
        "stem_channels": 8,
        "expansion": 3,
        "squeeze_reduction": 0,
    }
    other_values = {"channels": [8, 8], "strides": [1, 1], "kernel_size": 5, "stem_kernel_size": 3, "stem_stride": 3}


class TestViT(CoreTests):
    settings = {
        "type": "vit",
        "blocks": 2,
        "channels": 16,
        "heads": 2,
        "head_channels": 8,
        "mlp_channels": 24,
        "drop_path": 0.2,
    }
    without_effect = frozenset({"checkpoint"})


class TestViTWithItsOptions(CoreTests):
    settings = {
        "type": "vit",
        "blocks": 2,
        "channels": 16,
        "heads": 2,
        "head_channels": 8,
        "mlp_channels": 24,
        "stride": 6,
        "shifted_patches": True,
        "local_attention": True,
        "register_tokens": 3,
        "parallel": True,
        "behavior": True,
        "pupil_center": True,
    }
    other_values = {"patch_size": 6}
    without_effect = frozenset({"checkpoint"})


class TestPretrainedCore(CoreTests):
    settings = {"type": "pretrained", "backbone": "tests.models.backbones:SmallResNet", "layer": "layer1"}
    other_values = {
        "backbone": "tests.models.backbones:OtherResNet",
        "layer": "stem",
        "arguments": {"width": 6},
        "upsampling": 2.0,
        "patch_size": 4,
    }
    without_effect = frozenset({"weights", "patch_size"})


class TestPretrainedCoreThatIsTrained(CoreTests):
    settings = {
        "type": "pretrained",
        "backbone": "tests.models.backbones:SmallResNet",
        "layer": "layer2.norm",
        "frozen": False,
        "upsampling": 1.5,
        "normalise": False,
    }
    other_values = {"backbone": "tests.models.backbones:OtherResNet", "layer": "stem", "arguments": {"width": 6}}
    without_effect = frozenset({"weights", "patch_size"})


class TestPretrainedTransformer(CoreTests):
    settings = {
        "type": "pretrained",
        "backbone": "tests.models.backbones:SmallTransformer",
        "layer": "blocks.0",
        "patch_size": 4,
        "frozen": False,
    }
    image_shape = (1, 32, 64)
    other_values = {
        "backbone": "tests.models.backbones:OtherTransformer",
        "layer": "blocks.1",
        "arguments": {"width": 16},
        "upsampling": 2.0,
    }
    without_effect = frozenset({"weights", "patch_size", "frozen"})  # its layers do the same in training


class TestRotationEquivariantCore(CoreTests):
    settings = {
        "type": "rotation_equivariant",
        "layers": 2,
        "channels": 3,
        "rotations": 4,
        "input_kernel_size": 7,
        "hidden_kernel_size": 3,
    }
    other_values = {"hidden_kernel_size": 5}


class TestGaussianReadout(ReadoutTests):
    settings = {"type": "gaussian"}


class TestGaussianReadoutWithAdaptiveL1(ReadoutTests):
    settings = {"type": "gaussian", "adaptive_l1_width": 0.3}


class TestGaussianReadoutWithOffsets(ReadoutTests):
    settings = {"type": "gaussian", "offset_width": 0.5, "initial_features": 2.0}
    other_values = {"initial_features": 0.5}
    without_effect = frozenset({"offset_width"})  # offsets are 0 at first, and so is their penalty


class TestMultiDepthReadout(ReadoutTests):
    settings = {"type": "multi_depth"}
    other_values = {"depths": [1]}


class TestMultiDepthReadoutOfOneDepth(ReadoutTests):
    settings = {"type": "multi_depth", "depths": [-1]}
    other_values = {"depths": [0, 1]}


class TestFactorisedReadout(ReadoutTests):
    settings = {"type": "factorised"}


class TestFactorisedReadoutWithTemperature(ReadoutTests):
    settings = {"type": "factorised", "temperature": 0.3, "adaptive_l1_width": 0.3}


class TestAttentionReadout(ReadoutTests):
    settings = {"type": "attention"}


class TestAttentionReadoutWithoutPositions(ReadoutTests):
    settings = {"type": "attention", "position_encoding": False, "adaptive_l1_width": 0.3}


class TestSpatialSeparableReadout(ReadoutTests):
    settings = {"type": "spatial_separable"}


class TestMLPShifter(ShifterTests):
    settings = {"type": "mlp"}


class TestShifterThatStartsAtZero(ShifterTests):
    settings = {"type": "mlp", "zero_start": True}


class TestGain(ModulatorTests):
    settings = {"type": "gain"}


class TestGainOfHiddenUnits(ModulatorTests):
    settings = {"type": "gain", "hidden_units": 6}


class TestOffset(ModulatorTests):
    settings = {"type": "offset"}


class TestSlowGain(ModulatorTests):
    settings = {"type": "slow_gain", "time_constants": [2.0], "drift_trials": 7.0, "latents": 2}
    other_values = {"time_constants": [2.0, 5.0]}


class TestDrift(ModulatorTests):
    settings = {"type": "slow_gain", "time_constants": [], "drift_trials": 5.0, "past_only": True}
    other_values = {"time_constants": [2.0, 5.0]}
    without_effect = frozenset({"past_only", "l2_weight"})


class TestHistory(ModulatorTests):
    settings = {"type": "history", "state_components": 3, "state_trials": 2, "gain_sigma": 2.0}
    context = ContextSettings(past_responses=(1, 2, 5))
    other_values = {"state_trials": 5}


class TestELU(NonlinearityTests):
    settings = {"type": "elu"}


class TestSoftplus(NonlinearityTests):
    settings = {"type": "softplus", "beta": 0.3}


class TestExponential(NonlinearityTests):
    settings = {"type": "exponential"}


def test_every_component_is_tested() -> None:
    suites = [value for value in globals().values() if isinstance(value, type) and hasattr(value, "settings")]
    tested = {str(suite.settings["type"]) for suite in suites if suite.settings}
    own = {
        name
        for registry in (cores, readouts, shifters, modulators, nonlinearities)
        for name in registry
        if registry[name].module.startswith("striate.")
    }
    assert own <= tested, f"no suite for {own - tested}"


@pytest.mark.parametrize("registry", [cores, readouts, shifters, modulators, nonlinearities], ids=lambda r: r.kind)
def test_every_component_says_what_it_is(registry: object) -> None:
    for name in registry:  # type: ignore[attr-defined]
        assert registry[name].summary.endswith("."), name  # type: ignore[index]
