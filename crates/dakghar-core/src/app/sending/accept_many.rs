//! Accepts many messages that a client gives at once, in one commit.
//!
//! It is carried out by a group of its own, which goes on when the client hangs up: what was accepted by then is no other
//! than if it had waited for the answer.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};

use super::accept::{AcceptedMessage, Accepting};
use crate::app::failure::Failure;
use crate::domain::PhoneNumberId;
use crate::domain::send_request::SendRequest;
use crate::domain::tenant::SharedTenant;
use crate::group_commit::{BoxFuture, GroupCommit, Limits, Weighed};

/// Bulks that are carried out at a time.
const BULKS_UNDER_WAY_MAX: usize = 8;
/// Bulks that may wait for that.
const BULKS_WAITING_MAX: usize = 64;
/// Earlier messages that are looked for at a time.
const LOOKS_MAX: usize = 16;

/// The result of each message, in the order given.
pub type BulkResult = Vec<Result<AcceptedMessage, Failure>>;

/// Messages of one tenant on their way into the store.
struct Bulk {
    tenant: SharedTenant,
    requests: Vec<SendRequest>,
}

impl Weighed for Bulk {
    fn bytes(&self) -> usize {
        self.requests.iter().map(bytes_of).sum()
    }
}

fn bytes_of(request: &SendRequest) -> usize {
    let content = &request.content;
    let texts = [
        Some(&content.body),
        content.envelope.as_ref(),
        request.metadata.as_ref(),
        request.client_opaque.as_ref(),
    ];
    size_of::<SendRequest>() + texts.into_iter().flatten().map(|text| text.len()).sum::<usize>()
}

/// Accepts many messages at once.
pub struct BulkAccepting {
    bulks: GroupCommit<Bulk, BulkResult>,
}

impl BulkAccepting {
    /// The future carries them out.
    pub(in crate::app) fn new(accepting: Arc<Accepting>, limits: &Limits) -> (Self, BoxFuture<()>) {
        // Each by itself: none waits for another one's commit.
        let limits = Limits {
            batch_max: 1,
            commits_max: BULKS_UNDER_WAY_MAX,
            waiting_max: BULKS_WAITING_MAX,
            ..limits.clone()
        };
        let (bulks, running) = GroupCommit::new(limits, move |bulks: Vec<Bulk>| {
            let accepting = accepting.clone();
            async move { join_all(bulks.into_iter().map(|bulk| accept(&accepting, bulk))).await }
        });
        (Self { bulks }, running)
    }

    /// Accepts messages of the tenant, [`BULK_ITEMS_MAX`](crate::app::settings::BULK_ITEMS_MAX) at most. Each has a result of its own.
    ///
    /// # Errors
    /// Nothing of it was looked at, because too much waits or the process stops.
    pub async fn accept(&self, tenant: &SharedTenant, requests: Vec<SendRequest>) -> Result<BulkResult, Failure> {
        let tenant = tenant.clone();
        Ok(self.bulks.submit(Bulk { tenant, requests }).await?)
    }
}

/// A message that waits for its place among those of its tenant.
struct Next {
    place: usize,
    number: PhoneNumberId,
    request: SendRequest,
}

async fn accept(accepting: &Accepting, Bulk { tenant, requests }: Bulk) -> BulkResult {
    let shown: Vec<Option<Arc<str>>> = requests
        .iter()
        .map(|request| request.to.was_national.then(|| request.to.text.clone()))
        .collect();
    let mut results: Vec<Option<Result<AcceptedMessage, Failure>>> = vec![None; requests.len()];
    let mut next = VecDeque::with_capacity(requests.len());
    for (place, request) in requests.into_iter().enumerate() {
        match Accepting::number_of(&tenant, &request) {
            Err(problem) => results[place] = Some(Err(problem.into())),
            Ok(number) => match Accepting::refusal_of_new(&tenant, number, &request) {
                Some(refusal) => {
                    results[place] = Some(repeated_or(accepting, &tenant, &request, refusal.into()).await);
                }
                None => next.push_back(Next {
                    place,
                    number: number.phone_number_id.clone(),
                    request,
                }),
            },
        }
    }
    for (place, result) in refuse_unwanted(accepting, &tenant, &mut next).await {
        results[place] = Some(result);
    }
    while !next.is_empty() {
        for (place, result) in accept_some(accepting, &tenant, &mut next).await {
            results[place] = Some(result);
        }
    }
    let results = results
        .into_iter()
        .map(|result| result.expect("each was accepted or refused"));
    let results = results.zip(shown);
    results
        .map(|(result, to)| result.map(|accepted| AcceptedMessage { to, ..accepted }))
        .collect()
}

