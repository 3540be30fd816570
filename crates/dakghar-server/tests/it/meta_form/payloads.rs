//! Bodies of the kinds that Meta posts, made up: messages of every type, statuses, events of numbers and accounts, and
//! what is odd about some of them.

pub(super) const NUMBER: &str = "106540352242922";
pub(super) const ACCOUNT: &str = "102290129340398";
pub(super) const DISPLAY: &str = "15550783881";
/// Messages that the tenant sent. `{ours of wamid.X}` stands for the callback data of one.
pub(super) const WAMIDS: [&str; 5] = ["wamid.OUT1", "wamid.OUT6", "wamid.OUT7", "wamid.OUT8", "wamid.OUT9"];

/// Elements of `messages`.
const MESSAGES: &[&str] = &[
    r#"{"from":"16505551234","from_user_id":"US.1","id":"wamid.A1","timestamp":"1760000000","type":"image","image":{"id":"900","mime_type":"image/jpeg","sha256":"SfInY0gGKTs=","caption":"caf\u00e9","url":"https:\/\/lookaside.example\/x"}}"#,
    r#"{"from":"16505551234","id":"wamid.A2","timestamp":"1760000001","type":"audio","audio":{"id":"901","mime_type":"audio/ogg; codecs=opus","sha256":"x","voice":true}}"#,
    r#"{"from":"16505551234","id":"wamid.A3","timestamp":"1760000002","type":"button","context":{"from":"15550783881","id":"wamid.OUT1"},"button":{"payload":"STOP","text":"Stop"}}"#,
    r#"{"from":"16505551234","id":"wamid.A4","timestamp":"1760000003","type":"interactive","context":{"from":"15550783881","id":"wamid.OUT2"},"interactive":{"type":"button_reply","button_reply":{"id":"yes","title":"Yes"}}}"#,
    r#"{"from":"16505551234","id":"wamid.A5","timestamp":"1760000004","type":"interactive","context":{"from":"15550783881","id":"wamid.OUT3"},"interactive":{"type":"list_reply","list_reply":{"id":"r1","title":"Row","description":"d"}}}"#,
    r#"{"from":"16505551234","id":"wamid.A6","timestamp":"1760000005","type":"interactive","context":{"from":"15550783881","id":"wamid.OUT4"},"interactive":{"type":"nfm_reply","nfm_reply":{"name":"flow","body":"Sent","response_json":"{\"flow_token\":\"t\",\"name\":\"Ana\"}"}}}"#,
    r#"{"from":"16505551234","id":"wamid.A7","timestamp":"1760000006","type":"order","order":{"catalog_id":"77","text":"","product_items":[{"product_retailer_id":"sku1","quantity":2,"item_price":30.50,"currency":"USD"}]}}"#,
    r#"{"from":"16505551234","id":"wamid.A8","timestamp":"1760000007","type":"reaction","reaction":{"message_id":"wamid.OUT1","emoji":"\ud83d\udc4d"}}"#,
    r#"{"from":"16505551234","id":"wamid.A9","timestamp":"1760000008","type":"text","text":{"body":"more info?"},"referral":{"source_url":"https://fb.example/x","source_id":"12","source_type":"ad","headline":"Chat","body":"Sale","media_type":"image","image_url":"https://cdn.example/i.jpg","ctwa_clid":"Aff"}}"#,
    r#"{"from":"16505551234","id":"wamid.B1","timestamp":"1760000009","type":"text","text":{"body":"in stock?"},"context":{"from":"15550783881","id":"wamid.OUT5","referred_product":{"catalog_id":"77","product_retailer_id":"sku1"}}}"#,
    r#"{"from_user_id":"US.2","id":"wamid.B2","timestamp":"1760000010","type":"text","text":{"body":"user without visible number"}}"#,
    r#"{"from_user_id":"US.2","id":"wamid.B3","timestamp":"1760000011","type":"contacts","contacts":[{"origin":"contact_request","phones":[{"phone":"+16505550002","wa_id":"16505550002","type":"MOBILE"}]}]}"#,
    r#"{"from":"16505551234","id":"wamid.B4","timestamp":"1760000012","type":"system","system":{"type":"user_changed_number","body":"User changed number","wa_id":"12195555358","user_id":"US.3","previous_user_id":"US.1"}}"#,
    r#"{"id":"wamid.B5","timestamp":"1760000013","type":"system","system":{"type":"user_changed_user_id","body":"User id changed","user_id":"US.5","previous_user_id":"US.4"}}"#,
    r#"{"from":"16505551234","id":"wamid.B6","timestamp":"1760000014","type":"system","system":{"type":"customer_identity_changed","body":"identity changed"},"identity":{"acknowledged":true,"created_timestamp":"1760000013","hash":"DF2lS5v2W6x="}}"#,
    r#"{"from":"16505551234","id":"wamid.B7","timestamp":"1760000015","type":"unsupported","unsupported":{"type":"poll_creation"},"errors":[{"code":131051,"title":"Message type unknown","message":"Message type unknown","error_data":{"details":"Message type is currently not supported."}}]}"#,
    r#"{"from":"16505551234","id":"wamid.B8","timestamp":"1760000016","type":"edit","edit":{"original_message_id":"wamid.A9","message":{"type":"text","text":{"body":"edited"}}}}"#,
    r#"{"from":"16505551234","id":"wamid.B9","timestamp":"1760000017","type":"revoke","revoke":{"original_message_id":"wamid.A9"}}"#,
    r#"{"from":"16505551234","id":"wamid.C1","timestamp":1760000018,"type":"text","text":{"body":"in the group"},"group_id":"Y2FwaV9ncm91cDox","never_heard_of":[{"deep":[1.0e2,null,false]}]}"#,
];

