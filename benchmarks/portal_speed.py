"""How fast the portal is: ``python -m benchmarks.portal_speed``. Prints a table and writes JSON.

A competition of a real mouse's size is built and served by ``striate serve``, by HTTP and on this machine alone: the time from the end of an
upload to the row on the board, submissions a minute with one worker, the memory of the web processes, a board of 1,000 rows read by
10 readers a second, a file of some 400 MB, against nginx where there is one, the data as one archive, and a push of 1,000 small files.
``--parts`` chooses among these.
"""

import argparse
import contextlib
import json
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import urllib3

from benchmarks.data import scratch
from benchmarks.ports import free_port
from striate.fetch.retry_policy import parse_retry_after

NEURONS, IMAGES, REPEATS = 7776, 200, 10  # half of the images are of the live test: 1,000 trials
FILE, ROWS, READERS = 400 * 10**6, 1000, 10
SMALL_FILES = 1000  # of the folder that is pushed
PARTS = ("to_board", "rate", "board", "file", "archive", "push", "web_mb")
_TEAMS = 4  # that send at the same time
_LONGEST_WAIT = 60.0  # seconds for which the portal may ask


def competition() -> Path:
    """The public folder of a competition, built where it is not there or over (half a minute)."""
    here = scratch("portal")
    public, secrets, environment = (
        here / "public",
        here / "away" / "secret",
        {**os.environ, "STRIATE_PASSPHRASE": "a benchmark's"},
    )
    if public.exists() and time.time() - public.stat().st_mtime < 30 * 86400:
        return public
    print("building a competition of the size of a real mouse ...", file=sys.stderr)
    shutil.rmtree(here, ignore_errors=True)
    secrets.parent.mkdir(parents=True)
    settings = {"neurons": NEURONS, "train": 300, "validation": 50, "test_images": IMAGES, "repeats": REPEATS}
    how = [each for name, value in settings.items() for each in ("--set", f"{name}={value}")]
    rules = here / "competition.toml"

    def striate(*command: object) -> None:
        told = [sys.executable, "-m", "striate", "competition", *map(str, command)]
        subprocess.run(told, check=True, env=environment, stdout=sys.stderr)

    striate("new", rules, "--template", "own", "--session", "501-1-3")
    text = rules.read_text()
    for limit in ("per_day = 2\n", "in_total = 100\n"):
        assert limit in text
        text = text.replace(limit, f"{limit.split()[0]} = 1000\n")
    rules.write_text(text)
    striate("build", rules, "--simulate", "--out", public, "--secrets", secrets, *how)
    _add_file(public)
    striate("commit", public, "--vault", secrets / "vault")
    shutil.copy(secrets / "live-truth.npz", here / "public-live-truth.npz")
    (secrets / "vault").unlink()  # the portal refuses to start where one can be read
    return public


def _add_file(public: Path) -> None:
    """A file of a fixed size beside the archive."""
    block, made, digest = np.random.default_rng(0).bytes(2**20), public / "archives" / "large.bin", sha256()
    with made.open("wb") as file:
        while (left := FILE - file.tell()) > 0:
            file.write(block[:left])
            digest.update(block[:left])
    manifest = json.loads((public / "manifest.json").read_text())
    manifest["files"].append({"path": "archives/large.bin", "size": FILE, "sha256": digest.hexdigest()})
    (public / "manifest.json").write_text(json.dumps(manifest))


def submissions(public: Path, count: int) -> list[Path]:
    """Native files with different predictions, not made of zeros: as large as real ones."""
    from striate.recordings import open as open_recording
    from striate.submissions import Submission

    folder = scratch("portal") / "submissions"
    folder.mkdir(exist_ok=True)
    found = []
    recording = None
    for number in range(count):
        file = folder / f"{number}.parquet"
        if not file.exists():
            recording = recording or open_recording(next((public / "archives").glob("*.zip")))
            random = np.random.default_rng(number)
            trials = sum(recording.rows(tier).size for tier in ("test", "final_test"))
            rates = random.gamma(2.0, 0.5, (trials, NEURONS)) * random.gamma(1.0, 1.0, NEURONS)
            Submission.from_array(recording, rates.astype(np.float32), protocol="image").write(file)
        found.append(file)
    return found


