# The menu. `make` alone shows it.
.DEFAULT_GOAL := help
.PHONY: help run demo test fuzz check bench soak lock clean environment development

python := .venv/bin/python
# What stands in the environment under these names by chance is none of our business: only `make run LISTEN=...` counts.
given = $(if $(filter command,$(origin $(1))),$(2) '$($(1))')
# The share of lines and branches that the tests must reach, in percent.
FLOOR := 94
ROUNDS := 10
# How many inputs `make fuzz` gives to each parser; `make test` gives it 10,000.
EXAMPLES := 1000000
# werkzeug, markupsafe and urllib3 are what Flask and requests speak; the engine is imported by name, the zones are data.
deptry := --extend-exclude tests --ignore DEP003 --optional-dependencies-dev-groups dev --per-rule-ignores 'DEP002=pysqlite3|tzdata'
ARGS :=

help: ## show this menu
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: environment ## start the service: make run [LISTEN=127.0.0.1:9000] [CONFIG=FILE] [DATA=DIR]
	@exec .venv/bin/vigia run $(call given,CONFIG,--config) $(call given,DATA,--data) $(call given,LISTEN,--listen)

demo: environment ## watch a small made-up fleet break and recover: make demo [LISTEN=...] [DATA=DIR]
	@exec $(python) -m demo $(call given,DATA,--data) $(call given,LISTEN,--listen)

test: development ## prove the product: make test [ARGS='tests/scheduling -k step']
	@tools/system-packages
	@tools/django-helpdesk
	@$(python) -m pytest -n 3 --dist worksteal --cov --cov-report=term:skip-covered --cov-fail-under=$(FLOOR) $(or $(ARGS),--ignore tests/fuzz)
	@$(if $(ARGS),,$(python) -m pytest -q -n 2 --dist worksteal tests/fuzz)

fuzz: development ## feed every parser of foreign bytes for long: make fuzz [EXAMPLES=1000000] [ARGS=tests/fuzz/test_dns.py]
	@FUZZ_EXAMPLES=$(EXAMPLES) exec $(python) -m pytest -n 2 --dist worksteal $(or $(ARGS),tests/fuzz)

check: development ## lint, types, arrows between rooms, documentation, catalogues
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/deptry . $(deptry)
	$(python) -m pytest -q -n 0 tests/docs

bench: development ## measure: make bench [ARGS=schedule]
	@tools/system-packages bench
	@exec $(python) tests/bench/run.py $(ARGS)

soak: development ## a start, a fault, 20 kills, 60 hostile peers, reloads and a clock that is set back and forth against the stopwatch, the proofs of the judgement, deaths and lost answers on the way to a ticket, an hour without a helpdesk, then all tests again and again in random orders: make soak [ROUNDS=10]
	@tools/system-packages
	@tools/django-helpdesk
	@$(python) -m tests.soak.start
	@$(python) -m tests.soak.fault
	@$(python) -m tests.soak.kill
	@$(python) -m tests.soak.hostile
	@$(python) -m tests.soak.clocks
	@$(python) -m tests.soak.reloads
	@$(python) -m tests.soak.alarms
	@$(python) -m tests.soak.faults
	@$(python) -m tests.soak.model
	@$(python) -m tests.soak.isolation
	@$(python) -m tests.soak.router
	@$(python) -m tests.soak.crashes
	@$(python) -m tests.soak.lost_answers
	@$(python) -m tests.soak.hour_away
	@$(python) -m tests.soak.request_tracker
	@for round in $$(seq $(ROUNDS)); do echo "round $$round of $(ROUNDS)"; $(python) -m pytest -q -n 2 $(ARGS) || exit 1; done

lock: development ## resolve the dependencies anew and write their hashes
	@tools/lock

clean: ## remove what was made here, never data
	rm -rf .venv .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage .coverage.* build tests/.system
	find monitor web tests -name __pycache__ -type d -prune -exec rm -rf {} +

environment: ## only set up .venv, for what starts the service by itself
	@tools/environment requirements.lock

development:
	@tools/environment requirements-dev.lock
