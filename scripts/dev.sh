#!/usr/bin/env bash
# Runs Dakghar and starts it anew whenever a source file or .env changes. A build that fails leaves the old one running.
# Usage: scripts/dev.sh [COMMAND [ARGUMENT…]], a command of the program: serve (default), api, worker, graph-sim
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ $# -gt 0 ] || set -- serve
stamp="$(mktemp)"
server=""
building=""
stop() {
    if [ -n "$building" ]; then
        kill "$building" 2>/dev/null || true
    fi
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null && wait "$server" 2>/dev/null || true
        server=""
    fi
}
trap 'stop; rm -f "$stamp"' EXIT
trap 'exit 0' INT TERM

changed() {
    [ -n "$(find Cargo.toml Cargo.lock .env crates -newer "$stamp" -type f -not -path '*/node_modules/*' \
        -print -quit 2>/dev/null)" ]
}

# Beside this shell, which would not notice a signal before the end of it.
build() {
    cargo build --bin dakghar &
    building=$!
    local result=0
    wait "$building" || result=$?
    building=""
    return "$result"
}

while true; do
    touch "$stamp"
    if build; then
        stop
        "${CARGO_TARGET_DIR:-target}/debug/dakghar" "$@" &
        server=$!
    fi
    until changed; do sleep 1; done
done
