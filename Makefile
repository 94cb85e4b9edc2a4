# make run and make test are all you need; each sets up what it lacks. PYTHON=… chooses the
# interpreter (3.11 or 3.12), PORT=… the port of the dashboard.
PY := .venv/bin/python
PORT ?=

.DEFAULT_GOAL := help
.PHONY: help setup setup-test run sandbox test test-models check format bench calls clean

help: ## Show these commands
	@sed -n 's/^\([a-z-]*\):.*## /make \1: /p' Makefile

setup: ## Make .venv and install what the dashboard needs
	@./scripts/setup.sh run

setup-test:
	@./scripts/setup.sh test

run: setup ## Start the dashboard with its sandbox on http://127.0.0.1:8501 (PORT=…)
	@exec $(if $(PORT),env WALLAROO_DASHBOARD_PORT=$(PORT)) $(PY) -m dashboard

sandbox: setup ## Start the sandbox alone, for the SDK and other programs (data in .data/sandbox)
	@exec $(PY) -m dashboard.sandbox --data-dir .data/sandbox

test: setup-test ## Run every test, browser tests included (ARGS=… is passed to pytest)
	@$(PY) -m pytest $(ARGS)

test-models: setup-test ## Install what runs real Hugging Face weights (1 GB), and test with it
	@$(PY) -m pip install --quiet -r requirements-models.txt -c constraints.txt
	@$(PY) -m pytest tests/models $(ARGS)

check: setup-test ## Check format, lint, types, import rules and files
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@$(PY) scripts/check_files.py
	@$(PY) -c "import sys; from importlinter.cli import lint_imports_command as run; sys.exit(run())"

format: setup-test ## Format the code and mend what can be mended
	@$(PY) -m ruff check --fix-only --quiet .
	@$(PY) -m ruff format .

bench: setup-test ## Time the first page, and a list of 10,000 (minutes; keep the machine idle)
	@$(PY) -m tests.bench.first_page $(ARGS)
	@$(PY) -m tests.bench.connections

calls: setup-test ## Write docs/sandbox-calls.md, the list of the SDK's calls, from the sandbox's routes
	@$(PY) -m scripts.sdk_support

clean: ## Remove .venv and caches; the data folder stays
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis test-results
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
	@if [ -d .data ]; then echo "Kept .data (connections, runs, logs). Remove it yourself to begin anew."; fi
