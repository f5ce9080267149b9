"""Weights on disk: what is written is read back, and what is broken is refused in one sentence."""

import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.fixtures.limits import memory_limit
from tests.fixtures.messages import assert_short

from striate.errors import InputError
from striate.models import Encoder, EncoderSettings, build_encoder, load, published, save

SESSION = "5-1-1"


def small_encoder() -> Encoder:
    torch.manual_seed(1)
    settings = EncoderSettings.model_validate({"core": {"channels": 3, "layers": 2}, "shifter": True})
    return build_encoder(settings, {SESSION: np.random.default_rng(0).normal(size=(5, 2))}, (1, 36, 64))


def published_state(shifter: bool = True) -> dict[str, torch.Tensor]:
    """The tensors of a small model by the names of 2022."""
    state = small_encoder().state_dict()
    named = {}
    for name, value in state.items():
        name = name.replace("core.layers.0.convolution", "core.features.layer0.conv")
        for index, part in enumerate(("in_depth_conv", "spatial_conv", "out_depth_conv")):
            name = name.replace(f"core.layers.1.convolution.{index}", f"core.features.layer1.ds_conv.{part}")
        name = name.replace("core.layers.", "core.features.layer").replace(
            f"readouts.session_{SESSION}", f"readout.{SESSION}"
        )
        name = (
            name.replace("spread", "sigma")
            .replace("features.weight", "_features")
            .replace("position_network", "mu_transform")
        )
        name = name.replace(f"{SESSION}.features", f"{SESSION}._features").replace("cortical_positions", "source_grid")
        if name.startswith("shifters"):
            layer = int(name.split(".")[3])
            name = f"shifter.{SESSION}.mlp.{2 * layer}.{name.split('.')[-1]}"
            if not shifter:
                continue
        if name.endswith("._features"):
            value = value.T[None, :, None]
        named[name] = value[None].clone() if name.endswith(".sigma") else value.clone()
    named["core._input_weights_regularizer.laplace.filter"] = torch.zeros(1, 1, 3, 3)
    return named


