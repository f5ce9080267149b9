"""Every reader of striate as a function of the bytes of one file, and for each the sound files that mutation starts from."""

import io
import json
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd

Read = Callable[[Path], object]  # reads one file
PASSPHRASE = "correct horse battery staple"


@dataclass(frozen=True)
class Target:
    """A reader.

    Attributes
    ----------
    read
        Reads the file; what it returns does not matter.
    name
        Of the file, since some readers look at it.
    seeds
        Makes the contents to start from.
    """

    read: Read
    name: str
    seeds: Callable[[], list[bytes]]


def bytes_of(make: Callable[[Path], object], name: str) -> bytes:
    """The bytes of the file that a function writes."""
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder) / name)
        return (Path(folder) / name).read_bytes()


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


def _recording(**changes: object) -> object:
    from tests.fixtures.recordings import small_recording

    return small_recording(neurons=3, training=3, validation=1, test_images=1, repeats=2, shape=(4, 6), **changes)  # type: ignore[arg-type]


def _zip() -> list[bytes]:
    import striate

    return [bytes_of(lambda path: striate.write(_recording(), path), "a.zip")]  # type: ignore[arg-type]


def _check_zip(path: Path) -> None:
    import striate

    striate.check(path)
    with tempfile.TemporaryDirectory() as cache_, patch.dict("os.environ", STRIATE_CACHE=cache_):
        striate.open(path)


def _npy() -> list[bytes]:
    from striate.recordings.npy import dump

    arrays = [np.arange(6.0).reshape(2, 3), np.array(["train", "test"]), np.zeros((2, 0), np.int16), np.array(3.5)]
    return [dump(array) for array in arrays]


def _parse_npy(path: Path) -> None:
    from striate.recordings import npy

    npy.parse(path.read_bytes(), "a.npy")
    np.array(npy.mapped(path))


def _member(name: str) -> Target:
    """A recording whose member `name` is the input."""

    def read(path: Path) -> None:
        from tests.fixtures.archives import members_of, write_zip

        files = members_of(_recording())  # type: ignore[arg-type]
        files[name] = path.read_bytes()
        archive = path.with_name("static7-1-1-x.zip")
        write_zip(archive, files)
        _check_zip(archive)

    def seeds() -> list[bytes]:
        from tests.fixtures.archives import members_of

        return [members_of(_recording())[name]]  # type: ignore[arg-type]

    return Target(read, "a.npy", seeds)


def _store_manifest(path: Path) -> None:
    import striate
    from striate.errors import InputError
    from striate.recordings import pack
    from striate.recordings.archive import open_archive

    folder = path.parent / "store"
    if not folder.exists():
        folder.mkdir()
        striate.write(_recording(), path.parent / "b.zip")  # type: ignore[arg-type]
        with open_archive(path.parent / "b.zip") as archive:
            pack.pack(archive, folder)
    (folder / pack.MANIFEST).write_bytes(path.read_bytes())
    try:
        pack.load(folder)
    except pack.DamagedStoreError as error:
        raise InputError(str(error)) from None


def _manifest_seed() -> list[bytes]:
    import striate
    from striate.recordings import pack
    from striate.recordings.archive import open_archive

    with tempfile.TemporaryDirectory() as folder:
        striate.write(_recording(), Path(folder) / "b.zip")  # type: ignore[arg-type]
        store = Path(folder) / "store"
        store.mkdir()
        with open_archive(Path(folder) / "b.zip") as archive:
            pack.pack(archive, store)
        return [(store / pack.MANIFEST).read_bytes()]


def _submission() -> list[bytes]:
    from striate.submissions import Submission
    from tests.submissions.examples import example

    recording = example(final_images=0, neurons=3)[0]
    rows = len(recording.rows("test"))
    made = Submission.from_array(recording, np.ones((rows, 3), np.float32), protocol="image", tiers=["test"])
    return [bytes_of(made.write, "a.parquet")]


def _truth() -> list[bytes]:
    from striate.submissions import Truth
    from tests.submissions.examples import example

    return [bytes_of(Truth.of(example(final_images=0, neurons=3)[0]).write, "a.parquet")]


def _csv(column: str) -> bytes:
    rows = [f'{t},{i},"[0.5, 1.25, 3e-05]","[7, 9, 12]"' for t, i in ((3, 100), (4, 100), (9, 105))]
    return "\n".join([f"trial_indices,image_ids,{column},neuron_ids", *rows, ""]).encode()


def _encoder() -> object:
    from striate.models import ModelSettings, build_encoder

    core = {"layers": 2, "channels": 3, "input_kernel": 5, "hidden_kernel": 3}
    positions = {"5-1-1": np.random.default_rng(0).uniform(size=(5, 3))}
    return build_encoder(ModelSettings.model_validate({"core": core}), positions, (1, 18, 32))


