"""Competitions of benchmarks that are unlike SENSORIUM 2022: where their rules come from, and how their metrics rank."""

import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from tests.competition.examples import AFTER, DURING, PASSPHRASE, SEED, STARTS, Game, play, predictions
from tests.fixtures.recordings import COLOUR_MICE, colour_recording

from striate.benchmarks import BenchmarkSpec, load_benchmark
from striate.competition import (
    LiveTruth,
    Receipts,
    Results,
    Rules,
    audit,
    build,
    close,
    read_rules,
    score_live,
    simulated,
    template,
    verify,
)
from striate.competition.boards import Board
from striate.competition.commitment import scorer
from striate.competition.ranking import Entrant, rank
from striate.competition.rules import parse_rules
from striate.competition.selection import finalists
from striate.competition.tables import Ranking
from striate.errors import InputError
from striate.metrics import describe_metric, estimate_metrics
from striate.recordings import Recording
from striate.recordings import open as open_recording
from striate.recordings import write as write_recording
from striate.registry import metrics
from striate.stimuli import natural_like
from striate.submissions import Truth


@pytest.fixture(autouse=True, scope="module")
def plugin() -> Iterator[None]:
    """Metrics of a plugin: one whose lower values are better, and one that cannot bear a prediction of 0."""

    @metrics.register("error")
    @describe_metric("error", higher_is_better=False)
    def error(responses, predictions, repeats):
        """Mean absolute difference."""
        return np.abs(responses - predictions).mean(axis=0)

    @metrics.register("log_rate")
    @describe_metric("log rate")
    def log_rate(responses, predictions, repeats):
        """Mean logarithm of the predictions."""
        with np.errstate(divide="ignore"):
            return np.log(predictions).mean(axis=0)

    yield
    metrics.forget(__name__)


def colours(metric: str = "error") -> BenchmarkSpec:
    tables = tomllib.loads(COLOUR_MICE.read_text())
    tables |= {"protocols": [{"name": "pictures"}], "tracks": []}
    tables["metrics"] = {"names": [metric, "single_trial_correlation"], "ranking": [{"metric": metric}]}
    return load_benchmark(tables)


def colour_tables(metric: str = "error", **ranking: Any) -> dict[str, Any]:
    tables = tomllib.loads(template("own", starts=STARTS, session="mouse_a", benchmark=colours(metric)))
    for tier in ("live", "final"):
        tables["tiers"][tier] = {"least_images": 3, "least_repeats": 2}
    tables["ranking"] |= {"resamples": 100, **ranking}
    return tables | {"baselines": []}


def colour_rules(metric: str = "error", **ranking: Any) -> Rules:
    return parse_rules(tomli_w.dumps(colour_tables(metric, **ranking)))


def colour_game(folder: Path, metric: str) -> Game:
    recording = full_recording(colours(metric))
    made = build(colour_rules(metric), [recording], folder / "public", folder / "secret", PASSPHRASE, seed=SEED)
    return play(made, folder / "played")


def full_recording(benchmark: BenchmarkSpec) -> Recording:
    like = colour_recording(neurons=8)
    arrays = (like.images, like.responses, like.behavior, like.pupil_center)
    return Recording(like.session, like.neurons, like.trials, *arrays, benchmark=benchmark)


@pytest.mark.parametrize(("scores", "chosen"), [((0.5, 0.2, 0.2), 2), ((None, 0.4, None), 2), ((None,) * 3, 3)])
def test_the_best_live_score_is_the_lowest_where_lower_is_better(scores, chosen) -> None:
    rules = colour_rules(choice="best_live")
    receipts = Receipts("0" * 64)
    for hours in range(3):
        about = {"team": "A", "track": "main", "protocol": "pictures", "sha256": "1" * 64, "baseline": False}
        receipts = receipts.added(at=DURING + timedelta(hours=hours), **about)
    found = finalists(rules, receipts, Board(rules.track("main"), "pictures"), lambda each: scores[each.number - 1])
    assert [receipt.number for receipt in found] == [chosen]