/// Elements of `statuses`.
const STATUSES: &[&str] = &[
    r#"{"id":"wamid.OUT1","status":"sent","timestamp":"1760000100","recipient_id":"16505551234","recipient_user_id":"US.1","biz_opaque_callback_data":"{ours of wamid.OUT1}"}"#,
    r#"{"id":"wamid.OUT1","status":"read","timestamp":"1760000105","recipient_id":"16505551234","recipient_user_id":"US.1","biz_opaque_callback_data":"{ours of wamid.OUT1}","pricing":{"billable":true,"pricing_model":"PMP","type":"regular","category":"service"}}"#,
    r#"{"id":"wamid.OUT6","status":"failed","timestamp":"1760000110","recipient_id":"16505551234","biz_opaque_callback_data":"{ours of wamid.OUT6}","errors":[{"code":131047,"title":"Re-engagement message","message":"Re-engagement message","error_data":{"details":"More than 24 hours have passed."},"href":"/documentation/"},{"code":131053,"title":"Media upload error","details":"404 of the picture"}]}"#,
    r#"{"id":"wamid.OUT7","status":"delivered","timestamp":"1760000120","recipient_user_id":"US.2"}"#,
    r#"{"id":"wamid.OUT8","status":"delivered","timestamp":"1760000130","recipient_type":"group","recipient_id":"Y2FwaV9ncm91cDox","recipient_participant_id":"16505551234","recipient_participant_user_id":"US.1","biz_opaque_callback_data":"{ours of wamid.OUT8}"}"#,
    r#"{"id":"wamid.OUT8","status":"failed","timestamp":"1760000131","recipient_type":"group","recipient_id":"Y2FwaV9ncm91cDox","recipient_participant_id":"16505550103","errors":[{"code":131026,"title":"Message undeliverable"}]}"#,
    r#"{"id":"wamid.OUT9","status":"sent","timestamp":"1760000140","recipient_id":"16505551234","biz_opaque_callback_data":"of another program","conversation":{"id":"conv1","origin":{"type":"utility"}}}"#,
    r#"{"id":"wamid.OUT9","recipient_id":"919111111111","type":"payment","status":"failed","timestamp":"1760000150","payment":{"reference_id":"bill-1"},"biz_opaque_callback_data":"{ours of wamid.OUT9}"}"#,
    r#"{"id":"wamid.OUT6","recipient_id":"919111111111","type":"payment","status":"captured","timestamp":"1760000151","biz_opaque_callback_data":"{ours of wamid.OUT6}"}"#,
];

