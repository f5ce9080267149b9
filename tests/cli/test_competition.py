"""The commands about competitions."""

import json
import os
import shutil
import signal

import pytest
import tomli_w
from tests.competition.examples import AFTER, DURING, PASSPHRASE, TRACK, mice, play, small_rules, tables
from tests.submissions.command import run

from striate._internal import atomic_write
from striate.competition import parse_rules, sealed
from striate.recordings import write


@pytest.fixture(autouse=True)
def cheap_vaults(monkeypatch):
    from striate.competition.probes import seeds

    monkeypatch.setattr(sealed, "COST", 12)
    monkeypatch.setattr(seeds, "_SMALL", 200)
    monkeypatch.setattr(seeds, "_SHUFFLES", 10)
    monkeypatch.setattr(seeds, "_YEARS", range(0))
    monkeypatch.setenv("STRIATE_PASSPHRASE", PASSPHRASE)


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    folder = tmp_path_factory.mktemp("full")
    return [write(recording, folder / f"{recording.session}.zip") for recording in mice()]


@pytest.fixture
def rules(tmp_path):
    (tmp_path / "competition.toml").write_text(tomli_w.dumps(tables()))
    return tmp_path / "competition.toml"


@pytest.mark.slow
def test_new_writes_a_commented_file_that_passes(striate, tmp_path):
    out = striate("new", tmp_path / "c.toml", "--starts", "2026-03-01")
    text = (tmp_path / "c.toml").read_text()
    assert parse_rules(text).name == "sensorium-2022"
    assert "striate competition build" in out
    assert "exists already" in striate("new", tmp_path / "c.toml", status=1)
    striate("new", tmp_path / "c.toml", "--overwrite", "--template", "own", "--session", "7-1-2")
    assert parse_rules((tmp_path / "c.toml").read_text()).sessions == ("7-1-2",)
    assert "no moment" in striate("new", tmp_path / "d.toml", "--starts", "soon", status=1)
    assert "did you mean 'own'" in striate("new", tmp_path / "d.toml", "--template", "owm", status=1)


@pytest.mark.slow
def test_a_competition_from_build_to_verify(striate, rules, full, tmp_path):
    public, secret, store = tmp_path / "public", tmp_path / "secret", tmp_path / "store"
    out = striate("build", rules, *full, "--out", public, "--secrets", secret)
    assert TRACK in out
    assert "no secret" not in out
    assert PASSPHRASE not in out
    vault = secret / "vault"
    assert "clean as an outsider" in striate("audit", public)
    assert "clean with the vault" in striate("audit", public, "--vault", vault)
    assert "23 commitments" not in striate("commit", public, "--vault", vault, "--at", "2026-02-01")
    from tests.competition.examples import predictions

    from striate.competition import Built, read_rules

    made = Built(read_rules(public)[0], public, secret / "live-truth.npz", vault, {}, {})
    predictions(made, "sensorium", 0.7).write(tmp_path / "a.parquet")
    assert "correlation to average on the live test 0." in striate("score", tmp_path / "a.parquet", made.live_truth)
    said = json.loads(striate("score", tmp_path / "a.parquet", made.live_truth, "--json", "--bootstrap", 0))
    assert said["metric"] == "correlation_to_average"
    moment = ("--at", DURING.isoformat())
    receipt = striate("receipt", public, tmp_path / "a.parquet", "--team", "Alpha", "--store", store, "--json", *moment)
    (tmp_path / "receipt.json").write_text(receipt)
    assert "choice of receipt 1" in striate("receipt", public, "--team", "Alpha", "--choose", 1, *moment)
    known = ("--receipt", tmp_path / "receipt.json", "--head", json.loads(receipt)["digest"])
    assert "does not hold" not in striate("verify", public, *known, "--store", store)
    late = ("--at", AFTER.isoformat())
    out = striate(
        "close", public, "--vault", vault, "--store", store, "--out", tmp_path / "results", "--release", *late
    )
    assert "sensorium, image: Alpha won" in out
    document = json.loads(striate("verify", public, "--results", tmp_path / "results", "--json"))
    assert document["ok"] is True
    assert "last digit" in json.dumps(document)


@pytest.mark.slow
def test_the_organiser_is_told_of_the_same_predictions_of_two_teams(striate, competition, tmp_path):
    game = play(competition, tmp_path)
    for hours, (team, skill) in enumerate([("Alpha", 0.5), ("Copycat", 0.5), ("Beta", 0.2)]):
        game.submit(team, skill, hours=hours)
    places = ("--vault", competition.vault, "--store", game.store, "--out", tmp_path / "results")
    out = striate("close", game.folder, *places, "--at", AFTER.isoformat())
    assert "sensorium, image: Alpha and Copycat have the same score to the last digit" in " ".join(out.split())
    assert "Beta have" not in out


