"""Fine-tuning: readouts on a frozen core first, and then the core at a lower rate."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.fixtures.recordings import small_recording
from tests.training.small import small_recipe

from striate.errors import InputError
from striate.models import Encoder
from striate.training import Callback, Run, Trainer, train

OTHER = small_recording("9-1-1", seed=9)


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("core") / "run"
    return train(small_recipe(schedule__max_epochs=2), small_recording(), folder, progress=False)


class Noted(Callback):
    def __init__(self) -> None:
        self.cores: list[torch.Tensor] = []
        self.rates: list[dict[int, float]] = []
        self.frozen: list[bool] = []

    def on_epoch(self, trainer: Trainer) -> None:
        assert isinstance(trainer.encoder, Encoder)
        self.frozen.append(trainer.encoder.core.frozen)
        self.cores.append(next(trainer.encoder.core.parameters()).detach().clone())
        self.rates.append({len(group["params"]): group["lr"] for group in trainer.optimiser.param_groups})


def made_up(monkeypatch: pytest.MonkeyPatch, validations: list[float]) -> None:
    given = iter(validations)
    monkeypatch.setattr(Trainer, "validate", lambda _: next(given))


@pytest.mark.slow
def test_the_core_follows_after_the_first_plateau(core: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_up(monkeypatch, [0.0, 0.1, 0.05, 0.05, 0.2, 0.3, 0.25, 0.25, 0.25, 0.25])
    noted = Noted()
    recipe = small_recipe(
        schedule__patience=2, schedule__max_plateaus=2, schedule__max_epochs=20, schedule__lr_patience=2
    )
    run = train(recipe, OTHER, tmp_path / "run", core=core, finetune=0.1, callbacks=[noted], progress=False)
    assert noted.frozen == [True, True, False, *[False] * 6]
    first = next(core.encoder().core.parameters())
    assert torch.equal(noted.cores[2], first)
    assert not torch.equal(noted.cores[4], first)
    assert run.history["restored"].tolist()[3], "it goes on from the best weights"
    assert run.provenance["epochs"] == 9, "the first plateau does not count"
    assert run.history["learning_rate"].tolist()[1:7] == [0.02] * 6, "and the schedule has begun again"
    for group in noted.rates[3:5]:
        assert sorted(group.values()) == pytest.approx([0.002, 0.02])
    facts = run.provenance["core"]
    assert (facts["run"], facts["finetune"], facts["unfrozen_after_epoch"]) == ("run", 0.1, 3)


def killed_after(steps: int, monkeypatch: pytest.MonkeyPatch, call: Callable[[], Any]) -> None:
    class Killed(BaseException):
        pass

    step, taken = Trainer._step, iter(range(1000))

    def counted(self: Trainer, rounds: Any) -> float:
        if next(taken) == steps:
            raise Killed
        return step(self, rounds)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Trainer, "_step", counted)
        call()


@pytest.mark.slow
@pytest.mark.parametrize("average", [{}, {"schedule__ema_decay": 0.8}, {"schedule__swa_start": 1}])
def test_killed_before_and_after_it_ends_the_same(
    core: Run, average: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = small_recipe(
        schedule__patience=1, schedule__min_delta=0.9, schedule__max_plateaus=3, schedule__max_epochs=20,
        compute__checkpoint_minutes=1e-9, data__batch_size=32, **average,
    )  # fmt: skip
    start = lambda name: train(recipe, OTHER, tmp_path / name, core=core, finetune=0.5, progress=False)  # noqa: E731
    whole = start("whole")
    assert whole.provenance["core"]["unfrozen_after_epoch"] == 1
    for steps in (1, 2, 1):
        killed_after(steps, monkeypatch, lambda: start("killed"))
    again = start("killed")
    one, another = (load_file(run.folder / "weights.safetensors") for run in (whole, again))
    assert all(torch.equal(one[name], another[name]) for name in one)
    assert again.history["loss"].equals(whole.history["loss"])


def test_an_unfinished_run_goes_on_with_the_same_factor_only(
    core: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = lambda **options: train(small_recipe(schedule__patience=2), OTHER, tmp_path / "run", core=core, **options)  # noqa: E731
    killed_after(1, monkeypatch, lambda: start(finetune=0.1))
    for options in ({"finetune": 0.2}, {}):
        with pytest.raises(InputError, match=r"the core is fine-tuned at the rate 0\.1 there and"):
            start(**options)


@pytest.mark.parametrize(
    ("options", "settings", "says"),
    [
        ({"finetune": 0.1, "core": None}, {}, "Fine-tuning needs a trained core"),
        ({"finetune": 0.0}, {}, "finetune is 0.0; expected the learning rate of the core as a fraction"),
        ({"finetune": "slow"}, {}, "finetune is 'slow'; expected"),
        ({"finetune": 0.1}, {"schedule__patience": 3}, "The core would never be fine-tuned: schedule.patience = 3"),
        ({"finetune": 0.1}, {"schedule__patience": 2, "model__core__laplace_weight": 1.0}, "The core has laplace_weight = "),
    ],
)  # fmt: skip
def test_what_cannot_be_fine_tuned_is_one_sentence(
    core: Run, options: dict[str, Any], settings: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=says):
        train(small_recipe(**settings), OTHER, tmp_path / "run", **{"core": core, **options})
    assert not (tmp_path / "run").exists()
