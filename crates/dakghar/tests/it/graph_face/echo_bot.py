"""A bot that answers each text with the same text, after pywa's own guide: its server takes the webhooks, with its check of
signatures, and its client answers. Only its HTTP session is ours: it goes to the gateway, and since a request that was not
answered may have been carried out, it makes the same one again under the same key. Started with GATEWAY (http://host:port),
API_KEY, PORT, VERIFY_TOKEN, APP_SECRET and PHONE_NUMBER_ID in its environment."""

import hashlib
import os
import time

import httpx
from pywa import WhatsApp, filters, types

gateway = httpx.URL(os.environ["GATEWAY"])


class Transport(httpx.HTTPTransport):
    def handle_request(self, request):
        request.url = request.url.copy_with(scheme=gateway.scheme, host=gateway.host, port=gateway.port)
        request.headers["Idempotency-Key"] = hashlib.sha256(request.read()).hexdigest()
        while True:
            try:
                response = super().handle_request(request)
                if response.status_code != 503:
                    return response
                response.read()
            except httpx.TransportError:
                pass
            time.sleep(0.2)


wa = WhatsApp(
    phone_id=os.environ["PHONE_NUMBER_ID"],
    token=os.environ["API_KEY"],
    session=httpx.Client(transport=Transport(), timeout=15),
    verify_token=os.environ["VERIFY_TOKEN"],
    app_secret=os.environ["APP_SECRET"],
    validate_updates=True,
)


@wa.on_message(filters.text)
def echo(_: WhatsApp, message: types.Message):
    message.reply_text(message.text, quote=True)


wa.run(port=int(os.environ["PORT"]), log_level="warning")
