# The commands of the project. Each sets up what it needs.

.PHONY: demo test lint crds docs control-plane vendor-clients setup

## the main job, shown; DEMO_ONCE=1 checks and exits
demo: control-plane
	cargo build --workspace --bins
	cargo run --quiet --package certferry-rig --bin demo

## every test: unit, and end to end on a real API server
test: control-plane vendor-clients
	cargo test --workspace

## formatting, lints, docs, what may be depended on, generated files in step (layering is a test)
lint: setup
	cargo fmt --all -- --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --no-deps --quiet
	hack/cargo-deny
	hack/generated-in-step
	cd tests/control-plane && test -z "$$(gofmt -l .)"

## writes the CustomResourceDefinitions
crds:
	cargo run --quiet -- crds --dir crds
	cp crds/*.yaml charts/certferry/crd/

## the table of reasons, from the code
docs:
	cargo run --quiet -- reasons > docs/reasons.md

## builds the control plane and Helm for tests once, into a cache folder
control-plane: setup
	hack/control-plane >/dev/null
	hack/helm >/dev/null

## installs the vendors' Python clients for tests once, into the same folder
vendor-clients: setup
	hack/vendor-clients >/dev/null

setup:
	hack/setup
