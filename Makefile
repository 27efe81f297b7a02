# The commands of the project. Each sets up what it needs.

.PHONY: demo test test-named bench lint crds docs control-plane test-tools setup

## the main job, shown; DEMO_ONCE=1 checks and exits; DEMO_INSTALL=helm installs a release
demo: control-plane
	cargo build --workspace --bins
	"$${CARGO_TARGET_DIR:-target}/debug/demo"

## every test: unit, and end to end on a real API server
test: control-plane test-tools
	cargo test --workspace --no-fail-fast

## the end-to-end tests once more, with an operator that is named its namespaces
test-named: control-plane test-tools
	E2E_NAMESPACES=named cargo test --workspace --test e2e --no-fail-fast

## what the operator costs, against its bounds; target/bench.json has the same. No test: it asserts nothing
bench: control-plane
	cargo build --release --workspace --bins
	"$${CARGO_TARGET_DIR:-target}/release/bench"

## formatting, lints, docs, what may be depended on, generated files in step, workflows (layering is a test)
lint: setup
	cargo fmt --all -- --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --no-deps --quiet
	hack/cargo-deny
	hack/generated-in-step
	test -z "$$(gofmt -l tests/control-plane tests/gitops)"
	"$$(hack/actionlint)" -shellcheck= .github/workflows/*.yaml

## writes the CustomResourceDefinitions
crds:
	cargo run --quiet -- crds --dir crds
	for chart in charts/*; do cp crds/*.yaml "$$chart/crd/" || exit 1; done

## the table of reasons and the reference of all fields, from the code; that of the chart's values, from their comments
docs:
	cargo run --quiet -- reasons > docs/reasons.md
	cargo run --quiet -- reference > docs/reference.md
	UPDATE=1 cargo test --quiet --workspace --test chart -- in_step

## builds the control plane and Helm once, into a cache folder
control-plane: setup
	hack/control-plane >/dev/null
	hack/helm >/dev/null

## builds what else tests need, once: Helm 3, promtool, Argo CD's engine, the vendors' Python clients
test-tools: setup
	hack/helm3 >/dev/null
	hack/promtool >/dev/null
	hack/definitions >/dev/null
	hack/gitops >/dev/null
	hack/vendor-clients >/dev/null

setup:
	hack/setup
