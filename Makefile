# Two commands do everything on a machine with nothing but Python and pip:
#   make demo    install, make the planted corpus, train, show neighbours and how much was recovered
#   make test    install with the dev extra, run the suite on all cores (make quick: without the slow tests;
#                make coverage: and say what it does not reach)
# and make docs builds the site in build/docs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?= demo

.PHONY: demo test quick coverage lint docs install dev clean

# The stamp depends on pyproject.toml, so a changed dependency installs again.
$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/installed-dev: pyproject.toml $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

install: $(VENV)/installed

dev: $(VENV)/installed-dev

demo: install
	$(BIN)/python -m corpora.demo $(DEMO)

test: dev
	$(BIN)/python -m pytest -q -n auto

quick: dev
	$(BIN)/python -m pytest -q -n auto -m 'not slow'

coverage: dev
	$(BIN)/python -m pytest -q --cov --cov-report=term-missing --cov-fail-under=97

lint: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy -p fastw2v --platform win32
	$(BIN)/mypy -p fastw2v --platform darwin

$(VENV)/installed-docs: pyproject.toml $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	touch $@

docs: $(VENV)/installed-docs
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/docs

clean:
	rm -rf $(VENV) $(DEMO) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
