"""Commitment, submissions and the chain of receipts."""

import json
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.competition.examples import AFTER, DURING, PASSPHRASE, SEED, STARTS, TRACK_PLUS, built, play, small_rules

from striate.competition import Commitment, Receipts, Vault, choose, commit, score_live, submit, verify
from striate.competition.commitment import digest_of, openings
from striate.competition.receipts import parsed
from striate.errors import InputError


@pytest.fixture
def game(competition, tmp_path):
    return play(competition, tmp_path)


def said(verification):
    return [f"{check.what}: {check.detail}" for check in verification.checks if check.ok is False]


# ---- the commitment


def test_a_commitment_is_opened_by_the_vault_and_by_nothing_else(game):
    commitment = Commitment.read(game.folder)
    opened = openings(game.vault)
    assert commitment.disagreements(opened) == []
    assert (
        set(opened)
        == set(commitment.digests)
        >= {
            "rules",
            "scorer",
            "seed",
            "live truth of sensorium",
            "final truth of sensorium+",
            "split of sensorium",
            "key of 11-1-1",
        }
    )
    for name, opening in opened.items():
        other = opening.model_copy(update={"content": opening.content + "0"})
        assert commitment.disagreements({name: other}) == [name]
        assert digest_of(name, opening.model_copy(update={"salt": "00" * 16})) != commitment.digests[name]
    assert not commitment.late


def test_a_commitment_gives_nothing_away(game):
    text = (game.folder / "commitment.json").read_text()
    for secret in (str(SEED.value), SEED.trial_key("11-1-1").hex(), game.vault.final["sensorium"].fingerprint):
        assert secret not in text
    public = openings(game.vault, release=False)
    assert not any(name.startswith(("key", "order", "seed")) for name in public)


def test_a_late_commitment_says_so(competition, tmp_path):
    import shutil

    shutil.copytree(competition.folder, tmp_path / "public")
    assert commit(tmp_path / "public", Vault.read(competition.vault, PASSPHRASE), at=DURING).late
    assert any("in time" in line for line in said(verify(tmp_path / "public")))


@pytest.mark.slow
def test_one_commits_once_and_to_what_was_built(game, tmp_path):
    with pytest.raises(InputError, match="exists already"):
        commit(game.folder, game.vault, at=STARTS)
    other = built(tmp_path / "other", small_rules(title="Another"))
    with pytest.raises(InputError, match="another competition"):
        commit(other.folder, game.vault, at=STARTS)
    archive = next((other.folder / "archives").iterdir())
    archive.write_bytes(archive.read_bytes() + b"x")
    with pytest.raises(InputError, match="not as it was built"):
        commit(other.folder, Vault.read(other.vault, PASSPHRASE), at=STARTS)


# ---- submissions


def test_a_submission_gets_a_receipt_and_is_kept(game):
    receipt = game.submit("Alpha", 0.5)
    assert (receipt.number, receipt.team, receipt.track, receipt.protocol) == (1, "Alpha", "sensorium", "image")
    assert (game.store / f"{receipt.sha256}.parquet").is_file()
    chain = Receipts.read(game.folder)
    assert chain.entries == (receipt,)
    assert chain.problems() == []
    assert chain.head == receipt.digest
    assert parsed(receipt.model_dump_json(), "") == receipt
    assert "predict" not in (game.folder / "receipts.jsonl").read_text()


def test_a_live_score_needs_the_live_truth_only(game):
    scores = [score_live(game.file(skill), game.built.live_truth, bootstrap=50) for skill in (0.0, 0.5, 1.0)]
    means = [score.ranking.mean for score in scores]
    assert means[0] < means[1] < means[2]
    assert means[2] == pytest.approx(1, abs=1e-3)
    assert scores[1].board.track.name == "sensorium"
    assert scores[1].ranking is scores[1].scorecard.tiers["test"].correlation_to_average
    assert list(scores[1].scorecard.tiers) == ["test"]


def test_boards_are_found_by_session_and_protocol(game):
    plus = game.submit("Alpha", 0.5, "sensorium+", protocol="image + behaviour")
    assert (plus.track, plus.protocol) == ("sensorium+", "image + behaviour")
    assert game.submit("Alpha", 0.5, "sensorium+").protocol == "image"


def few(game, **changes):
    whole = game.file(0.5)
    from striate.submissions import Submission

    submission = Submission.read(whole)
    rows = np.arange(len(submission.tier)) if "rows" not in changes else changes.pop("rows")(submission)
    import dataclasses

    part = {n: getattr(submission, n)[rows] for n in ("tier", "trial_idx", "image_id", "predictions")}
    path = game.scratch / "few.parquet"
    dataclasses.replace(submission, **part, **changes).write(path)
    return path


