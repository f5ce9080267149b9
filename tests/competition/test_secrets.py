"""Vaults, passphrases and keys."""

import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.competition.examples import PASSPHRASE, SEED, TRACK

from striate.competition import LiveTruth, Vault
from striate.competition.keys import CompetitionSeed, hidden_indices
from striate.competition.passphrases import passphrase, strong_enough
from striate.competition.sealed import seal, unseal
from striate.errors import InputError


@settings(max_examples=10, deadline=None)
@given(content=st.binary(max_size=300), words=st.text(min_size=1, max_size=30))
def test_what_is_sealed_is_opened_by_its_passphrase_and_by_no_other(tmp_path_factory, content, words):
    file = tmp_path_factory.mktemp("sealed") / "vault"
    seal(content, words, file)
    assert unseal(file, words) == content
    assert len(content) < 8 or content not in file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(InputError, match="does not open"):
        unseal(file, words + "x")


def test_a_vault_that_was_changed_anywhere_is_refused(tmp_path):
    file = tmp_path / "vault"
    seal(b"what nobody may know", PASSPHRASE, file)
    whole = file.read_bytes()
    for at in range(0, len(whole), 7):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(InputError):
            unseal(file, PASSPHRASE)
    for content in (b"", whole[:40], b"{}\n", whole.replace(b'"cost": 12', b'"cost": 99')):
        file.write_bytes(content)
        with pytest.raises(InputError, match=r"no vault|does not open"):
            unseal(file, PASSPHRASE)


def test_sealing_the_same_twice_gives_different_bytes(tmp_path):
    for name in "ab":
        seal(b"the same", PASSPHRASE, tmp_path / name)
    assert (tmp_path / "a").read_bytes() != (tmp_path / "b").read_bytes()


def test_a_passphrase_comes_from_a_file_the_environment_or_a_person(tmp_path, monkeypatch):
    monkeypatch.delenv("STRIATE_PASSPHRASE", raising=False)
    assert passphrase(ask=lambda: "from a person") == "from a person"
    monkeypatch.setenv("STRIATE_PASSPHRASE", "from the environment")
    assert passphrase(ask=lambda: "from a person") == "from the environment"
    (tmp_path / "file").write_text("from a file\nand more\n")
    assert passphrase(tmp_path / "file") == "from a file"
    monkeypatch.delenv("STRIATE_PASSPHRASE")
    with pytest.raises(InputError, match="STRIATE_PASSPHRASE"):
        passphrase()
    (tmp_path / "file").write_text("\n")
    with pytest.raises(InputError, match="empty"):
        passphrase(tmp_path / "file")
    with pytest.raises(InputError, match=r"can(not)? be read"):
        passphrase(tmp_path / "none")


def test_a_weak_passphrase_is_refused():
    assert strong_enough(PASSPHRASE) == PASSPHRASE
    for weak in ("short", "aaaaaaaaaaaaaaaaaaaa"):
        with pytest.raises(InputError, match="by trying"):
            strong_enough(weak)


def test_a_seed_has_128_bits_and_a_guessable_one_is_refused():
    assert CompetitionSeed().value.bit_length() > 100
    assert "5eed" not in repr(SEED).lower()
    with pytest.raises(InputError, match="by trying"):
        CompetitionSeed(2022)


def test_names_of_trials_need_the_key():
    one, other = SEED.trial_key("1-1-1"), SEED.trial_key("1-1-2")
    names = hidden_indices(one, range(500))
    assert len(set(names)) == 500
    assert not set(names) & set(hidden_indices(other, range(500)))
    assert all(len(name) == 32 and int(name, 16) >= 0 for name in names)


def test_the_vault_gives_back_what_was_put_in(competition):
    vault = Vault.read(competition.vault, PASSPHRASE)
    assert vault.seed.value == SEED.value
    assert vault.rules == competition.rules
    assert set(vault.mappings) == set(vault.rules.sessions)
    assert vault.final["sensorium"].tiers == ("final_test",)
    assert vault.live["sensorium"].session == TRACK
    with pytest.raises(InputError, match="does not open"):
        Vault.read(competition.vault, "another passphrase")
    with pytest.raises(InputError, match="no vault"):
        Vault.read(competition.live_truth, PASSPHRASE)


def test_the_live_truth_knows_nothing_of_final_responses(competition):
    live = LiveTruth.read(competition.live_truth)
    final = Vault.read(competition.vault, PASSPHRASE).final
    for track in live.rules.tracks:
        assert live.truths[track.name].tiers == ("test",)
        assert set(live.final_keys[track.name].trial_idx) == set(final[track.name].trial_idx)
        row = final[track.name].responses[0].tobytes()
        assert row not in competition.live_truth.read_bytes()
    with pytest.raises(InputError, match=r"no file of that kind|no live truth"):
        LiveTruth.read(competition.vault)
