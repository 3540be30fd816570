'use strict';
// Plays Meta's SDK, as far as Embedded Signup needs it: FB.init, and FB.login, which opens a window and calls back with a code,
// or with `unknown` when the window is closed without one.
(() => {
  const origin = new URL(document.currentScript.src).origin;
  let app = null;

  function login(callback, options) {
    if (!app) throw new Error('FB.login() called before FB.init().');
    const asked = new URLSearchParams({
      app_id: app,
      config_id: options.config_id || '',
      origin: location.origin,
      extras: JSON.stringify(options.extras || {}),
    });
    const popup = window.open(`${origin}/_sim/dialog?${asked}`, 'dialog', 'popup,width=480,height=640');
    // The real SDK does not call back either if the browser opens no window.
    if (!popup) return;
    let isOver = false;
    const end = (response) => {
      if (isOver) return;
      isOver = true;
      clearInterval(looking);
      window.removeEventListener('message', listen);
      callback(response);
    };
    const listen = (event) => {
      if (event.origin !== origin || event.source !== popup || !event.data || !event.data.simulatedCode) return;
      end({ status: 'connected', authResponse: { code: event.data.simulatedCode } });
    };
    const looking = setInterval(() => {
      if (popup.closed) end({ status: 'unknown', authResponse: null });
    }, 200);
    window.addEventListener('message', listen);
  }

  window.FB = {
    init(options) {
      app = String(options.appId);
    },
    login,
    getLoginStatus(callback) {
      callback({ status: 'unknown', authResponse: null });
    },
  };
  if (typeof window.fbAsyncInit === 'function') window.fbAsyncInit();
})();
