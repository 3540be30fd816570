"""pywa as it is, but for the host of its HTTP session: messages of every form, one that is refused, a read mark; the same calls
through its synchronous and its asynchronous half. Writes one object of JSON with what came back to each. Started with GATEWAY
(http://host:port), API_KEY, PHONE_NUMBER_ID and WABA_ID in its environment."""

import asyncio
import inspect
import json
import os

import httpx
from pywa import WhatsApp, errors, types
from pywa.types.others import Pagination
from pywa.types.templates import BodyText, TemplateLanguage
from pywa_async import WhatsApp as AsyncWhatsApp

gateway = httpx.URL(os.environ["GATEWAY"])
number = os.environ["PHONE_NUMBER_ID"]
person = "919111111111"


def to_gateway(request):
    request.url = request.url.copy_with(scheme=gateway.scheme, host=gateway.host, port=gateway.port)
    return request


class Transport(httpx.HTTPTransport):
    def handle_request(self, request):
        return super().handle_request(to_gateway(request))


class AsyncTransport(httpx.AsyncHTTPTransport):
    async def handle_async_request(self, request):
        return await super().handle_async_request(to_gateway(request))


async def came(answer):
    """What a call of either half gives."""
    return await answer if inspect.isawaitable(answer) else answer


async def refusal(send):
    try:
        await came(send())
    except errors.WhatsAppError as error:
        return [type(error).__name__, error.code]
    return None


async def talk(of, session):
    wa = of(phone_id=number, token=os.environ["API_KEY"], session=session, waba_id=os.environ["WABA_ID"])
    seen = {}
    text = await came(wa.send_message(to=person, text="hello"))
    seen["text"] = text.id
    seen["reply"] = (await came(wa.send_message(to=person, text="and", reply_to_message_id=text.id))).id
    buttons = [types.Button(title="Yes", callback_data="yes")]
    seen["buttons"] = (await came(wa.send_message(to=person, text="well?", buttons=buttons))).id
    seen["image"] = (await came(wa.send_image(to=person, image="https://example.com/a.png", caption="by link"))).id
    seen["image_by_id"] = (await came(wa.send_image(to=person, image="1234567890"))).id
    template = {"name": "order_update", "language": TemplateLanguage.ENGLISH_US, "params": [BodyText.params("1234")]}
    seen["template"] = (await came(wa.send_template(to=person, **template))).id
    seen["reaction"] = (await came(wa.send_reaction(to=person, emoji="👍", message_id=text.id))).id
    media = await came(wa.upload_media(b"not really a picture", mime_type="image/png", filename="a.png"))
    seen["uploaded"] = (await came(wa.send_image(to=person, image=media))).id
    seen["deleted"] = bool(await came(wa.delete_media(media.id, phone_id=number)))
    templates = await came(wa.get_templates(pagination=Pagination(limit=20)))
    seen["templates"] = [template.name for template in templates]
    seen["number"] = (await came(wa.get_business_phone_number())).verified_name
    await came(wa.update_business_profile(about="Books for Dhaka", industry=types.Industry.RETAIL))
    seen["profile"] = (await came(wa.get_business_profile())).about
    seen["read"] = bool(await came(wa.mark_message_as_read("wamid.HBgMfromAPerson")))
    seen["refused"] = await refusal(lambda: wa.send_message(to="919222222222", text="not on WhatsApp"))
    seen["wrong"] = await refusal(lambda: wa.send_message(to="00", text="nobody"))
    return wa, seen


async def main():
    _, of_sync = await talk(WhatsApp, httpx.Client(transport=Transport()))
    wa, of_async = await talk(AsyncWhatsApp, httpx.AsyncClient(transport=AsyncTransport()))
    together = await asyncio.gather(*[wa.send_message(to=person, text=f"hello {n}") for n in range(10)])
    print(json.dumps({"sync": of_sync, "async": of_async, "together": [sent.id for sent in together]}))


asyncio.run(main())
