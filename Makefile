# Two commands do everything on a machine with nothing but Python and pip:
#   make demo    install, make the planted corpus, train, show neighbours and how much was recovered
#   make test    install with the dev extra, run the suite on all cores (make quick: without the slow tests;
#                make coverage: and say what it does not reach)
# make test-all runs the suite on each Python of PYTHONS that is found, make test-lowest with the lowest versions of what
# pyproject.toml names (needs uv), make package builds wheel and sdist and checks both,
# and make docs builds the site in build/docs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?= demo
PYTHONS ?= 3.11 3.12 3.13 3.14
SUITE ?= -q -n auto
VENVS := build/venvs

.PHONY: demo test quick test-all test-one test-lowest coverage lint docs package install dev clean

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

# The first of each version that starts, as a name may be of a manager that has not installed it: on the path, in
# pyenv, in /opt. All are run, and those that failed are named at the end.
test-all:
	@failed=; ran=; \
	for version in $(PYTHONS); do \
	  python=; \
	  for one in $$(which -a python$$version) $$HOME/.pyenv/versions/$$version.*/bin/python /opt/*/bin/python$$version; do \
	    if [ -x "$$one" ] && "$$one" -c 'import ensurepip, venv' 2>/dev/null; then python=$$one; break; fi; \
	  done; \
	  if [ -z "$$python" ]; then echo "Python $$version: not found, left out"; continue; fi; \
	  echo "Python $$version: $$python"; \
	  $(MAKE) --no-print-directory test-one PYTHON="$$python" VENV=$(VENVS)/$$version \
	    && ran="$$ran $$version" || failed="$$failed $$version"; \
	done; \
	echo "passed on:$${ran:- none}; failed on:$${failed:- none}"; \
	test -n "$$ran" && test -z "$$failed"

test-one: dev
	$(BIN)/python -m pytest $(SUITE)

# Without the slow tests: versions are found wanting by imports and calls.
test-lowest:
	$(PYTHON) -m venv $(VENVS)/lowest
	uv pip install --quiet --python $(VENVS)/lowest/bin/python --resolution lowest-direct -e '.[dev]'
	$(VENVS)/lowest/bin/python -m pytest $(SUITE) -m 'not slow'

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

$(VENV)/installed-package: pyproject.toml $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check build twine check-wheel-contents
	touch $@

# The wheel is built of the sdist, as pip would; what is installed of it is asked away from this folder.
package: $(VENV)/installed-package
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/python -m twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl
	$(PYTHON) -m venv --clear $(VENVS)/package
	$(VENVS)/package/bin/python -m pip install --quiet --disable-pip-version-check dist/*.whl
	cd $(VENVS)/package && bin/fastw2v --version && bin/fastw2v doctor

clean:
	rm -rf $(VENV) $(DEMO) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
