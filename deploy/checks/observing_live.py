"""A real Prometheus scrapes the real program: every expression has data, and two alerts fire in their faults."""

import contextlib
import json
import os
import re
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import yaml

from common import SERVICES

WAIT_SECONDS = 60


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def call(url, body=None):
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read().decode()
    return json.loads(text) if text.startswith(("{", "[")) else text


def until(what, condition):
    """Waits for a condition, and says what was awaited where it does not come."""
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            value = condition()
            if value:
                return value
        time.sleep(0.2)
    raise TimeoutError(f"{what} did not come within {WAIT_SECONDS} s")


@contextlib.contextmanager
def running(command, folder, environment=None):
    with open(folder / "log", "ab") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


def prometheus_files(folder, metrics_port, alerts):
    """The alerts as they are, but without their waiting time."""
    rules = [{key: value for key, value in rule.items() if key != "for"} for rule in alerts]
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "live", "rules": rules}]}))
    (folder / "prometheus.yaml").write_text(yaml.safe_dump({
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [{"job_name": "dakghar", "static_configs": [{"targets": [f"127.0.0.1:{metrics_port}"]}]}],
    }))


def traffic(base):
    """Sends and receives; a token of a mock is simulated, any other goes to a port where nobody listens."""
    for number, token in (("111111111111111", "mock_token"), ("222222222222222", "EAAlive")):
        tenant = call(f"{base}/tenants/register", {"name": f"T{number}", "phoneNumberId": number, "accessToken": token})
        identity = tenant.get("tenantId") or tenant["id"]
        for count in range(20):
            call(f"{base}/tenants/{identity}/send", {"to": "+919111111111", "text": "hello", "idempotency_key": f"k{count}"})
        value = {"metadata": {"phone_number_id": number}, "messages": [{"from": "919111111111", "id": f"wamid.{number}", "type": "text", "text": {"body": "hi"}}]}
        call(f"{base}/whatsapp/webhook", {"entry": [{"changes": [{"value": value}]}]})


def check(found, program, series, expressions, alerts):
    program = Path(program).resolve()
    if not program.is_file():
        found.check(False, f"{program} is not there: cargo build --release --bin dakghar")
        return
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        port, metrics, queries = free_port(), free_port(), free_port()
        environment = {"PATH": os.environ["PATH"], "PORT": str(port), "METRICS_ADDR": f"127.0.0.1:{metrics}",
                       "DATA_DIR": str(folder / "data"), "GRAPH_BASE_URL": f"http://127.0.0.1:{free_port()}"}
        dakghar = stack.enter_context(running([program, "serve"], folder, environment))
        prometheus_files(folder, metrics, alerts)
        stack.enter_context(running(
            [SERVICES / "bin/prometheus", "--config.file=prometheus.yaml", "--storage.tsdb.path=tsdb",
             f"--web.listen-address=127.0.0.1:{queries}"], folder))
        base, prometheus = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{queries}"
        until("Dakghar", lambda: call(f"{base}/healthz"))
        until("Prometheus", lambda: call(f"{prometheus}/-/ready"))
        query = lambda text: call(f"{prometheus}/api/v1/query?query={urllib.parse.quote(text)}")["data"]["result"]
        firing = lambda: {one["labels"]["alertname"] for one in call(f"{prometheus}/api/v1/alerts")["data"]["alerts"] if one["state"] == "firing"}
        until("the first scrape", lambda: query('up{job="dakghar"} == 1'))
        until("two scrapes", lambda: query("rate(dakghar_messages_accepted_total[5m])"))
        quiet = firing()
        found.check(not quiet, f"alerts fire without a fault: {sorted(quiet)}")
        traffic(base)
        until("the breaker", lambda: "DakgharMetaUnreachable" in firing())
        until("the simulated calls", lambda: query('sum(rate(dakghar_attempts_total{outcome="simulated"}[5m])) > 0'))
        others = firing() - {"DakgharMetaUnreachable"}
        found.check(not others, f"alerts fire beside DakgharMetaUnreachable: {sorted(others)}")
        compare_table(found, call(f"http://127.0.0.1:{metrics}/metrics"), series)
        for what, expression in expressions:
            found.check(query(expression), f"{what}: no data for {expression}")
        for rule in alerts:
            # Without its threshold: what it is about must be there all the time.
            found.check(query(re.sub(r" (>|==) [\d.]+$", "", rule["expr"])), f"{rule['alert']}: no data")
        dakghar.terminate()
        dakghar.wait(timeout=30)
        until("DakgharDown", lambda: "DakgharDown" in firing())
        print(f"observing: {len(expressions)} expressions of dashboards and {len(alerts)} of alerts have data; fired in their faults: DakgharMetaUnreachable, DakgharDown")


def compare_table(found, text, series):
    """What the program exports is what the table says."""
    exported = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if line and not line.startswith("#")}
    named = {name for name in series if name != "up"}
    exported = {name for name in exported if not name.endswith("_created")}
    found.check(exported == named, f"api/metrics.md and /metrics differ: {sorted(exported ^ named)}")
