# jupyter-valet: `make` lists the commands. Everything is built below .venv/ and build/.

PYTHON ?= python3
ARGS ?=

VENV := .venv
PY := $(VENV)/bin/python
STAMPS := build/stamps
NPM := build/npm
PROVIDER := tests/providers/oidc-provider
NPM_CONFORMANCE := build/npm-conformance
SUITE := tests/conformance/npm
JUPYTER_CONFIG := $(VENV)/etc/jupyter/jupyter_server_config.d

# What runs here sees neither the packages of the person nor a broker that is there already.
export PYTHONNOUSERSITE := 1
unexport PYTHONPATH JUPYTER_VALET_URL JUPYTER_VALET_CAPABILITY
# Each of a thousand processes of the tests would compile what it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install dev demo test test-unit test-browser check format bench conformance frameworks redteam clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMPS)/install  ## make .venv with jupyter-valet and JupyterLab in it

dev: $(STAMPS)/dev $(STAMPS)/npm  ## add what the tests and checks need
	@tools/system-packages.sh chromium gnome-keyring-daemon dbus-run-session bwrap postgres

demo:  ## open the quickstart in JupyterLab (ARGS=--once: unattended, with screenshots)
ifneq (,$(filter --once,$(ARGS)))
demo: $(STAMPS)/dev
	@tools/system-packages.sh chromium
	$(PY) tests/browser/demo_once.py $(filter-out --once,$(ARGS))
else
demo: $(STAMPS)/install
	$(VENV)/bin/jupyter-valet demo $(ARGS)
endif

test: test-unit test-browser  ## run every test; a part that is missing is a failure

test-unit: dev  ## run the tests that need no browser (ARGS go to pytest)
	$(PY) -m pytest -m "not browser and not conformance and not frameworks" -n 2 --dist loadfile --timeout 180 $(ARGS)

test-browser: dev  ## run the tests in a real JupyterLab and Chromium (ARGS go to pytest)
	$(PY) -m pytest tests/browser -n 2 --dist loadfile --timeout 300 $(ARGS)

frameworks: dev  ## run agents of each framework in environments of their own (ARGS go to pytest)
	$(PY) -m pytest tests/frameworks -n 0 --timeout 600 $(ARGS)

check: $(STAMPS)/dev  ## formatting, lint, types, and the contracts of the trust boundary
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports

format: $(STAMPS)/dev  ## put the code into its one format
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

bench: dev  ## measure, print ratios, write build/bench.json
	$(PY) tests/bench/run.py $(ARGS)

conformance: dev $(STAMPS)/npm-conformance  ## the official MCP suite and ours, both revisions (ARGS: some of server door client tests)
	$(PY) tests/conformance/run.py $(ARGS)

redteam: dev  ## attack our own server at each level, as root and as another user (ARGS: see --help)
	$(PY) tests/redteam/run.py $(ARGS)

clean:  ## remove everything that was built
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

$(PY):
	@tools/system-packages.sh --python "$(PYTHON)"
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --upgrade pip

# An editable install leaves out what the wheel puts into etc/jupyter, so it is put there here.
$(STAMPS)/install: pyproject.toml jupyter_config/jupyter_server_config.d/jupyter_valet.json | $(PY)
	$(PY) -m pip install --quiet --editable '.[server,demo]'
	mkdir -p $(JUPYTER_CONFIG) $(STAMPS)
	cp jupyter_config/jupyter_server_config.d/*.json $(JUPYTER_CONFIG)/
	touch $@

$(STAMPS)/dev: $(STAMPS)/install
	$(PY) -m pip install --quiet --group dev --editable '.[postgres]'
	touch $@

# No install script runs but that of `node`, which fetches its binary from the registry:
# oidc-provider wants a newer Node.js than Debian has. Of GitHub's documents one is used; the others
# are half a gigabyte.
$(STAMPS)/npm: $(PROVIDER)/package.json $(wildcard $(PROVIDER)/package-lock.json)
	mkdir -p $(NPM) $(STAMPS)
	cp $^ $(NPM)/
	cd $(NPM) && npm ci --ignore-scripts --no-audit --no-fund && npm rebuild node
	cd $(NPM)/node_modules/@octokit/openapi/generated && \
		find . -name '*.json' ! -name api.github.com.json -delete
	$(NPM)/node_modules/node/bin/node --version
	touch $@

# Only what runs MCP's own conformance suite and the Inspector's client needs it.
$(STAMPS)/npm-conformance: $(SUITE)/package.json $(SUITE)/package-lock.json
	mkdir -p $(NPM_CONFORMANCE) $(STAMPS)
	cp $^ $(NPM_CONFORMANCE)/
	cd $(NPM_CONFORMANCE) && npm ci --ignore-scripts --no-audit --no-fund && npm rebuild node
	$(NPM_CONFORMANCE)/node_modules/node/bin/node --version
	touch $@
