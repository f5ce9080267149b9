"""Networks of other packages, cut at a layer, and their weights from a file."""

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from striate._internal.paths import expand_path
from striate.errors import InputError, describe_type, listed, nearest, quoted, shortened
from striate.models.published import read_state_dict
from striate.models.serialisation import read_tensors
from striate.registry import import_object

_DOWNLOADS = ("pretrained", "weights", "pretrained_cfg")


def build_backbone(name: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Make a network with random weights. Nothing is downloaded.

    Parameters
    ----------
    name
        ``"timm:NAME"``, ``"torchvision:NAME"``, or the reference ``"module:callable"`` of a function or class that returns a module.
    arguments
        Keyword arguments of the network.

    Raises
    ------
    InputError
        If the package is not installed or does not work, if it has no such network, or if the arguments do not fit.

    Examples
    --------
    >>> build_backbone("torch.nn:Flatten", {"start_dim": 2})
    Flatten(start_dim=2, end_dim=-1)
    """
    if named := [key for key in _DOWNLOADS if key in arguments]:
        raise InputError(
            f"model.core.arguments has {named[0]!r}, which would download weights: leave it out, and name a file of weights by "
            "model.core.weights."
        )
    package, _, model = name.partition(":")
    try:
        if package == "timm":
            timm = _package("timm")
            _check_name(model, timm.list_models(), package)
            made = timm.create_model(model, pretrained=False, **arguments)
        elif package == "torchvision":
            models = _package("torchvision").models
            _check_name(model, models.list_models(), package)
            made = models.get_model(model, weights=None, **arguments)
        else:
            made = import_object(name)(**arguments)
    except InputError:
        raise
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"The backbone {quoted(name)} cannot be made with the arguments {listed(arguments, 6) or '(none)'} ({shortened(error, 160)})."
        ) from error
    if not isinstance(made, nn.Module):
        raise InputError(f"The backbone {quoted(name)} is {describe_type(made)}; expected a torch.nn.Module.")
    return made


def _package(name: str) -> Any:
    """Import timm or torchvision."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InputError(
            f"Backbones of {name} need the package {name}: pip install 'striate[pretrained]'. ({shortened(error, 100)})"
        ) from error
    except Exception as error:  # torchvision raises RuntimeError beside a torch that it was not built for
        raise InputError(
            f"The package {name} cannot be imported beside torch {torch.__version__} ({shortened(error, 120)}): install the version that was "
            "made for it."
        ) from error


def _check_name(name: str, known: list[str], package: str) -> None:
    if name not in known:
        raise InputError(f"{package} has no network {quoted(name)}: {nearest(name, known)}.")


class _LayerReachedError(Exception):
    """Ends the forward pass of a backbone at the layer whose output is wanted."""


class CutBackbone(nn.Module):
    """A network whose forward pass ends at one of its layers. What comes after the layer is removed.

    Parameters
    ----------
    network
        The network.
    layer
        Name of the layer, such as ``"layer1"`` or ``"features.4"``; an empty one for the output of the network itself.
    images
        Images on the device ``meta``, by which the layers before the cut are found.

    Examples
    --------
    >>> network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 8, 3))
    >>> CutBackbone(network, "1", torch.zeros(1, 3, 8, 8, device="meta"))(torch.zeros(2, 3, 8, 8)).shape
    torch.Size([2, 4, 6, 6])
    """

    def __init__(self, network: nn.Module, layer: str, images: Tensor) -> None:
        super().__init__()
        names = [name for name, _ in network.named_modules() if name]
        if layer and layer not in names:
            raise InputError(f"The backbone has no layer {quoted(layer)}: {nearest(layer, names)}.")
        self.network, self.layer = network, layer
        if layer:
            self._remove_unused(network, "", self._used_layers(images))

    def _remove_unused(self, module: nn.Module, above: str, used: set[nn.Module]) -> None:
        """Replace what is not used before the cut, within the modules that contain the layer of the cut."""
        for name, child in list(module.named_children()):
            path = f"{above}{name}"
            if not any(inner in used for inner in child.modules()):
                setattr(module, name, nn.Identity())
            elif self.layer.startswith(f"{path}."):
                self._remove_unused(child, f"{path}.", used)

    def _used_layers(self, images: Tensor) -> set[nn.Module]:
        """Return the layers that are called before the cut."""
        used: set[nn.Module] = set()
        hooks = [
            module.register_forward_pre_hook(lambda module, _: used.add(module)) for module in self.network.modules()
        ]
        try:
            self.on_meta(images)
        finally:
            for hook in hooks:
                hook.remove()
        return used

    def forward(self, images: Tensor) -> Tensor:
        """Return the output of the layer."""
        return self._run(self.network, images)

    def on_meta(self, images: Tensor) -> Tensor:
        """Return the output of the layer, in evaluation mode, for images on the device ``meta``, whatever the device of the weights."""
        state = {name: torch.empty_like(value, device="meta") for name, value in _state(self.network).items()}
        modes = {module: module.training for module in self.network.modules()}
        self.network.eval()
        try:
            with torch.no_grad():
                return self._run(lambda given: torch.func.functional_call(self.network, state, (given,)), images)
        finally:
            for module, mode in modes.items():
                module.training = mode

    def _run(self, network: Callable[[Tensor], Any], images: Tensor) -> Tensor:
        found: list[Any] = []

        def keep(module: nn.Module, inputs: Any, output: Any) -> None:
            found.append(output)
            raise _LayerReachedError

        hook = self.network.get_submodule(self.layer).register_forward_hook(keep)
        try:
            network(images)
        except _LayerReachedError:
            pass
        except InputError:
            raise
        except (RuntimeError, AssertionError, ValueError) as error:
            height, width = images.shape[2:]
            raise InputError(
                f"The backbone cannot take images of {height}×{width} pixels ({shortened(error, 160)}): change data.image_size, "
                "model.core.upsampling or model.core.arguments."
            ) from error
        finally:
            hook.remove()
        if not found:
            raise InputError(f"The backbone does not use its layer {quoted(self.layer)}: choose another one.")
        if not isinstance(found[0], Tensor):
            raise InputError(
                f"The layer {quoted(self.layer)} returns {describe_type(found[0])}; choose one that returns a tensor."
            )
        return found[0]


def load_weights(backbone: CutBackbone, path: str | Path) -> None:
    """Load the weights of the whole network from a file; those behind the cut are ignored. Code in the file is never executed.

    Parameters
    ----------
    backbone
        The backbone; it is changed in place.
    path
        A ``.safetensors`` file, or a state dict that ``torch.save`` wrote (``.pth``).

    Raises
    ------
    InputError
        If the file cannot be read, or lacks weights of the backbone.
    """
    path = expand_path(path)
    tensors = read_tensors(path)[0] if path.suffix == ".safetensors" else read_state_dict(path)
    own = backbone.network.state_dict()
    missing = [name for name in own if name not in tensors and not name.endswith("num_batches_tracked")]
    if missing:
        raise InputError(
            f"{path} lacks {listed(missing)} of the backbone: give the weights of this network, under the names of its package."
        )
    for name, value in own.items():
        if name in tensors and tensors[name].shape != value.shape:
            raise InputError(
                f"{path}: {name} has shape {tuple(tensors[name].shape)}; the backbone needs {tuple(value.shape)}."
            )
    backbone.network.load_state_dict({**own, **{name: tensors[name] for name in own if name in tensors}})


def _state(network: nn.Module) -> dict[str, Tensor]:
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}
