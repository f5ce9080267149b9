"""One simulated recording with its ground truth."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from striate._internal.progress_bars import progress_bar
from striate.benchmarks import is_default
from striate.errors import InputError
from striate.recordings import Recording
from striate.simulate.behavior import simulate_behavior, simulate_pupil_center
from striate.simulate.config import PopulationSettings, RecordingSettings
from striate.simulate.ground_truth import SimulatedTruth
from striate.simulate.population import Population, population
from striate.simulate.seeds import Seed, as_seed
from striate.simulate.trial_schedule import draw_schedule, hash_trial_indices
from striate.stimuli import natural_like


@dataclass(frozen=True)
class Simulation:
    """A simulated recording, which may be published, and its ground truth, which must stay secret.

    Attributes
    ----------
    recording
        Recording without the data that it withholds.
    truth
        Ground truth of the recording.

    Examples
    --------
    >>> import striate
    >>> simulation = striate.simulate(
    ...     neurons=5, train=20, validation=5, test_images=4, repeats=1, image_shape=(18, 32), seed=1
    ... )
    >>> simulation.recording
    <Recording 90001-1-1: 5 neurons, 29 trials (train 20, validation 5, test 4), 18×32>
    """

    recording: Recording
    truth: SimulatedTruth

    def __repr__(self) -> str:
        return f"<Simulation {self.recording!r} with its truth>"

    def _repr_html_(self) -> str:
        return self.recording._repr_html_() + self.truth._repr_html_()


def recording(
    settings: RecordingSettings | None = None,
    neurons: PopulationSettings | Population | None = None,
    seed: Seed | int | None = None,
) -> Simulation:
    """Simulate one recording.

    Recordings with the same seed and different sessions have the same live and final test images, with the same image ids.
    Everything else differs.

    Parameters
    ----------
    settings
        Settings of the recording: its size, and what it withholds.
    neurons
        Settings of the neurons, or a population.
    seed
        Seed of all random numbers (default: 128 random bits).

    Returns
    -------
    Simulation
        The recording and its ground truth.

    Raises
    ------
    InputError
        If `neurons` is a population for images of another shape.

    Examples
    --------
    >>> from striate.simulate import PopulationSettings, RecordingSettings, recording
    >>> settings = RecordingSettings(train=20, validation=5, test_images=4, repeats=3, image_shape=(18, 32))
    >>> simulation = recording(settings, PopulationSettings(neurons=5), seed=1)
    >>> simulation.recording.tiers
    ('train', 'validation', 'test')
    """
    settings, seed = settings or RecordingSettings(), as_seed(seed)
    if not isinstance(neurons, Population):
        neurons = population(
            neurons, seed, session=settings.session, image_shape=settings.image_shape, benchmark=settings.benchmark
        )
    if neurons.benchmark != settings.benchmark:
        raise InputError(
            f"The neurons were drawn for benchmark {neurons.benchmark.name}, the recording is one of {settings.benchmark.name}: "
            "give both the same benchmark."
        )
    if neurons.image_shape != settings.image_shape:
        raise InputError(
            f"The neurons were drawn for images of {neurons.image_shape}, the recording shows {settings.image_shape}: "
            "give both the same image_shape."
        )
    spec = settings.benchmark
    trials, presented = draw_schedule(settings, seed)
    order = trials["order"].to_numpy()
    rng = seed.generator(f"behavior of {settings.session}")
    behavior = simulate_behavior(presented, rng, spec.behavior_names)[order]
    pupil_center = simulate_pupil_center(presented, seed.generator(f"eye of {settings.session}"))[order]
    pupil_center = pupil_center[:, : len(spec.pupil_center_names)]
    images, kinds = _images(trials["image_id"].to_numpy(), settings, seed)
    expected = neurons.expected(images, behavior, pupil_center)
    responses = _draw_responses(neurons, expected, trials["tier"].to_numpy(), settings, seed)

    hidden = [tier.name for tier in spec.tiers if tier.board is not None] if settings.withheld else []
    withheld = np.flatnonzero(trials["tier"].isin(hidden).to_numpy())
    variables = settings.variables_withheld
    trial_idx = hash_trial_indices(order, settings.session, seed) if settings.withheld else order
    public = Recording(
        session=settings.session,
        neurons=_public_neurons(neurons.neurons, settings),
        trials=pd.DataFrame(
            {
                "tier": trials["tier"],
                "image_id": trials["image_id"],
                "trial_idx": trial_idx,
                "frame_image_class": kinds,
            }
        ),
        images=images,
        responses=_with_zeros(responses, withheld),
        behavior=np.zeros_like(behavior) if "behavior" in variables else behavior,
        pupil_center=np.zeros_like(pupil_center) if "pupil_center" in variables else pupil_center,
        benchmark=spec,
    )
    return Simulation(
        public,
        SimulatedTruth(
            session=settings.session,
            track=settings.track,
            seed=seed.value,
            trial_idx=np.asarray(trial_idx),
            order=order,
            expected=expected,
            withheld=withheld,
            withheld_responses=responses[withheld],
            behavior=behavior,
            pupil_center=pupil_center,
            gaze=neurons.gaze(pupil_center),
            centers=neurons.centers,
            neurons=neurons.neurons,
        ),
    )


def _images(
    image_ids: NDArray[np.int64], settings: RecordingSettings, seed: Seed
) -> tuple[NDArray[Any], NDArray[np.str_]]:
    """Return the image of every trial and its kind; each distinct image is drawn once."""
    height, width = settings.image_shape
    stimulus = settings.benchmark.stimulus
    low, high = stimulus.range
    integers = (low, high) == (0, 255)
    images = np.empty((len(image_ids), len(stimulus.channels), height, width), np.uint8 if integers else np.float32)
    kinds = np.empty(len(image_ids), dtype="<U16")
    by_image = np.argsort(image_ids, kind="stable")
    groups = np.split(by_image, np.flatnonzero(np.diff(image_ids[by_image])) + 1)
    with progress_bar("images", len(groups)) as advance:
        for rows in groups:
            number = int(image_ids[rows[0]])
            image, kind = natural_like((height, width), seed.generator("images", number))
            for channel in range(len(stimulus.channels)):
                if channel:  # the same picture, with structure of its own
                    own, _ = natural_like((height, width), seed.generator("images", number, channel))
                    pixels = np.rint((image.astype(np.float32) + own) / 2).astype(np.uint8)
                else:
                    pixels = image
                images[rows, channel] = pixels if integers else low + pixels * ((high - low) / 255)
            kinds[rows] = kind
            advance(1)
    return images, kinds


def _draw_responses(
    neurons: Population,
    expected: NDArray[np.float32],
    tiers: NDArray[np.str_],
    settings: RecordingSettings,
    seed: Seed,
) -> NDArray[np.float32]:
    """Draw the measured responses. Each tier has its own generator, so that public noise does not reveal withheld noise."""
    responses = np.empty_like(expected)
    for tier in np.unique(tiers):
        rows = np.flatnonzero(tiers == tier)
        responses[rows] = neurons.draw_responses(expected[rows], seed.generator(f"noise of {settings.session}: {tier}"))
    return responses


def _with_zeros(responses: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    public = responses.copy() if rows.size else responses
    public[rows] = 0
    return public


def _public_neurons(neurons: pd.DataFrame, settings: RecordingSettings) -> pd.DataFrame:
    """Return the columns that an experimenter knows."""
    table = neurons[["unit_id", "area", "layer", "x", "y", "z"]]
    if not is_default(settings.benchmark):
        return table
    animal, scan_session, scan = (int(part) for part in settings.session.split("-"))
    return table.assign(animal_id=animal, session=scan_session, scan_idx=scan)
