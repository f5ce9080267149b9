"""A competition of one's own, whose track has a name of its own, from the file of a submission to the board."""

from pathlib import Path

import pytest
from tests.competition.examples import AFTER, TRACK, built, mouse, play, small_rules

from striate.competition import close, score_live
from striate.errors import InputError
from striate.submissions import Submission


@pytest.mark.parametrize("named", ["dim-light", None])
def test_a_track_of_ones_own_goes_all_the_way(tmp_path: Path, named: str | None) -> None:
    made = built(tmp_path / "made", small_rules("own", tracks__0__name="dim-light"), [mouse(TRACK, live=8)])
    game = play(made, tmp_path / "game")
    file = game.file(0.6, "dim-light", track=named)
    assert Submission.read(file).track == named
    assert score_live(file, made.live_truth, bootstrap=0).board.track.name == "dim-light"
    assert game.submit("Ada", 0.6, "dim-light", track=named).track == "dim-light"
    results = close(game.folder, game.vault, game.store, tmp_path / "results", at=AFTER)
    assert [(board.name, board.winners) for board in results.boards] == [("dim-light-image", ["Ada"])]
    with pytest.raises(InputError, match="names track 'sensorium', but session"):
        game.submit("Ben", 0.5, "dim-light", track="sensorium")


def test_the_portal_reads_a_file_of_a_track_of_ones_own(tmp_path: Path) -> None:
    pytest.importorskip("django")
    from datetime import UTC, datetime

    from striate.competition.manifest import Manifest
    from striate.portal.competition import Competition
    from striate.portal.receiving.decode import decode
    from striate.portal.receiving.keys import write_keys

    made = built(tmp_path / "made", small_rules("own", tracks__0__name="dim-light"), [mouse(TRACK, live=8)])
    game = play(made, tmp_path / "game")
    text = (made.folder / "competition.toml").read_text()
    public = Competition(
        made.folder, made.rules, text, Manifest.read(made.folder), "0" * 64, "0" * 64, datetime.now(UTC)
    )
    assert list(public.boards) == ["dim-light-image"]
    write_keys(tmp_path / "keys.npz", public)
    said = decode(game.file(0.6, "dim-light", track="dim-light"), tmp_path / "keys.npz", tmp_path, {})
    assert said == {"track": "dim-light", "protocol": "image"}
