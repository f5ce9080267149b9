"""Files that do not belong into a public folder: what is not listed, what was changed, and what is secret."""

import base64
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from striate._internal.safe_parsing import parse_json
from striate.competition.leaks import leak
from striate.competition.manifest import FILE as MANIFEST
from striate.competition.manifest import sha256_of
from striate.competition.probes.material import Material
from striate.competition.rules import FILE, parse_rules
from striate.competition.secret_files import kind_of_secret
from striate.errors import InputError
from striate.recordings.checks.report import Finding, Severity

# What striate adds to a competition's folder after it was built.
ADDED = ("commitment.json", "receipts.jsonl", "results")
_HARMLESS = re.compile(r"^(README|LICEN[CS]E|CITATION)[^/]*$", re.IGNORECASE)
# As `seed: 1`, `"random_state": 1`, `rng = default_rng(1)` and the like.
_SEED = re.compile(
    r"""(?:\b(?:random_)?(?:seed|random_?state)\b["']?\s*[:=]\s*["']?|(?:\bdefault_rng|\bRandomState|\brandom\.Random|(?:\b|_)seed)\(\s*(?:\w+\s*=\s*)?)"""
    r"""(?P<value>0x[0-9a-f]+|\d+)(?![0-9a-z])""",
    re.IGNORECASE,
)
_BASE_64 = re.compile(rb"[A-Za-z0-9+/_-]{16,}={0,2}")
_RESULTS = ("results.json", "results.html", "openings.json", "submissions", "scorecards", "truths")
_LARGEST_README, _MOST_NUMBERS = 2**20, 200  # characters; numbers with a decimal point
_MOST_TOKENS = 10_000
_LARGEST_TEXT = 2**26  # bytes that are searched


def look(material: Material) -> Iterator[Finding]:
    """Hold the files of the folder against the manifest, and search them for secrets."""
    yield from _against_the_manifest(material)
    for file in material.files:
        if file.suffix.lower() == ".zip":
            continue
        name = material.name(file)
        try:
            content = file.read_bytes()[:_LARGEST_TEXT]
        except OSError:
            continue
        yield from _secret(material, file, name, content)
        yield from _seeds(material, file, name, content)


def _against_the_manifest(material: Material) -> Iterator[Finding]:
    if material.manifest is None:
        return
    listed = {file.path: file for file in material.manifest.files}
    for file in material.files:
        name = material.name(file)
        if file.is_symlink():
            yield leak(
                "unlisted-file", name, "it is a link, and leads whoever copies the folder elsewhere.", "Remove it."
            )
        elif name in listed:
            if name != FILE and file.suffix.lower() != ".zip":
                message = "the manifest lists it, and it is neither the rules nor a recording."
                yield leak("unlisted-file", name, message, "Publish rules and recordings, and nothing else.")
        elif name == MANIFEST or _added(name):
            continue
        else:
            harmless = bool(_HARMLESS.match(name)) and _for_people(file)
            message = f"the manifest does not list it ({file.stat().st_size} bytes)."
            yield leak("unlisted-file", name, message, "Remove it.", Severity.NOTE if harmless else None)
    for name, entry in listed.items():
        file = material.folder / name
        if not file.is_file():
            yield leak("changed-file", name, "the manifest lists it, and it is missing.", "Build the competition anew.")
        elif file.stat().st_size != entry.size or sha256_of(file) != entry.sha256:
            message = "its content is not what the manifest lists: it was changed after the competition was built."
            yield leak("changed-file", name, message, "Put back the file that was built.")


def _added(name: str) -> bool:
    """Whether striate adds a file of this name after the build."""
    first, _, rest = name.partition("/")
    if first != "results":
        return name in ADDED
    return rest.split("/")[0] in _RESULTS or ("/" not in rest and rest.endswith(".png"))


def _for_people(file: Path) -> bool:
    """Whether a file is a text with few numbers in it."""
    try:
        text = file.read_bytes()[: _LARGEST_README + 1].decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return len(text) <= _LARGEST_README and "\0" not in text and len(re.findall(r"\d+\.\d+", text)) < _MOST_NUMBERS


