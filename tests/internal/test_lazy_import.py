"""Public names that are imported when they are used: all are there, and modules of the same name hide none."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from tests.submissions.examples import example

ROOMS = ("striate.competition", "striate.data", "striate.models", "striate.recordings", "striate.training")
MODULES = {"published"}  # public names that are modules


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_is_there_and_no_module_hides_it(room: str) -> None:
    package = import_module(room)
    for name in package.__all__:
        if Path(package.__path__[0], f"{name}.py").exists():
            import_module(f"{room}.{name}")
        assert name in MODULES or type(getattr(package, name)) is not type(sys), f"{name} is a module"
        assert name in dir(package)
    with pytest.raises(AttributeError, match="nonsense"):
        package.nonsense  # noqa: B018
    with pytest.raises(ImportError):
        exec(f"from {room} import nonsense")


@pytest.mark.slow
def test_what_reads_a_participants_file_imports_nothing_that_it_does_not_need() -> None:
    pytest.importorskip("django")
    code = "import striate.portal.receiving.decode, sys; print([m for m in sys.argv[1:] if m in sys.modules])"
    heavy = ("pandas", "torch", "numba", "matplotlib", "h5py", "django")
    done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.slow
def test_a_submission_is_read_without_pandas(tmp_path: Path) -> None:  # whose import takes longer than the reading
    _, submission, _ = example()
    file = tmp_path / "submission.parquet"
    submission.write(file)
    code = "import sys; from striate.submissions import Submission; print(Submission.read(sys.argv[1]), 'pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True)
    assert done.stdout == f"{submission} False\n"


@pytest.mark.slow
def test_a_page_of_results_needs_no_pytorch() -> None:
    """A portal draws them, and each of its processes would hold it."""
    code = "import sys, striate.report, striate.competition.results_page; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.slow
def test_a_model_is_loaded_without_the_compiler_of_pytorch(tmp_path: Path) -> None:  # whose import takes two seconds
    from striate.models import EncoderSettings, ModelInputs
    from striate.models.serialisation import build_model, save

    model = build_model(EncoderSettings(), ModelInputs((1, 36, 64), {"mouse": np.zeros((5, 3))}))
    save(model, tmp_path / "model.safetensors")
    code = "import sys; from striate.models.serialisation import load_model; load_model(sys.argv[1]); print('torch._dynamo' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "model.safetensors")], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
