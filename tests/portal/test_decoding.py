"""The process that reads a participant's file: limited, without secrets, and not believed."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from striate.errors import InputError
from tests.portal.world import World

pytestmark = pytest.mark.usefixtures("real_children")


def decode(world: World, file: Path) -> Any:
    from striate.portal.receiving.decoding import decoded
    from striate.portal.receiving.keys import read_keys

    rules, keys = read_keys(world.place.keys)
    with decoded(file, world.place.keys, rules, keys) as found:
        return found


def test_a_sound_file_becomes_an_array_in_the_order_of_the_keys(portal: World) -> None:
    from striate.portal.receiving.keys import read_keys
    from striate.submissions import Submission

    found = decode(portal, portal.file(0.5))
    keys = read_keys(portal.place.keys)[1]["sensorium"]
    native = Submission.read(portal.file(0.5))
    rows = {index: row for row, index in enumerate(native.trial_idx.tolist())}
    wanted = native.predictions[[rows[index] for index in keys.trial_idx.tolist()]]
    assert np.array_equal(
        found.predictions, wanted[:, np.argsort(native.unit_ids)][:, np.argsort(np.argsort(keys.unit_ids))]
    )


def test_what_reads_a_file_has_imported_all_that_it_needs(portal: World, tmp_path: Path) -> None:
    """PyTorch cannot be imported where files are withheld, and takes seconds: no row of a baseline may bring it in."""
    code = """
import json, sys
from pathlib import Path
from striate.portal.receiving.decode import decode
source, keys, out = map(Path, sys.argv[1:])
decode(source, keys, out, {})
assert "torch" not in sys.modules, "torch was imported"
"""
    command = [sys.executable, "-c", code, str(portal.file(0.5)), str(portal.place.keys), str(tmp_path)]
    subprocess.run(command, check=True)


def test_the_keys_hold_nothing_of_the_truth(portal: World) -> None:
    from striate.competition import arrays

    names = {name.rpartition("/")[2] for name in arrays.load(portal.place.keys.read_bytes(), "keys")}
    assert names == {"version", "rules", "unit_ids", "tier", "trial_idx", "image_id"}


@pytest.mark.slow
def test_a_bomb_is_refused_in_bounded_memory_and_time(portal: World, tmp_path: Path) -> None:
    """A few kilobytes that claim a billion values, in a column of a sound form."""
    import resource

    bomb = tmp_path / "bomb.parquet"
    said = json.dumps(
        {"kind": "submission", "version": 1, "session": "11-1-1", "protocol": "image", "unit_ids": list(range(1, 15))}
    )
    numbers = pa.list_(pa.field("element", pa.float32(), nullable=False), 14)
    columns = [("tier", pa.string()), ("trial_idx", pa.string()), ("image_id", pa.int64()), ("prediction", numbers)]
    schema = pa.schema([pa.field(name, kind, nullable=False) for name, kind in columns], metadata={"striate": said})
    with pq.ParquetWriter(bomb, schema, compression="zstd") as writer:
        count = 500_000
        same = [pa.array(["test"] * count), pa.array(["0"] * count), pa.array([0] * count, pa.int64())]
        values = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(14 * count, np.float32)), type=numbers)
        table = pa.table([*same, values], schema=schema)
        for _ in range(3):
            writer.write_table(table)
    began = time.monotonic()
    with pytest.raises(InputError, match=r"claims|limits|memory"):
        decode(portal, bomb)
    assert time.monotonic() - began < 90
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 3 * 2**20  # kilobytes


def stand_in(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let another program answer in the place of the decoder."""
    from striate.portal.receiving import decoding

    decoding._spare.end()
    real = subprocess.Popen

    def popen(command: list[str], **options: Any) -> Any:
        return real([sys.executable, "-c", code], **options)

    monkeypatch.setattr(decoding.subprocess, "Popen", popen)


def test_the_child_is_told_no_secret(portal: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "DATABASE_URL",
        "STRIATE_PORTAL_LIVE_TRUTH",
        "STRIATE_PORTAL_MAIL",
        "STRIATE_PASSPHRASE",
        "AWS_SECRET_ACCESS_KEY",
    ):
        monkeypatch.setenv(name, "secret")
    stand_in(monkeypatch, "import os, json; print(json.dumps({'refused': json.dumps(dict(os.environ))}))")
    with pytest.raises(InputError) as told:
        decode(portal, portal.file(0.5))
    seen = set(json.loads(str(told.value)))
    assert seen <= {
        *(k for k in os.environ if not k.startswith(("STRIATE", "DATABASE", "AWS"))),
        "HOME",
        "OMP_NUM_THREADS",
        "ARROW_DEFAULT_MEMORY_POOL",
    }


