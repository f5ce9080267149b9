"""HDF5 files with cyclic links, external links, and very many paths."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from tests.fixtures.messages import assert_short

from striate.competition.probes.packed_numbers import Numbers
from striate.errors import InputError
from striate.recordings.array_files import read_arrays
from striate.recordings.hdf5_files import iterate_datasets


def test_datasets_are_iterated_once_without_external_links(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a/b/values"] = np.arange(3.0)
        file["a/b/again"] = file["a/b/values"]
        file["a/b/up"] = file["a"]
        file["#refs#/cell"] = np.arange(2)
        file["elsewhere"] = h5py.ExternalLink("/etc/passwd", "/x")
        file["nowhere"] = h5py.SoftLink("/no/such")
    with h5py.File(tmp_path / "a.h5") as file:
        found = dict(iterate_datasets(file))
    assert {name.rpartition("/")[0] for name in found} == {"a/b", "#refs#"}
    assert len(found) == 2
    (first, second) = sorted(Numbers().of((tmp_path / "a.h5").read_bytes()), key=len)
    assert (first.tolist(), second.tolist()) == ([0, 1], [0.0, 1.0, 2.0])


@pytest.mark.slow
def test_too_many_paths_are_refused(tmp_path: Path) -> None:
    """Each of 40 groups has two links to the next: 2⁴⁰ paths in some kilobytes."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        last = file.create_group("last")
        for _ in range(40):
            group = file.create_group(None)
            group["one"], group["two"] = last, last
            last = group
        file["images"] = last
    with pytest.raises(InputError, match="more than 10,000 datasets and groups") as caught:
        read_arrays(tmp_path / "a.h5")
    assert_short(caught.value, tmp_path / "a.h5")
    assert list(Numbers().of((tmp_path / "a.h5").read_bytes())) == []
