# Two images: `mozart`, the static program and nothing else, and `batch`, what Claude Code works in.
#
#   make image                          with docker, podman or buildah, whichever is there
#   docker build --target mozart .      by hand
#
# Where no public registry is reached: each base is an argument, and the folders `program` and `claude`, made elsewhere,
# may be given instead of the stages of that name (--build-context program=FOLDER). hack/images builds that way.
ARG RUST_IMAGE=rust:1.95-slim-bookworm
ARG NODE_IMAGE=node:22-bookworm-slim
ARG BATCH_BASE=debian:bookworm-slim

FROM ${RUST_IMAGE} AS program
RUN apt-get update -q && apt-get install -q -y --no-install-recommends ca-certificates gcc libc6-dev make
WORKDIR /source
COPY . .
RUN hack/images program / release

FROM ${NODE_IMAGE} AS claude
WORKDIR /source
COPY hack/claude-code/package.json hack/claude-code/package-lock.json ./
RUN npm ci --no-audit --no-fund --loglevel=error \
    && (cd node_modules/@anthropic-ai/claude-code && node install.cjs) \
    && install -D -m 755 "$(realpath node_modules/@anthropic-ai/claude-code/bin/claude.exe)" /claude/usr/local/bin/claude

# Certificates and the program; time zones are in it. No shell, no user but a number.
FROM scratch AS mozart
ARG VERSION
LABEL org.opencontainers.image.title="mozart" \
      org.opencontainers.image.description="Runs MozartJobs: hundreds of pieces of work through Claude, batch by batch" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=program /program/ /
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/mozart"]

# What the tests use as an image of a user's own: Mozart is not in it. Claude Code is one program, and needs no Node.
FROM ${BATCH_BASE} AS tools
RUN if ! command -v git >/dev/null; then \
      apt-get update -q && apt-get install -q -y --no-install-recommends ca-certificates git && rm -rf /var/lib/apt/lists/*; \
    fi && echo 'batch:x:65532:65532::/mozart/state/home:/bin/bash' >>/etc/passwd
COPY --from=claude /claude/ /
USER 65532:65532

# With the same program as the operator's, so that nothing has to be brought into a Pod before it begins.
FROM tools AS batch
ARG VERSION
LABEL org.opencontainers.image.title="mozart-batch" \
      org.opencontainers.image.description="Claude Code, git and Mozart, for the batches of MozartJobs" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=program /program/usr/local/bin/mozart /usr/local/bin/mozart
