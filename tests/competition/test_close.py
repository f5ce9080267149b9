"""The close: who wins, with the evidence, and anyone can compute it again."""

import json
import shutil
from datetime import timedelta

import pytest
from tests.competition.examples import AFTER, DURING, PASSPHRASE, built, play, small_rules

from striate.competition import Results, Vault, choose, close, score_live, verify
from striate.competition.results_page import page
from striate.errors import InputError
from striate.metrics import cc_max, single_trial_ceiling
from striate.submissions import Scorecard, Submission, score


@pytest.fixture(scope="module")
def played(competition, tmp_path_factory):
    """Four teams and a baseline on one board, one team on another; closed twice, once with the truth released."""
    folder = tmp_path_factory.mktemp("played")
    game = play(competition, folder)
    game.submit("Alpha", 0.8)
    game.submit("Alpha", 0.2, hours=1)
    choose(game.folder, "Alpha", 1, at=DURING + timedelta(hours=2))
    game.submit("Beta", 0.5, hours=3)
    game.submit("Gamma", 0.05, hours=4)
    game.submit("LN baseline", 0.3, hours=5, baseline=True)
    game.submit("Beta", 0.6, "sensorium+", hours=6, protocol="image + behaviour")
    close(game.folder, game.vault, game.store, folder / "results", at=AFTER)
    close(game.folder, game.vault, game.store, folder / "released", at=AFTER, release=True)
    return game, folder / "results", folder / "released"


def bad(verification):
    return [f"{check.what}: {check.detail}" for check in verification.checks if check.ok is False]


def test_boards_are_ranked_and_winners_named(played):
    _, bundle, _ = played
    results = Results.read(bundle)
    assert [(b.track, b.protocol, b.winners) for b in results.boards] == [
        ("sensorium", "image", ["Alpha"]),
        ("sensorium+", "image", []),
        ("sensorium+", "image + behaviour", ["Beta"]),
    ]
    rows = results.boards[0].rows
    assert [(row.team, row.rank, row.receipt) for row in rows] == [
        ("Alpha", 1, 1),
        ("Beta", 2, 4),
        ("LN baseline", None, 6),
        ("Gamma", 3, 5),
    ]
    assert all(row.interval.low < row.score < row.interval.high for row in rows)
    assert rows[-1].band > rows[0].band == 1


def test_scores_are_those_of_the_final_tier(played):
    game, bundle, _ = played
    for row in Results.read(bundle).boards[0].rows:
        submission = Submission.read(bundle / "submissions" / f"{row.sha256}.parquet")
        final = score(submission, game.vault.final["sensorium"], tiers="final_test", bootstrap=0)
        assert row.score == final.tiers["final_test"].correlation_to_average.mean
        assert row.live_score == score_live(submission, game.built.live_truth, bootstrap=0).ranking.mean
        card = Scorecard.read(bundle / "scorecards" / f"{row.receipt:04d}-sensorium-image.json")
        assert list(card.tiers) == ["final_test"]


def test_boards_have_ceilings_and_say_too_few_images_as_the_live_board_does(played):
    game, bundle, _ = played
    results = Results.read(bundle)
    for board in results.boards:
        truth = game.vault.final[board.track]
        assert board.ceilings["single_trial_ceiling"] == single_trial_ceiling(truth.responses, truth.image_id).mean
        assert board.ceilings["cc_max"] == cc_max(truth.responses, truth.image_id).mean
    told = (bundle / "results.html").read_text()
    few = 0
    for row in results.boards[0].rows:
        submission = Submission.read(bundle / "submissions" / f"{row.sha256}.parquet")
        ranking = game.vault.rules.ranking
        final = score(
            submission,
            game.vault.final["sensorium"],
            tiers="final_test",
            bootstrap=ranking.resamples,
            seed=ranking.seed,
        ).tiers["final_test"]
        assert list(row.metrics) == ["single_trial_correlation", "correlation_to_average", "feve", "cc_norm"]
        for name, said in row.metrics.items():
            assert said.model_dump() == getattr(final, name).model_dump(include={"mean", "interval", "reason"})
        card = Scorecard.read(bundle / "scorecards" / f"{row.receipt:04d}-sensorium-image.json")
        assert card.tiers["final_test"].feve == final.feve
        few += final.feve.mean is None
    assert few  # the 5 images of this competition leave some FEVE without meaning
    assert told.count("ceiling (image alone)</td>") == 4  # two tables a board, and nobody submitted to the third
    assert told.count("<small>too few images</small>") >= few
    assert "Too few images: an interval is wider" in told
    assert told.count("A model that sees behaviour can exceed it") == 1
    assert "normalised correlation" in told


