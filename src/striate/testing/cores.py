"""Conformance suite for cores."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from striate.models import Core, CoreSettings, EncoderSettings, MapGeometry, ModelInputs, build_encoder, load, save
from striate.registry import cores
from striate.testing.settings_changes import assert_every_setting_has_an_effect


class CoreTests:
    """Test suite for a core: derive a class from it in a test module, name the core, and run pytest.

    ::

        from striate.testing import CoreTests

        class TestTinyCore(CoreTests):
            settings = {"type": "tiny"}

    Attributes
    ----------
    settings
        Settings of the core, with the key ``type``.
    image_shape
        Channels, height and width of the images.
    other_values
        Other values of settings for which the suite cannot guess one: name of the setting → value.
    without_effect
        Names of settings that change neither the maps nor the penalty, such as those that only save memory.
    tolerance
        Largest relative difference between results that should be equal.
    """

    settings: ClassVar[Mapping[str, Any]] = {}
    image_shape: ClassVar[tuple[int, int, int]] = (1, 36, 64)
    other_values: ClassVar[Mapping[str, Any]] = {}
    without_effect: ClassVar[frozenset[str]] = frozenset()
    tolerance: ClassVar[float] = 1e-4

    def build(self, settings: CoreSettings | None = None, shape: tuple[int, int, int] | None = None) -> Core:
        """Build the core with the same initial weights each time, in evaluation mode."""
        torch.manual_seed(0)
        chosen = cores.settings(self.settings) if settings is None else settings
        size = 3 if isinstance(chosen, CoreSettings) and chosen.uses_behavior else 0
        core: Core = cores.build(chosen, replace(self.inputs(shape), behavior_size=size))
        return core.eval()

    def inputs(self, shape: tuple[int, int, int] | None = None) -> ModelInputs:
        """Return the shapes of the inputs."""
        behavior_size = 3 if self._uses_behavior() else 0
        return ModelInputs(shape or self.image_shape, {"mouse": np.zeros((4, 3))}, behavior_size)

    def maps(
        self, core: Core, images: Tensor, behavior: Tensor | None = None, pupil_center: Tensor | None = None
    ) -> Tensor:
        """Compute feature maps; behaviour and eye position are zero by default, where the core takes them."""
        return core(images, **core.used_inputs(*self._state(images, behavior, pupil_center)))  # type: ignore[no-any-return]

    def depth_maps(self, core: Core, images: Tensor) -> list[Tensor]:
        """Compute the feature maps of all depths; behaviour and eye position are zero, where the core takes them."""
        return core.depth_maps(images, **core.used_inputs(*self._state(images, None, None)))

    def _state(self, images: Tensor, behavior: Tensor | None, eye: Tensor | None) -> tuple[Tensor, Tensor]:
        given, sizes = (behavior, eye), (3, 2)
        one, other = (
            torch.zeros(len(images), size, device=images.device) if each is None else each
            for each, size in zip(given, sizes, strict=True)
        )
        return one, other

    def images(self, number: int = 3, shape: tuple[int, int, int] | None = None) -> Tensor:
        """Return random standardised images, the same each time."""
        generator = torch.Generator().manual_seed(1)
        return torch.randn(number, *(shape or self.image_shape), generator=generator)

    def _uses_behavior(self) -> bool:
        settings = cores.settings(self.settings)
        assert isinstance(settings, CoreSettings)
        return settings.uses_behavior

    def test_settings_derive_from_core_settings(self) -> None:
        """The class of the settings derives from `CoreSettings`."""
        assert isinstance(cores.settings(self.settings), CoreSettings)

    def test_maps_have_the_declared_shape(self) -> None:
        """Feature maps have the shape that `channels` and `geometry` declare, for images of several sizes."""
        channels, height, width = self.image_shape
        for shape in (self.image_shape, (channels, height + 4, width + 6), (channels + 1, height, width)):
            core = self.build(shape=shape)
            for number in (1, 3):
                maps = self.maps(core, self.images(number, shape))
                assert maps.shape == (number, core.channels, *core.geometry.shape)
                assert torch.isfinite(maps).all()

    def test_depths_have_the_declared_shapes_and_end_with_the_maps(self) -> None:
        """`depth_maps` returns maps of the shapes that `depths` declares, of which the last are those of `forward`."""
        core = self.build()
        depths = core.depths
        assert (depths[-1].channels, depths[-1].geometry) == (core.channels, core.geometry)
        with torch.no_grad():
            found = self.depth_maps(core, self.images())
            last = self.maps(core, self.images())
        shapes = [(3, declared.channels, *declared.geometry.shape) for declared in depths]
        assert [tuple(maps.shape) for maps in found] == shapes
        self._assert_close(found[-1], last)

    def test_gradients_reach_images_and_weights(self) -> None:
        """Gradients of the maps and of the penalty are finite, reach the images, and reach every weight."""
        core = self.build().train()
        images = self.images().requires_grad_()
        weights = torch.randn(core.channels, *core.geometry.shape)
        ((self.maps(core, images) * weights).sum() + core.regulariser()).backward()  # type: ignore[no-untyped-call]
        assert images.grad is not None
        assert torch.isfinite(images.grad).all()
        assert images.grad.abs().sum() > 0
        for name, parameter in core.named_parameters():
            if not parameter.requires_grad:  # the settings freeze it
                continue
            assert parameter.grad is not None, f"no gradient reaches {name}"
            assert torch.isfinite(parameter.grad).all(), name

    def test_results_are_deterministic(self) -> None:
        """The same seed gives the same weights, and evaluation gives the same maps each time."""
        first, second = self.build(), self.build()
        for (name, one), other in zip(first.state_dict().items(), second.state_dict().values(), strict=True):
            assert torch.equal(one, other), name
        with torch.no_grad():
            once, again = self.maps(first, self.images()), self.maps(first, self.images())
        assert torch.equal(once, again)

    def test_images_of_a_batch_do_not_interact(self) -> None:
        """In evaluation mode, the maps of an image do not depend on the other images of the batch."""
        core, images = self.build(), self.images()
        with torch.no_grad():
            together = self.maps(core, images)
            alone = torch.cat([self.maps(core, image[None]) for image in images])
        self._assert_close(together, alone)

    def test_gradient_mode_does_not_change_the_maps(self) -> None:
        """Maps are equal with and without gradients, so that fused kernels agree with the layers."""
        core = self.build()
        with torch.no_grad():
            fast = self.maps(core, self.images())
        self._assert_close(fast, self.maps(core, self.images()).detach())

    def test_a_saved_core_is_loaded_as_it_was(self, tmp_path: Path) -> None:
        """An encoder with this core is saved and loaded with the same weights and rates."""
        torch.manual_seed(0)
        settings = EncoderSettings.model_validate({"core": dict(self.settings)})
        size = self.inputs().behavior_size
        neurons = {"mouse": np.random.default_rng(0).normal(size=(5, 3))}
        encoder = build_encoder(settings, neurons, self.image_shape, behavior_size=size).eval()
        save(encoder, tmp_path / "encoder.safetensors")
        loaded = load(tmp_path / "encoder.safetensors")
        behavior, eye = torch.zeros(3, size) if size else None, torch.zeros(3, 2)
        with torch.no_grad():
            once = encoder.rates(self.images(), "mouse", eye, behavior=behavior)
            again = loaded.rates(self.images(), "mouse", eye, behavior=behavior)
        assert loaded.settings == encoder.settings
        assert torch.equal(once, again)

    def test_it_can_be_built_on_the_device_meta(self) -> None:
        """The core can be built without memory for its weights, which loading needs."""
        with torch.device("meta"):
            shapes = {name: value.shape for name, value in self.build().state_dict().items()}
        assert shapes == {name: value.shape for name, value in self.build().state_dict().items()}

    def test_nothing_outside_the_receptive_field_matters(self) -> None:
        """A spot changes the map only where the declared receptive field contains the spot."""
        core = self.build()
        height, width = self.image_shape[1:]
        blank = torch.zeros(1, *self.image_shape)
        with torch.no_grad():
            base = self.depth_maps(core, blank)
            for row, column in ((height // 2, width // 2), (height // 4, 3 * width // 4)):
                spot = blank.clone()
                spot[:, :, row, column] = 3.0
                for before, after, depth in zip(base, self.depth_maps(core, spot), core.depths, strict=True):
                    change = (after - before).abs().amax(dim=(0, 1)).numpy()
                    self._assert_within(depth.geometry, change, row, column)

    def _assert_within(self, geometry: MapGeometry, change: NDArray[np.float32], row: int, column: int) -> None:
        """Fail if a spot changes locations whose receptive field does not contain it."""
        rows, columns = geometry.centres()
        near = np.abs(rows - row)[:, None] <= (geometry.size[0] - 1) / 2 + 1e-6
        near = near & (np.abs(columns - column)[None] <= (geometry.size[1] - 1) / 2 + 1e-6)
        assert change[near].max() > 0, "a spot within the receptive field changes nothing"
        outside = change[~near].max() if (~near).any() else 0.0
        assert outside <= self.tolerance * change.max(), (
            f"a spot at row {row}, column {column} changes locations whose receptive field, as geometry declares it, does not "
            "contain it"
        )

    def test_locations_look_where_the_geometry_says(self) -> None:
        """The gradient of a location of the map, with respect to the image, peaks where `geometry` centres its receptive field."""
        geometry = self.build().geometry
        height, width = geometry.shape
        rows, columns = geometry.centres()
        for i, j in {(height // 2, width // 2), (height // 3, 2 * width // 3), (2 * height // 3, width // 3)}:
            energy = self._gradient_energy(i, j)
            reach = [int(2 * geometry.stride[axis]) | 1 for axis in (0, 1)]
            window = [max(5, each) for each in reach]
            smooth = F.avg_pool2d(energy[None, None], window, stride=1, padding=[n // 2 for n in window])[0, 0]
            peak = divmod(int(smooth.argmax()), smooth.shape[1])
            for axis, (found, centre) in enumerate(zip(peak, (rows[i], columns[j]), strict=True)):
                allowed = max(3.0, geometry.stride[axis], min(geometry.size[axis], 2 * window[axis]) / 4)
                assert abs(found - centre) <= allowed, (
                    f"location ({i}, {j}) looks at {peak}, but geometry says ({rows[i]}, {columns[j]})"
                )

    def _gradient_energy(self, row: int, column: int) -> Tensor:
        """Return the squared gradient of one location of the maps, averaged over images, initial weights and channels."""
        total = torch.zeros(self.image_shape[1:])
        for seed in range(4):
            core = self.build()
            torch.manual_seed(seed)
            for module in core.modules():
                reset = getattr(module, "reset_parameters", None)
                if callable(reset):
                    reset()
            images = self.images(4).requires_grad_()
            maps = self.maps(core, images)
            weights = torch.randn(maps.shape[:2])
            gradient = torch.autograd.grad((maps[:, :, row, column] * weights).sum(), images)[0]
            total += gradient.square().sum(dim=(0, 1))
        return total

    def test_every_setting_has_an_effect(self) -> None:
        """Changing a setting changes the weights, the maps in training or evaluation, or the penalty."""
        assert_every_setting_has_an_effect(
            cores, self.settings, self.other_values, self.without_effect, self._behaviour
        )

    def _behaviour(self, settings: Any) -> Iterator[Tensor]:
        core = self.build(settings).train()
        yield from [parameter.detach().clone() for parameter in core.parameters()]
        for _ in range(2):
            torch.manual_seed(2)
            yield self.maps(core, self.images()).detach()
        yield core.regulariser().detach()
        yield self.maps(core.eval(), self.images()).detach()

    def test_a_frozen_core_does_not_change(self) -> None:
        """A frozen core has no trainable weights, no penalty, and the same maps in training mode."""
        core = self.build()
        with torch.no_grad():
            before = self.maps(core, self.images())
        core.freeze()
        core.train()
        after = self.maps(core, self.images())
        assert not after.requires_grad
        assert core.regulariser().item() == 0
        self._assert_close(before, after)

    def test_behavior_changes_the_maps_of_a_core_that_uses_it(self) -> None:
        """A core whose settings have `uses_behavior` depends on behaviour."""
        if not self._uses_behavior():
            pytest.skip("this core does not use behaviour")
        core = self.build().train()
        for parameter in core.parameters():  # branches often start at zero
            torch.nn.init.normal_(parameter, std=0.1)
        with torch.no_grad():
            torch.manual_seed(0)
            quiet = self.maps(core, self.images(), torch.zeros(3, 3))
            torch.manual_seed(0)
            active = self.maps(core, self.images(), torch.ones(3, 3))
        assert not torch.equal(quiet, active)

    def test_the_eye_position_changes_the_maps_of_a_core_that_uses_it(self) -> None:
        """A core whose settings have `uses_pupil_center` depends on the eye position."""
        core = self.build().train()
        if not core.settings.uses_pupil_center:
            pytest.skip("this core does not use the eye position")
        for parameter in core.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
        with torch.no_grad():
            torch.manual_seed(0)
            centred = self.maps(core, self.images(), pupil_center=torch.zeros(3, 2))
            torch.manual_seed(0)
            turned = self.maps(core, self.images(), pupil_center=torch.ones(3, 2))
        assert not torch.equal(centred, turned)

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
    def test_cpu_and_gpu_agree(self) -> None:
        """CPU and GPU give the same maps."""
        core, images = self.build(), self.images()
        with torch.no_grad():
            on_cpu = self.maps(core, images)
            on_gpu = self.maps(core.cuda(), images.cuda()).cpu()
        self._assert_close(on_cpu, on_gpu, 1e-2)

    def _assert_close(self, one: Tensor, other: Tensor, tolerance: float | None = None) -> None:
        limit = (tolerance or self.tolerance) * max(1e-6, float(one.abs().max()))
        assert float((one - other).abs().max()) <= limit
