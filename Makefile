# Everything runs in .venv, made from constraints.txt by the first target that needs it.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-long lint bench pictures clean

demo: .venv/demo-ready  ## look at the bundled photograph; open demo-out/chelsea/heatmaps.png
	$(BIN)/vitscope look --output demo-out --force

test: .venv/dev-ready  ## all tests but the long ones
	$(BIN)/python -m pytest -m "not long"

test-long: .venv/dev-ready
	$(BIN)/python -m pytest

lint: .venv/dev-ready  ## style, types and floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

bench: .venv/dev-ready  ## cost of looking, beside the plain forward pass and naive storing
	$(BIN)/python benchmarks/look.py

pictures: .venv/demo-ready  ## the pictures of README
	$(BIN)/python docs/make_pictures.py

clean:
	rm -rf .venv demo-out build dist

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/demo-ready: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/dev-ready: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@
