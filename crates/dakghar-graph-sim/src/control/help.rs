//! The page at `/` and the health check.

use axum::Json;
use serde_json::{Value, json};

const PAGE: &str = "\
A simulated Meta for development, tests and load.

Graph API (any version v1.0 to v26.0; Authorization: Bearer <token>)
  POST   /{version}/{phone_number_id}/messages     send a message, or mark one as read
  GET    /{version}/{phone_number_id}?fields=      a number (or a WABA, given its id)
  GET    /{version}/{waba_id}/phone_numbers        numbers of a WABA (fields=, limit=, after=)
  GET    /{version}/debug_token?input_token=       what a token is (as an app: Bearer APP_ID|APP_SECRET)
  GET    /{version}/oauth/access_token             a token for a code of the dialog (code=), or one that lasts longer
                                                   (grant_type=fb_exchange_token)
  POST   /{version}/{waba_id}/subscribed_apps      subscribe, at the app's URL or another (GET: who is; DELETE: unsubscribe)
  POST   /{version}/{phone_number_id}/register     register with a PIN (and /deregister); ten times in 72 hours
  POST   /{version}/{credit}/whatsapp_credit_sharing_and_attach  share a credit line with an account

Control API (JSON)
  GET    /_sim/health
  GET    /_sim/stats                               counters since the start
  GET    /_sim/journal                             calls; ?phone_number_id= &biz_opaque= &after_seq= &limit= &counts=1
  DELETE /_sim/journal                             forget them
  GET    /_sim/rules                               fault rules and their hits
  POST   /_sim/rules                               add one, or a list
  DELETE /_sim/rules, /_sim/rules/{id}             remove all, or one
  POST   /_sim/inbound                             {phone_number_id, from, text | message} as a signed webhook
  POST   /_sim/status                              {phone_number_id, wamid, status, ..} as a signed webhook
  GET    /_sim/kinds                               every kind of update that Meta posts, by name
  POST   /_sim/kinds/{name}                        {phone_number_id, seed}: one of them
  POST   /_sim/mixture                             a random mixture of kinds over several numbers, see below
  POST   /_sim/webhook                             any JSON as a signed webhook, once
  PUT    /_sim/webhook                             {url, app_secret}: where webhooks go (url null: nowhere)
  GET    /_sim/statuses                            the plan of statuses
  PUT    /_sim/statuses                            {enabled, sent_ms, delivered_ms, read_ms, duplicate_probability, shuffle, batch_max}
  GET    /_sim/limits                              the limits on messages that are played
  PUT    /_sim/limits                              {messages_per_second, pairs}: those of numbers (0: none), of a number and a person
  GET    /_sim/usage                               how much of the allowances for calls is used
  PUT    /_sim/usage                               {accounts: {waba_id: {call_count, total_cputime, total_time,
                                                   estimated_time_to_regain_access}}, app: {..}}, in percent and minutes: told
                                                   with each answer; at 100 messages, media and templates are refused (80007, 4)
  GET    /_sim/numbers                             numbers given or seen
  PUT    /_sim/numbers                             [{phone_number_id, waba_id, display_phone_number}]
  GET    /_sim/tokens                              tokens that were described, or given by a renewal
  PUT    /_sim/tokens                              [{token, app_id, kind, expires_at, is_valid, scopes, waba_ids}]
  PUT    /_sim/proof                               {required}: whether sends need appsecret_proof
  POST   /_sim/codes                               {waba_ids, code, app_id, scopes, life_ms}: a customer finished the dialog
  GET    /_sim/sdk.js                              a script that plays Meta's SDK; FB.login opens /_sim/dialog
  PUT    /_sim/dialog                              {message: before | after | lost, apart_ms}: the dialog's message and its code
  PUT    /_sim/onboarding                          {accounts: [{waba_id, currency, is_paid_for}], numbers: [{phone_number_id,
                                                   waba_id, is_registered, pin, is_verified, is_on_biz_app, throughput, ..}]}
                                                   is_on_biz_app numbers are never registered; connected_seconds_ago says
                                                   since when their app can be asked for what it has
  PUT    /_sim/app                                 {contacts, messages, people, chunk, is_declined}: what the WhatsApp Business
                                                   apps of numbers with is_on_biz_app have, and send when asked (GET: shown)
  POST   /_sim/app                                 {phone_number_id, event}: an app is disconnected (PARTNER_REMOVED,
                                                   ACCOUNT_OFFBOARDED) or connected again (ACCOUNT_RECONNECTED)
  POST   /_sim/app/echoes                          {phone_number_id, to, text}: the business types a message in its app
  POST   /_sim/drift                               {phone_number_id, waba_id, number: {quality_rating: \"RED\", ..}, account: {..},
                                                   subscriptions: [{app_id, override_callback_uri}]}: what has changed at Meta, in
                                                   Meta's fields; null takes a field back, no subscriptions lose the webhooks
  GET    /_sim/onboarding/journal                  what was asked to connect numbers (DELETE: forget it)

A rule: {when, rate, times, fault}
  when   {phone_number_id, to, text_contains, biz_opaque_prefix, message_type}, each optional; with call only calls that connect
         numbers: exchange, debug_token, account, numbers, number, profile, subscriptions, subscribe, unsubscribe, register,
         deregister, revoke, credit, contacts, history (smb_app_data);
         sdk keeps the script away, and dialog makes the dialog report the error
  rate   \"always\" | {\"probability\": 0.1} | {\"every_nth\": 3} | {\"first\": 5}
  fault  {\"graph_error\": {\"code\": 130429, subcode, http, is_transient, details, retry_after_seconds}}
         \"html_bad_gateway\" | \"empty_body\" | \"bad_json\" | \"timeout_after_accept\" | {\"reset_after_body\": {\"accept\": true}}
         \"reset_before_read\" | {\"slow\": {\"ms\": 500}} | {\"status_failed\": {\"code\": 131026}} | \"no_webhook\"
         {\"webhook_before_response\": {\"ms\": 500}} | \"held_for_quality\"

A mixture: {seed, bodies, phone_number_ids, kinds, ..}, each optional; the same seed, numbers and now_seconds give the same bytes
  seed, bodies (100), phone_number_ids (all known), kinds (all), now_seconds (now; many updates are told days late)
  updates_max (12)    updates in a usual body; large (0) is the share of bodies with 1,000 updates or 3 MB
  mixed (0.5)         the share of bodies about several numbers; joined (0.7) of updates that share an entry or a change
  repeats (0.1)       the share of bodies that come again though accepted, within seven days of day_ms (100)
  regrouped (0.1)     the share of updates that come again among others
  disorder (0.2)      the share of bodies that are overtaken or shuffled; unknown (0.1) of updates with unknown fields
  interval_ms (0)     the time between two bodies
";

pub(crate) async fn page() -> &'static str {
    PAGE
}

pub(crate) async fn health() -> Json<Value> {
    Json(json!({"status": "ok"}))
}
