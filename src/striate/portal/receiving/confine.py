"""Take from a process, for good, what it does not need to read a file: the network, other processes and programs, other files.

It needs no privilege. On Linux a seccomp filter refuses system calls, and Landlock, where the kernel has it, all files but some;
elsewhere neither exists, and the limits of `decode.limit` are what is left. ``python -m striate.portal.receiving.confine`` says
which of them hold on this machine.
"""

import ctypes
import json
import os
import platform
import struct
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from striate._internal.safe_parsing import parse_json_object

_INHERITED = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2  # of prctl
_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000  # of unshare

# Numbers of system calls: (x86-64, ARM 64); None where there is no such call.
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_NETWORK = ((41, 198), (53, 199), (425, 425))  # socket, socketpair, io_uring_setup
_PROGRAMS = ((59, 221), (322, 281), (57, None), (58, None))  # execve, execveat, fork, vfork
_OTHERS = (
    *((101, 117), (310, 270), (311, 271)),  # ptrace, process_vm_readv, process_vm_writev
    *((434, 434), (438, 438), (424, 424)),  # pidfd_open, pidfd_getfd, pidfd_send_signal
    *((62, 129), (200, 130), (129, 138), (297, 240)),  # kill, tkill, rt_sigqueueinfo, rt_tgsigqueueinfo
    *((272, 97), (308, 268), (165, 40), (155, 41), (161, 51)),  # unshare, setns, mount, pivot_root, chroot
    *((321, 280), (298, 241), (323, 282)),  # bpf, perf_event_open, userfaultfd
    *((248, 217), (249, 218), (250, 219)),  # add_key, request_key, keyctl
)
_CLONE, _CLONE3, _TGKILL = (56, 220), (435, 435), (234, 131)
_THREAD = 0x00010000  # of clone: what is made is a thread of this process

# Operations of a filter, and its answers.
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOWED, _REFUSED, _UNKNOWN = 0x7FFF0000, 0x00050000 | 1, 0x00050000 | 38  # EPERM, ENOSYS
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # where they stand, in bytes

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # of Landlock, the same on every machine
_WRITE_FILE, _READ_FILE, _READ_FOLDER, _REMOVE_FILE, _MAKE_FILE, _TRUNCATE = (1 << n for n in (1, 2, 3, 5, 8, 14))
_RIGHTS = {1: 2**13 - 1, 2: 2**14 - 1, 3: 2**15 - 1, 4: 2**15 - 1}  # that a version knows; all later ones 2**16 - 1


@dataclass(frozen=True)
class Protection:
    """What is taken from a process that was confined.

    Attributes
    ----------
    network
        It can open no connection.
    processes
        It can start no program, and touch no other process.
    files
        It can open no file but those that it was left.
    """

    network: bool = False
    processes: bool = False
    files: bool = False

    def __str__(self) -> str:
        taken = [each.name for each in fields(self) if getattr(self, each.name)]
        left = [each.name for each in fields(self) if not getattr(self, each.name)]
        said = f"taken from it: {', '.join(taken) or 'nothing'}"
        return said + (f"; this system lets nobody take: {', '.join(left)}" if left else "")


def confine(readable: Iterable[Path], writable: Path) -> Protection:
    """Confine this process, and whatever it starts, for good.

    It must have one thread still, and have imported what it needs; Python's own library can be read all the same.

    Parameters
    ----------
    readable
        Files, and folders with all that is in them.
    writable
        Folder in which files can be made.

    Returns
    -------
    Protection
        What this system let it take.
    """
    if sys.platform != "linux":
        return Protection()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        return Protection()
    files = _keep_files(libc, [*readable, *_library()], writable)
    filtered = _filter(libc)
    network = filtered or libc.unshare(_NEW_USER | _NEW_NETWORK) == 0
    return Protection(network=network, processes=filtered, files=files)


def bare_environment() -> dict[str, str]:
    """What a process that reads files is told of this one's environment: no credentials, and one thread."""
    kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return kept | {"OMP_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system", "HOME": os.devnull}


