"""Moving phases as the page does it, the chain in which it then stands, and closing by that."""

import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from striate.competition import Receipts, Vault, close
from striate.competition.receipts import FILE, Entry
from tests.competition.examples import PASSPHRASE
from tests.portal.world import World

At = Callable[[datetime], None]


def move(world: World, olga: Any, **fields: Any) -> Any:
    """Send the form as the page has it."""
    from striate.portal.in_force import in_force
    from striate.portal.organising.deciding import last_amendment

    filled = {"phase": "live", "starts": "", "ends": "", "why": "The server was away.", "banner": "on"}
    filled |= {"known": last_amendment(in_force()), **fields}
    return world.browser(olga).post("/organise/phases/", filled)


def typed(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M")


def ends(world: World, **later: float) -> datetime:
    return (world.built.rules.closes + timedelta(**later)).replace(second=0)


def chain(world: World) -> tuple[Entry, ...]:
    """The chain as anyone downloads it."""
    lines = b"".join(world.browser().get("/receipts.jsonl").streaming_content)
    folder = world.scratch / "downloaded"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(world.place.competition, folder)
    (folder / FILE).write_bytes(lines)
    read = Receipts.read(folder)
    assert read.problems() == []
    return read.entries


def closed(world: World, folder: Path, at: datetime) -> Path:
    """Close with what the portal gives out, as the guide says it."""
    folder.mkdir()
    chain(world)
    shutil.copytree(world.scratch / "downloaded", folder / "public")
    world.submissions(folder / "store")
    vault = Vault.read(world.built.vault, PASSPHRASE)
    close(folder / "public", vault, folder / "store", folder / "results", at=at, release=True)
    return folder / "results"
