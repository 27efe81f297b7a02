# The commands of the project. Each sets up what it needs.

.PHONY: test lint crds control-plane

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