/// Whole changes.
const CHANGES: &[&str] = &[
    r#"{"field":"message_template_status_update","value":{"event":"PAUSED","message_template_id":1689556908129832,"message_template_name":"order_update","message_template_language":"en-US","reason":"NONE","message_template_category":"UTILITY","other_info":{"title":"FIRST_PAUSE","description":"paused"}}}"#,
    r#"{"field":"template_category_update","value":{"message_template_id":1,"message_template_name":"order_update","message_template_language":"en-US","new_category":"UTILITY","correct_category":"MARKETING"}}"#,
    r#"{"field":"phone_number_quality_update","value":{"display_phone_number":"15550783881","event":"THROUGHPUT_UPGRADE","max_daily_conversations_per_business":"TIER_UNLIMITED"}}"#,
    r#"{"field":"account_update","value":{"event":"PARTNER_REMOVED","waba_info":{"waba_id":"102290129340398","owner_business_id":"2729063490586005"},"disconnection_info":{"reason":"CHANGE_NUMBER","initiated_by":"USER"}}}"#,
    r#"{"field":"account_update","value":{"event":"DISABLED_UPDATE","ban_info":{"waba_ban_state":"DISABLE","waba_ban_date":"January 2, 2026"}}}"#,
    r#"{"field":"business_capability_update","value":{"max_daily_conversations_per_business":2000,"max_phone_numbers_per_business":20}}"#,
    r#"{"field":"user_preferences","value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"15550783881","phone_number_id":"106540352242922"},"contacts":[{"profile":{"name":"Ana"},"wa_id":"16505551234"}],"user_preferences":[{"wa_id":"16505551234","detail":"User requested to stop marketing messages","category":"marketing_messages","value":"stop","timestamp":1760000200}]}}"#,
    r#"{"field":"smb_message_echoes","value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"15550783881","phone_number_id":"106540352242922"},"message_echoes":[{"from":"15550783881","to":"16505551234","id":"wamid.E1","timestamp":"1760000300","type":"text","text":{"body":"sent from the app"}}]}}"#,
    r#"{"field":"security","value":{"display_phone_number":"15550783881","event":"PIN_RESET_REQUEST","requester":"1234"}}"#,
    r#"{"field":"phone_number_name_update","value":{"display_phone_number":"15550783881","decision":"REJECTED","requested_verified_name":"Plans Ltd","rejection_reason":"NAME_NOT_ALLOWED"}}"#,
    r#"{"field":"history","value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"15550783881","phone_number_id":"106540352242922"},"history":[{"metadata":{"phase":0,"chunk_order":1,"progress":55},"threads":[{"id":"16505551234","messages":[{"from":"16505551234","id":"wamid.H1","timestamp":"1750000000","type":"text","text":{"body":"long ago"},"history_context":{"status":"READ"}}]}]}]}}"#,
    r#"{"field":"never_heard_of","value":{"anything":[1,"two",{"three":true}]},"beside":"the value"}"#,
    r#"{"field":"messages","value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"15550783881","phone_number_id":"106540352242922"},"errors":[{"code":130429,"title":"Rate limit hit"}]}}"#,
    r#"{"field":"messages","value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"15550783881","phone_number_id":"106540352242922"},"contacts":[{"wa_id":"4","profile":{"name":"Of nobody"}}],"messages":[{"id":"wamid.L1","timestamp":"1760000400","type":"text","text":{"body":"hello"},"from":"16505550101"}],"message_echoes":[{"from":"15550783881","to":"16505550101","id":"wamid.L2","timestamp":"1760000401","type":"text","text":{"body":"typed on the phone"}}],"calls":[{"id":"wacid.CALL1","event":"connect","from":"16505550101","timestamp":"1760000402"}],"things_to_come":[{"id":"thing.1"}]}}"#,
    r#"{"field":"messages","value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"15550783881","phone_number_id":"106540352242922"},"messages":[{"timestamp":"1760000410","note":"without an id"},5],"statuses":[{"status":"sent","note":"without an id either","recipient_id":"1"}]}}"#,
    r#"{"field":"messages","value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"15550783881","phone_number_id":"106540352242922"},"messages":"no list","statuses":7}}"#,
];

/// Every payload, each a whole body.
pub(super) fn all() -> Vec<String> {
    let metadata = format!(r#""metadata":{{"display_phone_number":"{DISPLAY}","phone_number_id":"{NUMBER}"}}"#);
    let contacts = r#""contacts":[{"profile":{"name":"Sheena","username":"sheena.n"},"wa_id":"16505551234","user_id":"US.1"},{"user_id":"US.2"}]"#;
    let change = |list: &str, elements: &str| {
        format!(
            r#"{{"field":"messages","value":{{"messaging_product":"whatsapp",{metadata},{contacts},"{list}":[{elements}]}}}}"#
        )
    };
    let body = |changes: &str| {
        format!(
            r#"{{"object":"whatsapp_business_account","entry":[{{"id":"{ACCOUNT}","time":1751247548,"changes":[{changes}]}}]}}"#
        )
    };
    let messages = MESSAGES.iter().map(|element| body(&change("messages", element)));
    let statuses = STATUSES.iter().map(|element| body(&change("statuses", element)));
    let changes = CHANGES.iter().map(|change| body(change));
    let together = [
        body(&change("messages", &MESSAGES.join(","))),
        body(&change("statuses", &STATUSES.join(","))),
        body(
            &[
                change("messages", MESSAGES[0]),
                change("statuses", STATUSES[0]),
                CHANGES[4].to_owned(),
            ]
            .join(","),
        ),
    ];
    messages.chain(statuses).chain(changes).chain(together).collect()
}
