// A customer with a browser on an onboarding page: `node browser.mjs '{"scenario": "connects", "url": …}'`.
//
// Prints one JSON object: what the customer saw, and in `problems` whatever no page may do (errors, violations of its policy,
// requests to strangers, texts that do not fit, and what axe finds).
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const asked = JSON.parse(process.argv[2]);
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const problems = [];
const seen = {};
mkdirSync(asked.shots, { recursive: true });

const browser = await chromium.launch({
  executablePath: asked.chromium,
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
});

async function newContext() {
  const context = await browser.newContext({
    viewport: { width: asked.width, height: asked.width < 600 ? 760 : 900 },
    locale: asked.locale || 'en-US',
    isMobile: asked.width < 600,
    hasTouch: asked.width < 600,
    colorScheme: asked.dark ? 'dark' : 'light',
  });
  context.setDefaultTimeout(30_000);
  context.on('request', (request) => {
    const host = new URL(request.url()).hostname;
    const isOurs = ['127.0.0.1', 'localhost', ''].includes(host) || (asked.strangers || []).includes(host);
    if (!isOurs) problems.push(`a request to ${host}`);
  });
  return context;
}

async function newPage(context) {
  const page = await context.newPage();
  page.on('pageerror', (error) => problems.push(`an error: ${error.message}`));
  page.on('console', (message) => {
    const isExpected = (asked.expected || []).some((part) => message.text().includes(part));
    if (message.type() === 'error' && !isExpected) problems.push(`the console: ${message.text()}`);
  });
  return page;
}

let shots = 0;
async function shoot(page, name) {
  shots += 1;
  const width = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (width > 0) problems.push(`${name}: ${width} pixels too wide`);
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run());
  for (const violation of found.violations) {
    problems.push(`${name}: ${violation.id}: ${violation.nodes.map((node) => node.html).join(' ')}`);
  }
  const file = `${asked.scenario}-${asked.width}-${asked.locale || 'en-US'}-${shots}-${name}.png`;
  await page.screenshot({ path: join(asked.shots, file), fullPage: true });
}

async function opened(context) {
  const page = await newPage(context);
  const response = await page.goto(asked.url);
  seen.status = response.status();
  seen.language = await page.getAttribute('html', 'lang');
  return page;
}

// Clicks what opens Meta's dialog, and returns that once it can be used.
async function dialogOf(page, button) {
  await page.locator(`${button}:not([disabled])`).waitFor();
  const [popup] = await Promise.all([page.waitForEvent('popup'), page.click(button)]);
  await popup.locator('body[data-ready]').waitFor();
  return popup;
}

// Clicks what closes the dialog, which may be gone before the click is answered.
async function leave(popup, button) {
  await Promise.all([popup.waitForEvent('close'), popup.click(button).catch(() => null)]);
}

async function finish(popup, choice) {
  await popup.selectOption('#number', asked.number);
  await leave(popup, choice || '#finish');
}

async function doneOf(page) {
  await page.locator('#done').waitFor();
  seen.heading = await page.innerText('#done h1');
  seen.number = await page.innerText('#number');
}

const trouble = async (page) => {
  await page.locator('#trouble:not([hidden])').waitFor();
  return page.innerText('#trouble');
};

