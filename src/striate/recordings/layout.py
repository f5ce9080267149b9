"""The layout of a recording, that of SENSORIUM 2022: paths and names."""

import re
from dataclasses import dataclass

from striate.benchmarks import BenchmarkSpec, is_default, load_benchmark
from striate.benchmarks.session_names import is_session as is_session
from striate.benchmarks.session_names import valid_session as valid_session


@dataclass(frozen=True)
class Variable:
    """One variable of the trials, stored as ``data/<name>/<trial>.npy``.

    Attributes
    ----------
    name
        Name of the variable and of its folder.
    components
        Names of the components of the vector; empty if the layout does not fix its length.
    per_element
        Whether ``meta/statistics`` has one value per element, instead of one scalar.
    """

    name: str
    components: tuple[str, ...]
    per_element: bool


IMAGES = Variable("images", (), per_element=False)
RESPONSES = Variable("responses", (), per_element=True)
# the components of SENSORIUM 2022, for code that knows no recording
BEHAVIOR = Variable("behavior", load_benchmark().behavior_names, per_element=True)
PUPIL_CENTER = Variable("pupil_center", load_benchmark().pupil_center_names, per_element=True)
VARIABLES = {v.name: v for v in (IMAGES, RESPONSES, BEHAVIOR, PUPIL_CENTER)}

STATISTICS = ("mean", "std", "median", "min", "max")
# The evaluation reads `all`; the tools of 2022 also need `stimulus_Frame`.
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

# file in meta/trials -> column of Recording.trials; other files keep their names
TRIAL_FIELDS = {"tiers": "tier", "frame_image_id": "image_id", "trial_idx": "trial_idx"}
OTHER_KNOWN_TRIAL_FIELDS = ("frame_image_class", "frame_trial_ts")

REQUIRED_MEMBERS = (
    "meta/trials/tiers.npy",
    "meta/trials/frame_image_id.npy",
    "meta/trials/trial_idx.npy",
    "meta/neurons/unit_ids.npy",
    f"meta/neurons/{COORDINATES}.npy",
)

# In archives of other benchmarks than SENSORIUM 2022: the description of the benchmark, and the name of the session.
BENCHMARK_MEMBER = "meta/benchmark.toml"
SESSION_MEMBER = "meta/session.toml"

# Files in archives that do not belong to the recording.
IGNORED_FILES = re.compile(
    r"(^|/)(__MACOSX|\.DS_Store|\._[^/]*|Thumbs\.db|desktop\.ini|\.git|\.datalad|config\.json|change\.log|(?:README|LICENSE)(?![^/]*\.npy)[^/]*)(/|$)",
    re.IGNORECASE,
)

_DATA_MEMBER = re.compile(r"^data/(?P<variable>[^/]+)/(?P<trial>0|[1-9][0-9]*)\.npy$")
_FILE_STEM = re.compile(r"^static(?P<session>[0-9]+-[0-9]+-[0-9]+)-")

# The tools of 2022 need `GrayImageNet` in the name of an archive; the hash is that of the original release.
_STEM = "static{session}-GrayImageNet-94c6ff995dac583098847cfecd43e7b6"


def data_member(variable: str, trial: int) -> str:
    """Return the path of one variable of one trial.

    Examples
    --------
    >>> data_member("images", 17)
    'data/images/17.npy'
    """
    return f"data/{variable}/{trial}.npy"


def parse_data_member(path: str) -> tuple[str, int] | None:
    """Return variable and trial of a path such as ``data/images/17.npy``, or None for other paths.

    Examples
    --------
    >>> parse_data_member("data/images/17.npy")
    ('images', 17)
    """
    match = _DATA_MEMBER.match(path)
    return (match["variable"], int(match["trial"])) if match else None


def statistics_member(variable: str, statistics_set: str, statistic: str) -> str:
    """Return the path of one statistic.

    Examples
    --------
    >>> statistics_member("images", "all", "mean")
    'meta/statistics/images/all/mean.npy'
    """
    return f"meta/statistics/{variable}/{statistics_set}/{statistic}.npy"


def statistics_sets(benchmark: BenchmarkSpec) -> tuple[str, ...]:
    """Return the names of the sets of statistics that `striate.write` writes for a benchmark.

    Examples
    --------
    >>> statistics_sets(load_benchmark())
    ('all', 'stimulus_Frame')
    """
    return STATISTICS_SETS if is_default(benchmark) else STATISTICS_SETS[:1]


def standard_meta_members(benchmark: BenchmarkSpec | None = None) -> list[str]:
    """Return the members of ``meta`` that `striate.write` writes; those of SENSORIUM 2022 are needed by the tools of 2022."""
    benchmark = benchmark or load_benchmark()
    neuron_fields = tuple(NEURON_FIELDS) if is_default(benchmark) else ("unit_ids", "area", "layer")
    neurons = [f"meta/neurons/{name}.npy" for name in (*neuron_fields, COORDINATES)]
    trials = [f"meta/trials/{name}.npy" for name in (*TRIAL_FIELDS, "frame_image_class")]
    statistics = [
        statistics_member(variable, statistics_set, statistic)
        for variable in benchmark.variables
        for statistics_set in statistics_sets(benchmark)
        for statistic in STATISTICS
    ]
    return neurons + trials + statistics


def archive_stem(session: str, benchmark: BenchmarkSpec | None = None) -> str:
    """Return the file name, without ``.zip``, of the archive of a session; by default the one that the tools of 2022 expect.

    Examples
    --------
    >>> archive_stem("27204-5-13")
    'static27204-5-13-GrayImageNet-94c6ff995dac583098847cfecd43e7b6'
    """
    official = benchmark is None or is_default(benchmark)
    return _STEM.format(session=valid_session(session)) if official else valid_session(session)


def session_from_file_name(name: str) -> str | None:
    """Return the session in the name of an archive, or None if the name has none.

    Examples
    --------
    >>> session_from_file_name("static27204-5-13-GrayImageNet-94c6.zip")
    '27204-5-13'
    """
    match = _FILE_STEM.match(name)
    return match["session"] if match else None
