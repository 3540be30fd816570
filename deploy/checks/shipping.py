"""Everything that leaves Dakghar for other systems: logs, metrics and traces.

The log of the running program goes through rsyslog into a receiver of Elasticsearch's bulk API and through syslog-ng into
one of Loki's push API, both our own and as strict as the documents of those APIs. Every line must arrive once, in its order
and to the byte, and neither logs nor metrics nor traces may hold a canary. `make ship` runs it.
"""

import base64
import contextlib
import datetime
import http.server
import json
import os
import pathlib
import re
import sys
import tempfile
import threading
import urllib.error
import urllib.request

from common import ROOT, SERVICES, Findings

sys.path.insert(0, str(SERVICES / "deploy"))

from observing_live import call, free_port, running, until

SHIPPERS = SERVICES / "shippers"
LIBRARIES = SHIPPERS / "usr/lib/x86_64-linux-gnu"
SYSLOG_NG = SHIPPERS / "usr/lib/syslog-ng/3.38"

ADMIN = "canary-admin-key-0c5d1e9a77"
CANARIES = {
    "a token": "EAAGcanary7f3a9c51b2", "a text": "body-canary-55d0", "a phone": "919155501234",
    "a business number": "111000111000111", "the operator's key": ADMIN, "the key of the collector": "collector-canary-1c9e",
}
# A line that was written long before it is read, and what a crash may leave beside the lines of JSON.
BESIDE = [
    '{"timestamp":"2001-02-03T04:05:06.000789Z","level":"WARN","message":"is late","target":"a::module"}',
    'thread \'main\' panicked at "x\\y", a\tb', "ঢাকা 📮 is no JSON", '{"half": ']


class Receiver:
    """Keeps what is posted, and answers as `answer` says."""

    def __init__(self, answer):
        self.posts, posts = [], []
        self.posts = posts

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                posts.append((self.path, self.headers, body))
                status, text = answer(self.path, body)
                self.reply(status, text)

            def do_GET(self):
                self.reply(200, b"{}")

            do_HEAD = do_GET

            def reply(self, status, text):
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Elasticsearch(Receiver):
    """The bulk API: pairs of lines, an action and its document, and a line end behind the last one."""

    def __init__(self):
        super().__init__(self.bulk)
        self.documents, self.problems = [], []

    def bulk(self, path, body):
        # Where an action is expected it passes over empty lines.
        lines = [line for line in body.decode().split("\n") if line]
        if path.split("?")[0] != "/_bulk" or len(lines) % 2 or not body.endswith(b"\n"):
            self.problems.append(f"no bulk request: {path} {body[:200]!r}")
            return 400, b"{}"
        items = []
        for action, document in zip(lines[::2], lines[1::2]):
            index = json.loads(action)["index"]["_index"]
            self.documents.append((index, json.loads(document)))
            items.append({"index": {"_index": index, "status": 201}})
        return 200, json.dumps({"took": 1, "errors": False, "items": items}).encode()


class Loki(Receiver):
    """The push API: streams of labels, each with pairs of a time in nanoseconds, as text, and a line."""

    def __init__(self):
        super().__init__(self.push)
        self.entries, self.problems = [], []

    def push(self, path, body):
        pushed = json.loads(body)
        if path != "/loki/api/v1/push" or set(pushed) != {"streams"}:
            self.problems.append(f"no push: {path} {body[:200]!r}")
            return 400, b"{}"
        for stream in pushed["streams"]:
            for at, line in stream["values"]:
                if not re.fullmatch(r"\d{18,19}", at):
                    self.problems.append(f"no time in nanoseconds: {at}")
                self.entries.append((stream["stream"], int(at.split(".")[0]), line))
        return 204, b""


@contextlib.contextmanager
def dakghar(program, folder, collector):
    metrics = free_port()
    environment = {
        "PORT": str(free_port()), "DATA_DIR": str(folder / "data"), "METRICS_ADDR": f"127.0.0.1:{metrics}", "LOG_FORMAT": "json",
        "GRAPH_BASE_URL": f"http://127.0.0.1:{collector.port}", "ADMIN_API_KEY": ADMIN, "LOG_LEVEL": "debug",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}",
        "OTEL_EXPORTER_OTLP_HEADERS": f"x-key={CANARIES['the key of the collector']}",
    }
    with running([str(program), "serve"], folder, environment):
        api = f"http://127.0.0.1:{environment['PORT']}"
        until("the program", lambda: urllib.request.urlopen(f"{api}/readyz", timeout=5).status == 200)
        yield api, f"http://127.0.0.1:{metrics}/metrics"