@pytest.mark.slow
def test_a_leak_ends_with_status_1(striate, competition, tmp_path):
    shutil.copytree(competition.folder, tmp_path / "public")
    (tmp_path / "public" / "notes.txt").write_text("seed = 12345")
    out = striate("audit", tmp_path / "public", status=1)
    assert "seed-in-provenance" in out
    assert "leaks as an outsider" in out
    document = json.loads(striate("audit", tmp_path / "public", "--json", status=1))
    assert document["ok"] is False


def test_a_broken_chain_ends_with_status_1(striate, competition, tmp_path):
    game = play(competition, tmp_path)
    game.submit("Alpha", 0.4)
    chain = game.folder / "receipts.jsonl"
    chain.write_text(chain.read_text().replace("Alpha", "Omega"))
    out = striate("verify", game.folder, status=1)
    assert "does not hold" in out
    assert ": verified" not in out


@pytest.mark.slow
def test_simulated_recordings_are_built_from_random_bits(striate, tmp_path):
    (tmp_path / "c.toml").write_text(small_rules("own", tiers__split="given").to_toml())
    small = [
        "neurons=12",
        "train=30",
        "validation=5",
        "test_images=4",
        "final_images=4",
        "repeats=3",
        "image_shape=[18, 32]",
    ]
    settings = [word for one in small for word in ("--set", one)]
    out = striate(
        "build", tmp_path / "c.toml", "--simulate", *settings, "--out", tmp_path / "p", "--secrets", tmp_path / "s"
    )
    assert "main" in out
    where = ("--out", tmp_path / "q", "--secrets", tmp_path / "t")
    assert "key=value" in striate("build", tmp_path / "c.toml", "--simulate", "--set", "neurons", *where, status=1)
    assert "no setting 'neuron'" in striate(
        "build", tmp_path / "c.toml", "--simulate", "--set", "neuron=3", *where, status=1
    )
    assert not (tmp_path / "q").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("build", "RULES", "--out", "p", "--secrets", "s"), "or --simulate"),
        (("build", "RULES", "FULL", "--out", "p", "--secrets", "p/s"), "beneath a folder that is published"),
        (("build", "RULES", "FULL", "--out", "p", "--secrets", "s", "--set", "neurons=3"), "with --simulate"),
        (("build", "nothing.toml", "FULL", "--out", "p", "--secrets", "s"), "striate competition new"),
        (("build", "RULES", "--out", "p", "--secrets", "s", "missing.zip"), "no archive at"),
        (("audit", "nothing"), "nothing at"),
        (("audit", "PUBLIC", "--vault", "nothing"), "no vault at"),
        (("commit", "PUBLIC", "--vault", "RULES"), "no vault of striate"),
        (("verify", "PUBLIC"), "commit first"),
        (("receipt", "PUBLIC", "--team", "A"), "not both"),
        (("receipt", "PUBLIC", "RULES"), "name it"),
        (("receipt", "PUBLIC", "RULES", "--team", "A"), "--store"),
        (("score", "RULES", "RULES"), "no file of that kind"),
    ],
)
def test_wrong_calls_are_one_sentence(arguments, said, capsys, monkeypatch, competition, rules, full, tmp_path):
    monkeypatch.chdir(tmp_path)
    words = {"RULES": [rules], "FULL": full, "PUBLIC": [competition.folder]}
    code, _, err = run(capsys, monkeypatch, "competition", *[w for a in arguments for w in words.get(a, [a])])
    assert code == 1
    assert said in err
    assert err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["competition.toml"]


def test_a_passphrase_is_needed_and_never_an_argument(capsys, monkeypatch, rules, full, tmp_path):
    monkeypatch.delenv("STRIATE_PASSPHRASE")
    arguments = ("competition", "build", rules, *full, "--out", tmp_path / "p", "--secrets", tmp_path / "s")
    code, _, err = run(capsys, monkeypatch, *arguments)
    assert code == 1
    assert "--passphrase-file" in err
    (tmp_path / "phrase").write_text("short\n")
    code, _, err = run(capsys, monkeypatch, *arguments, "--passphrase-file", tmp_path / "phrase")
    assert code == 1
    assert "by trying" in err
    assert "short" not in err


@pytest.mark.slow
@pytest.mark.parametrize("moment", [0, 1, 2])
def test_a_build_that_is_stopped_leaves_nothing(full, rules, tmp_path, capsys, monkeypatch, moment):
    """SIGTERM as one of its folders is complete and has not got its name yet."""
    sync, calls = atomic_write._sync, iter(range(1000))

    def stopping(folder):
        if next(calls) == moment:
            os.kill(os.getpid(), signal.SIGTERM)
        sync(folder)

    monkeypatch.setattr(atomic_write, "_sync", stopping)
    place = tmp_path / "new"
    command = ("competition", "build", rules, *full, "--out", place / "public", "--secrets", place / "secret")
    code, _, err = run(capsys, monkeypatch, *command)
    if code == 0:
        assert next(calls) <= moment
        return
    assert (code, err) == (143, "stopped by SIGTERM\n")
    assert not (place / "public").exists() or (place / "secret").exists(), "never one without what opens it"
    assert not [p for p in place.rglob("*") if p.name.endswith(".partial")]
