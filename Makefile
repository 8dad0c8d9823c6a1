# Everything a person does with this folder. `make` alone lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PORT := $(or $(METERFOLD_PORT),8080)

.PHONY: help
help: ## Show what there is to make
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

.PHONY: preflight
preflight: ## Check that this machine has what is needed, and name the install line if not
	@$(PYTHON) deploy/preflight.py

$(STAMP): requirements.lock setup.cfg pyproject.toml | preflight
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

.PHONY: install
install: $(STAMP) ## Set up .venv with pinned packages and the command .venv/bin/meterfold

.PHONY: port
port:
	@$(PYTHON) deploy/preflight.py --port $(PORT)

.PHONY: run
run: port $(STAMP) ## Serve the engine on http://127.0.0.1:8080 with its data in ./data
	exec $(BIN)/meterfold serve

.PHONY: demo
demo: $(STAMP) ## Fill the running engine with a month of traffic and show what it knows
	$(BIN)/meterfold demo

.PHONY: kafka
kafka: kafka-needs ## Run a Kafka broker for development on 127.0.0.1:9092, fetched and set up the first time
	exec $(PYTHON) deploy/kafka/broker.py --port $(or $(KAFKA_PORT),9092) $(if $(KAFKA_FOLDER),--folder $(KAFKA_FOLDER))

.PHONY: kafka-needs
kafka-needs:
	@$(PYTHON) deploy/preflight.py --kafka

.PHONY: lint
lint: $(STAMP) ## Check style (ruff) and the direction of imports (import-linter)
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache

.PHONY: types
types: $(STAMP) ## Check types, strictly, in source and tests
	$(BIN)/mypy

.PHONY: check
check: lint types ## Check everything that needs only Python: style, imports, types, tests
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not kafka"
	$(BIN)/python -m pytest -m "slow and not kafka"

.PHONY: test
test: kafka-needs lint types ## Set up, check what is needed, then style, types and every test
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"
	$(BIN)/python -m pytest -m slow

.PHONY: soak
soak: kafka-needs $(STAMP) ## Kill the engine 1,000 times under load, then consumers and broker over a million records (two hours)
	METERFOLD_TEST_KILLS=$(or $(METERFOLD_TEST_KILLS),1000) $(BIN)/python -m pytest tests/laws/test_law_6_kill.py
	METERFOLD_TEST_KAFKA_EVENTS=$(or $(METERFOLD_TEST_KAFKA_EVENTS),1000000) $(BIN)/python -m pytest tests/consumers/kafka/test_exactly_once.py

.PHONY: docs
docs: $(STAMP) ## Write docs/reference from the program itself
	$(BIN)/python -m api.reference_pages

.PHONY: bench
bench: $(STAMP) ## Measure what this machine does, in a short form of under five minutes
	$(BIN)/python -m bench $(BENCH)

.PHONY: bench-full
bench-full: $(STAMP) ## Measure with the large sizes, in half an hour and 24 GB of disk
	$(BIN)/python -m bench --full $(BENCH)

.PHONY: clean
clean: ## Remove .venv and everything that was built; data folders stay
	rm -rf $(VENV) .venv-litellm build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
