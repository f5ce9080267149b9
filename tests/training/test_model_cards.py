"""Model cards, and runs that are shared as folders or on the Hugging Face Hub."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from tests.fixtures.command import assert_one_sentence, run_in_process
from tests.fixtures.hugging_face import TOKEN, StandInHub, stand_in_hub
from tests.fixtures.recordings import small_recording
from tests.training.small import small_recipe

import striate
from striate.errors import InputError
from striate.metrics import single_trial_correlation
from striate.recordings import Recording
from striate.training import Ensemble, Run, predict, share, train, write_card
from striate.training.run_folder import write_json

yaml = pytest.importorskip("yaml")

INPUTS = {"data__behavior": True, "data__pupil_center": True, "model__shifter": {}}


@pytest.fixture(scope="module")
def mice() -> list[Recording]:
    return [small_recording(), small_recording("8-1-1", neurons=5, withhold=True, seed=1)]


@pytest.fixture(scope="module")
def trained(mice: list[Recording], tmp_path_factory: pytest.TempPathFactory) -> Run:
    recipe = small_recipe(schedule__max_epochs=1, **INPUTS)
    return train(recipe, mice, tmp_path_factory.mktemp("models") / "two-mice", progress=False)


@pytest.fixture
def run(trained: Run, tmp_path: Path) -> Run:
    """A copy of the run that a test may change."""
    return Run.open(shutil.copytree(trained.folder, tmp_path / "two-mice"))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[StandInHub]:
    pytest.importorskip("huggingface_hub")
    with stand_in_hub() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.address)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub-cache"))
        yield running


def header(run: Run) -> dict[str, Any]:
    fields: dict[str, Any] = yaml.safe_load((run.folder / "README.md").read_text().split("---\n")[1])
    return fields


def test_a_finished_run_has_a_card(trained: Run) -> None:
    text = (trained.folder / "README.md").read_text()
    fields = header(trained)
    assert fields["library_name"] == "striate"
    assert "protocol-image-behaviour" in fields["tags"]
    assert fields["license"] == "unknown"  # the catalogue does not have these mice
    results = fields["model-index"][0]["results"]
    assert [each["dataset"]["name"] for each in results] == [
        "recording 7-1-1, tier validation",
        "recording 8-1-1, tier validation",
    ]
    for session in trained.sessions:
        found = trained.scores.sessions[session]["validation"].metrics["single_trial_correlation"]
        assert f"| {session} | validation | 8 | 8 | {found.text} |" in text
        assert found.low is not None
        assert found.high is not None
        assert found.low <= found.high
        assert ", ".join(map(str, trained.unit_ids(session)[:5])) in text
    for section in ("Use", "Scores", "Data", "Neurons", "Geometry", "Training", "Provenance", "Limits"):
        assert f"\n## {section}\n" in text
    assert "not scored on test trials" in text
    assert "| stride of the maps | 1 × 1 input pixels |" in text
    assert trained.recipe.to_toml().strip() in text


def test_the_card_says_how_to_use_the_model(trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (trained.folder / "README.md").read_text().split("```python\n")[1].split("```")[0]
    Image.fromarray(np.zeros((18, 32), dtype=np.uint8)).save(tmp_path / "image.png")
    monkeypatch.chdir(tmp_path)
    found: dict[str, Any] = {}
    exec(code.replace("hf:USER/NAME", str(trained.folder)), found)
    assert found["rates"].shape == (1, 12)
    assert found["encoder"].sessions == trained.sessions


def test_the_hub_reads_the_card(trained: Run) -> None:
    hub = pytest.importorskip("huggingface_hub")
    card = hub.ModelCard.load(trained.folder / "README.md")
    scores = trained.scores.sessions["7-1-1"]["validation"].metrics["single_trial_correlation"]
    assert card.data.eval_results[0].metric_value == pytest.approx(scores.mean, abs=1e-6)


def test_scores_are_those_of_the_validation_trials(trained: Run, mice: list[Recording]) -> None:
    for mouse in mice:
        predictions = predict(trained, mouse, "validation")
        measured = mouse.measured_responses("validation") / trained.standardisation(mouse.session).response_scale
        expected = np.nan_to_num(single_trial_correlation(measured, predictions.values)).mean()
        found = trained.scores.sessions[mouse.session]["validation"].metrics["single_trial_correlation"].mean
        assert found == pytest.approx(expected, abs=1e-5)  # of batches of other sizes, in float32


def test_test_scores_are_added_where_the_responses_are_given(run: Run, mice: list[Recording]) -> None:
    write_card(run, mice[:1], licence="CC BY 4.0")
    assert header(run)["license"] == "cc-by-4.0"
    assert set(run.scores.sessions["7-1-1"]) == {"validation", "test"}
    assert set(run.scores.sessions["8-1-1"]) == {"validation"}
    assert run.scores.sessions["7-1-1"]["test"].images == 4
    assert "| 7-1-1 | test |" in (run.folder / "README.md").read_text()
    with pytest.raises(InputError, match="8-1-1 has no test responses"):
        write_card(run, mice[1:])
    with pytest.raises(InputError, match="other content"):
        write_card(run, [small_recording(seed=9)])


def test_the_licence_and_citation_are_those_of_the_catalogue(run: Run) -> None:
    dataset = striate.catalog.get_dataset("sensorium2022")
    assert dataset.citation is not None
    entry = {
        "dataset": dataset.name,
        "title": dataset.title,
        "sessions": ["7-1-1"],
        "licence": dataset.licence.model_dump(),
        "citation": dataset.citation.model_dump(),
    }
    write_json(run.folder / "provenance.json", {**run.provenance, "data": [entry]})
    write_card(run.folder)
    fields = header(run)
    assert (fields["license"], fields["datasets"]) == ("cc-by-nc-nd-4.0", ["sensorium2022"])
    text = (run.folder / "README.md").read_text()
    assert dataset.licence.terms in text
    assert dataset.citation.text in text
    assert "Recording 8-1-1 belongs to no dataset" in text


def test_a_shared_folder_predicts_the_same_without_the_recordings(run: Run, mice: list[Recording]) -> None:
    (run.folder / "truth.parquet").write_bytes(b"responses that are withheld")
    (run.folder / "model.py").write_text("raise SystemExit")
    where = run.folder.parent / "shared"
    assert share(run, where) == str(where)
    assert {path.name for path in where.iterdir()} == {
        "README.md",
        "history.parquet",
        "neurons.parquet",
        "provenance.json",
        "recipe.toml",
        "scores.json",
        "standardisation.json",
        "weights.safetensors",
    }
    again = Run.open(where)
    images = np.random.default_rng(0).integers(0, 256, (3, 18, 32), dtype=np.uint8)
    state = {"behavior": "median", "pupil_center": "median", "recording": "8-1-1"}
    pd.testing.assert_frame_equal(again.respond(images, **state), run.respond(images, **state))
    assert np.array_equal(predict(again, mice[0]).values, predict(run, mice[0]).values)
    encoder, own = striate.models.load(where), run.encoder()
    inputs = torch.randn(2, *own.input_shape), "7-1-1", torch.zeros(2, 2)
    assert torch.equal(encoder.rates(*inputs), own.rates(*inputs))


def test_no_folder_of_this_machine_is_shared(run: Run, tmp_path: Path) -> None:
    recipe = run.folder / "recipe.toml"
    recipe.write_text(recipe.read_text().replace('description = ""', 'description = "see /home/ada/plan.md"'))
    with pytest.raises(InputError, match=r"names a folder of this machine, '/home/ada/plan\.md'"):
        share(run.folder, tmp_path / "shared")
    assert not (tmp_path / "shared").exists()


def test_no_unknown_column_is_shared(run: Run, tmp_path: Path) -> None:
    neurons = run.folder / "neurons.parquet"
    pd.read_parquet(neurons).assign(responses=1.0).to_parquet(neurons)
    with pytest.raises(InputError, match="column 'responses'"):
        share(run, tmp_path / "shared")


def test_a_model_is_uploaded_and_loaded(run: Run, hub: StandInHub) -> None:
    assert share(run, "hf:ada/v1", private=True) == f"{hub.address}/ada/v1"
    assert "ada/v1" in hub.private
    assert b'load("hf:ada/v1")' in hub.models["ada/v1"]["README.md"]
    encoder, own = striate.models.load("hf:ada/v1"), run.encoder()
    assert all(torch.equal(a, b) for a, b in zip(encoder.parameters(), own.parameters(), strict=True))
    assert Run.open("hf:ada/v1").sessions == run.sessions
    with pytest.raises(InputError, match="exists"):
        share(run, "hf:ada/v1")
    hub.models["ada/v1"]["code.py"] = b"raise SystemExit"
    hub.models["ada/v1"]["weights.pickle"] = b""
    assert {path.name for path in Run.open("hf:ada/v1").folder.iterdir()} == hub.models["ada/v1"].keys() - {
        "code.py",
        "weights.pickle",
    }
    share(run, "hf:ada/v1", overwrite=True)
    assert "code.py" not in hub.models["ada/v1"]


def test_what_the_hub_refuses_is_one_sentence(run: Run, hub: StandInHub, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, message in (
        ("hf:ada/none", "no model hf:ada/none"),
        ("hf:ada", "names no model"),
        ("hf:ada/../x", "names no model"),
    ):
        with pytest.raises(InputError, match=message):
            striate.models.load(name)
    share(run, "hf:ada/v1")
    with pytest.raises(InputError, match="no revision 'old'"):
        striate.models.load("hf:ada/v1@old")
    monkeypatch.setenv("HF_TOKEN", "hf_of_somebody_else")
    with pytest.raises(InputError, match="log in"):
        share(run, "hf:ada/v2")


def test_without_a_network_it_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    with pytest.raises(InputError, match="cannot be reached"):
        striate.models.load("hf:ada/v1")


def test_an_ensemble_is_shared_with_its_members(
    run: Run, mice: list[Recording], hub: StandInHub, tmp_path: Path
) -> None:
    other = shutil.copytree(run.folder, tmp_path / "other")
    write_json(other / "provenance.json", {**run.provenance, "seed": 5})
    ensemble = Ensemble.from_runs([run, other], tmp_path / "both", validate=mice)
    assert set(ensemble.scores.sessions) == {"7-1-1", "8-1-1"}
    assert ensemble.scores.tiers == ("validation",)
    assert "## Members" in (ensemble.folder / "README.md").read_text()
    (ensemble.members[0].folder / "truth.parquet").write_bytes(b"responses that are withheld")
    share(ensemble, "hf:ada/both")
    assert "members/2-other/weights.safetensors" in hub.models["ada/both"]
    assert not [name for name in hub.models["ada/both"] if name.endswith("truth.parquet")]
    again = striate.open_run("hf:ada/both")
    assert np.array_equal(predict(again, mice[0]).values, predict(ensemble, mice[0]).values)
    with pytest.raises(InputError, match="is an ensemble"):
        striate.models.load("hf:ada/both")
    write_card(ensemble, mice[:1])
    assert set(ensemble.scores.sessions["7-1-1"]) == {"validation", "test"}


@pytest.mark.slow
def test_the_commands(run: Run, mice: list[Recording], tmp_path: Path) -> None:
    striate.write(mice[0], tmp_path / "mouse.zip")
    done = run_in_process("card", run.folder, tmp_path / "mouse.zip", "--licence", "MIT")
    assert done.status == 0, done.err
    assert "7-1-1, test: single_trial_correlation" in done.out
    done = run_in_process("share", run.folder, tmp_path / "shared")
    assert (done.status, done.out.strip()) == (0, f"shared {tmp_path / 'shared'}")
    assert_one_sentence(run_in_process("share", run.folder, tmp_path / "shared"), "--overwrite")
    assert_one_sentence(run_in_process("share", tmp_path, tmp_path / "other"), "is no run")
    assert_one_sentence(run_in_process("share", run.folder, "hf:ada"), "hf:USER/NAME")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no model"):
        striate.models.load(tmp_path / "empty")
