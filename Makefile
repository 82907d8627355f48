# Two commands are enough: `make run` and `make test`. Everything goes into .venv; nothing is installed elsewhere.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help run worker migrate demo studio test test-faults bench check format lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.installed ## Set up, migrate the database and serve
	@$(BIN)/colloquy serve

worker: $(VENV)/.installed ## Execute runs in a process of its own
	@$(BIN)/colloquy worker

migrate: $(VENV)/.installed ## Bring the database to the current schema
	@$(BIN)/colloquy migrate

demo: $(VENV)/.installed-dev $(VENV)/.installed-tool-servers ## Drive every workflow with the examples and show the answers
	@$(BIN)/colloquy demo

studio: $(VENV)/.installed-dev ## Open the graphs in LangGraph Studio (development only)
	@touch .env
	LANGGRAPH_CLI_NO_ANALYTICS=1 LANGSMITH_TRACING=false $(BIN)/langgraph dev --no-browser

test: $(VENV)/.installed-dev $(VENV)/.installed-tool-servers ## Run the whole test suite (ARGS="-n 0 -x …" for one process)
	$(BIN)/python -m pytest $(ARGS)

FAULT_RUNS ?= 20
SEED ?= 1
test-faults: $(VENV)/.installed-dev ## Kill, freeze and race, in numbers (FAULT_RUNS=20 a fault, SEED=1, ARGS="kill-worker …")
	$(BIN)/python -m tests.faults --runs $(FAULT_RUNS) --seed $(SEED) $(ARGS)

check: $(VENV)/.installed-dev ## Format, lint, types, import contracts, skills
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/python -m skills.check

LONG_FAULT_RUNS ?= 200
bench: $(VENV)/.installed-dev ## Run the benchmarks (figures, never a pass or a fail), and the faults in long series
	$(BIN)/python -m bench.calls
	$(BIN)/python bench/summary_run.py
	$(BIN)/python -m bench.engine
	$(BIN)/python -m bench.chat
	$(BIN)/python -m bench.mcp
	$(BIN)/python -m bench.counseling
	$(BIN)/python -m bench.audio
	$(BIN)/python -m tests.faults --runs $(LONG_FAULT_RUNS) --seed $(SEED)

format: $(VENV)/.installed-dev ## Format, and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## Renew the lock files (needs uv)
	bash scripts/lock.sh

clean: ## Remove the virtual environment and caches; the data directory stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .langgraph_api

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed (make PYTHON=python3.11 ...)")'
	$(PYTHON) -m venv $(VENV)

# The development lock holds every version of the run-time lock, and more. Both are whole: nothing is left to resolve,
# and a newer release of something cannot change what is installed.
$(VENV)/.installed: requirements.lock pyproject.toml | $(BIN)/python
	$(PIP) --require-hashes --no-deps -r requirements.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

# What the tests plug in, from npm; where the machine has no Node, a Python package brings one.
$(VENV)/.installed-tool-servers: scripts/install_tool_servers.py $(wildcard tests/projects/tool_servers/package*.json) | $(VENV)/.installed-dev
	$(BIN)/python scripts/install_tool_servers.py $(VENV)/tool-servers
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock pyproject.toml | $(BIN)/python
	$(PIP) --require-hashes --no-deps -r requirements-dev.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.installed
