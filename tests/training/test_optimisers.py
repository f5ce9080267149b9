"""Optimisers: groups of parameters, clipping, accumulation, and that any state survives a kill."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.fixtures.recordings import small_recording
from tests.training.small import TABLES, small_recipe
from torch import nn

from striate.errors import InputError
from striate.registry import optimisers
from striate.training import Callback, Run, Trainer, load_recipe, train
from striate.training.optimisers import (
    AdamSettings,
    AdamWSettings,
    ScheduleFreeAdamW,
    build_optimiser,
    evaluation_weights,
)
from striate.training.recipe import OptimiserSettings

RECORDING = small_recording(neurons=6, training=48)


def weights(run: Run) -> dict[str, torch.Tensor]:
    return load_file(run.folder / "weights.safetensors")


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def trained(folder: Path, optimiser: dict[str, Any], **settings: Any) -> Run:
    recipe = load_recipe(
        {**small_recipe(**settings).model_dump(mode="json", exclude_none=True), "optimiser": optimiser}
    )
    return train(recipe, RECORDING, folder, progress=False)


def test_without_settings_all_parameters_are_one_group() -> None:
    module = nn.ModuleDict({"core": nn.Linear(2, 2), "readouts": nn.Linear(2, 1), "other": nn.Linear(1, 1)})
    (group,) = build_optimiser(AdamSettings(), module, 0.1).param_groups
    assert group["params"] == list(module.parameters())


def test_parts_have_their_own_rate_and_decay() -> None:
    module = nn.ModuleDict({name: nn.Linear(2, 2) for name in ("core", "readouts", "shifters", "modulators", "other")})
    settings = AdamWSettings(
        weight_decay=0.1,
        core={"learning_rate_factor": 0.5},
        readout={"weight_decay": 0.7},
        shifter={"learning_rate_factor": 2.0, "weight_decay": 0.0},
    )
    found = {
        id(parameter): (group["lr"], group["weight_decay"])
        for group in build_optimiser(settings, module, 1.0).param_groups
        for parameter in group["params"]
    }
    expected = {
        "core": (0.5, 0.1),
        "readouts": (1.0, 0.7),
        "shifters": (2.0, 0.0),
        "modulators": (1.0, 0.1),
        "other": (1.0, 0.1),
    }
    for name, (rate, decay) in expected.items():
        assert found[id(module[name].weight)] == (rate, decay)
        assert found[id(module[name].bias)] == (rate, 0.0), "biases do not decay"


def test_parameters_are_grouped_by_name_within_parts() -> None:
    module = nn.ModuleDict({"core": nn.Linear(2, 2), "readouts": nn.ModuleDict({"mouse": nn.Linear(2, 2)})})
    settings = AdamWSettings(
        weight_decay=0.1,
        readout={"learning_rate_factor": 0.5},
        groups=[
            {"parameters": ["*.bias", "core.weight"], "weight_decay": 0.3},
            {"parameters": ["readouts.*.bias"], "learning_rate_factor": 2.0, "weight_decay": 0.0},
        ],
    )
    found = {
        id(parameter): (group["lr"], group["weight_decay"])
        for group in build_optimiser(settings, module, 1.0).param_groups
        for parameter in group["params"]
    }
    readout = module["readouts"]["mouse"]
    assert found[id(module["core"].weight)] == found[id(module["core"].bias)] == (1.0, 0.3)
    assert found[id(readout.weight)] == (0.5, 0.1)
    assert found[id(readout.bias)] == (2.0, 0.0), "the last group counts"
    with pytest.raises(
        InputError, match=r"no parameter of the model matches 'readout\.x'; its parameters are core\.weight"
    ):
        build_optimiser(AdamWSettings(groups=[{"parameters": ["readout.x"]}]), module, 1.0)
    with pytest.raises(InputError, match="'adam' has no weight decay"):
        load_recipe({"optimiser": {"groups": [{"parameters": ["*"], "weight_decay": 1.0}]}})


def test_frozen_parameters_are_left_out_unless_they_are_trained_later() -> None:
    module = nn.ModuleDict({"core": nn.Linear(2, 2), "readouts": nn.Linear(2, 1)})
    module["core"].requires_grad_(False)
    (group,) = build_optimiser(AdamSettings(), module, 1.0).param_groups
    assert len(group["params"]) == 2
    groups = build_optimiser(AdamSettings(), module, 1.0, {"core": 0.1}).param_groups
    assert sorted((group["lr"], len(group["params"])) for group in groups) == [(0.1, 2), (1.0, 2)]


def test_the_rate_of_a_part_is_that_of_the_schedule_times_its_factor(tmp_path: Path) -> None:
    class Rates(Callback):
        def __init__(self) -> None:
            self.seen: list[tuple[float, ...]] = []

        def on_step(self, trainer: Trainer) -> None:
            assert trainer.learning_rate == trainer.schedule.learning_rate(
                trainer.epoch, trainer.step - 1, trainer.steps
            )
            self.seen.append(tuple(group["lr"] / trainer.learning_rate for group in trainer.optimiser.param_groups))

    rates = Rates()
    recipe = load_recipe(
        {
            **TABLES,
            "optimiser": {"core": {"learning_rate_factor": 0.25}},
            "schedule": {"type": "cosine", "max_epochs": 2},
        }
    )
    train(recipe, RECORDING, tmp_path / "run", progress=False, callbacks=[rates])
    assert rates.seen == [(0.25, 1.0)] * 6


def test_gradients_are_clipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    norms: list[float] = []

    def noted(self: torch.optim.Adam, *arguments: Any) -> Any:
        gradients = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        norms.append(float(torch.linalg.vector_norm(torch.cat([g.flatten() for g in gradients]))))
        return step(self, *arguments)

    step = torch.optim.Adam.step
    monkeypatch.setattr(torch.optim.Adam, "step", noted)
    trained(tmp_path / "free", {}, schedule__max_epochs=1)
    assert max(norms) > 0.6
    norms.clear()
    trained(tmp_path / "clipped", {"clip_norm": 0.5}, schedule__max_epochs=1)
    assert max(norms) <= 0.5 * (1 + 1e-5)


class Linear(nn.Module):
    """Without batch normalisation and random numbers, so that only sums of gradients matter."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(18 * 32, 6)
        torch.manual_seed(0)
        nn.init.normal_(self.layer.weight, std=0.01)
        nn.init.zeros_(self.layer.bias)

    def forward(self, batch: Any) -> torch.Tensor:
        return nn.functional.softplus(self.layer(batch.images.flatten(1)))

    def regulariser(self, session: str) -> torch.Tensor:
        return self.layer.weight.abs().sum()