BROKEN = {
    "the live tier alone": ({"rows": lambda s: s.tier == "test"}, "tiers"),
    "a trial less": ({"rows": lambda s: np.arange(len(s.tier)) > 0}, "lacks 1 trial"),
    "another session": ({"session": "99-1-1"}, "no track's"),
    "another track": ({"track": "sensorium+"}, "names track 'sensorium\\+', but"),
    "a protocol that is not allowed": ({"protocol": "image + behaviour"}, "allows image"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_does_not_answer_its_track_gets_neither_score_nor_receipt(name, game):
    changes, message = BROKEN[name]
    file = few(game, **changes)
    with pytest.raises(InputError, match=message):
        submit(game.folder, file, "Alpha", game.store, at=DURING)
    with pytest.raises(InputError):
        score_live(file, game.built.live_truth)
    assert not Receipts.read(game.folder).entries


@pytest.mark.slow
@pytest.mark.parametrize(
    ("team", "hours", "message"),
    [
        ("Alpha", -24 * 60, "no phase is on"),
        ("Alpha", 24 * 100, "'evaluation' takes none"),
        ("CNN baseline", 0, "organiser's own"),
        ("", 0, "cannot name a team"),
        ("a\nb", 0, "cannot name a team"),
        ("<script>", 0, "cannot name a team"),
    ],
)
def test_who_and_when(team, hours, message, game):
    with pytest.raises(InputError, match=message):
        game.submit(team, 0.5, hours=hours)
    assert not Receipts.read(game.folder).entries


def test_a_moment_needs_its_zone(game):
    with pytest.raises(InputError, match="no time zone"):
        submit(game.folder, game.file(0.5), "Alpha", game.store, at=DURING.replace(tzinfo=None))


def test_limits_hold_for_each_team_and_board(game):
    for hour in (0, 1):
        game.submit("Alpha", 0.4, hours=hour)
    with pytest.raises(InputError, match=r"2 times to sensorium, image within 24 hours.*again from 2026-04-02T00:00"):
        game.submit("Alpha", 0.4, hours=2)
    game.submit("Alpha", 0.4, "sensorium+", hours=2)
    game.submit("Beta", 0.4, hours=3)
    game.submit("CNN baseline", 0.4, hours=3, baseline=True)
    game.submit("Alpha", 0.4, hours=24)


@pytest.mark.slow
def test_a_limit_in_total_and_one_of_size(competition, tmp_path):
    made = built(tmp_path / "built", small_rules(limits={"in_total": 1, "per_day": 5, "megabytes": 1}))
    game = play(made, tmp_path)
    game.submit("Alpha", 0.4)
    with pytest.raises(InputError, match="1 are allowed in all"):
        game.submit("Alpha", 0.4, hours=100)
    large = tmp_path / "large.parquet"
    large.write_bytes(b"PAR1" * 300_000)
    with pytest.raises(InputError, match="1 are allowed"):
        submit(game.folder, large, "Beta", game.store, at=DURING)


def test_baselines_are_those_of_the_rules(game):
    assert game.submit("CNN baseline", 0.3, baseline=True).baseline
    with pytest.raises(InputError, match="no baseline 'GPT'"):
        game.submit("GPT", 0.3, baseline=True)
    with pytest.raises(InputError, match="stands in sensorium"):
        game.submit("CNN baseline", 0.3, "sensorium+", baseline=True)


def test_submissions_are_not_kept_in_public(game):
    with pytest.raises(InputError, match="beneath a folder that is published"):
        submit(game.folder, game.file(0.5), "Alpha", game.folder / "store", at=DURING)


def test_nothing_is_received_before_the_commitment(competition):
    with pytest.raises(InputError, match="commit first"):
        Receipts.read(competition.folder)


def test_a_choice_is_a_receipt(game):
    first = game.submit("Alpha", 0.5)
    game.submit("Beta", 0.5, hours=1)
    chosen = choose(game.folder, "Alpha", 1, at=DURING + timedelta(hours=2))
    assert (chosen.kind, chosen.chosen, chosen.sha256) == ("choice", 1, first.sha256)
    assert choose(game.folder, "Alpha", 1, at=DURING + timedelta(hours=3)) == chosen, "the same choice is no change"
    assert len(Receipts.read(game.folder).entries) == 3
    with pytest.raises(InputError, match="its receipts: 1"):
        choose(game.folder, "Alpha", 2, at=DURING + timedelta(hours=3))
    with pytest.raises(InputError, match="No phase is on"):
        choose(game.folder, "Alpha", 1, at=AFTER + timedelta(days=100))


@pytest.mark.slow
def test_only_where_the_rules_let_teams_choose(tmp_path):
    game = play(built(tmp_path / "built", small_rules(ranking={"choice": "last", "resamples": 100})), tmp_path)
    game.submit("Alpha", 0.5)
    with pytest.raises(InputError, match="nothing to choose"):
        choose(game.folder, "Alpha", 1, at=DURING)


# ---- the chain


HASH = "a" * 64


def chain(length, seed=0):
    receipts = Receipts("0" * 64)
    for number in range(length):
        receipts = receipts.added(
            at=DURING + timedelta(minutes=number), team=f"team {number % 3}", track="t", protocol="image", sha256=HASH
        )
    return receipts


@settings(max_examples=40)
@given(length=st.integers(1, 12), data=st.data())
def test_whatever_is_changed_in_a_chain_is_seen(length, data):
    whole = chain(length)
    assert whole.problems() == []
    entries = list(whole.entries)
    at = data.draw(st.integers(0, length - 1))
    kind = data.draw(st.sampled_from(["drop", "double", "team", "time", "hash", "rehash", "swap"]))
    last = at == length - 1
    if kind == "drop":
        del entries[at]
    elif kind == "double":
        entries.insert(at, entries[at])
    elif kind == "swap":
        entries[at], entries[-1] = entries[-1], entries[at]
    else:
        change = {"team": "cheat"} if kind in ("team", "rehash") else {"sha256": "b" * 64}
        change = {"at": entries[at].at - timedelta(days=1)} if kind == "time" else change
        entries[at] = entries[at].model_copy(update=change)
        if kind == "rehash":
            entries[at] = entries[at].model_copy(update={"digest": entries[at].digested()})
    changed = Receipts(whole.anchor, tuple(entries))
    unseen = (last and kind in ("drop", "rehash", "swap")) or (kind == "swap" and at == length - 1)
    if unseen:  # the end of a chain is sealed by whoever has seen its head
        assert kind == "swap" or not changed.holds(whole.head)
    else:
        assert changed.problems()


def test_a_chain_hangs_on_its_commitment():
    whole = chain(3)
    assert Receipts("1" * 64, whole.entries).problems() == ["receipt 1 does not follow the commitment"]


def test_receipts_are_given_in_the_order_of_time():
    with pytest.raises(InputError, match="before the last one"):
        chain(2).added(at=DURING, team="x", track="t", protocol="image", sha256=HASH)


def test_a_participant_who_kept_a_receipt_sees_what_was_done(game):
    first, second = game.submit("Alpha", 0.3), game.submit("Beta", 0.6, hours=1)
    everything = {"receipts": [first, second], "head": second.digest, "store": game.store}
    assert verify(game.folder, **everything).ok
    lines = (game.folder / "receipts.jsonl").read_text().splitlines()
    (game.folder / "receipts.jsonl").write_text(lines[0] + "\n")  # the last one is dropped: the chain itself is whole
    assert verify(game.folder).ok
    assert said(verify(game.folder, **everything)) == [
        f"receipt 2: of 'Beta', {second.at.isoformat()}: it is not part of the chain (any more)",
        "head seen before: not part of the chain (any more)",
    ]
    edited = json.loads(lines[0]) | {"team": "Gamma"}
    (game.folder / "receipts.jsonl").write_text(json.dumps(edited) + "\n" + lines[1] + "\n")
    assert "receipt 1 was changed" in said(verify(game.folder))[0]
    with pytest.raises(InputError, match="chain of receipts is broken"):
        game.submit("Alpha", 0.3, hours=2)
    (game.folder / "receipts.jsonl").write_text("nonsense\n")
    with pytest.raises(InputError, match=r"line 1 is no receipt"):
        verify(game.folder)


def test_changed_files_and_lost_submissions_are_seen(game):
    receipt = game.submit("Alpha", 0.3)
    (game.store / f"{receipt.sha256}.parquet").write_bytes(b"something else")
    assert said(verify(game.folder, store=game.store)) == ["kept submissions: missing or changed: those of receipts 1"]
    rules = game.folder / "competition.toml"
    rules.write_text(rules.read_text().replace('winner = "best"', 'winner = "band"'))
    assert any("competition.toml" in line for line in said(verify(game.folder)))


def test_many_at_once_make_one_chain(game):
    from concurrent.futures import ThreadPoolExecutor

    files = [game.file(0.3, "sensorium+", seed=seed) for seed in range(6)]
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(submit, game.folder, f, f"team {n}", game.store, at=DURING) for n, f in enumerate(files)]
        numbers = sorted(job.result().number for job in jobs)
    assert numbers == [1, 2, 3, 4, 5, 6]
    assert Receipts.read(game.folder).problems() == []
    assert {receipt.track for receipt in Receipts.read(game.folder).entries} == {"sensorium+"}
    assert TRACK_PLUS == "12-1-1"
