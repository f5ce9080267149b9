"""Ranks, bands, ties and winners."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.competition.examples import DURING

from striate.competition import Entrant, rank
from striate.competition.ranking import score_of
from striate.competition.tables import Ranking
from striate.errors import InputError
from striate.metrics import Repeats, evaluate, paired_bootstrap
from striate.submissions import Truth

RULES = Ranking(resamples=200)
METRIC = "correlation_to_average"


def truth(images=12, repeats=4, neurons=20, seed=0):
    rng = np.random.default_rng(seed)
    ids = np.repeat(np.arange(images), repeats)
    signal = rng.gamma(2.0, 1.0, (images, neurons))[ids]
    responses = rng.gamma(4.0, signal / 4)
    return Truth(
        "1-1-1", np.arange(neurons), np.full(len(ids), "final_test"), np.arange(len(ids)), ids, responses
    ), signal


TRUTH, SIGNAL = truth()


def entrant(team, skill, seed=0, minutes=0, **changes):
    rng = np.random.default_rng(seed)
    values = (skill * SIGNAL + (1 - skill) * rng.gamma(2.0, 1.0, SIGNAL.shape)).astype(np.float32)
    at = DURING + timedelta(minutes=minutes)
    return Entrant(**{"team": team, "load": lambda: values, "at": at, "number": minutes + 1, **changes})


def ranked(*entrants, rules=RULES, metric=METRIC):
    return rank(entrants, TRUTH, "final_test", metric, rules)


def test_rows_are_ranked_by_the_metric_at_full_precision():
    board = ranked(entrant("low", 0.2), entrant("high", 0.9), entrant("middle", 0.5))
    assert [(row.team, row.rank) for row in board.rows] == [("high", 1), ("middle", 2), ("low", 3)]
    for row, skill in zip(board.rows, (0.9, 0.5, 0.2), strict=True):
        assert row.score == evaluate(TRUTH.responses, entrant("x", skill).load(), TRUTH.image_id).means[METRIC]
        assert row.interval.low < row.score < row.interval.high
    assert board.winners == ("high",)
    assert board.rows[0].gap is None
    assert board.rows[2].gap.value == pytest.approx(board.rows[0].score - board.rows[2].score)


def test_equal_scores_share_a_rank_and_the_next_rank_is_that_of_its_place():
    board = ranked(entrant("a", 0.8, minutes=5), entrant("b", 0.8, minutes=1), entrant("c", 0.3), entrant("d", 0.3))
    assert [(row.team, row.rank) for row in board.rows] == [("b", 1), ("a", 1), ("c", 3), ("d", 3)]
    assert set(board.winners) == {"a", "b"}


def test_a_rule_gives_the_first_place_to_the_earlier():
    both = entrant("a", 0.8, minutes=5), entrant("b", 0.8, minutes=1)
    assert ranked(*both, rules=Ranking(resamples=200, equal="earlier")).winners == ("b",)


def test_a_band_holds_what_cannot_be_told_apart_from_its_best_row():
    skills = {"a": (0.9, 1), "b": (0.89, 2), "c": (0.6, 3), "d": (0.59, 4), "e": (0.05, 5)}
    board = ranked(*(entrant(team, skill, seed) for team, (skill, seed) in skills.items()))
    bands = {row.team: row.band for row in board.rows}
    loads = {team: entrant(team, skill, seed).load() for team, (skill, seed) in skills.items()}
    left = [row.team for row in board.rows]
    number = 0
    while left:  # the definition, written plainly
        number += 1
        best = left[0]
        together = [
            team
            for team in left
            if team == best
            or not getattr(
                paired_bootstrap(TRUTH.responses, loads[best], loads[team], TRUTH.image_id, resamples=200), METRIC
            ).excludes_zero
        ]
        assert all(bands[team] == number for team in together)
        left = [team for team in left if team not in together]
    assert bands["e"] > bands["a"] == 1
    assert number > 1


def test_a_band_may_win_together():
    board = ranked(
        entrant("a", 0.9, 1), entrant("b", 0.9, 2), entrant("c", 0.1, 3), rules=Ranking(resamples=200, winner="band")
    )
    assert set(board.winners) == {row.team for row in board.rows if row.band == 1}
    assert "c" not in board.winners


def test_a_missing_score_never_ranks():
    """FEVE is not defined where no neuron can be explained."""
    noise = np.random.default_rng(0).gamma(2.0, 1.0, SIGNAL.shape)
    hopeless = Truth("1-1-1", TRUTH.unit_ids, TRUTH.tier, TRUTH.trial_idx, TRUTH.image_id, np.ones_like(noise))
    board = rank([entrant("a", 0.9), entrant("b", 0.5)], hopeless, "final_test", "feve", RULES)
    assert all(row.rank is None and row.band is None and row.score is None and row.reason for row in board.rows)
    assert board.winners == ()


def test_a_score_of_too_few_images_never_ranks():
    few, signal = truth(images=5)
    rng = np.random.default_rng(1)
    values = {
        "near": (signal + 0.1 * rng.normal(0, 1, signal.shape)).astype(np.float32),
        "far": np.roll(signal, 4, axis=0).astype(np.float32),  # the expected responses to other images
    }
    entrants = [Entrant(team, lambda team=team: values[team], DURING, n) for n, team in enumerate(values, 1)]
    rows = {row.team: row for row in rank(entrants, few, "final_test", "feve", RULES).rows}
    assert (rows["near"].rank, rows["near"].band) == (1, 1)
    far = rows["far"]
    assert far.score is far.interval is far.rank is far.band is far.gap is None
    assert far.reason.startswith("too few images: 5")
    assert evaluate(few.responses, values["far"], few.image_id).feve.mean is not None
    alone = rank([entrants[1]], few, "final_test", "feve", RULES)
    assert alone.winners == ()
    assert alone.rows[0].metrics["correlation_to_average"].mean is not None
    assert score_of(values["far"], few.responses, Repeats(few.image_id), "feve", RULES) is None


def test_baselines_are_shown_where_they_belong_and_have_no_rank():
    board = ranked(entrant("a", 0.9), entrant("baseline", 0.5, baseline=True), entrant("c", 0.2))
    assert [(row.team, row.rank) for row in board.rows] == [("a", 1), ("baseline", None), ("c", 2)]
    assert board.rows[1].gap.value > 0
    alone = ranked(entrant("baseline", 0.9, baseline=True), entrant("a", 0.2))
    assert alone.winners == ("a",)
    assert alone.rows[0].gap.value < 0


def test_a_constant_prediction_ranks_with_zero():
    flat = np.ones(SIGNAL.shape, np.float32)
    board = ranked(entrant("a", 0.5), entrant("flat", 0, load=lambda: flat))
    assert board.rows[1].score == 0
    assert board.rows[1].rank == 2


def test_nobody_and_one_and_two_of_a_name():
    assert ranked().rows == ()
    assert ranked(entrant("a", 0.5)).rows[0].rank == 1
    with pytest.raises(InputError, match="several rows"):
        ranked(entrant("a", 0.5), entrant("a", 0.6))


@settings(max_examples=15, deadline=None)
@given(skills=st.lists(st.floats(0, 1), min_size=1, max_size=5), order=st.randoms())
def test_laws_of_a_ranking(skills, order):
    """Ranks do not depend on the order of the rows; the first is 1; a better score never has a higher rank or band 1 lost."""
    entrants = [entrant(f"t{n}", skill, seed=n, minutes=n) for n, skill in enumerate(skills)]
    first = ranked(*entrants)
    order.shuffle(entrants)
    assert ranked(*entrants) == first
    assert first.rows[0].rank == first.rows[0].band == 1
    scores = [row.score for row in first.rows]
    assert scores == sorted(scores, reverse=True)
    assert [row.rank for row in first.rows] == [1 + sum(other > score for other in scores) for score in scores]
