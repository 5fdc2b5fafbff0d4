# The S3 server of the quick start: versitygw on a folder.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
COPY versitygw /usr/local/bin/versitygw
USER 65532:65532
WORKDIR /data
CMD ["versitygw", "posix", "/data"]
LABEL org.opencontainers.image.title="s3" \
      org.opencontainers.image.description="versitygw, an S3 server for the quick start and tests of MediaTask" \
      org.opencontainers.image.licenses="Apache-2.0"
