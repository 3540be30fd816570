//! Signups that begin by a link: once, by one browser, wherever a process dies.

use std::time::Duration;

use dakghar_core::app::{DialogReport, NewLink, OnboardingPage, SignupSettings};
use dakghar_core::domain::ids::SignupConfigId;
use dakghar_core::domain::message::UnknownOutcome;
use dakghar_core::domain::signup::{LINK_LIFE, Reason, Signup, SignupState};
use dakghar_core::domain::{ErrorCode, Problem, Tenant};

use super::{is_bare, reason};
use crate::steps::{SECOND, in_each_kind};
use crate::world::process::Process;
use crate::world::process::onboarding::Browser;
use crate::world::{APP, World};

const BASE: &str = "https://gateway.example.com";

impl World {
    pub(super) fn process_with_page(&self) -> Process {
        self.process_with_config(Some("7007"))
    }

    /// A process with the page, and this login configuration of the app of the settings.
    fn process_with_config(&self, config: Option<&str>) -> Process {
        let mut setup = self.setup();
        setup.works_by_itself = false;
        setup.settings.signups = SignupSettings {
            page: Some(OnboardingPage {
                base: BASE.into(),
                config_id: config.map(|id| SignupConfigId::parse(id).expect("digits")),
                extras: "{}".into(),
                api_version: "v25.0".into(),
                other_sdk: None,
            }),
            ..SignupSettings::default()
        };
        Process::start(self, setup)
    }

    /// A link of the tenant, and a browser that has opened it.
    pub(super) fn invites(&self, process: &Process, tenant: &Tenant) -> (Signup, Browser) {
        let (inviting, id) = (process.clone(), tenant.id);
        let (signup, url) = self
            .step(async move { inviting.invite(&id, NewLink::default()).await })
            .expect("a link");
        let secret = url.strip_prefix(&format!("{BASE}/onboard/")).expect("it is ours");
        (signup, process.opens(secret))
    }

    /// The app of a new link, and the configuration that its page runs with.
    fn dialog_of_link(
        &self,
        process: &Process,
        tenant: &Tenant,
        app: Option<&str>,
    ) -> Result<(String, Option<String>), Problem> {
        let (process, id) = (process.clone(), tenant.id);
        let new = NewLink {
            app_id: app.map(str::to_owned),
            ..NewLink::default()
        };
        self.step(async move {
            let (signup, url) = process.invite(&id, new).await?;
            let secret = url.rsplit('/').next().expect("it ends with it");
            let config = process.config_of_link(secret).await?;
            Ok::<_, Problem>((signup.app_id.to_string(), config))
        })
    }

    fn adds_app(&self, process: &Process, id: &'static str, config: Option<&'static str>) {
        let process = process.clone();
        self.step(async move { process.add_app(id, config).await })
            .expect("it is added");
    }

    fn configures_app(&self, process: &Process, id: &'static str, config: Option<&'static str>) {
        let process = process.clone();
        self.step(async move { process.configure_app(id, config).await })
            .expect("it is changed");
    }

    pub(super) fn brings(&self, process: &Process, browser: &Browser, code: &str) -> Result<Signup, Problem> {
        let (process, browser, code) = (process.clone(), browser.clone(), code.to_owned());
        self.step(async move { process.begin_by_link(&browser, &code).await })
    }
}

fn code<T>(result: Result<T, Problem>) -> Option<ErrorCode> {
    result.err().map(|problem| problem.code)
}

#[test]
fn a_link_is_used_once_by_one_browser_and_the_number_is_connected() {
    in_each_kind(|world: &World| {
        world.customer_finishes();
        let process = world.process_with_page();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        process.works_on_signups();
        let (invited, browser) = world.invites(&process, &tenant);
        world.run_for(SECOND * 5);
        assert_eq!(world.stored_signup(&invited).state, SignupState::Invited);
        let other = process.opens(&browser.secret);
        let begun = world.brings(&process, &browser, "code-1").expect("it begins");
        assert_eq!((begun.id, begun.state), (invited.id, SignupState::Running));
        assert_eq!(
            code(world.brings(&process, &other, "code-2")),
            Some(ErrorCode::LinkOver)
        );
        world.run_for(SECOND * 5);
        let done = world.stored_signup(&invited);
        assert_eq!((done.state, reason(&done)), (SignupState::Done, None));
        assert!(is_bare(&done) && world.connected_number(&tenant, "501").is_some());
        // Whoever asks again is told what it became.
        let again = world.brings(&process, &browser, "code-1").expect("the same");
        assert_eq!(again.state, SignupState::Done);
        assert_eq!(world.onboarding.journal()[0], "exchange code-1");
    });
}

#[test]
fn a_code_of_another_tab_counts_when_the_first_one_was_of_no_use() {
    in_each_kind(|world: &World| {
        world.customer_finishes();
        let process = world.process_with_page();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        process.works_on_signups();
        let (invited, browser) = world.invites(&process, &tenant);
        // Meta knows no such code.
        world.brings(&process, &browser, "code-0").expect("it begins");
        world.run_for(SECOND * 5);
        let stopped = world.stored_signup(&invited);
        assert_eq!((stopped.state, stopped.needs_code()), (SignupState::Stopped, true));
        // The other tab has not been told, and begins as the first one did.
        let begun = world.brings(&process, &browser, "code-1").expect("it goes on");
        assert_eq!((begun.id, begun.state), (invited.id, SignupState::Running));
        world.run_for(SECOND * 5);
        assert_eq!(world.stored_signup(&invited).state, SignupState::Done);
        assert!(world.connected_number(&tenant, "501").is_some());
    });
}

