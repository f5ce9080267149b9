"""A competition of one's own, whose track has a name of its own, from the file of a submission to the board."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.competition.examples import AFTER, DURING, TRACK, Game, built, mouse, play, predictions, small_rules

from striate.competition import Board, close, score_live, submit
from striate.competition.manifest import Manifest
from striate.errors import InputError
from striate.submissions import Submission

OWN = "dim-light"


@pytest.fixture(scope="module")
def game(tmp_path_factory: pytest.TempPathFactory) -> Game:
    folder = tmp_path_factory.mktemp("own")
    made = built(folder, small_rules("own", tracks__0__name=OWN), [mouse(TRACK, live=8)])
    return play(made, folder / "game")


def file_of(game: Game, folder: Path, named: str | None) -> Path:
    path = folder / "submission.parquet"
    replace(predictions(game.built, OWN, 0.6), track=named).write(path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("named", [OWN, None])
def test_a_track_of_ones_own_goes_all_the_way(game: Game, named: str | None, tmp_path: Path) -> None:
    file = file_of(game, tmp_path, named)
    assert Submission.read(file).track == named
    assert score_live(file, game.built.live_truth, bootstrap=0).board == Board(game.built.rules.track(OWN), "image")
    assert submit(game.folder, file, "Ada", game.store, at=DURING).track == OWN
    results = close(game.folder, game.vault, game.store, tmp_path / "results", at=AFTER)
    assert [(board.name, board.winners) for board in results.boards] == [("dim-light-image", ["Ada"])]


def test_the_name_of_another_track_is_refused(game: Game, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="names track 'sensorium', but session"):
        submit(game.folder, file_of(game, tmp_path, "sensorium"), "Ben", game.store, at=DURING)


def test_the_portal_reads_a_file_of_a_track_of_ones_own(game: Game, tmp_path: Path) -> None:
    pytest.importorskip("django")
    from striate.portal.competition import Competition
    from striate.portal.receiving.decode import decode
    from striate.portal.receiving.keys import write_keys

    text = (game.folder / "competition.toml").read_text()
    digest = "0" * 64
    public = Competition(
        game.folder, game.built.rules, text, Manifest.read(game.folder), digest, digest, datetime.now(UTC)
    )
    assert list(public.boards) == ["dim-light-image"]
    write_keys(tmp_path / "keys.npz", public)
    said = decode(file_of(game, tmp_path, OWN), tmp_path / "keys.npz", tmp_path, {})
    assert said == {"track": OWN, "protocol": "image"}
