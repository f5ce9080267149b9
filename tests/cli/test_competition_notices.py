"""The commands for what an organiser decides while a competition runs."""

import json

import pytest
from tests.competition.examples import DURING, PASSPHRASE, play

from striate.competition import sealed


@pytest.fixture
def game(competition, tmp_path, monkeypatch):
    monkeypatch.setattr(sealed, "COST", 12)
    monkeypatch.setenv("STRIATE_PASSPHRASE", PASSPHRASE)
    return play(competition, tmp_path)


@pytest.mark.slow
def test_a_deadline_is_extended_a_team_disqualified_and_everybody_sees_it(striate, game, tmp_path):
    at = ("--at", "2026-04-03T12:00:00Z")
    game.submit("Cheat & Co", 0.9)
    game.submit("Honest", 0.5, hours=1)
    out = striate("amend", game.folder, "--phase", "live", "--ends", "2026-07-13", "--why", "The server was away.", *at)
    assert "phase live: 2026-03-01T00:00+00:00 to 2026-07-13T00:00+00:00" in out
    assert "phase evaluation: 2026-07-13T00:00+00:00" in out
    assert "notice 3" in out
    out = striate("disqualify", game.folder, "--team", "Cheat & Co", "--why", "Two accounts.", *at)
    assert "out of the ranking" in out
    striate("disqualify", game.folder, "--team", "Honest", "--why", "A mistake.", *at)
    out = striate("disqualify", game.folder, "--team", "Honest", "--why", "It was another.", "--reinstate", *at)
    assert "in the ranking again" in out
    shown = striate("in-force", game.folder)
    assert "ends on 2026-07-13T00:00+00:00, and before it ended on 2026-06-29T00:00+00:00, because: The server" in shown
    assert "team 'Cheat & Co' is disqualified since 2026-04-03T12:00+00:00, because: Two accounts." in shown
    standing = json.loads(striate("in-force", game.folder, "--json"))
    assert [each["team"] for each in standing["disqualified"]] == ["Cheat & Co"]
    assert standing["phases"][0]["ends"] == "2026-07-13T00:00:00Z"
    results = ("--vault", game.built.vault, "--store", game.store, "--out", tmp_path / "results", "--release")
    assert "taken until 2026-07-13" in striate("close", game.folder, *results, "--at", "2026-07-01", status=1)
    out = striate("close", game.folder, *results, "--at", "2026-07-14")
    assert "sensorium, image: Honest won" in out
    assert "left out: Cheat & Co, disqualified since 2026-04-03T12:00+00:00: Two accounts." in out
    out = striate("verify", game.folder, "--results", tmp_path / "results")
    for words in ("amendment 3", "disqualification 4", "reinstatement 6", "2 receipts and 4 notices"):
        assert words in out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("amend", "--phase", "live", "--why", "x"), "Give a new start (--starts), a new end (--ends), or both."),
        (("amend", "--phase", "live", "--why", "x", "--ends", "soon"), "'soon' is no moment"),
        (("amend", "--phase", "live", "--why", "x", "--ends", "2026-03-02"), "choose a moment that lies ahead"),
        (("amend", "--phase", "liv", "--why", "x", "--ends", "2026-07-02"), "did you mean 'live'"),
        (("disqualify", "--team", "Bet", "--why", "x"), "did you mean 'Beta'"),
        (("disqualify", "--team", "Beta", "--why", " "), "Say why"),
        (("disqualify", "--team", "Beta", "--why", "x", "--reinstate"), "is not disqualified"),
    ],
)
def test_a_wrong_wish_gets_a_sentence(arguments, message, striate, game):
    game.submit("Beta", 0.5)
    command, *rest = arguments
    said = striate(command, game.folder, *rest, "--at", DURING.replace(day=9).isoformat(), status=1)
    assert message in " ".join(said.split())


def test_a_notice_is_printed_as_it_stands_in_the_chain(striate, game):
    at = ("--at", "2026-04-03T12:00:00Z")
    line = striate("amend", game.folder, "--phase", "live", "--ends", "2026-07-13", "--why", "x", "--json", *at)
    assert line == (game.folder / "receipts.jsonl").read_text()
