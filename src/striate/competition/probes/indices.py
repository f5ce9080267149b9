"""Names of trials: whether an outsider can undo the hash that hides their order."""

import base64
import hashlib
import hmac
import json
import re
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from striate.competition.leaks import leak
from striate.competition.probes.material import Material
from striate.competition.probes.public_archive import PublicArchive
from striate.errors import listed
from striate.recordings.checks.report import Finding, Severity

Encode = Callable[[int], bytes]
Digest = Callable[[bytes], str]

_ENCODINGS: dict[str, Encode] = {
    "as text": lambda n: str(n).encode(),
    "as text with a line's end": lambda n: f"{n}\n".encode(),
    "as a decimal": lambda n: f"{n}.0".encode(),
    "in hexadecimal": lambda n: f"{n:x}".encode(),
    "as np.int64(…)": lambda n: f"np.int64({n})".encode(),
    "as <n>.npy": lambda n: f"{n}.npy".encode(),
    "as data/images/<n>.npy": lambda n: f"data/images/{n}.npy".encode(),
    "as trial<n>": lambda n: f"trial{n}".encode(),
    "as trial_<n>": lambda n: f"trial_{n}".encode(),
    "as UTF-16": lambda n: str(n).encode("utf-16-le"),
    **{f"padded to {w} digits": (lambda n, w=w: f"{n:0{w}d}".encode()) for w in (3, 4, 5, 6, 8)},  # type: ignore[misc]
    **{
        f"in {w} bytes, {order} first": (lambda n, w=w, o=order: int(n % 256**w).to_bytes(w, o))  # type: ignore[misc]
        for w in (1, 2, 4, 8)
        for order in ("little", "big")
    },
}
_HASHES: dict[str, Digest] = {
    **{
        name: (lambda data, name=name: hashlib.new(name, data).hexdigest())  # type: ignore[misc]
        for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256", "blake2b", "blake2s")
    },
    "BLAKE2b of 16 bytes": lambda data: hashlib.blake2b(data, digest_size=16).hexdigest(),
    "BLAKE2b of 8 bytes": lambda data: hashlib.blake2b(data, digest_size=8).hexdigest(),
    "CRC-32": lambda data: f"{zlib.crc32(data):08x}",
    "Adler-32": lambda data: f"{zlib.adler32(data):08x}",
    "no hash": lambda data: data.hex(),
    "MD5 of the SHA-256": lambda data: hashlib.md5(hashlib.sha256(data).hexdigest().encode()).hexdigest(),
    "MD5 twice": lambda data: hashlib.md5(hashlib.md5(data).hexdigest().encode()).hexdigest(),
    "UUID 5": lambda data: uuid.uuid5(uuid.NAMESPACE_DNS, data.decode("latin-1")).hex,
    "UUID 3": lambda data: uuid.uuid3(uuid.NAMESPACE_DNS, data.decode("latin-1")).hex,
}
_HEXADECIMAL = re.compile("[0-9a-fA-F-]+")
_KEYED = ("md5", "sha1", "sha256", "sha512")
_WORDS = ("salt", "key", "secret", "password", "seed", "sensorium", "sensorium2022", "sensorium+", "striate", "trial", "trial_idx", "test", "0", "1", "42", "123", "1234", "2021", "2022", "2023", "2024", "2025", "2026", "hash")  # fmt: skip
_JOINTS = ("", "-", "_", ":", " ")
_FEW = 12  # numbers that are tried with every salt


def look(material: Material) -> Iterator[Finding]:
    """Try to undo the names of the trials of every archive."""
    hidden = []
    for archive in material.archives:
        names = archive.recording.trials["trial_idx"].to_numpy()
        if names.dtype.kind in "iu":
            yield from _numbers(material, archive, _member(archive))
        else:
            hidden.append(archive)
            yield from _not_random(archive, _member(archive), names.astype(str))
    yield from _undone(material, hidden)


def _member(archive: PublicArchive) -> str:
    return f"{archive.name}/meta/trials/trial_idx.npy"


def _numbers(material: Material, archive: PublicArchive, name: str) -> Iterator[Finding]:
    if archive.is_track:
        message = "it is a number, which counts presentations: sorting by it gives the order of the trials."
        yield leak("order-in-index", name, message, "Name trials by keyed hashes (`striate competition build`).")
        return
    why = material.declared("order-public")
    message = f"the order of its {len(archive.tier)} trials is public" + (f", by design: {why}" if why else ".")
    mend = "" if why else 'Set pretraining.order = "withheld", or declare order-public.'
    yield leak("order-public", name, message, mend, Severity.NOTE if why else None)


