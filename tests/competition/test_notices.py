"""What an organiser decides while a competition runs is in the chain, binds the close, and is seen by whoever verifies."""

import hashlib
import json
import shutil
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.competition.examples import AFTER, DURING, STARTS, play, small_rules

from striate.competition import (
    InForce,
    Receipts,
    Results,
    amend,
    choose,
    close,
    disqualify,
    reinstate,
    submit,
    verify,
)
from striate.competition.in_force import timings
from striate.competition.notices import Disqualification
from striate.competition.receipts import linked, parsed
from striate.errors import InputError

HASH = "a" * 64
RULES = small_rules()
CLOSES = RULES.closes
LATER = CLOSES + timedelta(days=14)
# As an older version wrote it: whoever keeps one of these must find it in a chain of today.
FROZEN = (
    '{"number":1,"kind":"submission","at":"2026-04-01T00:00:00Z","team":"Ada","track":"sensorium","protocol":"image",'
    '"sha256":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","chosen":null,"baseline":false,'
    '"previous":"0000000000000000000000000000000000000000000000000000000000000000",'
    '"digest":"7c474b7e4b56f6dcba2f133cfdb6c1aa4287e52b8e38710a5302eaa8691363d1"}',
    '{"number":2,"kind":"choice","at":"2026-04-01T01:00:00Z","team":"Ada","track":"sensorium","protocol":"image",'
    '"sha256":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","chosen":1,"baseline":false,'
    '"previous":"7c474b7e4b56f6dcba2f133cfdb6c1aa4287e52b8e38710a5302eaa8691363d1",'
    '"digest":"f6ab1ec31c0a12100d676d81971f617251e14d479037ce640c4ee18a46d8491c"}',
    '{"number":3,"kind":"submission","at":"2026-04-01T02:00:00.000005Z","team":"LN baseline","track":"sensorium+",'
    '"protocol":"image + behaviour","sha256":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","chosen":null,'
    '"baseline":true,"previous":"f6ab1ec31c0a12100d676d81971f617251e14d479037ce640c4ee18a46d8491c",'
    '"digest":"51aa31734ea048bb55615919a3d01a9211c2498fac0adddb43ab54937748bc1e"}',
)


@pytest.fixture
def game(competition, tmp_path):
    return play(competition, tmp_path)


def bad(verification):
    return [f"{check.what}: {check.detail}" for check in verification.checks if check.ok is False]


def said(verification):
    return {check.what: check.detail for check in verification.checks}


def lines_of(game):
    return (game.folder / "receipts.jsonl").read_text().splitlines()


def write(game, lines):
    (game.folder / "receipts.jsonl").write_text("".join(f"{line}\n" for line in lines))


def hours(number):
    return DURING + timedelta(hours=number)


# ---- one chain


def test_receipts_of_older_versions_are_what_they_were_to_the_byte():
    links = [parsed(line, "") for line in FROZEN]
    assert [link.digested() for link in links] == [json.loads(line)["digest"] for line in FROZEN]
    assert [link.model_dump_json() for link in links] == list(FROZEN)
    assert Receipts("0" * 64, tuple(links)).problems() == []
    again = Receipts("0" * 64)
    for link in links:
        fields = link.model_dump(exclude={"number", "at", "previous", "digest"})
        again = again.added(at=link.at, **fields)
    assert again.entries == tuple(links)


@pytest.mark.slow
@given(
    number=st.integers(1, 10**6),
    kind=st.sampled_from(["submission", "choice"]),
    at=st.datetimes(datetime(1970, 1, 1), datetime(2999, 12, 31), timezones=st.timezones() | st.just(UTC)),
    team=st.text(max_size=60),
    chosen=st.none() | st.integers(1, 99),
    baseline=st.booleans(),
)
def test_digests_of_receipts_are_reckoned_as_ever(number, kind, at, team, chosen, baseline):
    """SHA-256 of the ten keys that a receipt has always had, sorted, without spaces."""
    fields = {"kind": kind, "team": team, "track": "t", "protocol": "image", "sha256": HASH, "chosen": chosen}
    receipt = linked(number, "0" * 64, at=at, baseline=baseline, **fields)
    utc = at.astimezone(UTC).isoformat()
    keys = {**fields, "number": number, "at": utc, "baseline": baseline, "previous": "0" * 64}
    text = json.dumps(keys, sort_keys=True, separators=(",", ":"))
    assert receipt.digest == hashlib.sha256(text.encode()).hexdigest()
    assert parsed(receipt.model_dump_json(), "") == receipt


