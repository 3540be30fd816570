//! Quiet hours: what waits for their end, what does not, and that it goes afterwards.

use std::time::Duration;

use dakghar_core::domain::message::UnknownOutcome;
use dakghar_core::domain::{MessageKey, QuietFor, QuietHours, SendingRules, Status, Tenant, Timestamp};

use crate::steps::{MINUTE, SECOND, in_each_kind, waits_for};
use crate::world::World;
use crate::world::process::Process;

const HIGH: &str = r#","priority":"high""#;
const MARKETING: &str = r#","marketing":true"#;

impl World {
    /// Sets quiet hours that began an hour ago. Returns when they end: on a whole minute, half an hour later or a little less.
    fn begin_quiet_hours(&self, process: &Process, tenant: &Tenant, messages: QuietFor) -> Timestamp {
        let minute = |at: Timestamp| at.to_string()[11..16].to_owned();
        let end = self.now() + 30 * MINUTE;
        let from = minute(self.now() - 60 * MINUTE);
        let hours = QuietHours::parse(&from, &minute(end), "UTC", messages).expect("quiet hours");
        self.set_rules(process, tenant, Some(hours));
        Timestamp::from_millis(end.as_millis() / 60_000 * 60_000)
    }

    fn set_rules(&self, process: &Process, tenant: &Tenant, quiet_hours: Option<QuietHours>) {
        let (process, id) = (process.clone(), tenant.id);
        let rules = SendingRules {
            quiet_hours: quiet_hours.map(Box::new),
            ..SendingRules::default()
        };
        self.step(async move { process.set_sending_rules(&id, rules).await })
            .expect("set");
        // Until no process remembers how it was.
        self.run_for(2 * SECOND);
    }

    fn is_sent(&self, message: MessageKey) -> bool {
        self.look(message).status() == Status::Sent
    }
}

#[test]
fn what_is_not_urgent_waits_for_their_end_and_goes_then() {
    in_each_kind(|world: &World| {
        let process = world.process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let end = world.begin_quiet_hours(&process, &tenant, QuietFor::All);
        let (plain, urgent) = (
            world.accept_with(&process, &tenant.id, ""),
            world.accept_with(&process, &tenant.id, HIGH),
        );
        world.run_for(10 * SECOND);
        assert!(world.is_sent(urgent));
        let seen = world.look(plain);
        assert_eq!((seen.status(), waits_for(&seen)), (Status::Queued, Some("quiet_hours")));
        world.run_for((end - SECOND).since(world.now()));
        assert!(!world.is_sent(plain), "a second too early");
        world.run_for(10 * SECOND);
        assert!(world.is_sent(plain));
        assert_eq!(world.requests(), 2);
    });
}

#[test]
fn by_default_only_marketing_waits() {
    in_each_kind(|world: &World| {
        let process = world.process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        world.begin_quiet_hours(&process, &tenant, QuietFor::default());
        let (plain, marketing) = (
            world.accept_with(&process, &tenant.id, ""),
            world.accept_with(&process, &tenant.id, MARKETING),
        );
        world.run_for(10 * SECOND);
        assert_eq!((world.is_sent(plain), world.is_sent(marketing)), (true, false));
        world.run_for(31 * MINUTE);
        assert!(world.is_sent(marketing));
    });
}

#[test]
fn many_that_waited_go_at_the_pace_of_their_number() {
    in_each_kind(|world: &World| {
        let process = world.process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let end = world.begin_quiet_hours(&process, &tenant, QuietFor::All);
        let rate = tenant.phone_numbers[0].messages_per_second as usize;
        let all: Vec<MessageKey> = (0..4 * rate)
            .map(|_| world.accept_with(&process, &tenant.id, ""))
            .collect();
        world.run_for(end.since(world.now()) + Duration::from_millis(500));
        let first = all.iter().filter(|message| world.is_sent(**message)).count();
        assert!(first <= 2 * rate, "{first} of {} at once", all.len());
        world.run_for(20 * SECOND);
        assert!(all.iter().all(|message| world.is_sent(*message)));
        assert_eq!(world.requests(), all.len());
    });
}

#[test]
fn what_expires_before_they_end_is_not_sent() {
    in_each_kind(|world: &World| {
        let process = world.process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        world.begin_quiet_hours(&process, &tenant, QuietFor::All);
        let message = world.accept_until(&process, &tenant.id, 5 * MINUTE);
        world.run_for(40 * MINUTE);
        assert_eq!((world.look(message).status(), world.requests()), (Status::Expired, 0));
    });
}
