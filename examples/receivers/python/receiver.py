"""Receives callbacks of Dakghar: checks the signature, notes them in a file, answers, and works on them afterwards.

    pip install -r requirements.txt
    WEBHOOK_SECRET=whsec_... python3 receiver.py

WEBHOOK_SECRET is what the endpoint was made with. PORT (8080) is where it listens, DATA_FILE (callbacks.db) the file.
"""

import json
import os
import sqlite3
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

BODY_BYTES_MAX = 16 * 1024 * 1024
TRIES_MAX = 5


class Inbox:
    """What has come. It outlives the program, so nothing is lost that was answered with 2xx."""

    def __init__(self, path):
        self.lock, self.news = threading.Lock(), threading.Event()
        self.db = sqlite3.connect(path, check_same_thread=False)
        self.db.execute(
            "CREATE TABLE IF NOT EXISTS events (number INTEGER PRIMARY KEY, id TEXT UNIQUE, event TEXT,"
            " is_replay INTEGER, tries INTEGER DEFAULT 0, state TEXT DEFAULT 'waiting')"
        )
        self.db.execute("CREATE INDEX IF NOT EXISTS waiting ON events (number) WHERE state = 'waiting'")

    def note(self, events, is_replay):
        """Notes events in one commit. An id that is known was noted before, so its event is left out."""
        rows = [(event["id"], json.dumps(event), is_replay) for event in events]
        with self.lock, self.db:
            self.db.executemany("INSERT OR IGNORE INTO events (id, event, is_replay) VALUES (?, ?, ?)", rows)
        self.news.set()

    def work(self, handle):
        """Works on what waits, in the order in which it came, for ever."""
        while True:
            self.news.clear()
            with self.lock:
                row = self.db.execute(
                    "SELECT number, event, is_replay, tries FROM events WHERE state = 'waiting' ORDER BY number LIMIT 1"
                ).fetchone()
            if row is None:
                self.news.wait()
                continue
            number, event, is_replay, tries = row
            state, tries = "done", tries + 1
            try:
                handle(json.loads(event), bool(is_replay))
            except Exception as error:  # whatever it is, the events behind it must not wait for ever
                print(f"try {tries} failed: {error!r}", file=sys.stderr, flush=True)
                state = "waiting" if tries < TRIES_MAX else "failed"
            with self.lock, self.db:
                self.db.execute("UPDATE events SET state = ?, tries = ? WHERE number = ?", (state, tries, number))
            if state == "waiting":
                time.sleep(2**tries)


class Handler(BaseHTTPRequestHandler):
    protocol_version, timeout = "HTTP/1.1", 30

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        if length > BODY_BYTES_MAX:
            self.close_connection = True
            return self.answer(413)
        body = self.rfile.read(length)
        try:
            # Over the very bytes that came: a parser that writes them again would change them.
            event = self.server.webhook.verify(body, dict(self.headers))
        except (WebhookVerificationError, ValueError):
            return self.answer(401)
        if event["type"] != "endpoint.test":
            events = event["data"] if event["type"] == "batch" else [event]
            self.server.inbox.note(events, "x-dakghar-replay" in self.headers)
        self.answer(204)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def receive(handle):
    """Receives until it is interrupted, and gives each event once to `handle(event, is_replay)`: again if that fails."""
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", 8080))), Handler)
    server.webhook = Webhook(os.environ["WEBHOOK_SECRET"])
    server.inbox = Inbox(os.environ.get("DATA_FILE", "callbacks.db"))
    threading.Thread(target=server.inbox.work, args=(handle,), daemon=True).start()
    print(f"listening on {server.server_port}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


def show(event, is_replay):
    replay, text = " (replay)" if is_replay else "", ""
    # `data` is null once it was erased, and `content` once the person took it back.
    if event["type"] == "message.received" and event["data"]:
        text = f" {event['data']['from']}: {(event['data']['content'] or {}).get('body', '')}"
    print(f"{event['id']} {event['type']}{replay}{text}", flush=True)


if __name__ == "__main__":
    receive(show)
