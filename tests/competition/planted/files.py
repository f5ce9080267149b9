"""A recording, a trial or behaviour that stands in another file, too."""

import numpy as np
from tests.competition.examples import OTHER, TRACK, mouse
from tests.competition.planted.plot import Planted, Plot, altered

from striate.recordings import write
from striate.recordings.layout import archive_stem


def scan_of_the_track(plot: Plot) -> None:
    """The track's recording once more, under another name, with shuffled neurons."""
    full = mouse(TRACK, finals=5)
    columns = np.random.default_rng(0).permutation(14)
    renamed = altered(
        plot.recording(OTHER),
        images=full.images,
        responses=full.responses[:, columns],
        behavior=full.behavior,
        pupil_center=full.pupil_center,
        neurons=full.neurons.iloc[columns].drop(columns=["depth_class"]),
        trials=full.trials[["tier", "image_id", "trial_idx"]],
        session=OTHER,
    )
    plot.rewrite(renamed, OTHER)


def trial_among_training(plot: Plot) -> None:
    """A withheld trial stands among the training trials, too."""
    recording, full = plot.recording(), mouse(TRACK, finals=5)
    responses = np.array(recording.responses)
    final, train = recording.rows("final_test")[0], recording.rows("train")[0]
    responses[train] = full.responses[plot.order()[final]]
    plot.change(responses=responses)


def rescaled_trial(plot: Plot) -> None:
    """The same in another recording, in other units."""
    full = mouse(TRACK, finals=5)
    recording, other = plot.recording(), plot.recording(OTHER)
    responses = np.array(other.responses)
    scale = full.responses[(full.trials["tier"] == "train").to_numpy()].std(axis=0)
    own = other.responses[other.rows("train")].std(axis=0)
    responses[other.rows("train")[1]] = full.responses[plot.order()[recording.rows("final_test")[1]]] / scale * own
    plot.change(OTHER, responses=responses)


def doubled_trial(plot: Plot) -> None:
    recording = plot.recording(OTHER)
    responses = np.array(recording.responses)
    responses[recording.rows("train")[0]] = responses[recording.rows("test")[0]]
    plot.change(OTHER, responses=responses)


def behavior_in_pretraining(plot: Plot) -> None:
    other, full = plot.recording(OTHER), mouse(TRACK, finals=5)
    behavior = np.array(other.behavior)
    behavior[:90] = full.behavior[:90]
    plot.change(OTHER, behavior=behavior)


def behavior_in_a_file(plot: Plot) -> None:
    np.save(plot.folder / "running.npy", mouse(TRACK, finals=5).behavior)


def same_animal(plot: Plot) -> None:
    text = (plot.folder / "competition.toml").read_text()
    scan = f"{TRACK.split('-')[0]}-2-1"
    (plot.folder / "competition.toml").write_text(text.replace(OTHER, scan))
    other = plot.recording(OTHER)
    plot.archive(OTHER).unlink()
    write(altered(other, session=scan), plot.archive(scan))


def same_session(plot: Plot) -> None:
    write(mouse(TRACK, finals=5), plot.folder / "archives" / f"{archive_stem(TRACK)}-full.zip")


PLANTED: Planted = {
    "a recording under two names": (scan_of_the_track, "recording-twice", True),
    "a session twice": (same_session, "recording-twice", True),
    "a withheld trial among training": (trial_among_training, "same-trial", False),
    "a withheld trial in other units": (rescaled_trial, "same-trial", False),
    "a trial twice": (doubled_trial, "same-trial", True),
    "withheld behaviour in another recording": (behavior_in_pretraining, "behavior-elsewhere", False),
    "withheld behaviour in a file": (behavior_in_a_file, "behavior-elsewhere", False),
    "an animal recorded twice": (same_animal, "animal-again", True),
}