def protection() -> Protection:
    """What a process that reads files is confined to on this machine, tried in one."""
    command = [sys.executable, "-P", "-m", __name__]
    said = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=60).stdout
    return Protection(**parse_json_object(said))


def _library() -> list[Path]:
    """Where Python's modules lie: some are imported only when they are used."""
    places = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return [*map(Path, sorted(places)), Path(__file__).parents[2]]


def _filter(libc: ctypes.CDLL) -> bool:
    """Refuse system calls; whether the system lets us."""
    machine, architecture = _MACHINES.get(platform.machine(), (0, 0))
    if not architecture:
        return False
    refused = [each[machine] for each in (*_NETWORK, *_PROGRAMS, *_OTHERS)]
    program = [
        *(_operation(_LOAD, _ARCHITECTURE), _operation(_IF_EQUAL, architecture, 1, 0), _operation(_RETURN, _REFUSED)),
        _operation(_LOAD, _NUMBER),
        *(
            _operation(_IF_AT_LEAST, 0x40000000, 0, 1),
            _operation(_RETURN, _REFUSED),
        ),  # the same calls by another number
    ]
    for number in refused:
        if number is not None:
            program += [_operation(_IF_EQUAL, number, 0, 1), _operation(_RETURN, _REFUSED)]
    # What clone3 shall make stands in memory, where no filter looks: it is said to be unknown, and clone is used instead.
    program += [_operation(_IF_EQUAL, _CLONE3[machine], 0, 1), _operation(_RETURN, _UNKNOWN)]
    for number, test, value in (
        (_CLONE[machine], _IF_SET, _THREAD),  # threads, but no processes
        (_TGKILL[machine], _IF_EQUAL, os.getpid()),  # abort() signals the process itself
    ):
        program += [
            *(_operation(_IF_EQUAL, number, 0, 4), _operation(_LOAD, _FIRST_ARGUMENT), _operation(test, value, 0, 1)),
            *(_operation(_RETURN, _ALLOWED), _operation(_RETURN, _REFUSED)),
        ]
    program.append(_operation(_RETURN, _ALLOWED))
    code = ctypes.create_string_buffer(b"".join(program))
    head = struct.pack("@HP", len(program), ctypes.addressof(code))
    return bool(libc.prctl(_SECCOMP, _FILTER, ctypes.c_char_p(head), 0, 0) == 0)


def _operation(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("@HBBI", code, if_true, if_false, value)


def _keep_files(libc: ctypes.CDLL, readable: Sequence[Path], writable: Path) -> bool:
    """Leave this process no files but these; whether the kernel can."""
    version = libc.syscall(_CREATE, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    known = _RIGHTS.get(version, 2**16 - 1)
    # Files; from version 4 on also connections (TCP), from version 6 on signals and sockets without a name to outside.
    attributes = struct.pack("@QQQ", known, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    rules = libc.syscall(_CREATE, ctypes.c_char_p(attributes), ctypes.c_size_t(len(attributes)), 0)
    if rules < 0:
        return False
    try:
        for path in readable:
            if path.exists():
                _leave(libc, rules, path, _READ_FILE | (_READ_FOLDER if path.is_dir() else 0))
        both = _READ_FILE | _READ_FOLDER | _WRITE_FILE | _MAKE_FILE | _REMOVE_FILE | _TRUNCATE
        _leave(libc, rules, writable, both & known)
        return bool(libc.syscall(_RESTRICT, rules, 0) == 0)
    finally:
        os.close(rules)


def _leave(libc: ctypes.CDLL, rules: int, path: Path, rights: int) -> None:
    opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        beneath = struct.pack("=Qi", rights, opened)
        if libc.syscall(_ADD, rules, 1, ctypes.c_char_p(beneath), 0) != 0:
            raise OSError(ctypes.get_errno(), f"cannot leave {path} to a confined process")
    finally:
        os.close(opened)


if __name__ == "__main__":
    print(json.dumps(asdict(confine([], Path.cwd()))))
