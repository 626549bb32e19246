# Every target sets up its own .venv on first use: with uv where it is on the PATH, else with venv and pip.
# The lock file names every package, so nothing is resolved: pip 23 resolves extras past their pins and then refuses
# the hashes (--no-deps). The check at the end finds a lock file that leaves something out.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
#: Processes share the tests, file by file. A file's stores and brokers are made once. Much of the slow half
#: waits for brokers, so that four keep two cores busy.
PYTEST := $(BIN)/python -m pytest --dist loadfile
#: `COVERAGE=1` runs tests under coverage. The fast half begins anew, the slow one adds to it.
COVER := $(if $(COVERAGE),--cov --cov-report=)
COVER_MORE := $(if $(COVERAGE),$(COVER) --cov-append)

.PHONY: help demo up test test-slow test-every coverage check bench bench-peers bench-growth bench-linking soak stalls crash kafka kafka-stop dictionary lock format clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

$(READY): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "trucewatch needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..." >&2; exit 2; }
	@if command -v uv >/dev/null 2>&1; then \
	  uv venv --quiet --allow-existing --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" $(VENV) && \
	  uv pip install --quiet --python $(BIN)/python --no-deps -r requirements-dev.lock && \
	  uv pip install --quiet --python $(BIN)/python --no-deps -e . && \
	  uv pip check --quiet --python $(BIN)/python ; \
	else \
	  $(PYTHON) -m venv $(VENV) && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-dev.lock && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e . && \
	  $(BIN)/python -m pip check --quiet ; \
	fi
	@touch $@

demo: $(READY) ## Run September 2016 through the whole pipeline and show what it found
	@$(BIN)/trucewatch demo

up: $(READY) ## Start a broker (unless TRUCEWATCH_BROKER names one) and the workers; Ctrl-C stops them
	@$(BIN)/trucewatch up

test: $(READY) ## Run the fast half of the tests: every layer, in some seven minutes on two cores
	@$(PYTEST) -n 2 $(COVER) -m "not slow"

test-slow: $(READY) ## Run the slow half: properties at length, Apache Kafka, crashes, fuzzing, real data
	@TEST_EFFORT=full $(PYTEST) -n 4 --no-loadscope-reorder $(COVER_MORE) -m slow

test-every: $(READY) ## Run all of it with nothing left out, which takes hours: the slow half tries some
	@TEST_EFFORT=every $(PYTEST) -n 4 --no-loadscope-reorder $(ONLY)

coverage: $(READY) ## Hold the branches that `make test COVERAGE=1` ran against the floors
	@$(BIN)/python -m coverage report --skip-covered --fail-under=90
	@$(BIN)/python -m coverage report --skip-covered --show-missing --include='schemas/*,streams/ledger/core/*' --fail-under=100

check: $(READY) ## Format, lint, types, and the direction of imports
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(READY) ## Measure throughput, memory and latency (BENCH="--reports 1000000" for more)
	@$(BIN)/python -m tests.bench $(BENCH)

bench-peers: $(READY) ## Measure other stream processors on the same reports (PEERS="bare flink" REPORTS=100000)
	@$(BIN)/python -m tests.bench.peers $(if $(PEERS),--peers $(PEERS)) $(if $(REPORTS),--reports $(REPORTS)) $(BENCH)

bench-growth: $(READY) ## Measure how cost grows with reports, regions, days, corrections (GROWTH="--scale 0.1")
	@$(BIN)/python -m tests.bench.growth $(GROWTH)

bench-linking: $(READY) ## Measure linking on labelled pairs of real reports: precision and recall (BENCH="--pairs")
	@$(BIN)/python -m tests.bench.linking $(BENCH)

soak: $(READY) ## Push 300,000 reports with linking into a file and verify it (SOAK="--reports 10000000")
	@$(BIN)/python -m tests.bench.soak $(SOAK)

stalls: $(READY) ## Measure crowds of valid reports: CPU, memory, longest hold (STALLS="--counts 1000")
	@$(BIN)/python -m tests.bench.stalls $(STALLS)

crash: $(READY) ## Kill, hang, cut off and fill up hundreds of times; count what was lost (CRASH="--broker kafka")
	@$(BIN)/python -m tests.crash --kills 300 --takeovers 20 --outages 1 5 30 60 --full-disks 20 --sender-kills 50 $(CRASH)

kafka: $(READY) ## Start Apache Kafka on loopback for development (needs Java 17 and Maven)
	@$(BIN)/python deploy/kafka-local/kafka.py start

kafka-stop: $(READY) ## Stop it again
	@$(BIN)/python deploy/kafka-local/kafka.py stop

dictionary: $(READY) ## Write docs/data-dictionary.md anew from the comments of the schema
	@$(BIN)/python -m tests.support.dictionary

format: $(READY) ## Put the code into shape
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

# A pin moves when pyproject.toml rules it out, or by name: `make lock UV="--upgrade-package pydantic"`.
# The runtime lock is cut out of the development one, so that users install the versions that were tested.
LOCK := uv pip compile --quiet --custom-compile-command "make lock" --universal --generate-hashes --python-version 3.11 pyproject.toml
lock: ## Write both lock files anew from pyproject.toml (needs uv)
	$(LOCK) --group dev $(UV) -o requirements-dev.lock
	$(LOCK) --constraint requirements-dev.lock -o requirements.lock

clean: ## Remove the environment, caches and demo data
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache trucewatch-demo .kafka .peers .coverage .coverage.*
