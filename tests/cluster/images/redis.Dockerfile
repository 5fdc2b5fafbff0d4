# Redis of the quick start: Debian's redis-server.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
USER 65532:65532
WORKDIR /data
CMD ["redis-server", "--dir", "/data"]
LABEL org.opencontainers.image.title="redis" \
      org.opencontainers.image.description="Redis for the quick start and tests of MediaTask" \
      org.opencontainers.image.licenses="BSD-3-Clause"
