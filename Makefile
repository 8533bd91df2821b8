# Parley's everyday commands. `make run` needs python3.11 or newer and, on Debian, the right to install packages.

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run test check bench soak chaos demo clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; \
		do printf '  make %-10s %s\n' "$$name" "$$text"; done

setup: .venv/.installed ## install what running needs, once
	@scripts/setup broker

setup-dev: .venv/.installed-dev ## install what developing and testing need, once
	@scripts/setup broker browser tools

run: setup ## set up if needed, start everything, print the address; Ctrl-C stops it
	@exec .venv/bin/parley up

# Several workers share the processors, so every deadline of a test is stretched; none is waited for in full unless
# the test fails.
test: export PARLEY_TEST_SCALE ?= 3
# Tests start hundreds of processes. Where nothing is kept compiled, each would compile all that it imports: a second
# of a processor for a front.
test: export PYTHONDONTWRITEBYTECODE =
test: setup-dev ## set up if needed and run every test; ARGS= goes to pytest
	@.venv/bin/python -m pytest -n 5 --dist loadfile $(ARGS)

check: .venv/.installed-dev ## lint, format, types, import directions
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

bench: setup-dev ## measure latency and throughput on this machine
	@.venv/bin/python -m bench $(ARGS)

soak: setup-dev ## kill everything again and again, account for every message, time every return; over an hour; ARGS=--help
	@.venv/bin/python -m tests.soak $(ARGS)

chaos: setup-dev ## kill, freeze and cut everything while people chat, and account for every message; ARGS=--help
	@.venv/bin/python -m tests.chaos $(ARGS)

demo: setup ## watch actors being killed while people chat
	@.venv/bin/parley demo $(ARGS)

clean: ## remove .venv and caches; data/ stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.installed: requirements.lock scripts/setup
	@scripts/setup python requirements.lock
	@touch $@

# The development lock holds the runtime's packages too, at the same versions.
.venv/.installed-dev: requirements-dev.lock scripts/setup
	@scripts/setup python requirements-dev.lock
	@touch .venv/.installed $@
