# A static binary on nothing: no shell, no package manager, user 65532.
FROM rust:1-alpine AS build
RUN apk add --no-cache build-base cmake perl
WORKDIR /src
COPY . .
# Of what commit the image is, for `certferry_build_info`.
ARG CERTFERRY_COMMIT
RUN cargo build --release --locked --package certferry --bin certferry

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/target/release/certferry /certferry
COPY LICENSE /LICENSE
USER 65532:65532
ENTRYPOINT ["/certferry"]
CMD ["run"]
