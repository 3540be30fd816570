"""Verifies callbacks with the library of the Standard Webhooks specification, and with what Meta's guide says about its
webhooks. Standard input is a list of {headers, body (base64), secrets, appSecret} in JSON; standard output, a line for
each, is whether each secret verifies it."""

import base64
import hashlib
import hmac
import json
import sys

from standardwebhooks import Webhook, WebhookVerificationError


def standard(secret, body, headers):
    try:
        Webhook(secret).verify(body, headers)
        return True
    except WebhookVerificationError:
        return False


def hub(secret, body, headers):
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, headers.get("x-hub-signature-256", ""))


for callback in json.load(sys.stdin):
    body, headers = base64.b64decode(callback["body"]), callback["headers"]
    verdicts = [standard(secret, body, headers) for secret in callback["secrets"]]
    print(json.dumps([*verdicts, hub(callback["appSecret"], body, headers)]))