def post(url, key, body):
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    request = urllib.request.Request(url, data=json.dumps(body).encode(), headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def told(program, folder):
    """Runs the program through failures, and returns its log, its metrics, the bytes of its traces, and its own canary."""

    def answer(path, _):
        return (200, b"") if path == "/v1/traces" else (400, b'{"error": {"message": "no", "code": 131026}}')

    collector = Receiver(answer)
    with dakghar(program, folder, collector) as (api, metrics):
        tenant = post(f"{api}/tenants/register", ADMIN, {
            "name": CANARIES["a text"], "phoneNumberId": CANARIES["a business number"], "accessToken": CANARIES["a token"]})
        for n in range(20):
            body = {"to": f"+{CANARIES['a phone']}", "text": f"{CANARIES['a text']} {n}"}
            post(f"{api}/tenants/{tenant['tenantId']}/send", tenant["apiKey"], body)
        with contextlib.suppress(urllib.error.HTTPError):
            post(f"{api}/tenants/{tenant['tenantId']}/send", CANARIES["a token"], {"to": CANARIES["a text"]})
        traces = lambda: b"".join(body for path, _, body in collector.posts if path == "/v1/traces")
        failed = 'dakghar_dead_letters_total{reason="failed"} 20'
        until("the failures", lambda: failed in call(metrics))
        until("the traces of all", lambda: traces().count(b"graph call") == 20)
        shown = call(metrics)
    # Beside the log there is the banner, for people, with empty lines in it.
    lines = [line for line in (folder / "log").read_text().splitlines() if line]
    return lines, shown, traces(), tenant["apiKey"]


def ship(command, folder, environment, receiver, count):
    """Runs a shipper until it has sent so many lines."""
    libraries = ":".join(map(str, [LIBRARIES, SHIPPERS / "lib/x86_64-linux-gnu", SYSLOG_NG.parent, SYSLOG_NG]))
    folder.mkdir()
    with running(command, folder, {"LD_LIBRARY_PATH": libraries, "PATH": os.environ["PATH"], **environment}):
        try:
            until(f"{count} lines", lambda: len(receiver) >= count)
        except TimeoutError as late:
            raise SystemExit(f"{late}: {len(receiver)} came\n{(folder / 'log').read_text()}") from late


def ship_to_elasticsearch(found, lines, folder, log):
    elasticsearch, days = Elasticsearch(), {today()}
    # As beside Debian's own configuration, which says where the state is kept; otherwise it would be in the root folder.
    main = folder / "rsyslog.conf"
    main.write_text(f'global(workDirectory="{folder}")\ninclude(file="{ROOT / "deploy/logs/rsyslog.conf"}")\n')
    command = [SHIPPERS / "usr/sbin/rsyslogd", "-n", "-M", LIBRARIES / "rsyslog", "-f", main, "-i", folder / "rsyslog.pid"]
    environment = {"DAKGHAR_LOG": str(log), "ELASTICSEARCH_HOST": "127.0.0.1", "ELASTICSEARCH_PORT": str(elasticsearch.port)}
    ship(list(map(str, command)), folder / "rsyslog", environment, elasticsearch.documents, len(lines))
    days.add(today())
    found.check(not elasticsearch.problems, f"Elasticsearch: {elasticsearch.problems}")
    documents = sorted(document["line"] for _, document in elasticsearch.documents)
    found.check(documents == sorted(lines), "Elasticsearch has not each line once and to the byte")
    for index, document in elasticsearch.documents:
        found.check(index in days, f"the index {index} is none of {days}")
        fields = fields_of(document["line"])
        expected = {"@timestamp": fields["timestamp"], **{key: fields[key] for key in ("message", "level", "target")}} \
            if fields else {"message": document["line"]}
        shown = {key: value for key, value in document.items() if key in expected}
        found.check(shown == expected, f"Elasticsearch: {document} is not of its line")
    return b"".join(body for _, _, body in elasticsearch.posts)


def today():
    return datetime.datetime.now(datetime.timezone.utc).strftime("dakghar-%Y.%m.%d")


def ship_to_loki(found, lines, folder, log):
    loki = Loki()
    command = [SHIPPERS / "usr/sbin/syslog-ng", "-F", "--no-caps", "-f", ROOT / "deploy/logs/syslog-ng.conf",
               "-R", folder / "persist", "-p", folder / "syslog-ng.pid", "-c", folder / "control", "--module-path", SYSLOG_NG]
    environment = {"DAKGHAR_LOG": str(log), "LOKI_URL": f"http://127.0.0.1:{loki.port}/loki/api/v1/push"}
    ship(list(map(str, command)), folder / "syslog-ng", environment, loki.entries, len(lines))
    found.check(not loki.problems, f"Loki: {loki.problems}")
    found.check([line for _, _, line in loki.entries] == lines, "Loki has not each line once, in its order and to the byte")
    for labels, at, line in loki.entries:
        fields = fields_of(line)
        level = fields["level"] if fields else "none"
        found.check(labels == {"app": "dakghar", "level": level}, f"Loki: labels {labels} of {line}")
        if fields:
            written = datetime.datetime.fromisoformat(fields["timestamp"])
            nanos = int(written.timestamp()) * 1_000_000_000 + written.microsecond * 1_000
            found.check(at == nanos, f"Loki: {at} is not the time of {line}")
    return b"".join(body for _, _, body in loki.posts)


def fields_of(line):
    with contextlib.suppress(ValueError):
        fields = json.loads(line)
        return fields if isinstance(fields, dict) and "timestamp" in fields else None


def check(found, program):
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        lines, metrics, traces, api_key = told(program, folder)
        found.check(len(lines) > 10, f"the program logged {len(lines)} lines")
        lines += BESIDE
        log = folder / "shipped.log"
        log.write_text("".join(f"{line}\n" for line in lines))
        shipped = {
            "the logs in Elasticsearch": ship_to_elasticsearch(found, lines, folder, log),
            "the logs in Loki": ship_to_loki(found, lines, folder, log),
            "the metrics": metrics.encode(), "the traces": traces,
        }
        for what, bytes_ in shipped.items():
            canaries = {**CANARIES, "a tenant's key": api_key}
            # Meta's ids of numbers are in the logs: docs/operating/logs.md says so.
            if "logs" in what:
                del canaries["a business number"]
            for name, canary in canaries.items():
                for form in (canary.encode(), base64.b64encode(canary.encode())):
                    found.check(form not in bytes_, f"{name} is in {what}")
        print(f"shipping: {len(lines)} lines, {len(traces)} bytes of traces, {len(metrics)} of metrics")


if __name__ == "__main__":
    findings = Findings()
    check(findings, pathlib.Path(sys.argv[1]).resolve())
    findings.end("shipping")
