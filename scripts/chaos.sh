#!/usr/bin/env bash
# Runs the rows of the fault matrix (crates/dakghar/tests/it/chaos) one after the other and prints what each gave.
#
# CHAOS_ROWS="f06 f31" picks rows by parts of their names; CHAOS_SECONDS, CHAOS_RATE and CHAOS_SEED go to the rows.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

./scripts/install-services.sh

report="$(mktemp)"
trap 'rm -f "$report"' EXIT
filter='test(/^chaos::/) - test(/^chaos::short::/)'
if [ -n "${CHAOS_ROWS:-}" ]; then
    filter="($filter) & test(/$(tr -s ' ,' '|' <<<"$CHAOS_ROWS")/)"
fi

result=0
CHAOS_REPORT="$report" cargo nextest run --locked --package dakghar --profile chaos -E "$filter" || result=$?

printf '\n%-4s %-40s %7s %7s %5s %7s %7s %8s %5s %6s  %-24s  %s\n' \
    row fault accepted sent lost doubled resent "in doubt" dead 5xx "healing p50 / max (of)" figure
sort "$report"
exit "$result"
