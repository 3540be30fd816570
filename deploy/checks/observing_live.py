"""A real Prometheus scrapes the real program: every expression has data, and alerts fire in their faults, not before."""

import contextlib
import json
import os
import re
import socket
import subprocess
import tempfile
import threading
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


class Graph:
    """A Meta with one fault: it refuses, fails, or reads a call and hangs up. Stopped, nobody listens."""

    REFUSES, FAILS = ("400 Bad Request", 131026), ("500 Internal Server Error", 131000)

    def __init__(self):
        self.answer = self.REFUSES
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.talk, args=[self.listener.accept()[0]], daemon=True).start()

    def talk(self, connection):
        with connection, contextlib.suppress(OSError):
            connection.settimeout(5)
            text = b""
            while b'"to"' not in text:
                part = connection.recv(65536)
                if not part:
                    return
                text += part
            if self.answer:
                status, code = self.answer
                body = json.dumps({"error": {"message": "no", "type": "OAuthException", "code": code}})
                head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                connection.sendall((head + body).encode())

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Tenant:
    """A tenant, and what it sends and gets."""

    def __init__(self, base, number, token):
        self.base, self.number, self.sent = base, number, 0
        answer = call(f"{base}/tenants/register", {"name": f"T{number}", "phoneNumberId": number, "accessToken": token})
        self.identity = answer["tenantId"]

    def send(self, count):
        for _ in range(count):
            self.sent += 1
            body = {"to": "+919111111111", "text": "hello", "idempotency_key": f"k{self.sent}"}
            call(f"{self.base}/tenants/{self.identity}/send", body)

    def receive(self):
        message = {"from": "919111111111", "id": f"wamid.{self.number}", "type": "text", "text": {"body": "hi"}}
        value = {"metadata": {"phone_number_id": self.number}, "messages": [message]}
        call(f"{self.base}/whatsapp/webhook", {"entry": [{"changes": [{"value": value}]}]})


    def wants_callbacks(self, port):
        call(f"{self.base}/tenants/{self.identity}/endpoints", {"url": f"http://127.0.0.1:{port}/"})


def guess_keys(base, identity, count):
    for number in range(count):
        request = urllib.request.Request(f"{base}/tenants/{identity}/messages", headers={"Authorization": f"Bearer wrong-key-{number}"})
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(request, timeout=10).close()


def webhook_cut_off(port):
    """A webhook whose body never comes whole."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"POST /whatsapp/webhook HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{")


def hold(base):
    request = urllib.request.Request(f"{base}/hold", data=b"{}", method="PUT", headers={"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=10).close()


def check(found, program, series, expressions, alerts):
    program = Path(program).resolve()
    if not program.is_file():
        found.check(False, f"{program} is not there: cargo build --release --bin dakghar")
        return
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        graph = Graph()
        port, metrics, queries = free_port(), free_port(), free_port()
        environment = {"PATH": os.environ["PATH"], "PORT": str(port), "METRICS_ADDR": f"127.0.0.1:{metrics}",
                       "DATA_DIR": str(folder / "data"), "SEND_ATTEMPTS_MAX": "1",
                       "WRONG_KEYS_PER_MINUTE_MAX": "10000", "METRICS_TENANTS": "20", "GRAPH_BASE_URL": f"http://127.0.0.1:{graph.port}"}
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
        found.check(not firing(), f"alerts fire without a fault: {sorted(firing())}")
        mock, live = Tenant(base, "111111111111111", "mock_token"), Tenant(base, "222222222222222", "EAAlive")
        mock.send(20)
        mock.receive()
        until("the simulated calls", lambda: query('sum(rate(dakghar_attempts_total{outcome="simulated"}[5m])) > 0'))
        found.check(not firing(), f"alerts fire without a fault: {sorted(firing())}")
        faults = {
            "DakgharMetaRefuses": lambda: live.send(20),
            "DakgharDeadLetters": lambda: (setattr(graph, "answer", Graph.FAILS), live.send(20)),
            "DakgharOutcomesUnknown": lambda: (setattr(graph, "answer", None), live.send(5)),
            "DakgharKeysGuessed": lambda: guess_keys(base, mock.identity, 600),
            "DakgharEndpointsFailing": lambda: (mock.wants_callbacks(free_port()), mock.send(100)),
            "DakgharWebhooksNotStored": lambda: webhook_cut_off(port),
            "DakgharMetaUnreachable": lambda: (graph.stop(), live.send(20)),
            "DakgharSendingHeld": lambda: hold(base),
        }
        fired = []
        for alert, begin in faults.items():
            found.check(alert not in firing(), f"{alert} fires before its fault")
            begin()
            until(alert, lambda alert=alert: alert in firing())
            fired.append(alert)
            # Those before it may still fire: they look back at minutes.
            others = firing() - set(fired)
            found.check(not others, f"alerts fire beside {alert}: {sorted(others)}")
        compare_table(found, call(f"http://127.0.0.1:{metrics}/metrics"), series)
        for what, expression in expressions:
            found.check(query(expression), f"{what}: no data for {expression}")
        for rule in alerts:
            # Without its thresholds: what it is about must be there all the time.
            about = re.sub(r" (>|<|==) [\d.]+( \* [\d.]+)?( unless .*)?", "", rule["expr"])
            found.check(query(about), f"{rule['alert']}: no data for {about}")
        dakghar.terminate()
        dakghar.wait(timeout=30)
        until("DakgharDown", lambda: "DakgharDown" in firing())
        print(f"observing: {len(expressions)} expressions of dashboards and {len(alerts)} of alerts have data; fired in their faults: {', '.join([*fired, 'DakgharDown'])}")


def compare_table(found, text, series):
    """What the program exports is what the table says."""
    exported = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if line and not line.startswith("#")}
    named = {name for name in series if name != "up"}
    exported = {name for name in exported if not name.endswith("_created")}
    found.check(exported == named, f"api/metrics.md and /metrics differ: {sorted(exported ^ named)}")
