#!/usr/bin/env bash
# Runs the fuzzers one after the other: a minute each, or SECONDS_EACH; FUZZ="cursor send_body" for some of them.
#
# What breaks a promise is kept in fuzz/corpus, where an ordinary test tries it with every build. Other new inputs stay in
# fuzz/target. Coverage is LLVM's, on the stable toolchain; there is no address sanitizer, and no unsafe code of ours.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../fuzz"

names=${FUZZ:-webhook_body signature_header send_body cursor bullmq_job}
export RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1"
host=$(rustc -vV | sed -n 's/^host: //p')
# With a target named, build scripts and macros are built without coverage.
cargo build --quiet --release --target "$host" --bins

result=0
for name in $names; do
    found="target/found/$name"
    mkdir -p "$found" "target/broken"
    echo "== $name"
    if ! "target/$host/release/$name" -max_total_time="${SECONDS_EACH:-60}" -timeout=5 -rss_limit_mb=1024 -max_len=65536 \
        -print_final_stats=1 -artifact_prefix="target/broken/$name-" "$found" "corpus/$name" 2>"target/$name.log"; then
        result=1
        tail -n 40 "target/$name.log"
        for broken in "target/broken/$name-"*; do
            [ -e "$broken" ] && mv "$broken" "corpus/$name/"
        done
    else
        grep -E 'stat::number_of_executed_units|cov:' "target/$name.log" | tail -n 2
    fi
done
exit "$result"
