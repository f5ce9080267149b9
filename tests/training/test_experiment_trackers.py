"""Weights & Biases and MLflow, with their local modes."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.recordings import small_recording
from tests.training.small import small_recipe

from striate.errors import InputError
from striate.training import Callback, Trainer, train
from striate.training.callbacks import callbacks_by_name

RECORDING = small_recording(neurons=6, training=32)
RECIPE = small_recipe(schedule__max_epochs=3)


class Killed(BaseException):
    """Nothing may catch it, as nothing catches a kill."""


class Kills(Callback):
    def on_step(self, trainer: Trainer) -> None:
        if trainer.epoch == 1:
            raise Killed


def needs(package: str) -> pytest.MarkDecorator:
    missing = importlib.util.find_spec(package) is None
    return pytest.mark.skipif(missing, reason=f"needs the package {package}: pip install 'striate[log]'")


def kill_and_resume(folder: Path, log: list[Any]) -> None:
    with pytest.raises(Killed):
        train(RECIPE, RECORDING, folder, progress=False, log=log, callbacks=[Kills()])
    train(RECIPE, RECORDING, folder, progress=False, log=log)


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_without_the_package_the_extra_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(
        InputError, match=rf"The callback '{name}' needs the package {name}: pip install 'striate\[log\]'"
    ):
        callbacks_by_name([name])


@pytest.mark.slow
@needs("mlflow")
def test_mlflow_has_one_run_with_all_epochs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # the store that needs no database
    uri = (tmp_path / "mlruns").as_uri()
    kill_and_resume(tmp_path / "run", [{"type": "mlflow", "tracking_uri": uri, "experiment": "v1"}])
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("v1")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.run_name, run.info.status) == ("run", "FINISHED")
    assert run.data.params["schedule.max_epochs"] == "3"
    logged = client.get_metric_history(run.info.run_id, "validation_correlation")
    assert [metric.step for metric in logged] == [1, 2, 3]


@pytest.mark.slow
@needs("wandb")
def test_wandb_writes_its_log_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in ("WANDB_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setenv("WANDB_SILENT", "true")
    kill_and_resume(tmp_path / "run", [{"type": "wandb", "mode": "offline", "project": "v1"}])
    logs = sorted((tmp_path / "wandb").glob("offline-run-*/*.wandb"))
    assert len(logs) == 2, "one of each start"
    assert len({log.name for log in logs}) == 1, "both of one run"
    assert b"validation_correlation" in logs[1].read_bytes()
