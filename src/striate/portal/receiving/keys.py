"""What a submission must predict: trials and neurons of each track, from the public archives; no truth is needed."""

from pathlib import Path
from typing import TYPE_CHECKING

from striate._internal.atomic_write import atomic_write
from striate.competition import arrays
from striate.competition.rules import Rules, parse_rules
from striate.errors import InputError
from striate.submissions.trial_table import TrialIds, as_id_array

if TYPE_CHECKING:
    from striate.portal.competition import Competition

_FIELDS = ("unit_ids", "tier", "trial_idx", "image_id")


def write_keys(path: Path, competition: "Competition") -> None:
    """Write rules and keys of a competition, unless they stand there already."""
    if path.exists() and str(arrays.load(path.read_bytes(), str(path))["version"]) == competition.version:
        return
    from striate.recordings import open as open_recording

    content = {"version": competition.version, "rules": competition.rules_text}
    for track in competition.rules.tracks:
        archive = competition.folder / competition.manifest.archive(track.session).path
        keys = TrialIds.from_recording(open_recording(archive), competition.rules.benchmark.board_tiers)
        content |= {f"{track.name}/{field}": getattr(keys, field) for field in _FIELDS}
    with atomic_write(path, overwrite=True) as aside:
        aside.write_bytes(arrays.dump(content))


def read_keys(path: Path) -> tuple[Rules, dict[str, TrialIds]]:
    """Read rules, and keys by track."""
    return parsed_keys(path.read_bytes(), str(path))


def parsed_keys(data: bytes, source: str) -> tuple[Rules, dict[str, TrialIds]]:
    """Read rules and keys from the bytes of a file.

    Raises
    ------
    InputError
        If they are none.
    """
    content = arrays.load(data, source)
    keys = {}
    try:
        rules = parse_rules(str(content["rules"]), "the competition's rules")
        columns = {t.name: [content[f"{t.name}/{field}"] for field in _FIELDS] for t in rules.tracks}
    except KeyError as error:
        raise InputError(f"{source} holds no keys of a competition (it lacks {error}).") from None
    for track in rules.tracks:
        unit_ids, tier, trial_idx, image_id = columns[track.name]
        count = len(tier)
        ids = as_id_array(trial_idx, "trial indices", count), as_id_array(image_id, "image ids", count)
        keys[track.name] = TrialIds(track.session, unit_ids, tier, *ids, rules.benchmark)
    return rules, keys
