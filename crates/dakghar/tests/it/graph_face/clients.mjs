// Two clients of npm as they are, but for their base URL and the API key in place of the access token. Each sends messages of
// several forms, one that is refused, and a read mark. Writes one object of JSON with what came back. Started with GATEWAY
// (http://host:port), API_KEY and PHONE_NUMBER_ID in its environment.
import GreatDetail from "@great-detail/whatsapp";
import { GraphApiError, WhatsAppClient } from "@kapso/whatsapp-cloud-api";

const { GATEWAY, API_KEY, PHONE_NUMBER_ID } = process.env;
const to = "919111111111";
const picture = new Blob(["not really a picture"], { type: "image/png" });
const template = {
  name: "order_update",
  language: { code: "en_US" },
  components: [{ type: "body", parameters: [{ type: "text", text: "1234" }] }],
};
const buttons = [{ type: "reply", reply: { id: "yes", title: "Yes" } }];

async function kapso() {
  const client = new WhatsAppClient({ baseUrl: GATEWAY, accessToken: API_KEY });
  const phoneNumberId = PHONE_NUMBER_ID;
  const id = (sent) => sent.messages[0].id;
  const seen = {};
  seen.text = id(await client.messages.sendText({ phoneNumberId, to, body: "hello" }));
  seen.image = id(await client.messages.sendImage({ phoneNumberId, to, image: { link: "https://example.com/a.png" } }));
  const media = await client.media.upload({ phoneNumberId, type: "image/png", file: picture, fileName: "a.png" });
  seen.imageById = id(await client.messages.sendImage({ phoneNumberId, to, image: { id: media.id } }));
  seen.template = id(await client.messages.sendTemplate({ phoneNumberId, to, template }));
  seen.interactive = id(
    await client.messages.sendInteractiveButtons({
      phoneNumberId,
      to,
      bodyText: "well?",
      buttons: [{ id: "yes", title: "Yes" }],
    }),
  );
  seen.reaction = id(
    await client.messages.sendReaction({ phoneNumberId, to, reaction: { messageId: seen.text, emoji: "👍" } }),
  );
  seen.read = (await client.messages.markRead({ phoneNumberId, messageId: "wamid.HBgMfromAPerson" })).success;
  try {
    await client.messages.sendText({ phoneNumberId, to: "919222222222", body: "not on WhatsApp" });
  } catch (error) {
    seen.refused = [error instanceof GraphApiError, error.httpStatus, error.code];
  }
  return seen;
}

async function greatDetail() {
  const client = new GreatDetail({ prefixUrl: GATEWAY, request: { headers: { Authorization: `Bearer ${API_KEY}` } } });
  const phoneNumberID = PHONE_NUMBER_ID;
  const send = async (message) => {
    const sent = await client.message.createMessage({ phoneNumberID, to, ...message }).json();
    return sent.messages[0].id;
  };
  const seen = {};
  seen.text = await send({ type: "text", text: { body: "hello" } });
  seen.image = await send({ type: "image", image: { link: "https://example.com/a.png" } });
  const media = await client.media
    .upload({ phoneNumberID, file: picture, filename: "a.png", mimeType: "image/png" })
    .json();
  seen.imageById = await send({ type: "image", image: { id: media.id } });
  seen.template = await send({ type: "template", template });
  seen.interactive = await send({
    type: "interactive",
    interactive: { type: "button", body: { text: "well?" }, action: { buttons } },
  });
  seen.reaction = await send({ type: "reaction", reaction: { message_id: seen.text, emoji: "👍" } });
  const read = await client.message
    .createStatus({ phoneNumberID, status: "read", message_id: "wamid.HBgMfromAPerson" })
    .json();
  seen.read = read.success;
  try {
    await send({ to: "919222222222", type: "text", text: { body: "not on WhatsApp" } });
  } catch (error) {
    const { error: refusal } = await error.response.json();
    seen.refused = [error.name === "HTTPError", error.response.status, refusal.code];
  }
  return seen;
}

console.log(JSON.stringify({ kapso: await kapso(), greatDetail: await greatDetail() }));