#[test]
fn another_process_knows_the_browser_too() {
    in_each_kind(|world: &World| {
        world.customer_finishes();
        let process = world.process_with_page();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let (invited, browser) = world.invites(&process, &tenant);
        let other = world.process_with_page();
        world.brings(&other, &browser, "code-1").expect("it begins");
        world.brings(&process, &browser, "code-1").expect("the answer was lost");
        other.works_on_signups();
        world.run_for(SECOND * 5);
        assert_eq!(world.stored_signup(&invited).state, SignupState::Done);
    });
}

#[test]
fn a_link_that_is_over_or_taken_back_begins_nothing() {
    in_each_kind(|world: &World| {
        world.customer_finishes();
        let process = world.process_with_page();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let ((over, late), (taken, refused)) = (world.invites(&process, &tenant), world.invites(&process, &tenant));
        let (canceller, signup) = (process.clone(), taken.clone());
        let cancelled = world.step(async move { canceller.cancel_signup(&signup).await });
        assert_eq!(cancelled.expect("it is open").state, SignupState::Cancelled);
        assert_eq!(
            code(world.brings(&process, &refused, "code-1")),
            Some(ErrorCode::LinkOver)
        );
        world.run_for(LINK_LIFE);
        assert_eq!(code(world.brings(&process, &late, "code-1")), Some(ErrorCode::LinkOver));
        let (finder, signup) = (process.clone(), over.clone());
        let found = world.step(async move { finder.find_signup(&signup).await });
        assert_eq!(found.expect("it is there").state, SignupState::Expired);
        assert_eq!(world.onboarding.journal(), Vec::<String>::new());
    });
}

#[test]
fn a_forged_state_is_refused_and_reports_are_kept() {
    in_each_kind(|world: &World| {
        let process = world.process_with_page();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let (invited, browser) = world.invites(&process, &tenant);
        let forged = Browser {
            state: process.opens(&browser.secret).state,
            ..browser.clone()
        };
        assert_eq!(
            code(world.brings(&process, &forged, "code-1")),
            Some(ErrorCode::ForeignBrowser)
        );
        let (reporter, own) = (process.clone(), browser);
        let report = DialogReport::Abandoned(Some("PHONE_NUMBER_SETUP".to_owned()));
        let reported = async move { reporter.report_by_link(&own, &report).await };
        world.step(reported).expect("it is kept");
        world.run_for(Duration::from_secs(1));
        let stored = world.stored_signup(&invited);
        assert_eq!(
            (stored.state, reason(&stored)),
            (SignupState::Invited, Some(Reason::Abandoned))
        );
    });
}

/// The configuration with which the page of the link runs, by the app.
fn dialog(app: &str, config: &str) -> (String, Option<String>) {
    (app.to_owned(), Some(config.to_owned()))
}

#[test]
fn a_link_runs_the_dialog_of_its_app_with_a_configuration_of_that_app() {
    in_each_kind(|world: &World| {
        let process = world.process_with_page();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        world.adds_app(&process, "77", None);
        let of = |app| world.dialog_of_link(&process, &tenant, app);
        assert_eq!(of(None), Ok(dialog(APP, "7007")));
        assert_eq!(of(Some(APP)), Ok(dialog(APP, "7007")));
        let refused = of(Some("77")).expect_err("it has none");
        assert_eq!(refused.code, ErrorCode::OnboardingPageOff);
        assert!(refused.detail.contains("dakghar app set 77"), "{}", refused.detail);
        assert_eq!(code(of(Some("78"))), Some(ErrorCode::AppNotFound));
        world.configures_app(&process, "77", Some("7008"));
        assert_eq!(of(Some("77")), Ok(dialog("77", "7008")));
        assert_eq!(of(None), Ok(dialog(APP, "7007")), "that of the settings goes first");
    });
}

#[test]
fn a_link_that_names_no_app_runs_the_only_dialog_that_there_is() {
    in_each_kind(|world: &World| {
        let process = world.process_with_config(None);
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let of = |app| world.dialog_of_link(&process, &tenant, app);
        let refused = of(None).expect_err("there is none");
        assert_eq!(refused.code, ErrorCode::OnboardingPageOff);
        assert!(refused.detail.contains("SIGNUP_CONFIG_ID"), "{}", refused.detail);
        world.adds_app(&process, "77", Some("7008"));
        assert_eq!(of(None), Ok(dialog("77", "7008")));
        assert_eq!(code(of(Some(APP))), Some(ErrorCode::OnboardingPageOff));
        world.adds_app(&process, "78", Some("7009"));
        assert_eq!(code(of(None)), Some(ErrorCode::InvalidField), "nobody knows which");
        world.configures_app(&process, "78", None);
        assert_eq!(of(None), Ok(dialog("77", "7008")));
    });
}

#[test]
fn the_page_of_a_link_runs_the_configuration_that_its_app_has_now() {
    in_each_kind(|world: &World| {
        let process = world.process_with_config(None);
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        world.adds_app(&process, "77", Some("7008"));
        let (_, browser) = world.invites(&process, &tenant);
        let config = || {
            let (process, secret) = (process.clone(), browser.secret.clone());
            world.step(async move { process.config_of_link(&secret).await })
        };
        assert_eq!(config(), Ok(Some("7008".to_owned())));
        for now in [Some("7009"), None] {
            world.configures_app(&process, "77", now);
            assert_eq!(config(), Ok(now.map(str::to_owned)));
        }
    });
}
