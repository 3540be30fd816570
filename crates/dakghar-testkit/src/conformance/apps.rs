//! The suite of [`AppStore`](dakghar_core::ports::AppStore).
#![expect(missing_docs, reason = "the name of a case says what it shows")]

use dakghar_core::domain::ids::SignupConfigId;
use dakghar_core::domain::meta_app::MetaApp;
use dakghar_core::ports::Saved;

use super::stores::Stores;
use crate::samples::{meta_app, meta_app_full};

/// Runs the suite of `AppStore`: `app_store_suite!(factory)`, where the factory gives `Stores`. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! app_store_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, apps:
            an_app_is_stored_as_it_is
            the_login_configuration_of_an_app_comes_changes_and_goes
            an_id_is_given_once
            apps_come_in_the_order_of_their_ids
            only_the_present_version_of_an_app_is_saved_over
            of_many_saves_at_once_one_is_done
            a_removed_app_is_gone_and_can_come_again
        }
    };
}

async fn insert(stores: &Stores, apps: &[MetaApp]) {
    for app in apps {
        assert_eq!(stores.apps.insert_app(app).await, Ok(Saved::Done));
    }
}

async fn all(stores: &Stores) -> Vec<MetaApp> {
    let apps = stores.apps.apps().await.expect("the store answers");
    apps.into_iter().map(|app| app.expect("readable")).collect()
}

pub async fn an_app_is_stored_as_it_is(stores: Stores) {
    assert_eq!(all(&stores).await, []);
    for app in [meta_app(), meta_app_full()] {
        assert_eq!(stores.apps.find_app(&app.id).await, Ok(None));
        insert(&stores, std::slice::from_ref(&app)).await;
        assert_eq!(stores.apps.find_app(&app.id).await, Ok(Some(app)));
    }
}

/// Covers `AppStore::save_app` and `AppStore::apps`.
pub async fn the_login_configuration_of_an_app_comes_changes_and_goes(stores: Stores) {
    let mut app = meta_app();
    insert(&stores, std::slice::from_ref(&app)).await;
    for config in [Some("1"), Some("98765432109876543210987654321098"), None] {
        app.signup_config_id = config.map(|id| SignupConfigId::parse(id).expect("digits"));
        assert_eq!(stores.apps.save_app(&app).await, Ok(Saved::Done));
        app.version += 1;
        assert_eq!(all(&stores).await, [app.clone()]);
    }
}

pub async fn an_id_is_given_once(stores: Stores) {
    let app = meta_app();
    insert(&stores, std::slice::from_ref(&app)).await;
    let other = MetaApp {
        id: app.id.clone(),
        ..meta_app_full()
    };
    assert_eq!(stores.apps.insert_app(&other).await, Ok(Saved::Stale));
    assert_eq!(all(&stores).await, [app]);
}

pub async fn apps_come_in_the_order_of_their_ids(stores: Stores) {
    let mut apps = [meta_app(), meta_app_full(), meta_app()];
    insert(&stores, &[apps[2].clone(), apps[0].clone(), apps[1].clone()]).await;
    apps.sort_by(|one, other| one.id.cmp(&other.id));
    assert_eq!(all(&stores).await, apps);
}

pub async fn only_the_present_version_of_an_app_is_saved_over(stores: Stores) {
    let app = meta_app();
    assert_eq!(stores.apps.save_app(&app).await, Ok(Saved::Stale), "there is none");
    insert(&stores, std::slice::from_ref(&app)).await;
    let mut changed = MetaApp {
        id: app.id.clone(),
        created_at: app.created_at,
        ..meta_app_full()
    };
    assert_eq!(stores.apps.save_app(&changed).await, Ok(Saved::Done));
    assert_eq!(stores.apps.save_app(&app).await, Ok(Saved::Stale));
    changed.version = 1;
    assert_eq!(stores.apps.find_app(&app.id).await, Ok(Some(changed.clone())));
    assert_eq!(stores.apps.save_app(&changed).await, Ok(Saved::Done));
}

pub async fn of_many_saves_at_once_one_is_done(stores: Stores) {
    let app = meta_app();
    insert(&stores, std::slice::from_ref(&app)).await;
    let saves = (0..10).map(|_| stores.apps.save_app(&app));
    let saved = futures_util::future::join_all(saves).await;
    let done = saved.iter().filter(|saved| **saved == Ok(Saved::Done)).count();
    assert_eq!(done, 1, "{saved:?}");
}

pub async fn a_removed_app_is_gone_and_can_come_again(stores: Stores) {
    let apps = [meta_app(), meta_app()];
    insert(&stores, &apps).await;
    assert_eq!(stores.apps.remove_app(&apps[0].id).await, Ok(true));
    assert_eq!(stores.apps.remove_app(&apps[0].id).await, Ok(false));
    assert_eq!(all(&stores).await, [apps[1].clone()]);
    insert(&stores, &apps[..1]).await;
    assert_eq!(all(&stores).await, apps);
}