@dataclass
class Served:
    """A portal that runs."""

    address: str
    data: Path
    first: int
    tokens: list[str]
    pool: urllib3.PoolManager

    def ask(self, method: str, path: str, team: int = 0, **sent: Any) -> Any:
        """Ask the API as a team, and again where it asks to be called a little later; the JSON of the answer."""
        headers = {"Authorization": f"Bearer {self.tokens[team]}", **sent.pop("headers", {})}
        while True:
            answer = self.pool.request(method, f"{self.address}{path}", headers=headers, **sent)
            wait = parse_retry_after(answer.headers) if answer.status in (429, 503) else None
            if wait is None or wait > _LONGEST_WAIT:
                break
            time.sleep(wait)
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {answer.data[:300]!r}")
        return answer.json()

    def upload(self, file: Path, team: int) -> str:
        """Upload a file; the number of the upload."""
        content = file.read_bytes()
        about = {"filename": file.name, "size": len(content), "sha256": sha256(content).hexdigest()}
        number = str(self.ask("POST", "api/v1/uploads", team, json=about)["id"])
        self.ask("PUT", f"api/v1/uploads/{number}?offset=0", team, body=content)
        return number

    def submit(self, upload: str, team: int) -> dict[str, Any]:
        """Submit what was uploaded; its state."""
        return dict(self.ask("POST", "api/v1/submissions", team, json={"upload": upload}))

    def on_board(self, team: int) -> int:
        """Receipt of a team's row on the board; 0 if it has none."""
        rows = self.pool.request("GET", f"{self.address}boards/main-image.json").json()["rows"]
        return next((int(row["receipt"]) for row in rows if row["team"] == f"Team {team}"), 0)

    def web_memory(self, which: str) -> list[float]:
        """What the system says of the memory of each web process, in kB."""
        listed = subprocess.run(
            ["ps", "-eww", "-o", "pid,ppid,args"], capture_output=True, text=True, check=True
        ).stdout
        rows = [line.split(None, 2) for line in listed.splitlines()[1:]]
        web = [int(pid) for pid, ppid, told in rows if int(ppid) == self.first and "running.web" in told]
        web += [int(pid) for pid, ppid, told in rows if int(ppid) in web and "running.web" in told]
        most = []
        for process in web:
            status = Path(f"/proc/{process}/status").read_text()
            most.append(float(status.partition(f"{which}:")[2].split()[0]))
        return most


@contextlib.contextmanager
def served(public: Path) -> Iterator[Served]:
    """Serve the competition with data of its own, until the block ends."""
    data = scratch("portal") / "data"
    shutil.rmtree(data, ignore_errors=True)
    tokens = []
    for team in range(_TEAMS):
        kept = scratch("portal") / f"{team}.token"
        kept.unlink(missing_ok=True)
        told = ["account", public, f"team-{team}", "--email", f"{team}@example.org", "--team", f"Team {team}"]
        _striate("serve", *told, "--token-file", kept, "--data", data)
        tokens.append(kept.read_text().strip())
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "striate",
        "serve",
        str(public),
        "--no-browser",
        f"--port={port}",
        f"--data={data}",
    ]
    with (scratch("portal") / "portal.log").open("wb") as log:
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
    pool = urllib3.PoolManager(maxsize=32, retries=False, timeout=120)
    portal = Served(f"http://127.0.0.1:{port}/", data, running.pid, tokens, pool)
    try:
        for _ in range(600):
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                if pool.request("GET", f"{portal.address}health").status == 200:
                    break
            time.sleep(0.1)
        time.sleep(3)  # until the processes that read files are ready, too
        yield portal
    finally:
        running.terminate()
        running.wait(60)


def _ended(_number: int, _frame: object) -> None:
    """End as after Ctrl-C, so that no server stays behind."""
    raise KeyboardInterrupt


def _striate(*command: object) -> None:
    subprocess.run([sys.executable, "-m", "striate", *map(str, command)], check=True, stdout=subprocess.DEVNULL)


