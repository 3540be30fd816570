"""pywa's own server, as its guide has it, with its check of signatures: each update that reaches a handler is a line of
JSON on standard output. Started with PORT, VERIFY_TOKEN, APP_SECRET and PHONE_NUMBER_ID in its environment."""

import json
import os

from pywa import WhatsApp, filters, types

wa = WhatsApp(
    phone_id=os.environ["PHONE_NUMBER_ID"],
    token="not-used",
    verify_token=os.environ["VERIFY_TOKEN"],
    app_secret=os.environ["APP_SECRET"],
    validate_updates=True,
)


def tell(**fields):
    # In one piece, because several threads write.
    os.write(1, (json.dumps(fields) + "\n").encode())


@wa.on_message(filters.text)
def on_text(_: WhatsApp, message: types.Message):
    user = message.from_user
    tell(kind="text", id=message.id, sender=user.wa_id, name=user.name, text=message.text)


@wa.on_callback_button()
def on_button(_: WhatsApp, button: types.CallbackButton):
    replied = button.reply_to_message.id
    tell(kind="button", id=button.id, sender=button.from_user.wa_id, data=button.data, title=button.title, replied=replied)


@wa.on_message_status()
def on_status(_: WhatsApp, status: types.MessageStatus):
    tell(kind="status", id=status.id, status=status.status.value, tracker=status.tracker)


wa.run(port=int(os.environ["PORT"]), log_level="warning")
