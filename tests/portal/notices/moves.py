"""Moving phases as the page does it, and the chain in which it then stands."""

import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from striate.competition import Receipts
from striate.competition.receipts import FILE, Entry
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
