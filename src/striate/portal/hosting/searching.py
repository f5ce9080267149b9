"""The process that looks into what organisers push: it has limits, no network, no credentials, and no file but the one that it looks into.

Run as ``python -m striate.portal.hosting.searching``; what to do is told on standard input, as JSON, and what was found on standard output.
"""

import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from striate._internal.safe_parsing import parse_json_object
from striate.competition.looking_into import Search
from striate.competition.withheld_responses import Population
from striate.portal.receiving.confine import confine
from striate.portal.receiving.decode import limit


def main() -> None:
    """Look into the file that standard input tells."""
    job = parse_json_object(sys.stdin.read())
    file, aside = Path(job["file"]), Path(job["aside"])
    import h5py  # noqa: F401 – once it is confined, nothing else is loaded
    import pyarrow.parquet  # noqa: F401

    tempfile.tempdir = str(aside)
    limit(*job["limits"])
    confine([file], aside)
    found = Search([Population(**each) for each in job["populations"]], aside).look(file)
    json.dump(None if found is None else asdict(found), sys.stdout)


if __name__ == "__main__":
    os.environ["HDF5_USE_FILE_LOCKING"] = "FALSE"
    main()