@pytest.mark.parametrize(
    "code",
    [
        "print('nonsense')",
        "print('[]')",
        "raise SystemExit(3)",
        'print(\'{"track": "sensorium", "protocol": "image"}\')',  # and no array
        'print(\'{"track": "another", "protocol": "image"}\')',
        'print(\'{"track": "sensorium", "protocol": "image + behaviour"}\')',
        "print('{\"track\": 3}')",
        """
import json, sys, numpy as np
job = json.load(sys.stdin)
np.save(job['out'] + '/predictions.npy', np.array([[object()]]), allow_pickle=True)
print('{"track": "sensorium", "protocol": "image"}')""",
        """
import json, sys, numpy as np
job = json.load(sys.stdin)
np.save(job['out'] + '/predictions.npy', np.full((44, 14), np.nan, np.float32))
print('{"track": "sensorium", "protocol": "image"}')""",
        """
import json, sys, numpy as np
job = json.load(sys.stdin)
np.save(job['out'] + '/predictions.npy', np.full((44, 14), -1, np.float32))
print('{"track": "sensorium", "protocol": "image"}')""",
    ],
)
def test_a_child_that_lies_or_falls_is_not_believed(portal: World, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.portal.receiving.decoding import PlatformError

    stand_in(monkeypatch, code)
    with pytest.raises(PlatformError):
        decode(portal, portal.file(0.5))


@pytest.mark.parametrize(
    "code", ["import time; time.sleep(60)", "import os, signal; os.kill(os.getpid(), signal.SIGXCPU)"]
)
def test_a_child_that_takes_too_much_is_ended_and_the_file_refused(
    portal: World, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from striate.portal.receiving import decoding

    monkeypatch.setattr(decoding, "_PATIENCE", 0.5)
    stand_in(monkeypatch, code)
    began = time.monotonic()
    with pytest.raises(InputError):
        decode(portal, portal.file(0.5))
    assert time.monotonic() - began < 59, "it would have slept for a minute"


def test_a_child_gives_way_to_who_started_it() -> None:
    from striate.portal.receiving.decoding import _Child

    child = _Child()
    try:
        priority = os.getpriority(os.PRIO_PROCESS, child._running.pid)
    finally:
        child.end()
    assert priority >= min(19, max(5, os.getpriority(os.PRIO_PROCESS, 0)))


def test_that_a_child_is_killed_from_outside_is_not_the_senders_fault(
    portal: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from striate.portal.receiving.decoding import PlatformError

    stand_in(monkeypatch, "import os; os.kill(os.getpid(), 9)")
    with pytest.raises(PlatformError):
        decode(portal, portal.file(0.5))


@pytest.mark.slow
def test_a_child_that_takes_too_long_says_so() -> None:
    """SIGXCPU, not SIGKILL, which could have come from anywhere."""
    code = "from striate.portal.receiving.decode import limit\nlimit(2**31, 1, 1000)\nwhile True: pass"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGXCPU


@pytest.mark.slow
def test_limits_of_the_child_are_those_of_the_system(tmp_path: Path) -> None:
    """Memory and written bytes, tried for real."""
    code = "from striate.portal.receiving.decode import limit\nlimit(2**31, 5, 1000)\n"
    hungry = subprocess.run([sys.executable, "-c", code + "bytearray(3 * 2**30)"], capture_output=True, check=False)
    assert b"MemoryError" in hungry.stderr
    writing = subprocess.run(
        [
            sys.executable,
            "-c",
            code
            + "open('x', 'wb', 0).write(bytes(900)); open('x', 'ab', 0).write(bytes(5000)); open('x', 'ab', 0).write(b'!')",
        ],
        capture_output=True,
        check=False,
        cwd=tmp_path,
    )
    assert writing.returncode != 0
    assert (tmp_path / "x").stat().st_size <= 1000


def test_the_portal_says_what_its_child_cannot_do(portal: World, caplog: pytest.LogCaptureFixture) -> None:
    from striate.portal.receiving.confine import Protection
    from striate.portal.receiving.decoding import say_protection

    with caplog.at_level("INFO", "striate.portal.decoding"):
        say_protection()
    assert "read by a process of its own" in caplog.text
    assert str(Protection(True, True, True)).endswith("network, processes, files")
    assert "nobody take: network, processes, files" in str(Protection())


@cache
def protected() -> Any:
    from striate.portal.receiving.confine import protection

    return protection()


ATTEMPTS = {
    "a connection": ("network", "socket.create_connection(('127.0.0.1', {port}), 2)"),
    "a datagram": ("network", "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {port}))"),
    "a local socket": ("network", "socket.socket(socket.AF_UNIX)"),
    "a program": ("processes", "os.execv('/bin/true', ['true'])"),
    "a process": ("processes", "os.fork()"),
    "a signal": ("processes", "os.kill({parent}, 0)"),
    "the database": ("files", "open({database!r}, 'rb')"),
    "the secret key": ("files", "open({secret!r}, 'rb')"),
    "another submission": ("files", "os.listdir({submissions!r})"),
    "what its parent was told": ("files", "open('/proc/{parent}/environ', 'rb')"),
    "the memory of its parent": ("files", "open('/proc/{parent}/mem', 'rb')"),
    "passwords": ("files", "open('/etc/passwd')"),
    "a new file": ("files", "open({elsewhere!r}, 'w')"),
}


@pytest.mark.slow
@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_what_a_child_cannot_do_even_if_a_file_leads_it_astray(
    portal: World, attempt: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The decoder is replaced by what an attacker would run in it; it is confined as the real one."""
    import socket

    taken, code = ATTEMPTS[attempt]
    possible = getattr(protected(), taken)
    with socket.create_server(("127.0.0.1", 0)) as server:
        places = {
            "port": server.getsockname()[1],
            "parent": os.getpid(),
            "database": str(portal.place.database),
            "secret": str(portal.place.secret_key),
            "submissions": str(portal.place.submissions),
            "elsewhere": str(tmp_path / "new"),
        }
        portal.place.database.touch()
        program = f"""
import os, socket
from striate.portal.receiving import decode
def attack(source, *_):
    open(source, 'rb').read(4)  # what it must be able to do
    try:
        {code.format(**places)}
    except OSError as error:
        return {{"refused": f"not possible: {{error}}"}}
    return {{"refused": "done"}}
decode.decode = attack
decode.main()"""
        stand_in(monkeypatch, program)
        with pytest.raises(InputError) as said:
            decode(portal, portal.file(0.5))
    if not possible:
        pytest.skip(f"this system lets nobody take {taken} from a process")
    assert str(said.value).startswith("not possible")


def test_a_child_that_says_too_much_fills_no_memory(portal: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its limit of written bytes concerns what it says, too."""
    code = """
import sys
from striate.portal.receiving import decode
def talk(*_):
    while True:
        sys.stdout.write("x" * 2**20)
decode.decode = talk
decode.main()"""
    stand_in(monkeypatch, code)
    with pytest.raises(InputError, match="limits"):
        decode(portal, portal.file(0.5))


@pytest.mark.slow
def test_a_child_is_used_for_one_file(portal: World) -> None:
    from striate.portal.receiving import decoding

    decode(portal, portal.file(0.5))
    first = decoding._spare._child
    decode(portal, portal.file(0.6))
    second = decoding._spare._child
    assert first is not None
    assert second is not None
    assert first is not second
    assert not first.waits
    second._running.kill()  # one that died while it waited is replaced
    second._running.wait()
    assert decode(portal, portal.file(0.5)).track == "sensorium"


def test_what_a_child_hands_out_is_looked_through_without_holding_it(tmp_path: Path) -> None:
    """Web processes check files, too, and are to stay small."""
    import tracemalloc

    import numpy as np

    from striate.portal.receiving import decoding

    file, shape = tmp_path / "predictions.npy", (2000, 4000)  # 32 MB
    values = np.ones(shape, np.float32)
    for last, sound in ((1.0, True), (np.nan, False), (np.inf, False), (-1e-30, False)):
        values[-1, -1] = last
        np.save(file, values)
        tracemalloc.start()
        try:
            if sound:
                assert decoding._checked(file, shape)[-1, -1] == last
            else:
                with pytest.raises(decoding.PlatformError, match="no rates"):
                    decoding._checked(file, shape)
            assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
        finally:
            tracemalloc.stop()