def upload_to_board(portal: Served, files: list[Path]) -> dict[str, Any]:
    """Seconds from the last byte of an upload to the row on the board, one after another."""
    seconds = []
    for file in files:
        upload = portal.upload(file, 0)
        began = time.perf_counter()
        state = portal.submit(upload, 0)
        while state["receipt"] is None:  # it is checked by the worker, where the web process has no place for it
            time.sleep(0.02)
            state = portal.ask("GET", f"api/v1/submissions/{state['id']}")
        while portal.on_board(0) != state["receipt"]["number"]:
            time.sleep(0.02)
        seconds.append(time.perf_counter() - began)
        time.sleep(2)  # as a board rests between two of them
    return {"median_s": statistics.median(seconds), "seconds": seconds}


def submissions_a_minute(portal: Served, files: list[Path]) -> dict[str, Any]:
    """Files of several teams as fast as they are taken; until all are scored."""
    began = time.perf_counter()

    def send(team: int) -> None:
        for file in files[team::_TEAMS]:
            portal.submit(portal.upload(file, team), team)

    with ThreadPoolExecutor(_TEAMS) as pool:
        list(pool.map(send, range(_TEAMS)))
    while any(
        not each["over"] for team in range(_TEAMS) for each in portal.ask("GET", "api/v1/submissions", team)["items"]
    ):
        time.sleep(0.1)
    states = [
        each["state"] for team in range(_TEAMS) for each in portal.ask("GET", "api/v1/submissions", team)["items"]
    ]
    if set(states) != {"scored"}:
        raise RuntimeError(f"not all were scored: {states}")
    seconds = time.perf_counter() - began
    return {"a_minute": 60 * len(files) / seconds, "files": len(files), "seconds": seconds}


def board_page(public: Path, portal: Served, seconds: float) -> dict[str, Any]:
    """A page of 1,000 rows that 10 readers a second ask for, each when it is due and not when the last one was served."""
    subprocess.run([sys.executable, "-m", "benchmarks.portal.rows", public, portal.data, str(ROWS)], check=True)
    page = f"{portal.address}boards/main-image/"
    while portal.pool.request("GET", page).data.count(b"<tr id=") < ROWS:
        time.sleep(0.2)
    pages = {"board page": page, "home": portal.address, "list of boards": f"{portal.address}boards/"}
    return {name: _read_page(portal, address, seconds) for name, address in pages.items()}


def _read_page(portal: Served, page: str, seconds: float) -> dict[str, Any]:
    took: list[float] = []
    lock = threading.Lock()

    def read(at: float) -> None:
        time.sleep(max(0.0, at - time.perf_counter()))
        answer = portal.pool.request("GET", page)
        with lock:
            took.append(time.perf_counter() - at)
        assert answer.status == 200

    began = time.perf_counter() + 0.5
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(read, [began + number / READERS for number in range(int(seconds * READERS))]))
    milliseconds = 1000 * np.array(took)
    return {
        "p50_ms": float(np.quantile(milliseconds, 0.5)),
        "p99_ms": float(np.quantile(milliseconds, 0.99)),
        "reads": len(took),
    }


def large_file(public: Path, portal: Served, pairs: int) -> dict[str, Any]:
    """MB a second of a large file, by curl, from the portal and from nginx in turn."""
    _accept(public, portal)
    manifest = portal.ask("GET", "data/manifest.json")
    address = next(
        f"{manifest['addresses'][0]}{each['name']}" for each in manifest["files"] if each["name"].endswith("large.bin")
    )
    found: dict[str, list[float]] = {"striate": [], "nginx": []}
    with _nginx(public) as beside:
        for _ in range(pairs):
            found["striate"].append(_curl(address, portal.tokens[0]))
            if beside:
                found["nginx"].append(_curl(f"{beside}archives/large.bin"))
    return {f"{name}_mb_s": statistics.median(each) for name, each in found.items() if each} | {"runs": found}


