//! Apps at Meta.

use dakghar_core::domain::meta_app::MetaApp;
use dakghar_core::ports::Saved;

use super::{Breakable, MIXED, Record, is_unreadable, thirds};
use crate::samples::meta_app;

/// Apps of which every one but each third is broken then.
async fn mixed_apps(port: &Breakable) -> (Vec<MetaApp>, Vec<MetaApp>) {
    let apps: Vec<MetaApp> = (0..MIXED).map(|_| meta_app()).collect();
    for app in &apps {
        assert_eq!(port.stores.apps.insert_app(app).await, Ok(Saved::Done));
    }
    let (whole, broken) = thirds(apps);
    port.break_all(broken.iter().map(|app| Record::App(app.id.clone())))
        .await;
    (whole, broken)
}

/// Covers `AppStore::apps` and `AppStore::find_app`.
pub async fn it_is_an_app_error_of_its_own(port: Breakable) {
    let (whole, broken) = mixed_apps(&port).await;
    let found = port.stores.apps.apps().await.expect("the store answers");
    assert_eq!(found.len(), whole.len() + broken.len());
    assert_eq!(found.iter().filter(|app| is_unreadable(app)).count(), broken.len());
    let readable: Vec<MetaApp> = found.into_iter().flatten().collect();
    assert_eq!(readable, whole);
    for app in &broken {
        let found = port.stores.apps.find_app(&app.id).await;
        assert!(is_unreadable(&found), "{found:?}");
    }
}

/// Covers `AppStore::insert_app`, `AppStore::save_app` and `AppStore::remove_app`.
pub async fn apps_beside_it_are_saved(port: Breakable) {
    let (whole, broken) = mixed_apps(&port).await;
    let apps = &port.stores.apps;
    assert_eq!(apps.save_app(&whole[0]).await, Ok(Saved::Done));
    assert_eq!(apps.insert_app(&meta_app()).await, Ok(Saved::Done));
    assert_eq!(
        apps.insert_app(&broken[0]).await,
        Ok(Saved::Stale),
        "its id is still its own"
    );
    assert_eq!(apps.remove_app(&broken[0].id).await, Ok(true));
    assert_eq!(apps.find_app(&broken[0].id).await, Ok(None));
}