def test_published_rules_open_no_file_that_they_name(tmp_path: Path) -> None:
    tables = colour_tables()
    (tmp_path / "own.toml").write_text(tomli_w.dumps(tables.pop("benchmark")))
    (tmp_path / "competition.toml").write_text(tomli_w.dumps({"benchmark": "own.toml", **tables}))
    with pytest.raises(InputError, match="only the build of a competition opens it"):
        read_rules(tmp_path)
    rules, text = read_rules(tmp_path, open_benchmark=True)
    assert rules.benchmark == colours()
    assert parse_rules(text) == rules, "what is published needs no other file"


@pytest.mark.parametrize(
    "named", ["missing.toml", "folder.toml", "cycle.toml", "large.toml", "zero\0.toml", "../own.txt"]
)
def test_a_benchmark_beside_the_rules_that_cannot_be_read_is_one_sentence(named: str, tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "cycle.toml").symlink_to("cycle.toml")
    (tmp_path / "large.toml").write_text("# much\n" * 100_000)
    (tmp_path / "competition.toml").write_text(tomli_w.dumps(colour_tables() | {"benchmark": named}))
    with pytest.raises(InputError):
        read_rules(tmp_path, open_benchmark=True)


@pytest.mark.parametrize("board", ["live", "final"])
def test_no_template_is_made_of_a_benchmark_without_one_of_the_boards(board: str) -> None:
    tables = colours().model_dump(mode="json", exclude_none=True)
    tables["tiers"] = [tier for tier in tables["tiers"] if tier.get("board") != board]
    with pytest.raises(InputError, match=f"decides the {board} board"):
        template("own", starts=STARTS, session="mouse_a", benchmark=tables)


def test_another_description_of_the_same_benchmark_is_refused_with_what_differs(tmp_path: Path) -> None:
    tables = colours().model_dump(mode="json", exclude_none=True) | {"title": "Others"}
    given = [full_recording(load_benchmark(tables))]
    with pytest.raises(
        InputError, match=r"another description of benchmark 'colour-mice' than the rules have \(they differ in title\)"
    ):
        build(colour_rules(), given, tmp_path / "public", tmp_path / "secret", PASSPHRASE, seed=SEED)


def entrants_of_truth() -> tuple[list[Entrant], Truth]:
    """Entrants that predict well, badly, and 0 somewhere."""
    full = full_recording(colours("log_rate"))
    truth = Truth.from_recording(full, ["seen"])
    good = truth.responses + 1
    zero = good.copy()
    zero[0, 0] = 0
    arrays = {"good": good, "double": 2 * good, "zero": zero}
    return [
        Entrant(name, lambda a=array: a, DURING, number) for number, (name, array) in enumerate(arrays.items())
    ], truth


def test_predictions_that_a_metric_cannot_bear_have_no_rank_and_stop_nobody_else() -> None:
    entrants, truth = entrants_of_truth()
    ranked = rank(entrants, truth, "seen", "log_rate", Ranking(resamples=100))
    assert [(row.team, row.rank) for row in ranked.rows] == [("double", 1), ("good", 2), ("zero", None)]
    assert ranked.rows[-1].reason == "the metric is infinite for a neuron"
    assert ranked.winners == ("double",)


def test_a_metric_that_fails_in_a_resample_is_not_defined_there() -> None:
    @metrics.register("few")
    @describe_metric("few")
    def few(responses, predictions, repeats):
        """Raise where the first image is not drawn."""
        if not (predictions == 7).any():
            raise ZeroDivisionError
        return predictions.mean(axis=0)

    predicted = np.ones((6, 2))
    predicted[0] = 7
    arguments = (["few"], np.ones((6, 2)), predicted, range(6))
    with pytest.raises(InputError, match="raised ZeroDivisionError"):
        estimate_metrics(*arguments, resamples=50)
    found = estimate_metrics(*arguments, resamples=50, allow_failures=True)["few"]
    assert found.summary.mean == 2
    assert 0 < np.isnan(found.bootstrap.samples).sum() < 50
    (undefined,) = estimate_metrics(["few"], *np.ones((2, 6, 2)), range(6), resamples=9, allow_failures=True).values()
    assert undefined.summary.reason == "the metric raised ZeroDivisionError"


@pytest.fixture(scope="module")
def played(plugin: None, tmp_path_factory: pytest.TempPathFactory, cheap_vaults: None) -> Game:
    return colour_game(tmp_path_factory.mktemp("colours"), "log_rate")


