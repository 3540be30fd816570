#!/usr/bin/env bash
# Changes the core line by line (cargo-mutants) and runs the core's own tests against each change. A change that they do
# not notice is a promise that nothing holds.
#
# SHARD=k/n looks at the k-th of n parts, k from 0; MINUTES ends the run; FILES names other sources. The list of changes
# that survived is in target/mutants.out/missed.txt.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly version=27.1.0
cargo mutants --version 2>/dev/null | grep -q " $version" || cargo install --quiet --locked "cargo-mutants@$version"

files=()
for file in ${FILES:-crates/dakghar-core/src/domain/message/*.rs crates/dakghar-core/src/app/sending/*.rs}; do
    files+=(--file "$file")
done
shard=()
if [ -n "${SHARD:-}" ]; then
    shard=(--shard "$SHARD")
fi

# Fewer simulated runs than in `make test`: most changes show in the first hundred.
export SEEDS="${SEEDS:-400}"
status=0
timeout --signal INT "$((${MINUTES:-60} * 60))" cargo mutants \
    --package dakghar-core --test-tool nextest --no-shuffle --baseline run \
    --minimum-test-timeout 60 --output target "${shard[@]}" "${files[@]}" || status=$?
# 2: some survived; 124: the time is over. Both leave a report.
case "$status" in
    0 | 2 | 3 | 124 | 130) ;;
    *) exit "$status" ;;
esac
sort target/mutants.out/missed.txt
