# Needs Python 3.11 or newer and make; everything else lands in .venv. `make` alone lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= auto
FUZZ_RUNS ?= 100000
FUZZ_SECONDS ?= 120

.DEFAULT_GOAL := help
.PHONY: help demo test ftti power-cut mutants fuzz check lint layout types bench coverage determinism wheel-check format clean campaign

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(STAMP) ## run the panic stop and write its report to build/report
	$(BIN)/simcore run scenarios/panic_stop.py --report build/report --log candump

test: $(STAMP) ## run all tests (WORKERS=0 for one process; CI=true draws the same examples every time)
	$(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 8

ftti: $(STAMP) ## measure the reaction-time table on all cores, report in build/ftti
	$(BIN)/simcore ftti --report build/ftti

power-cut: $(STAMP) ## cut power at every flash operation of an update, report in build/power-cut
	$(BIN)/simcore power-cut --report build/power-cut
	$(BIN)/simcore power-cut --device bundle --report build/power-cut-bundle

campaign: $(STAMP) ## run the tests that take long: scenarios against sabotaged ECUs
	$(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 8 -m campaign

mutants: $(STAMP) ## judge every deliberately broken module with the conformance kit: all must be failed
	$(BIN)/python -m tests.mutants.run

fuzz: $(STAMP) ## fuzz parsers and machines, guided by coverage (FUZZ_TARGETS="uds doip" FUZZ_RUNS=1000000 FUZZ_SECONDS=0)
	@$(BIN)/python -c 'import atheris' 2>/dev/null || \
	  $(BIN)/python -m pip install --quiet 'atheris>=3,<4' || { \
	  echo "fuzz: no atheris for this Python; it has wheels for CPython 3.11 to 3.13 on Linux." >&2; \
	  echo "Name another one: make clean fuzz PYTHON=python3.12" >&2; exit 2; }
	$(BIN)/python -m tests.fuzz.run $(or $(FUZZ_TARGETS),--all) --runs $(FUZZ_RUNS) --seconds $(FUZZ_SECONDS)

check: lint layout types ## lint, formatting and types (make -k check: all three even if one fails)

lint: $(STAMP)
	$(BIN)/ruff check .

layout: $(STAMP)
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

bench: $(STAMP) ## measure against the alternatives, side by side
	@set -e; if [ -e benchmarks/run.py ]; then exec $(BIN)/python -m benchmarks.run; fi; \
	for file in benchmarks/bench_*.py; do \
	  test -e "$$file" || { echo "bench: expected benchmarks/bench_*.py, found none" >&2; exit 2; }; \
	  echo "== $$file"; $(BIN)/python -m benchmarks.$$(basename "$$file" .py); done

coverage: $(STAMP) ## run the tests in one process and show what they miss
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage report

determinism: $(STAMP) ## every scenario twice, in unlike processes: the digests must agree
	$(BIN)/python .ci/determinism.py

wheel-check: $(STAMP) ## build the wheel, install it in an empty environment and run from it
	.ci/wheel_check.sh $(BIN)/python

format: $(STAMP) ## rewrite the formatting in place
	$(BIN)/ruff check --select I --fix .
	$(BIN)/ruff format .

clean: ## remove the environment and everything made by a run
	rm -rf $(VENV) build dist htmlcov .coverage .coverage.* .hypothesis .pytest_cache .mypy_cache .ruff_cache
	find simcore tests scenarios benchmarks .ci -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is younger than what it was made from: a second call needs no network at all.
$(STAMP): pyproject.toml constraints.txt hatch_build.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "simcore needs Python 3.11 or newer, '$(PYTHON)' is: $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "Name another one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
	  echo "'$(PYTHON)' cannot create environments: install its venv package (python3-venv)." >&2; \
	  exit 2; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile -c constraints.txt hatchling editables
	$(BIN)/python -m pip install --quiet --no-compile -c constraints.txt --no-build-isolation -e '.[dev]'
	@touch $@
