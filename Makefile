# Everything runs in a virtual environment of the checkout's own; python3 (3.11 or newer) and
# make are all that a machine must have.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TRAIN_ARGS ?=

.PHONY: train test mutants bench lint docs clean

train: $(VENV)/ready
	$(BIN)/koubai train $(TRAIN_ARGS)

# One BLAS thread for each worker: more of them wait for one another, ten times as long.
test: $(VENV)/ready-dev
	OPENBLAS_NUM_THREADS=1 $(BIN)/pytest -n auto -q

# Not a part of the tests, for it takes a minute: whether they notice mistakes.
mutants: $(VENV)/ready-dev
	cd tests && ../$(BIN)/python -m mutation

lint: $(VENV)/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# docs/operations.md, from the table of operations, and docs/check.md, from the catalogue of
# mistakes; tests fail when they are out of date.
docs: $(VENV)/ready-dev
	PYTHONPATH=tests $(BIN)/python -m ops.document
	PYTHONPATH=tests $(BIN)/python -m check.document

# One process, nothing beside it: an idle machine gives figures that can be compared.
bench: $(VENV)/ready-bench
	$(BIN)/python -m benchmarks

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "koubai needs Python 3.11 or newer; name one: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --upgrade "pip>=25.1"

$(VENV)/ready: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install -q -e ".[plot]"
	touch $@

$(VENV)/ready-dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install -q -e ".[plot]" --group dev
	touch $@

$(VENV)/ready-bench: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install -q -e ".[plot,bench]"
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
