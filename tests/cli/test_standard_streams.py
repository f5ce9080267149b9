"""Output to terminals that know ASCII or Latin-1 alone: scores arrive, and nothing ends in a traceback."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.command import striate as run
from tests.fixtures.recordings import small_recording

import striate
from striate.cli.standard_streams import HANDLER, escape, make_printable
from striate.submissions import Submission


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_scores_are_printed_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    recording = small_recording("7-1-1")
    striate.write(recording, tmp_path / "Größe.zip")
    tested = recording.measured_responses("test")
    submission = Submission.from_array(recording, tested, protocol="image", tiers=["test"])
    submission.write(tmp_path / "Ωmega.parquet")
    done = run("score", tmp_path / "Ωmega.parquet", tmp_path / "Größe.zip", PYTHONIOENCODING=encoding)
    assert done.status == 0, done.err
    assert "correlation" in done.out
    if encoding == "ascii":
        assert (done.out + done.err).isascii()
    refused = run("score", tmp_path / "Ωmega.parquet", tmp_path / "Grüße.zip", PYTHONIOENCODING=encoding)
    assert refused.status == 1
    assert refused.err.startswith("error: ")
    assert "Traceback" not in refused.err


def printed(text: str, encoding: str) -> bytes:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    kept = sys.stdout
    sys.stdout = stream
    try:
        make_printable()
        print(text, end="")
        stream.flush()
        return raw.getvalue()
    finally:
        sys.stdout = kept


@pytest.mark.slow
@given(st.text(), st.sampled_from(["ascii", "latin-1", "utf-8"]))
def test_json_is_the_same_in_every_encoding(text: str, encoding: str) -> None:
    value = {"name": text}
    assert json.loads(printed(json.dumps(value, ensure_ascii=False), encoding).decode(encoding)) == value


def test_typographic_characters_become_plain() -> None:
    assert printed("0.3 ± 0.1 – 18 × 32…", "ascii") == b"0.3 +/- 0.1 - 18 x 32..."
    assert printed("0.3 ± 0.1 – 18 × 32…", "utf-8").decode() == "0.3 ± 0.1 – 18 × 32…"
    assert printed("Größe 𝛀", "ascii") == rb"Gr\u00f6\u00dfe \ud835\udec0"
    assert printed("b\udcff.zip", "utf-8") == rb"b\udcff.zip"  # a file name that is no UTF-8


def test_only_encoding_is_handled() -> None:
    with pytest.raises(UnicodeDecodeError):
        escape(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"))
    assert HANDLER == "striate.escape"


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_may_be_closed(tmp_path: Path, closed: str) -> None:
    """As some job schedulers and services start programs; files do not take the place of a stream."""
    written, out = tmp_path / "mouse.zip", tmp_path / "copy.npz"
    striate.write(small_recording("7-1-1"), written)
    generator = np.random.default_rng(0)
    np.savez(
        out,
        images=generator.integers(0, 256, (20, 6, 8), dtype=np.uint8),
        responses=generator.gamma(2.0, 1.0, (20, 2)),
        **{f"neurons/{axis}": np.arange(2.0) for axis in "xyz"},
    )
    for arguments in (["check", written], ["convert", out, "--session", "1-1-1", "--out", tmp_path / "made.zip"]):
        command = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-m", "striate", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, done.stderr
        assert not done.stderr
    assert striate.check(tmp_path / "made.zip").ok
    refused = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-m", "striate", "check", str(tmp_path / "no")]
    done = subprocess.run(refused, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 1
    assert (done.stderr == "") == ("2>&-" in closed)
