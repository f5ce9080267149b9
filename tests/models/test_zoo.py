"""Cores of the field against the numbers that follow from their definitions, and against plain implementations of these."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from striate.errors import InputError
from striate.models import Core, EncoderSettings, ModelInputs, build_encoder
from striate.registry import cores
from striate.training import load_recipe

IMAGES = torch.randn(3, 1, 36, 64, generator=torch.Generator().manual_seed(0))


def built(name: str, shape: tuple[int, int, int] = (1, 36, 64), **settings: object) -> Core:
    """A core with random weights and running statistics."""
    torch.manual_seed(0)
    core: Core = cores.build(cores.settings({"type": name, **settings}), ModelInputs(shape))
    for module in core.modules():
        if isinstance(module, nn.BatchNorm2d):
            if module.affine:
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias)
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return core


def parameters(core: Core) -> int:
    return sum(parameter.numel() for parameter in core.parameters())


def normalised(maps: Tensor, norm: nn.BatchNorm2d) -> Tensor:
    return F.elu(F.batch_norm(maps, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps))


def inverted_residual_count() -> int:
    """Expansion, depthwise convolution, squeeze and excitation with biases, projection, and three normalisations, of each block."""
    widths, count = (64, 64, 64, 64, 64, 128, 128, 128), 2 * 2 * 64 + 2 * 64
    for before, after in pairwise(widths):
        inner = 6 * before
        squeezed = inner // 32
        count += before * inner + 9 * inner + (inner + 1) * squeezed + (squeezed + 1) * inner + inner * after
        count += 2 * (2 * inner + after)
    return count


# Weights of the convolutions, and two of each map of batch normalisation.
COUNTS = {
    "minimodel": ({}, 25 * 25 * 16 + 2 * 16 + 9 * 9 * 16 + 16 * 320 + 2 * 320),
    "gabor_energy": ({}, 206 * 64 + 64 * 64 + 2 * (7 * 7 * 64 + 64 * 64 + 2 * 64)),
    "convolutional": ({}, 9 * 9 * 64 + 2 * 64 + 3 * (2 * 64 * 64 + 7 * 7 * 64 + 2 * 64)),
    "inverted_residual": ({}, inverted_residual_count()),
    "full_resolution": (
        {"stem_channels": 32},
        4 * 4 * 32 + 2 * 32 + 9 * 9 * 32 * 64 + 2 * 64 + 3 * (2 * 64 * 64 + 7 * 7 * 64 + 2 * 64),
    ),
}
FIELDS = {
    "inverted_residual": None,
    "minimodel": 25 + 1 + 2 * 8,
    "gabor_energy": 2 * (13 + 12) + 1 + 1 + 2 * 2 * 6,
    "convolutional": 9 + 3 * 6,
    "full_resolution": 4 + 4 * (8 + 3 * 6),
}


@pytest.mark.parametrize("name", COUNTS)
def test_cores_have_the_parameters_and_receptive_fields_of_their_definition(name: str) -> None:
    settings, count = COUNTS[name]
    shape = (1, 144, 256) if name == "full_resolution" else (1, 36, 64)
    core = built(name, shape, **settings)
    assert parameters(core) == count
    assert FIELDS[name] is None or core.geometry.size == (FIELDS[name], FIELDS[name])


def test_the_minimodel_core_is_two_layers_with_pooling_between() -> None:
    core = built("minimodel").eval()
    weights = dict(core.named_parameters())
    maps = normalised(F.conv2d(IMAGES, weights["first.weight"], padding=12), core.get_submodule("first_norm"))
    maps = F.max_pool2d(maps, 2)
    maps = F.conv2d(F.conv2d(maps, weights["second.0.weight"], padding=4, groups=16), weights["second.1.weight"])
    wanted = normalised(maps, core.get_submodule("second_norm"))
    torch.testing.assert_close(core(IMAGES), wanted, rtol=1e-4, atol=1e-5)


def test_the_gabor_core_begins_with_energies_and_half_wave_rectified_responses() -> None:
    settings = {"periods": [6.0], "orientations": 3, "layers": 0, "semi_saturation": 2.0, "normalisation_scale": 3.0}
    core = built("gabor_energy", **settings).eval()
    norm = core.get_submodule("bank_norm")
    reach, angles = 6, [0, torch.pi / 3, 2 * torch.pi / 3]
    rows, columns = torch.meshgrid(*2 * [torch.arange(-reach, reach + 1.0)], indexing="ij")
    envelope = torch.exp(-(rows**2 + columns**2) / (2 * (0.45 * 6) ** 2))
    responses = []
    for angle in angles:
        phase = 2 * torch.pi / 6 * (columns * torch.cos(torch.tensor(angle)) + rows * torch.sin(torch.tensor(angle)))
        even = envelope * phase.cos()
        even -= envelope * even.sum() / envelope.sum()
        pair = [each / each.norm() for each in (even, envelope * phase.sin())]
        padded = F.pad(IMAGES, (reach,) * 4, mode="replicate")
        responses.append([F.conv2d(padded, each[None, None])[:, 0] for each in pair])
    energy = torch.stack([(even**2 + odd**2 + 1e-6).sqrt() for even, odd in responses], dim=1)
    line = torch.exp(-(torch.arange(-9, 10.0) ** 2) / (2 * 3**2))
    kernel = torch.outer(line, line) / line.sum() ** 2
    pooled = F.conv2d(F.pad(energy.mean(1, keepdim=True), (9,) * 4, mode="replicate"), kernel[None, None])
    cells = [
        each.clamp(min=0)
        for sign in (0, 1)
        for part in (1, -1)
        for each in [part * torch.stack([r[sign] for r in responses], 1)]
    ]
    wanted = torch.cat([energy, *cells], dim=1) / (2.0 + pooled)
    mean, scale = norm.running_mean[:15], (norm.running_var[:15] + norm.eps).sqrt()
    found = core(IMAGES)[:, :15]
    torch.testing.assert_close(found, (wanted - mean[:, None, None]) / scale[:, None, None], rtol=1e-4, atol=1e-4)


def test_a_complex_cell_of_the_gabor_core_does_not_see_the_phase_of_a_grating() -> None:
    core = built("gabor_energy", periods=[6.0], orientations=2, layers=0, normalisation_scale=0.0).eval()
    places = torch.arange(64.0)
    phases = torch.linspace(0, 2 * torch.pi, 9)[:-1, None]
    gratings = torch.cos(2 * torch.pi / 6 * places + phases)[:, None, None].expand(-1, 1, 36, -1)
    centre = core(gratings.contiguous())[:, :, 18, 32]
    energy, simple = centre[:, 0], centre[:, 2]
    assert energy.std() < 0.05 * simple.std()


def test_the_full_resolution_core_is_a_strided_stem_and_the_convolutional_core() -> None:
    images = torch.randn(2, 1, 144, 256, generator=torch.Generator().manual_seed(1))
    core = built("full_resolution", (1, 144, 256), layers=2, channels=8).eval()
    stem = F.conv2d(images, core.get_parameter("stem.weight"), stride=4)
    assert stem.shape[2:] == (36, 64)
    wanted = core.get_submodule("body")(normalised(stem, core.get_submodule("stem_norm")))
    torch.testing.assert_close(core(images), wanted, rtol=1e-4, atol=1e-5)


def test_images_that_are_too_small_for_the_stem_are_refused_when_a_recipe_is_read() -> None:
    with pytest.raises(InputError, match=r"larger than the images of 9×16 pixels"):
        load_recipe(
            {"data": {"image_size": [36, 64]}, "model": {"core": {"type": "full_resolution", "input_kernel_size": 11}}}
        )


def test_v1t_has_the_tokens_and_parameters_of_its_definition() -> None:
    settings = cores.settings({"type": "vit", "stride": 1, "behavior": True, "pupil_center": True})
    with torch.device("meta"):
        core: Core = cores.build(settings, ModelInputs((1, 36, 64), behavior_size=3))
    assert core.geometry.shape == (29, 57)
    tokens, width, inner = 29 * 57 + 1, 155, 4 * 155
    embedding = 8 * 8 * width + width + width + tokens * width
    behavior = 5 * 77 + 77 + 77 * width + width
    attention = 2 * width + 3 * inner * width + inner * width + width
    mlp = 2 * width + 2 * 488 * width + 488 + width
    assert parameters(core) == embedding + 4 * (behavior + attention + mlp)


def test_a_block_of_v1t_is_attention_and_an_mlp_after_normalisation() -> None:
    """A plain implementation of one block, with explicit attention."""
    sizes = {"blocks": 1, "channels": 12, "heads": 3, "head_channels": 12, "mlp_channels": 20}
    sizes |= {"behavior": True, "pupil_center": True}
    torch.manual_seed(0)
    settings = cores.settings({"type": "vit", "stride": 4, **sizes})
    core: Core = cores.build(settings, ModelInputs((1, 36, 64), behavior_size=3))
    core.eval()
    behavior, eye = torch.randn(3, 3), torch.randn(3, 2)
    get = core.get_parameter
    patches = F.unfold(IMAGES, 8, stride=4).transpose(1, 2)
    tokens = patches @ get("embedding.linear.weight").T + get("embedding.linear.bias")
    tokens = torch.cat([get("embedding.learnt").expand(3, -1, -1), tokens], dim=1) + get("embedding.positions")
    block = core.get_submodule("blocks.0")
    state = torch.cat([behavior, eye], dim=1)
    state = torch.tanh(state @ block.get_parameter("state.0.weight").T + block.get_parameter("state.0.bias"))
    state = torch.tanh(state @ block.get_parameter("state.2.weight").T + block.get_parameter("state.2.bias"))
    tokens = tokens + state[:, None]
    normal = F.layer_norm(tokens, (12,))  # its weights are 1 and its biases 0 at the beginning
    parts = (normal @ block.get_parameter("attention.project_in.weight").T).split(36, dim=2)
    query, key, value = (part.unflatten(2, (3, 12)).transpose(1, 2) for part in parts)
    weights = torch.softmax(query @ key.transpose(2, 3) / 12**0.5, dim=-1)
    found = (weights @ value).transpose(1, 2).flatten(2)
    out = block.get_submodule("attention.project_out")
    tokens = tokens + out(found)
    first, second = block.get_submodule("mlp.0"), block.get_submodule("mlp.3")
    tokens = tokens + second(F.gelu(first(F.layer_norm(tokens, (12,)))))
    wanted = tokens[:, 1:].transpose(1, 2).unflatten(2, (8, 15))
    torch.testing.assert_close(core(IMAGES, behavior, eye), wanted, rtol=1e-4, atol=1e-5)


def test_tokens_do_not_attend_to_themselves_where_attention_is_local() -> None:
    from striate.models.cores.vit import Attention, ViTSettings

    torch.manual_seed(0)
    attention = Attention(ViTSettings(channels=8, heads=1, head_channels=8, local_attention=True)).eval()
    tokens = torch.randn(1, 5, 8).requires_grad_()
    with torch.no_grad():
        attention.project_in.weight[:16] = 0  # all others have equal weight
    gradient = torch.autograd.grad(attention(tokens)[0, 2].sum(), tokens)[0][0].abs().sum(dim=1)
    assert gradient[2] < 1e-6 * gradient.sum()


def test_checkpoints_do_not_change_gradients() -> None:
    torch.manual_seed(0)
    sizes = {"blocks": 2, "channels": 12, "heads": 2, "head_channels": 6, "mlp_channels": 20}
    found = []
    for saved in (False, True):
        core = built("vit", **sizes, checkpoint=saved).train()
        torch.manual_seed(1)
        core(IMAGES).square().sum().backward()
        found.append([parameter.grad for parameter in core.parameters()])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("rotations", [4, 8])
def test_turning_the_image_turns_the_maps_and_moves_them_to_the_next_rotations(rotations: int) -> None:
    core = built("rotation_equivariant", (1, 40, 40), layers=3, channels=2, rotations=rotations).eval()
    images = torch.randn(2, 1, 40, 40, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        maps, turned = core(images), core(torch.rot90(images, 1, dims=(2, 3)))
    by_rotation = torch.rot90(maps, 1, dims=(2, 3)).unflatten(1, (rotations, 2))
    wanted = by_rotation.roll(rotations // 4, dims=1).flatten(1, 2)
    torch.testing.assert_close(turned, wanted, rtol=1e-3, atol=1e-4)


def test_hermite_functions_come_in_pairs_that_quarter_turns_mix() -> None:
    from striate.models.cores.rotation_equivariant import hermite_basis

    basis, frequency, partner = hermite_basis(9, 4)
    assert len(basis) == 45
    assert basis.flatten(1).norm(dim=1).max() < 1.001, "averaging over pixels only weakens functions"
    turned = torch.rot90(basis, 1, dims=(1, 2))
    one = basis[frequency == 1][:2]  # cosine and sine
    torch.testing.assert_close(turned[frequency == 1][:2], torch.stack([one[1], -one[0]]), rtol=1e-4, atol=1e-5)
    assert torch.equal(partner[partner], torch.arange(45))
    assert torch.equal(frequency[partner], frequency)


def test_filters_between_the_quarter_turns_are_turned_copies() -> None:
    """A filter turned by 45° twice is the filter turned by 90°, and each copy has the same energy."""
    from striate.models.cores.rotation_equivariant import RotatedConvolution, RotationEquivariantSettings

    torch.manual_seed(0)
    convolution = RotatedConvolution(1, 1, RotationEquivariantSettings(channels=3), 13, 0)
    filters = convolution.filters().unflatten(0, (8, 3)).detach()[:, :, 0]
    torch.testing.assert_close(torch.rot90(filters[0], 1, dims=(1, 2)), filters[2], rtol=1e-4, atol=1e-5)
    energy = filters.square().sum(dim=(2, 3))
    assert ((energy / energy.mean(dim=0) - 1).abs() < 0.25).all(), "a grid of pixels is coarse"


def test_an_encoder_gives_the_eye_position_to_its_core_with_and_without_a_shifter() -> None:
    core = {"type": "vit", "blocks": 1, "channels": 8, "heads": 1, "head_channels": 8, "mlp_channels": 8}
    core |= {"pupil_center": True}
    for shifter in (False, True):
        torch.manual_seed(0)
        settings = EncoderSettings.model_validate({"core": core, "shifter": shifter})
        encoder = build_encoder(settings, {"mouse": [[0, 0], [1, 0], [0, 1]]}, (1, 36, 64)).eval()
        assert encoder.uses_pupil_center
        assert (encoder.shifter("mouse") is not None) == shifter
        with torch.no_grad():
            centred, turned = (encoder.rates(IMAGES, "mouse", torch.full((3, 2), eye)) for eye in (0.0, 1.0))
        assert not torch.equal(centred, turned)
        with pytest.raises(InputError, match="uses the eye position: it needs pupil_center"):
            encoder.rates(IMAGES, "mouse")


def test_a_recipe_whose_core_uses_the_eye_position_must_load_it() -> None:
    model = {"core": {"type": "vit", "pupil_center": True}}
    with pytest.raises(InputError, match=r"core 'vit' uses the eye position, but data\.pupil_center is false"):
        load_recipe({"model": model})
    assert load_recipe({"model": model, "data": {"pupil_center": True}}).protocol == "image + behaviour"
