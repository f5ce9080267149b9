"""A whole competition is played: seven mice, four participants, and the same once more with a leak."""

from datetime import timedelta

import numpy as np
import pytest
from tests.competition.examples import AFTER, DURING, OTHER, PASSPHRASE, SEED, STARTS, TRACK, TRACK_PLUS, small_rules
from tests.competition.planted import altered

import striate
from striate.competition import Receipts, Vault, audit, build, close, commit, score_live, simulated, submit, verify
from striate.competition.manifest import Manifest, listed_file
from striate.recordings.layout import archive_stem
from striate.submissions import Submission

MICE = {
    "neurons": 60,
    "train": 500,
    "validation": 80,
    "test_images": 12,
    "final_images": 12,
    "repeats": 6,
    "image_shape": (36, 64),
    "reliability": 0.45,
    "behavior_gain": 0.6,
}
PRETRAINING = [OTHER, "14-1-1", "15-1-1", "16-1-1", "17-1-1"]


@pytest.fixture(scope="module")
def mice():
    """Seven mice in full, as in 2022; more than one test builds a competition of them."""
    rules = small_rules(pretraining__sessions=PRETRAINING)
    return list(simulated(rules, MICE, SEED.simulation))


@pytest.fixture(scope="module")
def good(mice, tmp_path_factory):
    rules = small_rules(pretraining__sessions=PRETRAINING)
    folder = tmp_path_factory.mktemp("good")
    made = build(rules, mice, folder / "public", folder / "secret", PASSPHRASE, seed=SEED)
    commit(made.folder, Vault.read(made.vault, PASSPHRASE), at=STARTS - timedelta(days=1))
    return made


@pytest.fixture(scope="module")
def models(good, tmp_path_factory):
    """What participants train on the public part with existing recipes."""
    folder = tmp_path_factory.mktemp("models")
    public = opened(good)
    return {
        name: striate.train(recipe, public, folder / name, progress=False, overrides={"schedule.max_epochs": 10})
        for name, recipe in (("LN", "ln-small"), ("CNN", "cnn-small"))
    }


def opened(made):
    return striate.open(made.folder / "archives" / f"{archive_stem(TRACK)}.zip")


def answer(public, values):
    return Submission.from_array(public, values, protocol="image", track="sensorium")


def constant(public):
    rows = sum(len(public.rows(tier)) for tier in ("test", "final_test"))
    rates = striate.data.Standardisation.from_recording(public).responses(
        np.asarray(public.responses[public.rows("train")])
    )
    return answer(public, np.tile(rates.mean(axis=0), (rows, 1)))


def of_model(public, run):
    return answer(public, striate.predict(run, public).values)


def with_order(public, run, order):
    """The cheat: how active the population was in the training trials shown right before and after each test trial."""
    train = np.flatnonzero(public.trials["tier"].isin(("train", "validation")).to_numpy())
    tests = np.concatenate([public.rows("test"), public.rows("final_test")])
    activity = (public.responses[train] / public.statistics["responses"].std).mean(axis=1)
    near = np.exp(-np.abs(order[tests][:, None] - order[train][None]) / 1.5)
    gain = (near @ (activity / activity.mean()) + 0.5) / (near.sum(axis=1) + 0.5)
    return answer(public, striate.predict(run, public).values * gain[:, None])


def play(made, entries, folder):
    """Submit, score live, close, verify."""
    live = {}
    for hour, (team, submission) in enumerate(entries.items()):
        file = folder / f"{team}.parquet"
        submission.write(file)
        live[team] = score_live(file, made.live_truth, bootstrap=0).ranking.mean
        submit(made.folder, file, team, folder / "store", at=DURING + timedelta(hours=hour))
    vault = Vault.read(made.vault, PASSPHRASE)
    results = close(made.folder, vault, folder / "store", folder / "results", at=AFTER, release=True)
    verification = verify(made.folder, results=folder / "results", store=folder / "store")
    assert verification.ok, [c for c in verification.checks if c.ok is False]
    assert len(Receipts.read(made.folder).entries) == len(entries)
    return live, next(board for board in results.boards if board.track == "sensorium")


