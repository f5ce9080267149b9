"""What is withheld stands in the public files: responses, behaviour, statistics."""

import numpy as np
from tests.competition.examples import TRACK, mouse
from tests.competition.planted.plot import Planted, Plot, altered, plot_rows, poke

from striate.recordings import Recording


def one_response(plot: Plot) -> None:
    recording = plot.recording()
    plot.rewrite(poke(recording, "responses", (recording.rows("final_test")[3], 5), 0.25))


def negative_zero(plot: Plot) -> None:
    recording = plot.recording()
    plot.rewrite(poke(recording, "responses", (recording.rows("test")[3], 5), -0.0))


def one_behavior(plot: Plot) -> None:
    plot.rewrite(poke(plot.recording(), "behavior", 17, 1.0))


def eye_position(plot: Plot) -> None:
    full = mouse(TRACK, finals=5)
    rows = plot_rows(plot)
    plot.rewrite(altered(plot.recording(), pupil_center=full.pupil_center[rows]))


def statistics_over_all(plot: Plot) -> None:
    from striate.recordings.statistics import compute_statistics

    recording, full = plot.recording(), mouse(TRACK, finals=5)
    statistics = dict(recording.statistics)
    statistics["responses"] = compute_statistics("responses", full.responses, np.arange(len(full.trials)))
    parts = recording.arrays
    plot.rewrite(Recording(TRACK, recording.neurons, recording.trials, **parts, statistics=statistics))


def behavior_statistics(plot: Plot) -> None:
    from striate.recordings.statistics import compute_statistics

    recording, full = plot.recording(), mouse(TRACK, finals=5)
    statistics = dict(recording.statistics)
    statistics["behavior"] = compute_statistics("behavior", full.behavior, np.arange(60))
    plot.rewrite(Recording(TRACK, recording.neurons, recording.trials, **recording.arrays, statistics=statistics))


PLANTED: Planted = {
    "one withheld response": (one_response, "withheld-responses", True),
    "a negative zero": (negative_zero, "withheld-responses", True),
    "behaviour in one trial": (one_behavior, "withheld-variable", True),
    "eye position": (eye_position, "withheld-variable", True),
    "statistics over all trials": (statistics_over_all, "statistics", True),
    "statistics of withheld behaviour": (behavior_statistics, "withheld-variable", True),
}
