# Every verb sets up what it needs. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
OUT ?= out
DIR ?= .mediatask
STORE ?= file
PART ?= burst
CASES ?= 10000
PACKAGES := mediatask_crds mediatask_common mediatask_operator mediatask_api mediatask_job mediatask_local mediatask_client demo_model
VERSITYGW := $(HOME)/.cache/mediatask/cluster-bin/versitygw
S3_SERVER := $(if $(filter s3,$(STORE)),$(if $(shell command -v versitygw),,$(VERSITYGW)))
CLUSTER_IMAGES := mediatask mediatask-job-light redis s3
# One more than there are cores, four at most: a quarter of the tests' time is waiting for processes that they start.
TEST_WORKERS ?= $(shell cores=$$(nproc); echo $$(( cores < 3 ? cores + 1 : 4 )))
LOCK := --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock"
CLUSTER := PYTHONPATH=tests $(BIN)/python -m cluster.harness
SOURCES := crds common operator api job_images local client charts docs bench tests

.PHONY: help
help: ## List the verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

.PHONY: setup
setup: $(READY) ## Make .venv with everything in it (first time about half a minute, 5.5 GB)

$(READY): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@echo "installing the locked packages into $(VENV)"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $(READY)

.PHONY: demo
demo: $(READY) $(S3_SERVER) ## Run the four example tasks on this machine and show what came out (OUT=out, STORE=file|s3, PAYLOAD=1)
	@$(if $(PAYLOAD),PYTHONPATH=tests $(BIN)/python -m support.payload )$(BIN)/mediatask demo --out "$(OUT)" --store "$(STORE)"

.PHONY: up
up: $(READY) $(S3_SERVER) ## Start the local mode and stay (DIR=.mediatask, STORE=file|s3)
	@$(BIN)/mediatask up --dir "$(DIR)" --store "$(STORE)"

$(VERSITYGW): | $(READY)
	@GOBIN="$(@D)" CGO_ENABLED=0 GOFLAGS=-buildvcs=false go install -trimpath -ldflags "-s -w" \
	  "$$($(BIN)/python -c 'from mediatask_local.s3server import PACKAGE; print(PACKAGE)')"

.PHONY: s3-server
s3-server: $(VERSITYGW) ## Build versitygw, the S3 server of STORE=s3, once (needs Go, a minute)

.PHONY: payload
payload: $(READY) ## Start a real PayloadCMS on this machine and stay; prints its address and API key (needs Node 20)
	@PYTHONPATH=tests $(BIN)/python -m support.payload

.PHONY: brain
brain: $(READY) ## Start a Brain on this machine and stay: MCP tools over a store of knowledge in build/brain; prints its address
	@PYTHONPATH=tests $(BIN)/python -m support.brain

.PHONY: payload-faults
payload-faults: $(READY) ## 1,000 tasks into a real PayloadCMS while 30 % of the requests fail (some minutes)
	@MEDIATASK_PAYLOAD_TASKS=1000 $(BIN)/pytest tests/integration/operator/test_payload.py -q -k each_task_has_one_document

.PHONY: test
test: $(READY) ## Unit, integration, conformance and embedded tests: no Go, Docker or cluster needed
	@# The longest files first: with the shortest at the end, all workers end at about the same time.
	@$(BIN)/pytest -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder \
	  tests/embedded tests/integration tests/conformance tests/unit

