"""Callbacks: what happens during a training besides the training itself.

History file, progress display, TensorBoard and early stopping are callbacks like those of a user. Give your own to
``striate.train(..., callbacks=[MyCallback()])``. One that is registered by ``@striate.registry.callbacks.register("name")`` is
also chosen by name: ``striate train --log name``, ``striate.train(..., log=["name"])``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from striate.errors import InputError, describe_type
from striate.registry import callbacks

if TYPE_CHECKING:
    from pathlib import Path

    from striate.training.trainer import Trainer


class Callback:
    """Base class of callbacks. Each method gets the `Trainer` and may read everything of it.

    Parameters of the methods:

    trainer
        The training: ``trainer.encoder``, ``optimiser``, ``schedule``, ``early_stopping``, ``history`` (rows of the history file),
        ``epoch`` (completed epochs), ``step`` and ``steps`` (completed and all steps of the epoch), ``loss`` (mean of the epoch so
        far), ``learning_rate``, ``validation_correlation``, ``recipe``, ``data``, ``folder``, ``resumed``; and the methods
        ``validate()``, ``keep_best()``, ``restore_best()`` and ``stop()``. What `on_epoch` adds to ``trainer.history[-1]`` becomes
        a column of the history file.

    Examples
    --------
    >>> class PrintLoss(Callback):
    ...     def on_epoch(self, trainer):
    ...         print(trainer.epoch, trainer.loss)
    >>> run = striate.train("cnn-small", recording, "runs/1", callbacks=[PrintLoss()])  # doctest: +SKIP
    """

    def on_start(self, trainer: Trainer) -> None:
        """Called once, after the untrained model has been validated or a checkpoint has been loaded (``trainer.resumed``)."""

    def on_step(self, trainer: Trainer) -> None:
        """Called after each update of the weights."""

    def on_epoch(self, trainer: Trainer) -> None:
        """Called after the validation that follows each epoch.

        The checkpoint of the epoch is written afterwards. So after a kill within this method, it is called for this epoch again.
        """

    def on_end(self, trainer: Trainer) -> None:
        """Called when training ends: it has finished (``trainer.finished``), was stopped by a signal, or has failed."""

    def state(self) -> Mapping[str, Any]:
        """Return values for `load_state`, as in JSON. They are saved in each checkpoint."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Restore the values that `state` returned; called before `on_start` when a training resumes."""


class StatefulCallback(Callback):
    """Base class of callbacks whose public attributes, all of them numbers, are their state.

    Examples
    --------
    >>> class Count(StatefulCallback):
    ...     def __init__(self):
    ...         self.epochs = 0
    ...     def on_epoch(self, trainer):
    ...         self.epochs += 1
    >>> Count().state()
    {'epochs': 0}
    """

    def state(self) -> dict[str, Any]:
        """Return all public attributes but the settings."""
        return {name: value for name, value in vars(self).items() if name != "settings" and not name.startswith("_")}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Restore the attributes.

        Raises
        ------
        ValueError
            If the state has other attributes, or one is not a number.
        """
        own = self.state()
        if set(state) != set(own):
            raise ValueError(f"the state of {type(self).__name__} has other counters")
        for name, value in state.items():
            if not isinstance(value, int | float) or (isinstance(own[name], int) and not isinstance(value, int)):
                raise ValueError(f"{name} of {type(self).__name__} is {value!r}")
            setattr(self, name, value)


class HistoryFile(Callback):
    """Keeps the history file of the run up to date.

    Parameters
    ----------
    path
        Path of the Parquet file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_start(self, trainer: Trainer) -> None:
        """Write the epochs so far."""
        self._write(trainer)

    def on_epoch(self, trainer: Trainer) -> None:
        """Write all epochs."""
        self._write(trainer)

    def _write(self, trainer: Trainer) -> None:
        import pandas as pd

        from striate.training.run_folder import write_table

        write_table(self._path, pd.DataFrame(trainer.history))


def callbacks_by_name(names: Iterable[str | Mapping[str, Any]] | str | None) -> list[Callback]:
    """Make registered callbacks.

    Parameters
    ----------
    names
        Names such as ``"wandb"``, or tables of settings such as ``{"type": "wandb", "project": "v1"}``.

    Raises
    ------
    InputError
        If there is no such callback, or a setting is not allowed.

    Examples
    --------
    >>> callbacks_by_name(["wandb"])  # doctest: +SKIP
    [<striate.training.experiment_trackers.Wandb object at ...>]
    """
    from pydantic import ValidationError

    from striate._internal.safe_parsing import describe_first_error

    made = []
    for each in [names] if isinstance(names, str | Mapping) else names or ():
        table = {"type": each} if isinstance(each, str) else each
        try:
            settings = callbacks.settings(table)
        except ValidationError as error:
            raise InputError(f"The callback {dict(table)!r} cannot be made: {describe_first_error(error)}.") from error
        component = callbacks[settings.type]
        made.append(component.value(settings) if component.has_settings else component.value())
    return checked_callbacks(made)


def checked_callbacks(given: Iterable[Callback]) -> list[Callback]:
    """Return callbacks as a list.

    Raises
    ------
    InputError
        If one is not derived from `Callback`.

    Examples
    --------
    >>> checked_callbacks([print])
    Traceback (most recent call last):
    ...
    striate.errors.InputError: A callback is builtin_function_or_method; expected an object of a class derived from ...
    """
    made: list[Any] = list(given) if hasattr(given, "__iter__") else [given]
    for each in made:
        if not isinstance(each, Callback):
            what = f"the class {each.__name__}" if isinstance(each, type) else describe_type(each)
            raise InputError(
                f"A callback is {what}; expected an object of a class derived from striate.training.Callback, such as [MyCallback()]."
            )
    return made
