// Receives callbacks of Dakghar: checks the signature, notes them in a file, answers, and works on them afterwards.
//
//     npm install
//     WEBHOOK_SECRET=whsec_... node receiver.js
//
// WEBHOOK_SECRET is what the endpoint was made with. PORT (8080) is where it listens, DATA_FILE (callbacks.jsonl) the file.
import { open } from 'node:fs/promises';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { Webhook } from 'standardwebhooks';

const BODY_BYTES_MAX = 16 * 1024 * 1024;
const TRIES_MAX = 5;

// What has come, a line each. It outlives the program, so nothing is lost that was answered with 2xx.
class Inbox {
  known = new Set();
  waiting = [];
  turn = Promise.resolve();
  wake = () => {};

  static async open(path) {
    const inbox = new Inbox();
    inbox.file = await open(path, 'a+');
    const text = await inbox.file.readFile('utf8');
    // A crash may leave a part of a line, which was not answered yet.
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    inbox.bytes = Buffer.byteLength(whole);
    await inbox.file.truncate(inbox.bytes);
    const lines = whole.split('\n').filter(Boolean).map((line) => JSON.parse(line));
    const done = new Set(lines.map((line) => line.done));
    const noted = lines.filter((line) => line.event);
    inbox.known = new Set(noted.map(({ event }) => event.id));
    inbox.waiting = noted.filter(({ event }) => !done.has(event.id));
    return inbox;
  }

  // One write at a time; it has reached the disk when this returns.
  append(lines) {
    const written = this.turn.then(async () => {
      const news = lines.filter(({ event }) => !event || !this.known.has(event.id));
      const text = news.map((line) => `${JSON.stringify(line)}\n`).join('');
      try {
        await this.file.appendFile(text);
        await this.file.sync();
      } catch (error) {
        await this.file.truncate(this.bytes);
        throw error;
      }
      this.bytes += Buffer.byteLength(text);
      return news;
    });
    this.turn = written.catch(() => {});
    return written;
  }

  // Notes events. An id that is known was noted before, so its event is left out.
  async note(events, isReplay) {
    const news = await this.append(events.map((event) => ({ event, isReplay })));
    for (const { event } of news) this.known.add(event.id);
    this.waiting.push(...news);
    this.wake();
  }

  // Works on what waits, in the order in which it came, for ever.
  async work(handle) {
    for (;;) {
      while (!this.waiting.length) await new Promise((resolve) => (this.wake = resolve));
      const { event, isReplay } = this.waiting[0];
      for (let tries = 1; tries <= TRIES_MAX; tries += 1) {
        try {
          await handle(event, isReplay);
          break;
        } catch (error) {
          // Whatever it is, the events behind it must not wait for ever.
          console.error(`try ${tries} failed:`, error.message);
          if (tries < TRIES_MAX) await sleep(1000 * 2 ** tries);
        }
      }
      await this.append([{ done: event.id }]);
      this.waiting.shift();
    }
  }
}

// Receives, and gives each event once to `handle(event, isReplay)`: again if that fails.
export async function receive(handle) {
  const webhook = new Webhook(process.env.WEBHOOK_SECRET);
  const inbox = await Inbox.open(process.env.DATA_FILE ?? 'callbacks.jsonl');
  const answer = async (request) => {
    const parts = [];
    let bytes = 0;
    for await (const part of request) {
      bytes += part.length;
      if (bytes > BODY_BYTES_MAX) return 413;
      parts.push(part);
    }
    let event;
    try {
      // Over the very bytes that came: a parser that writes them again would change them.
      event = webhook.verify(Buffer.concat(parts), request.headers);
    } catch {
      return 401;
    }
    if (event.type !== 'endpoint.test') {
      await inbox.note(event.type === 'batch' ? event.data : [event], 'x-dakghar-replay' in request.headers);
    }
    return 204;
  };
  const server = createServer((request, response) => {
    const end = (status) => response.writeHead(status).end();
    answer(request).then(end, (error) => {
      console.error('not noted:', error.message);
      end(500);
    });
  });
  server.listen(Number(process.env.PORT ?? 8080), '127.0.0.1', () => console.log(`listening on ${server.address().port}`));
  await inbox.work(handle);
}

function show({ id, type, data }, isReplay) {
  const replay = isReplay ? ' (replay)' : '';
  // `data` is null once it was erased, and `content` once the person took it back.
  const text = type === 'message.received' && data ? ` ${data.from}: ${data.content?.body ?? ''}` : '';
  console.log(`${id} ${type}${replay}${text}`);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) await receive(show);
