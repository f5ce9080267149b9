"""An ensemble: runs that predict together, in one folder, used like a run."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, StrictStr

import striate
from striate._internal import notebook_html
from striate._internal.atomic_write import as_path, atomic_write_folder, refuse_existing
from striate._internal.paths import expand_path
from striate._internal.safe_parsing import MalformedError, parse_json_object, read_limited
from striate.catalog import as_recordings
from striate.errors import InputError, UnknownAttributeError, describe_type, listed, nearest, option
from striate.training import run_folder as files
from striate.training.ensemble_module import Combination, EnsembleModule, common_data
from striate.training.environment import folder_name, shareable_command
from striate.training.run import Run
from striate.training.trained_model import TrainedModel

if TYPE_CHECKING:
    from torch import nn

    from striate.data import DataSettings, Standardisation
    from striate.recordings import Recording
    from striate.training.input_statistics import SessionInputs

COMBINATIONS: tuple[Combination, ...] = get_args(Combination)
_NEEDED = (files.RECIPE, files.WEIGHTS, files.NEURONS, files.PROVENANCE, files.INPUTS)
_USEFUL = (files.HISTORY, files.SCORES, files.CARD)


class _Member(BaseModel):
    # the name of one folder, so that a manifest of a stranger cannot point elsewhere
    folder: Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    weights_sha256: StrictStr | None = None


class _Manifest(BaseModel):
    """The fields of ``ensemble.json`` that are validated."""

    format: Literal[1]
    status: Literal["training", "finished"]
    combine: Combination
    members: Annotated[list[_Member], Field(min_length=1, max_length=10_000)]
    protocol: StrictStr | None = None
    sessions: list[StrictStr] = []
    validation_correlation: float | None = None


@dataclass(frozen=True)
class Ensemble(TrainedModel):
    """Several runs that predict together, in one folder: it is opened, predicted, scored and submitted like one run.

    The prediction is the mean of the members' rates, or the output nonlinearity of the mean of their pre-activations. Members may differ
    in seed, in the split into training and validation trials (``data.folds``), in the recipe and in the size of their images. They
    predict the same neurons in the same order; of several recordings those that all members know.

    The folder holds a copy of each member below ``members/``, each of which is a run of its own. So it stays whole when it is moved or
    copied, or when the original runs are deleted or trained anew. Its code, if there were any, is never executed.

    Attributes
    ----------
    folder
        Folder of the ensemble.
    members
        The runs.
    combine
        ``"rates"`` or ``"pre-activations"``.
    provenance
        The members with the hashes of their weights and the fingerprints of their recordings, the protocol, versions and command.

    Examples
    --------
    >>> ensemble = Ensemble.from_runs(["runs/s0", "runs/s1"], "runs/both")  # doctest: +SKIP
    >>> striate.predict(ensemble, recording)  # doctest: +SKIP
    """

    folder: Path
    members: tuple[Run, ...]
    combine: Combination
    provenance: Mapping[str, Any]

    def __getattr__(self, name: str) -> Any:
        raise UnknownAttributeError("Ensemble", name, [*dir(type(self)), *self.__dict__])

    @classmethod
    def is_ensemble_folder(cls, folder: Path | str) -> bool:
        """Return whether a folder is that of an ensemble, finished or not."""
        return (expand_path(folder) / files.ENSEMBLE).is_file()

    @classmethod
    def open(cls, folder: Path | str | os.PathLike[str]) -> Ensemble:
        """Open the folder of an ensemble, finished or not. Members that are still to be trained are left out.

        Raises
        ------
        InputError
            If the folder is not an ensemble, its files are damaged, or a member is missing or needs a plugin that is neither installed nor
            loaded. Code in the folder is never executed.
        """
        place = as_path(folder, "ensemble")
        path = place / files.ENSEMBLE
        try:
            provenance = parse_json_object(read_limited(path), needs=_Manifest)
        except FileNotFoundError as error:
            raise InputError(
                f"{place} is no ensemble (it has no {path.name}): give the folder that striate ensemble wrote ({option('--out', 'out')})."
            ) from error
        except (OSError, ValueError) as error:
            reason = error.reason if isinstance(error, MalformedError) else str(error)
            raise InputError(f"{path} is damaged ({reason}): make the ensemble anew.") from error
        manifest = _Manifest.model_validate(provenance)
        finished = manifest.status == files.FINISHED
        folders = [place / files.MEMBERS / member.folder for member in manifest.members]
        if finished and (missing := [each for each in folders if not Run.is_run_folder(each)]):
            raise InputError(
                f"{place} lacks its member {missing[0].name}: copy the whole folder, or make the ensemble anew."
            )
        runs = tuple(Run.open(each) for each in folders if Run.is_run_folder(each))
        return cls(place, runs, manifest.combine, provenance)

    @classmethod
    def from_runs(
        cls,
        runs: Iterable[Run | Ensemble | str | os.PathLike[str]],
        out: str | os.PathLike[str],
        *,
        combine: str = "rates",
        protocol: str | None = None,
        validate: Iterable[Recording | str | Path] | Recording | str | Path = (),
        device: str = "auto",
        overwrite: bool = False,
    ) -> Ensemble:
        """Make an ensemble of finished runs, and write its folder.

        Parameters
        ----------
        runs
            Runs or their folders. Of an ensemble its members are taken.
        out
            Folder to write.
        combine
            ``"rates"`` for the mean of rates; ``"pre-activations"`` for the output nonlinearity of the mean of what precedes it, which
            all members must then have in common.
        protocol
            Protocol of the ensemble, which must be declared if members of different protocols are mixed. It is the widest of its
            members.
        validate
            Recordings on whose validation trials the ensemble is scored; its provenance then has ``validation_correlation``.
        device
            Device of that computation; see `striate.train`.
        overwrite
            Whether to replace an existing folder.

        Raises
        ------
        InputError
            If a run is not finished or given twice, the runs do not predict the same neurons, protocols are mixed without saying so,
            `validate` is given though a member has seen validation trials, or `out` exists.

        Examples
        --------
        >>> Ensemble.from_runs(["runs/s0", "runs/s1"], "runs/both", combine="mean")
        Traceback (most recent call last):
        ...
        striate.errors.InputError: There is no combination 'mean': valid: rates, pre-activations.
        """
        from striate.training.ensemble_members import check_members, ensemble_protocol

        chosen = combination(combine)
        place = as_path(out, "out")
        refuse_existing(place, overwrite)
        opened = _open_members(runs)
        sessions = check_members(opened, chosen)
        recordings = as_recordings(validate)
        name = ensemble_protocol(opened, sessions[0], protocol)
        names = _member_names(opened)
        facts = manifest(opened, names, chosen, name, sessions)
        if recordings:
            ensemble = cls(place, tuple(opened), chosen, facts)
            facts["validation_correlation"] = ensemble.validation_correlation(recordings, device=device)
        with atomic_write_folder(place, overwrite=overwrite) as aside:
            for run, each in zip(opened, names, strict=True):
                _copy(run, aside / files.MEMBERS / each)
            files.write_json(aside / files.ENSEMBLE, facts)
        made = cls.open(place)
        made.write_card(recordings)
        return made

    @property
    def finished(self) -> bool:
        """Whether all members have been trained."""
        return bool(self.provenance["status"] == files.FINISHED)

    def require_finished(self) -> None:
        """Raise `InputError` if the members have not all been trained."""
        if not self.finished:
            done = sum(run.finished for run in self.members)
            raise InputError(
                f"{self.folder} is not finished ({done} of {len(self.provenance['members'])} members are trained): start the same striate "
                "ensemble --train again, and it goes on."
            )

    @property
    def protocol(self) -> str:
        """Protocol of the benchmark: the widest of the members, such as ``"image + behaviour"``."""
        self.require_finished()
        return str(self.provenance["protocol"])

    @property
    def sessions(self) -> tuple[str, ...]:
        """Sessions of the recordings that all members were trained on, which the ensemble predicts."""
        self.require_finished()
        return tuple(self.provenance["sessions"])

    @property
    def recordings(self) -> list[dict[str, Any]]:
        """What is recorded of each recording that all members were trained on."""
        known = {entry["session"]: entry for entry in self.members[0].recordings}
        return [known[session] for session in self.sessions]

    @property
    def datasets(self) -> list[dict[str, Any]]:
        """Datasets of the catalogue that the members' recordings belong to, with licence and citation."""
        found: dict[str, dict[str, Any]] = {}
        for each in (dataset for run in self.members for dataset in run.datasets):
            before = found.setdefault(each["dataset"], {**each, "sessions": []})
            before["sessions"] = list(dict.fromkeys([*before["sessions"], *each["sessions"]]))
        return list(found.values())

    @property
    def data(self) -> DataSettings:
        """Settings of batches from which the inputs of all members can be made."""
        self.require_finished()
        return common_data([run.data for run in self.members])

    @property
    def label(self) -> str:
        """Number of the members, and what is averaged."""
        return f"ensemble of {len(self.provenance['members'])} runs, mean of {self.combine}"

    @property
    def trained_on_validation(self) -> str | None:
        """Say why scores on the recordings' own validation trials do not count; None if they do.

        They do not if a member was trained with a new split of training and validation trials (``data.folds``): it has seen most of
        the recordings' validation trials.
        """
        seen = [run.folder.name for run in self.members if run.trained_on_validation is not None]
        if not seen:
            return None
        which = "all its members" if len(seen) == len(self.members) else f"its members {listed(seen, 3)}"
        return f"{which} were trained with a new split of training and validation trials, and have seen most validation trials"

    def write_card(self, recordings: Iterable[Recording] = (), *, device: str = "auto") -> None:
        """Write the model card, with the scores of the validation trials of recordings, unless members have seen them."""
        from striate.training.model_card import write_card

        scored = [] if self.trained_on_validation is not None else list(recordings)
        tiers = [scored[0].benchmark.validation_tier] if scored else None
        write_card(self, scored, tiers=tiers, device=device)

    def encoder(self) -> EnsembleModule:
        """Load the members as one module, in evaluation mode, which takes batches of the settings `data`.

        Raises
        ------
        InputError
            If the ensemble is not finished, or the weights of a member are damaged or not those that it was made of.
        """
        from striate.training.ensemble_members import weights_hash

        self.require_finished()
        for run, entry in zip(self.members, self.provenance["members"], strict=True):
            if weights_hash(run.folder) != entry.get("weights_sha256"):
                raise InputError(
                    f"The weights of {run.folder} are not those that the ensemble was made of: copy the folder again, or make the ensemble anew."
                )
        encoders = [run.module() for run in self.members]
        return EnsembleModule(encoders, [run.data for run in self.members], self.combine).eval()

    def module(self, given: nn.Module | None = None) -> nn.Module:
        """Load the members as one module; see `encoder`."""
        if given is not None:
            raise InputError(
                f"{self.folder} is an ensemble, whose members are built from their recipes: leave encoder out."
            )
        return self.encoder()

    def unit_ids(self, session: str) -> NDArray[np.int64]:
        """Return the unit ids of the neurons that are predicted for a recording, shape (N,).

        Raises
        ------
        InputError
            If not all members were trained on that recording.
        """
        return self._knowing(session).unit_ids(session)

    def inputs(self, session: str) -> SessionInputs:
        """Return the statistics and the image size of a recording at the time of training.

        Raises
        ------
        InputError
            If not all members were trained on that recording.
        """
        self._knowing(session)
        each = [run.inputs(session) for run in self.members]
        states = {
            name: next((found for one in each if (found := getattr(one, name)) is not None), None)
            for name in ("behavior", "pupil_center")
        }
        return each[0].model_copy(update=states)

    def standardisation(self, session: str) -> Standardisation:
        """Return the standardisation of a recording at the time of training, for the predicted neurons.

        Raises
        ------
        InputError
            If not all members were trained on that recording.
        """
        scale = self._knowing(session).standardisation(session).response_scale
        return self.inputs(session).standardisation(session, scale)

    def _knowing(self, session: str) -> Run:
        """Return a member, if all of them know a recording."""
        if session not in self.sessions:
            raise InputError(
                f"Not all members of {self.folder} were trained on recording {session}; all know {listed(self.sessions, 8)}."
            )
        return self.members[0]

    def __repr__(self) -> str:
        if not self.finished:
            return f"<Ensemble {self.folder}: {self.label}, training>"
        return f"<Ensemble {self.folder}: {self.label}, {listed(self.sessions, 6)}, {self.protocol}>"

    def _repr_html_(self) -> str:
        about: dict[str, object] = {"combination": f"mean of {self.combine}", "status": self.provenance["status"]}
        if self.finished:
            about |= {"recordings": listed(self.sessions, 6), "protocol": self.protocol}
        rows = [(run.folder.name, run.label, run.protocol, _validation(run)) for run in self.members]
        return notebook_html.section(
            f"Ensemble {self.folder}",
            notebook_html.key_value_table(about),
            notebook_html.table(("member", "recipe", "protocol", "validation correlation"), rows, text_columns=3),
        )