def gradients(batch_size: int, accumulate: int) -> list[torch.Tensor]:
    """Gradients of the first step."""
    from lightning_fabric import Fabric

    from striate.data import loaders

    recipe = small_recipe(data__batch_size=batch_size, optimiser__accumulate_steps=accumulate)
    data = loaders([RECORDING], recipe.data, tiers=("train", "validation"), seed=0)
    module = Linear()
    trainer = Trainer(
        recipe, module, data, seed=0, fabric=Fabric(accelerator="cpu", devices=1), checkpoint=Path("none/none")
    )
    rounds = list(data.cycle("train", epoch=0))[:accumulate]
    value = trainer._step(rounds)
    return [torch.tensor(value), *(p.grad for p in module.parameters() if p.grad is not None)]


def test_accumulated_batches_are_one_larger_batch() -> None:
    """48 trials: the same update from one batch, three batches of 16, or four of which the last is shorter."""
    whole = gradients(48, 1)
    for batch_size, accumulate in ((16, 3), (13, 4)):
        for one, another in zip(whole, gradients(batch_size, accumulate), strict=True):
            rounding = 48 * torch.finfo(torch.float32).eps * float(one.abs().max())  # of a sum over the trials
            torch.testing.assert_close(one, another, rtol=0, atol=rounding)


def test_accumulation_makes_fewer_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    step = Trainer._step
    monkeypatch.setattr(Trainer, "_step", lambda self, rounds: taken.append(len(rounds)) or step(self, rounds))
    trained(tmp_path / "run", {"accumulate_steps": 2}, schedule__max_epochs=1)
    assert taken == [2, 1], "the last step of an epoch has what is left"


def test_evaluation_weights_leave_the_others_untouched() -> None:
    layer = nn.Linear(3, 2)
    optimiser = ScheduleFreeAdamW(layer.parameters(), lr=0.1)
    optimiser.train()
    for _ in range(3):
        layer(torch.ones(1, 3)).sum().backward()
        optimiser.step()
    before = layer.weight.detach().clone()
    with evaluation_weights(optimiser):
        assert not torch.equal(layer.weight, before)
    assert torch.equal(layer.weight, before)
    optimiser.step()  # raises unless it is in training mode
    plain = torch.optim.Adam(layer.parameters())
    with evaluation_weights(plain):
        pass


