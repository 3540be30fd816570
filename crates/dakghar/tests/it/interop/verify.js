// Verifies callbacks with the library of the Standard Webhooks specification, and with what Meta's guide says about its
// webhooks. Standard input is a list of {headers, body (base64), secrets, appSecret} in JSON; standard output, a line for
// each, is whether each secret verifies it.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { Webhook } from 'standardwebhooks';

const standard = (secret, body, headers) => {
  try {
    new Webhook(secret).verify(body.toString('utf8'), headers);
    return true;
  } catch (error) {
    return false;
  }
};

const hub = (secret, body, headers) => {
  const expected = Buffer.from(`sha256=${createHmac('sha256', secret).update(body).digest('hex')}`);
  const got = Buffer.from(headers['x-hub-signature-256'] ?? '');
  return got.length === expected.length && timingSafeEqual(got, expected);
};

let text = '';
for await (const chunk of process.stdin) text += chunk;
for (const { headers, body, secrets, appSecret } of JSON.parse(text)) {
  const bytes = Buffer.from(body, 'base64');
  const verdicts = secrets.map((secret) => standard(secret, bytes, headers));
  console.log(JSON.stringify([...verdicts, hub(appSecret, bytes, headers)]));
}
