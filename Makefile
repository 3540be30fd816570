# An index of commands. `make` alone lists them.

.DEFAULT_GOAL := help
SHELL := /bin/bash

# CI runs every test whatever fails, and shows less of what passes.
PROFILE := $(if $(filter true,$(CI)),ci,default)

.PHONY: help
help: ## Lists these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## Builds Dakghar and starts it on http://localhost:3000
	@test -x target/release/dakghar || echo "Building Dakghar; the first time takes some minutes."
	cargo build --locked --release --bin dakghar
	./target/release/dakghar serve

.PHONY: dev
dev: ## Starts Dakghar, and again after every change of the code
	./scripts/dev.sh

.PHONY: demo-onboarding
demo-onboarding: ## Makes an onboarding link, to be opened in a browser, with a simulated Meta
	./scripts/demo-onboarding.sh

.PHONY: demo
demo: ## Shows a message going out, a reply coming in and a bot that answers, with a simulated Meta
	./scripts/demo.sh

.PHONY: receiver
receiver: ## Starts the example of a tenant's receiver; SECRET=whsec_... of its endpoint, PORT=8080
	@./scripts/install-services.sh python
	@mkdir -p data
	@PYTHONPATH=.services/python WEBHOOK_SECRET=$(SECRET) DATA_FILE=$${DATA_FILE:-data/callbacks.db} \
		python3 examples/receivers/python/receiver.py

.PHONY: services
services: ## Starts a MongoDB and a Redis server for a developer, until Ctrl-C
	@./scripts/install-services.sh
	@cargo run --locked --quiet --package dakghar-testkit --example services

.PHONY: test
test: ## Checks form and lints, then runs every test, against real servers
	./scripts/install-services.sh
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets --quiet -- -D warnings
	python3 deploy/checks/chart.py
	python3 deploy/checks/observing.py
	python3 deploy/checks/files.py
	python3 deploy/checks/licences.py
	cargo nextest run --locked --workspace --profile $(PROFILE)

.PHONY: lint
lint: ## Looks for what the linter does not like
	cargo clippy --locked --workspace --all-targets -- -D warnings

.PHONY: fmt
fmt: ## Brings the code into form
	cargo fmt --all

.PHONY: test-kms
test-kms: ## Tests the key services outside of this program: a real OpenBao, AWS by moto, GCP by a server of our own
	@./scripts/install-services.sh kms
	cargo clippy --locked --package dakghar-adapters --package dakghar --features dakghar/kms --all-targets --quiet -- -D warnings
	CI=true cargo nextest run --locked --package dakghar-adapters --package dakghar --features dakghar/kms \
		--run-ignored all -E '(package(dakghar-adapters) and test(/(^|::)keys::/)) or (package(dakghar) and test(/^kms::/))'

.PHONY: test-rotation
test-rotation: ## Moves 10,000 tenants to another master key under load, killed ten times on the way, on both backends
	CI=true cargo nextest run --locked --workspace --run-ignored ignored-only -E 'test(ten_thousand_tenants)'

.PHONY: test-clients
test-clients: ## Drives Meta's own face with a client in Rust, which needs the headers of OpenSSL, and a bot under kill -9
	./scripts/install-services.sh
	cargo build --locked --quiet --manifest-path crates/dakghar/tests/it/graph_face/wacloudapi/Cargo.toml --target-dir target/clients
	CI=true cargo nextest run --locked --workspace --run-ignored ignored-only \
		-E 'test(a_client_of_rust) + test(a_bot_answers_each_of_many)'

.PHONY: mutants
mutants: ## Breaks sending on purpose, and lists what no test of the core notices; SHARD=1/8, MINUTES=60
	./scripts/mutants.sh

.PHONY: chaos
chaos: ## Fails Redis, MongoDB, the network and Dakghar under load; CHAOS_ROWS="f06 f31" for some faults only
	./scripts/chaos.sh

.PHONY: levels
levels: ## Keeps numbers at the pace that Meta allows them, and through a storm of refusals; needs the machine for itself
	./scripts/install-services.sh
	CI=true cargo nextest run --locked --workspace --profile levels

.PHONY: simulate
simulate: ## Looks for lost and doubled messages in simulated runs; SEEDS=100000 for as many
	SEEDS=$(or $(SEEDS),20000) cargo test --locked --package dakghar-core --test it simulation::seeds

.PHONY: fuzz
fuzz: ## Gives odd bytes to all that reads foreign ones, a minute each; FUZZ="cursor" SECONDS_EACH=600 for one, longer
	./scripts/fuzz.sh

.PHONY: bench-bytes
bench-bytes: ## Measures the memory that clients can make an embedded Dakghar hold; BIN=... for another build
	./bench/bytes $(or $(BIN),target/release/dakghar)

.PHONY: bench-metrics
bench-metrics: ## Measures what metrics cost at full load; ARGS="--messages 20000" for fewer messages
	./bench/metrics $(ARGS)

.PHONY: bench
bench: ## Measures Dakghar beside its contenders; ARGS="--quick" for a short run
	./bench/run $(ARGS)

.PHONY: chart
chart: ## Checks the Helm chart: lint, golden renderings, schemas and rules; UPDATE_GOLDEN=1 writes the renderings
	@./scripts/install-services.sh deploy
	python3 deploy/checks/chart.py

.PHONY: image
image: ## Builds the image of Dakghar with docker, podman or buildah; BINARY=given takes the program that is there
	./scripts/image.sh

.PHONY: try-compose
try-compose: ## Starts the development stack in containers, sends messages through it and changes the code under them
	./scripts/try-compose.sh

.PHONY: sbom
sbom: ## Lists everything that the program is built from: target/dakghar.cdx.json (CycloneDX)
	./scripts/sbom.sh target/dakghar.cdx.json

.PHONY: observe
observe: ## Checks alerts and dashboards, and asks a Prometheus that scrapes Dakghar for each of them
	@./scripts/install-services.sh deploy
	python3 deploy/checks/observing.py --live $(or $(BIN),target/release/dakghar)

.PHONY: ship
ship: ## Ships logs with rsyslog and syslog-ng into receivers, and looks for canaries in logs, metrics and traces
	@./scripts/install-services.sh ship
	python3 deploy/checks/shipping.py $(or $(BIN),target/release/dakghar)

.PHONY: autoscale
autoscale: ## Scales real workers by the chart's formula under a burst; MESSAGES=100000 NUMBERS=1000 WORKERS_MAX=8 FASTER=1
	AUTOSCALE_MESSAGES=$(or $(MESSAGES),100000) AUTOSCALE_NUMBERS=$(or $(NUMBERS),1000) AUTOSCALE_CONCURRENCY=32 \
	AUTOSCALE_WORKERS_MAX=$(or $(WORKERS_MAX),8) AUTOSCALE_FASTER=$(or $(FASTER),1) \
	cargo test --locked --release --package dakghar --test it autoscale:: -- --nocapture

.PHONY: deny
deny: ## Checks licences, bans and sources of the dependencies
	@cargo deny --version >/dev/null 2>&1 || cargo install --quiet --locked cargo-deny --version 0.20.2
	cargo deny --locked --all-features check bans licenses sources

.PHONY: clean
clean: ## Deletes what was built; the servers in .services stay
	cargo clean
