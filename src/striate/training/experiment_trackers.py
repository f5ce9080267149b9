"""Callbacks that log to Weights & Biases and to MLflow (the extra ``log``)."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from striate.errors import InputError
from striate.registry import Settings, callbacks
from striate.training.callbacks import Callback
from striate.training.environment import folder_name
from striate.training.tensorboard import epoch_values

if TYPE_CHECKING:
    from striate.training.trainer import Trainer

_LONGEST_VALUE = 500  # characters of a parameter in MLflow


class WandbSettings(Settings):
    """Settings of the callback that logs to Weights & Biases.

    Attributes
    ----------
    project
        Project of the runs.
    entity
        User or team of the project; by default that of the login.
    mode
        ``"offline"`` keeps the log in files, which ``wandb sync`` sends later. By default what the environment variable
        ``WANDB_MODE`` says, or ``"online"``.

    Examples
    --------
    >>> WandbSettings(mode="offline").project
    'striate'
    """

    project: str = "striate"
    entity: str | None = None
    mode: Literal["online", "offline"] | None = None


@callbacks.register("wandb", settings=WandbSettings)
class Wandb(Callback):
    """Logs each epoch to Weights & Biases. A training that resumes goes on with the same run there.

    Raises
    ------
    InputError
        If the package wandb is not installed.
    """

    def __init__(self, settings: WandbSettings) -> None:
        _require("wandb", "wandb")
        self.settings = settings
        self._id: str | None = None
        self._run: Any = None

    def on_start(self, trainer: Trainer) -> None:
        """Begin a run, or go on with it."""
        import wandb

        self._run = wandb.init(
            project=self.settings.project,
            entity=self.settings.entity,
            mode=self.settings.mode,
            name=folder_name(trainer.folder),
            id=self._id,
            resume="allow",
            config={**trainer.recipe.model_dump(mode="json"), "seed": trainer.seed},
        )
        self._id = self._run.id

    def on_epoch(self, trainer: Trainer) -> None:
        """Log an epoch."""
        self._run.log(epoch_values(trainer), step=trainer.epoch)

    def on_end(self, trainer: Trainer) -> None:
        """Finish the run."""
        if self._run is not None:
            self._run.summary["best_epoch"] = trainer.early_stopping.best_epoch
            self._run.finish(exit_code=0 if trainer.finished else 1)

    def state(self) -> Mapping[str, Any]:
        """Return the id of the run."""
        return {"id": self._id}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Restore the id of the run."""
        self._id = state["id"]


class MLflowSettings(Settings):
    """Settings of the callback that logs to MLflow.

    Attributes
    ----------
    experiment
        Experiment of the runs; it is created if necessary.
    tracking_uri
        Address of the server, or a local store such as ``"sqlite:///mlflow.db"``. By default what the environment variable
        ``MLFLOW_TRACKING_URI`` says, or MLflow's own default.

    Examples
    --------
    >>> MLflowSettings(tracking_uri="sqlite:///mlflow.db").experiment
    'striate'
    """

    experiment: str = "striate"
    tracking_uri: str | None = None


@callbacks.register("mlflow", settings=MLflowSettings)
class MLflow(Callback):
    """Logs each epoch to MLflow. A training that resumes goes on with the same run there.

    Raises
    ------
    InputError
        If the package mlflow is not installed.
    """

    def __init__(self, settings: MLflowSettings) -> None:
        _require("mlflow", "mlflow")
        self.settings = settings
        self._id: str | None = None
        self._client: Any = None

    def on_start(self, trainer: Trainer) -> None:
        """Begin a run, or go on with it."""
        from mlflow import MlflowClient

        self._client = MlflowClient(tracking_uri=self.settings.tracking_uri)
        if self._id is not None:
            self._client.update_run(self._id, status="RUNNING")
            return
        found = self._client.get_experiment_by_name(self.settings.experiment)
        experiment = found.experiment_id if found else self._client.create_experiment(self.settings.experiment)
        self._id = self._client.create_run(experiment, run_name=folder_name(trainer.folder)).info.run_id
        for name, value in _flat({**trainer.recipe.model_dump(mode="json"), "seed": trainer.seed}):
            self._client.log_param(self._id, name, str(value)[:_LONGEST_VALUE])

    def on_epoch(self, trainer: Trainer) -> None:
        """Log an epoch."""
        for name, value in epoch_values(trainer).items():
            self._client.log_metric(self._id, name, value, step=trainer.epoch)

    def on_end(self, trainer: Trainer) -> None:
        """Finish the run."""
        if self._client is not None and self._id is not None:
            self._client.set_terminated(self._id, "FINISHED" if trainer.finished else "KILLED")

    def state(self) -> Mapping[str, Any]:
        """Return the id of the run."""
        return {"id": self._id}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Restore the id of the run."""
        self._id = state["id"]


def _require(module: str, name: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise InputError(f"The callback {name!r} needs the package {module}: pip install 'striate[log]'.")


def _flat(tables: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tables.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        elif value not in (None, ""):
            yield f"{above}{key}", value