def bulk_archive(public: Path, portal: Served, times: int) -> dict[str, Any]:
    """MB a second of the first version as one archive, by curl."""
    _accept(public, portal)
    address = f"{portal.address}data/1/archive.tar"
    runs = [_curl(address, portal.tokens[0]) for _ in range(times)]
    return {"mb_s": statistics.median(runs), "runs": runs}


def small_files(public: Path, portal: Served) -> dict[str, Any]:
    """Seconds of the first push of many small files, and of one that finds them all there."""
    folder, token = scratch("portal") / "small", scratch("portal") / "organiser.token"
    shutil.rmtree(folder, ignore_errors=True)
    random = np.random.default_rng(int(time.time()))
    for number in range(SMALL_FILES):
        file = folder / f"{number // 100:02d}" / f"{number}.bin"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(random.bytes(1000))
    token.unlink(missing_ok=True)
    told = [
        "account",
        public,
        "organiser",
        "--email",
        "organiser@example.org",
        "--team",
        "Organisers",
        "--token-file",
        token,
    ]
    _striate("serve", *told, "--data", portal.data)
    code = (
        "import sys\nfrom striate.portal import Place\nfrom striate.portal.running.prepare import set_up\n"
        "set_up(Place.of(sys.argv[1], sys.argv[2]))\nfrom striate.portal.models import User\n"
        "User.objects.filter(username='organiser').update(is_staff=True)"
    )
    subprocess.run([sys.executable, "-c", code, public, portal.data], check=True)
    seconds = []
    for _ in range(2):
        began = time.perf_counter()
        _striate("data", "push", folder, "--note", "Many small files.", "--to", portal.address, "--token-file", token)
        seconds.append(time.perf_counter() - began)
    return {"first_s": seconds[0], "again_s": seconds[1], "files": SMALL_FILES}


def web_memory(public: Path, portal: Served, file: Path) -> dict[str, Any]:
    """The most that each web process has held: after all before, an upload of 8 clients at once, and the archive once more."""
    content = file.read_bytes()

    def send(number: int) -> None:
        own = content + b"\0" * (number + 1)  # no submission, but as large as one
        about = {"filename": f"{number}.parquet", "size": len(own), "sha256": sha256(own).hexdigest()}
        upload = str(portal.ask("POST", "api/v1/uploads", number % _TEAMS, json=about)["id"])
        portal.ask("PUT", f"api/v1/uploads/{upload}?offset=0", number % _TEAMS, body=own)
        with contextlib.suppress(RuntimeError):  # what is refused was read, too
            portal.submit(upload, number % _TEAMS)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, range(8)))
    _accept(public, portal)
    _curl(f"{portal.address}data/1/archive.tar", portal.tokens[0])
    now = [each / 1000 for each in portal.web_memory("VmRSS")]
    return {"most": [each / 1000 for each in portal.web_memory("VmHWM")], "now": now}


def _accept(public: Path, portal: Served) -> None:
    code = (
        "import sys\nfrom striate.portal import Place\nfrom striate.portal.running.prepare import set_up\n"
        "set_up(Place.of(sys.argv[1], sys.argv[2]))\nfrom striate.portal.hosting.dataset import terms_digest, terms_text\n"
        "from striate.portal.models import Acceptance, User\nAcceptance.objects.get_or_create(user=User.objects.get(username='team-0'), "
        "sha256=terms_digest(), defaults={'terms': terms_text()})"
    )
    subprocess.run([sys.executable, "-c", code, public, portal.data], check=True)


def _curl(address: str, token: str = "") -> float:
    told = ["curl", "-sf", "-o", "/dev/null", "-w", "%{speed_download}", address]
    if token:
        told += ["-H", f"Authorization: Bearer {token}"]
    return float(subprocess.run(told, check=True, capture_output=True, text=True).stdout) / 1e6


