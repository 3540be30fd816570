#!/usr/bin/env bash
# An onboarding link, to be opened in a browser of this machine: a customer connects a number on Dakghar's own page, and the
# first message goes out from it. Meta, its SDK and its dialog are simulated. Ends with Ctrl-C.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bin=${DAKGHAR_BIN:-}
if [ -z "$bin" ]; then
    cargo build --locked --release --bin dakghar
    bin=target/release/dakghar
fi
port=${PORT:-3010}
sim_port=${SIM_PORT:-4010}
language=${LANGUAGE_OF_PAGE:-en}
url=http://localhost:$port
sim=http://localhost:$sim_port
folder=$(mktemp -d)
bin=$(realpath "$bin")
# Nothing of the caller's own settings: a .env or MONGO_URI would have this use them with a simulated Meta.
# To be run in the background, where it becomes the program.
alone() { cd "$folder" && exec env -i PATH="$PATH" APP_SECRET=demo-app-secret "$@"; }

alone "$bin" graph-sim --bind "127.0.0.1:$sim_port" --webhook-url "$url/whatsapp/webhook" --read-after-ms 300 >"$folder/sim.log" 2>&1 &
sim_pid=$!
alone PORT="$port" DATA_DIR="$folder/data" GRAPH_BASE_URL="$sim" APP_ID=4242 PUBLIC_URL="$url" SIGNUP_CONFIG_ID=7007 \
    SIGNUP_SDK_URL="$sim/_sim/sdk.js" "$bin" serve >"$folder/dakghar.log" 2>&1 &
dakghar_pid=$!
end() {
    local status=$?
    kill $sim_pid $dakghar_pid 2>/dev/null || true
    wait 2>/dev/null || true
    case $status in 0 | 130 | 143) ;; *) tail -n 20 "$folder"/*.log >&2 ;; esac
    rm -rf "$folder"
}
trap end EXIT

step() { printf '\n\033[1m%s\033[0m\n' "$1"; }
field() { python3 -c "import json, sys; print(json.load(sys.stdin)['$1'])"; }
json() { curl -fsS -H 'Content-Type: application/json' "$@"; }

for _ in $(seq 100); do
    if curl -fs "$url/readyz" >/dev/null 2>&1 && curl -fs "$sim/_sim/health" >/dev/null 2>&1; then break; fi
    sleep 0.1
done

step "1. Meta has an account with a new number, and a tenant has none yet"
json -X PUT "$sim/_sim/onboarding" -d '{"accounts": [{"waba_id": "900", "currency": "BDT", "is_paid_for": true}],
    "numbers": [{"phone_number_id": "501", "waba_id": "900"}]}'
tenant=$(json -X POST "$url/tenants/register" -d '{"name":"Dhaka Books"}' | field tenantId)
echo "tenantId $tenant"

step "2. A link for its customer"
link=$(json -X POST "$url/tenants/$tenant/onboarding-links" -d "{\"language\":\"$language\"}")
signup=$(field signupId <<<"$link")
printf '\n    %s\n\n' "$(field url <<<"$link")"
echo "Open it in a browser, choose the number in the window that it opens, and finish. Waiting …"

state=invited
while [ "$state" != done ]; do
    sleep 1
    now=$(curl -fsS "$url/tenants/$tenant/signups/$signup")
    told=$(python3 -c 'import json, sys; s = json.load(sys.stdin); print(s["state"], s["step"], s["reason"] or "")' <<<"$now")
    if [ "$told" != "${before:-}" ]; then echo "  $told"; fi
    before=$told
    state=${told%% *}
    case $state in expired | cancelled) exit 0 ;; esac
done

step "3. The number is connected, and the first message goes out from it"
message=$(json -X POST "$url/tenants/$tenant/send" \
    -d '{"to":"+8801712345678","text":"আপনার অর্ডার পাঠানো হয়েছে","from":"501"}' | field messageId)
for _ in $(seq 100); do
    status=$(curl -fsS "$url/tenants/$tenant/messages/$message" | field status)
    [ "$status" = read ] && break
    sleep 0.1
done
echo "$message is $status"

step "4. The person replies"
json -X POST "$sim/_sim/inbound" -d '{"phone_number_id":"501","from":"+8801712345678","text":"ধন্যবাদ 🙏"}' >/dev/null
for _ in $(seq 100); do
    reply=$(curl -fsS "$url/tenants/$tenant/messages?direction=inbound" |
        python3 -c 'import json, sys; found = json.load(sys.stdin)["data"]; print(found[0]["content"]["body"] if found else "")')
    [ -n "$reply" ] && break
    sleep 0.1
done
echo "$reply"