def test_the_page_of_results_says_why_nobody_has_a_rank(played):
    results = Results.read(played[1])
    board = results.boards[0]
    reason = "too few images: 5 leave an interval that is wider than the distance to a perfect model"
    rows = [
        row.model_copy(
            update={"rank": None, "band": None, "score": None, "interval": None, "behind": None, "reason": reason}
        )
        for row in board.rows
    ]
    few = board.model_copy(update={"metric": "feve", "winners": [], "rows": rows})
    told = page(results.model_copy(update={"boards": [few]}))
    assert "nobody has a rank: too few images for FEVE" in told
    assert "A row with too few images has no rank" in told
    assert "A row with too few images has no rank" not in page(results)


def test_a_bundle_has_the_evidence(played):
    _, bundle, released = played
    names = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}
    assert {"results.json", "results.html", "openings.json", "sensorium-image.png"} <= names
    assert "sensoriumplus-image-plus-behaviour.png" in names
    assert "sensoriumplus-image.png" not in names  # nobody submitted
    assert not any(name.startswith("truths/") for name in names)
    assert (released / "truths" / "sensorium-final.parquet").is_file()
    told = (bundle / "results.html").read_text()
    for word in ("Alpha has won", "LN baseline", "Nobody has submitted to this board", "data:image/png"):
        assert word in told
    opened = json.loads((bundle / "openings.json").read_text())["openings"]
    assert not any(name.startswith(("key", "seed")) for name in opened)


def test_the_same_close_gives_the_same_bytes(played, tmp_path):
    game, bundle, _ = played
    close(game.folder, game.vault, game.store, tmp_path / "again", at=AFTER + timedelta(days=1))
    files = sorted(path for path in bundle.rglob("*") if path.is_file())
    assert len(files) > 10
    for file in files:
        assert (tmp_path / "again" / file.relative_to(bundle)).read_bytes() == file.read_bytes(), file


def test_anyone_verifies_it_and_computes_it_again_once_the_truth_is_released(played):
    game, bundle, released = played
    outside = verify(game.folder, results=bundle)
    assert outside.ok
    assert [check.what for check in outside.checks if check.ok is None] == ["scores"]
    whole = verify(game.folder, results=released, store=game.store)
    assert whole.ok
    assert all(check.ok for check in whole.checks)
    assert sum("to the last digit" in check.detail for check in whole.checks) == 3
    assert verify(game.folder, results=bundle, truths=released / "truths").ok
    assert json.dumps(whole.summary())


def spoil_score(bundle):
    edit(bundle, lambda rows: rows[0].update(score=rows[0]["score"] + 1e-12))


def spoil_rank(bundle):
    edit(bundle, lambda rows: rows[1].update(rank=1))


def spoil_metric(bundle):
    edit(bundle, lambda rows: rows[0]["metrics"]["cc_norm"].update(mean=0.99))


def spoil_ceiling(bundle):
    document = json.loads((bundle / "results.json").read_text())
    document["boards"][0]["ceilings"]["cc_max"] = 0.5
    (bundle / "results.json").write_text(json.dumps(document))


def spoil_part(bundle):
    edit(bundle, lambda rows: rows[0]["parts"][0]["scores"].update(feve=0.99))


def spoil_choice(bundle):
    """Another submission of the team than the chosen one."""
    results = json.loads((bundle / "results.json").read_text())
    other = json.loads((bundle.parent / "public" / "receipts.jsonl").read_text().splitlines()[1])
    results["boards"][0]["rows"][0].update(receipt=2, sha256=other["sha256"])
    shutil.copy(bundle.parent / "store" / f"{other['sha256']}.parquet", bundle / "submissions")
    (bundle / "results.json").write_text(json.dumps(results))


def spoil_row(bundle):
    edit(bundle, lambda rows: rows.pop(1))


def spoil_submission(bundle):
    file = next((bundle / "submissions").iterdir())
    file.write_bytes(file.read_bytes() + b"x")


def spoil_truth(bundle):
    shutil.copy(bundle / "truths" / "sensorium-live.parquet", bundle / "truths" / "sensorium-final.parquet")


def spoil_opening(bundle):
    document = json.loads((bundle / "openings.json").read_text())
    document["openings"]["key of 11-1-1"]["content"] = "00" * 32
    (bundle / "openings.json").write_text(json.dumps(document))


