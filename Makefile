# Every target sets itself up: a fresh machine needs Python 3.11 and make, nothing else.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: demo test soak lint bench lock clean

demo: $(STAMP)
	$(BIN)/sellersync demo $(DEMO)

test: $(STAMP) lint
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

# The long versions of the crash tests; bounded by themselves.
soak: $(STAMP)
	$(BIN)/python -m pytest -m soak $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy sellersync connectors

bench: $(STAMP)
	$(BIN)/python bench/run.py

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "sellersync needs Python 3.11 or newer; try: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(STAMP)

# Rewrites requirements.lock from pyproject.toml (needs uv; see docs/why.md). Not part of any other target.
lock:
	uv pip compile --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-annotate --no-header --all-extras pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache demo-report.html
