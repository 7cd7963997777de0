# The commands of the README. Each one makes the environment first where it is missing.
# As modules of its Python: scripts of an environment do not start where its path has a space.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CORES ?= 2
# Files in the order of tests/conftest.py: the longest first, not those with the most tests.
BY_FILE := --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help env demo test test-fast test-slurm coverage lint format bench docs docs-site release lock clean

help:  ## What there is to run
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

env: $(READY)  ## The environment: .venv, pinned by constraints.txt

# An environment that is there is brought up to date, never wiped; one that is a link is used as it is.
$(READY): pyproject.toml constraints.txt
	@if [ -L $(VENV) ]; then \
	  $(BIN)/python -c 'import sitsformer, snakemake' \
	    || { echo "error: $(VENV) is a link to an environment without sitsformer: install it there," \
	      "or remove the link"; exit 1; }; \
	  echo "$(VENV) is a link: it is used as it is"; exit 0; \
	fi; \
	base=$(PYTHON); if [ -x $(BIN)/python ]; then base=$(BIN)/python; fi; \
	$$base -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: Python 3.11 or later is needed, found $$($$base --version)"; exit 1; }; \
	echo "Making the environment in $(VENV) (a few minutes, once) ..."; \
	if [ ! -x $(BIN)/python ]; then $(PYTHON) -m venv $(VENV) || exit 1; fi; \
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]" \
	  && touch $@

demo: env  ## From the embedded landscape to results/report.html, a few minutes
	$(BIN)/python -m snakemake --cores $(CORES)
	@echo
	@echo "The report: $(CURDIR)/results/report.html"

test: env  ## The whole test suite
	$(BIN)/python -m pytest --numprocesses $(CORES) $(BY_FILE)

test-fast: env  ## The tests that take seconds
	$(BIN)/python -m pytest --numprocesses $(CORES) $(BY_FILE) -m "not long"

coverage: env  ## The quick tests, and what of the code they run
	$(BIN)/python -m coverage run -m pytest -m "not long"
	$(BIN)/python -m coverage report --skip-covered

test-slurm: env  ## The workflow by Slurm, on a node of its own (as root, in a container)
	@$(BIN)/python -c 'import snakemake_executor_plugin_slurm' 2>/dev/null \
	  || $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev,cluster]"
	TEST_SLURM=1 $(BIN)/python -m pytest tests/slurm

lint: env  ## ruff, mypy, snakefmt, snakemake --lint
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/python -m snakefmt --check Snakefile workflow
	$(BIN)/python -m snakemake --lint

format: env  ## Bring the code into form
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .
	$(BIN)/python -m snakefmt Snakefile workflow

bench: env  ## Every benchmark, one table, results/benchmarks.json
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[bench]"
	$(BIN)/python benchmarks/run.py

docs: env  ## Schema and table of the config's keys
	$(BIN)/python -m sitsformer config docs

docs-site: env  ## The documentation as a site, site/index.html
	$(BIN)/python -m mkdocs build --strict --quiet

release:  ## Tag VERSION with its section of CHANGELOG.md, after looking whether all agree
	@fail() { echo "error: $$1"; exit 1; }; \
	[ -n "$(VERSION)" ] || fail "say which: make release VERSION=0.2.0"; \
	grep -qx 'version = "$(VERSION)"' pyproject.toml || fail "pyproject.toml has another version"; \
	grep -qx 'version: "*$(VERSION)"*' CITATION.cff || fail "CITATION.cff has another version"; \
	grep -qE '^## $(VERSION) \([0-9]{4}-[0-9]{2}-[0-9]{2}\)$$' CHANGELOG.md \
	  || fail "CHANGELOG.md has no line '## $(VERSION) (year-month-day)'"; \
	[ -z "$$(git status --porcelain)" ] || fail "commit your changes first"; \
	awk '/^## /{on = index($$0, "## $(VERSION) ") == 1} on' CHANGELOG.md \
	  | git tag --annotate v$(VERSION) --cleanup=whitespace --file=- || exit 1; \
	echo "v$(VERSION) is made. Look: git show v$(VERSION). Then: git push --tags"

PLATFORMS := x86_64-manylinux_2_28 aarch64-manylinux_2_28 aarch64-apple-darwin

lock: env  ## Every package of each platform, from pyproject.toml and constraints.txt
	$(BIN)/python -m pip install --quiet uv
	for platform in $(PLATFORMS); do \
	  MACOSX_DEPLOYMENT_TARGET=14.0 $(BIN)/uv pip compile --quiet --no-header --no-annotate \
	    --python-platform $$platform --python-version 3.11.5 --constraints constraints.txt \
	    --extra dev pyproject.toml --output-file locks/$$platform.txt || exit 1; \
	done

clean:  ## Remove results, caches and the environment
	rm -rf results .snakemake .cache $(VENV)
