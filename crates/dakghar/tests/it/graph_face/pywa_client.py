"""pywa as it is, but for the host of its HTTP session: messages of every form, one that is refused, a read mark; then the same
through its asynchronous half. Writes one object of JSON with the ids that came back. Started with GATEWAY (http://host:port),
API_KEY and PHONE_NUMBER_ID in its environment."""

import asyncio
import json
import os

import httpx
from pywa import WhatsApp, errors, types
from pywa.types.others import Pagination
from pywa.types.templates import BodyText, TemplateLanguage
from pywa_async import WhatsApp as AsyncWhatsApp

gateway = httpx.URL(os.environ["GATEWAY"])
person = "919111111111"
seen = {}


def to_gateway(request):
    request.url = request.url.copy_with(scheme=gateway.scheme, host=gateway.host, port=gateway.port)
    return request


class Transport(httpx.HTTPTransport):
    def handle_request(self, request):
        return super().handle_request(to_gateway(request))


class AsyncTransport(httpx.AsyncHTTPTransport):
    async def handle_async_request(self, request):
        return await super().handle_async_request(to_gateway(request))


def template():
    return {"name": "order_update", "language": TemplateLanguage.ENGLISH_US, "params": [BodyText.params("1234")]}


def buttons():
    return [types.Button(title="Yes", callback_data="yes")]


def talk():
    wa = WhatsApp(
        phone_id=os.environ["PHONE_NUMBER_ID"],
        token=os.environ["API_KEY"],
        session=httpx.Client(transport=Transport()),
        waba_id=os.environ["WABA_ID"],
    )
    text = wa.send_message(to=person, text="hello")
    seen["text"] = text.id
    seen["reply"] = wa.send_message(to=person, text="and", reply_to_message_id=text.id).id
    seen["buttons"] = wa.send_message(to=person, text="well?", buttons=buttons()).id
    seen["image"] = wa.send_image(to=person, image="https://example.com/a.png", caption="by link").id
    seen["image_by_id"] = wa.send_image(to=person, image="1234567890").id
    seen["template"] = wa.send_template(to=person, **template()).id
    seen["reaction"] = wa.send_reaction(to=person, emoji="👍", message_id=text.id).id
    media = wa.upload_media(b"not really a picture", mime_type="image/png", filename="a.png")
    seen["uploaded"] = wa.send_image(to=person, image=media).id
    seen["deleted"] = bool(wa.delete_media(media.id, phone_id=os.environ["PHONE_NUMBER_ID"]))
    seen["templates"] = [template.name for template in wa.get_templates(pagination=Pagination(limit=20))]
    seen["number"] = wa.get_business_phone_number().verified_name
    wa.update_business_profile(about="Books for Dhaka", industry=types.Industry.RETAIL)
    seen["profile"] = wa.get_business_profile().about
    seen["read"] = bool(wa.mark_message_as_read("wamid.HBgMfromAPerson"))
    try:
        wa.send_message(to="919222222222", text="not on WhatsApp")
    except errors.WhatsAppError as error:
        seen["refused"] = [type(error).__name__, error.code]
    try:
        wa.send_message(to="00", text="nobody")
    except errors.WhatsAppError as error:
        seen["wrong"] = [type(error).__name__, error.code]


async def talk_async():
    wa = AsyncWhatsApp(
        phone_id=os.environ["PHONE_NUMBER_ID"],
        token=os.environ["API_KEY"],
        session=httpx.AsyncClient(transport=AsyncTransport()),
    )
    sent = [wa.send_message(to=person, text=f"hello {n}") for n in range(10)]
    seen["async"] = [message.id for message in await asyncio.gather(*sent)]
    image = await wa.send_image(to=person, image="https://example.com/a.png")
    seen["async_reaction"] = (await wa.send_reaction(to=person, emoji="🎉", message_id=image.id)).id
    try:
        await wa.send_message(to="919222222222", text="not on WhatsApp")
    except errors.WhatsAppError as error:
        seen["async_refused"] = [type(error).__name__, error.code]


talk()
asyncio.run(talk_async())
print(json.dumps(seen))