@pytest.mark.parametrize(
    "line", ["[" * 60_000, "{}", "null", '{"kind":"amendment"}', "7", '"x"', '{"kind":{"a":1}}', "{" * 9]
)
def test_what_is_no_link_gets_a_sentence(line):
    with pytest.raises(InputError, match="the line is no receipt"):
        parsed(line, "the line")


def test_a_link_of_an_unknown_kind_is_none():
    for kind in ("pardon", 3, ["submission"], None):
        line = json.dumps(json.loads(FROZEN[0]) | {"kind": kind})
        with pytest.raises(InputError, match="line 7 is no receipt"):
            parsed(line, "line 7")
    bare = json.loads(FROZEN[0])
    del bare["kind"]
    assert parsed(json.dumps(bare), "").kind == "submission"


def added(chain, what, at, team="Ada"):
    if what == "receipt":
        return chain.added(at=at, team=team, track="sensorium", protocol="image", sha256=HASH)
    if what == "amendment":
        moved = timings(RULES, "live", ends=LATER + timedelta(hours=len(chain.entries)))
        return chain.added(at=at, kind="amendment", phases=moved, why=f"reason {len(chain.entries)}")
    return chain.added(at=at, kind="disqualification", team=team, why="two accounts")


@pytest.mark.slow
@settings(max_examples=60)
@given(
    kinds=st.lists(st.sampled_from(["receipt", "amendment", "disqualification"]), min_size=2, max_size=9),
    data=st.data(),
)
def test_a_notice_that_is_removed_changed_or_moved_is_seen(kinds, data):
    chain = Receipts("0" * 64)
    for number, kind in enumerate(kinds):
        chain = added(chain, kind, hours(number))
    assert chain.problems() == []
    assert len(chain.receipts) == kinds.count("receipt")
    assert chain.of("sensorium", "image", "Ada") == chain.receipts
    assert tuple(parsed(entry.model_dump_json(), "") for entry in chain.entries) == chain.entries
    entries, at = list(chain.entries), data.draw(st.integers(0, len(kinds) - 2))
    match data.draw(st.sampled_from(["drop", "why", "time", "swap", "rehash"])):
        case "drop":
            del entries[at]
        case "swap":
            entries[at], entries[at + 1] = entries[at + 1], entries[at]
        case "time":
            entries[at] = entries[at].model_copy(update={"at": entries[at].at + timedelta(seconds=1)})
        case how:
            field = "team" if kinds[at] == "receipt" else "why"
            entries[at] = entries[at].model_copy(update={field: "something else"})
            if how == "rehash":
                entries[at] = entries[at].model_copy(update={"digest": entries[at].digested()})
    assert Receipts(chain.anchor, tuple(entries)).problems()


# ---- rules in force

moments = st.integers(-24 * 40, 24 * 400).map(hours)