def _weights() -> list[bytes]:
    from striate.models import save

    return [bytes_of(lambda path: save(_encoder(), path), "weights.safetensors")]  # type: ignore[arg-type]


def _published() -> list[bytes]:
    import torch

    from tests.models.test_weights import published_state

    return [bytes_of(lambda path: torch.save(published_state(), path), "a.pth")]


def _checkpoint(path: Path) -> None:
    import torch

    from striate.training import checkpoints

    encoder = _encoder()
    checkpoints.read(path, encoder, None, torch.optim.Adam(encoder.parameters()))  # type: ignore[attr-defined, arg-type]


def _checkpoint_seed() -> list[bytes]:
    import torch

    from striate.training import checkpoints

    encoder = _encoder()
    adam = torch.optim.Adam(encoder.parameters())  # type: ignore[attr-defined]
    write = lambda path: checkpoints.write(path, encoder, None, {}, adam, checkpoints.Progress())  # type: ignore[arg-type] # noqa: E731
    return [bytes_of(write, "checkpoint.safetensors")]


def _run(path: Path) -> None:
    from striate.training import Run

    (path.parent / "recipe.toml").write_text("")
    run = Run.open(path.parent)
    repr(run)
    assert all(isinstance(session, str) for session in run.sessions)


def _table(path: Path) -> None:
    from striate.parquet import read_table

    read_table(path, "write it again")


def _tables() -> list[bytes]:
    table = pd.DataFrame({"recording": ["a", "a", "b"], "unit_id": [1, 2, 3], "x": [0.5, np.nan, 2.0]})
    return [bytes_of(table.to_parquet, "a.parquet")]


def _scorecard() -> list[bytes]:
    import striate
    from striate.submissions import Submission
    from tests.submissions.examples import example

    recording = example(final_images=0, neurons=3)[0]
    rows = len(recording.rows("test"))
    values = np.random.default_rng(0).uniform(size=(rows, 3)).astype(np.float32)
    made = Submission.from_array(recording, values, protocol="image", tiers=["test"])
    return [bytes_of(striate.score(made, recording).write, "scorecard.json")]


def _simulated() -> list[bytes]:
    from striate.simulate import simulate

    made = simulate(neurons=3, image_shape=(8, 12), train=4, validation=2, test_images=2, seed=1)
    return [bytes_of(made.truth.write, "truth.npz")]


def _npz() -> list[bytes]:
    from tests.fixtures.recordings import small_recording

    recording = small_recording(neurons=2, training=2, validation=1, test_images=1, repeats=2, shape=(3, 4))
    content = io.BytesIO()
    arrays = {
        "images": recording.images,
        "responses": recording.responses,
        "trials/tier": recording.trials["tier"].to_numpy(str),
    }
    np.savez_compressed(content, **arrays, **{f"neurons/{name}": recording.neurons[name] for name in "xyz"})
    return [content.getvalue()]


def _hdf5() -> list[bytes]:
    import h5py

    def write(path: Path) -> None:
        with h5py.File(path, "w") as file:
            file["images"] = np.zeros((4, 3, 4), np.uint8)
            file["responses"] = np.zeros((4, 2))
            for name in "xyz":
                file[f"neurons/{name}"] = np.arange(2.0)
            file["trials/tier"] = ["train", "train", "test", "test"]

    return [bytes_of(write, "a.h5")]


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


def _keys() -> list[bytes]:
    """What the portal must know of the trials, without its database."""
    from striate.competition import arrays
    from striate.competition.live import LiveTruth

    live = LiveTruth.read(next(competition().rglob("live-truth.npz")))
    content: dict[str, object] = {"version": "1", "rules": live.rules_text}
    for name, keys in live.final_keys.items():
        for field in ("unit_ids", "tier", "trial_idx", "image_id"):
            content[f"{name}/{field}"] = getattr(keys, field)
    return [arrays.dump(content)]  # type: ignore[arg-type]


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
        archive.writestr("a.npy", _npy()[0])
    with tarfile.open(fileobj=tar, mode="w") as opened:
        info = tarfile.TarInfo("a.csv")
        info.size = 8
        opened.addfile(info, io.BytesIO(b"1.5,2.5\n"))
    return [packed.getvalue(), tar.getvalue(), *_hdf5(), *_tables(), _npy()[0]]


def _text(read: Callable[[str], object]) -> Read:
    return lambda path: read(path.read_bytes().decode(errors="replace"))


def _rules(path: Path) -> None:
    from striate.competition.rules import read_rules

    read_rules(path)


