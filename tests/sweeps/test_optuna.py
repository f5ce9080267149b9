"""Search with Optuna: its study is kept, and the same call goes on with it."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.sweeps.in_process import InProcess
from tests.training.small import TABLES

import striate
from striate.errors import InputError
from striate.recordings import Recording
from striate.sweeps.plan import make_plan
from striate.sweeps.space import parse_space

pytest.importorskip("optuna")

RECIPE = {**TABLES, "schedule": {"max_epochs": 1}}
SPACE: dict[str, Any] = {
    "schedule.learning_rate": {"low": 0.001, "high": 0.05, "log": True},
    "model.core": {"choices": [{"channels": {"low": 2, "high": 4}}, {"type": "convolutional", "layers": 1}]},
    "sweep": {"seed": 1, "sampler": {"type": "tpe", "n_startup_trials": 2}},
}


def search(mouse: Recording, folder: Path, executor: Any = None, **changes: Any) -> pd.DataFrame:
    what = {"optuna": SPACE, "trials": 3, "progress": False, **changes}
    return striate.sweep(RECIPE, mouse, folder, executor=executor or InProcess(), **what)


def test_a_search_goes_on_with_what_it_has(mouse: Recording, tmp_path: Path) -> None:
    class Interrupting(InProcess):
        def start(self, job: str, order: Any, log: Path) -> None:
            if len(self.started) == 2:
                raise KeyboardInterrupt
            super().start(job, order, log)

    with pytest.raises(KeyboardInterrupt):
        search(mouse, tmp_path / "search", Interrupting())
    executor = InProcess()
    table = search(mouse, tmp_path / "search", executor)
    assert executor.started == ["3-seed0"]
    assert sorted(table["trial"]) == ["1", "2", "3"]
    assert table["rank"].tolist() == [1, 2, 3]
    executor = InProcess()
    more = search(mouse, tmp_path / "search", executor, trials=4)
    assert executor.started in (["4-seed0"], [])  # or it chose one that it knows
    assert len(more) == 4
    with pytest.raises(InputError, match=re.escape("it has the seeds [0] there and [0, 1] now")):
        search(mouse, tmp_path / "search", seeds=2)


def test_trials_that_do_worse_are_stopped(mouse: Recording, tmp_path: Path) -> None:
    space = {
        "schedule.learning_rate": {"low": 1e-6, "high": 0.05, "log": True},
        "sweep": {"pruner": {"type": "percentile", "percentile": 0.0, "n_startup_trials": 1}},
    }
    table = search(mouse, tmp_path / "search", optuna=space, trials=3, seeds=2)
    assert "stopped early" in set(table["note"])
    stopped = table[table["note"] == "stopped early"]
    assert stopped["rank"].isna().all()
    assert "stopped early" in (tmp_path / "search" / "index.html").read_text()


def test_alternatives_may_give_one_key_different_ranges() -> None:
    import optuna

    from striate.sweeps.optuna_search import _Suggesting

    wide = {"type": "minimodel", "channels": {"choices": [32, 64]}}
    narrow = {"type": "convolutional", "channels": {"low": 8, "high": 16}}
    space = parse_space({"model.core": {"choices": [narrow, wide]}}, "optuna")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    chosen = [space.choose(_Suggesting(study.ask())) for _ in range(12)]
    assert {each["model.core.type"] for each in chosen} == {"convolutional", "minimodel"}
    for each in chosen:
        assert each["model.core.channels"] in ((32, 64) if each["model.core.type"] == "minimodel" else range(8, 17))


@pytest.mark.parametrize(
    ("space", "mentions"),
    [
        ({"sweep": {"sampler": "tpee"}}, "sweep.sampler has no type 'tpee': did you mean 'tpe'?"),
        ({"sweep": {"pruner": {"type": "median", "startup": 1}}}, "Optuna cannot make the pruner 'median'"),
        ({"sweep": {"sampling": "tpe"}}, "has no key 'sampling'"),
        ({"data.batch_size": [8, 16]}, "Values to choose from are written as {choices = [16, 64]}."),
        (
            {"data.behavior": {"choices": [True, False]}},
            "'image' and 'image + behaviour', whose scores are not compared",
        ),
    ],
)
def test_wrong_options(space: dict[str, Any], mentions: str) -> None:
    with pytest.raises(InputError, match=re.escape(mentions)):
        make_plan(RECIPE, [], optuna={"data.batch_size": {"low": 8, "high": 9}, **space}, trials=2)


def test_without_optuna_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InputError, match=re.escape("pip install 'striate[sweep]'")):
        make_plan(RECIPE, [], optuna={"data.batch_size": {"low": 8, "high": 9}}, trials=2)