@pytest.mark.slow
@settings(max_examples=200)
@given(data=st.data())
def test_no_amendment_changes_what_phase_the_past_lies_in(data):
    """So receipts are judged alike by the rules of their moment and by those of the end."""
    chain, standing, now = Receipts("0" * 64), InForce(RULES), DURING - timedelta(days=35)
    asked = data.draw(st.lists(moments, min_size=1, max_size=8)) + [p.ends for p in RULES.phases] + [STARTS]
    for _ in range(data.draw(st.integers(1, 5))):
        now += timedelta(hours=data.draw(st.integers(1, 24 * 40)))
        phase = data.draw(st.sampled_from([p.name for p in RULES.phases]))
        new = {b: data.draw(st.none() | moments) for b in ("starts", "ends")}
        moved = timings(standing.rules, phase, **new)
        if not moved:
            continue
        longer = chain.added(at=now, kind="amendment", phases=moved, why="rain")
        try:
            after = standing.after(longer.notices[-1])
        except InputError as error:
            assert str(error).startswith(f"Amendment {len(longer.entries)} is not allowed: ")
            continue
        for moment in (*asked, now, now - timedelta(hours=1)):
            if moment <= now:
                before = standing.rules.phase_at(moment), after.rules.phase_at(moment)
                assert [p and p.name for p in before] == [before[0] and before[0].name] * 2
        assert now < min(standing.rules.closes, after.rules.closes)
        small_rules(
            phases=[p.model_dump(mode="json") for p in after.rules.phases]
        )  # they are rules that could be written
        changed = {p.name for p, q in zip(standing.rules.phases, after.rules.phases, strict=True) if p != q}
        assert changed == {timing.phase for timing in moved}
        chain, standing = longer, after
    assert InForce.of(RULES, chain.entries) == standing
    assert InForce.of(RULES, [parsed(e.model_dump_json(), "") for e in chain.entries]).rules == standing.rules


def test_a_phase_is_extended_and_its_neighbour_keeps_the_boundary(game):
    made = amend(game.folder, "live", ends=LATER, why="the server was away", at=DURING)
    assert [(t.phase, t.ends if t.phase == "live" else t.starts) for t in made.phases] == [
        ("live", LATER),
        ("evaluation", LATER),
    ]
    standing = InForce.of(RULES, Receipts.read(game.folder).entries)
    assert standing.rules.closes == LATER
    assert [str(move) for move in standing.moves_of("live")] == [
        f"phase 'live' ends on {LATER.isoformat(timespec='minutes')}, and before it ended on {CLOSES.isoformat(timespec='minutes')}"
    ]
    assert RULES.closes == CLOSES, "what was committed to stays"