def combination(name: object) -> Combination:
    """Return the name of a combination of predictions, or refuse it."""
    for each in COMBINATIONS:
        if name == each:
            return each
    raise InputError(f"There is no combination {name!r}: {nearest(str(name), COMBINATIONS)}.")


def manifest(
    runs: Sequence[Run], names: Sequence[str], combine: Combination, protocol: str, sessions: Sequence[str]
) -> dict[str, Any]:
    """Return the contents of the manifest of a finished ensemble, whose members have folders of these names."""
    from striate.training.ensemble_members import weights_hash
    from striate.training.provenance import now

    members = [
        {
            "folder": name,
            "run": folder_name(run.folder),
            "weights_sha256": weights_hash(run.folder),
            "protocol": run.protocol,
            "recipe": run.recipe.description,
            "seed": run.provenance.get("seed"),
            "folds": run.data.folds,
            "fold": None if run.data.folds is None else run.data.fold,
            "validation_correlation": run.provenance.get("best_validation_correlation"),
            "recordings": run.provenance["recordings"],
        }
        for run, name in zip(runs, names, strict=True)
    ]
    return {
        "format": 1,
        "status": files.FINISHED,
        "combine": combine,
        "protocol": protocol,
        "sessions": list(sessions),
        "members": members,
        "created": now(),
        "command": shareable_command(sys.argv),
        "striate": striate.__version__,
    }


