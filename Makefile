# The commands of the project. Each sets up what it needs.

.PHONY: demo test bench lint crds docs control-plane setup

## the main job, shown; DEMO_ONCE=1 checks and exits
demo: control-plane
	cargo build --workspace --bins
	cargo run --quiet --package certferry-rig --bin demo

## every test: unit, and end to end on a real API server
test: control-plane
	cargo test --workspace

## what the operator costs, against its bounds; target/bench.json has the same. No test: it asserts nothing
bench: control-plane
	cargo build --release --workspace --bins
	"$${CARGO_TARGET_DIR:-target}/release/bench"

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

setup:
	hack/setup
