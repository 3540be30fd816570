//! The protocol, row by row: one test for each transition and for each crash of ARCHITECTURE.md, on both kinds of world.

mod crashes;
mod receiving;
mod transitions;

use std::time::Duration;

use dakghar_core::domain::message::{EvidenceStatus, UnknownOutcome};
use dakghar_core::domain::webhook::WebhookPart;
use dakghar_core::domain::{MessageKey, TenantId};

use crate::world::meta::{Answer, Meta};
use crate::world::process::Process;
use crate::world::seen::Seen;
use crate::world::{Kind, World, body};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// Longer than a lease, its margin and a look of the reconciler.
const LEASE_OVER: Duration = Duration::from_secs(52);
/// Longer than the grace of a call without a verdict.
const GRACE_OVER: Duration = Duration::from_secs(122);

/// A world with one process that works by itself and one tenant.
struct Stage {
    world: World,
    process: Process,
    tenant: TenantId,
}

impl Stage {
    fn new(kind: Kind) -> Self {
        Self::with_policy(kind, UnknownOutcome::Fail)
    }

    fn with_policy(kind: Kind, policy: UnknownOutcome) -> Self {
        let world = World::new(kind);
        let process = world.process();
        let tenant = world.tenant(&process, policy).id;
        Self { world, process, tenant }
    }

    fn accept(&self, text: &str) -> MessageKey {
        self.world.accept(&self.process, &self.tenant, text)
    }

    /// A message with further members in its request.
    fn accept_with(&self, members: &str) -> MessageKey {
        let (process, tenant_id, body) = (self.process.clone(), self.tenant, body("hello", members));
        let accepted = self
            .world
            .block_on(async move { process.accept(&tenant_id, &body, None).await });
        MessageKey {
            tenant_id,
            message_id: accepted.expect("accepted").message_id,
        }
    }

    /// A message that Meta answers like this, a second later.
    fn answered(&self, answer: Answer) -> Seen {
        self.world.meta.script(answer);
        let message = self.accept("hello");
        self.world.run_for(SECOND);
        self.world.look(message)
    }

    /// A message whose only call Meta took without a word, and whose grace began.
    fn doubtful(&self) -> MessageKey {
        let seen = self.answered(Answer::AcceptsSilently);
        self.world.run_for(Duration::from_secs(31));
        seen.key()
    }

    fn look(&self, message: MessageKey) -> Seen {
        self.world.look(message)
    }

    /// Meta reports on its `nth` request.
    fn report(&self, nth: usize, status: EvidenceStatus) {
        let (request, _) = self.world.meta.requests().swap_remove(nth);
        let report = Meta::report(&request, status);
        self.world.meta.post(&self.world, vec![WebhookPart::Status(report)]);
        self.world.run_for(SECOND);
    }

    /// How many calls reached Meta.
    fn calls(&self) -> usize {
        self.world.meta.requests().len()
    }

    /// A process like the first one, after that one died.
    fn restart(&mut self) {
        self.world.wire.executor.end_life(self.process.life());
        self.process = self.world.process();
    }
}

const KINDS: [Kind; 2] = [Kind::Embedded, Kind::Distributed];
