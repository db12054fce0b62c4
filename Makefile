# `make help` says what there is. Tools that are missing are installed by hack/test-tools, or named.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
TOOLS := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/mozart-dev
export PATH := $(TOOLS)/bin:$(PATH)
# Tests never talk to a real service, nor use a login or a desktop of the person who runs them.
unexport ANTHROPIC_API_KEY ANTHROPIC_AUTH_TOKEN CLAUDE_CODE_OAUTH_TOKEN DBUS_SESSION_BUS_ADDRESS MOZART_HOME

.PHONY: help tools lint deny test test-docs test-chart test-cluster newcomer image release cluster-up cluster-down test-long soak bench

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

tools: ## install what the tests need
	@hack/test-tools "$(TOOLS)"

lint: ## formatting, clippy, and the core without its Kubernetes part
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --test cluster -- -D warnings
	cargo clippy --locked --no-default-features -- -D warnings

deny: tools ## licences, sources, bans; advisories where their database can be reached
	cargo deny --locked check bans licenses sources
	@if timeout 60 cargo deny fetch db >/dev/null 2>&1; then cargo deny --locked check --disable-fetch advisories; \
	else echo 'advisories: their database cannot be reached from here, not checked'; fi

test: tools lint deny ## everything that must hold before a change is merged
	cargo test --locked
	hack/test-docs
	hack/test-chart
	hack/test-cluster

test-docs: ## the documents as a book, without a warning or a dead link
	hack/test-docs

test-chart: ## the chart as far as no cluster is needed: Helm's strictest look, checkov's, and the schemas of Kubernetes
	hack/test-chart

test-cluster: ## what needs a Kubernetes, on one of its own, or with MOZART_TEST_KUBECONFIG=1 on that of KUBECONFIG
	hack/test-cluster

newcomer: ## the README and the first tutorial from a clean checkout, timed; FLAGS=--cluster for the second
	hack/newcomer $(FLAGS)

image: ## localhost/mozart and localhost/mozart-batch, with docker, podman or buildah; FLAGS=--here needs no base image
	hack/images build $(FLAGS)

release: ## what is handed out, into dist/, with checksums; FLAGS=--here needs no base image
	hack/release $(FLAGS)
	hack/release check

cluster-up: ## a Kubernetes to try things on; FLAGS="--node --kwok" for nodes, see hack/cluster
	@hack/cluster up $(FLAGS)

cluster-down: ## end and remove it
	@hack/cluster down

test-long: tools ## more kills, cuts and simulated elections than in make test; figures into benches/RESULTS.md
	MOZART_TEST_KILLS=200 cargo test --locked --test it kill::a_killed_run -- --nocapture | grep -E "kills,|resume" | hack/results "Killed 200 times"
	MOZART_TEST_SEEDS=1000 cargo test --locked --lib cluster::lease
	MOZART_TEST_BATCHES=2000 cargo test --locked --lib r29_ -- --nocapture | grep 'at most' | hack/results "The object of a large job, and of each of many"
	hack/bench-cluster long idle | hack/results "A large job, and a thousand, on a Kubernetes"
	! sed -n '/^## A large job, and a thousand, on a Kubernetes$$/,$$p' benches/RESULTS.md | grep -F '**missed**'
	MOZART_TEST_NODE=0 MOZART_TEST_BATCHES=500 hack/test-cluster operator::killed --nocapture | grep -E "kills:|leading|alone" | hack/results "An operator killed every 1 to 3 seconds"
	MOZART_TEST_NODE=0 MOZART_TEST_BATCHES=500 hack/test-cluster operator::in_process --nocapture | grep -E "kills:" | hack/results "An operator killed with batches in its own process"
	MOZART_TEST_NODE=0 MOZART_TEST_CUTS=20 hack/test-cluster operator::cut --nocapture | grep -E "cuts|cut to" | hack/results "A leader cut off from the API server"
	MOZART_TEST_NODE=0 MOZART_TEST_OUTAGES=20 hack/test-cluster operator::outage:: --nocapture | grep outages | hack/results "An API server that dies, freezes and forgets"

soak: ## an hour of mixed jobs, or MOZART_SOAK_MINUTES: what the operator takes it gives back
	hack/bench-cluster soak | hack/results "An operator that works for an hour"

bench: ## measure against peers, print both sides, write benches/RESULTS.md
	cargo bench --locked --bench compare | hack/results "Beside its peers"
	cargo bench --locked --bench dashboard | hack/results "The dashboard"
	cargo bench --locked --bench store | hack/results "What state costs"
	hack/bench-cluster | hack/results "On a Kubernetes"
