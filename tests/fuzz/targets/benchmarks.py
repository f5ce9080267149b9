"""Descriptions of benchmarks, alone and in the archives of recordings."""

from pathlib import Path

from tests.fuzz.targets.target import Target, reader_of


def _descriptions() -> list[bytes]:
    from tests.fixtures.recordings import COLOUR_MICE

    return [COLOUR_MICE.read_bytes(), b'name = "plain"\n']


def _member(name: str) -> Target:
    """A recording of another benchmark, whose member `name` is the input."""

    def read(path: Path) -> None:
        from tests.fixtures.archives import members_of, write_zip
        from tests.fixtures.recordings import colour_recording
        from tests.fuzz.targets.recordings import check_zip

        files = members_of(colour_recording())
        files[name] = path.read_bytes()
        check_zip(write_zip(path.with_name("mouse_a.zip"), files))

    def seeds() -> list[bytes]:
        from tests.fixtures.archives import members_of
        from tests.fixtures.recordings import colour_recording

        return [members_of(colour_recording())[name]]

    return Target(read, "a.toml", seeds)


TARGETS: dict[str, Target] = {
    "benchmark": Target(reader_of("striate.benchmarks", "read_benchmark"), "benchmark.toml", _descriptions),
    "benchmark-of-a-recording": _member("meta/benchmark.toml"),
    "session-of-a-recording": _member("meta/session.toml"),
}