def test_schedule_free_validates_and_keeps_the_averaged_weights(tmp_path: Path) -> None:
    from striate.data import loaders
    from striate.metrics import single_trial_correlation

    optimiser = {"type": "schedule_free_adamw", "warmup_steps": 2}
    run = trained(tmp_path / "run", optimiser, schedule__max_epochs=3)
    data = loaders(RECORDING, run.recipe.data, tiers=("validation",))
    with torch.no_grad():
        predicted = torch.cat([run.encoder()(batch) for batch in data.prediction("validation")])
    reached = single_trial_correlation(data.responses("validation"), predicted.numpy())
    assert torch.tensor(reached).nan_to_num().mean().item() == pytest.approx(
        run.history["validation_correlation"].max(), abs=1e-6
    )


class Killed(BaseException):
    """Nothing may catch it, as nothing catches a kill."""


def killed_after(steps: int, monkeypatch: pytest.MonkeyPatch, call: Callable[[], Any]) -> None:
    step, taken = Trainer._step, iter(range(1000))

    def counted(self: Trainer, rounds: Any) -> float:
        if next(taken) == steps:
            raise Killed
        return step(self, rounds)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Trainer, "_step", counted)
        call()


@pytest.fixture
def plugin() -> Iterator[None]:
    class MomentumSettings(OptimiserSettings):
        momentum: float = 0.9

    class Momentum(torch.optim.SGD):
        """With state of other kinds, too."""

        def step(self, *arguments: Any) -> Any:
            for group in self.param_groups:
                for parameter in group["params"]:
                    state = self.state[parameter]
                    state["steps"] = state.get("steps", 0) + 1
                    state["past"] = [*state.get("past", []), float(parameter.detach().flatten()[0])][-2:]
                group["lr"] *= 1 + 0.1 * (state["steps"] % 2) + sum(state["past"]) * 1e-3
            return super().step(*arguments)

    @optimisers.register("momentum", settings=MomentumSettings)
    def momentum(settings: MomentumSettings, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        return Momentum(groups, momentum=settings.momentum)

    yield
    optimisers.forget(__name__)


@pytest.mark.slow
@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(
    ("optimiser", "more"),
    [
        ({"type": "adamw", "weight_decay": 0.1, "core": {"weight_decay": 0.5, "learning_rate_factor": 0.3}}, {}),
        ({"type": "schedule_free_adamw", "warmup_steps": 3, "weight_decay": 0.1}, {}),
        ({"type": "schedule_free_adamw", "accumulate_steps": 2, "clip_norm": 1.0}, {"schedule__ema_decay": 0.8}),
        ({"type": "momentum", "clip_norm": 0.01}, {}),
    ],
    ids=["adamw", "schedule-free", "schedule-free, average, accumulation", "own"],
)  # fmt: skip
def test_killed_it_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, optimiser: dict[str, Any], more: dict[str, Any]
) -> None:
    more = {"schedule__max_epochs": 3, "schedule__patience": 1, "schedule__learning_rate": 0.01, **more}
    start = lambda name: trained(tmp_path / name, optimiser, compute__checkpoint_minutes=1e-9, **more)  # noqa: E731
    whole = start("whole")
    for steps in (4, 1):  # within the second epoch, and again
        killed_after(steps, monkeypatch, lambda: start("killed"))
    again = start("killed")
    assert same(weights(whole), weights(again))
    columns = ["epoch", "loss", "validation_correlation", "learning_rate", "improved", "restored"]
    assert again.history[columns].equals(whole.history[columns])


def test_a_checkpoint_of_another_optimiser_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.training import checkpoints

    killed_after(2, monkeypatch, lambda: trained(tmp_path / "run", {"type": "adam"}))
    module = nn.Linear(2, 2)
    with pytest.raises(InputError, match="not a checkpoint of this run"):
        checkpoints.read(
            tmp_path / "run" / "checkpoint.safetensors", module, None, torch.optim.SGD(module.parameters())
        )


def test_keys_are_those_of_the_chosen_optimiser() -> None:
    with pytest.raises(InputError, match=r"the table \[optimiser\] has no key 'weight_decay'"):
        load_recipe({**TABLES, "optimiser": {"weight_decay": 0.1}})
    with pytest.raises(InputError, match=r"the table \[optimiser.core\] has no key 'decay'"):
        load_recipe({**TABLES, "optimiser": {"type": "adamw", "core": {"decay": 0.1}}})
    with pytest.raises(
        InputError, match=r"'adam' has no weight decay, so core.weight_decay has no effect; use 'adamw'"
    ):
        load_recipe({**TABLES, "optimiser": {"core": {"weight_decay": 0.1}}})
    with pytest.raises(InputError, match="There is no optimiser 'adan': did you mean 'adam'"):
        load_recipe({**TABLES, "optimiser": {"type": "adan"}})
