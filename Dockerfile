# Builds bcproxy as a static binary, and an image with little else: no shell, no libraries, no other commands.
# packaging/container/build makes the same image without a container engine.
FROM rust:1-slim-bookworm AS build
RUN apt-get update \
    && apt-get install --no-install-recommends --yes ca-certificates gcc libc6-dev musl-tools python3 xz-utils \
    && rustup target add "$(uname -m)-unknown-linux-musl" \
    && cargo install --locked cargo-auditable
WORKDIR /build
COPY Cargo.toml Cargo.lock LICENSE-APACHE LICENSE-MIT proxy.yaml ./
COPY src src
COPY benches benches
COPY tests tests
COPY docs/setup.md docs/setup.md
COPY packaging packaging
# The scripts take the time of the last commit, which is not here.
ENV SOURCE_DATE_EPOCH=0
RUN target=$(uname -m)-unknown-linux-musl \
    && exe=$(packaging/binary "$target") \
    && packaging/container/files "$target" "$exe" /image

FROM scratch
LABEL org.opencontainers.image.title="bcproxy" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /image /
# The only folder that bcproxy writes to, besides its configuration's: `spool` in proxy.yaml, and the files of the demo.
ENV TMPDIR=/var/tmp
WORKDIR /etc/bcproxy
# A number only: Kubernetes can tell that it is not root.
USER 10001:10001
EXPOSE 8080
ENTRYPOINT ["/usr/bin/bcproxy"]
CMD ["run", "--config", "/etc/bcproxy/proxy.yaml"]
