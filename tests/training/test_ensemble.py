"""Ensembles: the mean of their members, in one folder that is used like a run."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.fixtures.messages import assert_short
from tests.fixtures.recordings import small_recording
from tests.training.small import small_recipe

import striate
from striate.errors import InputError
from striate.models import Encoder
from striate.recordings import Recording
from striate.training import Ensemble, FromImages, Run, predict, train, train_ensemble

RECORDING = small_recording(shape=(36, 64))
OTHER = small_recording("8-1-1", shape=(36, 64), seed=3)
EPS = float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class Members:
    """Runs of every kind that an ensemble may have."""

    plain: Run
    other_seed: Run  # of two recordings
    behavior: Run  # planes of behaviour, eye position, and larger images
    softplus: Run
    fold: Run


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Members:
    place = tmp_path_factory.mktemp("members")

    def trained(name: str, recordings: Any = RECORDING, seed: int = 0, **settings: Any) -> Run:
        return train(
            small_recipe(schedule__max_epochs=1, schedule__learning_rate=0.01, **settings),
            recordings,
            place / name,
            seed=seed,
            progress=False,
        )

    return Members(
        plain=trained("plain"),
        other_seed=trained("other-seed", [OTHER, RECORDING], seed=1),
        behavior=trained(
            "behavior", data__behavior=True, data__pupil_center=True, model__shifter=True, data__image_size=[36, 64]
        ),
        softplus=trained("softplus", seed=2, model__nonlinearity={"type": "softplus", "beta": 0.5}),
        fold=trained("fold", seed=3, data__folds=4, data__fold=1),
    )


@pytest.fixture(scope="module")
def pair(members: Members, tmp_path_factory: pytest.TempPathFactory) -> Ensemble:
    return Ensemble.from_runs([members.plain, members.other_seed], tmp_path_factory.mktemp("ensembles") / "pair")


def mean_of(*runs: Run, recording: Recording = RECORDING) -> np.ndarray:
    return np.mean([predict(run, recording, "test").values.astype(np.float64) for run in runs], axis=0)


def test_the_mean_of_rates(pair: Ensemble, members: Members) -> None:
    predicted = predict(pair.folder, RECORDING, "test")
    expected = mean_of(members.plain, members.other_seed)
    np.testing.assert_allclose(predicted.values, expected, rtol=2 * EPS)  # one sum, one division
    assert predicted.protocol == pair.protocol == "image"
    assert pair.sessions == ("7-1-1",)  # the recording that both know


def test_members_with_other_inputs(members: Members, tmp_path: Path) -> None:
    mixed = Ensemble.from_runs([members.plain, members.behavior], tmp_path / "mixed", protocol="image + behaviour")
    predicted = predict(mixed, RECORDING, "test")
    # images are rescaled after they are standardised, not before: both are affine, so that only rounding differs
    np.testing.assert_allclose(predicted.values, mean_of(members.plain, members.behavior), rtol=1000 * EPS)
    assert predicted.protocol == mixed.protocol == "image + behaviour"
    rows = RECORDING.rows("test")
    rates = mixed.respond(
        RECORDING.images[rows], behavior=RECORDING.behavior[rows], pupil_center=RECORDING.pupil_center[rows]
    )
    np.testing.assert_allclose(rates.to_numpy(), predicted.values, rtol=1000 * EPS)
    with pytest.raises(InputError, match="This model uses behavior"):
        mixed.respond(RECORDING.images[rows])


def test_the_mean_of_pre_activations(members: Members, tmp_path: Path) -> None:
    runs = [members.plain, members.other_seed]
    ensemble = Ensemble.from_runs(runs, tmp_path / "drives", combine="pre-activations")
    data = striate.loaders(RECORDING, members.plain.recipe.data, tiers=("test",))
    with torch.inference_mode():
        drives = [torch.cat([run.encoder().drive(batch) for batch in data.prediction("test")]) for run in runs]
        expected = torch.nn.functional.elu((drives[0] + drives[1]) / 2) + 1
    np.testing.assert_allclose(predict(ensemble, RECORDING, "test").values, expected, rtol=4 * EPS, atol=4 * EPS)


def test_pre_activations_pass_the_modulators_of_every_member(members: Members) -> None:
    """Gains of rates are averaged; an ensemble of one model and itself predicts as the model does."""
    from striate.training import EnsembleModule

    encoder = members.plain.encoder()
    alone = EnsembleModule([encoder, encoder], [members.plain.data] * 2, "pre-activations").eval()
    batch = next(iter(striate.loaders(RECORDING, members.plain.data, tiers=("test",)).test))
    with torch.inference_mode():
        torch.testing.assert_close(alone(batch), encoder(batch))


def test_an_ensemble_is_whole_without_its_runs(members: Members, tmp_path: Path) -> None:
    copies = [shutil.copytree(run.folder, tmp_path / run.folder.name) for run in (members.plain, members.other_seed)]
    made = Ensemble.from_runs(copies, tmp_path / "made")
    before = predict(made, RECORDING, "test").values
    for copy in copies:
        shutil.rmtree(copy)
    moved = (tmp_path / "made").rename(tmp_path / "moved")
    np.testing.assert_array_equal(predict(moved, RECORDING, "test").values, before)
    opened = striate.open_run(moved)
    assert isinstance(opened, Ensemble)
    facts = opened.provenance["members"]
    assert [entry["run"] for entry in facts] == ["plain", "other-seed"]
    assert facts[0]["recordings"] == members.plain.provenance["recordings"]
    assert len({entry["weights_sha256"] for entry in facts}) == 2
    assert str(tmp_path) not in (moved / "ensemble.json").read_text()


def test_an_ensemble_of_an_ensemble_has_its_members(pair: Ensemble, members: Members, tmp_path: Path) -> None:
    three = Ensemble.from_runs([pair, members.softplus], tmp_path / "three")
    assert [run.folder.name for run in three.members] == ["1-1-plain", "2-2-other-seed", "3-softplus"]


@pytest.mark.slow
def test_members_with_contexts_of_other_lengths(members: Members, tmp_path: Path) -> None:
    runs = [
        train(
            small_recipe(
                schedule__max_epochs=1,
                data__behavior=True,
                data__pupil_center=eye,
                data__context={"past": past, "future": 13 - past},
                model__modulators=[{"type": "slow_gain"}],
                **{"model__shifter": True} if eye else {},
            ),
            RECORDING,
            tmp_path / f"past-{past}",
            progress=False,
        )
        for past, eye in ((4, False), (9, True))
    ]
    for combine in ("rates", "pre-activations"):
        made = Ensemble.from_runs(runs, tmp_path / combine, combine=combine)
        assert made.data.context is not None
        assert (made.data.context.past, made.data.context.future) == (9, 9)
        predicted = predict(made, RECORDING, "test").values
        if combine == "rates":
            np.testing.assert_allclose(predicted, mean_of(*runs), rtol=4 * EPS)
        else:
            assert (predicted > 0).all()


def test_gradients_reach_the_image(pair: Ensemble) -> None:
    batch = next(iter(striate.loaders(RECORDING, pair.data, tiers=("test",)).test))
    images = batch.images.clone().requires_grad_()
    pair.encoder()(replace(batch, images=images)).sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0


def test_open_run_opens_runs_too(members: Members) -> None:
    assert isinstance(striate.open_run(members.plain.folder), Run)


def test_an_ensemble_is_scored_on_validation_trials(members: Members, tmp_path: Path) -> None:
    made = Ensemble.from_runs([members.plain, members.softplus], tmp_path / "scored", validate=RECORDING)
    expected = striate.metrics.single_trial_correlation(
        striate.loaders(RECORDING).responses("validation"), predict(made, RECORDING, "validation").values
    )
    assert made.provenance["validation_correlation"] == pytest.approx(np.nan_to_num(expected).mean(), rel=1e-6)
    alone = members.plain.validation_correlation(RECORDING)
    assert alone == pytest.approx(members.plain.provenance["best_validation_correlation"], rel=1e-6)


def test_no_validation_score_counts_after_a_new_split(members: Members, tmp_path: Path) -> None:
    made = Ensemble.from_runs([members.plain, members.fold], tmp_path / "split")
    with pytest.raises(
        InputError, match=r"would not count, because its members 2-fold were trained with a new split"
    ) as refusal:
        made.validation_correlation(RECORDING)
    assert_short(refusal.value, tmp_path)
    for model in (made, members.fold):
        with pytest.warns(UserWarning, match="on validation trials do not count"):
            assert len(predict(model, RECORDING, "validation").values) == RECORDING.rows("validation").size
    predict(made, RECORDING, "test")  # without a warning
    with pytest.raises(InputError, match="would not count"):
        Ensemble.from_runs([members.plain, members.fold], tmp_path / "refused", validate=RECORDING)
    assert not (tmp_path / "refused").exists()


REFUSED: dict[str, tuple[Callable[[Members, Path], Any], str]] = {
    "one run": (lambda m, out: Ensemble.from_runs([m.plain], out), "needs at least two runs"),
    "a run twice": (lambda m, out: Ensemble.from_runs([m.plain, m.plain.folder], out), "are the same run"),
    "a path": (lambda m, out: Ensemble.from_runs(str(m.plain.folder), out), "give a list of their folders"),
    "no run": (
        lambda m, out: Ensemble.from_runs([m.plain, 3], out),
        "Expected a run or its folder, got",
    ),
    "another combination": (
        lambda m, out: Ensemble.from_runs([m.plain, m.other_seed], out, combine="median"),
        "There is no combination 'median'",
    ),
    "protocols": (
        lambda m, out: Ensemble.from_runs([m.plain, m.behavior], out),
        r"different protocols: image in plain; image \+ behaviour in behavior.*declare.*protocol='image \+ behaviour'",
    ),
    "a protocol that is too narrow": (
        lambda m, out: Ensemble.from_runs([m.plain, m.behavior], out, protocol="image"),
        r"protocol of this ensemble is 'image \+ behaviour', the widest of its members",
    ),
    "nonlinearities": (
        lambda m, out: Ensemble.from_runs([m.plain, m.softplus], out, combine="pre-activations"),
        r"only if all members have the same output nonlinearity: elu in plain; softplus \(beta = 0.5\) in softplus",
    ),
    "an existing folder": (lambda m, out: Ensemble.from_runs([m.plain, m.softplus], m.plain.folder), "exists already"),
    "another recording": (
        lambda m, out: predict(Ensemble.from_runs([m.plain, m.other_seed], out), OTHER, "test"),
        "Not all members of .* were trained on recording 8-1-1; all know 7-1-1",
    ),
    "a core": (
        lambda m, out: train(
            "cnn", RECORDING, out.with_name("run"), core=Ensemble.from_runs([m.plain, m.softplus], out).folder
        ),
        "is an ensemble of runs, and one run is needed",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_in_one_sentence(case: str, members: Members, tmp_path: Path) -> None:
    call, sentence = REFUSED[case]
    with pytest.raises(InputError, match=sentence) as refusal:
        call(members, tmp_path / "out")
    assert_short(refusal.value, tmp_path, members.plain.folder.parent)


@pytest.mark.slow
def test_runs_that_do_not_fit_together(members: Members, tmp_path: Path) -> None:
    def trained(name: str, recording: Recording, **settings: Any) -> Run:
        return train(small_recipe(schedule__max_epochs=1, **settings), recording, tmp_path / name, progress=False)

    def refusal(*runs: Run) -> str:
        with pytest.raises(InputError) as raised:
            Ensemble.from_runs(runs, tmp_path / "out")
        assert_short(raised.value, tmp_path, members.plain.folder.parent)
        return str(raised.value)

    assert "No recording is known to all members: 7-1-1 in plain; 8-1-1 in other" in refusal(
        members.plain, trained("other", OTHER)
    )
    fewer = trained("fewer", RECORDING, data__neurons=5)
    assert "do not predict the same neurons of 7-1-1 (units" in refusal(members.plain, fewer)
    backwards = trained("backwards", RECORDING, data__unit_ids=RECORDING.unit_ids[::-1].tolist())
    assert "their order differs" in refusal(members.plain, backwards)
    louder = Recording(
        RECORDING.session,
        RECORDING.neurons,
        RECORDING.trials,
        **{**RECORDING.arrays, "responses": 2 * RECORDING.arrays["responses"]},
    )
    assert "different versions of recording 7-1-1" in refusal(members.plain, trained("louder", louder))
    flat = FromImages(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(18 * 32, 12), torch.nn.Softplus()))
    own = train(small_recipe(schedule__max_epochs=1), RECORDING, tmp_path / "own", encoder=flat, progress=False)
    assert "module of one's own" in refusal(members.plain, own)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda facts: facts["members"][0].update(folder="../plain"), "is damaged"),
        (lambda facts: facts["members"][0].update(folder="3-none"), "lacks its member 3-none"),
        (lambda facts: facts.update(combine="exec"), "is damaged"),
        (
            lambda facts: facts["members"][0].update(weights_sha256="0" * 64),
            "are not those that the ensemble was made of",
        ),
        (lambda facts: facts.update(status="training"), r"is not finished \(2 of 2 members are trained\)"),
    ],
)
def test_a_damaged_ensemble(
    change: Callable[[dict[str, Any]], Any], sentence: str, pair: Ensemble, tmp_path: Path
) -> None:
    copy = shutil.copytree(pair.folder, tmp_path / "copy")
    facts = json.loads((copy / "ensemble.json").read_text())
    change(facts)
    (copy / "ensemble.json").write_text(json.dumps(facts))
    with pytest.raises(InputError, match=sentence) as refusal:
        predict(copy, RECORDING, "test")
    assert_short(refusal.value, tmp_path)


def test_no_run_at_all(tmp_path: Path) -> None:
    for place in (tmp_path / "none", tmp_path):
        with pytest.raises(InputError, match="no run"):
            striate.open_run(place)


@pytest.mark.slow
def test_training_an_ensemble_goes_on_where_it_stopped(tmp_path: Path) -> None:
    recipe = small_recipe(schedule__max_epochs=2)
    made = train_ensemble(recipe, RECORDING, tmp_path / "whole", seeds=3, progress=False)
    assert [run.folder.name for run in made.members] == ["seed-0", "seed-1", "seed-2"]
    assert made.provenance["validation_correlation"] is not None
    # as it is when the process is killed before the last member is trained
    stopped = shutil.copytree(made.folder, tmp_path / "stopped")
    shutil.rmtree(stopped / "members" / "seed-2")
    facts = {"format": 1, "status": "training", "combine": "rates"}
    facts["members"] = [{"folder": f"seed-{seed}"} for seed in range(3)]
    (stopped / "ensemble.json").write_text(json.dumps(facts))
    with pytest.raises(InputError, match="2 of 3 members are trained"):
        predict(stopped, RECORDING, "test")
    for other, sentence in (
        ({"seeds": 2}, "holds an unfinished ensemble of other members"),
        ({"seeds": 3, "overrides": {"data.batch_size": 8}}, "data.batch_size is 16 there and 8 now"),
    ):
        with pytest.raises(InputError, match=sentence):
            train_ensemble(recipe, RECORDING, stopped, progress=False, **other)  # type: ignore[arg-type]
    kept = (stopped / "members" / "seed-1" / "weights.safetensors").stat().st_mtime_ns
    again = train_ensemble(recipe, RECORDING, stopped, seeds=3, progress=False)
    assert (stopped / "members" / "seed-1" / "weights.safetensors").stat().st_mtime_ns == kept
    hashes = [[entry["weights_sha256"] for entry in each.provenance["members"]] for each in (made, again)]
    assert hashes[0] == hashes[1]
    with pytest.raises(InputError, match="exists already"):
        train_ensemble(recipe, RECORDING, stopped, seeds=3, progress=False)


@pytest.mark.slow
def test_training_an_ensemble_over_new_splits(tmp_path: Path) -> None:
    made = train_ensemble(
        small_recipe(schedule__max_epochs=1), RECORDING, tmp_path / "made", seeds=[7], folds=3, progress=False
    )
    assert [(run.provenance["seed"], run.data.fold) for run in made.members] == [(7, 0), (7, 1), (7, 2)]
    assert "validation_correlation" not in made.provenance
    assert made.trained_on_validation is not None
    assert isinstance(made.members[0].encoder(), Encoder)


def test_arguments_that_are_not_valid_leave_nothing_behind(tmp_path: Path) -> None:
    recipe = small_recipe(schedule__max_epochs=1)
    calls: list[tuple[dict[str, Any], str]] = [
        ({"seeds": 1}, "at least two members"),
        ({"seeds": [1, 1]}, "contain one twice"),
        ({"seeds": 2, "folds": 1}, "folds"),
        ({"seeds": 2, "folds": 40}, "too few for 40 folds"),
        ({"seeds": "five"}, "seeds is"),
        ({"seeds": 2, "overrides": {"data.areas": ["V9"]}}, "no neurons of area 'V9'"),
    ]
    for keys, sentence in calls:
        with pytest.raises(InputError, match=sentence) as refusal:
            train_ensemble(recipe, RECORDING, tmp_path / "out", progress=False, **keys)
        assert_short(refusal.value, tmp_path)
        assert not (tmp_path / "out").exists()