def _recipe(path: Path) -> None:
    from striate.training.recipe import load_recipe

    load_recipe(path)


def _recipes() -> list[bytes]:
    from striate.training.recipe import recipe_text

    return [recipe_text(name).encode() for name in ("cnn", "ln-small-behavior")]


def _override(text: str) -> None:
    from striate.training.recipe import load_recipe

    load_recipe("cnn", [text])


def _dataset(path: Path) -> None:
    from striate.catalog import catalogue

    catalogue._read(path, "sensorium2022")


def _datasets() -> list[bytes]:
    from importlib.resources import files

    return [(files("striate.catalog") / "datasets" / "sensorium2022.toml").read_bytes()]


def _manifest(path: Path) -> None:
    from striate.fetch.describe import About
    from striate.fetch.manifests import parsed_manifest

    parsed_manifest(path.read_bytes(), "https://host.example/data/manifest.toml", About())


def _manifests() -> list[bytes]:
    import tomllib

    toml = _datasets()[0]
    return [toml, json.dumps(tomllib.loads(toml.decode())).encode()]


def _card(path: Path) -> None:
    from striate.portal.entries.card import read_card

    read_card(path)


def _metadata(name: str) -> Read:
    def read(path: Path) -> None:
        from django.conf import settings

        if not settings.configured:
            settings.configure(USE_I18N=False)
        from striate.portal.hosting.metadata import described

        described({name: path.read_bytes()}, {"title": "A", "publisher": "B"})

    return read


def _model(room: str, name: str) -> Read:
    """A reader of striate's own notes, which takes a damaged file for none."""

    def read(path: Path) -> None:
        from importlib import import_module

        module = import_module(room)
        if name == "Partial":
            target = path.with_name("a.part")
            target.write_bytes(b"1234567890")
            path.rename(path.with_name("a.part.json"))
            partial = module.Partial(target)
            assert 0 <= partial.size <= 10
        else:
            getattr(module, name)(path)

    return read


def _image(path: Path) -> None:
    from striate.loading.raw_images import RawImages

    list(RawImages(path))


def _images() -> list[bytes]:
    from PIL import Image

    made = []
    for kind in ("png", "bmp"):
        content = io.BytesIO()
        Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8)).save(content, kind)
        made.append(content.getvalue())
    return made


def _run_inputs(path: Path) -> None:
    from striate.training.standardised_inputs import RunInputs

    RunInputs.read(path)


def _run_inputs_seed() -> list[bytes]:
    from striate.training.standardised_inputs import RunInputs, SessionInputs

    one = SessionInputs.of(_recording(), behavior=True, pupil_center=True)  # type: ignore[arg-type]
    return [bytes_of(RunInputs(recordings={"7-1-1": one}).write, "inputs.json")]


def _lazy(room: str, name: str) -> Read:
    def read(path: Path) -> object:
        from importlib import import_module

        return attrgetter(name)(import_module(room))(path)

    return read


def _backup(path: Path) -> None:
    from striate.portal.organising import restore

    with restore._opened(path, PASSPHRASE) as archive:
        restore._about(path, archive, archive.next())


def _backups() -> list[bytes]:
    from striate.portal.organising.backup_format import ABOUT, FORMAT

    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as opened:
        about = json.dumps({"format": FORMAT, "made": "now", "striate": "1"}).encode()
        info = tarfile.TarInfo(ABOUT)
        info.size = len(about)
        opened.addfile(info, io.BytesIO(about))
    return [content.getvalue()]


_CARD = b'summary = "A core and a readout."\nensemble = 3\npeople = ["A"]\ncode = "https://a.example"\n[data]\nrecordings = "all"\n'
_CFF = b"cff-version: 1.2.0\ntitle: A\nmessage: Cite it.\nauthors:\n- family-names: B\n  given-names: C\n  orcid: https://orcid.org/0000-0002-1825-0097\nkeywords: [a, b]\n"
_META = b'title = "A"\npublisher = "B"\nyear = 2022\nkeywords = ["a"]\n[[creators]]\nfamily = "C"\n[licence]\nname = "CC"\nterms = "x"\n'
_PARTIAL = b'{"origin": {"address": "https://a.example/a.zip", "etag": "x", "total": 10}, "synced": 5, "boot": "x"}'
_POINTER = b"/annex/objects/MD5E-s423--d41d8cd98f00b204e9800998ecf8427e.zip\n"

