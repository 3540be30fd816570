//! Apps at Meta.

use dakghar_core::domain::AppId;
use dakghar_core::domain::ids::SignupConfigId;
use dakghar_core::domain::meta_app::MetaApp;
use dakghar_core::domain::sealed_secret::SealedSecret;

use super::{IDS, at};

/// A new app with one secret.
pub fn meta_app() -> MetaApp {
    let count = IDS.count();
    MetaApp {
        id: AppId::parse(&format!("{count:010}")).expect("digits"),
        name: "Support".into(),
        wrapped_data_key: vec![7; 60],
        sealed_verify_token: vec![8; 40],
        secrets: vec![SealedSecret::present(vec![9; 40], at(count))],
        signup_config_id: None,
        created_at: at(count),
        updated_at: at(count),
        version: 0,
    }
}

/// A new app whose secret was changed, with a login configuration.
pub fn meta_app_full() -> MetaApp {
    let mut app = meta_app();
    let later = at(5_000_000);
    app.name = "\u{9a1}\u{9be}\u{995}".into();
    app.signup_config_id = SignupConfigId::parse("7007").ok();
    app.secrets[0].valid_until = Some(later);
    app.secrets
        .insert(0, SealedSecret::present(vec![1, 2, 3], app.created_at));
    app
}
