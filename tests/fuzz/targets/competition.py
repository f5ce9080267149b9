"""Rules, commitments, receipts, secrets, and what the audit looks into."""

import contextlib
import io
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from unittest.mock import patch

from tests.fuzz.targets.recordings import archives, hdf5, npy
from tests.fuzz.targets.tables import tables
from tests.fuzz.targets.target import Target, of_text

PASSPHRASE = "correct horse battery staple"


@cache
def competition() -> Path:
    """A committed competition with one receipt and its results."""
    from striate.competition import close, sealed
    from tests.competition.examples import AFTER, built, play

    folder = Path(tempfile.mkdtemp(prefix="striate-fuzz-"))
    with patch.object(sealed, "COST", 12):
        made = built(folder / "made")
        game = play(made, folder)
        game.submit("Alpha", 0.8)
        game.submit("Beta", 0.5, hours=1)
        close(game.folder, game.vault, game.store, folder / "results", at=AFTER)
    return folder


def _of_competition(*parts: str) -> Callable[[], list[bytes]]:
    return lambda: [path.read_bytes() for path in sorted(competition().glob("/".join(parts)))[:1]]


def _in_folder(room: str, name: str, file: str, pattern: str) -> Target:
    """A reader of one file of a competition's folder."""

    def read(path: Path) -> None:
        from importlib import import_module

        getattr(import_module(f"striate.competition.{room}"), name).read(path.parent)

    return Target(read, file, _of_competition(*pattern.split("/")))


def _receipts(path: Path) -> None:
    from striate.competition.receipts import parsed

    for number, line in enumerate(path.read_bytes().decode(errors="replace").splitlines()[:3]):
        parsed(line, f"receipts.jsonl, line {number}")


def _live_truth(path: Path) -> None:
    from striate.competition.live import LiveTruth

    LiveTruth.read(path)


def _vault(path: Path) -> None:
    from striate.competition import Vault

    Vault.read(path, PASSPHRASE)


def _opened_vault(path: Path) -> None:
    """The contents of a vault, past the encryption."""
    from striate.competition import Vault, vault

    with patch.object(vault, "unseal", lambda *_: path.read_bytes()):
        Vault.read(path, PASSPHRASE)


def _vault_contents() -> list[bytes]:
    from striate.competition.sealed import unseal

    return [unseal(path, PASSPHRASE) for path in sorted(competition().rglob("secret/vault"))[:1]]


def _sealed_stream(path: Path) -> None:
    from striate.competition.sealed_stream import Unsealing

    with path.open("rb") as file:
        Unsealing(file, PASSPHRASE).readall()


def _sealed_seed() -> list[bytes]:
    from striate.competition import sealed
    from striate.competition.sealed_stream import Sealing

    content = io.BytesIO()
    with patch.object(sealed, "COST", 10), Sealing(content, PASSPHRASE) as sealing:  # type: ignore[arg-type]
        sealing.write(b"a" * 100)
        sealing.close()
        return [content.getvalue()]


def _secret(path: Path) -> None:
    from striate.competition.looking_into import Search
    from striate.competition.secret_files import kind_of_secret
    from striate.competition.withheld_responses import Population

    kind_of_secret(path)
    Search([Population("sensorium", neurons=3, images=4)]).look(path)


def _containers() -> list[bytes]:
    packed, tar = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", npy()[0])
    with tarfile.open(fileobj=tar, mode="w") as opened:
        info = tarfile.TarInfo("a.csv")
        info.size = 8
        opened.addfile(info, io.BytesIO(b"1.5,2.5\n"))
    return [packed.getvalue(), tar.getvalue(), *hdf5(), *tables(), npy()[0]]


def _rules(path: Path) -> None:
    from striate.competition.rules import read_rules

    read_rules(path)


def _numbers(path: Path) -> None:
    """Numbers in a file that the audit finds beside the recordings."""
    from striate.competition.probes.packed_numbers import Numbers
    from striate.competition.probes.per_trial import parse_any

    content = path.read_bytes()
    for array in Numbers(2**24).of(content):
        array.shape  # noqa: B018 – it is an array
    parse_any(content, "a.npy")


def _layout_of_a_zip(path: Path) -> None:
    """What lies between and behind the members of a public archive."""
    from striate._internal.zip_files import open_zip
    from striate.competition.probes import zips

    with contextlib.suppress(zipfile.BadZipFile), path.open("rb") as file, open_zip(file) as archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
        zips._slack(path, archive)
        zips._disagreements(path, infos)
        zips._streams(path, infos)


def _seeds(text: str) -> None:
    from striate.competition.probes.folder import _bootstrap_seeds

    _bootstrap_seeds(text)


def _team(text: str) -> None:
    from striate.competition.name_key import address_key, name_key

    name_key(text)
    address_key(text)


TARGETS: dict[str, Target] = {
    "rules": Target(_rules, "competition.toml", _of_competition("made/**/competition.toml")),
    "live-truth": Target(_live_truth, "live.npz", _of_competition("**/*live*.npz")),
    "vault": Target(_vault, "a.vault", _of_competition("made/secret/vault")),
    "vault-contents": Target(_opened_vault, "a.vault", _vault_contents),
    "sealed-stream": Target(_sealed_stream, "a.sealed", _sealed_seed),
    "manifest": _in_folder("manifest", "Manifest", "manifest.json", "**/manifest.json"),
    "commitment": _in_folder("commitment", "Commitment", "commitment.json", "**/commitment.json"),
    "results": _in_folder("results", "Results", "results.json", "**/results.json"),
    "openings": _in_folder("results", "Openings", "openings.json", "**/openings.json"),
    "receipts": Target(_receipts, "receipts.jsonl", _of_competition("**/receipts.jsonl")),
    "searched-for-secrets": Target(_secret, "a", _containers),
    "numbers-in-a-file": Target(_numbers, "a", _containers),
    "layout-of-a-zip": Target(_layout_of_a_zip, "a.zip", archives),
    "seeds-in-a-text": Target(of_text(_seeds), "a.json", lambda: [b'{"rules": {"bootstrap": {"seed": 7}}}']),
    "team-name": Target(of_text(_team), "a.txt", lambda: ["Müller Lab".encode(), "\u0430da@example.org".encode()]),
}
