# What is done with twbuild's source. It needs make, git and Python 3.10 or newer.
# The lines that begin with two number signs are what `make help` prints.

VENV = .venv
BIN = $(VENV)/bin
# The tests mostly wait: more of them at a time than there are processors.
WORKERS = 6
PYTEST = pytest -n $(WORKERS) --dist worksteal
STORMS = 500
# Empty, or `yes`: see what the tests reach in twbuild/.
COVERAGE =
PIP = $(BIN)/python -m pip --quiet --disable-pip-version-check install
INSTALL = $(if $(shell command -v uv),uv pip install --quiet --python $(BIN)/python,$(PIP))

.DEFAULT_GOAL = help
# With it, every worker would compile every test.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help demo test unit check rest lint github types coverage histories storms package fresh format \
	bench chaos mutants pictures clean

## help      this list
help:
	@sed -n 's/^## /make /p' Makefile

## demo      see it work: a build watched in the sandbox, no account needed
demo: $(VENV)/demo
	$(BIN)/twbuild sandbox

## test      all tests, in random order
test: $(VENV)/test
ifdef COVERAGE
	$(BIN)/coverage erase
	$(BIN)/coverage run -m $(PYTEST) -m 'not registry and not measured'
	$(BIN)/python -m $(PYTEST) -m measured
else
	$(BIN)/python -m $(PYTEST)
endif

## unit      the tests of single modules: fast
# Fewer workers: these tests wait less, and each worker takes seconds to start.
unit: WORKERS = 4
unit: $(VENV)/test
	$(BIN)/python -m $(PYTEST) tests/unit

## check     everything that CI checks
check:
	$(MAKE) test COVERAGE=yes
	$(MAKE) rest fresh

# All of `check` that is neither `make demo` nor `make test`.
rest: lint github types coverage histories storms package

## lint      mistakes and format by ruff, directions of imports by import-linter
lint: $(VENV)/dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

## github    what GitHub and pre-commit read: its form, and its security by zizmor
github: $(VENV)/dev
	$(BIN)/zizmor --offline --quiet .github
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-actions .github/actions/*/action.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/pre-commit validate-manifest .pre-commit-hooks.yaml

## types     types, by mypy
types: $(VENV)/dev
	$(BIN)/mypy

# What the tests have reached, once they have run with COVERAGE=yes; child processes count.
coverage: $(VENV)/dev
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

# More random histories of a watch than `make test` has time for.
histories: $(VENV)/test
	TWBUILD_HISTORIES=10000 $(BIN)/python -m pytest tests/model/test_histories.py

# As many waits through faults as CI has time for, each time the same ones: chance judges no commit.
storms: $(VENV)/test
	$(BIN)/python -m tests.chaos --storms 60 --seed 1

# The tests that need a package registry: sdist, wheel, the wheel in an empty environment, pre-commit.
package: $(VENV)/dev
	$(BIN)/python -m pytest -m registry

# The README's two commands in a fresh clone of the last commit, with an empty HOME.
fresh:
	.ci/fresh

## format    format the source, and mend what ruff can mend
format: $(VENV)/dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

## bench     how fast it is, beside the goals
bench: $(VENV)/dev
	$(BIN)/python -m tests.bench

## chaos     waits through random faults (STORMS=500)
chaos: $(VENV)/test
	$(BIN)/python -m tests.chaos --storms $(STORMS)

## mutants   break the modules that decide, and see whether a test notices
mutants: $(VENV)/dev
	$(BIN)/mutmut run --max-children 2
	$(BIN)/mutmut results
	$(BIN)/python -m tests.breaks

## pictures  record the README's moving picture from the real command
pictures: $(VENV)/dev
	$(BIN)/python -m tests.pictures

## clean     remove what the other targets have made
clean:
	rm -rf $(VENV) dist mutants .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache

# One environment, filled in three steps. PYTHON=... chooses the Python that it is made with.
$(BIN)/python: $(if $(PYTHON),FORCE)
	PYTHON='$(PYTHON)' .ci/environment $(VENV)

FORCE:

$(VENV)/demo: $(BIN)/python pyproject.toml
	$(INSTALL) --editable .
	touch $@

$(VENV)/test: $(VENV)/demo
	$(INSTALL) --group test
	touch $@

$(VENV)/dev: $(VENV)/test
	$(INSTALL) --group dev
	touch $@