.PHONY: test-unit
test-unit: $(READY) ## Unit tests alone: no server, no process, a minute at most
	@$(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile tests/unit

.PHONY: faults
faults: $(READY) ## Kill each process of the local mode with SIGKILL while tasks run: nothing is lost, nothing done twice
	@$(BIN)/pytest -n auto --maxprocesses 2 --dist loadfile tests/faults

.PHONY: agents
agents: $(READY) ## Run the crew of docs/integrations/agents.md in CrewAI's own environment (Python 3.12, 0.8 GB)
	@$(BIN)/pytest tests/agents -q

.PHONY: attacks
attacks: $(READY) ## Attack the service as hostile callers, pods and files would, and print a figure for each
	@$(BIN)/pytest tests/attacks -q

.PHONY: fuzz
fuzz: $(READY) ## Try 10,000 requests that are made up from the OpenAPI document (CASES=10000; some minutes)
	@MEDIATASK_FUZZ_CASES=$(CASES) $(BIN)/pytest tests/attacks/test_fuzz.py -q

.PHONY: test-cluster
test-cluster: $(READY) ## Tests on a real Kubernetes control plane and node: KUBECONFIG, or built here (needs Go; the node root)
	@test -n "$${KUBECONFIG:-}" || $(CLUSTER) build
	@$(BIN)/pytest tests/cluster --ignore tests/cluster/install --ignore tests/cluster/test_images.py

.PHONY: test-install
test-install: $(READY) ## Build the images, install the chart from them on a real node, and try it end to end (needs Go and root)
	@$(MAKE) --no-print-directory images IMAGES="$(CLUSTER_IMAGES)"
	@$(BIN)/pytest tests/cluster/test_images.py tests/cluster/install

.PHONY: cluster-up
cluster-up: $(READY) ## Start a real control plane with fake GPU nodes and stay; prints KUBECONFIG
	@$(CLUSTER) up

.PHONY: mutants
mutants: $(READY) ## Mutation testing: change the code in small ways and see whether a test notices (an hour; goes on where it was)
	@PYTHONPATH=tests nice $(BIN)/python -m mutants

.PHONY: bench
bench: $(READY) ## Measure the operator beside a textbook one on a real control plane (needs Go, half an hour; PART=rest: the API beside FastAPI + Celery; PART=video: films)
	@PYTHONPATH=tests $(BIN)/python -m bench $(PART)

.PHONY: demo-model
demo-model: $(READY) ## Train and judge the demo model anew, in build/demo-model; goes on where it was interrupted
	@$(BIN)/python -m demo_model.train --work build/demo-model/work --out build/demo-model/model
	@$(BIN)/python -m demo_model.evaluate --work build/demo-model/work --model build/demo-model/model \
	  --out build/demo-model/report

.PHONY: images
images: $(READY) ## Build the container images without Docker (root), as archives in build/images (IMAGES="mediatask ...": only these)
	@PYTHONPATH=tests $(BIN)/python -m cluster.images $(IMAGES)

.PHONY: lint
lint: $(READY) ## ruff, mypy, import-linter, and whether generated files are current
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/mypy $(addprefix -p ,$(PACKAGES))
	@MYPYPATH=tests:common:crds:api:operator:local $(BIN)/mypy -p cluster.harness -p cluster.fixtures -p cluster.images
	@$(BIN)/lint-imports
	@$(BIN)/python -m mediatask_crds.generate --check
	@$(BIN)/python charts/generate.py --check
	@$(BIN)/python client/generate.py --check
	@$(BIN)/python api/generate.py --check
	@$(BIN)/python docs/generate.py --check

.PHONY: format
format: $(READY) ## Format the code and fix what can be fixed
	@$(BIN)/ruff check --fix $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)

.PHONY: crds
crds: $(READY) ## Write crds/*.yaml from the models, and what the chart repeats of them
	@$(BIN)/python -m mediatask_crds.generate
	@$(BIN)/python charts/generate.py

.PHONY: chart
chart: crds ## Write the chart's generated parts: copies of the CRDs, schema of the classes, table of values

.PHONY: openapi
openapi: $(READY) ## Write api/openapi.json from the routes; refuses what would break clients
	@$(BIN)/python api/generate.py

.PHONY: settings
settings: $(READY) ## Write docs/settings.md, the table of all settings, from where they are defined
	@$(BIN)/python docs/generate.py

.PHONY: client
client: $(READY) ## Write the synchronous client from the asynchronous one
	@$(BIN)/python client/generate.py

.PHONY: lock
lock: $(READY) ## Renew requirements.lock from pyproject.toml, and the images' lists, which are parts of it
	@$(BIN)/uv pip compile $(LOCK) --all-extras pyproject.toml -o requirements.lock
	@echo 'hatchling>=1.27' | $(BIN)/uv pip compile $(LOCK) --constraints requirements.lock - -o requirements-build.lock
	@$(BIN)/uv pip compile $(LOCK) --constraints requirements.lock pyproject.toml -o operator/requirements.lock
	@for list in requirements requirements-light; do \
	  $(BIN)/uv pip compile $(LOCK) --constraints requirements.lock job_images/$$list.in -o job_images/$$list.lock; done

.PHONY: clean
clean: ## Remove what the other verbs made, .venv included
	@rm -rf $(VENV) out build dist .mediatask .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