def _undone(material: Material, archives: list[PublicArchive]) -> Iterator[Finding]:
    """Try all archives at once, and those that are left again once the names of some were undone."""
    while archives:
        names = {a.name: _plain(a.recording.trials["trial_idx"].to_numpy().astype(str)) for a in archives}
        salts = list(dict.fromkeys(salt for archive in archives for salt in _salts(material, archive)))
        forms = {k: v for archive in archives for k, v in laboratory_forms(archive.session, archive.file.stem).items()}
        found = undo(frozenset().union(*names.values()), max(len(a.tier) for a in archives), salts, forms)
        if found is None:
            return
        how, undone = found
        for archive in archives:
            if numbers := sorted(number for number, name in undone.items() if name in names[archive.name]):
                message = f"it is {how}: hashing small numbers recovers {len(numbers)} of {len(archive.tier)}, such as {listed(numbers)}."
                mend = "Name trials by HMAC with a secret key (`striate competition build`), and start again if it was public."
                yield leak("order-in-index", _member(archive), message, mend)
        archives = [a for a in archives if not names[a.name] & set(undone.values())]


def laboratory_forms(session: str, stem: str) -> dict[str, Encode]:
    """How a lab's database may write a trial as a text: animal, session, scan and number, joined, as JSON, or as a key.

    Parameters
    ----------
    session
        ``animal-session-scan``.
    stem
        Name of the archive without its ending.
    """
    animal, number, scan = [*session.split("-"), "", ""][:3]
    forms: dict[str, Encode] = {}

    def add(called: str, write: Callable[[str], str]) -> None:
        forms[f"in {called} of {session}"] = lambda n: write(str(n)).encode()

    for joint in ("", "-", "_", ",", ", ", "/", ".", ":", "|", " "):
        add(joint.join(("animal", "session", "scan", "n")), partial(_joined, joint, (animal, number, scan)))
        add(joint.join(("animal", "scan", "session", "n")), partial(_joined, joint, (animal, scan, number)))
        add(joint.join(("n", "animal", "session", "scan")), partial(_joined, joint, (), then=(animal, number, scan)))
        add(joint.join(("archive", "n")), partial(_joined, joint, (stem,)))
    for before, after in (("(", ")"), ("[", "]")):
        add(
            f"{before}animal, session, scan, n{after}",
            partial(_joined, ", ", (before + animal, number, scan), end=after),
        )
    whole = all(part.isdigit() for part in (animal, number, scan))
    own: list[object] = [int(part) if whole else part for part in (animal, number, scan)]
    for names in _KEY_NAMES:
        for called, write in _KEY_FORMS.items():
            add(f"{called} of {', '.join(names)}", partial(_key, write, names, own))
            add(f"{called} of {names[-1]}", partial(_key, write, names[-1:], []))
    return forms


def _joined(joint: str, parts: tuple[str, ...], n: str, then: tuple[str, ...] = (), end: str = "") -> str:
    return joint.join((*parts, n, *then)) + end


def _key(write: Callable[[dict[str, object]], str], names: tuple[str, ...], own: list[object], n: str) -> str:
    return write(dict(zip(names, [*own, int(n)], strict=True)))


# Primary keys of a trial, and how they are written before they are hashed.
_KEY_NAMES = (
    ("animal_id", "session", "scan_idx", "trial_idx"),
    ("animal_id", "session", "scan_idx", "trial"),
    ("animal_id", "session", "scan_idx", "trial_id"),
    ("subject", "session", "scan", "trial"),
)
_KEY_FORMS: dict[str, Callable[[dict[str, object]], str]] = {
    "JSON": json.dumps,
    "compact JSON": lambda key: json.dumps(key, separators=(",", ":")),
    "sorted JSON": lambda key: json.dumps(key, sort_keys=True),
    "sorted, compact JSON": lambda key: json.dumps(key, sort_keys=True, separators=(",", ":")),
    "Python's text": str,
    "the values, sorted by name,": lambda key: "".join(str(key[name]) for name in sorted(key)),  # key_hash of DataJoint
    "an SQL restriction": lambda key: " AND ".join(f"{name}={value}" for name, value in key.items()),
    "names and values": lambda key: "_".join(f"{name}{value}" for name, value in key.items()),
}


def _plain(names: NDArray[np.str_]) -> frozenset[str]:
    """Names in lower case, without hyphens; those in base 64 as hexadecimal digits."""
    texts = [text.strip() for text in names.tolist()]
    if not all(_HEXADECIMAL.fullmatch(text) for text in texts):
        try:
            decoded = [base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True) if set(text) & set("-_") else
                       base64.b64decode(text + "=" * (-len(text) % 4), validate=True) for text in texts]  # fmt: skip
        except ValueError:
            decoded = []
        if decoded and len({len(each) for each in decoded}) == 1 and len(decoded[0]) in (8, 16, 20, 28, 32, 48, 64):
            return frozenset(each.hex() for each in decoded)
    return frozenset(text.lower().replace("-", "") for text in names.tolist())


