"""Simulated benchmarks: several mice that share test images, written as an organiser would publish them."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from striate._internal.atomic_write import refuse_existing
from striate._internal.paths import expand_path
from striate.errors import InputError, option
from striate.recordings import layout
from striate.recordings import write as write_recording
from striate.simulate.config import PopulationSettings, RecordingSettings
from striate.simulate.recording import Simulation, recording
from striate.simulate.seeds import Seed, as_seed

FIRST_ANIMAL = 90_001


def benchmark(
    *,
    pretraining: int = 5,
    competition: Sequence[str] | None = None,
    neurons: PopulationSettings | None = None,
    settings: RecordingSettings | None = None,
    seed: Seed | int | None = None,
    first_animal: int = FIRST_ANIMAL,
) -> Iterator[Simulation]:
    """Simulate the recordings of several mice: competition recordings first, as in SENSORIUM 2022, then pre-training recordings.

    All recordings show the same live test images, and all competition recordings the same final test images. Recordings are
    simulated one by one, so that only one is in memory if the caller keeps none.

    Parameters
    ----------
    pretraining
        Number of pre-training recordings.
    competition
        Track of each competition recording (default: one recording for each track of the benchmark).
    neurons
        Settings of the neurons of every mouse.
    settings
        Settings of every recording, except session and track; among them the benchmark.
    seed
        Seed of all random numbers (default: 128 random bits).
    first_animal
        Number of the first mouse, where the names of sessions count: in SENSORIUM 2022 they are ``<animal>-1-1``.

    Yields
    ------
    Simulation
        One recording with its ground truth.

    Raises
    ------
    InputError
        If a number or a track is invalid.

    Examples
    --------
    >>> from striate.simulate import PopulationSettings, RecordingSettings, benchmark
    >>> mice = benchmark(
    ...     pretraining=1,
    ...     competition=["sensorium+"],
    ...     neurons=PopulationSettings(neurons=5),
    ...     settings=RecordingSettings(
    ...         train=20, validation=5, test_images=4, final_images=4, repeats=3, image_shape=(18, 32)
    ...     ),
    ...     seed=1,
    ... )
    >>> [mouse.recording.tiers for mouse in mice]
    [('train', 'validation', 'test', 'final_test'), ('train', 'validation', 'test')]
    """
    plans = plan_recordings(
        pretraining, competition, settings, first_animal
    )  # validates before the first recording is requested
    secret = as_seed(seed)
    return (recording(one, neurons, secret) for one in plans)


def plan_recordings(
    pretraining: int, competition: Sequence[str] | None, settings: RecordingSettings | None, first_animal: int
) -> list[RecordingSettings]:
    """Return the settings of every recording of a benchmark.

    Raises
    ------
    InputError
        If a number or a track is invalid.

    Examples
    --------
    >>> [settings.session for settings in plan_recordings(1, ["sensorium+"], None, 90001)]
    ['90001-1-1', '90002-1-1']
    """
    settings = settings or RecordingSettings()
    spec = settings.benchmark
    chosen = spec.track_names if competition is None else [spec.track(track).name for track in competition]
    if pretraining < 0 or pretraining + len(chosen) < 1:
        raise InputError(f"{pretraining} pre-training scans and no competition scan: ask for at least one recording.")
    if first_animal < 0:
        raise InputError(f"The first mouse has the number {first_animal}: give a whole number ≥ 0.")
    tracks: list[str | None] = [*chosen, *([None] * pretraining)]
    names = [spec.sessions.name(place, first_animal) for place in range(len(tracks))]
    return [
        settings.model_copy(update={"session": spec.valid_session(name), "track": track})
        for name, track in zip(names, tracks, strict=True)
    ]


@dataclass(frozen=True)
class SimulationFiles:
    """A simulated recording and the paths of its files.

    Attributes
    ----------
    simulation
        Recording and ground truth.
    recording_path
        Zip or folder of the recording.
    truth_path
        ``.npz`` file of the ground truth; None if it was not written.

    Examples
    --------
    >>> import striate
    >>> from striate.simulate import SimulationFiles
    >>> simulation = striate.simulate(
    ...     neurons=5, train=20, validation=5, test_images=4, repeats=1, image_shape=(18, 32), seed=1
    ... )
    >>> SimulationFiles(simulation, Path("mouse.zip"), truth_path=None).recording_path.name
    'mouse.zip'
    """

    simulation: Simulation
    recording_path: Path
    truth_path: Path | None


def write_benchmark(
    out: str | os.PathLike[str],
    *,
    truth: str | os.PathLike[str] | None = None,
    as_folders: bool = False,
    overwrite: bool = False,
    pretraining: int = 5,
    competition: Sequence[str] | None = None,
    neurons: PopulationSettings | None = None,
    settings: RecordingSettings | None = None,
    seed: Seed | int | None = None,
    first_animal: int = FIRST_ANIMAL,
) -> Iterator[SimulationFiles]:
    """Simulate a benchmark (see `benchmark`) and write each recording when it is finished.

    Parameters
    ----------
    out
        Folder for the recordings, which may be published. File names are those that the tools of 2022 expect.
    truth
        Folder for the ground truth, ``<session>-truth.npz``. If None, no ground truth is written.
    as_folders
        Whether to write each recording as a folder instead of a zip.
    overwrite
        Whether to replace existing recordings and ground truths.
    pretraining, competition, neurons, settings, seed, first_animal
        Parameters of `benchmark`.

    Yields
    ------
    SimulationFiles
        One recording with its ground truth, and the paths of their files.

    Raises
    ------
    InputError
        If a setting is invalid, a file exists, `truth` is inside `out`, or the recordings withhold responses and neither
        `truth` nor `seed` is given. All of this is checked before the first recording is simulated.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from striate.simulate import PopulationSettings, RecordingSettings, write_benchmark
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (files,) = write_benchmark(
    ...         Path(folder, "public"),
    ...         truth=Path(folder, "secret"),
    ...         pretraining=1,
    ...         competition=[],
    ...         neurons=PopulationSettings(neurons=5),
    ...         settings=RecordingSettings(train=20, validation=5, test_images=4, repeats=3, image_shape=(18, 32)),
    ...         seed=1,
    ...     )
    >>> files.truth_path.name
    '90001-1-1-truth.npz'
    """
    plans = plan_recordings(pretraining, competition, settings, first_animal)
    public_folder, truth_folder = expand_path(out), expand_path(truth) if truth is not None else None
    if truth_folder is None and seed is None and any(one.withheld for one in plans):
        raise InputError(
            "The withheld responses would be lost, and no submission could be scored: "
            f"give a folder for the truth ({option('--truth FOLDER', 'truth=…')}), give a seed, or withhold nothing "
            f"({option('--no-withhold', 'RecordingSettings(withhold=False)')})."
        )
    if truth_folder is not None:
        _require_separate(public_folder, truth_folder)
    for folder in (public_folder, truth_folder):
        if folder is not None and folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file: give a folder to write to.")
    suffix = "" if as_folders else ".zip"
    targets = [public_folder / f"{layout.archive_stem(one.session, one.benchmark)}{suffix}" for one in plans]
    truth_paths = [truth_folder / f"{one.session}-truth.npz" if truth_folder is not None else None for one in plans]
    for path in (*targets, *truth_paths):
        if path is not None:
            refuse_existing(path, overwrite)
    benchmark_seed = as_seed(seed)
    if truth_folder is not None and not truth_folder.exists():
        truth_folder.mkdir(mode=0o700, parents=True)  # readable only by its owner
    return _write_all(plans, targets, truth_paths, neurons, benchmark_seed, overwrite)


def _write_all(
    plans: list[RecordingSettings],
    targets: list[Path],
    truth_paths: list[Path | None],
    neurons: PopulationSettings | None,
    seed: Seed,
    overwrite: bool,
) -> Iterator[SimulationFiles]:
    for settings, target, truth_path in zip(plans, targets, truth_paths, strict=True):
        yield _write_one(recording(settings, neurons, seed), target, truth_path, overwrite)  # keeps no reference


def _write_one(simulation: Simulation, target: Path, truth_path: Path | None, overwrite: bool) -> SimulationFiles:
    if truth_path is not None:  # before the recording, which could not be scored without its ground truth
        simulation.truth.write(truth_path, overwrite=overwrite)
    recording_path = write_recording(simulation.recording, target, overwrite=overwrite)
    return SimulationFiles(simulation, recording_path, truth_path)


def _require_separate(public: Path, truth: Path) -> None:
    """Refuse to write the ground truth into the folder that will be published."""
    if truth.resolve().is_relative_to(public.resolve()):
        raise InputError(
            f"The truth must not be in the public folder {public}, where it would be published: "
            f"give another folder, such as {public.resolve().parent / (public.resolve().name + '-truth')}."
        )
