"""The vault: what nothing but the audit and the close may see, in one encrypted file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate._internal.paths import expand_path
from striate.competition import arrays
from striate.competition.keys import CompetitionSeed, hidden_indices
from striate.competition.rules import Rules, parse_rules
from striate.competition.sealed import seal, unseal
from striate.errors import InputError, quoted
from striate.submissions import Truth

FORMAT = "striate vault contents 1"


@dataclass(frozen=True, eq=False)
class Mapping:
    """How the trials of a public recording came from those of the full one. Row t is trial t of the public recording.

    Attributes
    ----------
    row : (T,)
        Row of each trial in the full recording.
    original : (T,)
        Its trial index there, as text.
    order : (T,)
        Its place in the order of presentation, from 0; empty where the full recording does not tell it.
    behavior, pupil_center : (T, B), (T, 2)
        Behaviour and eye position, whether or not they are withheld; without columns if the benchmark has none.
    trial : (T,)
        Hash of each trial's responses, whether or not they are withheld; see `striate.competition.fingerprints`.
    """

    row: NDArray[np.int64]
    original: NDArray[np.str_]
    order: NDArray[np.int64]
    behavior: NDArray[np.floating]
    pupil_center: NDArray[np.floating]
    trial: NDArray[np.str_]

    def reordered(self, rows: NDArray[np.integer]) -> "Mapping":
        """The same of the trials `rows`, in their order."""
        return Mapping(**{name: values[rows] if len(values) else values for name, values in vars(self).items()})


@dataclass(frozen=True, eq=False)
class Vault:
    """The secrets of a competition.

    Attributes
    ----------
    rules
        Of the competition.
    rules_text
        The rules as they were published.
    seed
        From which every random choice followed.
    live, final
        By track: standardised responses of both withheld tiers.
    mappings
        By session.
    simulated_from
        Seed that the recordings were simulated from; None for measured ones.
    """

    rules: Rules
    rules_text: str
    seed: CompetitionSeed
    live: dict[str, Truth]
    final: dict[str, Truth]
    mappings: dict[str, Mapping]
    simulated_from: int | None = None

    def public_index(self, session: str) -> list[str]:
        """Public names of the trials of a recording whose order is withheld, from the key; row t is trial t."""
        return hidden_indices(self.seed.trial_key(session), self.mappings[session].original.tolist())

    def write(self, path: Path, passphrase: str, *, overwrite: bool = False) -> None:
        """Encrypt and write, readable for this user alone.

        Raises
        ------
        InputError
            If something stands there already.
        """
        content: dict[str, Any] = {
            "format": FORMAT,
            "rules": self.rules_text,
            "seed": str(self.seed.value),  # as text: it has more bits than a number of NumPy
            "simulated_from": "" if self.simulated_from is None else str(self.simulated_from),
        }
        for track in self.rules.tracks:
            content |= arrays.of_truth(self.live[track.name], f"{track.name}/live")
            content |= arrays.of_truth(self.final[track.name], f"{track.name}/final")
        for session, mapping in self.mappings.items():
            content |= {f"{session}/mapping/{name}": value for name, value in vars(mapping).items()}
        seal(arrays.dump(content), passphrase, path, overwrite=overwrite)

    @classmethod
    def read(cls, path: Path | str, passphrase: str) -> "Vault":
        """Decrypt what `write` wrote.

        Raises
        ------
        InputError
            If the file is missing or damaged, or the passphrase is another.
        """
        file = expand_path(path)
        content = arrays.load(unseal(file, passphrase), str(file))
        try:
            if str(content["format"]) != FORMAT:
                raise InputError(f"{file} was written by another version of striate: {quoted(str(content['format']))}.")
            text, drawn = str(content["rules"]), str(content["simulated_from"])
            rules = parse_rules(text, f"{file}: its rules")
            fields = ("row", "original", "order", "behavior", "pupil_center", "trial")
            return cls(
                rules=rules,
                rules_text=text,
                seed=CompetitionSeed(int(str(content["seed"]))),
                live={
                    t.name: arrays.truth_of(content, f"{t.name}/live", t.session, rules.benchmark) for t in rules.tracks
                },
                final={
                    t.name: arrays.truth_of(content, f"{t.name}/final", t.session, rules.benchmark)
                    for t in rules.tracks
                },
                mappings={s: Mapping(*(content[f"{s}/mapping/{f}"] for f in fields)) for s in rules.sessions},
                simulated_from=int(drawn) if drawn else None,
            )
        except KeyError as error:
            raise InputError(f"{file} is damaged (it lacks {error}).") from None
