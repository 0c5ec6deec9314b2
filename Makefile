# `make` alone lists what there is. Everything runs in environments of its own under this folder; nothing else is touched.
PYTHON ?= python3
# Tests of one file share a laptop's AWS, so they stay together. Two processes take up to 13 GB; three took all of 24.
PYTEST_ARGS ?= -n 2 --dist loadfile
# Short tests wait for a laptop's AWS now and then, so that two cores have work for three; each more has to collect all tests first.
SHORT_ONES = -n 3

VENV := .venv
CHECK := .venv-check
FUZZ := .venv-fuzz
SDK := .venv-sdk
# How long `make fuzz` takes, all targets together.
FUZZ_SECONDS ?= 300
NODE := build/npm
PIP := -m pip --disable-pip-version-check --quiet
# An environment is made again when what it is made of changed.
STAMP = $(shell { $(PYTHON) --version; cat $(1); } 2>&1 | cksum | cut -d' ' -f1)
READY := $(VENV)/ready-$(call STAMP,pyproject.toml constraints.txt)
CHECK_READY := $(CHECK)/ready-$(call STAMP,checks/requirements.txt checks/constraints.txt)
FUZZ_READY := $(FUZZ)/ready-$(call STAMP,checks/fuzz/requirements.txt constraints.txt)
SDK_READY := $(SDK)/ready-$(call STAMP,examples/wages/sdk/requirements.txt examples/wages/sdk/constraints.txt)
NODE_READY := $(NODE)/ready-$(call STAMP,checks/package.json checks/package-lock.json)

# The layers are built for the machine that checks them, so that it can import what it built.
RUNTIME := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
MACHINE := $(subst arm64,aarch64,$(shell uname -m))
ARCHITECTURE := $(subst aarch64,arm64,$(MACHINE))
PARAMETERS := PythonRuntime=python$(RUNTIME) Architecture=$(ARCHITECTURE)
BUILD := build/check/sam
CODE := layers/core functions jobs cli localcloud examples checks tests benchmarks

# Tests start hundreds of processes: each would compile the project anew.
unexport PYTHONDONTWRITEBYTECODE
export SAM_CLI_TELEMETRY := 0
export AWS_DEFAULT_REGION ?= us-east-1

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-computers test test-sdk test-full test-long test-browser mutate-roles bench fuzz reference check lint types template state-machine build local hooks lock clean

help:  ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY)  ## Make .venv with the `lockkeeper` command (the other targets do this when they need it)

demo: $(READY)  ## Play the wages story on an emulated AWS; the report is build/demo/report.html
	$(VENV)/bin/lockkeeper demo

demo-computers: $(READY)  ## Play the story of the second example; the report is build/demo-computers/report.html
	$(VENV)/bin/lockkeeper demo --story computers --out build/demo-computers

test: $(READY)  ## Run the tests that every change has to pass
	$(VENV)/bin/python -m pytest $(PYTEST_ARGS) $(SHORT_ONES) -m "not full and not browser and not sdk"

test-full: $(READY)  ## Run the long tests: faults, races, storms, dead executions
	$(VENV)/bin/python -m pytest $(PYTEST_ARGS) -m "full and not long"

test-long: $(READY)  ## Run what takes longer than CI has: crash points in one run, dead letters, long random sequences, races on DynamoDB
	$(VENV)/bin/python -m pytest $(PYTEST_ARGS) -m "long or crash"

test-sdk: $(READY) $(SDK_READY)  ## Write the wages pipeline with the SageMaker Python SDK and run it (minutes and 1 GB for the SDK)
	SDK_PYTHON=$(SDK)/bin/python $(VENV)/bin/python -m pytest -n 0 -m sdk tests/contract/sagemaker

test-browser: $(READY) $(NODE_READY)  ## Run the tests that open Lockkeeper's pages in headless Chromium (needs npm; installs Chromium on Debian)
	@./checks/browser
	$(VENV)/bin/python -m pytest -m browser tests/browser

mutate-roles: $(READY)  ## Drop every grant of every role in turn: what the end-to-end tests did must notice (runs them if need be)
	@$(VENV)/bin/python -m checks.roles fresh || $(VENV)/bin/python -m pytest $(PYTEST_ARGS) tests/e2e
	$(VENV)/bin/python -m checks.roles check mutate

bench: $(READY)  ## Measure what the claims rest on: an artifact of 500 MB through the scan, a million rows through the drift monitor
	$(VENV)/bin/python -m benchmarks.scan
	$(VENV)/bin/python -m benchmarks.drift_monitor