@pytest.mark.slow
def test_a_fair_competition_is_won_by_the_best_model(good, models, tmp_path):
    for vault in (None, Vault.read(good.vault, PASSPHRASE)):
        report = audit(good.folder, vault)
        assert [f"{f.rule} {f}" for f in report if f.severity != "note"] == []
    public = opened(good)
    entries = {
        "constant": constant(public),
        "LN": of_model(public, models["LN"]),
        "CNN": of_model(public, models["CNN"]),
        # all that is left to the cheat is the number of the file
        "cheat": with_order(public, models["LN"], np.arange(len(public.trials))),
    }
    live, board = play(good, entries, tmp_path)
    assert live["constant"] == 0
    assert live["CNN"] > live["LN"] > live["constant"]
    assert board.winners == ["CNN"]
    place = [row.team for row in board.rows]
    assert place[0] == "CNN"
    assert place[-1] == "constant"
    scores = {row.team: row.score for row in board.rows}
    assert scores["cheat"] < scores["CNN"]
    assert {row.team: row.band for row in board.rows}["constant"] > 1


@pytest.mark.slow
def test_a_badly_built_one_is_won_by_the_cheat_and_the_audit_says_so_before(mice, models, tmp_path):
    rules = small_rules(pretraining__sessions=PRETRAINING, tracks__0__metric="single_trial_correlation")
    made = build(rules, mice, tmp_path / "public", tmp_path / "secret", PASSPHRASE)
    vault = Vault.read(made.vault, PASSPHRASE)
    public = opened(made)
    seconds = vault.mappings[TRACK].order * 2.5
    clock = [f"Timestamp('2022-06-01 {int(s) // 3600:02d}:{int(s) // 60 % 60:02d}:{int(s) % 60:02d}')" for s in seconds]
    leaky = altered(public, trials=public.trials.assign(frame_trial_ts=clock), keep_statistics=True)
    archive = made.folder / "archives" / f"{archive_stem(TRACK)}.zip"
    striate.write(leaky, archive, overwrite=True)
    manifest = Manifest.read(made.folder)
    files = tuple(listed_file(made.folder, f.path, f.session, f.track) for f in manifest.files)
    (made.folder / "manifest.json").write_text(manifest.model_copy(update={"files": files}).model_dump_json())
    assert {f.rule for f in audit(made.folder) if f.severity == "error"} == {"trial-time"}

    commit(made.folder, vault, at=STARTS - timedelta(days=1))  # the organiser does not listen
    public = opened(made)
    order = np.argsort(np.argsort(public.trials["frame_trial_ts"].to_numpy()))
    entries = {
        "constant": constant(public),
        "LN": of_model(public, models["LN"]),
        "CNN": of_model(public, models["CNN"]),
        "cheat": with_order(public, models["LN"], order),
    }
    live, board = play(made, entries, tmp_path)
    assert live["cheat"] > live["CNN"] > live["LN"]
    assert board.winners == ["cheat"]
    assert [row.team for row in board.rows] == ["cheat", "CNN", "LN", "constant"]
    assert TRACK_PLUS in rules.sessions


@pytest.mark.slow
def test_one_track_of_a_recording_of_real_size(shared, tmp_path):
    """Its 30 test images give 15 live and 15 final ones; the public part is audited clean, and trained on."""
    full = next((shared / "archives").glob("static90001-1-1*.zip"))
    rules = small_rules(
        "own", tracks__0__session="90001-1-1", tiers__live__least_images=15, tiers__final__least_images=15
    )
    made = build(rules, [full], tmp_path / "public", tmp_path / "secret", PASSPHRASE)
    vault = Vault.read(made.vault, PASSPHRASE)
    report = audit(made.folder, vault)
    assert [f"{f.rule} {f}" for f in report if f.severity != "note"] == []
    public = striate.open(next((made.folder / "archives").iterdir()))
    images = public.trials.groupby("tier")["image_id"].nunique()
    assert images["test"] == images["final_test"] == 15
    assert public.withheld_tiers == {"test", "final_test"}
    assert made.balance["main"].p > 0.5
    run = striate.train("ln-small", public, tmp_path / "run", progress=False, overrides={"schedule.max_epochs": 2})
    submission = Submission.from_array(public, striate.predict(run, public).values, protocol="image")
    submission.write(tmp_path / "LN.parquet")
    live = score_live(tmp_path / "LN.parquet", made.live_truth, bootstrap=50)
    assert live.ranking.mean > 0.05
    commit(made.folder, vault, at=STARTS - timedelta(days=1))
    submit(made.folder, tmp_path / "LN.parquet", "Alpha", tmp_path / "store", at=DURING)
    results = close(made.folder, vault, tmp_path / "store", tmp_path / "results", at=AFTER, release=True)
    assert results.boards[0].winners == ["Alpha"]
    assert verify(made.folder, results=tmp_path / "results").ok
