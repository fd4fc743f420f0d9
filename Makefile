# Two commands are enough: make demo, make test. Each sets up what it needs.
.DEFAULT_GOAL := help
.PHONY: help setup kills demo test unit integration e2e e2e-lts lint types format bench clean bundle bundle-requirements chaos game-day notebooks docs fuzz sbom audit
PY := .venv/bin/python
ROWS ?= small
UVX := $(or $(shell command -v uvx),.cache/uv/bin/uvx)
# The share of lines and branches that tests reach; raise it, never lower it.
COVERAGE := 85

# Tests and notebooks run each query once or twice, on few rows: compiling it costs more than it saves.
# Both jobs run with compiled queries all the same in tests/e2e/test_own_context.py.
test integration e2e notebooks: export PYSPARK_SUBMIT_ARGS ?= \
  --conf spark.sql.codegen.wholeStage=false --conf spark.sql.codegen.factoryMode=NO_CODEGEN pyspark-shell

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 22

setup: ## install what is needed (uv, dependencies, Java 17, Delta's jars); the others do it too
	@tools/setup

demo: setup ## run the main job end to end on real data; ROWS=all takes all of it
	@$(PY) -m pipeline.demo --rows $(ROWS)

test: setup ## all tests, with coverage, in two lanes beside each other
	@tools/test $(COVERAGE)

unit: setup ## the pure tests alone, in seconds
	@$(PY) -m pytest -q tests/unit

integration: setup ## tests with Spark, Delta and sockets
	@$(PY) -m pytest -q tests/integration

e2e: setup ## both jobs against the sandbox
	@$(PY) -m pytest -q tests/e2e

e2e-lts: setup ## the day end to end on the Spark and Delta of the runtime that the bundle names
	@tools/e2e-lts

lint: setup ## ruff, mypy, import contracts
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy
	@.venv/bin/lint-imports

types: setup ## mypy alone
	@.venv/bin/mypy

format: setup ## format the code
	@.venv/bin/ruff format
	@.venv/bin/ruff check --fix

kills: setup ## kills and ill disks alone; with a read-only disk, which make test leaves out
	@$(PY) -m pytest -q -m "" tests/e2e/test_kills.py tests/e2e/test_disk.py

chaos: setup ## all faults at full size: 50 kills, outages, a broken network; takes about an hour
	@PYTHONPATH=tests $(PY) -m chaos $(CHAOS)

game-day: setup ## ten incidents in running jobs, with production's limits; a quarter of an hour
	@PYTHONPATH=tests $(PY) -m gameday $(ONLY)

bench: setup ## how fast it is, beside its alternatives and against its targets (half an hour)
	@$(PY) benchmarks/bench.py

notebooks: setup ## run the demo notebooks from top to bottom; RUN="03 12" takes these alone
	@$(PY) notebooks/run.py $(RUN)

docs: setup ## the site, from docs/ and the notebooks that were run, in build/site
	@$(PY) tools/pictures.py
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --quiet --strict

fuzz: setup ## a hundred thousand made-up inputs: feeds, settings, answers, drafts, rows of every type
	@FUZZ=100000 $(PY) -m pytest -q -o timeout=0 tests/unit/test_fuzz.py tests/integration/source/test_fuzz_rows.py

sbom: setup ## what it is made of, as CycloneDX: build/sbom.json, from the lock
	@mkdir -p build
	@$(UVX) --from cyclonedx-bom==7.5.0 cyclonedx-py requirements requirements.lock --of JSON -o build/sbom.json
	@echo build/sbom.json

audit: setup ## known vulnerabilities of what is locked; asks a public database
	@UVX="$(UVX)" PYTHON=$(PY) tools/audit

bundle: setup ## validate, deploy, run and destroy the bundle against a stand-in, with the real CLI
	@$(PY) tests/integration/workspace/bundle.py

bundle-requirements: ## pin what the wheel needs on Databricks, after a change of the lock
	@tools/bundle-requirements

clean: ## remove what was built, not what was installed
	rm -rf build dist .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis spark-warehouse
