# Every target sets up what it needs: a virtual environment of its own, with the versions of constraints.txt.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Where pip looks for torch; empty means the usual place. See "Choosing torch" in README.md.
TORCH_INDEX ?=
INSTALLED := $(VENV)/.installed
# Of `make load`, `make chaos` and `make fuzz`; OPTIONS="--teams 50 --neurons 500", say.
DATABASE ?= sqlite
MINUTES ?= 5
OPTIONS ?=
# Of the property tests of `make test-slow`; printed, so that a failure can be repeated.
ifndef SEED
SEED := $(shell date +%s)
endif

export STRIATE_SHARED ?= ../shared
# Modules are compiled once, and not by each process of the tests.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup demo test test-slow lint types docs bench bench-all fuzz load chaos clean

help: ## Say what can be made.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

setup: $(INSTALLED) ## Make the virtual environment and install striate into it.

$(INSTALLED): pyproject.toml constraints.txt
	@echo "== setting up $(VENV) (the first time this takes a few minutes)"
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "striate needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) -c constraints.txt torch
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,bench,portal]'
	@touch $@

demo: setup ## Simulate, train, predict, score, and draw a report (about 4 minutes, 7 with the installation).
	@echo "== demo: two simulated recordings, two models, one table, one report"
	@$(BIN)/striate demo --out demo --overwrite

lint: setup ## Hold the code against the style.
	@echo "== lint (ruff)"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: setup ## Hold the code against its types.
	@echo "== types (mypy, strict)"
	@$(BIN)/mypy

test: setup lint types ## Lint, types, the fast tests, and the examples of docstrings.
	@echo "== fast tests, two at a time"
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m "not slow" -n 2 --dist loadfile --doctest-modules --ignore=src/striate/portal tests src/striate

$(VENV)/.log-installed: $(INSTALLED)
	@echo "== setting up what the tests of Weights & Biases and MLflow need"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[log]'
	@touch $@

test-slow: setup $(VENV)/.log-installed ## The slow tests, property tests with a new SEED, and the portal's tests on PostgreSQL and S3.
	@echo "== slow tests, two at a time; property tests with seed $(SEED) (to repeat: make test-slow SEED=$(SEED))"
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m "slow or hypothesis" -n 2 --dist worksteal --hypothesis-profile=explore --hypothesis-seed=$(SEED)
	@echo "== the portal's fast tests again, on PostgreSQL and S3"
	@STRIATE_TEST_SERVERS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m "not slow" -n 2 --dist loadfile tests/portal

$(VENV)/.docs-installed: $(INSTALLED)
	@echo "== setting up what builds the documentation"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	@touch $@

docs: $(VENV)/.docs-installed ## Build the documentation into docs/_build (a warning is an error).
	@echo "== documentation: docs/_build/index.html"
	@$(BIN)/python docs/generate.py
	@$(BIN)/python -m sphinx -W --keep-going -q -E -b html docs docs/_build

bench: setup ## How fast it is, against the same work written plainly (10 minutes when idle, over 20 when busy).
	@echo "== benchmarks: both forms in turn, medians"
	@$(BIN)/python -m benchmarks

bench-all: bench ## Also the time to accuracy, and how cost grows (half an hour).
	@echo "== time to accuracy, on recording 90001-1-1"
	@$(BIN)/python -m benchmarks.accuracy --recipes cnn-behavior cnn-2022-behavior
	@echo "== where the time goes, and what the machine allows"
	@$(BIN)/python -m benchmarks.limits
	@echo "== how cost grows: docs/figures/scaling.png"
	@$(BIN)/python -m benchmarks.scaling

fuzz: $(VENV)/.fuzz-installed ## Feed every reader with mutated files for MINUTES=5; what fails is kept in tests/fuzz/failures.
	@echo "== fuzzing every reader for $(MINUTES) minutes"
	@PYTHONPATH=. OMP_NUM_THREADS=1 $(BIN)/python -m tests.fuzz --minutes $(MINUTES) $(OPTIONS)

$(VENV)/.fuzz-installed: $(INSTALLED)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[fuzz]' || \
	  echo "== no atheris for this Python or platform: mutations are drawn at random"
	@touch $@

load: setup ## The portal under load: 200 teams submit at once (8 GB of disk, 20 minutes; DATABASE=postgresql).
	@echo "== a portal under load: load.json, load.png"
	@$(BIN)/python -m benchmarks.portal.load --database $(DATABASE) $(OPTIONS)

chaos: setup ## The portal under chaos: kill -9 at random for MINUTES=5, then nothing may be wrong (DATABASE=postgresql).
	@echo "== a portal under chaos: chaos.json"
	@$(BIN)/python -m benchmarks.portal.chaos --database $(DATABASE) --minutes $(MINUTES) $(OPTIONS)

clean: ## Remove the virtual environment and what the demo wrote.
	rm -rf $(VENV) demo docs/_build
