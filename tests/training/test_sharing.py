"""A run can be given to others: none of its files names a folder, a host or a person."""

import getpass
import socket
import sys
from pathlib import Path

import pyarrow.parquet
import pytest
from tests.fixtures.recordings import small_recording
from tests.training.small import small_recipe

import striate
from striate.report import collect_report_data, write_report
from striate.submissions import Submission
from striate.training import predict, train
from striate.training.environment import shareable_command

HOST, PERSON = "lab-cluster-node17", "ada-lovelace"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a person on a host, both of them with names that are easily found."""
    monkeypatch.setattr(socket, "gethostname", lambda: HOST)
    monkeypatch.setattr("platform.node", lambda: HOST)
    monkeypatch.setattr(getpass, "getuser", lambda: PERSON)
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / PERSON / "cache"))
    folder = tmp_path / PERSON / "secret-project"
    folder.mkdir(parents=True)
    return folder


def contents(path: Path) -> bytes:
    """Names and bytes of what was written, Parquet files with their metadata in plain form."""
    found = []
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        found.append(str(file.relative_to(path)).encode() if file != path else b"")
        if file.is_file():
            found.append(file.read_bytes())
        if file.suffix == ".parquet":
            table = pyarrow.parquet.read_table(file)
            found.append(str((table.schema.metadata, table.to_pydict())).encode())
    return b"\n".join(found)


@pytest.mark.slow
def test_nothing_of_the_machine_is_in_what_is_shared(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    striate.write(small_recording(), home / "mouse.zip")
    recording = striate.open(home / "mouse.zip")
    monkeypatch.setattr(sys, "argv", [str(home / "bin" / "striate"), "train", f"{home}/mouse.zip", f"--out={home}/run"])
    first = train(small_recipe(schedule__max_epochs=1), recording, home / "run", progress=False)
    second = train(small_recipe(schedule__max_epochs=1), recording, home / "new", core=first.folder, progress=False)
    Submission.from_predictions(predict(first, recording)).write(home / "mine.parquet")
    models = {"first": first, "second": second.folder, "mine": home / "mine.parquet"}
    write_report(collect_report_data(recording, models, bootstrap=0), home / "report.html")
    for name in ("run", "new", "mine.parquet", "report.html"):
        written = contents(home / name)
        for secret in (HOST, PERSON, "secret-project", str(home)):
            assert secret.encode() not in written, (name, secret)
    assert "mine.parquet" in (home / "report.html").read_text()
    assert second.provenance["core"]["run"] == "run"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["/home/ada/bin/striate", "train", "cnn-small", "/data/a.zip"], ["striate", "train", "cnn-small", "a.zip"]),
        (["/x/striate/__main__.py", "train", "../a.zip", "~/b.zip"], ["striate", "train", "a.zip", "b.zip"]),
        (
            ["striate", "train", "--out=/home/ada/run", "--core", "/r/x/"],
            ["striate", "train", "--out=run", "--core", "x"],
        ),
        (["striate", "train", "sensorium2022/27204-5-13"], ["striate", "train", "sensorium2022/27204-5-13"]),
        (["striate", "train", "--set", "data.batch_size=64"], ["striate", "train", "--set", "data.batch_size=64"]),
        (["train_all.py", "--token", "s3cret"], None),
        (["/usr/lib/ipykernel_launcher.py", "-f", "/home/ada/kernel.json"], None),
        ([""], None),
        ([], None),
    ],
)
def test_a_command_keeps_names_without_folders(given: list[str], kept: list[str] | None) -> None:
    assert shareable_command(given) == kept
