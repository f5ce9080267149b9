"""The official layout of a recording (SENSORIUM 2022): the one place that knows its paths, shapes and units."""

import re
from dataclasses import dataclass

from striate.benchmarks.session_names import is_session as is_session
from striate.benchmarks.session_names import valid_session as valid_session
from striate.benchmarks.tiers import TEST_TIERS as TEST_TIERS
from striate.benchmarks.tiers import TIERS as TIERS
from striate.benchmarks.tiers import TRAINING_TIERS as TRAINING_TIERS
from striate.benchmarks.tiers import tier_name as tier_name


@dataclass(frozen=True)
class Variable:
    """One variable of the trials: ``data/<name>/<trial>.npy``.

    Attributes
    ----------
    name
        Name of the variable and of its folder.
    components
        Names of the components of its vector, or () where the length is not fixed by the layout.
    per_element
        Whether ``meta/statistics`` holds one value per element (else one scalar for all).
    """

    name: str
    components: tuple[str, ...]
    per_element: bool


IMAGES = Variable("images", (), per_element=False)
RESPONSES = Variable("responses", (), per_element=True)
BEHAVIOR = Variable("behavior", ("pupil dilation", "derivative of pupil dilation", "running speed"), per_element=True)
PUPIL_CENTER = Variable("pupil_center", ("horizontal", "vertical"), per_element=True)
VARIABLES = {v.name: v for v in (IMAGES, RESPONSES, BEHAVIOR, PUPIL_CENTER)}

STATISTICS = ("mean", "std", "median", "min", "max")
# `all` is what the evaluation reads; `stimulus_Frame` is written too because the tools of 2022 look for it.
STATISTICS_SETS = ("all", "stimulus_Frame")

# file in meta/neurons -> column of Recording.neurons
NEURON_FIELDS = {
    "unit_ids": "unit_id",
    "area": "area",
    "layer": "layer",
    "animal_ids": "animal_id",
    "sessions": "session",
    "scan_idx": "scan_idx",
}
COORDINATES = "cell_motor_coordinates"  # (N, 3) µm -> columns x, y, z

# file in meta/trials -> column of Recording.trials; other files keep their name
TRIAL_FIELDS = {"tiers": "tier", "frame_image_id": "image_id", "trial_idx": "trial_idx"}
OTHER_KNOWN_TRIAL_FIELDS = ("frame_image_class", "frame_trial_ts")

REQUIRED_MEMBERS = (
    "meta/trials/tiers.npy",
    "meta/trials/frame_image_id.npy",
    "meta/trials/trial_idx.npy",
    "meta/neurons/unit_ids.npy",
    f"meta/neurons/{COORDINATES}.npy",
)

# What turns up in archives without belonging to the recording.
IGNORED_FILES = re.compile(
    r"(^|/)(__MACOSX|\.DS_Store|\._[^/]*|Thumbs\.db|desktop\.ini|\.git|\.datalad|config\.json|change\.log|(?:README|LICENSE)(?![^/]*\.npy)[^/]*)(/|$)",
    re.IGNORECASE,
)

_DATA_MEMBER = re.compile(r"^data/(?P<variable>[^/]+)/(?P<trial>0|[1-9][0-9]*)\.npy$")
_FILE_STEM = re.compile(r"^static(?P<session>[0-9]+-[0-9]+-[0-9]+)-")

# The tools of 2022 recognise an archive by `GrayImageNet` in its name; the hash is that of the original release.
_STEM = "static{session}-GrayImageNet-94c6ff995dac583098847cfecd43e7b6"


def data_member(variable: str, trial: int) -> str:
    """Path of one variable of one trial."""
    return f"data/{variable}/{trial}.npy"


def parse_data_member(path: str) -> tuple[str, int] | None:
    """Variable and trial of a path such as ``data/images/17.npy``; None if it is not one."""
    match = _DATA_MEMBER.match(path)
    return (match["variable"], int(match["trial"])) if match else None


def statistics_member(variable: str, which: str, statistic: str) -> str:
    """Path of one statistic, for example ``meta/statistics/images/all/mean.npy``."""
    return f"meta/statistics/{variable}/{which}/{statistic}.npy"


def standard_meta_members() -> list[str]:
    """Members of ``meta`` that the tools of 2022 need, and that every written recording therefore has."""
    neurons = [f"meta/neurons/{name}.npy" for name in (*NEURON_FIELDS, COORDINATES)]
    trials = [f"meta/trials/{name}.npy" for name in (*TRIAL_FIELDS, "frame_image_class")]
    statistics = [
        statistics_member(variable, which, statistic)
        for variable in VARIABLES
        for which in STATISTICS_SETS
        for statistic in STATISTICS
    ]
    return neurons + trials + statistics


def archive_stem(session: str) -> str:
    """Name (without ``.zip``) that the tools of 2022 expect for the archive of a session."""
    return _STEM.format(session=valid_session(session))


def session_from_file_name(name: str) -> str | None:
    """Session in a file name such as ``static27204-5-13-GrayImageNet-….zip``; None if it holds none."""
    match = _FILE_STEM.match(name)
    return match["session"] if match else None
