"""The live truth: all that a scoring worker needs, and nothing of the final test but which trials it has."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate._internal.atomic_write import atomic_write
from striate._internal.paths import expand_path
from striate.competition import arrays
from striate.competition.rules import Rules, parse_rules
from striate.errors import InputError, quoted
from striate.submissions import Truth
from striate.submissions.trial_table import IdArray, TrialIds

FORMAT = "striate live truth 1"


@dataclass(frozen=True, eq=False)
class LiveTruth:
    """What live submissions are scored against.

    Attributes
    ----------
    rules
        Of the competition.
    rules_text
        The rules as they were published.
    truths
        By track: standardised responses of the live tier.
    final_keys
        By track: the trials of the final tier, which every submission must predict, too; their responses are in the vault.
    """

    rules: Rules
    rules_text: str
    truths: dict[str, Truth]
    final_keys: dict[str, TrialIds]

    def write(self, path: Path, *, overwrite: bool = False) -> None:
        """Write one file, readable for this user alone.

        Raises
        ------
        InputError
            If something stands there already.
        """
        content: dict[str, Any] = {"format": FORMAT, "rules": self.rules_text}
        for track in self.rules.tracks:
            keys = self.final_keys[track.name]
            content |= arrays.of_truth(self.truths[track.name], f"{track.name}/live")
            content |= {f"{track.name}/final/trial_idx": keys.trial_idx, f"{track.name}/final/image_id": keys.image_id}
        with atomic_write(path, overwrite=overwrite) as aside:
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(arrays.dump(content))

    @classmethod
    def read(cls, path: Path | str) -> "LiveTruth":
        """Read what `write` wrote.

        Raises
        ------
        InputError
            If the file is missing, damaged, or no such file.
        """
        file = expand_path(path)
        try:
            content = arrays.load(file.read_bytes(), str(file))
        except OSError as error:
            raise InputError(f"The live truth {file} cannot be read ({error.strerror}).") from error
        try:
            if str(content["format"]) != FORMAT:
                raise InputError(f"{file} is no live truth of striate: its format is {quoted(str(content['format']))}.")
            text = str(content["rules"])
            rules = parse_rules(text, f"{file}: its rules")
            truths = {
                t.name: arrays.truth_of(content, f"{t.name}/live", t.session, rules.benchmark) for t in rules.tracks
            }
            finals = {t.name: _final_keys(content, t.name, truths[t.name], rules.final_tier) for t in rules.tracks}
        except KeyError as error:
            raise InputError(f"{file} is no live truth of striate, or it is damaged (it lacks {error}).") from None
        return cls(rules, text, truths, finals)


def _final_keys(content: arrays.Arrays, track: str, live: Truth, tier: str) -> TrialIds:
    trial_idx, image_id = (_ids(content[f"{track}/final/{name}"]) for name in ("trial_idx", "image_id"))
    if trial_idx.shape != image_id.shape:
        raise InputError(f"The live truth of track {track!r} is damaged: its final trials and images differ in number.")
    assert live.session is not None
    return TrialIds(live.session, live.unit_ids, np.full(len(trial_idx), tier), trial_idx, image_id, live.benchmark)


def _ids(values: NDArray[Any]) -> IdArray:
    from striate.submissions.trial_table import as_id_array

    return as_id_array(values, "ids", len(values))


def final_keys(truth: Truth) -> TrialIds:
    """Ids of the trials and neurons of a final truth, without its responses."""
    assert truth.session is not None
    return TrialIds(truth.session, truth.unit_ids, truth.tier, truth.trial_idx, truth.image_id, truth.benchmark)
