#!/usr/bin/env bash
# A message going out, a reply coming in, and a tenant's bot that answers it, between Dakghar and a simulated Meta. With
# --keep all go on running.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bin=${DAKGHAR_BIN:-}
./scripts/install-services.sh python # what the bot verifies callbacks with
if [ -z "$bin" ]; then
    cargo build --locked --release --bin dakghar
    bin=target/release/dakghar
fi
port=${PORT:-3010}
sim_port=${SIM_PORT:-4010}
bot_port=${BOT_PORT:-8010}
url=http://127.0.0.1:$port
sim=http://127.0.0.1:$sim_port
folder=$(mktemp -d)
bin=$(realpath "$bin")
# Nothing of the caller's own settings: a .env or MONGO_URI would have this send their messages to a simulated Meta.
# To be run in the background, where it becomes the program.
alone() { cd "$folder" && exec env -i PATH="$PATH" APP_SECRET=demo-app-secret "$@"; }

alone "$bin" graph-sim --bind "127.0.0.1:$sim_port" --webhook-url "$url/whatsapp/webhook" --read-after-ms 300 >"$folder/sim.log" 2>&1 &
sim_pid=$!
alone PORT="$port" DATA_DIR="$folder/data" GRAPH_BASE_URL="$sim" "$bin" serve >"$folder/dakghar.log" 2>&1 &
dakghar_pid=$!
bot_pid=
end() {
    local status=$?
    # shellcheck disable=SC2086 # there is no bot yet, or one
    kill $sim_pid $dakghar_pid $bot_pid 2>/dev/null || true
    wait 2>/dev/null || true
    case $status in 0 | 130 | 143) ;; *) tail -n 20 "$folder"/*.log >&2 ;; esac
    rm -rf "$folder"
}
trap end EXIT

step() { printf '\n\033[1m%s\033[0m\n' "$1"; }
show() { python3 -c 'import json, sys; print(json.dumps(json.load(sys.stdin), indent=2, ensure_ascii=False))'; }
field() { python3 -c "import json, sys; print(json.load(sys.stdin)['$1'])"; }
json() { curl -fsS -H 'Content-Type: application/json' "$@"; }

for _ in $(seq 100); do
    if curl -fs "$url/readyz" >/dev/null 2>&1 && curl -fs "$sim/_sim/health" >/dev/null 2>&1; then break; fi
    sleep 0.1
done

step "1. A tenant registers its number"
tenant=$(json -X POST "$url/tenants/register" \
    -d '{"name":"Demo","phoneNumberId":"106540352242922","accessToken":"EAAG-demo-token"}' | field tenantId)
echo "tenantId $tenant"

step "2. It sends a message; Dakghar answers once the message is durable"
message=$(json -X POST "$url/tenants/$tenant/send" \
    -d '{"to":"+8801712345678","text":"আপনার অর্ডার পাঠানো হয়েছে","idempotency_key":"order-1"}' | field messageId)
echo "messageId $message"

step "3. Meta reports sent, delivered and read by signed webhooks"
for _ in $(seq 100); do
    status=$(curl -fsS "$url/tenants/$tenant/messages/$message" | field status)
    [ "$status" = read ] && break
    sleep 0.1
done
curl -fsS "$url/tenants/$tenant/messages/$message" | show

step "4. The person replies"
json -X POST "$sim/_sim/inbound" \
    -d '{"phone_number_id":"106540352242922","from":"+8801712345678","text":"ধন্যবাদ 🙏"}' >/dev/null
for _ in $(seq 100); do
    conversation=$(curl -fsS "$url/tenants/$tenant/conversations" | python3 -c 'import json, sys; print(json.load(sys.stdin)["data"][0]["id"])')
    count=$(curl -fsS "$url/tenants/$tenant/conversations/$conversation/messages" | python3 -c 'import json, sys; print(len(json.load(sys.stdin)["data"]))')
    [ "$count" = 2 ] && break
    sleep 0.1
done
curl -fsS "$url/tenants/$tenant/conversations/$conversation/messages" |
    python3 -c 'import json, sys
for m in reversed(json.load(sys.stdin)["data"]): print("  {:<9} {:<9} {}".format(m["direction"], m["status"], m["content"]["body"]))'

step "5. The tenant's bot is called with what people write, and answers"
secret=$(json -X POST "$url/tenants/$tenant/endpoints" \
    -d '{"url":"http://127.0.0.1:'"$bot_port"'","kinds":["message.received"],"order":"conversation"}' | field secret)
repository=$PWD
alone PYTHONPATH="$repository/.services/python" PYTHONDONTWRITEBYTECODE=1 PORT="$bot_port" WEBHOOK_SECRET="$secret" \
    DAKGHAR_URL="$url" python3 "$repository/examples/receivers/python/bot.py" >"$folder/bot.log" 2>&1 &
bot_pid=$!
json -X POST "$sim/_sim/inbound" \
    -d '{"phone_number_id":"106540352242922","from":"+8801712345678","text":"আজ আসবে?"}' >/dev/null
answers() {
    curl -fsS "$sim/_sim/journal" | python3 -c 'import json, sys
for call in json.load(sys.stdin)["data"]:
    body = call["body"]
    if "context" in body: print("  at Meta, for {}: {}".format(body["to"], body["text"]["body"]))'
}
for _ in $(seq 200); do
    answer=$(answers)
    [ -n "$answer" ] && break
    sleep 0.1
done
cat "$folder/bot.log"
[ -n "$answer" ] || exit 1
echo "$answer"

if [ "${1:-}" = --keep ]; then
    step "Dakghar goes on at $url, the simulated Meta at $sim, the bot at port $bot_port; Ctrl-C ends them"
    wait
fi
