"""Networks of other packages as cores: cut, weighed, frozen, and placed in the image."""

import importlib
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tests.fixtures.recordings import small_recording
from tests.models.backbones import SmallResNet, SmallTransformer

from striate.errors import InputError
from striate.models import Core, ModelInputs
from striate.registry import cores
from striate.training import load_recipe, share, train

RESNET = "tests.models.backbones:SmallResNet"
IMAGES = torch.randn(2, 1, 36, 64, generator=torch.Generator().manual_seed(0))


def built(shape: tuple[int, int, int] = (1, 36, 64), **settings: object) -> Core:
    core: Core = cores.build(cores.settings({"type": "pretrained", "backbone": RESNET, **settings}), ModelInputs(shape))
    return core.eval()


def saved(network: torch.nn.Module, path: Path) -> Path:
    state = network.state_dict()
    save_file(state, path) if path.suffix == ".safetensors" else torch.save(state, path)
    return path


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pth"])
def test_the_maps_are_those_of_the_layer_with_the_weights_of_the_file(tmp_path: Path, name: str) -> None:
    """Grey images are taken as pictures with the mean and standard deviation of ImageNet."""
    torch.manual_seed(1)
    network = SmallResNet().eval()
    network.stem[1].running_mean.normal_()
    core = built(layer="layer1", normalise=False, weights=str(saved(network, tmp_path / name)))
    assert set(core.initialise()) == {"weights", "sha256"}
    means, stds = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    grey = IMAGES * stds.mean() + means.mean()
    pictures = (grey - means[:, None, None]) / stds[:, None, None]
    torch.testing.assert_close(core(IMAGES), network.layer1(network.stem(pictures)))
    assert {name.split(".")[2] for name, _ in core.named_parameters()} == {"stem", "layer1"}, "the rest is left out"


@pytest.mark.parametrize(
    ("layer", "stride", "size"),
    [
        ("stem", 2, 5),
        ("layer1", 2, 5 + 2 * 4),
        ("layer2", 4, 5 + 2 * 4 + 2 * 2 + 4 * 2),
        ("layer2.first", 4, 5 + 2 * 4 + 2 * 2),
    ],
)
def test_the_geometry_follows_from_the_operations_of_the_network(layer: str, stride: int, size: int) -> None:
    geometry = built(layer=layer).geometry
    assert (geometry.stride, geometry.offset, geometry.size) == ((stride, stride), (0.0, 0.0), (size, size))
    twice = built(layer=layer, upsampling=2.0).geometry
    assert twice.stride == (stride / 2, stride / 2)
    assert twice.offset == (-0.25, -0.25), (
        "the first pixel of the enlarged image lies a quarter before that of the image"
    )


def test_attention_sees_the_whole_image_from_its_patches() -> None:
    core = built(backbone="tests.models.backbones:SmallTransformer", layer="blocks.1", patch_size=4)
    assert (core.geometry.shape, core.geometry.stride, core.geometry.offset) == ((9, 16), (4.0, 4.0), (1.5, 1.5))
    assert core.geometry.size == (72.0, 128.0)
    torch.manual_seed(2)
    network = SmallTransformer().eval()
    core.backbone.network.load_state_dict({k: v for k, v in network.state_dict().items() if not k.startswith("head")})
    with torch.no_grad():
        assert core(IMAGES).shape == (2, 8, 9, 16)


