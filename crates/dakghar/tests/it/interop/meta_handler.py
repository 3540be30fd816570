"""A webhook as the guides of Meta's SDKs write it in Python: each update is a line of JSON on standard output. Started as
meta_pywa.py is."""

import hashlib
import hmac
import json
import os
from urllib.parse import parse_qs
from wsgiref.simple_server import WSGIRequestHandler, make_server

VERIFY_TOKEN, APP_SECRET = os.environ["VERIFY_TOKEN"], os.environ["APP_SECRET"]


def tell(**fields):
    print(json.dumps(fields), flush=True)


def verify(environ):
    query = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
    if query.get("hub.mode") == "subscribe" and query.get("hub.verify_token") == VERIFY_TOKEN:
        return "200 OK", query["hub.challenge"]
    return "403 Forbidden", ""


def receive(environ):
    payload = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    method, _, signature = environ.get("HTTP_X_HUB_SIGNATURE_256", "").partition("=")
    expected = hmac.new(APP_SECRET.encode("utf-8"), payload, hashlib.sha256).hexdigest()
    if method != "sha256" or not hmac.compare_digest(signature, expected):
        return "401 Unauthorized", "Invalid signature"
    body = json.loads(payload)
    assert body["object"] == "whatsapp_business_account"
    value = body["entry"][0]["changes"][0]["value"]
    if "messages" in value:
        message, contact = value["messages"][0], value["contacts"][0]
        if message["type"] == "text":
            name = contact["profile"]["name"]
            tell(kind="text", id=message["id"], sender=message["from"], name=name, text=message["text"]["body"])
        elif message["type"] == "interactive":
            reply, replied = message["interactive"]["button_reply"], message["context"]["id"]
            tell(kind="button", id=message["id"], sender=message["from"], data=reply["id"], title=reply["title"], replied=replied)
    elif "statuses" in value:
        status = value["statuses"][0]
        tell(kind="status", id=status["id"], status=status["status"], tracker=status.get("biz_opaque_callback_data"))
    return "200 OK", "EVENT_RECEIVED"


def app(environ, start_response):
    status, text = receive(environ) if environ["REQUEST_METHOD"] == "POST" else verify(environ)
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text.encode()]


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


make_server("127.0.0.1", int(os.environ["PORT"]), app, handler_class=Quiet).serve_forever()
