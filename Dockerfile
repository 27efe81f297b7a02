# A static binary on nothing: no shell, no package manager, user 65532. It is built on the builder's own architecture for
# the wanted one: docker buildx build --platform linux/amd64,linux/arm64 .

# A digest of an index names the images of all architectures.
ARG XX=docker.io/tonistiigi/xx:1.6.1@sha256:923441d7c25f1e2eb5789f82d987693c47b8ed987c4ab3b075d6ed2b5d6779a3
ARG RUST=docker.io/library/rust:1-alpine@sha256:a10e64dd139b7387337c7fbe8aca31b959b57b2fd4c8ae20a02cf1d6ea424dce

FROM --platform=$BUILDPLATFORM $XX AS cross

FROM --platform=$BUILDPLATFORM $RUST AS build
COPY --from=cross / /
# cargo-auditable writes the list of crates into the binary, where scanners find it.
ARG CARGO_AUDITABLE=0.7.7
RUN apk add --no-cache clang cmake lld make musl-dev perl \
    && cargo install --locked cargo-auditable --version "$CARGO_AUDITABLE"
ARG TARGETPLATFORM
RUN xx-apk add --no-cache gcc musl-dev
WORKDIR /src
COPY . .
# Of what commit the image is, for `certferry_build_info`.
ARG CERTFERRY_COMMIT
RUN xx-cargo auditable build --release --locked --package certferry --bin certferry --target-dir /target \
    && mv "/target/$(xx-cargo --print-target-triple)/release/certferry" /certferry \
    && xx-verify --static /certferry

FROM scratch
ARG VERSION=dev REVISION=unknown
LABEL org.opencontainers.image.title="certferry" \
      org.opencontainers.image.description="Keeps certificates in cloud services equal to what Kubernetes manifests say" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/certferry/certferry" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /certferry /certferry
COPY LICENSE /LICENSE
USER 65532:65532
ENTRYPOINT ["/certferry"]
CMD ["run"]
