"""The named rules of ``striate check``, with their severities and requirements."""

from dataclasses import dataclass

from striate.errors import printable_text
from striate.recordings.checks.report import Finding, Severity


@dataclass(frozen=True)
class Rule:
    """One rule of ``striate check``.

    Attributes
    ----------
    severity
        Severity of a violation.
    demand
        Requirement for a valid recording, as a sentence.
    """

    severity: Severity
    demand: str


_E, _W, _N = Severity.ERROR, Severity.WARNING, Severity.NOTE

RULES: dict[str, Rule] = {
    # the archive as a container
    "not-an-archive": Rule(_E, "The path is a zip archive or a folder."),
    "no-recording": Rule(_E, "The archive holds `data/` and `meta/` in one place."),
    "several-recordings": Rule(_E, "The archive holds exactly one recording."),
    "path-traversal": Rule(_E, "No member's name points outside of the archive."),
    "duplicate-member": Rule(_E, "No two members of the archive have the same name."),
    "overlapping-members": Rule(_E, "No two members of the zip share bytes."),
    "encrypted-member": Rule(_E, "No member is encrypted."),
    "truncated-member": Rule(_E, "Each member has its declared size and checksum."),
    "oversized-member": Rule(_E, "No member is larger than 256 MiB or than its declared size."),
    "unrelated-file": Rule(_N, "Files that do not belong to a recording are ignored."),
    # arrays
    "not-an-array": Rule(_E, "Each `.npy` file holds one NumPy array."),
    "pickled-array": Rule(_E, "No array holds Python objects: pickles are never loaded."),
    "dtype": Rule(_E, "Numbers are integers or floats, names are strings."),
    "shape": Rule(_E, "Each array has the shape that the layout demands."),
    # tables
    "benchmark": Rule(_E, "`meta/benchmark.toml`, if present, describes a benchmark."),
    "missing-file": Rule(_E, "All files that are required to read a recording exist."),
    "missing-field": Rule(_W, "All files that the tools of 2022 need exist."),
    "doubled-field": Rule(_E, "No field of a table is in two files."),
    "unknown-field": Rule(_N, "Fields that the layout does not name are kept."),
    "unreadable-field": Rule(_W, "Optional fields are readable."),
    "table-length": Rule(_E, "All fields of a table have one entry per trial, or per neuron."),
    "unit-ids": Rule(_E, "Unit ids are unique integers."),
    "trial-ids": Rule(_E, "Trial indices are unique integers or strings."),
    "coordinates": Rule(_E, "Cortical positions are finite."),
    "session-name": Rule(_W, "The file's name and the neurons' animal, session and scan agree."),
    "tiers": Rule(
        _E, "Each trial's tier is one of the benchmark; in SENSORIUM 2022 train, validation, test or final_test."
    ),
    "missing-tier": Rule(_W, "There are training, validation and test trials."),
    # trials
    "missing-trial": Rule(_E, "Each trial of the table has one file of each variable."),
    "extra-trial": Rule(_E, "No file belongs to a trial that is not in the table."),
    "unknown-variable": Rule(_N, "Variables that the layout does not name are ignored."),
    "non-finite": Rule(_E, "All values are finite, and stored standard deviations are valid divisors."),
    "negative-responses": Rule(_E, "Responses are at least the benchmark's minimum, 0 in SENSORIUM 2022."),
    "image-range": Rule(_W, "Pixel values are within the benchmark's range, 0 to 255 in SENSORIUM 2022."),
    "silent-neurons": Rule(_W, "Each neuron responds in at least one training trial."),
    # images and repeats
    "one-image-one-id": Rule(_E, "Trials with the same image id show the same image."),
    "one-id-one-image": Rule(_W, "The same image has the same id wherever it is shown."),
    "image-across-tiers": Rule(_E, "No image of the test tiers is shown in training or validation."),
    "image-in-training-and-validation": Rule(_W, "No image is shown both in training and in validation."),
    "ragged-repeats": Rule(_N, "Test images may be repeated unequally often."),
    "no-repeats": Rule(_W, "Test images are repeated, so that noise can be separated from signal."),
    # withheld data
    "withheld-not-zero": Rule(_E, "Where a test tier is withheld, all its responses are zero."),
    "withheld-tier": Rule(_N, "The responses of a tier are withheld: present, and all zero."),
    "withheld-training": Rule(_E, "Training and validation trials have responses."),
    "zeroed-behavior": Rule(_N, "Behaviour is withheld: present, and all zero."),
    "zeroed-pupil-center": Rule(_N, "Eye position is withheld: present, and all zero."),
    "trial-order": Rule(_W, "A competition recording does not reveal the order of its trials."),
    # statistics
    "missing-statistics": Rule(_W, "`meta/statistics` holds mean, std, median, min and max of each variable."),
    "statistics-disagree": Rule(_W, "Stored statistics agree with the data of the training trials."),
}


def make_finding(rule: str, file: str, message: str, fix: str = "", severity: Severity | None = None) -> Finding:
    """Make a finding of a named rule.

    Parameters
    ----------
    rule
        Name of the rule, a key of `RULES`.
    file
        Path inside the archive, or the name of the archive.
    message
        What was found, and what was expected.
    fix
        How to fix it.
    severity
        Severity of the finding (default: the severity of the rule).

    Examples
    --------
    >>> make_finding("image-range", "data/images/3.npy", "1 trial has grey values outside 0–255.").severity
    <Severity.WARNING: 'warning'>
    """
    return Finding(rule, severity or RULES[rule].severity, printable_text(file), printable_text(message), fix)
