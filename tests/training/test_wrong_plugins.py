"""Plugins that are wrong: one sentence names the component, its plugin and what it raised; nothing has been written then."""

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.fixtures.command import assert_one_sentence, run_in_process
from tests.fixtures.recordings import small_recording
from tests.training.small import TABLES
from torch import nn

from striate.errors import ComponentError, InputError, StriateError
from striate.models import load_model
from striate.recordings import write
from striate.registry import REGISTRIES, cores, load_plugin
from striate.training import FromImages, Trainer, load_recipe, predict, train

RECORDING = small_recording(neurons=6, training=20)

PLUGIN = """
import torch
from torch import nn

from striate.models import Core, CoreSettings, MapGeometry, Modulator, Nonlinearity, Readout, Shifter
from striate.registry import augmentations, callbacks, cores, losses, models, modulators, nonlinearities, optimisers, readouts, schedules, shifters
from striate.training import Callback, LossSettings, Schedule


@cores.register("sound")
class Sound(Core):
    channels = 4

    def __init__(self, settings, inputs):
        super().__init__(settings, inputs)
        self.layer = nn.Conv2d(inputs.image_shape[0], 4, 5)

    @property
    def geometry(self):
        return MapGeometry.identity(*self.inputs.image_shape[1:]).convolved(5)

    def forward(self, images, behavior=None):
        return self.layer(images).relu()


@cores.register("vector-penalty")
class VectorPenalty(Sound):
    def regulariser(self):
        return self.layer.bias.abs()


@cores.register("no-penalty")
class NoPenalty(Sound):
    def regulariser(self):
        self.layer.bias.abs().sum()


@cores.register("penalty-of-session")
class PenaltyOfSession(Sound):
    def regulariser(self, session):
        return self.layer.bias.abs().sum()


@cores.register("raises")
class Raises(Sound):
    def forward(self, images, behavior=None):
        return self.layer(images) @ images  # the line that is named


@cores.register("behaving")
class Behaving(Sound):
    def forward(self, images, behavior=None):
        return self.layer(images) * behavior.mean()


@cores.register("cropped")
class Cropped(Sound):
    def forward(self, images, behavior=None):
        return super().forward(images)[..., 1:]


@cores.register("without-inputs")
class WithoutInputs(Sound):
    def __init__(self, settings):
        super().__init__(settings, None)


@cores.register("abstract")
class Abstract(Core):
    channels = 4


@cores.register("no-attribute")
class NoAttribute(Sound):
    def __init__(self, settings, inputs):
        super().__init__(settings, inputs)
        self.size = inputs.image_size


@readouts.register("maps-alone")
class MapsAlone(Readout):
    def __init__(self, settings, coordinates, maps):
        super().__init__(settings, coordinates, maps)
        self.features = nn.Linear(maps.channels, self.neurons)

    def forward(self, maps):
        return self.features(maps.mean(dim=(2, 3)))


@readouts.register("nothing")
class Nothing(MapsAlone):
    def forward(self, maps, shift=None, neurons=None):
        self.features(maps.mean(dim=(2, 3)))


@readouts.register("two-neurons")
class TwoNeurons(MapsAlone):
    def forward(self, maps, shift=None, neurons=None):
        return self.features(maps.mean(dim=(2, 3)))[:, :2]


@shifters.register("one-axis")
class OneAxis(Shifter):
    def forward(self, pupil_center):
        return pupil_center[:, :1]


@modulators.register("negative")
class Negative(Modulator):
    def modulate_rates(self, rates, behavior, neurons=None):
        return rates - 100


@nonlinearities.register("undefined")
class Undefined(Nonlinearity):
    def forward(self, drive):
        return drive.log() * torch.nan

    def inverse(self, rates):
        return rates


@losses.register("of-rates")
def of_rates(rates):
    return rates


@losses.register("mean")
def mean(rates, responses):
    return (rates - responses).square().mean()


class ScaledSettings(LossSettings):
    scale: float = 1.0


@losses.register("scaled", settings=ScaledSettings)
def scaled(rates, responses):
    return rates - responses


@augmentations.register("of-images")
class OfImages:
    def __init__(self, settings, image_shape):
        pass

    def __call__(self, images):
        return images


@augmentations.register("function")
def function(settings, image_shape):
    return settings


@optimisers.register("none")
def none(settings, groups):
    return None


@optimisers.register("unknown-option")
def unknown_option(settings, groups):
    return torch.optim.SGD(groups, momentun=0.9)


@schedules.register("of-epochs")
class OfEpochs(Schedule):
    def learning_rate(self, epoch):
        return 0.1


@schedules.register("silent")
class Silent(Schedule):
    def learning_rate(self, epoch, step, steps):
        pass


@callbacks.register("careless")
class Careless(Callback):
    def on_step(self, trainer):
        trainer.los


@models.register("of-pixels")
class OfPixels(nn.Module):
    def __init__(self, settings, inputs):
        super().__init__()
        self.layer = nn.Linear(18 * 32, 6)

    def forward(self, images):
        return self.layer(images.flatten(1)).exp()
"""
LINE = next(n for n, line in enumerate(PLUGIN.splitlines(), start=1) if "the line that is named" in line)


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("lab") / "my_parts.py"
    path.write_text(PLUGIN)
    name = load_plugin(path).__name__
    yield path
    for registry in REGISTRIES.values():
        registry.forget(name)


