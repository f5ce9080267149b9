"""Withheld responses in other files, in any form."""

import base64
import gzip
import io
import json
import zipfile

import numpy as np
from tests.competition.examples import PASSPHRASE
from tests.competition.planted.numbers import saved, strength
from tests.competition.planted.plot import Planted, Plot

from striate.competition import Vault
from striate.competition.manifest import Manifest, listed_file


def withheld(plot: Plot) -> np.ndarray:
    return Vault.read(plot.built.vault, PASSPHRASE).final["sensorium"].responses


def put(name: str, form):
    def plant(plot: Plot) -> None:
        file = plot.folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(form(withheld(plot)))

    return plant


def mixed(values):
    """Scaled and shifted, with neurons and trials in another order."""
    rng = np.random.default_rng(0)
    return 1.7 * values[rng.permutation(len(values))][:, rng.permutation(values.shape[1])] + 0.3


def zipped(content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("notes", content)
    return stream.getvalue()


def listed_table(plot: Plot) -> None:
    np.savetxt(plot.folder / "table.csv", mixed(withheld(plot)), delimiter=",")
    manifest = Manifest.read(plot.folder)
    files = (*manifest.files, listed_file(plot.folder, "table.csv"))
    (plot.folder / "manifest.json").write_text(manifest.model_copy(update={"files": files}).model_dump_json())


def strengths(plot: Plot) -> None:
    values = strength(plot)
    (plot.folder / "LICENSE").write_text(json.dumps(np.sort(values[~np.isnan(values)] * 3).tolist()))


def member_of_responses(plot: Plot) -> None:
    plot.member("meta/statistics/responses/all/x.npy", saved(mixed(withheld(plot)).astype(np.float16)))


PLANTED: Planted = {
    "responses in another unit and order": (put("x.npy", lambda v: saved(mixed(v))), "withheld-elsewhere", False),
    "responses in half precision": (put("x.npy", lambda v: saved(v.astype(np.float16))), "withheld-elsewhere", False),
    "responses, neurons first": (put("x.npy", lambda v: saved(mixed(v).T)), "withheld-elsewhere", False),
    "responses in a README": (
        put("README", lambda v: json.dumps(mixed(v).tolist()).encode()),
        "withheld-elsewhere",
        False,
    ),
    "an array called README": (put("README", lambda v: saved(v * 2)), "unlisted-file", True),
    "responses in base 64": (
        put("README.md", lambda v: base64.b64encode(mixed(v).astype("<f4").tobytes())),
        "withheld-elsewhere",
        False,
    ),
    "packed responses in hexadecimal digits": (
        put("README.md", lambda v: gzip.compress(saved(v)).hex().encode()),
        "withheld-elsewhere",
        False,
    ),
    "zips in zips": (
        put("notes.bin", lambda v: zipped(zipped(gzip.compress(saved(mixed(v)))))),
        "withheld-elsewhere",
        False,
    ),
    "responses among the results": (put("results/board.png", lambda v: saved(mixed(v))), "withheld-elsewhere", False),
    "another file among the results": (put("results/x.npy", lambda v: saved(v * 3)), "unlisted-file", True),
    "raw numbers": (put("commitment.json", lambda v: mixed(v).astype("<f8").tobytes()), "withheld-elsewhere", False),
    "a table that the manifest lists": (listed_table, "unlisted-file", True),
    "sorted strengths in a licence": (strengths, "withheld-elsewhere", False),
    "responses in a member": (member_of_responses, "withheld-elsewhere", False),
}
