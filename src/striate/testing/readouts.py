"""Conformance suite for readouts."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from striate.models import EncoderSettings, FeatureMaps, MapGeometry, Readout, build_encoder, load, save
from striate.registry import readouts
from striate.testing.settings_changes import assert_every_setting_has_an_effect


class ReadoutTests:
    """Test suite for a readout: derive a class from it in a test module, name the readout, and run pytest.

    ::

        from striate.testing import ReadoutTests

        class TestMeanReadout(ReadoutTests):
            settings = {"type": "mean"}

    Attributes
    ----------
    settings
        Settings of the readout, with the key ``type``.
    neurons
        Number of neurons.
    map_shape
        Channels, height and width of the feature maps.
    other_values
        Other values of settings for which the suite cannot guess one: name of the setting → value.
    without_effect
        Names of settings that change neither the drive nor the penalty.
    """

    settings: ClassVar[Mapping[str, Any]] = {}
    neurons: ClassVar[int] = 7
    map_shape: ClassVar[tuple[int, int, int]] = (5, 12, 20)
    other_values: ClassVar[Mapping[str, Any]] = {}
    without_effect: ClassVar[frozenset[str]] = frozenset()

    def build(self, settings: Any = None, neurons: int | None = None) -> Readout:
        """Build the readout with the same initial weights each time, in evaluation mode."""
        torch.manual_seed(0)
        channels, height, width = self.map_shape
        coordinates = np.random.default_rng(0).normal(size=(neurons or self.neurons, 3))
        fine = FeatureMaps(channels + 1, MapGeometry.identity(2 * height, 2 * width))
        coarse = FeatureMaps(channels, fine.geometry.convolved(2, stride=2))
        maps = FeatureMaps(coarse.channels, coarse.geometry, (fine, coarse))
        chosen = readouts.settings(self.settings) if settings is None else settings
        readout: Readout = readouts.build(chosen, coordinates, maps)
        return readout.eval()

    def maps(self, number: int = 4) -> Tensor:
        """Return random feature maps, the same each time."""
        return torch.randn(number, *self.map_shape, generator=torch.Generator().manual_seed(1))

    def drive(
        self, readout: Readout, maps: Tensor, shift: Tensor | None = None, neurons: Tensor | None = None
    ) -> Tensor:
        """Compute the drive; a readout with `uses_depths` also gets maps of a first depth, which are twice as large."""
        if not readout.uses_depths:
            return readout(maps, shift, neurons)  # type: ignore[no-any-return]
        fine = F.interpolate(torch.cat([maps, maps[:, :1] - maps[:, 1:2]], dim=1), scale_factor=2.0)
        return readout([fine, maps], shift, neurons)  # type: ignore[no-any-return]

    def test_the_drive_has_one_column_for_each_neuron(self) -> None:
        """The drive is finite and has shape (B, N), in training and in evaluation, for any number of neurons."""
        for neurons in (1, self.neurons):
            readout = self.build(neurons=neurons)
            assert readout.neurons == neurons
            for mode in (True, False):
                drive = self.drive(readout.train(mode), self.maps())
                assert drive.shape == (4, neurons)
                assert torch.isfinite(drive).all()

    def test_a_subset_of_neurons_is_computed_alone(self) -> None:
        """With indices of neurons, the drive is that of these neurons, in this order."""
        readout, chosen = self.build(), torch.tensor([self.neurons - 1, 0])
        whole, part = self.drive(readout, self.maps()), self.drive(readout, self.maps(), neurons=chosen)
        torch.testing.assert_close(part, whole[:, chosen])
        assert self.drive(readout.train(), self.maps(), neurons=chosen).shape == (4, 2)

    def test_images_of_a_batch_do_not_interact(self) -> None:
        """In evaluation mode, the drive of an image does not depend on the other images of the batch."""
        readout, maps = self.build(), self.maps()
        alone = torch.cat([self.drive(readout, each[None]) for each in maps])
        torch.testing.assert_close(self.drive(readout, maps), alone)

    def test_gradients_reach_maps_and_weights(self) -> None:
        """Gradients of the drive and the penalty are finite, and reach the maps and every weight."""
        readout, maps = self.build().train(), self.maps().requires_grad_()
        (self.drive(readout, maps).square().sum() + readout.regulariser()).backward()  # type: ignore[no-untyped-call]
        assert maps.grad is not None
        assert maps.grad.abs().sum() > 0
        for name, parameter in readout.named_parameters():
            assert parameter.grad is not None, f"no gradient reaches {name}"
            assert torch.isfinite(parameter.grad).all(), name

    def test_results_are_deterministic(self) -> None:
        """The same seed gives the same weights, and evaluation gives the same drive each time."""
        first, second = self.build(), self.build()
        assert torch.equal(self.drive(first, self.maps()), self.drive(second, self.maps()))
        assert torch.equal(self.drive(first, self.maps()), self.drive(first, self.maps()))

    def test_a_shift_moves_the_receptive_fields(self) -> None:
        """A readout with `uses_shift` depends on the shift, and a shift of zero is none."""
        readout, maps = self.build(), self.maps()
        if not readout.uses_shift:
            pytest.skip("this readout cannot be shifted")
        torch.testing.assert_close(self.drive(readout, maps, torch.zeros(4, 2)), self.drive(readout, maps))
        assert not torch.equal(self.drive(readout, maps, torch.full((4, 2), 0.2)), self.drive(readout, maps))

    def test_positions_lie_in_the_maps_and_can_be_initialised(self) -> None:
        """Positions are (N, 2); after `set_positions` they are the given ones, and the drive depends on the maps there."""
        readout = self.build()
        positions = readout.mean_positions()
        if positions is None:
            pytest.skip("the neurons of this readout have no position")
        assert positions.shape == (self.neurons, 2)
        readout.set_positions(np.full((self.neurons, 2), 0.5))
        found = readout.mean_positions()
        assert found is not None
        torch.testing.assert_close(found.detach(), torch.full((self.neurons, 2), 0.5), atol=0.02, rtol=0)
        maps = self.maps(1).requires_grad_()
        self.drive(readout, maps).sum().backward()  # type: ignore[no-untyped-call]
        assert maps.grad is not None
        energy = maps.grad.square().sum(dim=(0, 1))
        _, height, width = self.map_shape
        row, column = divmod(int(energy.argmax()), width)
        assert abs(row - 0.75 * (height - 1)) <= 1.5
        assert abs(column - 0.75 * (width - 1)) <= 1.5

    def test_a_saved_readout_is_loaded_as_it_was(self, tmp_path: Path) -> None:
        """An encoder with this readout, of two recordings, is saved and loaded with the same rates."""
        torch.manual_seed(0)
        settings = EncoderSettings.model_validate(
            {"core": {"layers": 1, "channels": self.map_shape[0]}, "readout": dict(self.settings)}
        )
        generator = np.random.default_rng(0)
        neurons = {name: generator.normal(size=(count, 3)) for name, count in (("a", self.neurons), ("b", 3))}
        encoder = build_encoder(settings, neurons, (1, 20, 28)).eval()
        save(encoder, tmp_path / "encoder.safetensors")
        loaded = load(tmp_path / "encoder.safetensors")
        images = torch.randn(2, 1, 20, 28)
        for session in neurons:
            with torch.no_grad():
                assert torch.equal(encoder.rates(images, session), loaded.rates(images, session))

    def test_every_setting_has_an_effect(self) -> None:
        """Changing a setting changes the weights, the drive or the penalty."""
        assert_every_setting_has_an_effect(
            readouts, self.settings, self.other_values, self.without_effect, self._behaviour
        )

    def _behaviour(self, settings: Any) -> Iterator[Tensor]:
        readout = self.build(settings).train()
        yield from (parameter.detach() for parameter in readout.parameters())
        torch.manual_seed(2)
        yield self.drive(readout, self.maps()).detach()
        yield readout.regulariser().detach()
        yield self.drive(readout.eval(), self.maps()).detach()

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
    def test_cpu_and_gpu_agree(self) -> None:
        """CPU and GPU give the same drive."""
        readout, maps = self.build(), self.maps()
        on_cpu = self.drive(readout, maps)
        torch.testing.assert_close(self.drive(readout.cuda(), maps.cuda()).cpu(), on_cpu, atol=1e-3, rtol=1e-2)
