//! A Meta that does what it is told, or what a seed says: it takes messages, refuses them, says nothing, and reports
//! later, late, twice and out of order.

mod reports;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use dakghar_core::domain::graph_error::GraphRefusal;
use dakghar_core::domain::message::{NotSentCause, Receipt, SendOutcome};
use dakghar_core::domain::webhook::WebhookPart;
use dakghar_core::domain::{MessageKey, PhoneNumberId, Wamid};
use dakghar_testkit::samples;
use parking_lot::Mutex;

use super::executor::{Life, WORLD};
use super::ports::Shared;
use super::random::Random;

/// What Meta makes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It takes the message and says so.
    Accepts,
    /// It takes the message, and the answer gets lost.
    AcceptsSilently,
    /// It never sees the message, and nothing comes back.
    Silent,
    /// No byte reaches it, and the caller knows.
    Unreachable,
    /// It refuses with this code, and does not take the message.
    Refuses(i64),
    /// Something in between refuses, and does not pass the request on.
    TurnedAway,
}

impl Answer {
    /// Whether the message is on its way to the person.
    pub const fn takes(self) -> bool {
        matches!(self, Self::Accepts | Self::AcceptsSilently)
    }
}

/// How often Meta does what, each in a thousand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Temper {
    pub accepts_silently: u32,
    pub silent: u32,
    pub unreachable: u32,
    pub refuses: u32,
    pub turned_away: u32,
    /// Requests and answers that take so long that the caller may give up before.
    pub slow: u32,
    /// Calls during which the caller freezes.
    pub freezes: u32,
    /// Whether statuses are reported at all.
    pub reports: bool,
    pub reports_late: u32,
    pub reports_twice: u32,
}

/// The codes that a seed refuses with: one of each class, and those that are common more often.
const CODES: [i64; 10] = [
    133_004, 131_000, 131_016, 999_999, 130_429, 130_429, 131_056, 4, 131_026, 131_047,
];
/// The codes of a service that failed.
const SERVICE_CODES: [i64; 2] = [131_016, 131_000];
/// The code of a token that is not valid.
pub const TOKEN_REFUSED: i64 = 190;
/// The code of an account that is restricted.
pub const ACCOUNT_RESTRICTED: i64 = 131_031;

const ANSWER_MAX: Duration = Duration::from_millis(300);
const SLOW_ANSWER_MAX: Duration = Duration::from_secs(35);
/// How long a call goes on while others remember one of the same message.
const AWKWARD: Duration = Duration::from_secs(1);

/// One call of the Graph API.
#[derive(Clone, Debug)]
pub struct Request {
    pub key: MessageKey,
    pub number: PhoneNumberId,
    pub attempt: u32,
    pub opaque: Arc<str>,
    pub token: String,
    /// Of the app that the token is of.
    pub app_secret: Option<String>,
}

/// How a call goes.
struct Decision {
    answer: Answer,
    there: Duration,
    back: Duration,
    /// Whether the request arrives although its caller died meanwhile.
    survives: bool,
    /// Whether callers freeze at all.
    freezes: bool,
    /// How long the caller freezes while it waits for the answer.
    freeze: Option<Duration>,
}

/// Meta.
pub struct Meta {
    state: Mutex<State>,
}

struct State {
    random: Random,
    temper: Temper,
    scripted: VecDeque<Answer>,
    /// The only token that is valid for a number; any, where none is named.
    tokens: BTreeMap<PhoneNumberId, String>,
    restricted: BTreeMap<PhoneNumberId, bool>,
    requests: Vec<(Request, Answer)>,
    posts: Vec<Vec<WebhookPart>>,
    posts_open: usize,
}

impl Meta {
    /// A Meta that takes everything.
    pub fn new(random: Random) -> Self {
        let state = State {
            random,
            temper: Temper::default(),
            scripted: VecDeque::new(),
            tokens: BTreeMap::new(),
            restricted: BTreeMap::new(),
            requests: Vec::new(),
            posts: Vec::new(),
            posts_open: 0,
        };
        Self {
            state: Mutex::new(state),
        }
    }

    /// From now on it behaves so.
    pub fn temper(&self, temper: Temper) {
        self.state.lock().temper = temper;
    }

    /// Answers the next request so; several follow each other.
    pub fn script(&self, answer: Answer) {
        self.state.lock().scripted.push_back(answer);
    }

    /// From now on only this token is valid for the number.
    pub fn demand_token(&self, number: &PhoneNumberId, token: &str) {
        self.state.lock().tokens.insert(number.clone(), token.to_owned());
    }

    /// From now on every token is valid for the number.
    pub fn take_any_token(&self, number: &PhoneNumberId) {
        self.state.lock().tokens.remove(number);
    }

    /// From now on the number may not send, or may again.
    pub fn restrict(&self, number: &PhoneNumberId, is_restricted: bool) {
        self.state.lock().restricted.insert(number.clone(), is_restricted);
    }