@contextlib.contextmanager
def _nginx(public: Path) -> Iterator[str]:
    """The same folder served by nginx; an empty address where there is none."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        print("there is no nginx on this machine to compare with", file=sys.stderr)
        yield ""
        return
    here, port = scratch("portal") / "nginx", free_port()
    here.mkdir(exist_ok=True)
    (here / "nginx.conf").write_text(
        f"daemon off; pid {here}/pid; error_log stderr crit; worker_processes 2; events {{}}\n"
        f"{'user root;' if os.getuid() == 0 else ''}\n"
        f"http {{ access_log off; sendfile on; {' '.join(f'{each}_temp_path {here}/{each};' for each in ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))}\n"
        f"server {{ listen 127.0.0.1:{port}; root {public}; }} }}\n"
    )
    running = subprocess.Popen([program, "-p", str(here), "-c", str(here / "nginx.conf")])
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/"
    finally:
        running.terminate()
        running.wait(20)


def show(found: dict[str, Any]) -> str:
    """Draw the table, in Markdown."""
    rows: list[tuple[str, str, str]] = []
    if each := found.get("to_board"):
        what = "upload's end to row on the board, 2 × 1,000 trials × 7,776 neurons"
        rows.append((what, f"{each['median_s']:.2f} s", "≤ 3 s"))
    if each := found.get("rate"):
        rows.append(("such submissions a minute, one worker", f"{each['a_minute']:.0f}", "≥ 20"))
    if each := found.get("board"):
        for name, page in each.items():
            what = f"{name}, board of {ROWS:,} rows, {READERS} readers a second: p50, p99"
            rows.append((what, f"{page['p50_ms']:.0f} ms, {page['p99_ms']:.0f} ms", "p99 < 200 ms"))
    if each := found.get("file"):
        beside = f" (nginx {each['nginx_mb_s']:,.0f} MB/s)" if "nginx_mb_s" in each else ""
        what = f"a file of {FILE // 10**6} MB, loopback"
        rows.append((what, f"{each['striate_mb_s']:,.0f} MB/s{beside}", "≥ 300 MB/s"))
    if each := found.get("archive"):
        rows.append(("the whole version as one archive, loopback", f"{each['mb_s']:,.0f} MB/s", "≥ 300 MB/s"))
    if each := found.get("push"):
        what = f"first push of {SMALL_FILES:,} small files"
        rows.append((what, f"{each['first_s']:.1f} s (again {each['again_s']:.1f} s)", "< 20 s"))
    if each := found.get("web_mb"):
        rows.append(("most memory of a web process, ever", f"{max(each['most']):.0f} MB", "< 300 MB"))
    return "\n".join(["| what | measured | to reach |", "|---|--:|--:|", *(f"| {a} | {b} | {c} |" for a, b, c in rows)])


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.portal_speed", description=__doc__)
    parser.add_argument("--one-by-one", type=int, default=5, help="files that are sent one after another")
    parser.add_argument("--at-once", type=int, default=12, help="files that are sent as fast as they are taken")
    parser.add_argument("--seconds", type=float, default=20, help="that the board is read")
    parser.add_argument("--pairs", type=int, default=5, help="times that the file is fetched from each server in turn")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/portal_speed.json"), help="where to write JSON")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what is measured, by default all")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, _ended)
    os.environ["STRIATE_CACHE"] = str(scratch("portal-cache"))
    public = competition()
    files = submissions(public, given.one_by_one + given.at_once)
    load = os.getloadavg()[0]
    with served(public) as portal:
        measured: dict[str, Callable[[], Any]] = {
            "to_board": lambda: upload_to_board(portal, files[: given.one_by_one]),
            "rate": lambda: submissions_a_minute(portal, files[given.one_by_one :]),
            "board": lambda: board_page(public, portal, given.seconds),
            "file": lambda: large_file(public, portal, given.pairs),
            "archive": lambda: bulk_archive(public, portal, given.pairs),
            "push": lambda: small_files(public, portal),
            "web_mb": lambda: web_memory(public, portal, files[0]),
        }
        found: dict[str, Any] = {name: measured[name]() for name in PARTS if name in given.parts}
    machine = {
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "load_before": load,
        "load_after": os.getloadavg()[0],
    }
    given.out.write_text(json.dumps({"machine": machine, **found}, indent=1) + "\n")
    print(show(found))
    print(f"\nload before and after: {load:.1f}, {os.getloadavg()[0]:.1f}; wrote {given.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
