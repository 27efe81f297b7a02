# The commands of the project. Each sets up what it needs.

.PHONY: demo test lint crds control-plane

## the main job, shown; DEMO_ONCE=1 checks and exits
demo: control-plane
	hack/helm >/dev/null
	cargo build --package certferry --package emulator
	cargo run --quiet --package certferry-rig --bin demo

## every test: unit, and end to end on a real API server
test: control-plane
	hack/helm >/dev/null
	cargo test --workspace

## formatting, lints, and generated files in step
lint:
	cargo fmt --all -- --check
	cargo clippy --workspace --all-targets -- -D warnings
	hack/generated-in-step

## writes the CustomResourceDefinitions
crds:
	cargo run --quiet -- crds --dir crds
	cp crds/*.yaml charts/certferry/crd/

## builds the control plane for tests once, into a cache folder
control-plane:
	hack/control-plane >/dev/null