TARGETS: dict[str, Target] = {
    "recipe": Target(_recipe, "recipe.toml", _recipes),
    "override": Target(
        _text(_override), "a.txt", lambda: [b"data.batch_size=64", b"model.core={layers=2}", b"description=x"]
    ),
    "rules": Target(_rules, "competition.toml", _of_competition("made/**/competition.toml")),
    "method-card": Target(_card, "card.toml", lambda: [_CARD]),
    "catalogue": Target(_dataset, "sensorium2022.toml", _datasets),
    "manifest-of-a-host": Target(_manifest, "manifest.toml", _manifests),
    "dataset.toml": Target(_metadata("dataset.toml"), "dataset.toml", lambda: [_META]),
    "citation": Target(_metadata("CITATION.cff"), "CITATION.cff", lambda: [_CFF]),
    "weights": Target(_lazy("striate.models", "load"), "weights.safetensors", _weights),
    "published-weights": Target(_lazy("striate.models.published", "load"), "a.pth", _published),
    "checkpoint": Target(_checkpoint, "checkpoint.safetensors", _checkpoint_seed),
    "provenance": Target(
        _run,
        "provenance.json",
        lambda: [b'{"status": "finished", "recordings": [{"session": "7-1-1", "fingerprint": "ab"}], "seed": 1}'],
    ),
    "run-inputs": Target(_run_inputs, "inputs.json", _run_inputs_seed),
    "table": Target(_table, "a.parquet", _tables),
    "scorecard": Target(_lazy("striate.submissions.scorecard", "Scorecard.read"), "scorecard.json", _scorecard),
    "submission": Target(_lazy("striate.submissions", "open_submission"), "a.parquet", _submission),
    "truth": Target(_lazy("striate.submissions", "open_truth"), "a.parquet", _truth),
    "csv-submission": Target(
        _lazy("striate.submissions", "open_submission"), "submission_file_live_test.csv", lambda: [_csv("prediction")]
    ),
    "csv-truth": Target(
        _lazy("striate.submissions", "open_truth"), "ground_truth_file_test.csv", lambda: [_csv("responses")]
    ),
    "simulated-truth": Target(_lazy("striate.simulate", "SimulatedTruth.read"), "truth.npz", _simulated),
    "live-truth": Target(_live_truth, "live.npz", _of_competition("**/*live*.npz")),
    "vault": Target(_vault, "a.vault", _of_competition("made/secret/vault")),
    "vault-contents": Target(_opened_vault, "a.vault", _vault_contents),
    "sealed-stream": Target(_sealed_stream, "a.sealed", _sealed_seed),
    "portal-keys": Target(_lazy("striate.portal.receiving.keys", "read_keys"), "keys.npz", _keys),
    "manifest": _in_folder("manifest", "Manifest", "manifest.json", "**/manifest.json"),
    "commitment": _in_folder("commitment", "Commitment", "commitment.json", "**/commitment.json"),
    "results": _in_folder("results", "Results", "results.json", "**/results.json"),
    "openings": _in_folder("results", "Openings", "openings.json", "**/openings.json"),
    "receipts": Target(_receipts, "receipts.jsonl", _of_competition("**/receipts.jsonl")),
    "recording": Target(_check_zip, "static7-1-1-x.zip", _zip),
    "npy": Target(_parse_npy, "a.npy", _npy),
    "tiers": _member("meta/trials/tiers.npy"),
    "trial-indices": _member("meta/trials/trial_idx.npy"),
    "unit-ids": _member("meta/neurons/unit_ids.npy"),
    "coordinates": _member("meta/neurons/cell_motor_coordinates.npy"),
    "image": _member("data/images/0.npy"),
    "responses": _member("data/responses/1.npy"),
    "packed-store": Target(_store_manifest, "recording.json", _manifest_seed),
    "npz-to-convert": Target(_lazy("striate.recordings.array_files", "read_arrays"), "a.npz", _npz),
    "hdf5-to-convert": Target(_lazy("striate.recordings.array_files", "read_arrays"), "a.h5", _hdf5),
    "csv-to-convert": Target(
        _lazy("striate.recordings.array_files", "read_table"),
        "a.csv",
        lambda: [b"unit_id,x,y,area\n1,2.5,3,V1\n2,1e3,4,LM\n"],
    ),
    "parquet-to-convert": Target(_lazy("striate.recordings.array_files", "read_table"), "a.parquet", _tables),
    "npy-to-convert": Target(_lazy("striate.recordings.array_files", "read_array"), "a.npy", _npy),
    "picture": Target(_image, "a.png", _images),
    "fetched-part": Target(_model("striate.fetch.partial", "Partial"), "a.json", lambda: [_PARTIAL]),
    "annex-pointer": Target(_lazy("striate.catalog.annex", "pointer_at"), "a.zip", lambda: [_POINTER]),
    "backup": Target(_backup, "backup.tar", _backups),
    "searched-for-secrets": Target(_secret, "a", _containers),
}