def undo(
    known: frozenset[str], count: int, salts: list[str], forms: Mapping[str, Encode] = {}
) -> tuple[str, dict[int, str]] | None:
    """Find the hash that turned small numbers into names.

    Parameters
    ----------
    known
        The names in lower-case, without hyphens.
    count
        Number of trials.
    salts
        Words that may stand before or behind the number, or be the key.
    forms
        Further ways to write a number, by what they are called; see `laboratory_forms`.

    Returns
    -------
    str, dict
        How they were made, and the name of each number that gave one; None if none of the ways leads to any.
    """
    lengths = sorted({len(text) for text in known})

    def name_of(digest: str) -> str | None:
        """A name may be the beginning or the end of a longer hash."""
        for length in lengths:
            if digest[:length] in known:
                return digest[:length]
            if digest[-length:] in known:
                return digest[-length:]
        return None

    # Some of the many numbers below the count are among the trials, whatever was lost: a few that are spread suffice.
    plain = sorted({*range(64), *range(0, 2 * count, max(1, count // 100))})
    few = sorted({*range(3), *np.linspace(4, count, _FEW - 3).astype(int).tolist()})
    best: tuple[str, dict[int, str]] | None = None
    for how, digest, salted in _ways(salts, forms):
        if any(name_of(digest(n)) for n in (few if salted else plain)):
            names = {n: name_of(digest(n)) for n in range(4 * count)}
            undone = {n: name for n, name in names.items() if name is not None}
            # ways agree on a few numbers (the byte 48 is the text "0"): look on for one that undoes most of the names
            if best is None or len(set(undone.values())) > len(set(best[1].values())):
                best = how, undone
            if 2 * len(set(undone.values())) > len(known):
                break
    return best


def _ways(salts: list[str], forms: Mapping[str, Encode]) -> Iterator[tuple[str, Callable[[int], str], bool]]:
    """Every way to turn a number into a name: what it is called, the way itself, and whether a salt is in it."""
    for encoded, encode in _ENCODINGS.items():
        for hashed, digest in _HASHES.items():
            yield f"{hashed} of a number {encoded}", lambda n, e=encode, d=digest: d(e(n)), False  # type: ignore[misc]
    for encoded, encode in forms.items():
        for hashed, digest in _HASHES.items():
            yield f"{hashed} of a number {encoded}", lambda n, e=encode, d=digest: d(e(n)), True  # type: ignore[misc]
    for salt in salts:
        for joint in _JOINTS:
            for hashed, digest in _HASHES.items():
                word = salt + joint
                yield (
                    f"{hashed} of a number behind the word {word!r}",
                    lambda n, w=word, d=digest: d(f"{w}{n}".encode()),  # type: ignore[misc]
                    True,
                )
                word = joint + salt
                yield (
                    f"{hashed} of a number before the word {word!r}",
                    lambda n, w=word, d=digest: d(f"{n}{w}".encode()),  # type: ignore[misc]
                    True,
                )
        key = salt.encode()
        for keyed in _KEYED:
            yield (
                f"HMAC-{keyed.upper()} of a number with the key {salt!r}",
                lambda n, s=key, k=keyed: hmac.digest(s, str(n).encode(), k).hex(),  # type: ignore[misc]
                True,
            )


def _salts(material: Material, archive: PublicArchive) -> list[str]:
    parts = archive.session.split("-")
    words = [archive.session, *parts, archive.session.replace("-", "_"), *_WORDS]
    if material.rules is not None:
        track = material.rules.track_of(archive.session)
        words += [material.rules.name, material.rules.title, *([track.name] if track else [])]
    words += [archive.file.stem, archive.file.name]
    return list(dict.fromkeys(word for word in words if word))


def _not_random(archive: PublicArchive, name: str, names: NDArray[np.str_]) -> Iterator[Finding]:
    """Names that are no hash at all: with constant parts. Whether they sort by time is seen with all other numbers."""
    length = min(len(text) for text in names.tolist())
    if len(names) > 20:
        letters = np.array([list(text[:length]) for text in names.tolist()])
        constant = int((letters == letters[0]).all(axis=0).sum()) - _hyphens(names[0])
        if constant > length // 4:
            message = f"{constant} of {length} letters are the same in all names ({listed(names, 2)}): they are numbers or clocks rather than keyed hashes."
            yield leak("order-in-index", name, message, "Name trials by keyed hashes.")


def _hyphens(text: str) -> int:
    return text.count("-")
