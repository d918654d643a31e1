# One virtual environment, .venv, made below this directory on first use. Each `.venv/.has-X` stamp
# records that the extra X of pyproject.toml is installed as that file stands.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
ARGS ?=
# Test processes; a file's tests stay together, for what they share. `make test JOBS=0` runs them in one, in order.
JOBS ?= 2

.PHONY: help install test lint format servers demo bench torture docs clean
.DEFAULT_GOAL := help

help:
	@echo "make test      install what the tests need into $(VENV) and run them (ARGS='-k pack' to choose)"
	@echo "make lint      ruff, mypy and the import contracts"
	@echo "make format    let ruff rewrite the sources"
	@echo "make servers   install the system packages that some tests need (Debian, as root)"
	@echo "make demo      the main job and a pipeline on several thousand real files"
	@echo "make bench     side by side with other tools; writes docs/explanation/benchmarks.md"
	@echo "make torture   faults at every call, power loss, kills, a bad network; writes docs/explanation/torture.md"
	@echo "make docs      build the documentation into site/"
	@echo "make clean     remove the environment and everything that was built"

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.has-%: pyproject.toml | $(BIN)/python
	@echo "installing dvtool[$*] into $(VENV)"
	@$(PIP) install --editable '.[$*]'
	@touch $@

$(VENV)/.has-dvtool: pyproject.toml | $(BIN)/python
	@echo "installing dvtool into $(VENV)"
	@$(PIP) install --editable .
	@touch $@

# 220 MB of download for the 30 MB of jars that tests of HDFS need; where it fails they skip.
$(VENV)/.has-hadoop: scripts/hadoop.sh | $(BIN)/python
	@echo "fetching the jars of Hadoop into $(VENV)/hadoop"
	@scripts/hadoop.sh $(BIN)/python $(VENV)/hadoop
	@if [ -d $(VENV)/hadoop/lib ]; then touch $@; fi

install: $(VENV)/.has-dvtool

# Azurite, a server of Azure Blob for the tests, comes from npm. Without npm its tests skip.
AZURITE := $(VENV)/azurite
$(AZURITE)/.has-3.37.0: | $(BIN)/python
	@if command -v npm >/dev/null; then \
	    echo "installing Azurite into $(AZURITE)"; \
	    npm install --prefix $(AZURITE) --no-save --no-audit --no-fund --ignore-scripts --loglevel=error azurite@3.37.0 \
	        && touch $@; \
	else \
	    echo "npm is not there (make servers): the tests of Azure Blob skip"; \
	fi

test: $(VENV)/.has-test $(AZURITE)/.has-3.37.0 $(VENV)/.has-hadoop
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

# The type checker reads the tests and the libraries of all remotes too.
lint: $(VENV)/.has-lint $(VENV)/.has-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(VENV)/.has-lint
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

servers:
	scripts/servers.sh

demo: install
	$(BIN)/python scripts/demo.py $(ARGS)

bench: $(VENV)/.has-bench
	$(BIN)/python -m benchmarks $(ARGS)

torture: $(VENV)/.has-test $(VENV)/.has-torture
	$(BIN)/python -m tests.faults.torture $(ARGS)

docs: $(VENV)/.has-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) .bench .torture .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist site