/// Takes out those that may not be accepted because of what people wish.
async fn refuse_unwanted(
    accepting: &Accepting,
    tenant: &SharedTenant,
    next: &mut VecDeque<Next>,
) -> Vec<(usize, Result<AcceptedMessage, Failure>)> {
    let number = |next: &Next| tenant.number(Some(&next.number)).expect("it has just been found");
    let asked: Vec<_> = next.iter().map(|next| (number(next), &next.request)).collect();
    let unwanted = match accepting.unwanted(tenant, &asked).await {
        Ok(unwanted) => unwanted,
        Err(error) => {
            let failed = next.drain(..).map(|next| (next.place, Err(error.clone().into())));
            return failed.collect();
        }
    };
    let mut results = Vec::new();
    let mut kept = VecDeque::with_capacity(next.len());
    for (next, unwanted) in next.drain(..).zip(unwanted) {
        match unwanted {
            None => kept.push_back(next),
            Some(unwanted) => {
                let problem = unwanted.to_problem().into();
                results.push((next.place, repeated_or(accepting, tenant, &next.request, problem).await));
            }
        }
    }
    *next = kept;
    results
}

/// Accepts as many of the next ones as the tenant has places for without another count; all of them, if it has none at all.
async fn accept_some(
    accepting: &Accepting,
    tenant: &SharedTenant,
    next: &mut VecDeque<Next>,
) -> Vec<(usize, Result<AcceptedMessage, Failure>)> {
    let places = match accepting.waiting.enter_many(tenant, next.len()).await {
        Ok(None) => (0..next.len()).map(|_| None).collect::<Vec<_>>(),
        Ok(Some(places)) if !places.is_empty() => places.into_iter().map(Some).collect(),
        Ok(Some(_)) => {
            let full = Failure::from(accepting.waiting.full(tenant));
            return refuse_all(accepting, tenant, next, &full).await;
        }
        Err(failure) => return refuse_all(accepting, tenant, next, &failure).await,
    };
    let mut entered = Vec::with_capacity(places.len());
    let mut commits = Vec::with_capacity(places.len());
    for (next, waiting) in next.drain(..places.len()).zip(places) {
        let number = tenant.number(Some(&next.number)).expect("it has just been found");
        let (commit, answer) = accepting.entering(tenant, number, next.request, waiting);
        commits.push(commit);
        entered.push((next.place, answer));
    }
    let stored = match accepting.accepts.submit_all(commits).await {
        Ok(stored) => stored,
        Err(rejected) => {
            let rejected = Failure::from(rejected);
            return entered
                .into_iter()
                .map(|(place, _)| (place, Err(rejected.clone())))
                .collect();
        }
    };
    let answers = entered
        .into_iter()
        .zip(stored)
        .map(|((place, entered), stored)| async move {
            let answer = match stored {
                Ok(Ok(stored)) => accepting.answer(tenant, entered, stored).await,
                Ok(Err(error)) => Err(error.into()),
                Err(rejected) => Err(rejected.into()),
            };
            (place, answer)
        });
    stream::iter(answers).buffered(LOOKS_MAX).collect().await
}

/// Refuses all that is left, but for what was accepted before under the same key.
async fn refuse_all(
    accepting: &Accepting,
    tenant: &SharedTenant,
    next: &mut VecDeque<Next>,
    why: &Failure,
) -> Vec<(usize, Result<AcceptedMessage, Failure>)> {
    let looks = next.drain(..).map(|next| async move {
        let answer = repeated_or(accepting, tenant, &next.request, why.clone()).await;
        (next.place, answer)
    });
    stream::iter(looks).buffered(LOOKS_MAX).collect().await
}

async fn repeated_or(
    accepting: &Accepting,
    tenant: &SharedTenant,
    request: &SendRequest,
    why: Failure,
) -> Result<AcceptedMessage, Failure> {
    accepting.find_repeated(tenant, request).await?.ok_or(why)
}
