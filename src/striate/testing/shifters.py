"""Conformance suite for shifters."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from striate.models import EncoderSettings, Shifter, build_encoder, load, save
from striate.registry import shifters
from striate.testing.settings_changes import assert_every_setting_has_an_effect


class ShifterTests:
    """Test suite for a shifter: derive a class from it in a test module, name the shifter, and run pytest.

    ::

        from striate.testing import ShifterTests

        class TestLinearShifter(ShifterTests):
            settings = {"type": "linear"}

    Attributes
    ----------
    settings
        Settings of the shifter, with the key ``type``.
    other_values
        Other values of settings for which the suite cannot guess one: name of the setting → value.
    without_effect
        Names of settings that change neither the weights nor the shift.
    """

    settings: ClassVar[Mapping[str, Any]] = {}
    other_values: ClassVar[Mapping[str, Any]] = {}
    without_effect: ClassVar[frozenset[str]] = frozenset()

    def build(self, settings: Any = None) -> Shifter:
        """Build the shifter with random weights, the same each time, in evaluation mode."""
        torch.manual_seed(0)
        shifter: Shifter = shifters.build(shifters.settings(self.settings) if settings is None else settings)
        for parameter in shifter.parameters():  # weights often start at zero
            torch.nn.init.normal_(parameter, std=0.3)
        return shifter.eval()

    def pupil_center(self, number: int = 4) -> Tensor:
        """Return random standardised eye positions, the same each time."""
        return torch.randn(number, 2, generator=torch.Generator().manual_seed(1))

    def test_there_is_a_shift_of_each_image(self) -> None:
        """Shifts are finite and have shape (B, 2), in training and in evaluation, even for extreme eye positions."""
        shifter = self.build()
        for number in (1, 4):
            for scale in (0.0, 1.0, 100.0):
                for mode in (True, False):
                    shift = shifter.train(mode)(scale * self.pupil_center(number))
                    assert shift.shape == (number, 2)
                    assert torch.isfinite(shift).all()

    def test_shifts_depend_on_the_eye(self) -> None:
        """The shift changes with the horizontal and with the vertical eye position."""
        shifter, eye = self.build(), self.pupil_center()
        for axis in (0, 1):
            moved = eye.clone()
            moved[:, axis] += 1
            assert not torch.equal(shifter(moved), shifter(eye)), f"column {axis} of the eye position has no effect"

    def test_images_of_a_batch_do_not_interact(self) -> None:
        """In evaluation mode, the shift of an image does not depend on the other images of the batch."""
        shifter, eye = self.build(), self.pupil_center()
        torch.testing.assert_close(shifter(eye), torch.cat([shifter(each[None]) for each in eye]))

    def test_gradients_reach_the_weights(self) -> None:
        """Gradients of the shift are finite, and reach the eye position and every weight."""
        shifter, eye = self.build().train(), self.pupil_center().requires_grad_()
        shifter(eye).square().sum().backward()
        assert eye.grad is not None
        assert eye.grad.abs().sum() > 0
        for name, parameter in shifter.named_parameters():
            assert parameter.grad is not None, f"no gradient reaches {name}"
            assert torch.isfinite(parameter.grad).all(), name

    def test_results_are_deterministic(self) -> None:
        """The same seed gives the same weights, and evaluation gives the same shift each time."""
        first, second = self.build(), self.build()
        assert torch.equal(first(self.pupil_center()), second(self.pupil_center()))
        assert torch.equal(first(self.pupil_center()), first(self.pupil_center()))

    def test_a_saved_shifter_is_loaded_as_it_was(self, tmp_path: Path) -> None:
        """An encoder with this shifter, of two recordings, is saved and loaded with the same rates."""
        torch.manual_seed(0)
        settings = EncoderSettings.model_validate(
            {"core": {"layers": 1, "channels": 4}, "shifter": dict(self.settings)}
        )
        generator = np.random.default_rng(0)
        neurons = {name: generator.normal(size=(count, 3)) for name, count in (("a", 5), ("b", 3))}
        encoder = build_encoder(settings, neurons, (1, 20, 28)).eval()
        save(encoder, tmp_path / "encoder.safetensors")
        loaded = load(tmp_path / "encoder.safetensors")
        images, eye = torch.randn(4, 1, 20, 28), self.pupil_center()
        for session in neurons:
            with torch.no_grad():
                assert torch.equal(encoder.rates(images, session, eye), loaded.rates(images, session, eye))

    def test_every_setting_has_an_effect(self) -> None:
        """Changing a setting changes the weights, the initial ones included, or the shift."""
        assert_every_setting_has_an_effect(
            shifters, self.settings, self.other_values, self.without_effect, self._behaviour
        )

    def _behaviour(self, settings: Any) -> Iterator[Tensor]:
        torch.manual_seed(0)
        yield from (parameter.detach() for parameter in shifters.build(settings).parameters())
        shifter = self.build(settings)
        yield from (parameter.detach() for parameter in shifter.parameters())
        yield shifter(self.pupil_center()).detach()
        torch.manual_seed(2)
        yield shifter.train()(self.pupil_center()).detach()

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
    def test_cpu_and_gpu_agree(self) -> None:
        """CPU and GPU give the same shift."""
        shifter, eye = self.build(), self.pupil_center()
        on_cpu = shifter(eye)
        torch.testing.assert_close(shifter.cuda()(eye.cuda()).cpu(), on_cpu, atol=1e-3, rtol=1e-2)
