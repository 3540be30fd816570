#!/usr/bin/env bash
# Starts the development stack under a name of its own, sends messages through it, changes a file of the code meanwhile,
# and looks whether each message went out. Needs docker-compose, an engine and the ports of the stack.
#
# COMPOSE says how compose is called. With images there, BUILD= leaves them as they are. --keep leaves the stack running.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

read -r -a compose <<<"${COMPOSE:-docker-compose}"
compose+=(--project-name dakghar-try)
read -r -a build <<<"${BUILD---build}"
api=http://127.0.0.1:3000
board='http://127.0.0.1:3001/api/queues?activeQueue=whatsapp-send-queue'

end() {
    local status=$?
    [ "$status" = 0 ] || "${compose[@]}" logs --no-color --tail 20 >&2
    [ "${keep:-}" = --keep ] || "${compose[@]}" down --volumes --timeout 30
}
keep="${1:-}"
trap end EXIT

say() { printf 'try-compose: %s\n' "$*"; }
fail() {
    say "$*" >&2
    exit 1
}
field() { python3 -c "import json, sys; print(json.load(sys.stdin)['$1'])"; }
# The answer to a path of mongo-express, as a number.
express() { curl --silent --output /dev/null --write-out '%{http_code}' "${@:2}" "http://127.0.0.1:8081$1"; }
builds() { "${compose[@]}" logs --no-color app worker graph-sim | grep --count 'Finished .dev. profile' || true; }

# The same until it is accepted: while the code is exchanged nobody listens, and a repeated key is one message.
send() {
    local body="{\"to\":\"+8801712345678\",\"text\":\"try $1\",\"idempotency_key\":\"try-$1\"}"
    until curl --silent --fail --header 'Content-Type: application/json' --data "$body" "$api/tenants/$tenant/send"; do
        sleep 0.5
    done | field messageId
}

# Waits until every one of the messages has one of the statuses.
arrived() {
    local statuses="$1" message status
    shift
    for message in "$@"; do
        for _ in $(seq 600); do
            status="$(curl --silent --fail "$api/tenants/$tenant/messages/$message" | field status)" || status=
            [[ " $statuses " == *" $status "* ]] && continue 2
            sleep 0.5
        done
        fail "the message $message is $status, and none of: $statuses"
    done
}

"${compose[@]}" up --detach "${build[@]}" --wait --wait-timeout 7200
say "every service is healthy"
[ "$(express /)" = 401 ] || fail "mongo-express lets in anybody: $(express /)"
# A number that no earlier run has: `--keep` leaves its tenant.
tenant="$(curl --silent --show-error --fail --header 'Content-Type: application/json' "$api/tenants/register" \
    --data "{\"name\":\"Try\",\"phoneNumberId\":\"$(date +%s)00000\",\"accessToken\":\"EAAG-try-token\"}" | field tenantId)"
messages=()
for number in $(seq 5); do messages+=("$(send "$number")"); done
arrived "delivered read" "${messages[@]}"
say "${#messages[@]} messages were delivered by the simulated Meta"
[ "$(express /db/pocdb/messages --user admin:pass)" = 200 ] || fail "mongo-express does not show the messages"
curl --silent --fail "$board" | grep --quiet '"name":"whatsapp-send-queue"' || fail "bull-board does not show the queue"

before="$(builds)"
touch crates/dakghar-server/src/lib.rs
until [ "$(builds)" -ge $((before + 3)) ]; do
    messages+=("$(send "${#messages[@]}-changed")")
    sleep 0.5
done
messages+=("$(send last)")
# The simulated Meta starts anew too, and forgets what it was about to report.
arrived "sent delivered read" "${messages[@]}"
say "the code was exchanged under ${#messages[@]} messages, and each went out"
