"""What stands between senders and the portal, and cuts connections in the middle: a bad network."""

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

_CHUNK = 2**16  # bytes


@dataclass
class Relay:
    """A relay on this machine.

    Attributes
    ----------
    port
        Where it listens.
    connections, cut
        How many were made, and how many of them were cut off.
    """

    port: int = 0
    connections: int = 0
    cut: int = 0


@contextmanager
def relayed(port: int, *, share: float, within: int, seed: int) -> Iterator[Relay]:
    """Pass connections on to a port of this machine.

    Parameters
    ----------
    port
        Of the portal.
    share
        Of connections that are cut.
    within
        They are cut after at most so many bytes, in either direction.
    seed
        Of which, and after how many.
    """
    relay, chance = Relay(), random.Random(seed)
    loop, ready = asyncio.new_event_loop(), threading.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        relay.connections += 1
        left = [chance.randrange(within) if chance.random() < share else -1]
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.transport.abort()
            return
        both = (writer, far_writer)
        passing = [
            asyncio.ensure_future(each) for each in (_pass(reader, far_writer, left), _pass(far_reader, writer, left))
        ]
        done, pending = await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
        if any(each.result() for each in done):
            relay.cut += 1
            for each in both:
                each.transport.abort()
        for each in pending:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(each, 200)
        for each in both:
            with suppress(OSError):
                each.close()

    async def listen() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        relay.port = server.sockets[0].getsockname()[1]
        ready.set()
        async with server:
            await server.serve_forever()

    def run() -> None:
        with suppress(asyncio.CancelledError, RuntimeError):
            loop.run_until_complete(listen())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield relay
    finally:
        loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])
        thread.join(10)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: list[int]) -> bool:
    """Pass bytes on until the end, or until the connection shall be cut; whether it shall."""
    try:
        while data := await reader.read(_CHUNK):
            if left[0] >= 0:
                left[0] -= len(data)
                if left[0] < 0:
                    return True
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        with suppress(OSError):
            writer.transport.abort()
    return False
