'use strict';
// The dialog: tells its opener what a customer chose, as Meta's does, and gives the SDK the code.
(async () => {
  const asked = new URLSearchParams(location.search);
  const at = (id) => document.getElementById(id);
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const { plan, numbers } = await (await fetch('/_sim/dialog/shown')).json();

  at('app').textContent = asked.get('app_id');
  for (const number of numbers) {
    at('number').append(new Option(`+${number.display_phone_number} (${number.waba_id})`, number.phone_number_id));
  }

  // Meta's message is a text.
  function tell(event, data) {
    const text = JSON.stringify({ type: 'WA_EMBEDDED_SIGNUP', version: '3', event, data });
    window.opener.postMessage(text, asked.get('origin'));
  }

  async function finish(withNumber) {
    const id = at('number').value;
    const body = JSON.stringify({ app_id: asked.get('app_id'), phone_number_id: id });
    const given = await (await fetch('/_sim/dialog', { method: 'POST', body })).json();
    if (!given.code) {
      const { error_code: code, error_message: message } = given;
      tell('CANCEL', { error_code: code, error_message: message, session_id: 'simulated', timestamp: String(Date.now()) });
      window.close();
      return;
    }
    const withApp = withNumber && given.is_on_biz_app;
    const ids = withNumber && !withApp ? { phone_number_id: id, waba_id: given.waba_id } : { waba_id: given.waba_id };
    const end = withApp ? 'FINISH_WHATSAPP_BUSINESS_APP_ONBOARDING' : withNumber ? 'FINISH' : 'FINISH_ONLY_WABA';
    const message = () => tell(end, { ...ids, business_id: '1' });
    const code = () => window.opener.postMessage({ simulatedCode: given.code }, asked.get('origin'));
    const parts = { before: [message, code], after: [code, message], lost: [code] }[plan.message];
    for (const part of parts) {
      part();
      await wait(plan.apart_ms);
    }
    window.close();
  }

  at('finish').onclick = () => finish(true);
  at('without').onclick = () => finish(false);
  at('cancel').onclick = () => {
    tell('CANCEL', { current_step: 'PHONE_NUMBER_SETUP' });
    window.close();
  };
  at('error').onclick = () => {
    tell('CANCEL', { error_code: '200', error_message: 'The business is restricted', session_id: 'simulated', timestamp: '1' });
    window.close();
  };
  document.body.dataset.ready = 'yes';
})();
