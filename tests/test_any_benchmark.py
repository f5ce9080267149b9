"""A benchmark that exists in one TOML file and one plugin file goes the whole line, by commands, without a line of striate changed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import tomli_w
from benchmarks.ports import free_port

import striate
from striate.competition import Results
from striate.recordings import open as open_recording
from tests.fixtures.command import Outcome
from tests.fixtures.command import striate as command
from tests.fixtures.recordings import COLOUR_MICE

pytestmark = pytest.mark.slow

PLUGIN = '''"""A metric whose lower values are better."""

import numpy as np

from striate.metrics import describe_metric
from striate.registry import metrics


@metrics.register("mean_absolute_error")
@describe_metric("mean absolute error", higher_is_better=False)
def mean_absolute_error(responses, predictions, repeats):
    """Mean absolute difference of responses and predictions."""
    return np.abs(responses - predictions).mean(axis=0)
'''
RECIPES = {"CNN": "cnn-small", "LN": "ln-small"}
PASSPHRASE = "correct horse battery staple"


def run(*arguments: object, **environment: str) -> Outcome:
    """Run a command that must succeed."""
    done = command(*arguments, **environment)
    assert done.status == 0, (arguments, done.err or done.out)
    return done


class Line:
    """Files of the whole line, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "site").mkdir()
        self.plugin = folder / "error.py"
        self.plugin.write_text(PLUGIN)
        spec = tomllib.loads(COLOUR_MICE.read_text())
        spec["metrics"] = {
            "names": ["mean_absolute_error", "single_trial_correlation", "correlation_to_average"],
            "ranking": [{"metric": "mean_absolute_error"}],
        }
        self.benchmark = folder / "mice.toml"
        self.benchmark.write_text(tomli_w.dumps(spec))

    @property
    def public(self) -> Path:
        return self.folder / "site" / "public"

    @property
    def vault(self) -> Path:
        return self.folder / "away" / "vault"  # a portal refuses to start where it can read the vault

    @property
    def archive(self) -> Path:
        (found,) = (self.public / "archives").iterdir()
        return found

    def run(self, *arguments: object) -> Outcome:
        return run(
            *arguments, "--plugin", self.plugin, STRIATE_PASSPHRASE=PASSPHRASE, STRIATE_CACHE=str(self.folder / "cache")
        )


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Line:
    """A simulated recording, and a competition of it; two models that were trained on what is public."""
    line = Line(tmp_path_factory.mktemp("line"))
    sizes = {"neurons": 40, "train": 200, "validation": 40, "test-images": 10, "final-images": 10, "repeats": 4}
    line.run(
        *("simulate", line.folder / "full", "--benchmark", line.benchmark, "--pretraining", 1),
        *(option for name, value in sizes.items() for option in (f"--{name}", value)),
    )
    rules = line.folder / "competition.toml"
    today = datetime.now(UTC) - timedelta(days=2)
    line.run(
        *("competition", "new", rules, "--template", "own", "--benchmark", line.benchmark),
        *("--session", "mouse_b", "--starts", f"{today:%Y-%m-%d}"),
    )
    table = tomllib.loads(rules.read_text())
    assert table["tracks"][0]["metric"] == "mean_absolute_error", "the template follows the benchmark"
    assert table["tracks"][0]["withhold"] == ["behavior", "pupil_center"]
    table["ranking"]["resamples"] = 200
    table["baselines"] = []
    rules.write_text(tomli_w.dumps(table))
    line.run(
        *("competition", "build", rules, "--out", line.public, "--secrets", line.folder / "secret", "--simulate"),
        *(o for name, value in sizes.items() for o in ("--set", f"{name.replace('-', '_')}={value}")),
        *("--set", "reliability=0.5"),
    )
    before = (today - timedelta(days=1)).isoformat(timespec="seconds")
    line.run("competition", "commit", line.public, "--vault", line.folder / "secret" / "vault", "--at", before)
    line.vault.parent.mkdir()
    shutil.move(line.folder / "secret" / "live-truth.npz", line.folder / "site" / "public-live-truth.npz")
    shutil.move(line.folder / "secret" / "vault", line.vault)
    for name, recipe in RECIPES.items():
        line.run("train", recipe, line.archive, "--out", line.folder / name, "--set", "schedule.max_epochs=4")
        line.run("predict", line.folder / name, line.archive, "--out", line.folder / f"{name}.parquet", *board_tiers())
    return line


def board_tiers() -> tuple[str, ...]:
    return ("--tier", "seen", "--tier", "unseen")


