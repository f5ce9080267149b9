"""Hand files that were made to harm to the portal's decoder, and count what becomes of them."""

import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from striate.errors import InputError
from tests.portal.bombs import BOMBS, CSV_BOMBS, MAY_BE_SOUND, Bomb


@dataclass
class Outcome:
    """What became of the files of a campaign."""

    refused: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)
    longest: float = 0.0
    slowest: str = ""
    peak: int = 0

    def __str__(self) -> str:
        lines = [
            f"{kind}: {self.refused[kind]} refused, {self.accepted[kind]} accepted" for kind in {**BOMBS, **CSV_BOMBS}
        ]
        lines += [f"FAILED: {each}" for each in self.failed] + [f"UNCLEAR: {each}" for each in self.unclear]
        lines.append(
            f"{sum(self.refused.values())} refused, {sum(self.accepted.values())} accepted, {len(self.failed)} failed, "
            f"{len(self.unclear)} unclear; longest {self.longest:.1f} s ({self.slowest}), most memory of a child {self.peak / 1e6:.0f} MB"
        )
        return "\n".join(lines)


def campaign(sound: Path, keys_file: Path, files: int, seed: int, kinds: dict[str, Bomb] | None = None) -> Outcome:
    """Hand files to the decoder, in turn of each kind.

    Parameters
    ----------
    sound
        A native submission that would be accepted.
    keys_file
        What must be predicted.
    files, seed
        How many, and what they follow from.
    kinds
        All by default.
    """
    from striate.portal.receiving.decoding import PlatformError, decoded
    from striate.portal.receiving.keys import read_keys

    rules, keys = read_keys(keys_file)
    told = {"session": rules.tracks[0].session, "protocol": rules.tracks[0].protocols[0]}
    wanted = list((kinds or {**BOMBS, **CSV_BOMBS}).items())
    outcome = Outcome()
    for number in range(files):
        kind, make = wanted[number % len(wanted)]
        random = np.random.default_rng([seed, number])
        with tempfile.TemporaryDirectory() as folder:
            file = make(sound, Path(folder) / ("csvs" if kind in CSV_BOMBS else "submission.parquet"), random)
            began = time.monotonic()
            try:
                with decoded(file, keys_file, rules, keys, told):
                    outcome.accepted[kind] += 1
                    if kind not in MAY_BE_SOUND:
                        outcome.failed.append(f"{kind} {number}: it was accepted")
            except InputError as error:
                outcome.refused[kind] += 1
                said = str(error)
                if "\n" in said or len(said) > 1000 or not said.isprintable() or folder in said:
                    outcome.unclear.append(f"{kind} {number}: {said!r}")
            except PlatformError as error:
                outcome.failed.append(f"{kind} {number}: {error}")
            if (took := time.monotonic() - began) > outcome.longest:
                outcome.longest, outcome.slowest = took, kind
    return outcome