fuzz: $(FUZZ_READY)  ## Five minutes of random input (FUZZ_SECONDS) for gates, policies, scan and suites; Linux, Python 3.11 to 3.13
	PYTHONPATH=layers/core:. $(FUZZ)/bin/python -m checks.fuzz $(FUZZ_SECONDS)

reference: $(READY)  ## Write docs/policy-reference.md and docs/policy.schema.json anew from the policy model
	$(VENV)/bin/python -m checks.reference

check: $(READY) $(CHECK_READY) $(NODE_READY)  ## Lint, types, template, state machine and archives (needs npm)
	@$(MAKE) --jobs=1 --no-print-directory lint types template state-machine build

lint: $(READY)  ## ruff: rules and format
	$(VENV)/bin/ruff check $(CODE)
	$(VENV)/bin/ruff format --check $(CODE)

types: $(READY)  ## mypy: strict on the core and the jobs; what the scan's job runs for Python 3.10 as well
	$(VENV)/bin/mypy
	$(VENV)/bin/mypy --python-version 3.10 -p lockkeeper.domain.artifact -m lockkeeper.adapters.scan_job -m lockkeeper.use_cases.look_into

template: $(CHECK_READY)  ## sam validate and cfn-lint on the template; cfn-lint, checkov and parliament on what it is translated to
	$(CHECK)/bin/sam validate --lint
	$(CHECK)/bin/python checks/translate.py build/check
	$(CHECK)/bin/cfn-lint build/check/template.json environments/account.yaml
	LOG_LEVEL=ERROR $(CHECK)/bin/checkov --file build/check/template.json --file environments/account.yaml --config-file .checkov.yaml
	$(CHECK)/bin/python -W ignore checks/policies.py build/check/template.json environments/account.yaml

state-machine: $(CHECK_READY) $(NODE_READY)  ## asl-validator on the rendered state machine
	$(CHECK)/bin/python checks/translate.py build/check
	$(NODE)/node_modules/.bin/asl-validator --json-path build/check/release.asl.json

build: $(CHECK_READY)  ## sam build for this machine's Python and processor; sizes, and every handler imports
	PATH="$(CURDIR)/$(CHECK)/bin:$$PATH" LOCKKEEPER_PYTHON=$(RUNTIME) LOCKKEEPER_MACHINE=$(MACHINE) \
		sam build --no-cached --build-dir $(BUILD) --parameter-overrides $(PARAMETERS) > build/check/sam-build.log 2>&1 \
		|| { cat build/check/sam-build.log; exit 1; }
	$(CHECK)/bin/python checks/built.py $(BUILD)

local: $(READY)  ## Start an emulated AWS with Lockkeeper in it, until Ctrl-C
	$(VENV)/bin/lockkeeper local up

hooks: $(READY)  ## Run ruff and mypy before every commit
	$(VENV)/bin/pre-commit install

lock:  ## Write constraints.txt and checks/constraints.txt anew (needs uv on PATH)
	./checks/lock

clean:  ## Remove the environments and everything built
	rm -rf $(VENV) $(CHECK) $(FUZZ) $(SDK) build .aws-sam *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(READY):
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Lockkeeper needs Python 3.11 or newer: make PYTHON=python3.12")'
	@echo "Setting up $(VENV); this takes about a minute."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(VENV)/bin/python $(PIP) install --constraint constraints.txt --editable '.[local,dev]'
	@touch $@

$(CHECK_READY):
	@echo "Setting up $(CHECK); this takes about a minute."
	@$(PYTHON) -m venv --clear $(CHECK)
	@$(CHECK)/bin/python $(PIP) install --constraint checks/constraints.txt --requirement checks/requirements.txt
	@mkdir -p build/check
	@touch $@

$(FUZZ_READY):
	@echo "Setting up $(FUZZ); this takes some seconds."
	@$(PYTHON) -m venv --clear $(FUZZ)
	@$(FUZZ)/bin/python $(PIP) install --constraint constraints.txt --requirement checks/fuzz/requirements.txt
	@touch $@

$(SDK_READY):
	@echo "Setting up $(SDK); this takes some minutes."
	@$(PYTHON) -m venv --clear $(SDK)
	@$(SDK)/bin/python $(PIP) install --constraint examples/wages/sdk/constraints.txt --requirement examples/wages/sdk/requirements.txt
	@touch $@

$(NODE_READY):
	@command -v npm >/dev/null || { echo "make check needs npm"; exit 1; }
	@mkdir -p $(NODE)
	@cp checks/package.json checks/package-lock.json $(NODE)/
	@npm ci --silent --prefix $(NODE)
	@touch $@
