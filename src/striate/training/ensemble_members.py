"""Which runs can form an ensemble: they predict the same neurons, in the same units, under a protocol that is declared."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from striate._internal.safe_parsing import read_limited
from striate.errors import InputError, listed, option
from striate.models import EncoderSettings
from striate.training.ensemble_module import Combination, common_data
from striate.training.own_module import OwnModelSettings
from striate.training.run import Run
from striate.training.run_folder import WEIGHTS

_LARGEST_WEIGHTS = 2**34  # bytes
_HINT = "--combine rates", "combine='rates'"


def weights_hash(folder: Path) -> str:
    """Return the SHA-256 hash of the weights of a run, the fingerprint of a member."""
    try:
        return hashlib.sha256(read_limited(folder / WEIGHTS, _LARGEST_WEIGHTS)).hexdigest()
    except OSError as error:
        raise InputError(
            f"{folder / WEIGHTS} cannot be read ({error.strerror}): copy or train the run anew."
        ) from error


def check_members(runs: Sequence[Run], combine: Combination) -> tuple[str, ...]:
    """Check that runs can predict together, and return the sessions that all of them know, in the order of the first.

    Parameters
    ----------
    runs
        Finished runs.
    combine
        How their predictions are combined.

    Raises
    ------
    InputError
        If a run is not finished, or two of them are the same or do not fit together.
    """
    if len(runs) < 2:
        raise InputError(f"An ensemble needs at least two runs, got {len(runs)}: give their folders.")
    seen: dict[tuple[str, ...], Path] = {}
    for run in runs:
        run.require_finished()
        if isinstance(run.recipe.model, OwnModelSettings):
            raise InputError(
                f"{run.folder} was trained with a module of one's own, whose code a folder cannot hold: register it as a plugin and "
                "train it by its name, or average the predictions yourself."
            )
        # trainings that differ may still begin with, and keep, the same weights
        fingerprint = weights_hash(run.folder), run.recipe.to_toml(), str(run.provenance.get("seed"))
        if fingerprint in seen:
            raise InputError(f"{run.folder} and {seen[fingerprint]} are the same run: give each run once.")
        seen[fingerprint] = run.folder
    sessions = tuple(session for session in runs[0].sessions if all(session in run.sessions for run in runs))
    if not sessions:
        raise InputError(
            f"No recording is known to all members: {_by_member([(run, listed(run.sessions, 4)) for run in runs])}. An ensemble "
            "predicts the recordings that all its members were trained on."
        )
    for session in sessions:
        for run in runs[1:]:
            _check_same_neurons(runs[0], run, session)
    common_data([run.data for run in runs])
    if combine == "pre-activations":
        _check_same_nonlinearity(runs)
    return sessions


def ensemble_protocol(runs: Sequence[Run], session: str, declared: str | None) -> str:
    """Return the protocol of an ensemble: the narrowest that allows everything that any member sees.

    Parameters
    ----------
    runs
        Members.
    session
        A session that all know.
    declared
        Protocol that was declared; needed if members have different ones.

    Raises
    ------
    InputError
        If members of different protocols are mixed without saying so, or the declared protocol is another.
    """
    spec = runs[0].inputs(session).spec
    protocols = [run.protocol for run in runs]
    widest = spec.protocol_for({each for name in protocols for each in spec.protocol(name).inputs}).name
    if declared is None and len(set(protocols)) > 1:
        hint = option(f'--protocol "{widest}"', f"protocol={widest!r}")
        raise InputError(
            f"The members have different protocols: {_by_member(list(zip(runs, protocols, strict=True)))}. Leave some out, or declare that "
            f"of the ensemble: {hint}."
        )
    if declared is not None and spec.protocol(declared).name != widest:
        raise InputError(
            f"The protocol of this ensemble is {widest!r}, the widest of its members, and not {spec.protocol(declared).name!r}: declare that, "
            "or leave out members that see more."
        )
    return widest


def _check_same_neurons(first: Run, other: Run, session: str) -> None:
    """Raise `InputError` unless two runs predict the same neurons of a recording, in the same order and units."""
    ids = first.unit_ids(session), other.unit_ids(session)
    if not np.array_equal(*ids):
        odd = sorted(set(ids[0].tolist()) ^ set(ids[1].tolist()))
        what = f"units {listed(odd)} are in one only" if odd else "their order differs"
        raise InputError(
            f"{first.folder} and {other.folder} do not predict the same neurons of {session} ({what}): give runs with the same neurons."
        )
    inputs = first.inputs(session), other.inputs(session)
    one, two = (run.standardisation(session).response_scale for run in (first, other))
    same = np.allclose(one, two, rtol=1e-6, atol=0)
    for key in ("image_shape", "image_mean", "image_std", "benchmark", "behavior", "pupil_center"):
        values = [getattr(each, key) for each in inputs]
        used_by_both = key not in ("behavior", "pupil_center") or None not in values
        same = same and (not used_by_both or values[0] == values[1])
    if not same:
        raise InputError(
            f"{first.folder} and {other.folder} were trained on different versions of recording {session}, whose statistics differ: train "
            "them on the same files."
        )


def _check_same_nonlinearity(runs: Sequence[Run]) -> None:
    """Raise `InputError` unless all runs are encoders with the same output nonlinearity."""
    described: list[tuple[Run, str]] = []
    for run in runs:
        model = run.recipe.model
        if not isinstance(model, EncoderSettings):
            raise InputError(
                f"{run.folder} has a model of type {model.type!r}, whose pre-activations are not known: combine rates, "
                f"{option(*_HINT)}."
            )
        values = model.nonlinearity.model_dump(exclude={"type"})
        settings = f" ({', '.join(f'{key} = {value}' for key, value in values.items())})" if values else ""
        described.append((run, f"{model.nonlinearity.type}{settings}"))
    if len({text for _, text in described}) > 1:
        raise InputError(
            f"Pre-activations can be averaged only if all members have the same output nonlinearity: {_by_member(described)}. Combine "
            f"rates: {option(*_HINT)}."
        )


def _by_member(values: Sequence[tuple[Run, str]]) -> str:
    """Say which runs have which value, each value once."""
    runs: dict[str, list[str]] = {}
    for run, value in values:
        runs.setdefault(value, []).append(run.folder.name)
    return "; ".join(f"{value} in {listed(names, 3)}" for value, names in runs.items())