PHASE_ENDS = RULES.phases[-1].ends
REFUSED = {
    "an unknown phase": ({"phase": "alive", "ends": LATER}, DURING, "did you mean 'live'"),
    "nothing": ({"phase": "live"}, DURING, "is so already"),
    "to when it is": ({"phase": "live", "ends": CLOSES}, DURING, "is so already"),
    "what is over": ({"phase": "live", "starts": STARTS + timedelta(days=1)}, DURING, "only what lies ahead"),
    "to the past": ({"phase": "live", "ends": DURING - timedelta(days=1)}, DURING, "choose a moment that lies ahead"),
    "to now": ({"phase": "live", "ends": DURING}, DURING, "choose a moment that lies ahead"),
    "after the close": (
        {"phase": "evaluation", "ends": PHASE_ENDS + timedelta(days=1)},
        AFTER,
        "since then no phase",
    ),
    "at the close": ({"phase": "live", "ends": LATER}, CLOSES, "since then no phase"),
    "past its neighbour": ({"phase": "live", "ends": PHASE_ENDS + timedelta(days=1)}, DURING, "put the dates in order"),
    "no reason": ({"phase": "live", "ends": LATER, "why": " \n"}, DURING, "Say why"),
    "a long story": ({"phase": "live", "ends": LATER, "why": "x" * 1001}, DURING, "Say why"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_amended_gets_a_sentence_and_leaves_no_link(name, game):
    asked, at, message = REFUSED[name]
    with pytest.raises(InputError, match=message):
        amend(game.folder, **{"why": "rain", **asked}, at=at)
    assert not (game.folder / "receipts.jsonl").exists()


def test_a_phase_is_moved_to_no_year_that_a_time_zone_lacks(game):
    game.submit("Alpha", 0.5)
    before = lines_of(game)
    for moment in ("9999-12-31T23:59:00-12:00", "0001-01-01T00:00:00+14:00"):
        with pytest.raises(InputError, match="between 1970 and 2999"):
            amend(game.folder, "live", ends=datetime.fromisoformat(moment), why="x", at=DURING)
    assert lines_of(game) == before


def test_reasons_write_nothing_into_a_terminal_and_turn_no_text_around(game):
    game.submit("Alpha", 0.5)
    made = disqualify(game.folder, "Alpha", why="It \x1b[2Jcheated\n\u202e twice.", at=AFTER)
    assert made.why == "It [2Jcheated twice."


def test_phases_that_do_not_adjoin_must_not_overlap():
    gap = small_rules(
        phases=[
            {"name": "live", "starts": STARTS.isoformat(), "ends": CLOSES.isoformat()},
            {"name": "second", "starts": (CLOSES + timedelta(days=2)).isoformat(), "ends": AFTER.isoformat()},
        ]
    )
    moved = timings(gap, "live", ends=CLOSES + timedelta(days=3))
    assert [t.phase for t in moved] == ["live"]
    chain = Receipts("0" * 64).added(at=DURING, kind="amendment", phases=moved, why="rain")
    with pytest.raises(InputError, match=r"Phase 'second' starts at .*move the other phase first"):
        InForce.of(gap, chain.entries)


# ---- what is received


@pytest.mark.slow
def test_submissions_are_taken_and_counted_until_the_new_end(game):
    late = CLOSES + timedelta(days=3)
    with pytest.raises(InputError, match="not taken"):
        submit(game.folder, game.file(0.5), "Alpha", game.store, at=late)
    amend(game.folder, "live", ends=LATER, why="the server was away", at=DURING)
    receipt = submit(game.folder, game.file(0.5), "Alpha", game.store, at=late)
    assert receipt.number == 2
    with pytest.raises(InputError, match=f"taken until {LATER:%Y-%m-%d}"):
        close(game.folder, game.vault, game.store, game.scratch / "early", at=late)
    choose(game.folder, "Alpha", 2, at=LATER + timedelta(days=1))
    results = close(game.folder, game.vault, game.store, game.scratch / "results", at=AFTER, release=True)
    assert results.boards[0].winners == ["Alpha"]
    assert [(m.phase, m.boundary, m.after, m.why) for m in results.moves] == [
        ("live", "ends", LATER, "the server was away"),
        ("evaluation", "starts", LATER, "the server was away"),
    ]
    page = (game.scratch / "results" / "results.html").read_text()
    assert all(words in page for words in ("the server was away", "end of live"))
    found = verify(game.folder, results=game.scratch / "results", store=game.store)
    assert bad(found) == []
    assert "the server was away" in said(found)["amendment 1"]
    assert CLOSES.isoformat(timespec="minutes") in said(found)["amendment 1"]


def test_a_shortened_phase_takes_nothing_after_its_new_end(game):
    soon = DURING + timedelta(days=3)
    amend(game.folder, "live", ends=soon, why="a leak was found", at=DURING)
    with pytest.raises(InputError, match="not taken"):
        submit(game.folder, game.file(0.5), "Alpha", game.store, at=soon)


# ---- disqualified teams


@pytest.fixture
def cheated(game):
    """Four teams, the best of which is disqualified; one was, and is not any more."""
    for hour, (team, skill) in enumerate({"Cheat": 0.95, "Honest": 0.7, "Forgiven": 0.4, "Last": 0.05}.items()):
        game.submit(team, skill, hours=hour)
    disqualify(game.folder, "Cheat", why="the truth was bought", at=hours(5))
    disqualify(game.folder, "Forgiven", why="two accounts", at=hours(6))
    reinstate(game.folder, "Forgiven", why="they were two people", at=hours(7))
    return game


@pytest.mark.slow
def test_the_next_wins_and_no_band_includes_a_disqualified_team(cheated):
    results = close(cheated.folder, cheated.vault, cheated.store, cheated.scratch / "r", at=AFTER, release=True)
    board = results.boards[0]
    assert board.winners == ["Honest"]
    assert [row.team for row in board.rows] == ["Honest", "Forgiven", "Last"]
    assert (board.rows[0].rank, board.rows[0].band, board.rows[0].behind) == (1, 1, None)
    assert [(d.team, d.at, d.why, d.notice) for d in results.disqualified] == [
        ("Cheat", hours(5), "the truth was bought", 5)
    ]
    assert Results.read(cheated.scratch / "r") == results
    page = (cheated.scratch / "r" / "results.html").read_text()
    assert all(words in page for words in ("Disqualified teams", "the truth was bought"))
    found = verify(cheated.folder, results=cheated.scratch / "r", store=cheated.store)
    assert bad(found) == []
    assert "team 'Cheat': the truth was bought" in said(found)["disqualification 5"]
    assert "reinstatement 7" in said(found)
    assert "4 receipts and 3 notices" in said(found)["chain of receipts"]


@pytest.mark.slow
def test_the_ranking_is_the_one_of_a_competition_without_the_team(cheated, competition, tmp_path):
    whole = close(cheated.folder, cheated.vault, cheated.store, cheated.scratch / "r", at=AFTER)
    other = play(competition, tmp_path / "other")
    for hour, (team, skill) in enumerate({"Honest": 0.7, "Forgiven": 0.4, "Last": 0.05}.items(), start=1):
        other.submit(team, skill, hours=hour)
    alone = close(other.folder, other.vault, other.store, other.scratch / "r", at=AFTER)
    drop = {"receipt"}
    assert [row.model_dump(exclude=drop) for row in whole.boards[0].rows] == [
        row.model_dump(exclude=drop) for row in alone.boards[0].rows
    ]


def test_a_disqualified_team_can_neither_submit_nor_choose(cheated):
    with pytest.raises(InputError, match=r"'Cheat' is disqualified since .*\(the truth was bought\)"):
        cheated.submit("Cheat", 0.3, hours=30)
    with pytest.raises(InputError, match="disqualified"):
        choose(cheated.folder, "Cheat", 1, at=hours(30))
    assert cheated.submit("Forgiven", 0.3, hours=30).number == 8


def test_a_second_reason_mends_the_first_and_the_date_stays(cheated):
    disqualify(cheated.folder, "Cheat", why="the truth was stolen", at=hours(9))
    (out,) = InForce.of(RULES, Receipts.read(cheated.folder).entries).disqualified
    assert (out.at, out.why, out.notice) == (hours(5), "the truth was stolen", 8)


def test_names_in_notices_are_compared_by_their_keys(cheated):
    standing = InForce.of(RULES, Receipts.read(cheated.folder).entries)
    with pytest.raises(InputError, match="'CHE\N{CYRILLIC CAPITAL LETTER A}T' is disqualified"):
        standing.require_team("CHE\N{CYRILLIC CAPITAL LETTER A}T")
    name = RULES.baselines[0].name.replace("a", "\N{CYRILLIC SMALL LETTER A}")
    about = {"number": 9, "at": hours(9), "why": "x", "previous": "0" * 64, "digest": "0" * 64}
    notice = Disqualification.model_validate({"kind": "disqualification", "team": name, **about})
    with pytest.raises(InputError, match="a row of the organiser's own"):
        standing.after(notice)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("do", "team", "why", "message"),
    [
        (disqualify, "Cheet", "x", "did you mean 'Cheat'"),
        (disqualify, "LN baseline", "x", "No team 'LN baseline' has submitted"),
        (disqualify, "Honest", "  ", "Say why"),
        (reinstate, "Honest", "x", "is not disqualified"),
        (reinstate, "Cheat", "", "Say why"),
    ],
)
def test_what_cannot_be_decided_about_a_team(do, team, why, message, cheated):
    cheated.submit("LN baseline", 0.1, hours=8, baseline=True)
    before = lines_of(cheated)
    with pytest.raises(InputError, match=message):
        do(cheated.folder, team, why=why, at=hours(40))
    assert lines_of(cheated) == before


# ---- whoever verifies sees it


@pytest.fixture
def closed(cheated):
    amend(cheated.folder, "live", ends=LATER, why="rain", at=hours(10))
    cheated.submit("Honest", 0.1, "sensorium+", hours=11)
    close(cheated.folder, cheated.vault, cheated.store, cheated.scratch / "r", at=AFTER, release=True)
    return cheated


def rewritten(game, entries):
    """A chain that an organiser made anew, each link with its right digest."""
    chain = Receipts(Receipts.read(game.folder).anchor)
    for entry in entries:
        chain = chain.added(at=entry.at, **entry.model_dump(exclude={"number", "at", "previous", "digest"}))
    chain.write(game.folder)


def test_a_notice_that_was_removed_is_missed(closed):
    lines, entries = lines_of(closed), Receipts.read(closed.folder).entries
    assert bad(verify(closed.folder, results=closed.scratch / "r")) == []
    write(closed, [line for line in lines if '"disqualification"' not in line])
    assert "disqualification" not in " ".join(lines_of(closed)[:4])
    assert any("does not follow" in line for line in bad(verify(closed.folder)))
    rewritten(closed, [entry for entry in entries if entry.number != 5])
    assert bad(verify(closed.folder)) == []  # a whole chain, but not the one that people have seen
    found = bad(verify(closed.folder, results=closed.scratch / "r", receipts=[entries[5]], head=entries[6].digest))
    assert any("about another commitment, chain or ranking" in line for line in found)
    assert any("tell of others than the chain has" in line for line in found)
    assert any("by the rules receipts 1, 2, 3" in line for line in found)
    assert any(line.startswith("kept disqualification 6: of 'Forgiven'") for line in found)
    assert any(line.startswith("head seen before") for line in found)


def test_a_notice_that_was_changed_is_seen(closed):
    write(closed, [line.replace("the truth was bought", "they were tired") for line in lines_of(closed)])
    assert any("disqualification 5 was changed" in line for line in bad(verify(closed.folder)))
    with pytest.raises(InputError, match="disqualification 5 was changed"):
        close(closed.folder, closed.vault, closed.store, closed.scratch / "again", at=AFTER)


def test_an_amendment_that_was_not_allowed_is_seen_and_binds_nobody(closed):
    """An organiser writes into the chain by hand what no command lets through."""
    entries = Receipts.read(closed.folder).entries
    chain = Receipts(Receipts.read(closed.folder).anchor, entries)
    reopened = timings(RULES, "live", ends=AFTER + timedelta(days=9))
    chain = chain.added(at=LATER + timedelta(days=1), kind="amendment", phases=reopened, why="for a friend")
    chain.write(closed.folder)
    number = len(chain.entries)
    assert any(f"amendment {number}: Amendment {number} is not allowed" in line for line in bad(verify(closed.folder)))
    with pytest.raises(InputError, match="since then no phase can be moved"):
        close(closed.folder, closed.vault, closed.store, closed.scratch / "again", at=AFTER)
    with pytest.raises(InputError, match="is not allowed"):
        submit(closed.folder, closed.file(0.3), "Friend", closed.store, at=AFTER)


@pytest.mark.slow
def test_results_that_keep_quiet_are_found_out(closed, tmp_path):
    for key in ("moves", "disqualified"):
        shutil.copytree(closed.scratch / "r", tmp_path / key)
        file = tmp_path / key / "results.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {key: []}))
        assert any("tell of others" in line for line in bad(verify(closed.folder, results=tmp_path / key)))


@pytest.mark.slow
def test_whoever_submitted_too_late_is_told_so_and_does_not_count(game):
    game.submit("Alpha", 0.4)
    chain = Receipts.read(game.folder)
    late = chain.receipts[0].model_dump(exclude={"number", "at", "previous", "digest"})
    chain.added(at=CLOSES + timedelta(hours=1), **late | {"team": "Late"}).write(game.folder)
    assert "receipts 2 lie outside" in said(verify(game.folder))["receipts in time"]
    results = close(game.folder, game.vault, game.store, game.scratch / "r", at=AFTER)
    assert [row.team for row in results.boards[0].rows] == ["Alpha"]


def test_moments_are_digested_as_moments():
    moved = [t.model_copy(update={"ends": t.ends.astimezone(tz=None)}) for t in timings(RULES, "live", ends=LATER)]
    chains = [
        Receipts("0" * 64).added(at=DURING, kind="amendment", phases=m, why="x")
        for m in (moved, timings(RULES, "live", ends=LATER))
    ]
    assert chains[0].head == chains[1].head
    assert datetime.fromisoformat(json.loads(chains[0].entries[0].model_dump_json())["phases"][0]["ends"]).tzinfo == UTC
