# What a newcomer calls. Each target first sets up what it needs: .venv, with the exact versions of requirements.lock.

PYTHON ?= python3
PROGRAMME ?= nsw
# Tests run on so many processes at once.
WORKERS ?= logical
PYTEST_ARGS ?=
BENCH_ARGS ?=

# Byte code and checks come from this interpreter only; pip's own settings (an index, a proxy) stay the user's.
IN := .venv/bin/python -m
PIP := $(IN) pip --disable-pip-version-check -qq install --no-deps --no-build-isolation

.DEFAULT_GOAL := help
.PHONY: help book books test validate bench lint format lock peers clean ready

help:  ## Show this list
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-16s%s\n", $$1, $$2}'

book: ready  ## Publish a programme's book to _build (PROGRAMME=nsw)
	@.venv/bin/virkning book $(PROGRAMME)

books: ready  ## Publish the books of all programmes
	@for programme in $$(ls programmes | grep -vx starter); do .venv/bin/virkning book "$$programme" || exit; done

test: ready  ## Run the tests (PYTEST_ARGS="-k disclosure" for some of them)
	@$(IN) pytest -n $(WORKERS) --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

validate: ready  ## Draw made-up worlds, and write down how often designs find the truth and checks a mistake (half an hour)
	@$(IN) virkning.simulation --to book/reliability.csv
	@$(IN) virkning.planning --to book/power.csv
	@$(IN) virkning.simulation.wrong_designs --to book/alarms.csv

bench: .venv/.peers  ## Measure time and memory beside other libraries, numbers compared first (BENCH_ARGS="--rows trial")
	@$(IN) benchmarks $(BENCH_ARGS)

lint: .venv/.project  ## Look for mistakes in style, types, spelling and imports
	$(IN) ruff check
	$(IN) ruff format --check
	$(IN) mypy
	.venv/bin/codespell
	.venv/bin/lint-imports --no-cache --no-logo
	.venv/bin/nbstripout --keep-id --verify notebooks/*.ipynb

format: .venv/.project  ## Lay out code and empty notebooks as «make lint» wants them
	$(IN) ruff check --fix
	$(IN) ruff format
	.venv/bin/nbstripout --keep-id notebooks/*.ipynb

# What requirements.lock names for PyPy only (its marker says implementation_name) is not installed here, so peers bring it.
lock: .venv/.project  ## Write requirements.lock anew from pyproject.toml, keeping versions that still fit (LOCK_ARGS=--upgrade)
	.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --no-annotate --extra test --extra develop $(LOCK_ARGS) pyproject.toml -o requirements.lock
	.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --no-annotate --extra peers -c requirements.lock $(LOCK_ARGS) pyproject.toml -o peers.lock \
		$$(sed -nE '/implementation_name/d; s/^([a-z0-9._-]+)==.*/--no-emit-package \1/p' requirements.lock | sort -u)

clean:  ## Remove what was made: books, runs, caches (not .venv)
	rm -rf _build runs dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find toolkit tests -name __pycache__ -prune -exec rm -rf {} +

# The stamp is written last, and «--clear» begins by removing it: a set-up that was interrupted is begun again.
# The locked pip comes first, since the one that comes with an older Python needs twice as long for the rest.
.venv/.packages: requirements.lock
	@command -v $(PYTHON) >/dev/null || \
		{ echo "There is no $(PYTHON) here. Install Python 3.11 or newer, or name it: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Virkning needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Name another: make PYTHON=python3.12" >&2; exit 1; }
	@echo "Setting up .venv: about a minute, once." >&2
	@$(PYTHON) -m venv --clear .venv
	@sed -nE '/^(pip|setuptools)==/,/[^\\]$$/p' requirements.lock > .venv/installer.lock
	@$(PIP) --require-hashes -r .venv/installer.lock
	@$(PIP) --require-hashes --no-compile -r requirements.lock
	@$(IN) compileall -q -j 0 -x '/tests?/' .venv/lib
	@touch $@

# The packages that a user would pick instead lie in a folder of their own, which only validations and benchmarks look into:
# what stands beside a program can change how it works (pandas keeps text in another way where it finds pyarrow).
peers: .venv/.peers  ## Install the packages that validations and benchmarks compare with
.venv/.peers: peers.lock .venv/.project
	@rm -rf .venv/peers
	@$(PIP) --target .venv/peers --no-compile --require-hashes -r peers.lock
	@touch $@

# Byte code of our own, for whoever told Python to write none: every chapter starts a Python of its own.
ready: .venv/.project
	@$(IN) compileall -q toolkit

.venv/.project: .venv/.packages pyproject.toml
	@$(PIP) -e .
	@touch $@
