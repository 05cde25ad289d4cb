# One page: `make demo` first, then `make test`, `make ui`, `make check`; `make test-slow` for the rest of the suite.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
DATA_DIR ?= data
BASE = $(VENV)/.base
STAMP = $(VENV)/.installed
MARKED = slow or ray or real_data or postgres or s3
LONG = long

.PHONY: demo test test-slow test-long ui check lint types clean-data install

# Everything on made data, from nothing: install, sample, six months, reports.
demo: $(BASE)
	$(BIN)/fashion-assets sample $(DATA_DIR)
	$(BIN)/fashion-assets run --data-dir $(DATA_DIR)

# The fast suite; tests that need what is absent (a browser) skip with the reason.
test: install
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not ($(MARKED) or $(LONG))"

# What takes longer or needs more: compilers, a Ray cluster, the real crawl files.
test-slow: install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev,ray]"
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "($(MARKED)) and not $(LONG)"

# Minutes each: backfills of a year, the real daemon, fuzzing. Not part of .ci/run.
test-long: install
	$(BIN)/python -m pytest -n 1 -m "$(LONG)"

# Dagster's UI and daemon over the same data root and run history.
ui: $(BASE)
	$(BIN)/python -m fashion_assets.defs.home $(DATA_DIR)
	FASHION_DATA_DIR=$(abspath $(DATA_DIR)) DAGSTER_HOME=$(abspath $(DATA_DIR))/dagster_home \
		$(BIN)/dagster dev -w workspace.yaml -h 127.0.0.1 -p 3000

check: lint types test

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/dg check defs
	$(BIN)/dg list defs > /dev/null

types: install
	$(BIN)/mypy

install: $(STAMP)

# What the platform itself needs; the tests' own needs come with `make test`.
$(BASE): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $(BASE)

$(STAMP): $(BASE)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $(STAMP)

# Made data only: incoming/, lake/, models/, reports/, run history, its summaries and warehouse of $(DATA_DIR).
clean-data:
	rm -rf $(DATA_DIR)/incoming $(DATA_DIR)/lake $(DATA_DIR)/models $(DATA_DIR)/reports $(DATA_DIR)/dagster_home \
		$(DATA_DIR)/run_summaries $(DATA_DIR)/sample_truth $(DATA_DIR)/warehouse.duckdb $(DATA_DIR)/author_salt
