# Two commands matter: `make run` (a playing fleet) and `make test` (everything that holds it true).
PYTHON ?= python3
BIN := .venv/bin
SHELL := /bin/bash

# Only from the command line: some shells export HOST on their own, and that must not open a port to the world.
RUN_ARGS := $(if $(filter command line,$(origin HOST)),--host "$(HOST)") $(if $(filter command line,$(origin PORT)),--port "$(PORT)")
BENCH ?= dispatch --units 80,1000
PYTEST_ARGS ?=
# Files of tests run side by side; 0: one after the other, in this process.
WORKERS ?= auto

.PHONY: help setup run test lint smoke bench requirements lock docker-tests clean

help:
	@echo "make run [HOST=name-or-address] [PORT=8080]   set up, then controller, broker and 80 simulated units"
	@echo "make test            lint, then every test (LOA_TEST_DOCKER=1 adds the container stage; needs root)"
	@echo "                     WORKERS=0 runs one after the other, PYTEST_ARGS=... chooses"
	@echo "make smoke           a bulletin to 80 units and its proof, without a page"
	@echo "make setup lint bench requirements lock clean"

setup:
	@$(PYTHON) deploy/setup.py

run: setup
	@exec $(BIN)/python -m deploy.demo $(RUN_ARGS)

smoke: setup
	@exec $(BIN)/python -m deploy.smoke

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .

test: setup
	@deploy/debian.sh
	@$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 4 --dist loadfile --no-loadscope-reorder -m "not docker" $(PYTEST_ARGS)
	@if [ "$$LOA_TEST_DOCKER" = 1 ]; then $(MAKE) --no-print-directory docker-tests; fi

# An engine of our own with locally made images (no registry is asked), the tests about containers, all gone after.
docker-tests: setup
	@deploy/ci/engine.sh $(BIN)/python -m pytest -m docker $(PYTEST_ARGS)

bench: setup
	@exec $(BIN)/python -m tests.bench $(BENCH)

requirements: setup
	@$(BIN)/python tests/requirements_table.py

# Versions already in the file stay unless UPGRADE=1.
lock: setup
	@[ -x $(BIN)/uv ] || $(BIN)/python -m pip install -q --disable-pip-version-check uv
	$(BIN)/uv pip compile -q pyproject.toml --group dev --universal --generate-hashes --no-emit-index-url \
	  --no-header --python-version 3.11 $(if $(UPGRADE),--upgrade) -o requirements.lock
	npm install --package-lock-only --ignore-scripts --no-audit --no-fund

clean:
	rm -rf .venv node_modules controller/web/static/dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
