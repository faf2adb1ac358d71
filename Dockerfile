# Builds bcproxy, copies the binary into a small image, and runs it without root.
FROM rust:1-slim-bookworm AS build
RUN apt-get update && apt-get install --no-install-recommends --yes gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY Cargo.toml Cargo.lock proxy.yaml ./
COPY src src
COPY benches benches
COPY docs/setup.md docs/setup.md
RUN cargo build --release --locked --bin bcproxy

FROM debian:bookworm-slim
RUN apt-get update && apt-get install --no-install-recommends --yes ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home bcproxy \
    && install --directory --mode 700 --owner bcproxy /etc/bcproxy
COPY --from=build /build/target/release/bcproxy /usr/local/bin/bcproxy
WORKDIR /etc/bcproxy
USER bcproxy
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/bcproxy"]
CMD ["run", "--config", "/etc/bcproxy/proxy.yaml"]