@pytest.mark.slow
def test_a_submission_of_another_benchmark_is_refused_before_it_could_stop_the_close(
    played: Game, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from striate.portal.receiving.decode import decode

    own = predictions(played.built, "main", 0.5)
    tables = colours().model_dump(mode="json", exclude_none=True) | {"name": "other-mice"}
    other = replace(own, benchmark=load_benchmark(tables))
    live = LiveTruth.read(played.built.live_truth)
    score_live(own, live, bootstrap=0)
    with pytest.raises(InputError, match="for benchmark other-mice"):
        score_live(other, live, bootstrap=0)
    rules, keys = live.rules, live.final_keys
    monkeypatch.setattr("striate.portal.receiving.decode.read_keys", lambda file: (rules, keys))
    other.write(tmp_path / "other.parquet")
    with pytest.raises(InputError, match="for benchmark other-mice"):
        decode(tmp_path / "other.parquet", tmp_path, tmp_path, {})


@pytest.mark.slow
def test_zeros_in_the_final_tier_alone_do_not_stop_the_close(played: Game, tmp_path: Path) -> None:
    game = play(played.built, tmp_path)
    game.submit("Fair", 0.5, "main")
    zero = predictions(game.built, "main", 0.9, 1)
    values = zero.predictions.copy()
    values[np.flatnonzero(zero.tier == "unseen")[0], 0] = 0
    game.submit("Zero", 0.9, "main", hours=1, predictions=values)
    close(game.folder, game.vault, game.store, tmp_path / "out", at=AFTER, release=True)
    rows = Results.read(tmp_path / "out").boards[0].rows
    assert [(row.team, row.rank) for row in rows] == [("Fair", 1), ("Zero", None)]
    assert rows[1].live_score is not None
    assert "can exceed it" not in (tmp_path / "out" / "results.html").read_text(), (
        "models that see the image alone cannot"
    )
    assert verify(game.folder, results=tmp_path / "out").ok

    loaded = metrics._components.pop("log_rate")  # as on a machine without the plugin
    try:
        found = verify(game.folder, results=tmp_path / "out")
        with pytest.raises(InputError, match=r"load it with --plugin FILE\.py"):
            scorer(game.built.rules.benchmark)
    finally:
        metrics._components["log_rate"] = loaded
    assert found.ok
    assert [check.what for check in found.checks if check.ok is None] == ["scorer", "scores"]
    assert any("--plugin" in check.detail for check in found.checks)


@pytest.mark.slow
def test_a_test_image_that_is_shifted_in_one_channel_is_found_among_the_training_images(
    played: Game, tmp_path: Path
) -> None:
    archive = next((played.folder / "archives").iterdir())
    public = open_recording(archive)
    rng = np.random.default_rng(0)
    pictures = {
        image: np.stack([natural_like((32, 48), rng)[0], rng.integers(0, 256, (32, 48), dtype=np.uint8)])
        for image in np.unique(public.trials["image_id"])
    }
    tier, image_id = (public.trials[name].to_numpy() for name in ("tier", "image_id"))
    tested, trained = (image_id[tier == name][0] for name in ("unseen", "fit"))
    pictures[trained][0] = np.roll(pictures[tested][0], (3, -5), (0, 1))
    altered = Recording(
        public.session,
        public.neurons,
        public.trials,
        np.stack([pictures[each] for each in image_id]),
        public.responses,
        public.behavior,
        public.pupil_center,
        benchmark=public.benchmark,
    )
    write_recording(altered, tmp_path / archive.name)
    (found,) = [each for each in audit(tmp_path / archive.name).findings if each.rule == "altered-test-image"]
    assert "in channel uv" in found.message
    assert f"image {trained} of tier fit is image {tested} of tier unseen" in found.message


@pytest.mark.parametrize("split", ["given", "stratified"])
def test_recordings_are_simulated_for_a_benchmark_without_tracks(split: str) -> None:
    tables = colour_tables()
    tables["tiers"]["split"] = split
    tables["pretraining"] = {"sessions": ["mouse_b"]}
    settings = {"neurons": 3, "train": 6, "validation": 3, "test_images": 4, "final_images": 4, "repeats": 2}
    track, other = simulated(parse_rules(tomli_w.dumps(tables)), settings)
    assert ("unseen" in track.recording.tiers) == (split == "given")
    assert "unseen" not in other.recording.tiers, "images of the final board are shown in no other recording"