def spoil_board(bundle):
    document = json.loads((bundle / "results.json").read_text())
    document["boards"].pop()
    (bundle / "results.json").write_text(json.dumps(document))


def edit(bundle, change):
    document = json.loads((bundle / "results.json").read_text())
    change(document["boards"][0]["rows"])
    (bundle / "results.json").write_text(json.dumps(document))


SPOILT = {
    spoil_score: "computed again",
    spoil_rank: "computed again",
    spoil_part: "computed again",
    spoil_metric: "computed again",
    spoil_ceiling: "the ceilings",
    spoil_choice: "count, not",
    spoil_row: "count, not",
    spoil_submission: "not as their receipts say",
    spoil_truth: "another than committed to",
    spoil_opening: "key of 11-1-1",
    spoil_board: "2 of 3",
}


@pytest.mark.parametrize("spoil", SPOILT, ids=lambda spoil: spoil.__name__)
def test_whatever_is_changed_in_a_bundle_is_seen(spoil, played, tmp_path):
    game, _, released = played
    shutil.copytree(released, tmp_path / "released")
    shutil.copytree(game.folder, tmp_path / "public")
    shutil.copytree(game.store, tmp_path / "store")
    spoil(tmp_path / "released")
    try:
        found = bad(verify(tmp_path / "public", results=tmp_path / "released"))
    except InputError as error:
        found = [str(error)]
    assert any(SPOILT[spoil] in line for line in found), found


def test_it_closes_when_submissions_are_over_and_once(played, tmp_path):
    game, bundle, _ = played
    with pytest.raises(InputError, match="taken until 2026-06-29"):
        close(game.folder, game.vault, game.store, tmp_path / "early", at=DURING)
    with pytest.raises(InputError, match="exists already"):
        close(game.folder, game.vault, game.store, bundle, at=AFTER)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_it_closes_only_with_what_was_committed_to_and_received(played, competition, tmp_path):
    game, _, _ = played
    other = built(tmp_path / "other", small_rules(title="Another"))
    with pytest.raises(InputError, match="another competition"):
        close(game.folder, Vault.read(other.vault, PASSPHRASE), game.store, tmp_path / "r", at=AFTER)
    shutil.copytree(game.store, tmp_path / "store")
    lost = next((tmp_path / "store").iterdir())
    lost.unlink()
    with pytest.raises(InputError, match=r"is missing.*Put it back"):
        close(game.folder, game.vault, tmp_path / "store", tmp_path / "r", at=AFTER)
    shutil.copytree(game.folder, tmp_path / "public")
    chain = tmp_path / "public" / "receipts.jsonl"
    chain.write_text(chain.read_text().replace("Gamma", "Delta"))
    with pytest.raises(InputError, match="chain of receipts is broken"):
        close(tmp_path / "public", game.vault, game.store, tmp_path / "r", at=AFTER)
    assert not (tmp_path / "r").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("choice", "receipt"), [("last", 3), ("best_live", 2), ("chosen", 3)])
def test_which_submission_counts_is_a_rule(choice, receipt, tmp_path):
    rules = small_rules(
        ranking={"choice": choice, "resamples": 100}, limits={"per_day": 9, "in_total": 9, "megabytes": 9}
    )
    game = play(built(tmp_path / "built", rules), tmp_path)
    for hour, skill in enumerate((0.4, 0.8, 0.2)):
        game.submit("Alpha", skill, hours=hour)
    results = close(game.folder, game.vault, game.store, tmp_path / "results", at=AFTER, release=True)
    assert [row.receipt for row in results.boards[0].rows] == [receipt]
    assert verify(game.folder, results=tmp_path / "results").ok


def test_a_competition_that_nobody_entered_closes(competition, tmp_path):
    game = play(competition, tmp_path)
    results = close(game.folder, game.vault, tmp_path / "store", tmp_path / "results", at=AFTER, release=True)
    assert all(not board.rows and not board.winners for board in results.boards)
    assert "Nobody has submitted." in (tmp_path / "results" / "results.html").read_text()
    assert verify(game.folder, results=tmp_path / "results").ok


@pytest.mark.slow
def test_results_in_the_public_folder_are_clean(played, tmp_path):
    from striate.competition import audit

    game, bundle, _ = played
    shutil.copytree(game.folder, tmp_path / "public")
    shutil.copytree(bundle, tmp_path / "public" / "results")
    report = audit(tmp_path / "public", game.vault)
    assert [f"{f.rule} {f}" for f in report if f.severity != "note"] == []