def test_a_frozen_network_stays_as_it_is_and_another_learns(tmp_path: Path) -> None:
    network = SmallResNet()
    weights = saved(network, tmp_path / "weights.safetensors")
    recording = small_recording(neurons=5, training=32)
    for frozen in (True, False):
        (tmp_path / "mine.toml").write_text(
            f"""
            [model.core]
            type = "pretrained"
            backbone = "{RESNET}"
            layer = "layer1"
            weights = "weights.safetensors"
            frozen = {str(frozen).lower()}
            [data]
            batch_size = 16
            [optimiser.core]
            learning_rate_factor = 0.1
            [schedule]
            max_epochs = 1
            """
        )
        run = train(tmp_path / "mine.toml", recording, tmp_path / f"run-{frozen}", progress=False, seed=0)
        trained = run.encoder().core.state_dict()
        for name in ("stem.0.weight", "stem.1.running_mean"):
            same = torch.equal(trained[f"backbone.network.{name}"], network.state_dict()[name])
            assert same == frozen, name
        assert run.provenance["start"]["core"]["weights"] == weights.name
        share(run, tmp_path / f"shared-{frozen}")  # which refuses paths of this machine
    weights.unlink()
    assert np.isfinite(run.encoder().core.geometry.offset).all(), "a trained model has its weights itself"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"backbone": "tests.models.backbones:number"},
            r"is an int(eger)?; expected a torch\.nn\.Module|expected a torch\.nn\.Module",
        ),
        ({"backbone": "tests.models.backbones:Missing"}, "tests.models.backbones has no 'Missing'"),
        ({"layer": "layer3"}, "no layer 'layer3': did you mean"),
        ({"layer": "head"}, "has four axes|maps have four axes"),
        ({"arguments": {"depth": 3}}, "cannot be made with the arguments depth"),
        ({"arguments": {"pretrained": True}}, "would download weights"),
        (
            {"backbone": "tests.models.backbones:SmallTransformer", "layer": "blocks.0"},
            "model.core.patch_size for a transformer",
        ),
        ({"layer": "layer1", "patch_size": 4}, "not the tokens of 9×16 patches"),
    ],
)
def test_a_network_that_cannot_be_a_core_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        built(**settings)


def test_planes_of_behaviour_are_refused() -> None:
    settings = cores.settings({"type": "pretrained", "backbone": RESNET, "layer": "layer1"})
    with pytest.raises(InputError, match=r"takes images alone: set data\.behavior_planes = false"):
        cores.build(settings, ModelInputs((4, 36, 64), behavior_size=3, behavior_planes=3))


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    other = saved(SmallResNet(width=6), tmp_path / "other.safetensors")
    with pytest.raises(
        InputError, match=r"stem\.0\.weight has shape \(6, 3, 5, 5\); the backbone needs \(4, 3, 5, 5\)"
    ):
        built(layer="layer1", weights=str(other)).initialise()
    save_file({"stem.0.weight": torch.zeros(4, 3, 5, 5)}, tmp_path / "part.safetensors")
    with pytest.raises(InputError, match="lacks stem"):
        built(layer="layer1", weights=str(tmp_path / "part.safetensors")).initialise()
    with pytest.raises(InputError, match="there is no such file"):
        built(layer="layer1", weights=str(tmp_path / "none.pth")).initialise()
    (tmp_path / "evil.pth").write_bytes(pickle.dumps({"stem.0.weight": np.zeros(3)}))
    with pytest.raises(InputError, match="is a pickle"):
        built(layer="layer1", weights=str(tmp_path / "evil.pth")).initialise()


@pytest.mark.parametrize("package", ["timm", "torchvision"])
def test_networks_of_packages_are_built_without_a_download(package: str) -> None:
    try:
        importlib.import_module(package)
    except Exception as error:
        with pytest.raises(InputError, match=f"{package}.*(striate\\[pretrained\\]|made for it)"):
            built(backbone=f"{package}:resnet18", layer="layer1")
        pytest.skip(f"{package} does not work here: {error}")
    core = built(backbone=f"{package}:resnet18", layer="layer1")
    assert (core.channels, core.geometry.stride, core.geometry.size) == (64, (4.0, 4.0), (43.0, 43.0))
    with pytest.raises(InputError, match="no network 'resnet_18'"):
        built(backbone=f"{package}:resnet_18", layer="layer1")


def test_a_recipe_needs_a_backbone() -> None:
    with pytest.raises(InputError, match=r"model\.core\.backbone"):
        load_recipe({"model": {"core": {"type": "pretrained"}}})
