//! New data keys: everything that a tenant, an app and the installation have sealed opens under the new one alone.

use std::time::Duration;

use dakghar_core::app::{Replacement, ReplacingStep, token_purpose};
use dakghar_core::domain::audit::Principal;
use dakghar_core::domain::endpoint::{Endpoint, EndpointFormat};
use dakghar_core::domain::erasure::PersonErasure;
use dakghar_core::domain::installation::{INSTALLATION_SECRETS, SealedSecrets};
use dakghar_core::domain::message::UnknownOutcome;
use dakghar_core::domain::meta_app::MetaApp;
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::sealed_secret::SealedSecret;
use dakghar_core::domain::{AppId, Place, Secret, Tenant};
use dakghar_core::ports::{
    AppStore as _, EndpointStore as _, IdGenerator as _, InstallationStore as _, PersonErasureStore as _,
    TenantStore as _,
};
use dakghar_core::vault::{Vault, VaultError};
use dakghar_testkit::memory::{installation_secrets, vault};

use crate::steps::in_each_kind;
use crate::world::World;
use crate::world::ports::at_once;
use crate::world::process::Process;

const WHAT: Replacement = Replacement {
    older_than: Duration::from_hours(24),
    keep_old: Duration::from_secs(120),
};

/// One sealed thing, and what it is sealed for.
type Sealed = (String, Vec<u8>);

impl World {
    fn replaces(&self, process: &Process) -> ReplacingStep {
        let replacing = process.replacing();
        let step = async move { replacing.step(WHAT, None, Principal::CLI).await };
        self.step(step).expect("a step")
    }

    fn tenant_as_stored(&self, tenant: &Tenant) -> Tenant {
        let stored = at_once(self.store.find_all(&[tenant.id])).pop();
        stored.expect("an answer").expect("no outage").expect("it exists")
    }

    /// Everything that the tenant has sealed.
    fn sealed_of(&self, tenant: &Tenant) -> Vec<Sealed> {
        let mut all = Vec::new();
        for number in self.tenant_as_stored(tenant).phone_numbers {
            all.push((token_purpose(&number.phone_number_id), number.sealed_token));
        }
        for endpoint in at_once(self.store.endpoints_of(&[tenant.id])).expect("no outage") {
            let purpose = |what: &str| format!("endpoint/{}/{what}", endpoint.id);
            all.extend(
                endpoint
                    .secrets
                    .into_iter()
                    .map(|secret| (purpose("secret"), secret.sealed)),
            );
            all.extend(endpoint.sealed_headers.map(|sealed| (purpose("headers"), sealed)));
            all.extend(
                endpoint
                    .sealed_verify_token
                    .map(|sealed| (purpose("verify_token"), sealed)),
            );
            all.extend(endpoint.sealed_creation.map(|sealed| (purpose("creation"), sealed)));
        }
        let erasures = self.store.list_erasures(&tenant.id, None, PageLimit::items(10));
        for erasure in at_once(erasures).expect("no outage").items {
            let purpose = format!("erasure/{}", erasure.id);
            all.extend(erasure.sealed_person.map(|sealed| (purpose, sealed)));
        }
        all
    }