def rates(encoder: Encoder) -> torch.Tensor:
    images = torch.randn(3, 1, 36, 64, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        return encoder.eval().rates(images, encoder.sessions[0], torch.full((3, 2), 0.3))


def test_an_encoder_is_read_back_as_it_was(tmp_path: Path) -> None:
    encoder = small_encoder()
    save(encoder, tmp_path / "weights.safetensors")
    again = load(tmp_path / "weights.safetensors")
    assert torch.equal(rates(again), rates(encoder))
    assert (again.settings, again.sessions, again.input_shape) == (encoder.settings, (SESSION,), (1, 36, 64))
    assert not again.training


def test_nothing_is_overwritten_unless_asked(tmp_path: Path) -> None:
    save(small_encoder(), tmp_path / "w.safetensors")
    with pytest.raises(InputError, match="exists already"):
        save(small_encoder(), tmp_path / "w.safetensors")
    save(small_encoder(), tmp_path / "w.safetensors", overwrite=True)


@pytest.mark.slow
def test_the_same_encoder_makes_the_same_file(tmp_path: Path) -> None:
    save(small_encoder(), tmp_path / "1.safetensors")
    script = (
        "import sys; from striate.models import load, save\n"
        "save(load(sys.argv[1]), sys.argv[2])"  # another process orders sets and hash maps in another way
    )
    for index in range(1, 4):
        here, there = (tmp_path / f"{index + i}.safetensors" for i in range(2))
        subprocess.run([sys.executable, "-c", script, here, there], check=True)
        assert here.read_bytes() == there.read_bytes()


def test_loading_draws_no_random_numbers(tmp_path: Path) -> None:
    save(small_encoder(), tmp_path / "w.safetensors")
    torch.save(published_state(), tmp_path / "w.pth")
    torch.manual_seed(0)
    before = torch.get_rng_state()
    load(tmp_path / "w.safetensors")
    published.load(tmp_path / "w.pth")
    assert torch.equal(before, torch.get_rng_state())


def test_a_published_file_of_any_size_is_read(tmp_path: Path) -> None:
    torch.save(published_state(), tmp_path / "w.pth")
    assert torch.equal(rates(published.load(tmp_path / "w.pth")), rates(small_encoder()))
    torch.save(published_state(shifter=False), tmp_path / "w2.pth")
    assert not published.load(tmp_path / "w2.pth").uses_pupil_center
    linear = published.load(tmp_path / "w.pth", nonlinear=False)
    assert not torch.equal(rates(linear), rates(small_encoder()))


class Harmful:
    """Unpickled, it would leave a trace."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("harm-was-done",)


def changed(**changes: Any) -> Callable[[Path], None]:
    """A published file in which some tensors are others, or (None) missing."""

    def make(path: Path) -> None:
        state: dict[str, Any] = published_state()
        for key, value in changes.items():
            name = key.replace("__", ".").replace("SESSION", SESSION)
            if name not in state and value is None:
                raise KeyError(name)
            if value is None:
                del state[name]
            else:
                state[name] = value(state[name]) if callable(value) else value
        torch.save(state, path)

    return make


def content(value: Any) -> Callable[[Path], None]:
    return lambda path: torch.save(value, path)


def bytes_(value: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(value) and None


def truncated(path: Path) -> None:
    torch.save(published_state(), path)
    path.write_bytes(path.read_bytes()[:-500])


def flipped(path: Path) -> None:
    """The same zip without one of its members."""
    buffer = io.BytesIO()
    torch.save(published_state(), buffer)
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(path, "w") as new:
        for name in [n for n in old.namelist() if not n.endswith("data/3")]:
            new.writestr(name, old.read(name))


def nan(tensor: torch.Tensor) -> torch.Tensor:
    tensor = tensor.clone()
    tensor.view(-1)[0] = float("nan")
    return tensor


def meta(path: Path) -> None:
    torch.save({name: value.to("meta") for name, value in published_state().items()}, path)


def deflated(path: Path) -> None:
    """The same zip, compressed: ten kilobytes could become as many gigabytes."""
    buffer = io.BytesIO()
    torch.save(published_state(), buffer)
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))


def before_1_6(path: Path) -> None:
    torch.save(published_state(), path, _use_new_zipfile_serialization=False)


PUBLISHED: dict[str, tuple[Callable[[Path], None], str]] = {
    "absent": (lambda path: None, "there is no such file"),
    "folder": (lambda path: path.mkdir(), "there is no such file"),
    "empty": (bytes_(b""), "damaged or not a file of PyTorch weights"),
    "text": (bytes_(b"these are no weights\n" * 50), "damaged"),
    "truncated zip": (truncated, "damaged"),
    "zip without a member": (flipped, "damaged"),
    "another zip": (lambda path: zipfile.ZipFile(path, "w").close(), "only tensors"),
    "pickle with code": (lambda path: path.write_bytes(pickle.dumps(Harmful())) and None, "only tensors are loaded"),
    "zip with code": (content({"a": Harmful()}), "only tensors are loaded"),
    "a whole model": (content(torch.nn.Linear(2, 2)), "only tensors are loaded"),
    "a list": (content([torch.zeros(2)]), "holds a list"),
    "nothing": (content({}), "holds a dict"),
    "a number among tensors": (content({**published_state(), "epoch": 7}), "'epoch' is a int"),
    "nested": (content({"state_dict": published_state()}), "'state_dict' is a"),
    "safetensors": (lambda path: save_file({"a": torch.zeros(2)}, path), "damaged|only tensors"),
    "another model": (content({"layer.weight": torch.zeros(2, 2)}), "no readout of any recording"),
    "extra key": (changed(core__extra=torch.zeros(2)), "core.extra, which"),
    "extra mu layer": (
        changed(readout__SESSION__mu_transform__4__weight=torch.zeros(2)),
        "mu_transform.4.weight, which",
    ),
    "no first layer": (changed(core__features__layer0__conv__weight=None), "lacks core.features.layer0.conv.weight"),
    "no norm": (changed(core__features__layer1__norm__running_var=None), "lacks core.features.layer1.norm.running_var"),
    "no spatial convolution": (
        changed(core__features__layer1__ds_conv__spatial_conv__weight=None),
        "lacks core.features",
    ),
    "no sigma": (changed(readout__SESSION__sigma=None), "lacks readout.5-1-1.sigma"),
    "no source_grid": (changed(readout__SESSION__source_grid=None), "lacks readout.5-1-1.source_grid"),
    "no shifter bias": (changed(shifter__SESSION__mlp__2__bias=None), "lacks shifter.5-1-1.mlp.2.bias"),
    "shifter of another recording": (
        changed(**{"shifter__6-1-1__mlp__0__weight": torch.zeros(5, 2)}),
        "holds shifter.6-1-1.mlp.0.weight, which",
    ),
    "features transposed": (changed(readout__SESSION___features=lambda t: t.transpose(1, 3)), "has shape"),
    "features flat": (changed(readout__SESSION___features=lambda t: t[0, :, 0]), r"expected \(1, 3, 1, 5\)"),
    "neurons disagree": (changed(readout__SESSION__bias=lambda t: t[:-1]), r"bias has shape \(4,\); expected \(5,\)"),
    "source_grid with depth": (
        changed(readout__SESSION__source_grid=torch.zeros(5, 3)),
        r"has shape \(5, 3\); expected \(5, 2\)",
    ),
    "channels disagree": (changed(core__features__layer1__norm__bias=torch.zeros(7)), "has shape"),
    "integers": (changed(readout__SESSION__bias=torch.zeros(5, dtype=torch.int64)), "has type torch.int64"),
    "complex": (changed(readout__SESSION__bias=torch.zeros(5, dtype=torch.complex64)), "has type torch.complex64"),
    "sparse": (changed(readout__SESSION__bias=torch.zeros(5).to_sparse()), "has type|has layout|damaged"),
    "nan": (changed(readout__SESSION__sigma=nan), "NaN or infinity"),
    "one value a hundred million times": (
        changed(readout__SESSION__source_grid=torch.zeros(1).expand(10**8, 2)),
        r"has shape \(100000000, 2\), and fewer values are stored",
    ),
    "many neurons and channels": (
        changed(
            readout__SESSION__source_grid=torch.zeros(10**5, 2),
            core__features__layer0__conv__weight=torch.zeros(4096, 1, 5, 5),
        ),
        "has shape",
    ),
    "without values": (meta, "layout torch.strided on meta"),
    "compressed": (deflated, "packed or overlapping members"),
    "before PyTorch 1.6": (before_1_6, "since PyTorch 1.6"),
    "even kernel": (
        changed(core__features__layer1__ds_conv__spatial_conv__weight=torch.zeros(3, 1, 6, 6)),
        "hidden_kernel_size = 6 is even",
    ),
    "scalar kernel": (changed(core__features__layer0__conv__weight=torch.tensor(1.0)), "expected 4 axes"),
    "gap in the layers": (
        lambda path: torch.save({k.replace("layer1", "layer2"): v for k, v in published_state().items()}, path),
        "lacks",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", PUBLISHED)
def test_broken_published_weights(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make, says = PUBLISHED[case]
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "weights.pth")
    with pytest.raises(InputError, match=says) as caught, memory_limit(2**30):
        published.load(tmp_path / "weights.pth")
    assert_short(caught.value, tmp_path)
    assert "weights.pth" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "harm-was-done").exists()


def rewritten(change: Callable[[dict[str, torch.Tensor], dict[str, Any]], None]) -> Callable[[Path], None]:
    """An encoder's file whose tensors or description were changed."""

    def make(path: Path) -> None:
        from safetensors import safe_open

        save(small_encoder(), path)
        with safe_open(path, framework="pt") as file:
            header = json.loads(file.metadata()["striate"])
        tensors = load_file(path)
        change(tensors, header["model"])
        save_file(tensors, path, metadata={"striate": json.dumps(header)})

    return make


def cut(path: Path) -> None:
    save(small_encoder(), path)
    path.write_bytes(path.read_bytes()[:-10])


OWN: dict[str, tuple[Callable[[Path], None], str]] = {
    "absent": (lambda path: None, "there is no such file"),
    "empty": (bytes_(b""), "not a whole safetensors file"),
    "garbage": (bytes_(os.urandom(3000)), "not a whole safetensors file"),
    "a huge header": (bytes_(b"\xff" * 8 + b"{}"), "not a whole safetensors file"),
    "cut": (cut, "not a whole safetensors file"),
    "a pickle": (content(published_state()), "not a whole safetensors file"),
    "other tensors": (lambda path: save_file({"a": torch.zeros(2)}, path), "holds no model of striate"),
    "no description": (
        lambda path: save_file({"a": torch.zeros(2)}, path, metadata={"striate": '{"format": "striate-model-2"}'}),
        "description of the model is damaged",
    ),
    "a header that is no JSON": (
        lambda path: save_file({"a": torch.zeros(2)}, path, metadata={"striate": "{"}),
        "not a whole safetensors file",
    ),
    "a header that is no object": (
        lambda path: save_file({"a": torch.zeros(2)}, path, metadata={"striate": "[1]"}),
        "not a whole safetensors file",
    ),
    "tensor missing": (rewritten(lambda t, d: t.pop("core.layers.0.norm.bias", None)), "lacks core.layers.0.norm.bias"),
    "tensor too many": (rewritten(lambda t, d: t.update(extra=torch.zeros(1))), "holds extra"),
    "another shape": (rewritten(lambda t, d: d["inputs"]["neurons"].update({SESSION: 6})), "has shape"),
    "a hundred million neurons": (
        rewritten(lambda t, d: d["inputs"]["neurons"].update({SESSION: 10**8})),
        r"has shape \(5.*\); expected \(100000000",
    ),
    "as many channels as a core can have": (
        rewritten(lambda t, d: d["settings"]["core"].update(channels=4096, layers=32, depth_separable=False)),
        "lacks core.layers.1",
    ),
    "infinitely many neurons": (
        rewritten(lambda t, d: d["inputs"]["neurons"].update({SESSION: float("inf")})),
        "is damaged .*neurons.5-1-1",
    ),
    "half a neuron": (rewritten(lambda t, d: d["inputs"]["neurons"].update({SESSION: 5.5})), "is damaged"),
    "a surrogate in a name": (rewritten(lambda t, d: d["inputs"]["neurons"].update({"\ud800": 5})), "not Unicode"),
    "nested too deep": (
        lambda path: save_file(
            {"a": torch.zeros(2)}, path, metadata={"striate": '{"model":' * 5000 + "1" + "}" * 5000}
        ),
        "nested more than",
    ),
    "unknown setting": (rewritten(lambda t, d: d["settings"].update(depth=3)), "description of the model is damaged"),
    "negative size": (rewritten(lambda t, d: d["inputs"].update(image_shape=[1, -36, 64])), "is damaged"),
    "image too small": (rewritten(lambda t, d: d["inputs"].update(image_shape=[1, 4, 4])), "larger than the images"),
    "no neurons": (rewritten(lambda t, d: d["inputs"].update(neurons=[])), "is damaged"),
    "nan": (
        rewritten(lambda t, d: t.update({"core.layers.0.norm.bias": torch.full((3,), float("nan"))})),
        "NaN or infinity",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", OWN)
def test_broken_weights_of_a_run(case: str, tmp_path: Path) -> None:
    make, says = OWN[case]
    make(tmp_path / "weights.safetensors")
    with pytest.raises(InputError, match=says) as caught, memory_limit(2**30):
        load(tmp_path / "weights.safetensors")
    assert_short(caught.value, tmp_path)
    assert "\n" not in str(caught.value)