    /// Requests that reached it or were lost on the way, with what it made of each.
    pub fn requests(&self) -> Vec<(Request, Answer)> {
        self.state.lock().requests.clone()
    }

    /// Webhooks that nobody has taken yet.
    pub fn posts_open(&self) -> usize {
        self.state.lock().posts_open
    }

    /// The wamid of an attempt. Longer ones of real life say no more.
    pub fn wamid(key: MessageKey, attempt: u32) -> Wamid {
        samples::wamid(&format!("wamid.{}.{attempt}", key.message_id))
    }

    fn decide(&self, request: &Request) -> Decision {
        let mut state = self.state.lock();
        let temper = state.temper;
        let token_is_valid = state
            .tokens
            .get(&request.number)
            .is_none_or(|token| *token == request.token);
        let is_restricted = state.restricted.get(&request.number) == Some(&true);
        let scripted = state.scripted.pop_front();
        let random = &mut state.random;
        let drawn = if random.chance(temper.unreachable) {
            Answer::Unreachable
        } else if random.chance(temper.silent) {
            Answer::Silent
        } else if !token_is_valid {
            Answer::Refuses(TOKEN_REFUSED)
        } else if is_restricted {
            Answer::Refuses(ACCOUNT_RESTRICTED)
        } else if random.chance(temper.refuses) {
            Answer::Refuses(*random.pick(&CODES))
        } else if random.chance(temper.turned_away) {
            Answer::TurnedAway
        } else if random.chance(temper.accepts_silently) {
            Answer::AcceptsSilently
        } else {
            Answer::Accepts
        };
        let mut time = || {
            if random.chance(temper.slow) {
                random.wait(SLOW_ANSWER_MAX)
            } else if temper == Temper::default() {
                Duration::ZERO
            } else {
                random.wait(ANSWER_MAX)
            }
        };
        let (there, back) = (time(), time());
        Decision {
            there,
            back,
            survives: random.chance(500),
            freezes: temper.freezes > 0,
            freeze: if random.chance(temper.freezes) {
                Some(random.freeze())
            } else {
                None
            },
            answer: scripted.unwrap_or(drawn),
        }
    }

    /// What the caller is told, when it is told anything.
    pub fn answer(
        &self,
        shared: &Shared,
        from: Life,
        request: Request,
    ) -> impl Future<Output = SendOutcome> + Send + use<> {
        let Decision {
            answer,
            there,
            back,
            survives,
            freezes,
            freeze,
        } = self.decide(&request);
        let (shared, executor) = (shared.clone(), shared.wire.executor.clone());
        let travelling = {
            let executor = executor.clone();
            async move {
                executor.sleep(there).await;
                if !executor.is_alive(from) && !survives {
                    return None;
                }
                shared
                    .wire
                    .trace
                    .note(|| format!("Meta {answer:?} {:?} #{}", request.key.message_id, request.attempt));
                shared.meta.state.lock().requests.push((request.clone(), answer));
                shared.promises.meta_decided(&request, answer);
                if answer.takes() {
                    shared.meta.report_later(&shared, &request);
                }
                let frozen = shared.promises.claimants_before(&request);
                if freezes && !frozen.is_empty() {
                    // Whoever froze during an attempt before goes on now, at the most awkward moment.
                    for life in &frozen {
                        executor.thaw(*life);
                    }
                    executor.sleep(AWKWARD).await;
                }
                if let Some(freeze) = freeze {
                    shared
                        .wire
                        .trace
                        .note(|| format!("{from:?} freezes while it waits for Meta"));
                    executor.freeze(from, freeze);
                }
                executor.sleep(back).await;
                Some(outcome(&request, answer))
            }
        };
        let answered = executor.ask(WORLD, travelling);
        async move {
            match answered.await {
                Ok(Some(outcome)) => outcome,
                _ => std::future::pending().await,
            }
        }
    }
}

fn outcome(request: &Request, answer: Answer) -> SendOutcome {
    match answer {
        Answer::Accepts => SendOutcome::Accepted {
            wamid: Meta::wamid(request.key, request.attempt),
            known_as: Vec::new(),
            receipt: Receipt::default(),
        },
        Answer::AcceptsSilently | Answer::Silent => SendOutcome::Unknown {
            why: "connection reset".into(),
        },
        Answer::Unreachable => SendOutcome::NotSent {
            cause: NotSentCause::Host,
            why: "connection refused".into(),
        },
        Answer::TurnedAway => SendOutcome::TurnedAway {
            http_status: 403,
            why: "a page of a proxy".into(),
        },
        Answer::Refuses(code) => SendOutcome::Refused(refusal(code)),
    }
}

/// A refusal with this code.
pub fn refusal(code: i64) -> GraphRefusal {
    GraphRefusal {
        http_status: if SERVICE_CODES.contains(&code) { 500 } else { 400 },
        code,
        subcode: None,
        message: "refused".into(),
        details: None,
        is_transient: None,
        retry_after: None,
        fbtrace_id: None,
    }
}