    /// An endpoint with everything that one can have sealed, and an erasure.
    fn gives_secrets(&self, tenant: &Tenant) {
        let (vault, now) = (vault(), self.now());
        let id = self.ids.endpoint_id();
        let seal = |what: &str| {
            let purpose = format!("endpoint/{id}/{what}");
            let secret = Secret::new(format!("a canary of {what}"));
            at_once(vault.seal(&tenant.id, &tenant.wrapped_data_key, &purpose, &secret)).expect("sealed")
        };
        let mut endpoint = Endpoint::new(tenant.id, id, EndpointFormat::Meta, seal("secret"), Place::START, now);
        let seats = at_once(self.store.endpoints_of(&[tenant.id])).expect("no outage");
        endpoint.seat = u32::try_from(seats.len()).expect("few");
        endpoint.url = "https://example.com/hook".into();
        endpoint.secrets.push(SealedSecret {
            valid_until: Some(now + Duration::from_hours(1)),
            ..SealedSecret::present(seal("secret"), now)
        });
        endpoint.sealed_headers = Some(seal("headers"));
        endpoint.sealed_verify_token = Some(seal("verify_token"));
        endpoint.sealed_creation = Some(seal("creation"));
        at_once(self.store.insert_endpoint(&endpoint)).expect("stored");
        let id = self.ids.erasure_id();
        let (purpose, person) = (format!("erasure/{id}"), Secret::new("919111111111"));
        let sealed = at_once(vault.seal(&tenant.id, &tenant.wrapped_data_key, &purpose, &person)).expect("sealed");
        let erasure = PersonErasure::new(id, tenant.id, sealed, false, now);
        at_once(self.store.insert_erasure(&erasure)).expect("stored");
    }
}

/// The number of these that open under this data key.
fn opened(vault: &Vault, tenant: &Tenant, key: &[u8], sealed: &[Sealed]) -> usize {
    let opens = |(purpose, sealed): &&Sealed| match at_once(vault.open(&tenant.id, key, purpose, sealed)) {
        Ok(_) => true,
        Err(VaultError::Unreadable(_)) => false,
        Err(error) => panic!("{error}"),
    };
    sealed.iter().filter(opens).count()
}

#[test]
fn all_that_a_tenant_has_sealed_opens_under_the_new_data_key_alone() {
    in_each_kind(|world: &World| {
        let (process, vault) = (world.idle_process(), vault());
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        // It is as old as its tenant.
        assert_eq!(world.replaces(&process), ReplacingStep::default());
        world.clock.advance(WHAT.older_than);
        let old = world.tenant_as_stored(&tenant).wrapped_data_key;
        world.gives_secrets(&world.tenant_as_stored(&tenant));
        let before = world.sealed_of(&tenant);
        assert_eq!(before.len(), 7, "a token, five of an endpoint, one of an erasure");
        assert_eq!(opened(&vault, &tenant, &old, &before), 7);

        // The new one is there, and the old one beside it: nothing is sealed anew while a process may not know the new one.
        assert_eq!(world.replaces(&process).replaced, 1);
        let pair = world.tenant_as_stored(&tenant).wrapped_data_key;
        assert_eq!(world.replaces(&process).kept, 1);
        assert_eq!(world.sealed_of(&tenant), before);
        assert_eq!(opened(&vault, &tenant, &pair, &before), 7);
        let alone = Vault::dated(&pair).expect("a pair").present.to_vec();
        assert_eq!(opened(&vault, &tenant, &alone, &before), 0);

        world.clock.advance(Duration::from_secs(11));
        assert_eq!(world.replaces(&process).kept, 1);
        let anew = world.sealed_of(&tenant);
        assert_eq!(opened(&vault, &tenant, &alone, &anew), 7, "{anew:?}");
        assert_eq!(opened(&vault, &tenant, &old, &anew), 0);

        // A request that began before seals under the old one until that is let go, and nothing of it is lost.
        world.gives_secrets(&Tenant {
            wrapped_data_key: old.clone(),
            ..tenant.clone()
        });
        world.clock.advance(WHAT.keep_old);
        assert_eq!(world.replaces(&process).dropped, 1);
        let last = world.tenant_as_stored(&tenant).wrapped_data_key;
        assert_eq!(Vault::dated(&last).expect("dated").previous, None);
        let anew = world.sealed_of(&tenant);
        assert_eq!((anew.len(), opened(&vault, &tenant, &last, &anew)), (13, 13));
        assert_eq!(opened(&vault, &tenant, &old, &anew), 0);

        let again = world.replaces(&process);
        assert_eq!((again.replaced, again.dropped, again.kept), (0, 0, 0), "{again:?}");
        world.clock.advance(WHAT.older_than);
        assert_eq!(
            world.replaces(&process).replaced,
            1,
            "a day later it may be replaced again"
        );
    });
}

