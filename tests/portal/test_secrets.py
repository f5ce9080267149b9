"""What could be withheld responses is not published: refused where it is pushed from, by the portal, too, and allowed only by an organiser's word."""

import hashlib
import io
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.competition.examples import PASSPHRASE, TRACK
from tests.fixtures.command import assert_one_sentence, run_in_process
from tests.portal.world import World, on_a_port


def withheld(world: World) -> Any:
    """Final responses, standardised; shape (trials, neurons)."""
    from striate.competition import Vault

    return Vault.read(world.built.vault, PASSPHRASE).final["sensorium"].responses


def hdf5(values: Any) -> bytes:
    target = io.BytesIO()
    with h5py.File(target, "w") as file:
        file["some/values"] = values
    return target.getvalue()


def npy(values: Any) -> bytes:
    target = io.BytesIO()
    np.save(target, values)
    return target.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    made.mkdir()
    (made / "README.md").write_text("# The mice\n")
    return made


@pytest.fixture
def push(world: World, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Push the folder as an organiser's program does."""
    monkeypatch.setenv("STRIATE_SETTINGS", str(tmp_path / "settings"))
    token, secret = tmp_path / "token", tmp_path / "passphrase"
    token.write_text(world.token(world.person("olga", staff=True)))
    secret.write_text(PASSPHRASE)

    def run(*options: Any) -> Any:
        with on_a_port() as address:
            told = ("--to", address, "--note", "More.", "--token-file", token, "--passphrase-file", secret)
            return run_in_process("data", "push", folder, *told, *options)

    return run


def send(world: World, content: bytes, **named: Any) -> Any:
    """Send a content as somebody's own program does, which looks into nothing."""
    import json

    listed = [{"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), **named}]
    olga = world.person(f"olga{len(content)}{len(named)}", staff=True)
    headers = {"Authorization": f"Bearer {world.token(olga)}"}
    body = json.dumps(listed).encode() + b"\n" + content
    return world.browser().put("/api/v1/data/contents", body, "application/octet-stream", headers=headers)


def test_what_could_be_responses_is_refused_before_a_byte_is_sent(world: World, folder: Path, push: Any) -> None:
    from striate.portal.models import Arrival, Snapshot

    (folder / "means.h5").write_bytes(hdf5(withheld(world)))
    assert_one_sentence(push(), "means.h5", "withheld responses", "--allow means.h5")
    (folder / "more means.h5").write_bytes(hdf5(withheld(world)[::-1]))
    assert_one_sentence(push(), "so could more means.h5", "--allow means.h5 --allow 'more means.h5'")
    assert not Arrival.objects.exists()
    assert Snapshot.current().number == 1


@pytest.mark.slow
def test_an_organiser_can_say_that_it_is_sound_and_the_audit_log_keeps_that(
    world: World, folder: Path, push: Any
) -> None:
    from striate.portal.models import AuditEntry, Snapshot

    content = hdf5(np.ones((60, 14)))
    (folder / "fields.h5").write_bytes(content)
    (folder / "fields.bin").write_bytes(bytes(range(256)) * 8)
    assert_one_sentence(push("--allow", "fields.h5"), "fields.bin")
    assert_one_sentence(push("--allow", "feilds.h5"), "feilds.h5", "fields.h5")
    done = push("--allow", "fields.h5", "--allow", "fields.bin")
    assert done.status == 0, done.err
    assert Snapshot.current().number == 2
    entries = {entry.about: entry for entry in AuditEntry.objects.filter(what="allow data")}
    entry = entries[f"content {hashlib.sha256(content).hexdigest()}"]
    assert entry.account is not None
    assert "14 neurons of track sensorium" in entry.after["suspicion"]
    assert len(entries) == 2
    (folder / "README.md").write_text("# The mice, again\n")
    assert push().status == 0, "what is there already was allowed once"


@pytest.mark.slow
def test_with_the_vault_nothing_that_it_knows_is_published(world: World, folder: Path, push: Any) -> None:
    from striate.portal.models import Snapshot

    (folder / "one.npy").write_bytes(npy(withheld(world)[3]))
    for options in ((), ("--allow", "one.npy")):
        found = push("--vault", world.built.vault, *options)
        assert_one_sentence(found, "one.npy", "the vault knows them", "never be published")
    from striate.competition import Vault

    vault = Vault.read(world.built.vault, PASSPHRASE)
    assert Snapshot.current().number == 1
    (folder / "one.npy").unlink()
    (folder / "competition.toml").write_bytes((world.place.competition / "competition.toml").read_bytes())
    for archive in (world.place.competition / "archives").iterdir():
        (folder / archive.name).write_bytes(archive.read_bytes())
    done = push("--vault", world.built.vault)
    assert done.status == 0, done.err
    assert vault.rules.name, "what is public is not refused"


@pytest.mark.slow
def test_the_raw_responses_are_known_to_the_vault_as_well(world: World, folder: Path, push: Any) -> None:
    from tests.competition.examples import mice

    full = next(each for each in mice() if each.session == TRACK)
    test = np.flatnonzero(full.trials["tier"].isin(("test", "final_test")).to_numpy())
    (folder / "one.npy").write_bytes(npy(np.asarray(full.responses[test[0]])))
    assert_one_sentence(push("--vault", world.built.vault), "the vault knows them")
    train = np.flatnonzero((full.trials["tier"] == "train").to_numpy())
    (folder / "one.npy").write_bytes(npy(np.asarray(full.responses[train[0]])))
    assert push("--vault", world.built.vault).status == 0


@pytest.mark.slow
def test_the_portal_looks_itself_whatever_the_senders_program_says(world: World) -> None:
    from striate.portal.models import Arrival, AuditEntry

    content = hdf5(withheld(world))
    refused = send(world, content)
    assert refused.status_code == 422
    assert "could hold withheld responses" in refused.json()["detail"]
    assert "--allow" in refused.json()["detail"]
    assert not Arrival.objects.exists()
    assert send(world, content, allow=True).status_code == 200
    assert AuditEntry.objects.filter(what="allow data").count() == 1
    vault = send(world, world.built.vault.read_bytes(), allow=True)
    assert vault.status_code == 422, "nobody can allow a vault"


@pytest.mark.slow
def test_on_the_portals_machine_the_same_holds(world: World, folder: Path) -> None:
    from striate.portal.models import AuditEntry

    (folder / "fields.h5").write_bytes(hdf5(np.ones((60, 14))))
    told = ("serve", "snapshot", world.place.competition, folder, "--data", world.place.data, "--note", "More.")
    refused = run_in_process(*told)
    assert refused.status == 1
    assert "--allow fields.h5" in refused.err
    done = run_in_process(*told, "--allow", "fields.h5")
    assert done.status == 0, done.err
    assert AuditEntry.objects.get(what="allow data").who.startswith("command line")


@pytest.mark.slow
def test_who_looks_into_a_file_has_limits_and_nothing_else(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that falls, or takes too long, makes a file suspicious, and not harmless."""
    from striate.portal.hosting import secrets

    file = world.place.uploads / "file"
    file.write_bytes(hdf5(np.ones((60, 3))))
    assert secrets.suspicion(file) is None
    with monkeypatch.context() as tight:
        tight.setattr(secrets, "_LIMITS", (2**28, 300, 2**20))
        found = secrets.suspicion(file)
        assert found is not None
        assert "within the limits" in found.why
    with monkeypatch.context() as tight:
        tight.setattr(secrets, "_PATIENCE", 0.01)
        assert secrets.suspicion(file) is not None
    assert [each.name for each in world.place.uploads.iterdir()] == ["file"]


def test_a_vault_of_another_competition_is_refused(world: World) -> None:
    from dataclasses import replace

    from striate.competition import Vault
    from striate.competition.withheld_responses import populations
    from striate.errors import InputError
    from striate.portal.receiving.keys import read_keys

    vault = Vault.read(world.built.vault, PASSPHRASE)
    with pytest.raises(InputError, match="another competition"):
        populations(read_keys(world.place.keys)[1], replace(vault, mappings={}))
