# Everything runs inside .venv, which the first target that needs it creates.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 2

.PHONY: verify test test-optional lint proofs proofs-slow docs bench clean

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("dpverify needs Python >= 3.11, but $(PYTHON) is " + sys.version.split()[0] + "; run: make PYTHON=/path/to/python3.11") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@

verify: $(STAMP)
	$(BIN)/dpverify verify

test: $(STAMP)
	$(BIN)/python -m pytest -n $(WORKERS) --ignore=tests/optional

# What needs an extra: a local Dask cluster, the PyTorch layer. `make test-optional EXTRAS=dask` leaves PyTorch, which is large,
# as it is; its tests then run only if it is there.
EXTRAS ?= dask,torch
test-optional: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[$(EXTRAS)]"
	$(BIN)/python -m pytest tests/optional

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict -p dpverify

# Build and audit the Coq development (Debian: coq libcoq-coquelicot libcoq-interval), and check Python against it.
proofs: $(STAMP)
	$(BIN)/python -m dpverify.spec.core.proofs audit links

# Slower: the independent checker reads every compiled proof again, and Coq must refuse changed statements.
proofs-slow: $(STAMP)
	$(BIN)/python -m dpverify.spec.core.proofs recheck mutants

docs: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[docs]"
	$(BIN)/mkdocs build --strict

bench: $(STAMP)
	for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

clean:
	rm -rf $(VENV) build dist site dpverify.egg-info .mypy_cache .ruff_cache