const scenarios = {
  async connects(context) {
    const page = await opened(context);
    await page.locator('#begin:not([disabled])').waitFor();
    seen.start = await page.innerText('#start h1');
    await shoot(page, 'start');
    const popup = await dialogOf(page, '#begin');
    await page.locator('#dialog').waitFor();
    await shoot(page, 'dialog');
    await finish(popup);
    await page.locator('#progress').waitFor();
    seen.steps = await page.locator('#steps li').count();
    await shoot(page, 'progress');
    await doneOf(page);
    await shoot(page, 'done');
    seen.focused = await page.evaluate(() => document.activeElement.tagName);
    if (asked.returns) {
      seen.return = await page.getAttribute('#return', 'href');
      await page.waitForURL((url) => url.searchParams.get('state') === 'done');
      seen.came = page.url();
    }
  },

  // The window is closed, left at a step, and reports an error; a stranger's message counts for nothing. Then it is finished.
  async stumbles(context) {
    const page = await opened(context);
    let popup = await dialogOf(page, '#begin');
    await popup.close();
    seen.closed = await trouble(page);
    await shoot(page, 'closed');
    popup = await dialogOf(page, '#begin');
    await page.evaluate(() => {
      const forged = { type: 'WA_EMBEDDED_SIGNUP', event: 'CANCEL', data: { current_step: 'FORGED' } };
      window.postMessage(JSON.stringify(forged), '*');
      window.postMessage('no JSON', '*');
      return new Promise((done) => setTimeout(done, 300));
    });
    seen.forged = await page.isVisible('#trouble');
    await leave(popup, '#cancel');
    seen.abandoned = await trouble(page);
    // Reports are kept a second apart.
    await page.waitForTimeout(1_200);
    popup = await dialogOf(page, '#begin');
    await leave(popup, '#error');
    seen.error = await trouble(page);
    await shoot(page, 'error');
    popup = await dialogOf(page, '#begin');
    await finish(popup);
    await doneOf(page);
  },

  // The page is reloaded while the number is connected, and again when it is.
  async reloads(context) {
    const page = await opened(context);
    const popup = await dialogOf(page, '#begin');
    await page.reload();
    await popup.close().catch(() => null);
    await finish(await dialogOf(page, '#begin'));
    await page.locator('#progress').waitFor();
    await page.reload();
    await page.locator('#progress').waitFor();
    await doneOf(page);
    await page.reload();
    await doneOf(page);
    await page.waitForTimeout(1_000);
    const other = await newContext();
    const stranger = await newPage(other);
    const response = await stranger.goto(asked.url);
    seen.stranger = [response.status(), await stranger.getAttribute('[data-notice]', 'data-notice')];
    await shoot(stranger, 'stranger');
  },

  // The browser opens no window.
  async blocked(context) {
    const page = await newPage(context);
    await page.addInitScript(() => {
      window.open = () => null;
    });
    await page.goto(asked.url);
    await page.locator('#begin:not([disabled])').waitFor();
    await page.click('#begin');
    seen.trouble = await trouble(page);
    await shoot(page, 'blocked');
  },

  // The SDK does not come.
  async without(context) {
    const page = await opened(context);
    seen.trouble = await trouble(page);
    await page.locator('#reload').waitFor();
    await shoot(page, 'without');
    await Promise.all([page.waitForEvent('load'), page.click('#reload')]);
    await finish(await dialogOf(page, '#begin'));
    await doneOf(page);
  },

  // The number has a PIN. The connection is lost for a moment.
  async pin(context) {
    const page = await opened(context);
    await finish(await dialogOf(page, '#begin'), '#without');
    await page.locator('#pin-form').waitFor();
    seen.why = await page.innerText('#why');
    await shoot(page, 'pin');
    await page.fill('#pin', '12');
    await page.click('#pin-form button');
    seen.wrong = await page.isVisible('#pin-error');
    await page.fill('#pin', asked.pin);
    await context.setOffline(true);
    await page.click('#pin-form button');
    seen.offline = await trouble(page);
    await context.setOffline(false);
    await doneOf(page);
  },

  async notice(context) {
    const page = await opened(context);
    seen.notice = await page.getAttribute('[data-notice]', 'data-notice');
    seen.heading = await page.innerText('h1');
    await shoot(page, 'notice');
  },
};

try {
  await scenarios[asked.scenario](await newContext());
} catch (error) {
  problems.push(`it ended: ${error.message}`);
} finally {
  await browser.close();
}
console.log(JSON.stringify({ ...seen, problems }));