CASES: list[tuple[dict[str, Any], str]] = [
    ({"core": "vector-penalty"}, r"regulariser\(\) of the core 'vector-penalty' returned a tensor of shape \(4,\); expected a scalar"),
    ({"core": "no-penalty"}, r"regulariser\(\) of the core 'no-penalty' returned NoneType; expected a scalar"),
    ({"core": "penalty-of-session"}, r"The core 'penalty-of-session' of my_parts.py raised TypeError: .*missing 1 required positional"),
    ({"core": "raises"}, rf"The core 'raises' of my_parts.py \(line {LINE}\) raised RuntimeError: .*suite striate.testing.CoreTests"),
    ({"core": "cropped"}, r"'cropped' returned maps of shape \(8, 4, 14, 27\); expected a tensor of shape \(8, 4, 14, 28\), as its"),
    ({"core": "behaving"}, r"The core 'behaving' cannot do without behaviour \(.*NoneType.*uses_behavior that returns True"),
    ({"core": "without-inputs"}, r"The core 'without-inputs' of my_parts.py raised TypeError: WithoutInputs.__init__\(\) takes 2"),
    ({"core": "abstract"}, r"The core 'abstract' of my_parts.py raised TypeError: Can't instantiate abstract class Abstract"),
    ({"core": "no-attribute"}, r"The core 'no-attribute' of my_parts.py \(line \d+\) raised AttributeError: .*'image_size'"),
    ({"readout": "maps-alone"}, r"The readout 'maps-alone' of my_parts.py raised TypeError: MapsAlone.forward\(\) takes 2 positional"),
    ({"readout": "nothing"}, r"The readout 'nothing' returned a drive of type NoneType; expected a tensor of shape \(8, 6\)"),
    ({"readout": "two-neurons"}, r"The readout 'two-neurons' returned a drive of shape \(8, 2\); expected a tensor of shape \(8, 6\)"),
    ({"shifter": "one-axis"}, r"The shifter 'one-axis' returned shifts of shape \(8, 1\); expected a tensor of shape \(8, 2\)"),
    ({"modulators": ["negative"]}, r"The model returned negative rates for recording 7-1-1 \(the least is "),
    ({"nonlinearity": "undefined"}, r"The model returned NaN or infinite rates for recording 7-1-1"),
    ({"loss": "of-rates"}, r"The loss 'of-rates' of my_parts.py raised TypeError: of_rates\(\) takes 1 positional argument but 2"),
    ({"loss": "mean"}, r"The loss 'mean' returned a tensor of shape \(\); expected one value for each trial and neuron, \(8, 6\)"),
    ({"loss": "scaled"}, r"The loss 'scaled' of my_parts.py raised TypeError: scaled\(\) got an unexpected keyword argument 'settings'"),
    ({"augmentations": ["of-images"]}, r"The augmentation 'of-images' of my_parts.py raised TypeError: OfImages.__call__\(\) takes 2"),
    ({"augmentations": ["function"]}, r"The augmentation 'function' was built as functionSettings, which cannot be called: register a"),
    ({"optimiser": "none"}, r"The optimiser 'none' was built as NoneType; expected a torch.optim.Optimizer"),
    ({"optimiser": "unknown-option"}, r"The optimiser 'unknown-option' of my_parts.py \(line \d+\) raised TypeError: .*'momentun'"),
    ({"schedule": "of-epochs"}, r"The schedule 'of-epochs' of my_parts.py raised TypeError: OfEpochs.learning_rate\(\) takes 2"),
    ({"schedule": "silent"}, r"The schedule 'silent' returned NoneType as learning rate; expected a number"),
    ({"log": "careless"}, r"The callback 'careless' of my_parts.py \(line \d+\) raised AttributeError: .*'los'"),
    ({"model": "of-pixels"}, r"The module OfPixels takes images, but it is called with a batch: .*images = batch.images"),
]  # fmt: skip


def tables(chosen: dict[str, Any]) -> dict[str, Any]:
    """Return a recipe with these components."""
    recipe: dict[str, Any] = {table: dict(values) for table, values in TABLES.items()}
    recipe["schedule"]["max_epochs"] = 1
    for kind, name in chosen.items():
        value: Any = [{"type": each} for each in name] if isinstance(name, list) else {"type": name}
        if kind == "augmentations":
            recipe["data"][kind] = value
        elif kind in ("core", "readout", "shifter", "modulators", "nonlinearity"):
            recipe["model"] = {**recipe["model"], kind: value}
        elif kind == "model":
            recipe["model"] = value
        elif kind != "log":
            recipe[kind] = {**value, "max_epochs": 1} if kind == "schedule" else value
    recipe["data"] |= {"pupil_center": "shifter" in chosen, "behavior": "modulators" in chosen}
    return recipe


