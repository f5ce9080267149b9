"""Run the command line in this process and look at what it says."""

import sys

import pytest

from striate.cli import main


def run(capsys, monkeypatch, *arguments):
    """Exit status, standard output and standard error of ``striate <arguments>``."""
    monkeypatch.setattr(sys, "argv", ["striate", *map(str, arguments)])
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main()
    out, err = capsys.readouterr()
    return end.value.code or 0, out, err


def one_sentence(capsys, monkeypatch, folder, *arguments):
    """The sentence on standard error of a run that must fail and write nothing; `arguments[1]` is the broken path."""
    before = sorted(folder.rglob("*"))
    arguments = (*arguments, "--out", folder / "card.json") if arguments[0] == "score" else arguments
    code, out, err = run(capsys, monkeypatch, *arguments)
    assert code == 1
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert err[:-1].isprintable()
    assert "Traceback" not in err
    assert err.strip()[-1] in ".)]"
    assert len(err) < 700
    assert sorted(folder.rglob("*")) == before
    return err
