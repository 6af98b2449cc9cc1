# Every target sets itself up from nothing: plain python3 -m venv and pip, uv where it is there.
.PHONY: demo postgres test check format soak detection-table kills power-loss drain bench bench-quick bench-jobs processes-table store-outage clean help
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=

help: ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

$(VENV)/.run: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@if command -v uv >/dev/null 2>&1; then uv pip install -q --python $(BIN)/python -e .; \
	else $(BIN)/python -m pip install -q --disable-pip-version-check -e .; fi
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	@if command -v uv >/dev/null 2>&1; then \
	  uv pip install -q --python $(BIN)/python --group test --group check; \
	else $(BIN)/python -m pip install -q --disable-pip-version-check -U 'pip>=25.1' && \
	  $(BIN)/python -m pip install -q --disable-pip-version-check --group test --group check; fi
	@touch $@

demo: $(VENV)/.run ## run everything with stand-in providers; no key needed
	@exec $(BIN)/understudy demo

postgres:
	@command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { \
	  if [ "$$(id -u)" = 0 ]; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql; \
	  else echo "tests: please install PostgreSQL (Debian: apt-get install postgresql)" >&2; exit 1; fi; }

test: $(VENV)/.dev postgres ## every test
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: $(VENV)/.dev ## lint, types, import rules
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev ## let ruff set the form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

SEEDS ?= 10000
soak: $(VENV)/.dev ## 10,000 seeded worlds in virtual time (SEEDS=…)
	$(BIN)/python tests/simulation/soak.py --seeds $(SEEDS)

detection-table: $(VENV)/.dev ## detection, in numbers, beside the peers' defaults (docs/detection.md)
	$(BIN)/python tests/detection/table.py --write

KILLS ?= 500
kills: $(VENV)/.dev postgres ## kill -9 at random moments, both stores (KILLS=…), into docs/durability.md
	$(BIN)/python tests/durability/kills.py --kills $(KILLS) --write

power-loss: $(VENV)/.dev ## power loss at every write to SQLite, into docs/durability.md
	$(BIN)/python tests/durability/power_loss.py --write

drain: $(VENV)/.dev postgres ## 10,000 jobs after an outage, in virtual time and for real, into docs/jobs.md
	$(BIN)/python tests/drain/run.py --write

processes-table: $(VENV)/.dev postgres ## how soon processes agree, and what they probe, into docs/processes.md
	$(BIN)/python tests/integration/processes_table.py --write

bench: ## the side-by-side benchmarks, into docs/benchmarks.md (about 45 minutes)
	sh bench/setup.sh
	sh bench/build.sh
	.venv-bench/bin/python bench/run.py

bench-quick: ## nginx and Understudy only, printed; a minute once it is built
	sh bench/setup.sh
	sh bench/build.sh
	.venv-bench/bin/python bench/run.py --only understudy,understudy-plain,nginx --rounds 3 --seconds 3 \
	  --workload json,sse,sse-paced,translate,translate-sse

store-outage: $(VENV)/.dev postgres ## four workers, their PostgreSQL away for a minute, into docs/processes.md
	$(BIN)/python tests/store_away/store_outage.py --write

bench-jobs: $(VENV)/.dev postgres ## accepted jobs a second, beside PgQueuer, into docs/durability.md
	sh bench/setup.sh
	$(BIN)/python bench/jobs/run.py --write

clean: ## remove what the other targets made
	rm -rf $(VENV) .venv-bench .venv-fast .venv-plain bench/portkey/node_modules .mypy_cache .ruff_cache .pytest_cache \
	  .hypothesis .import_linter_cache
