"""A run: the folder with the results of a training."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, StrictStr

from striate._internal import notebook_html
from striate._internal.hugging_face import local_folder
from striate._internal.parquet_files import read_table
from striate._internal.paths import expand_path
from striate._internal.safe_parsing import MalformedError, parse_json_object, read_limited
from striate.errors import InputError, UnknownAttributeError, listed, option, shortened
from striate.training.plugin_provenance import PluginEntry, load_needed_plugins, warn_of_changed_plugins
from striate.training.recipe import Recipe, load_recipe_of_run
from striate.training.run_folder import (
    ENSEMBLE,
    FINISHED,
    HISTORY,
    INPUTS,
    MEMBERS,
    NEURONS,
    PROVENANCE,
    RECIPE,
    WEIGHTS,
)
from striate.training.trained_model import TrainedModel

if TYPE_CHECKING:
    from torch import nn

    from striate.data import DataSettings, Standardisation
    from striate.models import Encoder
    from striate.training.input_statistics import SessionInputs

Module = TypeVar("Module", bound="nn.Module")

_EPOCHS = 5  # number of epochs that a notebook shows


class _RecordingEntry(BaseModel):
    session: StrictStr
    fingerprint: StrictStr


class _Provenance(BaseModel):
    """The fields of ``provenance.json`` that are validated."""

    status: Literal["training", "finished"]
    recordings: list[_RecordingEntry]
    best_validation_correlation: float | None = None
    plugins: list[PluginEntry] = []


@dataclass(frozen=True)
class Run(TrainedModel):
    """The results of a training: recipe, weights, history and provenance.

    Attributes
    ----------
    folder
        Folder of the run.
    recipe
        The complete recipe.
    provenance
        Versions, seed, fingerprints of the recordings, command, and results.

    Examples
    --------
    >>> run = Run.open("runs/cnn")  # doctest: +SKIP
    >>> run.history["validation_correlation"].max()  # doctest: +SKIP
    """

    folder: Path
    recipe: Recipe
    provenance: Mapping[str, Any]

    def __getattr__(self, name: str) -> Any:
        raise UnknownAttributeError("Run", name, [*dir(type(self)), *self.__dict__])

    @classmethod
    def is_run_folder(cls, folder: Path | str) -> bool:
        """Return whether a folder is that of a run, finished or not."""
        return (expand_path(folder) / RECIPE).is_file()

    @classmethod
    def open(cls, folder: Path | str | os.PathLike[str]) -> Run:
        """Open the folder of a run, finished or not, or a run on the Hugging Face Hub (``hf:USER/NAME``).

        Raises
        ------
        InputError
            If the folder is not a run, or its files are damaged, or if it needs a plugin that is neither installed nor loaded.
            Code in the folder is never executed.

        Warns
        -----
        UserWarning
            If the code of a plugin has changed since the run was trained.
        """
        place = local_folder(folder, "run")
        if (place / ENSEMBLE).is_file():
            raise InputError(
                f"{place} is an ensemble of runs, and one run is needed: give one of the folders below {place / MEMBERS}, or open it by "
                "striate.open_run."
            )
        for name in (RECIPE, PROVENANCE):
            if not (place / name).is_file():
                raise InputError(
                    f"{place} is no run (it has no {name}): give the folder that striate train wrote ({option('--out', 'out')})."
                )
        try:
            provenance = parse_json_object(read_limited(place / PROVENANCE), needs=_Provenance)
        except (OSError, ValueError) as error:
            reason = error.reason if isinstance(error, MalformedError) else str(error)
            raise InputError(
                f"{place / PROVENANCE} is damaged ({reason}): train the run anew ({option('--overwrite', 'overwrite=True')})."
            ) from error
        plugins = _Provenance.model_validate(provenance).plugins
        load_needed_plugins(plugins, place)
        recipe = load_recipe_of_run(place / RECIPE)
        warn_of_changed_plugins(plugins, recipe, place)
        return cls(place, recipe, provenance)

    @property
    def finished(self) -> bool:
        """Whether training has finished."""
        return bool(self.provenance["status"] == FINISHED)

    @property
    def protocol(self) -> str:
        """Protocol of the benchmark that the inputs of the model need, such as ``"image"`` or ``"image + behaviour"``."""
        return str(self.provenance.get("protocol", self.recipe.protocol))

    @property
    def sessions(self) -> tuple[str, ...]:
        """Sessions of the recordings that the run was trained on."""
        return tuple(entry["session"] for entry in self.provenance["recordings"])

    @property
    def recordings(self) -> list[dict[str, Any]]:
        """What is recorded of each recording that the run was trained on."""
        return list(self.provenance["recordings"])

    @property
    def datasets(self) -> list[dict[str, Any]]:
        """Datasets of the catalogue that the recordings belong to, with licence and citation."""
        return list(self.provenance.get("data", []))

    @property
    def data(self) -> DataSettings:
        """Settings of the data of the recipe."""
        return self.recipe.data

    @property
    def label(self) -> str:
        """Description and seed of the recipe."""
        seed = f", seed {self.provenance['seed']}" if "seed" in self.provenance else ""
        folds = "" if self.data.folds is None else f", fold {self.data.fold} of {self.data.folds}"
        return f"{self.recipe.description.rstrip('.') or 'its own recipe'}{seed}{folds}"

    @property
    def trained_on_validation(self) -> str | None:
        """Say why scores on the recordings' own validation trials do not count; None if they do.

        They do not if the recipe splits training and validation trials anew (``data.folds``), or if that is so of the teacher of a
        distilled model.
        """
        if self.data.folds is None:
            reason = (self.provenance.get("distillation") or {}).get("trained_on_validation")
            return f"its teacher has seen them: {shortened(reason, 200)}" if reason else None
        return f"training and validation trials were split anew (fold {self.data.fold} of {self.data.folds})"

    @property
    def history(self) -> pd.DataFrame:
        """Table with one row per epoch: epoch (0 is the untrained model), loss, validation_correlation, learning_rate, ….

        Raises
        ------
        InputError
            If no epoch has been completed, or the file is damaged.
        """
        if not (self.folder / HISTORY).is_file():
            raise InputError(f"{self.folder} has no history yet: its first epoch is not complete.")
        return read_table(self.folder / HISTORY, f"train the run anew ({option('--overwrite', 'overwrite=True')})")

    @overload
    def encoder(self) -> Encoder: ...

    @overload
    def encoder(self, module: Module) -> Module: ...

    def encoder(self, module: nn.Module | None = None) -> nn.Module:
        """Load the trained encoder, in evaluation mode.

        Parameters
        ----------
        module
            Module of your own that the weights are loaded into, for a run that was trained with one
            (``striate.train(encoder=module)``). By default the model is made as the recipe says, on the CPU.

        Raises
        ------
        InputError
            If the run is not finished, its weights are damaged or those of another module, its folder has been overwritten by
            another run, or a module of your own is needed.

        Warns
        -----
        UserWarning
            If the code of the module has changed since the run was trained.
        """
        from striate.models import load_model
        from striate.training.own_module import OwnModelSettings, warn_of_changed_code

        self.require_finished()
        if Run.open(self.folder).provenance != self.provenance:
            raise InputError(f"{self.folder} was trained anew since this run was opened: open it again, by Run.open.")
        if module is not None:
            warn_of_changed_code(module, self.provenance.get("module"), self.folder)
        elif isinstance(self.recipe.model, OwnModelSettings):
            name = shortened((self.provenance.get("module") or {}).get("class"))
            raise InputError(
                f"{self.folder} was trained with a module of one's own ({name}): make one, and give it: run.encoder(module), or encoder=module "
                "for striate.predict and run.respond."
            )
        return load_model(self.folder / WEIGHTS, module)

    def module(self, given: nn.Module | None = None) -> nn.Module:
        """Load the trained module from batches to rates; see `encoder`."""
        return self.encoder() if given is None else self.encoder(given)

    def require_finished(self) -> None:
        """Raise `InputError` if training has not finished."""
        if not self.finished:
            raise InputError(f"{self.folder} is not finished: start the same striate train again, and it goes on.")

    @classmethod
    def check_overwrite(cls, folder: Path | str, overwrite: bool) -> None:
        """Raise `InputError` if `folder` holds a finished run and `overwrite` is false."""
        if not overwrite and (expand_path(folder) / PROVENANCE).is_file() and cls.open(folder).finished:
            raise InputError(
                f"{folder} holds a finished run: choose another folder, or allow it to be replaced ({option('--overwrite', 'overwrite=True')})."
            )

    def unit_ids(self, session: str) -> NDArray[np.int64]:
        """Return the unit ids of the neurons that the encoder predicts for a recording, shape (N,).

        Raises
        ------
        InputError
            If the run was not trained on that recording.
        """
        return self._neuron_column(session, "unit_id", np.int64)

    def inputs(self, session: str) -> SessionInputs:
        """Return the statistics and the image size of a recording at the time of training.

        Raises
        ------
        InputError
            If the run was not trained on that recording, or did not store them.
        """
        from striate.training.input_statistics import RunInputs

        self._check_session(session)
        kept = RunInputs.read(self.folder / INPUTS).recordings
        if session not in kept:
            raise InputError(f"{self.folder / INPUTS} says nothing of recording {session}: copy or train the run anew.")
        return kept[session]

    def standardisation(self, session: str) -> Standardisation:
        """Return the standardisation of a recording at the time of training, for the predicted neurons.

        Raises
        ------
        InputError
            If the run was not trained on that recording, or its files are damaged.
        """
        scale = self._neuron_column(session, "response_scale", np.float64)
        return self.inputs(session).standardisation(session, scale)

    def _check_session(self, session: str) -> None:
        if session not in self.sessions:
            raise InputError(
                f"{self.folder} was not trained on recording {session}, only on {listed(self.sessions, 8)}. Train new "
                f"readouts on its core ({option('--core', 'core=run')})."
            )

    def _neuron_column(self, session: str, column: str, dtype: type[np.generic]) -> NDArray[Any]:
        """Return one column of the table of neurons for one recording."""
        self._check_session(session)
        table = read_table(self.folder / NEURONS, f"train the run anew ({option('--overwrite', 'overwrite=True')})")
        try:
            return table.loc[table["recording"] == session, column].to_numpy(dtype=dtype)
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise InputError(
                f"{self.folder / NEURONS} is damaged (no column {column!r} of each recording): train the run anew ({option('--overwrite', 'overwrite=True')})."
            ) from error

    def __repr__(self) -> str:
        best = self.provenance.get("best_validation_correlation")
        state = f"validation {best:.4f}" if self.finished and best is not None else self.provenance["status"]
        return f"<Run {self.folder}: {listed(self.sessions, 6)}, {self.protocol}, {state}>"

    def _repr_html_(self) -> str:
        facts = self.provenance
        about: dict[str, object] = {
            "recordings": listed(self.sessions, 6),
            "protocol": self.protocol,
            "recipe": self.recipe.description or "its own",
            "status": facts["status"],
        }
        if self.finished and isinstance(best := facts.get("best_validation_correlation"), int | float):
            about["validation correlation"] = f"{best:.4f} in epoch {facts.get('best_epoch')} of {facts.get('epochs')}"
        try:
            history = self.history.tail(_EPOCHS)
            names = ("epoch", "loss", "validation_correlation", "learning_rate", "seconds")
            rows = [
                tuple("–" if value != value else f"{value:.4g}" for value in row)
                for row in history[list(names)].itertuples(index=False)
            ]
        except (InputError, KeyError, ValueError, TypeError):  # not complete yet, or damaged
            return notebook_html.section(f"Run {self.folder}", notebook_html.key_value_table(about))
        epochs = notebook_html.table([name.replace("_", " ") for name in names], rows, text_columns=0)
        return notebook_html.section(
            f"Run {self.folder}",
            notebook_html.key_value_table(about),
            epochs,
            notebook_html.small_text("the last epochs"),
        )
