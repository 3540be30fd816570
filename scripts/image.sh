#!/usr/bin/env bash
# Builds the image of Dakghar with docker, podman or buildah, whichever is there; TOOL=... chooses one.
#
# IMAGE names it (dakghar:VERSION). BINARY=given takes target/release/dakghar instead of compiling it inside.
# BUILD_ARGS are passed on, for example "--isolation chroot --pull-never" for buildah without an engine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version="$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)"
image="${IMAGE:-dakghar:$version}"
tool="${TOOL:-}"
for candidate in docker podman buildah; do
    if [ -z "$tool" ] && command -v "$candidate" >/dev/null; then
        tool="$candidate"
    fi
done
if [ -z "$tool" ]; then
    echo "image: needs docker, podman or buildah" >&2
    exit 1
fi
if [ "${BINARY:-compiled}" = given ] && [ ! -x target/release/dakghar ]; then
    echo "image: BINARY=given needs target/release/dakghar: cargo build --locked --release --features dakghar/kms --bin dakghar" >&2
    exit 1
fi
arguments=(
    --file deploy/images/Dockerfile --tag "$image"
    --build-arg "BINARY=${BINARY:-compiled}" --build-arg "VERSION=$version"
    --build-arg "REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)"
)
if [ "$tool" != docker ]; then
    # Docker finds it beside the Dockerfile by itself. The format that the others prefer knows no health check.
    arguments+=(--ignorefile deploy/images/Dockerfile.dockerignore --format docker)
fi
read -r -a more <<<"${BUILD_ARGS:-}"
"$tool" build "${more[@]}" "${arguments[@]}" .
echo "image: built $image with $tool"
