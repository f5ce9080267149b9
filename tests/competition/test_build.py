"""Withholding: from full recordings to archives that may be published."""

import dataclasses
import json
import stat
import zipfile

import numpy as np
import pytest
from tests.competition.examples import (
    OTHER,
    PASSPHRASE,
    SEED,
    TRACK,
    TRACK_PLUS,
    built,
    mice,
    mouse,
    small_rules,
)

import striate
from striate.competition import Vault, build, simulated
from striate.competition.keys import CompetitionSeed, hidden_indices
from striate.errors import InputError
from striate.recordings import Recording
from striate.recordings.layout import archive_stem
from striate.submissions import Truth


def archive(made, session):
    return made.folder / "archives" / f"{archive_stem(session)}.zip"


def fields_of(made, session):
    with zipfile.ZipFile(archive(made, session)) as zip_file:
        return {
            name.split("/", 1)[1] for name in zip_file.namelist() if "/meta/trials/" in name or "/meta/neurons/" in name
        }


def test_public_archives_are_recordings_of_the_official_layout(competition):
    for session in competition.rules.sessions:
        report = striate.check(archive(competition, session))
        assert report.ok
        assert "trial-order" not in report.rules
        with zipfile.ZipFile(archive(competition, session)) as zip_file:
            names = zip_file.namelist()
            assert {name.split("/")[0] for name in names} == {archive_stem(session)}
            assert {info.date_time for info in zip_file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
            assert names == sorted(names, key=lambda n: (n.split("/")[1] != "data", n.split("/")[1:3], _number(n), n))


def _number(name):
    last = name.rsplit("/", 1)[1].removesuffix(".npy")
    return int(last) if last.isdigit() else -1


def test_only_listed_fields_are_public(competition):
    for session in competition.rules.sessions:
        assert fields_of(competition, session) == {
            f"meta/trials/{name}.npy" for name in ("tiers", "frame_image_id", "trial_idx", "frame_image_class")
        } | {
            f"meta/neurons/{name}.npy"
            for name in ("unit_ids", "area", "layer", "cell_motor_coordinates", "animal_ids", "sessions", "scan_idx")
        }


def test_what_a_track_withholds_is_zero_and_all_else_is_as_it_was(competition):
    vault = Vault.read(competition.vault, PASSPHRASE)
    for full in mice():
        public = striate.open(archive(competition, full.session))
        mapping = vault.mappings[full.session]
        track = competition.rules.track_of(full.session)
        rows = mapping.row
        assert sorted(rows.tolist()) == list(range(len(full.trials)))
        np.testing.assert_array_equal(public.images, full.images[rows])
        assert public.trials["tier"].tolist() == full.trials["tier"].iloc[rows].tolist()
        tests = public.trials["tier"].isin(("test", "final_test")).to_numpy()
        np.testing.assert_array_equal(public.responses[~tests], full.responses[rows][~tests])
        assert public.withheld_tiers == (frozenset({"test", "final_test"}) if track else frozenset())
        hidden = track.withhold if track else ()
        for variable in ("behavior", "pupil_center"):
            values = getattr(public, variable)
            if variable in hidden:
                assert not values.any()
            else:
                np.testing.assert_array_equal(values, getattr(full, variable)[rows])


def test_the_order_of_the_trials_is_withheld_but_for_pretraining(competition):
    vault = Vault.read(competition.vault, PASSPHRASE)
    for session in (TRACK, TRACK_PLUS):
        public = striate.open(archive(competition, session))
        assert public.trials["trial_idx"].tolist() == vault.public_index(session)
    other = striate.open(archive(competition, OTHER))
    assert other.trials["trial_idx"].to_numpy().tolist() == vault.mappings[OTHER].original.astype(int).tolist()
    for session in competition.rules.sessions:
        order = vault.mappings[session].order
        assert abs(np.corrcoef(order, np.arange(len(order)))[0, 1]) < 0.4


def test_statistics_follow_from_training_trials_alone(competition):
    for full in mice():
        public = striate.open(archive(competition, full.session))
        train = full.responses[(full.trials["tier"] == "train").to_numpy()]
        np.testing.assert_allclose(
            public.stored_statistics["responses"].std, train.astype(float).std(axis=0), rtol=1e-6
        )
    assert not striate.open(archive(competition, TRACK)).stored_statistics["behavior"].std.any()


def test_images_get_new_numbers_the_same_in_all_recordings(competition):
    ids = {}
    for full in mice():
        public = striate.open(archive(competition, full.session))
        row = Vault.read(competition.vault, PASSPHRASE).mappings[full.session].row
        for old, new in zip(full.trials["image_id"].to_numpy()[row], public.trials["image_id"], strict=True):
            assert ids.setdefault(int(old), int(new)) == int(new)
    old, new = np.array(sorted(ids.items())).T
    assert len(set(new.tolist())) == len(old)
    assert abs(np.corrcoef(old, new)[0, 1]) < 0.3


@pytest.mark.slow
def test_ids_may_be_kept(tmp_path):
    made = built(tmp_path, small_rules(image_ids="kept"))
    assert set(striate.open(archive(made, TRACK)).trials["image_id"]) == set(mouse(TRACK, finals=5).trials["image_id"])


def test_truths_agree_with_the_full_recording(competition):
    vault = Vault.read(competition.vault, PASSPHRASE)
    full = mouse(TRACK, finals=5)
    whole = Truth.from_recording(full)
    for tier, truth in (("test", vault.live["sensorium"]), ("final_test", vault.final["sensorium"])):
        wanted = np.sort(whole.responses[whole.rows(tier)].sum(axis=1))
        np.testing.assert_allclose(np.sort(truth.responses.sum(axis=1)), wanted, rtol=1e-5)
        public = striate.open(archive(competition, TRACK))
        assert set(truth.trial_idx) == set(public.trials["trial_idx"][(public.trials["tier"] == tier).to_numpy()])


@pytest.mark.slow
def test_the_same_seed_gives_the_same_public_bytes_and_another_does_not(competition, tmp_path):
    again = built(tmp_path)
    other = build(
        small_rules(), mice(), tmp_path / "other", tmp_path / "other-secret", PASSPHRASE, seed=CompetitionSeed()
    )
    for file in sorted(competition.folder.rglob("*.*")):
        name = file.relative_to(competition.folder)
        assert (again.folder / name).read_bytes() == file.read_bytes(), name
        if file.suffix == ".zip":
            assert (other.folder / name).read_bytes() != file.read_bytes()


def test_secrets_stand_outside_for_this_user_alone(competition):
    assert stat.S_IMODE(competition.vault.parent.stat().st_mode) == 0o700
    for path in (competition.vault, competition.live_truth):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert not path.is_relative_to(competition.folder)
    public = b"".join(path.read_bytes() for path in competition.folder.rglob("*") if path.is_file())
    for secret in (str(SEED.value), f"{SEED.value:x}", SEED.trial_key(TRACK).hex()):
        assert secret.encode() not in public


def test_evidence_of_the_split_is_drawn_beside_the_secrets(competition):
    for track in competition.rules.tracks:
        assert competition.evidence[track.name].read_bytes().startswith(b"\x89PNG")
        said = json.loads((competition.evidence[track.name].parent / f"split-{track.name}.json").read_text())
        assert set(said["features"]) == {"brightness", "contrast", "edges", "strength", "reliability"}
    assert not list(competition.folder.rglob("split-*"))


@pytest.mark.slow
def test_a_stratified_split_draws_final_images_from_the_test_images(tmp_path):
    full = mouse(TRACK, live=20)
    made = built(tmp_path, small_rules("own"), [full])
    public = striate.open(archive(made, TRACK))
    images = public.trials.groupby("tier")["image_id"].nunique()
    assert images["test"] == images["final_test"] == 10
    assert public.trials.groupby("image_id")["tier"].nunique().max() == 1
    assert made.balance["main"].p > 0.3


@pytest.mark.slow
def test_tracks_that_share_images_share_the_split(tmp_path):
    rules = small_rules(tiers__split="stratified", pretraining__sessions=[])
    made = built(tmp_path, rules, [mouse(TRACK, live=12), mouse(TRACK_PLUS, live=12)])
    finals = [
        set(public.trials["image_id"][(public.trials["tier"] == "final_test").to_numpy()])
        for public in (striate.open(archive(made, session)) for session in (TRACK, TRACK_PLUS))
    ]
    assert finals[0] == finals[1]
    assert len(finals[0]) == 6


@pytest.mark.slow
def test_folders_zips_and_simulated_mice_are_taken(tmp_path):
    rules = small_rules()
    track, plus, other = mice()
    striate.write(track, tmp_path / "full" / "track.zip")
    striate.write(plus, tmp_path / "full" / "plus")
    from_files = build(
        rules,
        [tmp_path / "full" / "track.zip", str(tmp_path / "full" / "plus"), other],
        tmp_path / "a",
        tmp_path / "a-secret",
        PASSPHRASE,
        seed=SEED,
    )
    from_memory = built(tmp_path)
    for session in rules.sessions:
        assert archive(from_files, session).read_bytes() == archive(from_memory, session).read_bytes()


@pytest.mark.slow
def test_simulated_mice_come_from_a_seed_of_128_bits(tmp_path):
    rules = small_rules("own", tiers__split="given")
    small = {"neurons": 12, "train": 30, "validation": 5, "test_images": 4, "final_images": 4, "repeats": 3}
    small |= {"image_shape": (18, 32)}
    (mouse_,) = simulated(rules, small)
    made = build(rules, [mouse_], tmp_path / "public", tmp_path / "secret", PASSPHRASE)
    assert Vault.read(made.vault, PASSPHRASE).simulated_from == mouse_.truth.seed > 2**90
    withheld = striate.simulate(session=TRACK, track="sensorium", seed=SEED.value, **small)  # as it would be published
    revealed = build(rules, [withheld], tmp_path / "b", tmp_path / "b-secret", PASSPHRASE)
    assert revealed.rules == rules
    with pytest.raises(InputError, match="by trying"):
        build(
            rules,
            [striate.simulate(session=TRACK, track="sensorium", seed=5, **small)],
            tmp_path / "c",
            tmp_path / "c-secret",
            PASSPHRASE,
        )
    assert not (tmp_path / "c").exists()


def changed(recording: Recording, **changes) -> Recording:
    parts = {name: getattr(recording, name) for name in ("neurons", "trials", *recording.arrays)}
    session = changes.pop("session", recording.session)
    neurons = parts["neurons"].drop(columns=["animal_id", "session", "scan_idx"])
    return Recording(session, **{**parts, "neurons": neurons, **changes})


def silent_tests(recording):
    responses = np.array(recording.responses)
    responses[recording.rows("test")] = 0
    return changed(recording, responses=responses)


def image_in_two_tiers(recording):
    trials, images = recording.trials.copy(), np.array(recording.images)
    train, test = recording.rows("train")[0], recording.rows("test")[0]
    images[train] = images[test]
    trials.loc[train, "image_id"] = trials.loc[test, "image_id"]
    return changed(recording, trials=trials, images=images)


def one_id_two_pictures(recording):
    images = np.array(recording.images)
    images[recording.rows("test")[0], 0, 0, 0] ^= 1
    return changed(recording, images=images)


def without_behavior(recording):
    return changed(recording, behavior=np.zeros_like(recording.behavior))


REFUSED = {
    "a missing recording": (lambda m: m[:2], "13-1-1, which was not given"),
    "one too many": (lambda m: [*m, mouse("99-1-1")], "99-1-1 is in none"),
    "one twice": (lambda m: [*m, m[0]], "given twice"),
    "one that is withheld already": (lambda m: [silent_tests(m[0]), *m[1:]], "withholds the responses"),
    "no final images": (lambda m: [mouse(TRACK), *m[1:]], "no tier 'final_test'.*stratified"),
    "too few images": (lambda m: [mouse(TRACK, finals=2), *m[1:]], "gives 2 final images.*asks for 3"),
    "no repeats": (lambda m: [mouse(TRACK, finals=5, repeats=1), *m[1:]], "less than 2 times"),
    "an image in two tiers": (lambda m: [image_in_two_tiers(m[0]), *m[1:]], "in the tiers test, train"),
    "one id for two pictures": (lambda m: [one_id_two_pictures(m[0]), *m[1:]], "different pictures"),
    "no behaviour for a track that allows it": (lambda m: [m[0], without_behavior(m[1]), m[2]], "no behavior"),
    "the same recording under two names": (lambda m: [*m[:2], changed(m[0], session=OTHER)], "very same responses"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", REFUSED)
def test_recordings_that_do_not_fit_are_refused_before_anything_is_written(name, tmp_path):
    change, said = REFUSED[name]
    with pytest.raises(InputError, match=said) as refusal:
        built(tmp_path, recordings=change(mice()))
    assert "\n" not in str(refusal.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_track_is_not_ranked_by_feve_with_too_few_images(tmp_path):
    def one(live: int, finals: int):
        rules = small_rules("own", tracks__0__metric="feve", tiers__split="given")
        return rules, [mouse(TRACK, live=live, finals=finals, training=20, neurons=40)]

    for (live, finals), test, images in (((6, 60), "live", 6), ((60, 6), "final", 6)):
        with pytest.raises(
            InputError, match=rf"ranked by FEVE, but its {test} test has {images} images.* some \d+ are needed"
        ) as told:
            built(tmp_path / test, *one(live, finals))
        assert int(str(told.value).split("some ")[1].split()[0]) > images
        assert "correlation_to_average" in str(told.value)
        assert not list((tmp_path / test).glob("*"))
    assert built(tmp_path / "enough", *one(60, 60)).rules.tracks[0].metric == "feve"


@pytest.mark.slow
def test_final_images_must_not_be_public_elsewhere(tmp_path):
    rules = small_rules(tiers__split="stratified")
    recordings = [mouse(TRACK, live=8), mouse(TRACK_PLUS, live=8), mouse(OTHER, live=8)]
    with pytest.raises(
        InputError, match="final images of track 'sensorium' are shown in the pre-training recording 13-1-1"
    ):
        built(tmp_path, rules, recordings)
    assert not list(tmp_path.iterdir())
    declared = [
        *rules.model_dump(mode="json")["declared"],
        {"leak": "final-images-in-pretraining", "why": "few images"},
    ]
    built(tmp_path, small_rules(tiers__split="stratified", declared=declared), recordings)


@pytest.mark.parametrize("where", ["public", "public/secret", "public/../public/deep/secret"])
def test_no_secret_is_ever_written_beneath_the_public_folder(where, tmp_path):
    with pytest.raises(InputError, match="beneath a folder that is published"):
        build(small_rules(), mice(), tmp_path / "public", tmp_path / where, PASSPHRASE)
    assert not list(tmp_path.iterdir())


def test_nor_is_the_public_folder_made_within_that_of_the_secrets(tmp_path):
    with pytest.raises(InputError, match="side by side"):
        build(small_rules(), mice(), tmp_path / "work" / "public", tmp_path / "work", PASSPHRASE)
    assert not list(tmp_path.iterdir())


def test_nor_beneath_it_by_a_link_or_beneath_another_competition(competition, tmp_path):
    (tmp_path / "public").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "public")
    with pytest.raises(InputError, match="beneath a folder that is published"):
        build(small_rules(), mice(), tmp_path / "public", tmp_path / "link" / "secret", PASSPHRASE)
    with pytest.raises(InputError, match="beneath a folder that is published"):
        build(small_rules(), mice(), tmp_path / "new", competition.folder / "secret", PASSPHRASE)


@pytest.mark.parametrize("existing", ["public", "secret"])
def test_nothing_is_overwritten(existing, tmp_path):
    (tmp_path / existing).mkdir()
    (tmp_path / existing / "precious").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        built(tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == [existing, "precious"]


def test_a_weak_passphrase_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(InputError, match="by trying"):
        build(small_rules(), mice(), tmp_path / "public", tmp_path / "secret", "secret")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_rules_are_published_as_they_stand(tmp_path):
    text = "# to whom it may concern\n" + small_rules("own").to_toml()
    (tmp_path / "competition.toml").write_text(text)
    made = build(
        tmp_path / "competition.toml", [mouse(TRACK, live=8)], tmp_path / "p", tmp_path / "s", PASSPHRASE, seed=SEED
    )
    assert (made.folder / "competition.toml").read_text() == text
    assert dataclasses.is_dataclass(made)
    assert (
        hidden_indices(SEED.trial_key(TRACK), [7])[0] in striate.open(archive(made, TRACK)).trials["trial_idx"].tolist()
    )
