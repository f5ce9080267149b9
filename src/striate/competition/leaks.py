"""The named rules of ``striate competition audit``: what may not be found in public files."""

from striate.recordings.checks.report import Finding, Severity
from striate.recordings.checks.rules import Rule

_E, _W, _N = Severity.ERROR, Severity.WARNING, Severity.NOTE

LEAKS: dict[str, Rule] = {
    # the folder
    "unlisted-file": Rule(_E, "The folder holds what its manifest lists, and nothing else."),
    "changed-file": Rule(_E, "Each file is the one that the manifest lists."),
    "secret-file": Rule(_E, "No public file is, or contains, a vault or a truth."),
    "secret-in-text": Rule(_E, "No public text names the seed or a key."),
    "seed-in-provenance": Rule(_E, "No public file says from which seed data were made."),
    "unreadable-archive": Rule(_E, "Each archive is a recording that can be read."),
    # zip archives
    "zip-clock": Rule(_E, "All members of a zip carry the same moment."),
    "zip-order": Rule(_E, "The members of a zip stand in the order in which striate writes them."),
    "zip-leftovers": Rule(
        _E, "A zip has no bytes beside its members: no comments, extra fields, slack, former versions."
    ),
    "extra-member": Rule(_E, "A zip holds the members of the layout, and nothing else."),
    "array-leftovers": Rule(_E, "Each array is stored in the one form that striate writes."),
    "varying-type": Rule(_E, "A variable has the same type in all trials."),
    # fields
    "extra-field": Rule(_E, "The tables have the fields that are needed, and no others."),
    "telling-field": Rule(
        _E, "No field tells more than it must: session, class and numbers are those of the whole recording."
    ),
    "trial-time": Rule(_E, "Nothing says when a trial was shown."),
    # what is withheld
    "withheld-responses": Rule(_E, "Withheld responses are present and exactly zero."),
    "withheld-variable": Rule(
        _E, "Withheld behaviour and eye position are present and exactly zero, and so are their statistics."
    ),
    "withheld-elsewhere": Rule(
        _E,
        "No other file holds withheld responses, whatever their unit, the order of neurons and trials, and how they are packed.",
    ),
    "truth-in-number": Rule(_E, "No public number follows the withheld responses, within any tier or image."),
    "statistics": Rule(_E, "Stored statistics follow from the public training trials alone."),
    # the order of the trials
    "order-in-index": Rule(
        _E, "`trial_idx` of a competition recording is no number, and none can be found by hashing."
    ),
    "order-in-files": Rule(_E, "The numbers of the files tell nothing of the order of the trials."),
    "order-in-image-ids": Rule(_E, "Image ids tell nothing of the order of the trials."),
    "order-in-number": Rule(
        _E,
        "No public number (low digits, sizes, places and clocks in a zip, pixels) follows time, within any tier or image.",
    ),
    "order-from-neighbors": Rule(_E, "No number of a trial is computed from the trial before or after it."),
    "order-public": Rule(_W, "The order of pre-training trials is withheld, too, or declared as public."),
    "order-from-drift": Rule(
        _W,
        "What must be public (responses, behaviour) drifts too little to sort trials by it. A declaration covers a correlation "
        "with time of at most 0.95, and at most half of the trials next to the one that is most similar; more is an error.",
    ),
    # images
    "image-across-tiers": Rule(_E, "No image of a test tier is shown in another tier of a competition recording."),
    "altered-test-image": Rule(
        _E,
        "No image of a test tier is shown with public responses in an altered form: shifted, mirrored, turned, masked, cropped, "
        "inverted, with other grey values, or re-encoded.",
    ),
    "near-duplicate-images": Rule(_W, "No image of a test tier looks like one of training or validation."),
    "image-varies": Rule(_E, "An image is the same in every trial, so that it tells nothing of the trial."),
    "one-image-two-ids": Rule(_E, "One image has one id, within a recording and across recordings."),
    "live-images-in-pretraining": Rule(
        _W, "Live images are shown in no pre-training recording, or declared as shared."
    ),
    "final-images-in-pretraining": Rule(_E, "Final images are shown in no pre-training recording."),
    # from one file to another
    "recording-twice": Rule(_E, "No recording stands behind two files."),
    "same-trial": Rule(_E, "No response of a trial stands in another trial or file."),
    "behavior-elsewhere": Rule(_E, "Behaviour that a track withholds stands in no other file."),
    "animal-again": Rule(_W, "No animal of a track was recorded for another file, or it is declared."),
    # randomness
    "small-seed": Rule(_E, "Nothing follows from a seed that can be found by trying."),
    "split": Rule(_W, "Live and final images are alike, as far as their statistics tell."),
}

# What may be so by design: a competition that declares it says so to everyone, and the audit reports a note.
DECLARABLE = (
    "order-public",
    "order-from-drift",
    "altered-test-image",
    "near-duplicate-images",
    "live-images-in-pretraining",
    "final-images-in-pretraining",
    "animal-again",
)


def leak(name: str, file: str, evidence: str, mend: str = "", severity: Severity | None = None) -> Finding:
    """Make a finding of a named rule, with the rule's own severity unless another is given."""
    return Finding(name, severity or LEAKS[name].severity, file, evidence, mend)
