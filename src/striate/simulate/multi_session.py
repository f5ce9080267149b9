"""A whole benchmark: several mice that share test images, written as an organiser would publish it."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from striate._internal.atomic_write import refuse_existing
from striate._internal.paths import expand_path
from striate.errors import InputError, nearest, option
from striate.recordings import layout
from striate.recordings import write as write_recording
from striate.simulate.config import TRACKS, PopulationSettings, RecordingSettings, Track
from striate.simulate.recording import Simulation, recording
from striate.simulate.seeds import Seed, as_seed

FIRST_ANIMAL = 90_001


def benchmark(
    *,
    pretraining: int = 5,
    competition: Sequence[Track] = TRACKS,
    neurons: PopulationSettings | None = None,
    settings: RecordingSettings | None = None,
    seed: Seed | int | None = None,
    first_animal: int = FIRST_ANIMAL,
) -> Iterator[Simulation]:
    """Simulate several mice, one after another: competition scans first, as in SENSORIUM 2022, then pre-training scans.

    All show the same live test images, the competition scans also the same final ones. Only one recording is held
    in memory if the caller lets go of each before asking for the next.

    Parameters
    ----------
    pretraining
        Number of pre-training scans.
    competition
        Track of each competition scan.
    neurons, settings
        Of every mouse; session and track are set for each.
    seed
        Secret from which all follow; 128 random bits if not given.
    first_animal
        Number of the first mouse; sessions are ``<animal>-1-1``.

    Yields
    ------
    Simulation

    Raises
    ------
    InputError
        If a number or a track is impossible.
    """
    plans = plan_recordings(
        pretraining, competition, settings, first_animal
    )  # at once, not when the first is asked for
    secret = as_seed(seed)
    return (recording(one, neurons, secret) for one in plans)


def plan_recordings(
    pretraining: int, competition: Sequence[Track], settings: RecordingSettings | None, first_animal: int
) -> list[RecordingSettings]:
    """Settings of every recording of a benchmark."""
    for track in competition:
        if track not in TRACKS:
            raise InputError(f"There is no track {track!r}: {nearest(track, TRACKS)}.")
    if pretraining < 0 or pretraining + len(competition) < 1:
        raise InputError(f"{pretraining} pre-training scans and no competition scan: ask for at least one recording.")
    if first_animal < 0:
        raise InputError(f"The first mouse has the number {first_animal}: give a whole number ≥ 0.")
    tracks: list[Track | None] = [*competition, *([None] * pretraining)]
    common = (settings or RecordingSettings()).model_dump(exclude={"session", "track"})
    return [
        RecordingSettings(**common, session=f"{first_animal + i}-1-1", track=track) for i, track in enumerate(tracks)
    ]


@dataclass(frozen=True)
class SimulationFiles:
    """Where one simulated recording was written, and the truth about it (None if it was not asked for)."""

    simulated: Simulation
    recording: Path
    truth: Path | None


def write_benchmark(
    out: str | os.PathLike[str],
    *,
    truth: str | os.PathLike[str] | None = None,
    as_folders: bool = False,
    overwrite: bool = False,
    pretraining: int = 5,
    competition: Sequence[Track] = TRACKS,
    neurons: PopulationSettings | None = None,
    settings: RecordingSettings | None = None,
    seed: Seed | int | None = None,
    first_animal: int = FIRST_ANIMAL,
) -> Iterator[SimulationFiles]:
    """Simulate a benchmark (see `benchmark`) and write each recording as soon as it is made.

    Parameters
    ----------
    out
        Folder for the recordings, each named as the tools of 2022 expect it. It may be published.
    truth
        Folder for the truth about them, ``<session>-truth.npz``; without it no truth is written.
    as_folders
        Write each recording as a folder instead of a zip.
    overwrite
        Whether recordings and truth files that stand there already may be replaced.
    pretraining, competition, neurons, settings, seed, first_animal
        See `benchmark`.

    Yields
    ------
    SimulationFiles

    Raises
    ------
    InputError
        Before any work: if a setting is impossible, something stands there already, the truth would come to lie
        in the public folder, or withheld responses would be lost for good.
    """
    plans = plan_recordings(pretraining, competition, settings, first_animal)
    public, secret = expand_path(out), expand_path(truth) if truth is not None else None
    if secret is None and seed is None and any(one.withheld for one in plans):
        raise InputError(
            "The withheld responses would be lost, and nothing could ever be scored: "
            f"say where to keep the truth ({option('--truth FOLDER', 'truth=…')}), give a seed, or withhold nothing "
            f"({option('--no-withhold', 'RecordingSettings(withhold=False)')})."
        )
    if secret is not None:
        _require_apart(public, secret)
    for folder in (public, secret):
        if folder is not None and folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file: give a folder to write to.")
    suffix = "" if as_folders else ".zip"
    targets = [public / f"{layout.archive_stem(one.session)}{suffix}" for one in plans]
    truths = [secret / f"{one.session}-truth.npz" if secret is not None else None for one in plans]
    for path in (*targets, *truths):
        if path is not None:
            refuse_existing(path, overwrite)
    drawn = as_seed(seed)
    if secret is not None and not secret.exists():
        secret.mkdir(mode=0o700, parents=True)  # for nobody else
    return _written(plans, targets, truths, neurons, drawn, overwrite)


def _written(
    plans: list[RecordingSettings],
    targets: list[Path],
    truths: list[Path | None],
    neurons: PopulationSettings | None,
    seed: Seed,
    overwrite: bool,
) -> Iterator[SimulationFiles]:
    for one, target, truth in zip(plans, targets, truths, strict=True):
        yield _written_one(recording(one, neurons, seed), target, truth, overwrite)  # keeps no recording meanwhile


def _written_one(simulated: Simulation, target: Path, truth: Path | None, overwrite: bool) -> SimulationFiles:
    if truth is not None:  # first: a recording whose truth is lost could not be scored
        simulated.truth.write(truth, overwrite=overwrite)
    return SimulationFiles(simulated, write_recording(simulated.recording, target, overwrite=overwrite), truth)


def _require_apart(public: Path, secret: Path) -> None:
    """Refuse to put the truth into the folder that will be published."""
    if secret.resolve().is_relative_to(public.resolve()):
        raise InputError(
            f"The truth must not lie in the public folder {public}, from where it would be published: "
            f"give another folder, such as {public.resolve().parent / (public.resolve().name + '-truth')}."
        )
