'use strict';
// Connects a number: runs Meta's dialog, gives its code to the server, and shows how far that is.
//
// The code lives for 30 seconds, so nothing stands between it and its sending. The message of the dialog, which names the
// account and the number, comes before or after the code or not at all: it is waited for shortly, and the server believes it
// only as far as Meta confirms it.
(() => {
  const MESSAGE_WAIT_MS = 1500;
  const CLOSED_WAIT_MS = 500;
  const SDK_WAIT_MS = 20000;
  const RESEND_MS = 1500;
  const SENDS_MAX = 6;
  const RETURN_SECONDS = 5;

  const root = document.getElementById('page');
  const page = JSON.parse(root.dataset.page);
  const tenant = root.dataset.tenant;
  const base = location.pathname.replace(/\/+$/, '');
  const at = (id) => document.getElementById(id);
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));

  let status = page.status;
  let shown = null;
  let attempt = null;
  let isReady = false;
  let polling = null;
  let hasWatched = false;

  function text(key, values) {
    const known = { tenant, ...values };
    return (page.texts[key] || '').replace(/\{(\w+)\}/g, (_, name) => known[name] ?? '');
  }

  function show(name) {
    if (shown === name) return;
    for (const section of root.querySelectorAll('section')) section.hidden = section.id !== name;
    // Whoever listens to the page hears where it is now.
    if (shown !== null) at(name).querySelector('h1').focus();
    shown = name;
  }

  function complain(words) {
    at('trouble').textContent = words || '';
    at('trouble').hidden = !words;
  }

  // --- Asking the server

  async function ask(method, path, body) {
    const response = await fetch(base + path, {
      method,
      cache: 'no-store',
      credentials: 'same-origin',
      // What was sent goes on when the page is left or reloaded: a code cannot be sent again.
      keepalive: method === 'POST',
      headers: body ? { 'Content-Type': 'application/json' } : {},
      body: body ? JSON.stringify({ state: page.state, ...body }) : undefined,
    });
    const answer = await response.json().catch(() => ({}));
    return { code: response.status, answer };
  }

  // Asks until the server has answered, as long as that makes sense.
  async function askSurely(path, body) {
    for (let sends = 1; ; sends += 1) {
      const reply = await ask('POST', path, body).catch(() => null);
      const isAnswer = reply && reply.code < 500 && reply.code !== 429;
      if (isAnswer || sends === SENDS_MAX) return reply;
      complain(text('error.network'));
      await wait(RESEND_MS);
    }
  }

  // Says why the server refused. Returns to where the customer was.
  function refused(reply, back) {
    const code = reply && reply.answer.code;
    if (code === 'link_over' || code === 'link_not_found') {
      location.reload();
      return;
    }
    const words = {
      foreign_browser: 'error.cookies',
      signup_code_used: 'error.code',
    };
    show(back);
    complain(text(words[code] || (reply ? 'error.other' : 'error.unsent')));
  }

  function report(event, details) {
    // The customer goes on whether the tenant learns of it or not.
    ask('POST', '/report', { event, ...details }).catch(() => null);
  }

  // --- Meta's dialog

  function isTrusted(origin) {
    if (page.otherOrigin && origin === page.otherOrigin) return true;
    try {
      const url = new URL(origin);
      const isMetas = url.hostname === 'facebook.com' || url.hostname.endsWith('.facebook.com');
      return url.protocol === 'https:' && url.port === '' && isMetas;
    } catch {
      return false;
    }
  }

  function loadSdk() {
    const script = document.createElement('script');
    const late = setTimeout(() => sdkFailed(), SDK_WAIT_MS);
    window.fbAsyncInit = () => {
      clearTimeout(late);
      window.FB.init({ appId: page.appId, version: page.apiVersion, autoLogAppEvents: false, xfbml: false });
      isReady = true;
      at('begin').textContent = text('start.button');
      for (const id of ['begin', 'dialog-again', 'again']) at(id).disabled = false;
    };
    script.src = page.sdkUrl;
    script.async = true;
    script.crossOrigin = 'anonymous';
    script.onerror = () => {
      clearTimeout(late);
      sdkFailed();
    };
    document.head.append(script);
  }

  function sdkFailed() {
    if (isReady) return;
    complain(text('error.sdk'));
    at('begin').hidden = true;
    at('dialog-again').disabled = true;
    at('reload').hidden = false;
    if (status.state === 'invited') report('blocked');
  }

  // Called from a click and nowhere else: browsers open windows only then.
  function openDialog() {
    complain('');
    const mine = { isFirst: status.state === 'invited', back: status.state === 'invited' ? 'start' : 'stopped' };
    attempt = mine;
    const open = window.open;
    let opened;
    window.open = (...parts) => {
      opened = open.apply(window, parts);
      return opened;
    };
    try {
      window.FB.login((response) => onLogin(mine, response), {
        config_id: page.configId,
        response_type: 'code',
        override_default_response_type: true,
        extras: page.extras,
      });
    } catch {
      opened = null;
    } finally {
      window.open = open;
    }
    if (opened === null) {
      mine.isOver = true;
      failed(mine, 'blocked', {}, 'error.popup');
      return;
    }
    show('dialog');
  }

  function failed(mine, event, details, key) {
    mine.isTold = true;
    show(mine.back);
    complain(text(key));
    if (mine.isFirst) report(event, details);
  }

  function onLogin(mine, response) {
    if (mine !== attempt || mine.isOver) return;
    const code = response && response.authResponse && response.authResponse.code;
    if (code) {
      mine.code = code;
      if (mine.ids) submit(mine);
      else setTimeout(() => submit(mine), MESSAGE_WAIT_MS);
      return;
    }
    // The message that says why may be on its way.
    setTimeout(() => {
      if (mine === attempt && !mine.isTold && !mine.code) failed(mine, 'abandoned', {}, 'reason.abandoned');
    }, CLOSED_WAIT_MS);
  }

  function onMessage(event) {
    const mine = attempt;
    if (!mine || mine.isOver || !isTrusted(event.origin) || typeof event.data !== 'string') return;
    let told;
    try {
      told = JSON.parse(event.data);
    } catch {
      return;
    }
    if (!told || told.type !== 'WA_EMBEDDED_SIGNUP') return;
    const data = told.data && typeof told.data === 'object' ? told.data : {};
    const hasError = data.error_message || data.error_code || data.error_id;
    if (told.event === 'ERROR' || (told.event === 'CANCEL' && hasError)) {
      const details = { errorCode: textOf(data.error_code ?? data.error_id), errorMessage: textOf(data.error_message) };
      failed(mine, 'error', details, 'reason.dialog_error');
    } else if (told.event === 'CANCEL') {
      failed(mine, 'abandoned', { currentStep: textOf(data.current_step) }, 'reason.abandoned');
    } else {
      mine.ids = { wabaId: idOf(data.waba_id), phoneNumberId: idOf(data.phone_number_id), event: nameOf(told.event) };
      if (mine.code) submit(mine);
    }
  }

  function textOf(value) {
    return value === undefined || value === null ? undefined : String(value).slice(0, 500);
  }

  function idOf(value) {
    return /^[0-9]{1,20}$/.test(String(value)) ? String(value) : undefined;
  }

  function nameOf(value) {
    return /^[A-Z_]{1,64}$/.test(String(value)) ? String(value) : undefined;
  }

  async function submit(mine) {
    if (mine !== attempt || mine.isSent) return;
    mine.isSent = true;
    attempt = null;
    complain('');
    const steps = status.steps.map((step, n) => ({ ...step, state: ['done', 'now'][n] || 'ahead' }));
    render({ ...status, state: 'running', steps, reason: null });
    const reply = await askSurely(mine.isFirst ? '' : '/retry', { code: mine.code, ...mine.ids });
    complain('');
    if (reply && reply.code < 300) {
      follow(reply.answer);
      return;
    }
    // It may have arrived although the answer did not.
    const now = await ask('GET', '/status').catch(() => null);
    if (now && now.code === 200 && ['running', 'waiting', 'done'].includes(now.answer.state)) follow(now.answer);
    else refused(reply, mine.back);
  }

  // --- How far it is

  function follow(now) {
    hasWatched = true;
    render(now);
    if (now.state === 'running' || now.state === 'waiting') poll(0);
  }

  function poll(count) {
    clearTimeout(polling);
    const pause = count < 30 ? 1000 : count < 100 ? 3000 : 10000;
    polling = setTimeout(async () => {
      const reply = await ask('GET', '/status').catch(() => null);
      if (reply && [403, 404, 410].includes(reply.code)) {
        location.reload();
        return;
      }
      complain(reply && reply.code === 200 ? '' : text('error.network'));
      if (reply && reply.code === 200) render(reply.answer);
      if (status.state === 'running' || status.state === 'waiting') poll(count + 1);
    }, pause);
  }

  // A code that was sent right before a reload may arrive after it.
  function lookAgain(count) {
    setTimeout(async () => {
      const reply = await ask('GET', '/status').catch(() => null);
      if (attempt || status.state !== 'invited') return;
      if (reply && reply.code === 200 && reply.answer.state !== 'invited') follow(reply.answer);
      else if (count > 1) lookAgain(count - 1);
    }, 2000);
  }

  function render(now) {
    const before = status;
    status = now;
    const views = { invited: 'start', running: 'progress', waiting: 'progress', stopped: 'stopped', done: 'done' };
    const view = views[now.state];
    if (!view) {
      location.reload();
      return;
    }
    if (view === 'start' && now.reason) complain(text('reason.' + now.reason));
    if (view === 'progress') renderSteps(now, before);
    if (view === 'stopped') renderStopped(now);
    if (view === 'done') renderDone(now);
    show(view);
  }

  function renderSteps(now, before) {
    at('steps').replaceChildren(...now.steps.map((step) => {
      const item = document.createElement('li');
      item.dataset.state = step.state;
      const words = document.createElement('span');
      words.textContent = text('step.' + step.name);
      const state = document.createElement('span');
      state.className = 'unseen';
      state.textContent = text('stepstate.' + step.state);
      item.append(words, state);
      return item;
    }));
    at('waiting').textContent = text(now.state === 'waiting' ? 'progress.waiting' : 'progress.text');
    const current = now.steps.find((step) => step.state === 'now');
    const previous = before.steps.find((step) => step.state === 'now');
    if (current && (!previous || previous.name !== current.name)) at('said').textContent = text('step.' + current.name);
  }

  function renderStopped(now) {
    at('why').textContent = text('reason.' + now.reason) || text('reason.meta_refused');
    at('pin-form').hidden = now.next !== 'pin';
    at('dialog-again').hidden = now.next !== 'dialog';
    at('dialog-again').disabled = !isReady;
    at('retry').hidden = now.next !== 'retry';
  }

  function renderDone(now) {
    at('number').textContent = now.number || '';
    at('number').parentElement.hidden = !now.number;
    if (!page.returnUrl) return;
    const url = new URL(page.returnUrl);
    url.searchParams.set('signupId', page.signupId);
    url.searchParams.set('state', 'done');
    at('return').href = url.href;
    at('close').hidden = true;
    at('leave').hidden = false;
    // Whoever comes back to a page that was done already may look at it.
    if (hasWatched) leave(url.href, RETURN_SECONDS);
    else at('stay').hidden = true;
  }

  function leave(url, seconds) {
    let left = seconds;
    const tell = () => {
      at('countdown').textContent = text('done.auto', { seconds: left.toLocaleString(document.documentElement.lang) });
    };
    tell();
    at('said').textContent = at('countdown').textContent;
    const ticking = setInterval(() => {
      left -= 1;
      if (left > 0) {
        tell();
        return;
      }
      clearInterval(ticking);
      location.assign(url);
    }, 1000);
    at('stay').onclick = () => {
      clearInterval(ticking);
      at('countdown').hidden = true;
      at('stay').hidden = true;
      at('return').focus();
    };
  }

  async function goOn(body) {
    complain('');
    const reply = await askSurely('/retry', body);
    complain('');
    if (reply && reply.code < 300) follow(reply.answer);
    else refused(reply, 'stopped');
  }

  // --- The page

  at('begin').onclick = openDialog;
  at('again').onclick = openDialog;
  at('dialog-again').onclick = openDialog;
  at('reload').onclick = () => location.reload();
  at('retry').onclick = () => goOn({});
  at('pin-form').onsubmit = (event) => {
    event.preventDefault();
    const pin = at('pin').value.trim().replace(/[০-৯]/g, (digit) => String(digit.charCodeAt(0) - 0x9e6));
    const isPin = /^[0-9]{6}$/.test(pin);
    at('pin-error').hidden = isPin;
    at('pin').setAttribute('aria-invalid', String(!isPin));
    if (!isPin) {
      at('pin').focus();
      return;
    }
    at('pin').value = '';
    goOn({ pin });
  };
  window.addEventListener('message', onMessage);
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden && polling && (status.state === 'running' || status.state === 'waiting')) poll(0);
  });

  render(status);
  if (status.state === 'running' || status.state === 'waiting') follow(status);
  if (status.state === 'invited') lookAgain(15);
  if (status.state !== 'done') loadSdk();
})();
