# Every target sets up what it needs; a second run changes nothing and is quick.
# Needs on the machine: Python 3.11+, Node.js 20+ with npm, Terraform 1.10+.
.DEFAULT_GOAL := help
.PHONY: help setup demo test soak bench conformance lint lock clean prerequisites
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
INPUT ?=

help: ## Show the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

prerequisites:
	@PYTHON="$(PYTHON)" sh scripts/prerequisites.sh

# The stamp names the locked set that the environment was made from.
.venv/.installed: requirements.lock pyproject.toml | prerequisites
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# Install scripts are left out: the one there is builds a pseudo-terminal that no command here uses.
node_modules/.installed: package.json package-lock.json | prerequisites
	npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

setup: .venv/.installed node_modules/.installed ## Make .venv/ and node_modules/
	@$(BIN)/python -m compileall -q cli engine policies stacks
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -O -c 'import stacks.synthesis'  # compiled for stacks/many_tenants.py

demo: setup ## The main job, end to end, on a sandbox (INPUT=folder for your own files)
	@$(BIN)/keyturn demo $(if $(INPUT),--input "$(INPUT)")

test: setup lint ## Linters, types and every test but the long ones
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: .venv/.installed ## ruff and mypy
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

soak: setup ## The long tests: every point of the crash matrix, faults, many processes
	$(BIN)/python -m pytest -m soak $(SOAK)

bench: setup ## Benchmarks, as ratios; writes .bench/results.json
	$(BIN)/python -m tests.bench $(BENCH)

# The sweep before it clears what a killed run left; the one behind it has nothing to do unless this run was killed.
conformance: setup ## The conformance suite against AWS (docs/conformance.md)
	@$(BIN)/python -m tests.conformance.cleaning
	@$(BIN)/python -m pytest tests/conformance -v --timeout=900; status=$$?; \
	  $(BIN)/python -m tests.conformance.cleaning && exit $$status

lock: .venv/.installed ## Resolve the locked set anew
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header pyproject.toml --output-file requirements.lock

clean: ## Remove everything that setup, test and demo made
	rm -rf .venv node_modules .bench .cache .demo cdktf.out .mypy_cache .ruff_cache .pytest_cache .hypothesis
