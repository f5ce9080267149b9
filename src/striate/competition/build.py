"""Build a competition: from full recordings to a folder that may be published, and a folder that may not."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from striate import __version__
from striate._internal.atomic_write import atomic_write_folder
from striate._internal.paths import expand_path
from striate.competition.benchmark_rules import check_metrics
from striate.competition.enough_images import require_enough_images
from striate.competition.features import picture_features, response_features
from striate.competition.full import Full, Source, open_all
from striate.competition.keys import CompetitionSeed
from striate.competition.live import LiveTruth, final_keys
from striate.competition.manifest import ARCHIVES, Manifest, listed_file, require_apart, require_new
from striate.competition.manifest import FILE as MANIFEST
from striate.competition.passphrases import strong_enough
from striate.competition.rules import FILE, Rules, read_rules
from striate.competition.split import Balance, balance, stratified
from striate.competition.tables import Track
from striate.competition.vault import Vault
from striate.competition.withhold import Withheld, withheld
from striate.data.standardisation import Standardisation
from striate.errors import InputError, listed
from striate.metrics import split_half
from striate.recordings import layout
from striate.recordings import write as write_recording
from striate.simulate import RecordingSettings, Simulation
from striate.simulate import recording as simulated_recording
from striate.simulate.config import split_settings
from striate.simulate.seeds import Seed
from striate.submissions import Truth

LIVE_TRUTH, VAULT = "live-truth.npz", "vault"


@dataclass(frozen=True)
class Built:
    """What was built.

    Attributes
    ----------
    rules
        Of the competition.
    folder
        May be published: rules, archives, manifest.
    live_truth, vault
        Must not: what a scoring worker needs, and what only audit and close need.
    balance
        By track: how alike live and final images are.
    evidence
        By track: the picture that shows it, beside the secrets, because reliabilities come from withheld responses.
    """

    rules: Rules
    folder: Path
    live_truth: Path
    vault: Path
    balance: dict[str, Balance]
    evidence: dict[str, Path]


def build(
    rules: Rules | Path | str,
    recordings: Iterable[Source],
    folder: Path | str,
    secrets: Path | str,
    passphrase: str,
    *,
    seed: CompetitionSeed | None = None,
) -> Built:
    """Build a competition from full recordings.

    Parameters
    ----------
    rules
        The rules, or the path of a ``competition.toml``, which is published as `read_rules` returns it.
    recordings
        All recordings that the rules name, in full: paths (zip or folder), names of the catalogue, recordings in memory, or
        simulated ones.
    folder
        What may be published; made anew.
    secrets
        Folder for live truth, vault and evidence; made anew, outside of `folder`.
    passphrase
        Encrypts the vault.
    seed
        Of all random choices; 128 random bits if not given.

    Raises
    ------
    InputError
        Before anything is written: if the rules or a recording cannot be used, a folder exists, or secrets would come to lie
        in the public folder.
    """
    checked, text = (rules, rules.to_toml()) if isinstance(rules, Rules) else read_rules(rules, open_benchmark=True)
    public, secret = (expand_path(path) for path in (folder, secrets))
    require_apart(public, secret)
    for target in (public, secret):
        require_new(target)
    strong_enough(passphrase)
    check_metrics(checked.benchmark)
    seed = seed or CompetitionSeed()
    full = open_all(checked, recordings)
    drawn = {each.seed for each in full.values() if each.seed is not None}
    if guessable := [value for value in drawn if Seed(value).guessable]:
        raise InputError(
            f"The recordings were simulated from the seed {guessable[0]}, which can be found by trying, and all that is withheld "
            "with it: simulate them without a seed."
        )
    tiers = split_images(checked, full, seed)
    image_ids = public_image_ids(checked, full, seed)
    _refuse_final_images_in_pretraining(checked, full, tiers)
    require_enough_images(checked, full, tiers)

    with (
        atomic_write_folder(public) as outside,
        atomic_write_folder(secret) as inside,
    ):  # the secrets get their place first
        inside.chmod(0o700)
        (outside / ARCHIVES).mkdir()
        (outside / FILE).write_text(text, encoding="utf-8")
        live: dict[str, Truth] = {}
        final: dict[str, Truth] = {}
        mappings, balances = {}, {}
        files = [listed_file(outside, FILE)]
        for made, track in _withheld(checked, full, seed, tiers, image_ids):
            session = made.public.session
            path = f"{ARCHIVES}/{layout.archive_stem(session)}.zip"
            write_recording(made.public, outside / path)
            files.append(listed_file(outside, path, session, track.name if track else None))
            mappings[session] = made.mapping
            if track is not None and made.live is not None and made.final is not None:
                live[track.name], final[track.name] = made.live, made.final
                balances[track.name] = _evidence(inside, track, full[session], tiers[session], made)
        manifest = Manifest(name=checked.name, striate_version=__version__, files=tuple(files))
        (outside / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
        keys = {name: final_keys(truth) for name, truth in final.items()}
        LiveTruth(checked, text, live, keys).write(inside / LIVE_TRUTH)
        simulated_from = next(iter(drawn), None)
        Vault(checked, text, seed, live, final, mappings, simulated_from).write(inside / VAULT, passphrase)
    evidence = {track.name: secret / f"split-{track.name}.png" for track in checked.tracks}
    return Built(checked, public, secret / LIVE_TRUTH, secret / VAULT, balances, evidence)


def simulated(
    rules: Rules, settings: dict[str, object] | None = None, seed: Seed | None = None
) -> Iterator[Simulation]:
    """Simulate, in full, the recordings that rules name.

    Parameters
    ----------
    rules
        Tracks get a mouse with live and final images (live images only where the split is stratified), pre-training
        recordings one with live images; all show the same live images.
    settings
        Any of those of `striate.simulate.PopulationSettings` and `striate.simulate.RecordingSettings`.
    seed
        Secret from which they follow; 128 random bits if not given.

    Raises
    ------
    InputError
        If a setting is unknown or impossible, or the seed can be found by trying.
    """
    neurons, common = split_settings({"benchmark": rules.benchmark, **(settings or {})})
    secret = seed or Seed()
    plain = {**common.model_dump(exclude={"session", "track", "withhold"}), "benchmark": rules.benchmark}
    tracks = rules.benchmark.track_names
    for session in rules.sessions:
        track = rules.track_of(session)
        finals = track is not None and rules.tiers.split == "given"
        own = plain if finals else {**plain, "final_images": 0}  # without tracks any recording would have them
        name = tracks[-1] if finals and tracks else None
        one = RecordingSettings(**own, session=session, track=name, withhold=False)
        yield simulated_recording(one, neurons, secret)


def split_images(rules: Rules, full: dict[str, Full], seed: CompetitionSeed) -> dict[str, NDArray[np.str_]]:
    """Tier of each trial of each recording, after the final images were drawn (or as given).

    An image that several tracks show has the same tier in all of them.
    """
    tiers = {session: each.tier for session, each in full.items()}
    if rules.tiers.split == "given":
        return tiers
    tracks = {track.name: full[track.session] for track in rules.tracks}
    tables = {name: _features(each, each.tier) for name, each in tracks.items()}
    shown: dict[str, frozenset[str]] = {}
    for name, table in tables.items():
        for picture in table.index:
            shown[picture] = shown.get(picture, frozenset()) | {name}
    finals: set[str] = set()
    for group in sorted({tuple(sorted(names)) for names in shown.values()}):
        pictures = sorted(picture for picture, names in shown.items() if names == frozenset(group))
        features = pd.concat([tables[name].loc[pictures] for name in group], axis="columns", keys=group)
        chosen = stratified(features, rules.tiers.final_share, seed.generator("split of " + " ".join(group)))
        finals |= {picture for picture, final in zip(pictures, chosen, strict=True) if final}
    for each in tracks.values():
        final = np.isin(each.picture, sorted(finals)) & (each.tier == rules.live_tier)
        tiers[each.session] = np.where(final, rules.final_tier, each.tier)
    return tiers


def public_image_ids(rules: Rules, full: dict[str, Full], seed: CompetitionSeed) -> dict[str, NDArray[np.int64]]:
    """Public image id of each trial of each recording; the same picture has the same id in all of them.

    Raises
    ------
    InputError
        If ids are kept, but are no numbers, or do not stand for the same pictures everywhere.
    """
    if rules.image_ids == "renumbered":
        pictures = np.unique(np.concatenate([each.picture for each in full.values()]))
        numbers = seed.generator("image ids").permutation(len(pictures)).astype(np.int64)
        return {s: numbers[np.searchsorted(pictures, each.picture)] for s, each in full.items()}
    tables = [
        pd.DataFrame({"id": each.recording.trials["image_id"].to_numpy(), "picture": each.picture})
        for each in full.values()
    ]
    pairs = pd.concat(tables).drop_duplicates()
    for column, other in (("id", "several pictures"), ("picture", "several ids")):
        if doubled := pairs[column][pairs[column].duplicated()].tolist():
            ids = pairs["id"][pairs[column] == doubled[0]].tolist()
            raise InputError(
                f"Image ids are kept, but across the recordings {len(doubled)} {column}s have {other} (ids {listed(ids)}): set "
                'image_ids = "renumbered".'
            )
    if pairs["id"].dtype.kind not in "iu":
        raise InputError('Image ids are kept, but are no whole numbers: set image_ids = "renumbered".')
    return {s: each.recording.trials["image_id"].to_numpy(dtype=np.int64) for s, each in full.items()}


def _refuse_final_images_in_pretraining(
    rules: Rules, full: dict[str, Full], tiers: dict[str, NDArray[np.str_]]
) -> None:
    if rules.declaration("final-images-in-pretraining"):
        return
    for track in rules.tracks:
        finals = set(full[track.session].picture[tiers[track.session] == rules.final_tier].tolist())
        for session in rules.pretraining.sessions:
            if shared := finals & set(full[session].picture.tolist()):
                raise InputError(
                    f"{len(shared)} final images of track {track.name!r} are shown in the pre-training recording {session}, whose "
                    'responses are public: take it out, take tiers.split = "given" with final images of their own, or declare '
                    "final-images-in-pretraining."
                )


def _withheld(
    rules: Rules,
    full: dict[str, Full],
    seed: CompetitionSeed,
    tiers: dict[str, NDArray[np.str_]],
    image_ids: dict[str, NDArray[np.int64]],
) -> Iterator[tuple[Withheld, Track | None]]:
    """Make one public recording after another; only one is held in memory."""
    for session, each in full.items():
        track = rules.track_of(session)
        yield (
            withheld(
                each,
                seed,
                tier=tiers[session],
                image_id=image_ids[session],
                hide_order=track is not None or rules.pretraining.order == "withheld",
                hide=track.withhold if track else (),
                hide_tests=track is not None,
            ),
            track,
        )


def _features(full: Full, tier: NDArray[np.str_]) -> pd.DataFrame:
    """Features of the test images of a track's recording; a row a picture, by its hash."""
    rows = np.flatnonzero(np.isin(tier, full.recording.benchmark.board_tiers))
    responses = Standardisation.from_recording(full.recording).responses(np.asarray(full.recording.responses[rows]))
    answers = response_features(responses, full.picture[rows])
    first = [int(rows[np.flatnonzero(full.picture[rows] == picture)[0]]) for picture in answers.index]
    pictures = picture_features(np.asarray(full.recording.images[first])).set_index(answers.index)
    return pd.concat([pictures, answers], axis="columns")


def _evidence(folder: Path, track: Track, full: Full, tier: NDArray[np.str_], made: Withheld) -> Balance:
    """Compare live and final images of a track; draw and write it beside the secrets."""
    from striate.competition.split_figure import split_figure

    features = _features(full, tier)
    finals = features.index.isin(full.picture[tier == full.recording.benchmark.board_tier("final")].tolist())
    found = balance(features, np.asarray(finals))
    ceilings = {
        name: split_half(truth.responses, truth.image_id).values
        for name, truth in (("live", made.live), ("final", made.final))
        if truth is not None
    }
    figure = split_figure(found, ceilings, f"Track {track.name}")
    figure.savefig(folder / f"split-{track.name}.png", metadata={"Software": None})
    said = json.dumps({"track": track.name, **found.summary()}, indent=1) + "\n"
    (folder / f"split-{track.name}.json").write_text(said, encoding="utf-8")
    return found