def _secret(material: Material, file: Path, name: str, content: bytes) -> Iterator[Finding]:
    what = _kind_of_secret(file)
    if what:
        yield leak(
            "secret-file", name, f"it is {what}.", "Remove it; if it was public already, start again with a new split."
        )
    if material.vault is None:
        return
    seed = material.vault.seed
    texts = {"the seed": [str(seed.value), f"{seed.value:x}"]}
    for session in material.vault.mappings:
        key = seed.trial_key(session)
        texts[f"the key of {session}"] = [key.hex(), base64.b64encode(key).decode()]
    if material.vault.simulated_from is not None:
        texts["the seed of the simulation"] = [str(material.vault.simulated_from)]
    lower = content.lower()
    for secret, forms in texts.items():
        if any(len(form) > 12 and form.lower().encode() in lower for form in forms):
            yield leak("secret-in-text", name, f"it contains {secret}.", "Remove it, and build anew: the key is known.")
    for track, truth in {**material.vault.live, **material.vault.final}.items():
        for row in truth.responses[:: max(1, len(truth.responses) // 20)]:
            if np.count_nonzero(row) > 4 and row.tobytes() in content:
                message = f"it contains standardised responses that track {track!r} withholds."
                yield leak("secret-file", name, message, "Remove it; if it was public already, start again.")
                return


def _kind_of_secret(file: Path) -> str | None:
    known = kind_of_secret(file)
    if known is not None:
        return known
    if (
        file.suffix.lower() in (".npy", ".npz", ".h5", ".hdf5", ".mat", ".pkl", ".pickle", ".nwb")
        and "meta" not in file.parts
    ):
        return "an array or table that the layout does not know" if "data" not in file.parts else None
    return None


def _seeds(material: Material, file: Path, name: str, content: bytes) -> Iterator[Finding]:
    for value in seeds_in(material, file, content):
        message = f"it names a seed: {value}. Anybody can repeat what was made from it, including what is withheld."
        yield leak(
            "seed-in-provenance", name, message, "Remove it, and make the data anew from a seed that nobody knows."
        )
        return


def seeds_in(material: Material, file: Path, content: bytes) -> list[int]:
    """Seeds that a text names; that of the ranking's bootstrap, which the rules publish, is none."""
    text = content.decode("utf-8", errors="replace")
    texts = [text, *(each.decode("ascii") for each in _decoded(content))]
    found = [int(m["value"], 0) for each in texts for m in _SEED.finditer(each) if len(m["value"]) < 60]
    known: list[int] = []
    if file.name == FILE:
        try:
            known = [parse_rules(text).ranking.seed]
        except InputError:
            known = []
    elif material.name(file).split("/")[0] in ("results", MANIFEST):
        known = _bootstrap_seeds(text)
    return [value for value in found if value not in known]


def _decoded(content: bytes) -> list[bytes]:
    """What a text holds in base 64 or hexadecimal digits, where that is a text itself."""
    found = []
    for match in islice(_BASE_64.finditer(content), _MOST_TOKENS):
        token = match[0].rstrip(b"=")
        for decode in (bytes.fromhex, lambda text: base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_")):
            try:
                plain = decode(token.decode("ascii"))
            except ValueError:
                continue
            if plain.isascii() and all(byte >= 32 or byte in b"\r\n\t" for byte in plain):
                found.append(plain)
    return found


def _bootstrap_seeds(text: str) -> list[int]:
    """Seeds of bootstraps, which results publish so that anyone can compute them again."""
    try:
        document = parse_json(text)
    except ValueError:
        return []
    found: list[int] = []

    def walk(value: object, above: str) -> None:
        if isinstance(value, dict):
            for key, each in value.items():
                if key == "seed" and above in ("bootstrap", "ranking") and isinstance(each, int):
                    found.append(each)
                walk(each, str(key))
        elif isinstance(value, list):
            for each in value:
                walk(each, above)

    walk(document, "")
    return found
