# Targets for users and developers; `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PORT := $(or $(METERFOLD_PORT),8080)

# Compiled modules are kept, whatever the shell says: every test process, engine and command would compile all of them again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## List all targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

.PHONY: preflight
preflight: ## Check this machine's requirements, and print the command that installs what is missing
	@$(PYTHON) deploy/preflight.py

$(STAMP): requirements.lock setup.cfg pyproject.toml | preflight
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

.PHONY: install
install: $(STAMP) ## Install the pinned packages and the command meterfold into .venv

.PHONY: port
port:
	@$(PYTHON) deploy/preflight.py --port $(PORT)

.PHONY: run
run: port $(STAMP) ## Serve the engine on http://127.0.0.1:8080 with its data in ./data
	exec $(BIN)/meterfold serve

.PHONY: demo
demo: $(STAMP) ## Send a month of generated traffic to the running engine, and show reports
	$(BIN)/meterfold demo

.PHONY: kafka
kafka: kafka-needs ## Run a Kafka broker for development on 127.0.0.1:9092; the first run fetches it
	exec $(PYTHON) deploy/kafka/broker.py --port $(or $(KAFKA_PORT),9092) $(if $(KAFKA_FOLDER),--folder $(KAFKA_FOLDER))

.PHONY: kafka-needs
kafka-needs:
	@$(PYTHON) deploy/preflight.py --kafka

.PHONY: browser-needs
browser-needs:
	@$(PYTHON) deploy/preflight.py --browser --install

.PHONY: lint
lint: $(STAMP) ## Check style (ruff) and import directions (import-linter)
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache

.PHONY: types
types: $(STAMP) ## Check types in source and tests (mypy, strict)
	$(BIN)/mypy

.PHONY: check
check: lint types ## Run every check that needs only Python: style, imports, types, tests
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not kafka and not browser"
	$(BIN)/python -m pytest -m "slow and not kafka"

# Coverage is that of the tests of the four rooms. Scenarios and laws run the same lines again and again, a third quicker unmeasured.
# Files run in this order, those that take long first, so that no process has to wait for the last file of the other.
MEASURED := tests/consumers tests/api tests/projections tests/domain
LONG := tests/laws tests/docs
UNMEASURED := $(LONG) $(filter-out $(MEASURED) $(LONG) %__pycache__,$(patsubst %/,%,$(sort $(wildcard tests/*/))))
TWO_AT_A_TIME := -n 2 --dist loadfile --no-loadscope-reorder
.PHONY: test
test: kafka-needs browser-needs lint types ## Set everything up and run every check and test, including those with a Kafka broker and a browser
	$(BIN)/python -m pytest $(TWO_AT_A_TIME) -m "not slow" --cov --cov-report= $(MEASURED)
	$(BIN)/coverage report
	$(BIN)/python -m pytest $(TWO_AT_A_TIME) -m "not slow" $(UNMEASURED)
	$(BIN)/python -m pytest -m slow

.PHONY: soak
soak: kafka-needs $(STAMP) ## Run the long tests: 600 months in five APIs, 5,000 histories of facts and 5,000 asked again, 150 in which everything is mixed, 1,000 kills of the engine, then of consumers and broker (three hours), spoilt bytes (one)
	TEST_EXAMPLES_TIMES=$(or $(TEST_EXAMPLES_TIMES),25) $(BIN)/python -m pytest tests/laws/test_law_8_four_voices.py tests/laws/test_law_9_facts.py tests/laws/test_law_10_as_known_at.py tests/laws/machine
	$(MAKE) soak-kills
	TEST_DECODING_SECONDS=$(or $(TEST_DECODING_SECONDS),400) $(BIN)/python -m pytest tests/acceptance/test_any_bytes.py
	TEST_KAFKA_EVENTS=$(or $(TEST_KAFKA_EVENTS),1000000) $(BIN)/python -m pytest tests/consumers/kafka/test_exactly_once.py

# PARTS=4-10 goes on with the fourth part; a part kills TEST_KILLS times, and has the seed TEST_SEED plus its number.
PART_BOUNDS = $(subst -, ,$(or $(PARTS),1-10))
.PHONY: soak-kills
soak-kills: $(STAMP) ## Run only the 1,000 kills of the engine, in ten parts: a seed and PARTS=4-10 go on where it was interrupted
	@seed=$(or $(TEST_SEED),$$(date +%s)); for part in $$(seq $(firstword $(PART_BOUNDS)) $(lastword $(PART_BOUNDS))); do \
		echo "part $$part; from here on: make soak-kills TEST_SEED=$$seed PARTS=$$part-$(lastword $(PART_BOUNDS))"; \
		TEST_KILLS=$(or $(TEST_KILLS),100) TEST_SEED=$$((seed + part)) $(BIN)/python -m pytest tests/laws/test_law_6_kill.py || exit 1; \
	done

.PHONY: docs
docs: $(STAMP) ## Generate docs/reference from the program
	$(BIN)/python -m api.reference_pages

.PHONY: bench
bench: $(STAMP) ## Run the benchmarks in their short form: some ten minutes, 4 GB of disk
	$(BIN)/python -m bench $(BENCH)

.PHONY: bench-full
bench-full: $(STAMP) ## Run the benchmarks with the large sizes: three quarters of an hour, 24 GB of disk
	$(BIN)/python -m bench --full $(BENCH)

.PHONY: clean
clean: ## Remove .venv and all build output; keep data folders
	rm -rf $(VENV) .venv-lago .venv-litellm .venv-portal .venv-respan .coverage* build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