@pytest.mark.parametrize(("chosen", "says"), CASES, ids=[next(iter(map(str, case.values()))) for case, _ in CASES])
def test_a_mistake_is_one_sentence(chosen: dict[str, Any], says: str, plugin: Path, tmp_path: Path) -> None:
    log = [chosen["log"]] if "log" in chosen else []
    with pytest.raises((InputError, ComponentError), match=says) as raised:
        train(tables(chosen), RECORDING, tmp_path / "run", log=log, progress=False)
    if isinstance(raised.value, ComponentError):
        assert isinstance(raised.value.__cause__, TypeError | RuntimeError | AttributeError)
    during = {
        "of-images",
        "none",
        "unknown-option",
        "of-epochs",
        "silent",
        "careless",
    }  # what the training itself meets
    if not during & {str(name).strip("[']") for name in chosen.values()}:
        assert not (tmp_path / "run").exists()


def test_sound_components_train(plugin: Path, tmp_path: Path) -> None:
    assert train(tables({"core": "sound"}), RECORDING, tmp_path / "run", progress=False).finished


def test_other_errors_keep_their_traceback(plugin: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Trainer, "validate", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train(tables({"core": "sound"}), RECORDING, tmp_path / "run", progress=False)


def test_too_little_memory_is_no_fault_of_a_component(
    plugin: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def forward(*_: Any) -> Any:
        raise RuntimeError("CUDA out of memory.")

    monkeypatch.setattr(cores["sound"].value, "forward", forward)
    with pytest.raises(RuntimeError, match="out of memory") as raised:
        train(tables({"core": "sound"}), RECORDING, tmp_path / "run", progress=False)
    assert not isinstance(raised.value, StriateError)


def test_the_command_line_shows_no_traceback(plugin: Path, tmp_path: Path) -> None:
    write(RECORDING, tmp_path / "mouse.zip")
    start = ["--plugin", plugin, "train", "cnn-small", tmp_path / "mouse.zip", "--out", tmp_path / "run"]
    outcome = run_in_process(*start, "--set", "model.core.type=raises")
    assert_one_sentence(outcome, f"The core 'raises' of my_parts.py (line {LINE}) raised RuntimeError")
    outcome = run_in_process(*start, "--log", "careless", "--set", "schedule.max_epochs=1")
    assert_one_sentence(outcome, "The callback 'careless' of my_parts.py", "no attribute 'los'")


def test_a_class_that_a_recipe_names_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net_lab.py").write_text(
        textwrap.dedent("""
        from torch import nn

        class Net(nn.Module):
            def __init__(self, inputs):
                super().__init__()
                self.layer = nn.Linear(3, 6)

            def forward(self, batch):
                return self.layer(batch.images).exp()
        """)
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    says = r"The model 'net_lab:Net' of net_lab \(line 10\) raised RuntimeError: mat1 and mat2"
    with pytest.raises(ComponentError, match=says):
        train(load_recipe({**TABLES, "model": {"type": "net_lab:Net"}}), RECORDING, tmp_path / "run", progress=False)


NEURONS = 6
OF_IMAGES = nn.Sequential(nn.Flatten(), nn.Linear(18 * 32, NEURONS), nn.Softplus())


class OfBehavior(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, NEURONS)

    def forward(self, batch: Any) -> Any:
        return self.layer(batch.behavior).exp()


class WithPenalty(FromImages):
    def regulariser(self) -> Any:
        return 0


class WithVector(FromImages):
    def regulariser(self, session: str) -> Any:
        return torch.ones(3)


@pytest.mark.parametrize(
    ("module", "says"),
    [
        (OF_IMAGES, r"The module Sequential takes images.*encoder=striate.training.FromImages\(module\)"),
        (OfBehavior(), r"The module OfBehavior cannot use a batch .*batch.behavior and batch.pupil_center are None, because data.behavior"),
        (WithPenalty(OF_IMAGES), r"regulariser\(session\) of WithPenalty cannot be called .*its argument is the session"),
        (WithVector(OF_IMAGES), r"regulariser\(session\) of WithVector returned a tensor of shape \(3,\); expected a scalar"),
    ],
)  # fmt: skip
def test_modules_of_ones_own(module: nn.Module, says: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=says):
        train(TABLES, RECORDING, tmp_path / "run", encoder=module, progress=False)
    assert not (tmp_path / "run").exists()


def test_a_module_of_images_is_trained_and_predicts(tmp_path: Path) -> None:
    run = train(TABLES, RECORDING, tmp_path / "run", encoder=FromImages(OF_IMAGES), progress=False)
    assert predict(run, RECORDING, "validation", encoder=FromImages(OF_IMAGES)).values.shape[1] == NEURONS


def test_a_model_that_cannot_be_made_any_more_is_named(plugin: Path, tmp_path: Path) -> None:
    folder = train(tables({"core": "sound"}), RECORDING, tmp_path / "run", progress=False).folder

    def init(self: Any, *_: Any) -> None:
        raise KeyError("gone")

    with pytest.MonkeyPatch.context() as patch, pytest.raises(InputError, match=r"cannot be loaded: The core 'sound'"):
        patch.setattr(cores["sound"].value, "__init__", init)
        load_model(folder / "weights.safetensors")