def _open_members(runs: Iterable[Run | Ensemble | str | os.PathLike[str]]) -> list[Run]:
    """Open runs; of ensembles, their members."""
    if isinstance(runs, str | os.PathLike | TrainedModel) or not isinstance(runs, Iterable):
        raise InputError(
            f"An ensemble is made of several runs, got {describe_type(runs)}: give a list of their folders."
        )
    opened: list[Run] = []
    for run in runs:
        if not isinstance(run, Run | Ensemble | str | os.PathLike):
            raise InputError(f"Expected a run or its folder, got {describe_type(run)}.")
        model: Run | Ensemble
        if isinstance(run, Run | Ensemble):
            model = run
        else:
            model = Ensemble.open(run) if Ensemble.is_ensemble_folder(os.fspath(run)) else Run.open(run)
        model.require_finished()
        opened += [model] if isinstance(model, Run) else model.members
    return opened


def _member_names(runs: Sequence[Run]) -> list[str]:
    """Return a name for the folder of each member: its number, and the name of its run."""
    plain = [re.sub(r"[^A-Za-z0-9._-]+", "-", folder_name(run.folder)).strip(".-")[:60] for run in runs]
    digits = len(str(len(runs)))
    return [f"{number:0{digits}}-{name or 'run'}" for number, name in enumerate(plain, start=1)]


def _copy(run: Run, folder: Path) -> None:
    """Copy the files of a run that predictions need, and check that it was not trained anew meanwhile."""
    folder.mkdir(parents=True)
    for name in (*_NEEDED, *_USEFUL):
        try:
            shutil.copyfile(run.folder / name, folder / name)
        except FileNotFoundError as error:
            if name in _NEEDED:
                raise InputError(f"{run.folder} has no {name}: copy or train the run anew.") from error
    if Run.open(folder).provenance != run.provenance:
        raise InputError(f"{run.folder} was trained anew since it was opened: open it again.")


def _validation(run: Run) -> str:
    best = run.provenance.get("best_validation_correlation")
    note = "" if run.trained_on_validation is None else " (of its own fold)"
    return "–" if not isinstance(best, int | float) else f"{best:.4f}{note}"