#[test]
fn what_cannot_be_opened_is_named_and_its_data_key_stays() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let broken = world.tenant_with(&process, "111", "token", UnknownOutcome::Fail);
        let fine = world.tenant_with(&process, "222", "token", UnknownOutcome::Fail);
        world.clock.advance(WHAT.older_than);
        world.gives_secrets(&world.tenant_as_stored(&broken));
        let mut endpoint = at_once(world.store.endpoints_of(&[broken.id]))
            .expect("no outage")
            .remove(0);
        endpoint.sealed_headers = Some(vec![3; 80]);
        at_once(world.store.save_endpoint(&endpoint)).expect("saved");
        assert_eq!(world.replaces(&process).replaced, 2);
        world.clock.advance(WHAT.keep_old);
        let step = world.replaces(&process);
        assert_eq!((step.dropped, step.failed.len()), (1, 1), "{step:?}");
        assert_eq!(step.failed[0].0, broken.id.to_string());
        let key = |tenant: &Tenant| world.tenant_as_stored(tenant).wrapped_data_key;
        assert!(Vault::dated(&key(&broken)).expect("a pair").previous.is_some());
        assert!(Vault::dated(&key(&fine)).expect("one").previous.is_none());
    });
}

#[test]
fn the_secrets_of_apps_and_of_the_installation_move_in_one_save() {
    in_each_kind(|world: &World| {
        let (process, vault) = (world.idle_process(), vault());
        let id = AppId::parse("77").expect("digits");
        let key = at_once(vault.new_data_key(&id)).expect("made");
        let seal = |purpose: &str| at_once(vault.seal(&id, &key, purpose, &Secret::new("canary"))).expect("sealed");
        let now = world.now();
        let app = MetaApp {
            name: "app".into(),
            sealed_verify_token: seal("verify_token"),
            secrets: vec![
                SealedSecret::present(seal("app_secret"), now),
                SealedSecret::present(seal("app_secret"), now),
            ],
            signup_config_id: None,
            wrapped_data_key: key.clone(),
            created_at: now,
            updated_at: now,
            version: 0,
            id: id.clone(),
        };
        at_once(world.store.insert_app(&app)).expect("stored");
        let secrets = installation_secrets();
        let sealed = at_once(vault.seal_installation(&secrets)).expect("sealed");
        at_once(world.store.insert_secrets(&sealed)).expect("stored");
        world.clock.advance(WHAT.older_than);

        let step = world.replaces(&process);
        assert_eq!((step.replaced, step.kept, step.failed.len()), (2, 0, 0), "{step:?}");
        let moved = at_once(world.store.find_app(&id)).expect("no outage").expect("there");
        let opens = |key: &[u8], purpose: &str, sealed: &[u8]| at_once(vault.open(&id, key, purpose, sealed)).is_ok();
        for (purpose, sealed) in [
            ("verify_token", &moved.sealed_verify_token),
            ("app_secret", &moved.secrets[0].sealed),
            ("app_secret", &moved.secrets[1].sealed),
        ] {
            assert!(opens(&moved.wrapped_data_key, purpose, sealed), "{purpose}");
            assert!(!opens(&key, purpose, sealed), "{purpose}");
        }
        let found = at_once(world.store.find_secrets(INSTALLATION_SECRETS)).expect("no outage");
        let found = found.expect("there");
        assert!(at_once(vault.open_installation(&found)).expect("opened") == *secrets);
        let under_old = SealedSecrets {
            wrapped_data_key: sealed.wrapped_data_key,
            ..found
        };
        assert!(at_once(vault.open_installation(&under_old)).is_err());
        assert_eq!(world.replaces(&process), ReplacingStep::default());
    });
}
