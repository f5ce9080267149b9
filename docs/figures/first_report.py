"""Run the first tutorial and cut pictures out of its report: writes first-report.png and first-retinotopy.png.

Takes a minute or two. Give the folder of a finished run of the tutorial to use that one instead.
"""

import base64
import os
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent
PICTURES = {
    "first-report": "scores of LN, CNN on tier test",
    "first-retinotopy": "retinotopic map",
}

with TemporaryDirectory() as temporary:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else temporary)
    if not (folder / "report.html").exists():
        sys.path.insert(0, str(HERE.parents[1]))
        from tests.docs.pages import DOCS, run_page

        run_page(
            DOCS / "tutorials" / "first-model.md",
            folder,
            {**os.environ, "STRIATE_CACHE": str(folder / "cache")},
        )
    report = (folder / "report.html").read_text(encoding="utf-8")
for name, description in PICTURES.items():
    found = re.search(
        rf'alt="{description}" src="data:image/png;base64,([^"]+)"', report
    )
    assert found, description
    (HERE / f"{name}.png").write_bytes(base64.b64decode(found[1]))