def test_a_full_recording_is_checked_trained_on_predicted_and_scored(line: Line) -> None:
    (full,) = (line.folder / "full").glob("*.zip")
    recording = open_recording(full)
    assert (recording.session, recording.images.shape[1:]) == ("mouse_a", (2, 32, 48))
    assert recording.behavior.shape[1] == 5
    assert recording.tiers == ("fit", "stop", "seen", "gratings"), "a recording for pre-training has no final images"
    assert "0 errors" in line.run("check", full).out
    line.run("train", "cnn-small", full, "--out", line.folder / "run", "--set", "schedule.max_epochs=2")
    line.run("predict", line.folder / "run", full, "--out", line.folder / "full.parquet")
    card = json.loads(line.run("score", line.folder / "full.parquet", full, "--bootstrap", 50, "--json").out)
    assert list(card["tiers"]) == ["seen", "gratings"]
    error = card["tiers"]["seen"]["other"]["mean_absolute_error"]
    assert error["label"] == "mean absolute error"
    assert error["interval"]["low"] < error["mean"] < error["interval"]["high"]


def test_what_is_published_withholds_the_tiers_of_both_boards_and_no_other(line: Line) -> None:
    public = open_recording(line.archive)
    assert public.session == "mouse_b"
    assert public.withheld_tiers == {"seen", "unseen"}
    assert public.tiers == ("fit", "stop", "seen", "unseen", "gratings")
    assert public.benchmark.name == "colour-mice"
    report = line.run("competition", "audit", line.public, "--vault", line.vault).out
    assert "0 errors" in report


def test_rules_without_the_plugin_are_read_but_not_scored_with(line: Line, tmp_path: Path) -> None:
    rules = tomllib.loads((line.public / "competition.toml").read_text())
    assert rules["benchmark"]["name"] == "colour-mice", "what is published needs no other file"
    assert striate.competition.read_rules(line.public)[0].benchmark.test_tiers == ("seen", "unseen", "gratings")
    done = command("serve", line.public, "--no-browser", "--data", tmp_path / "data", "--port", free_port())
    assert done.status != 0
    assert "mean_absolute_error" in done.err
    assert "--plugin" in done.err
    assert "Traceback" not in done.err


@contextmanager
def served(line: Line, data: Path) -> Iterator[str]:
    """The portal in processes of its own."""
    port = free_port()
    arguments = ["serve", line.public, "--no-browser", "--port", port, "--data", data, "--plugin", line.plugin]
    with (line.folder / "served").open("w") as log:
        running = subprocess.Popen(
            [sys.executable, "-m", "striate", *map(str, arguments)], stdout=log, stderr=log, start_new_session=True
        )
        address = f"http://127.0.0.1:{port}/"
        try:
            until = time.monotonic() + 120
            while True:
                try:
                    urlopen(f"{address}health", timeout=5).close()
                    break
                except (URLError, OSError):
                    assert running.poll() is None, (line.folder / "served").read_text()
                    assert time.monotonic() < until
                    time.sleep(0.2)
            yield address
        finally:
            os.killpg(running.pid, signal.SIGINT)
            running.wait(60)


def fetched(address: str) -> Any:
    with urlopen(address, timeout=60) as answer:
        return json.load(answer)


def test_a_portal_ranks_it_and_the_competition_is_closed(line: Line) -> None:
    data = line.folder / "site" / "portal"
    with served(line, data) as address:
        for name in RECIPES:
            token = line.folder / f"{name}.token"
            line.run(
                *("serve", "account", line.public, name.lower(), "--email", f"{name.lower()}@example.org"),
                *("--team", name, "--token-file", token, "--data", data),
            )
            said = line.run("submit", line.folder / f"{name}.parquet", "--to", address, "--token-file", token).out
            assert "mean absolute error" in said or "mean_absolute_error" in said
        board = fetched(f"{address}boards/main-image.json")
        page = urlopen(f"{address}boards/main-image/", timeout=60).read().decode()
        (line.public / "receipts.jsonl").write_bytes(urlopen(f"{address}receipts.jsonl", timeout=60).read())
        header = urlopen(f"{address}boards/main-image.csv", timeout=60).readline().decode()
    rows = board["rows"]
    assert board["metric"] == "mean_absolute_error"
    errors = [row["metrics"]["mean_absolute_error"]["mean"] for row in rows]
    assert [row["rank"] for row in rows] == [1, 2]
    assert errors == sorted(errors), "the lowest error stands first"
    assert list(rows[0]["metrics"]) == [
        *("mean_absolute_error", "single_trial_correlation", "correlation_to_average", "cc_norm")
    ]
    assert "mean absolute error" in page
    assert "mean_absolute_error_low" in header
    assert "feve" not in header

    out = line.folder / "results"
    later = datetime.now(UTC) + timedelta(days=200)
    line.run(
        *("competition", "close", line.public, "--vault", line.vault, "--store", data / "submissions", "--out", out),
        *("--release", "--at", later.isoformat(timespec="seconds")),
    )
    results = Results.read(out)
    ranked = [row for board in results.boards for row in board.rows]
    assert [row.team for row in sorted(ranked, key=lambda row: row.rank or 0)] == [row["team"] for row in rows]
    assert all(row.behind is None or row.behind.value > 0 for row in ranked)
    assert {"mean_absolute_error", "cc_norm"} <= set(ranked[0].metrics)
    assert "plugins" in results.scorer, "which code scored is recorded"
    verified = line.run("competition", "verify", line.public, "--results", out).out
    assert "the same to the last digit" in verified
