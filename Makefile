# Every target sets itself up: a fresh machine needs Python 3.11 and make, nothing else.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
TOOLED := $(VENV)/.tooled

.PHONY: demo test soak lint bench lock clean

demo: $(STAMP)
	$(BIN)/sellersync demo $(DEMO)

test: $(TOOLED) lint
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

# The long versions of the crash tests; bounded by themselves.
soak: $(TOOLED)
	$(BIN)/python -m pytest -m soak $(ARGS)

lint: $(TOOLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy sellersync connectors

bench: $(TOOLED)
	$(BIN)/python bench/run.py

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "sellersync needs Python 3.11 or newer; try: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(STAMP)

# What tests, linting and the forecast need besides.
$(TOOLED): $(STAMP) requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $(TOOLED)

# Rewrites the lock files from pyproject.toml (needs uv; see docs/why.md): what the product needs, and the same with everything else.
LOCK := uv pip compile --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-annotate --no-header
lock:
	$(LOCK) --extra postgres --extra build pyproject.toml -o requirements.lock
	$(LOCK) --all-extras -c requirements.lock pyproject.toml -o requirements-dev.lock

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache demo-report.html
