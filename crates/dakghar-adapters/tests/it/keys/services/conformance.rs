//! The promises.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use dakghar_adapters::local::RandomIds;
use dakghar_core::domain::ids::AppId;
use dakghar_core::ports::{DataKey, KeyContext, KeyError, KeyId, KeyOwner, KeyService};
use dakghar_core::vault::{KEPT_FOR, KeptKeys, KeptKeysSetup, wrapped};
use dakghar_testkit::clock::TestClock;
use futures_util::future::join_all;
use tokio::time::sleep;

use super::{Remote, World, data_key, of, tenant};

/// More than a call may take, the login included.
const PATIENCE: Duration = Duration::from_secs(30);

pub async fn a_data_key_is_unwrapped_for_its_owner_alone(world: &impl World) {
    let keys = world.service();
    let (id, other) = (tenant(1), tenant(2));
    let form = keys.wrap(&data_key(), of(&id)).await.unwrap();
    assert_eq!(keys.unwrap(&form, of(&id)).await.unwrap().as_bytes(), &[7; 32]);
    assert_eq!(keys.key_id_of(&form).unwrap(), keys.key_id());
    let again = keys.wrap(&data_key(), of(&other)).await.unwrap();
    assert_ne!(form, again);
    let app = AppId::parse("123").unwrap();
    for owner in [KeyOwner::Tenant(&other), KeyOwner::App(&app), KeyOwner::Installation] {
        let opened = keys.unwrap(&form, KeyContext { owner }).await;
        assert!(matches!(opened, Err(KeyError::Unreadable(_))), "{owner}: {opened:?}");
    }
    assert!(keys.unwrap(&form, of(&id)).await.is_ok(), "it is the owner's as before");
    keys.ping().await.unwrap();
}

pub async fn a_data_key_is_unwrapped_for_its_purpose_alone(world: &impl World) {
    let id = tenant(1);
    let form = world.wrapped_for_another_purpose(&data_key(), &id).await;
    let opened = world.service().unwrap(&form, of(&id)).await;
    assert!(matches!(opened, Err(KeyError::Unreadable(_))), "{opened:?}");
}

pub async fn what_was_damaged_is_not_unwrapped(world: &impl World) {
    let keys = world.service();
    let id = tenant(1);
    let form = keys.wrap(&data_key(), of(&id)).await.unwrap();
    for at in 0..form.len() {
        let mut damaged = form.clone();
        damaged[at] ^= 2;
        let opened = keys.unwrap(&damaged, of(&id)).await;
        let is_told = matches!(opened, Err(KeyError::Unreadable(_) | KeyError::Refused(_)));
        assert!(is_told, "byte {at} of {}: {opened:?}", form.len());
    }
    for length in [0, 1, form.len() / 2, form.len() - 1] {
        let opened = keys.unwrap(&form[..length], of(&id)).await;
        assert!(opened.is_err(), "{length} bytes: {opened:?}");
    }
    let (_, ciphertext) = wrapped::of_service(&form).unwrap_or_else(|_| (keys.key_id(), form.as_slice()));
    let renamed = wrapped::by_service(&KeyId::new("vault:transit/another"), ciphertext);
    let opened = keys.unwrap(&renamed, of(&id)).await;
    assert!(matches!(opened, Err(KeyError::Unreadable(_))), "{opened:?}");
    assert!(keys.unwrap(&form, of(&id)).await.is_ok());
}

/// Counts what a service is asked.
struct Counting {
    service: Arc<dyn KeyService>,
    unwraps: AtomicUsize,
}

#[async_trait]
impl KeyService for Counting {
    fn key_id(&self) -> KeyId {
        self.service.key_id()
    }

    fn key_id_of(&self, form: &[u8]) -> Result<KeyId, KeyError> {
        self.service.key_id_of(form)
    }

    async fn wrap(&self, data_key: &DataKey, context: KeyContext<'_>) -> Result<Vec<u8>, KeyError> {
        self.service.wrap(data_key, context).await
    }

    async fn unwrap(&self, form: &[u8], context: KeyContext<'_>) -> Result<DataKey, KeyError> {
        self.unwraps.fetch_add(1, Ordering::SeqCst);
        self.service.unwrap(form, context).await
    }
}

pub async fn a_key_is_asked_for_once_in_its_time(world: &impl World) {
    let counting = Arc::new(Counting {
        service: world.service(),
        unwraps: AtomicUsize::new(0),
    });
    let clock = Arc::new(TestClock::default());
    let kept = KeptKeys::new(KeptKeysSetup {
        service: counting.clone(),
        ids: Arc::new(RandomIds::new(clock.clone())),
        clock: clock.clone(),
        metrics: Arc::default(),
        outage_max: Duration::ZERO,
    });
    let owners = [tenant(1), tenant(2)];
    let mut forms = Vec::new();
    for id in &owners {
        forms.push(counting.wrap(&data_key(), of(id)).await.unwrap());
    }
    for lifetime in 1..=2 {
        for _ in 0..3 {
            let asked = (0..200).map(|number| kept.unwrap(&forms[number % 2], of(&owners[number % 2])));
            for opened in join_all(asked).await {
                assert_eq!(opened.unwrap().as_bytes(), &[7; 32]);
            }
        }
        let calls = counting.unwraps.load(Ordering::SeqCst);
        assert_eq!(calls, lifetime * owners.len(), "one for a tenant and lifetime");
        clock.advance(KEPT_FOR);
    }
}

/// Asks until it works again: what was connected before may be found broken first.
async fn until_unwrapped(keys: &dyn KeyService, form: &[u8], context: KeyContext<'_>) {
    let began = Instant::now();
    loop {
        match keys.unwrap(form, context).await {
            Ok(_) => return,
            Err(error) => assert!(began.elapsed() < PATIENCE, "{error}"),
        }
        sleep(Duration::from_millis(50)).await;
    }
}

pub async fn what_is_refused_says_so_and_is_no_damage(world: &impl Remote) {
    let keys = world.service();
    let id = tenant(1);
    let form = keys.wrap(&data_key(), of(&id)).await.unwrap();
    world.refuse().await;
    let opened = keys.unwrap(&form, of(&id)).await;
    let Err(KeyError::Refused(why)) = &opened else {
        panic!("{opened:?}");
    };
    assert!(!why.is_empty() && !why.contains("secret"), "{why}");
    let wrapped = keys.wrap(&data_key(), of(&id)).await;
    assert!(matches!(wrapped, Err(KeyError::Refused(_))), "{wrapped:?}");
    assert!(matches!(keys.ping().await, Err(KeyError::Refused(_))));
    world.allow().await;
    until_unwrapped(&*keys, &form, of(&id)).await;
}

pub async fn one_that_is_away_is_used_again_when_it_is_back(world: &impl Remote) {
    let keys = world.service();
    let id = tenant(1);
    let form = keys.wrap(&data_key(), of(&id)).await.unwrap();
    world.go_away().await;
    let opened = keys.unwrap(&form, of(&id)).await;
    assert!(matches!(opened, Err(KeyError::Unavailable(_))), "{opened:?}");
    let wrapped = keys.wrap(&data_key(), of(&id)).await;
    assert!(matches!(wrapped, Err(KeyError::Unavailable(_))), "{wrapped:?}");
    world.come_back().await;
    until_unwrapped(&*keys, &form, of(&id)).await;

    world.hang();
    let began = Instant::now();
    let opened = keys.unwrap(&form, of(&id)).await;
    assert!(matches!(opened, Err(KeyError::Unavailable(_))), "{opened:?}");
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    world.come_back().await;
    until_unwrapped(&*keys, &form, of(&id)).await;
}
