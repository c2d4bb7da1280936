# Two commands on a fresh machine: `make demo` and `make test`. The others are for developers.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check wheel-test benchmarks clean

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] < (3, 14) else 'NeuralSorter needs Python 3.11, 3.12 or 3.13. Name one: make PYTHON=python3.12 ...')"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	$(BIN)/python -m neuralsorter.warmup
	touch $@

demo: $(VENV)/installed
	$(BIN)/neuralsorter demo

test: $(VENV)/installed
	$(BIN)/python tests/browser/chromium.py
	$(BIN)/python -m pytest

check: $(VENV)/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The wheel alone, in an environment of its own, against the same tests but the browser's.
wheel-test: $(VENV)/installed
	sh tests/wheel.sh $(BIN)/python

benchmarks: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev,benchmark]"
	missed=0; for script in benchmarks/*.py; do $(BIN)/python -m benchmarks.$$(basename $$script .py) || missed=1; done; exit $$missed

clean:
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
