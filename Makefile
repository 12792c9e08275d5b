# Promise: the short commands. `make serve` and `make test` need Python 3.11, make, git and a package registry, once.
#
# TORCH_INDEX: on Linux the default torch wheel brings CUDA libraries (gigabytes). For the CPU build:
#   make test TORCH_INDEX=https://download.pytorch.org/whl/cpu
# PROMISE_… variables (environment or command line: make serve PROMISE_PORT=9000) reach the service unchanged.

PYTHON ?= $(shell for p in python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
DATA_DIR ?= ../shared/data
DATASET ?= beauty
TORCH ?= torch==2.13.0
TORCH_INDEX ?=
PYTEST_ARGS ?=
# Test processes side by side, each with one thread for its sums
WORKERS ?= 2
QUICK = not e2e and not image and not faults and not ray and not fuzz and not soak
# binary=package pairs that pip cannot bring; only a missing one makes a target ask apt. Tests need the first ones;
# where apt cannot bring the wanted ones, the tests that call them skip and say so.
NEEDS ?= redis-server=redis-server
WANTED ?= promtool=prometheus chromium=chromium
FAULT_NEEDS ?= faketime=faketime faketime=libnss-wrapper
CASES ?= 100000
MINUTES ?= 10
IMAGE_NEEDS ?= buildah=buildah debootstrap=debootstrap
export DATA_DIR
# onnxruntime reports use to its maker by default; service.settings says no for the service, this for everything else
export ORT_DISABLE_TELEMETRY ?= 1

PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check --no-input
# Stamps are named by content, not time: a second call is instant, a moved folder or a new requirement is noticed.
KEY := $(shell { pwd; cat pyproject.toml; } | cksum | cut -d' ' -f1)
BASE := $(VENV)/.promise-base-$(KEY)
TRAIN := $(VENV)/.promise-train-$(KEY)
TEST := $(VENV)/.promise-test-$(KEY)

define binaries
missing=; for need in $(1); do \
  command -v "$${need%%=*}" >/dev/null || missing="$$missing $${need#*=}"; done; \
if [ -n "$$missing" ]; then \
  root=; [ "$$(id -u)" = 0 ] || root=sudo; \
  echo "Installing missing system packages:$$missing"; \
  $$root apt-get update -qq && $$root apt-get install -qq --no-install-recommends $$missing </dev/null; \
fi
endef

.DEFAULT_GOAL := help
.PHONY: help serve test test-e2e image-test fault-test fuzz soak audit sbom loadtest check format train figures \
	bench-peers binaries clean

help:  ## List the commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

serve: $(BASE)  ## Start the service on the shipped bundle (Ctrl-C stops it)
	@exec $(PY) -m service

binaries:
	@$(call binaries,$(NEEDS))

test: check binaries  ## Everything CI runs: lint, types, then every test
	@$(call binaries,$(WANTED)) || echo "Tests that call what is missing will skip."
	@OMP_NUM_THREADS=1 $(PY) -m pytest -m "$(QUICK)" -n $(WORKERS) --dist loadfile $(PYTEST_ARGS)

test-e2e: $(TEST)  ## A real browser through the whole playground; PICTURES=folder keeps its screenshots
	@$(call binaries,$(NEEDS) $(WANTED))
	@$(PY) -m pytest tests/e2e $(if $(PICTURES),--pictures "$(PICTURES)") $(PYTEST_ARGS)

image-test: $(TEST)  ## Build the container image without a daemon, run it, stop it, weigh it (root, Linux)
	@$(call binaries,$(NEEDS) $(IMAGE_NEEDS))
	@$(PY) -m pytest tests/image -s $(PYTEST_ARGS)

fault-test: $(TEST)  ## Break, flood and scale the real parts: tables of what was lost and how soon it came back (half an hour)
	@$(call binaries,$(NEEDS) $(FAULT_NEEDS))
	@$(VENV)/bin/promise bench outages $(FAULT_ARGS)
	@$(VENV)/bin/promise bench flood
	@$(VENV)/bin/promise bench ray
	@$(PY) -m pytest -m "faults or ray" $(PYTEST_ARGS)

fuzz: $(TEST)  ## Bad input in bulk: CASES made requests and values, then MINUTES of coverage-guided input a target
	@$(call binaries,$(NEEDS))
	@$(PY) -m pytest tests/fuzz -m "fuzz or not fuzz" --cases $(CASES) -s -o timeout=0 $(PYTEST_ARGS)
	@for target in codec bundle experiments events; do $(PY) tests/fuzz/guided.py $$target --minutes $(MINUTES) || exit; done

soak: $(TEST)  ## MINUTES of mixed load with reloads, changing experiments and Redis restarts: nothing may grow or fail
	@$(call binaries,$(NEEDS))
	@exec $(VENV)/bin/promise bench soak $(SOAK_ARGS)

audit: $(TEST)  ## Known vulnerabilities of what the locks pin (exit code 1: some, 3: nobody could be asked)
	@$(PY) tests/image/auditing.py

sbom: $(TEST)  ## What ships as CycloneDX, one file an image, into build/sbom
	@$(PY) tests/image/sbom.py build/sbom

loadtest: $(TEST)  ## Locust without its page: report, gates, exit code (HOST=http://…; else a service and a Redis of its own)
	@$(call binaries,$(NEEDS))
	@exec $(VENV)/bin/promise bench locust $(if $(HOST),--host "$(HOST)") $(LOADTEST_ARGS)

check: $(TEST)  ## Lint, format and types only
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy

format: $(TEST)  ## Rewrite the sources in the house format
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

train: $(TRAIN)  ## Raw data to a bundle under runs/ (DATASET=beauty, DATA_DIR=../shared/data)
	@exec $(VENV)/bin/promise train $(DATASET) --recipe best --data-dir "$(DATA_DIR)"

SEEDS ?= 0 1 2
BEST = promise train beauty --data-dir "$(DATA_DIR)" --recipe best --seed
BUNDLES = $(foreach seed,$(SEEDS),runs/best/beauty$(1)-$(seed)/bundle-B-inner)

figures: $(TRAIN)  ## Train and judge what models/README.md shows (hours; a second call goes on)
	for seed in $(SEEDS); do for ties in file shuffled; do \
	  out=runs/best/beauty-$$([ $$ties = file ] || echo shuffled-)$$seed; \
	  $(VENV)/bin/$(BEST) $$seed --ties $$ties --out $$out && \
	  $(VENV)/bin/$(BEST) $$seed --ties $$ties --out $$out --baseline || exit; \
	done; done
	$(VENV)/bin/promise seeds $(call BUNDLES,) --save runs/final/beauty-B \
	  --data-dir "$(DATA_DIR)" --markdown models/README.md
	$(VENV)/bin/promise seeds $(call BUNDLES,-shuffled) --save runs/final/beauty-B-shuffled \
	  --beside runs/final/beauty-B --data-dir "$(DATA_DIR)" --markdown models/README.md
	for study in prm tokens cold votes; do \
	  $(VENV)/bin/promise study $$study --data-dir "$(DATA_DIR)" --users 6000 --markdown models/README.md || exit; \
	done
	$(VENV)/bin/promise study labels --data-dir "$(DATA_DIR)" --markdown models/README.md
	$(VENV)/bin/promise report strategies --data-dir "$(DATA_DIR)" --markdown models/README.md --plots models/figures
	$(VENV)/bin/promise report scaling --train --data-dir "$(DATA_DIR)" --markdown models/README.md --plots models/figures

bench-peers: $(TRAIN)  ## The same model shape against other serving stacks, in environments of their own
	@exec $(VENV)/bin/promise bench peers $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))

clean:  ## Remove the virtual environment, caches and build products (runs/ stays)
	rm -rf $(VENV) .bench build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find service models loadtest tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(BASE):
	@"$(PYTHON)" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Promise needs Python 3.11 or newer with venv; name one, as in: make serve PYTHON=/usr/bin/python3.12" >&2; \
	  exit 1; }
	@echo "Installing the service into $(VENV) (once)"
	@"$(PYTHON)" -m venv $(VENV)
	@rm -f $(VENV)/.promise-*
	@$(PIP) -e .
	@touch $@

$(TRAIN): $(BASE)
	@echo "Installing the training tools into $(VENV) (once, some minutes)"
	@$(PIP) $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) "$(TORCH)"
	@$(PIP) -e ".[train]"
	@touch $@

$(TEST): $(TRAIN)
	@echo "Installing the test tools into $(VENV) (once)"
	@$(PIP) -e ".[train,dev,loadtest,ray]"
	@touch $@
