PYTHON ?= python3
ARGS ?=
BIN = .venv/bin

.PHONY: help install demo test check format lock diagram clean

help: ## list what can be made
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /	/' | expand -t 12

install: .venv/installed ## make .venv and install the locked versions

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed; name one with: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: install ## simulate a movie, take it through every step, and show it in the browser
	$(BIN)/mesmerize demo $(ARGS)

test: install ## run the whole test suite
	$(BIN)/pytest -n 2 --dist loadfile $(ARGS)

check: install ## check format, lint and types
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

format: install ## format the code
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

diagram: install ## draw the tables into the README
	$(BIN)/python -W ignore -m docs.diagram

lock: ## renew requirements.lock (needs uv)
	uv pip compile pyproject.toml --extra dev --universal --generate-hashes --no-header --upgrade --output-file requirements.lock

clean: ## remove .venv and caches
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache *.egg-info
