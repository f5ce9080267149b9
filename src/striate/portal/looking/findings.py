"""Findings of ``striate check`` on the page of a recording: what its rules demand is said in the reader's language.

What was found is written down when a recording is prepared, in English, and shown as it is.
"""

from typing import Any, NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from striate.recordings.checks.report import Severity

SEVERITIES: dict[str, Promise] = {
    Severity.ERROR: pgettext_lazy("severity of a finding", "error"),
    Severity.WARNING: pgettext_lazy("severity of a finding", "warning"),
    Severity.NOTE: pgettext_lazy("severity of a finding", "note"),
}
# The demand of each rule in `striate.recordings.checks.rules.RULES`, without its code markup.
DEMANDS: dict[str, Promise] = {
    # the archive as a container
    "not-an-archive": _("The path is a zip archive or a folder."),
    "no-recording": _("The archive holds data/ and meta/ in one place."),
    "several-recordings": _("The archive holds exactly one recording."),
    "path-traversal": _("No member's name points outside of the archive."),
    "duplicate-member": _("No two members of the archive have the same name."),
    "overlapping-members": _("No two members of the zip share bytes."),
    "encrypted-member": _("No member is encrypted."),
    "truncated-member": _("Each member has its declared size and checksum."),
    "oversized-member": _("No member is larger than 256 MiB or than its declared size."),
    "unrelated-file": _("Files that do not belong to a recording are ignored."),
    # arrays
    "not-an-array": _("Each .npy file holds one NumPy array."),
    "pickled-array": _("No array holds Python objects: pickles are never loaded."),
    "dtype": _("Numbers are integers or floats, names are strings."),
    "shape": _("Each array has the shape that the layout demands."),
    # tables
    "benchmark": _("meta/benchmark.toml, if present, describes a benchmark."),
    "missing-file": _("All files that are required to read a recording exist."),
    "missing-field": _("All files that the tools of 2022 need exist."),
    "unknown-field": _("Fields that the layout does not name are kept."),
    "unreadable-field": _("Optional fields are readable."),
    "table-length": _("All fields of a table have one entry per trial, or per neuron."),
    "unit-ids": _("Unit ids are unique integers."),
    "trial-ids": _("Trial indices are unique integers or strings."),
    "coordinates": _("Cortical positions are finite."),
    "session-name": _("The file's name and the neurons' animal, session and scan agree."),
    "tiers": _("Each trial's tier is one of the benchmark; in SENSORIUM 2022 train, validation, test or final_test."),
    "missing-tier": _("There are training, validation and test trials."),
    # trials
    "missing-trial": _("Each trial of the table has one file of each variable."),
    "extra-trial": _("No file belongs to a trial that is not in the table."),
    "unknown-variable": _("Variables that the layout does not name are ignored."),
    "non-finite": _("All values are finite, and stored standard deviations are valid divisors."),
    "doubled-field": _("No field of a table is in two files."),
    "negative-responses": _("Responses are at least the benchmark's minimum, 0 in SENSORIUM 2022."),
    "image-range": _("Pixel values are within the benchmark's range, 0 to 255 in SENSORIUM 2022."),
    "silent-neurons": _("Each neuron responds in at least one training trial."),
    # images and repeats
    "one-image-one-id": _("Trials with the same image id show the same image."),
    "one-id-one-image": _("The same image has the same id wherever it is shown."),
    "image-across-tiers": _("No image of the test tiers is shown in training or validation."),
    "image-in-training-and-validation": _("No image is shown both in training and in validation."),
    "ragged-repeats": _("Test images may be repeated unequally often."),
    "no-repeats": _("Test images are repeated, so that noise can be separated from signal."),
    # withholding
    "withheld-not-zero": _("Where a test tier is withheld, all its responses are zero."),
    "withheld-tier": _("The responses of a tier are withheld: present, and all zero."),
    "withheld-training": _("Training and validation trials have responses."),
    "zeroed-behavior": _("Behaviour is withheld: present, and all zero."),
    "zeroed-pupil-center": _("Eye position is withheld: present, and all zero."),
    "trial-order": _("A competition recording does not reveal the order of its trials."),
    # statistics
    "missing-statistics": _("meta/statistics holds mean, std, median, min and max of each variable."),
    "statistics-disagree": _("Stored statistics agree with the data of the training trials."),
}


class Said(NamedTuple):
    """A finding as the page shows it.

    Attributes
    ----------
    severity, demand
        In the reader's language; what the rule demands is empty for one that there is no more.
    message
        What was found and how to mend it, in English.
    rule, file
        Names.
    """

    severity: str
    demand: str
    message: str
    rule: str
    file: str


def findings(summary: dict[str, Any]) -> list[Said]:
    """Findings of the summary of a prepared recording."""
    return [
        Said(
            severity=str(SEVERITIES.get(each["severity"], each["severity"])),
            demand=str(DEMANDS.get(each["rule"], "")),
            message=f"{each['message']} {each['fix']}".strip(),
            rule=each["rule"],
            file=each["file"],
        )
        for each in summary["findings"]
    ]
