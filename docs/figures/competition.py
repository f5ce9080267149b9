"""Draw the evidence of a split and a final board: ``competition-split.png`` and ``competition-board.png``.

A small competition is simulated and closed; nobody trains, the teams mix expected responses with those to other images.
"""

import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from figure_style import save

from striate.competition import (
    Vault,
    build,
    close,
    commit,
    parse_rules,
    simulated,
    submit,
    template,
)
from striate.competition.features import picture_features, response_features
from striate.competition.keys import CompetitionSeed
from striate.competition.results_page import board_figure
from striate.competition.split import balance
from striate.competition.split_figure import split_figure
from striate.metrics import split_half
from striate.recordings import open as open_recording

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.competition.examples import modelled

PASSPHRASE = "nothing here is secret"
SEED = CompetitionSeed(0x0123_4567_89AB_CDEF_FEDC_BA98_7654_3210)
STARTS = datetime(2026, 3, 1, tzinfo=UTC)
MOUSE = {
    "neurons": 150,
    "train": 200,
    "validation": 20,
    "test_images": 60,
    "repeats": 8,
    "image_shape": (36, 64),
}
SKILLS = {
    "Bregma": 0.64,
    "Lambda": 0.63,
    "Geniculate": 0.53,
    "Pulvinar": 0.52,
    "LN baseline": 0.42,
    "Optic tract": 0.3,
}


def draw() -> None:
    """Build, play and close; draw both figures."""
    rules = parse_rules(template("own", starts=STARTS, session="501-1-3"))
    folder = Path(tempfile.mkdtemp())
    mice = list(simulated(rules, MOUSE, SEED.simulation))
    made = build(
        rules, mice, folder / "public", folder / "secret", PASSPHRASE, seed=SEED
    )
    vault = Vault.read(made.vault, PASSPHRASE)
    save(_split(folder, vault), "competition-split", dpi=95)
    commit(made.folder, vault, at=STARTS - timedelta(days=9))
    for day, (team, skill) in enumerate(SKILLS.items()):
        modelled(made, vault, mice[0], "main", skill, day).write(
            folder / f"{day}.parquet"
        )
        submit(
            made.folder,
            folder / f"{day}.parquet",
            team,
            folder / "store",
            at=STARTS + timedelta(days=day),
            baseline="baseline" in team,
        )
    results = close(
        made.folder, vault, folder / "store", folder / "results", at=rules.closes
    )
    save(
        board_figure(results.boards[0], rules.ranking.level),
        "competition-board",
        dpi=110,
    )


def _split(folder: Path, vault: Vault) -> object:
    live, final = vault.live["main"], vault.final["main"]
    public = open_recording(next((folder / "public" / "archives").iterdir()))
    answers = response_features(
        np.concatenate([live.responses, final.responses]),
        np.concatenate([live.image_id, final.image_id]),
    )
    ids = public.trials["image_id"].to_numpy()
    rows = [int(np.flatnonzero(ids == image)[0]) for image in answers.index]
    features = picture_features(np.asarray(public.images[rows])).set_index(
        answers.index
    )
    ceilings = {
        name: split_half(truth.responses, truth.image_id).values
        for name, truth in (("live", live), ("final", final))
    }
    finals = answers.index.isin(np.unique(final.image_id))
    return split_figure(balance(features.join(answers), finals), ceilings, "Track main")


if __name__ == "__main__":
    draw()
