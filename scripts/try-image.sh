#!/usr/bin/env bash
# Starts the files of an image as its user, as process 1, on a root that cannot be written to, and asks for its health: needs
# root, but no engine.
#   ./scripts/try-image.sh "$(buildah mount "$(buildah from dakghar:0.1.0)")"
set -euo pipefail

image="${1:?the folder with the files of the image}"
work="$(mktemp -d)"
port=13950
answers() { curl --silent --fail --output /dev/null "http://127.0.0.1:$port/readyz"; }

fail() {
    echo "try-image: $*" >&2
    cat "$work/log" >&2
    pkill -KILL --parent "${outer:-0}"
    exit 1
}

if answers; then
    fail "port $port is taken"
fi
cat >"$work/start" <<'START'
set -e
mount --make-rprivate /
mount --bind "$1" "$1"
mount -o remount,ro,bind "$1"
mount -t tmpfs -o mode=700,uid=10001,gid=10001 tmpfs "$1/data"
if touch "$1/written" 2>/dev/null; then
    echo "the root can be written to"
    exit 1
fi
exec chroot --userspec=10001:10001 "$1" /usr/local/bin/dakghar serve
START
env -i PATH="$PATH" APP_ENV=production DATA_DIR=/data PORT="$port" METRICS_ADDR=off LOG_FORMAT=json \
    ADMIN_API_KEY=admin-key-of-a-trial APP_SECRET=app-secret-of-a-trial VERIFY_TOKEN=verify-token-of-a-trial \
    MASTER_KEY=master-key-of-a-trial-0123456789 \
    unshare --mount --pid --fork bash "$work/start" "$image" >"$work/log" 2>&1 &
outer=$!
for _ in $(seq 200); do
    if answers; then break; fi
    sleep 0.05
done
answers || fail "it is not ready after 10 seconds"
inner="$(pgrep --parent "$outer")"
grep --quiet "^NSpid:.*[[:space:]]1$" "/proc/$inner/status" || fail "it is not process 1"
grep --quiet "^Uid:[[:space:]]10001[[:space:]]10001" "/proc/$inner/status" || fail "it is not user 10001"
# As the engine asks, beside the process.
health() {
    env -i PATH="$PATH" APP_ENV=production PORT="$1" nsenter --target "$inner" --mount \
        chroot --userspec=10001:10001 "$image" /usr/local/bin/dakghar health
}
health "$port" || fail "its health check finds it ill"
if health $((port + 1)) 2>/dev/null; then
    fail "its health check finds well what is not there"
fi
begun="$(date +%s%3N)"
kill -TERM "$inner"
wait "$outer" || fail "it ended with $?"
taken=$(($(date +%s%3N) - begun))
[ "$taken" -le 10000 ] || fail "it took $taken ms to stop"
echo "try-image: user 10001, process 1, a read-only root, well by its own health check; stopped by SIGTERM in $taken ms"
rm -rf "$work"
