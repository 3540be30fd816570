//! The faults: which call meets them, and how the signup goes on.

use dakghar_graph_sim::{Fault, FaultRule, Match};

use Then::{GoesOn, Heals, LeftOut, LosesToken, NeedsCode, NeedsPin, Passes, Stops, UsedUp, Waits};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

/// A refusal without a subcode.
const PLAIN: u32 = 0;

/// The way on from a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It stops until a retry.
    Stops,
    /// It stops until a retry with the PIN of the number.
    NeedsPin,
    /// It stops until a retry with another code of the dialog.
    NeedsCode,
    /// The answer to the exchange is lost, so the code is used; it stops until a retry with another one.
    UsedUp,
    /// It goes on without the step, and stops where it needs the token that is over.
    LosesToken,
    /// It waits for so many seconds, or until a retry.
    Waits(i64),
    /// It waits for a moment and goes on by itself, once the call succeeds.
    GoesOn,
    /// The next try puts it right: it finds what was done, or does what Meta wants to be done before.
    Heals,
    /// The step counts as done.
    Passes,
    /// The step is optional, and it goes on without.
    LeftOut,
}

impl Then {
    /// The state that it stays in until somebody does something.
    pub fn state(self) -> Option<&'static str> {
        match self {
            Self::Stops | Self::NeedsPin | Self::NeedsCode | Self::UsedUp | Self::LosesToken => Some("stopped"),
            Self::Waits(_) | Self::GoesOn => Some("waiting"),
            Self::Heals | Self::Passes | Self::LeftOut => None,
        }
    }

    pub fn needs_code(self) -> bool {
        matches!(self, Self::NeedsCode | Self::UsedUp | Self::LosesToken)
    }
}

type Refusals = (&'static str, Then, &'static [(u32, u32)]);

/// Meta's codes of registering and onboarding, and those of rights, accounts and limits that can come with any call: the call that is
/// refused, how the signup goes on, and the codes with their subcodes.
const REFUSALS: &[Refusals] = &[
    // A code that Meta refuses is of no use any more, and nobody can wait with one.
    (
        "exchange",
        NeedsCode,
        &[
            (100, PLAIN),
            (100, 36_007),
            (100, 36_008),
            (100, 36_009),
            (190, PLAIN),
            (4, PLAIN),
            (80_007, PLAIN),
        ],
    ),
    ("exchange", GoesOn, &[(1, PLAIN), (2, PLAIN), (131_000, PLAIN)]),
    // Meta says so of the token of another app.
    ("debug_token", NeedsCode, &[(100, PLAIN)]),
    ("debug_token", GoesOn, &[(190, PLAIN), (4, PLAIN), (131_000, PLAIN)]),
    (
        "account",
        NeedsCode,
        &[
            (0, PLAIN),
            (102, PLAIN),
            (190, PLAIN),
            (190, 458),
            (190, 459),
            (190, 460),
            (190, 463),
            (190, 464),
            (190, 467),
            (190, 492),
            (10, PLAIN),
            (200, PLAIN),
            (299, PLAIN),
            (131_005, PLAIN),
        ],
    ),
    (
        "account",
        Stops,
        &[
            (3, PLAIN),
            (33, PLAIN),
            (100, 33),
            (104, PLAIN),
            (368, PLAIN),
            (803, PLAIN),
            (131_031, PLAIN),
        ],
    ),
    (
        "account",
        Waits(MINUTE),
        &[
            (4, PLAIN),
            (17, PLAIN),
            (32, PLAIN),
            (341, PLAIN),
            (613, PLAIN),
            (80_007, PLAIN),
        ],
    ),
    ("account", GoesOn, &[(1, PLAIN), (2, PLAIN), (131_016, PLAIN)]),
    ("numbers", NeedsCode, &[(10, PLAIN), (190, PLAIN)]),
    ("numbers", Stops, &[(100, 33)]),
    ("numbers", Waits(MINUTE), &[(80_007, PLAIN)]),
    ("subscriptions", NeedsCode, &[(10, PLAIN), (200, PLAIN)]),
    ("subscriptions", Waits(MINUTE), &[(80_007, PLAIN)]),
    ("subscribe", NeedsCode, &[(10, PLAIN), (190, PLAIN), (200, PLAIN)]),
    ("subscribe", Stops, &[(3, PLAIN), (100, PLAIN), (100, 2_494_055)]),
    ("subscribe", Waits(MINUTE), &[(4, PLAIN), (80_007, PLAIN)]),
    ("number", NeedsCode, &[(190, 463)]),
    ("number", Stops, &[(100, 33), (803, PLAIN)]),
    ("number", Waits(MINUTE), &[(80_007, PLAIN)]),
    // The number is deregistered first.
    ("register", Heals, &[(133_000, PLAIN)]),
    ("register", NeedsPin, &[(133_005, PLAIN)]),
    ("register", NeedsCode, &[(10, PLAIN), (190, PLAIN)]),
    (
        "register",
        Stops,
        &[
            (100, PLAIN),
            (368, PLAIN),
            (131_031, PLAIN),
            (131_037, PLAIN),
            (131_042, PLAIN),
            (131_045, PLAIN),
            (133_006, PLAIN),
            (133_010, PLAIN),
            (147_001, PLAIN),
            (147_002, PLAIN),
            (147_003, PLAIN),
            (147_004, PLAIN),
            (147_005, PLAIN),
            (2_388_091, PLAIN),
            (2_388_093, PLAIN),
            (2_388_103, PLAIN),
            (2_494_164, PLAIN),
            (2_494_179, PLAIN),
        ],
    ),
    ("register", Waits(HOUR), &[(133_008, PLAIN)]),
    (
        "register",
        Waits(5 * MINUTE),
        &[(133_009, PLAIN), (133_015, PLAIN), (2_494_100, PLAIN)],
    ),
    ("register", Waits(72 * HOUR), &[(133_016, PLAIN)]),
    (
        "register",
        Waits(MINUTE),
        &[(4, PLAIN), (80_007, PLAIN), (131_057, PLAIN)],
    ),
    ("register", GoesOn, &[(131_000, PLAIN), (133_004, PLAIN)]),
    (
        "register",
        Passes,
        &[
            (136_024, PLAIN),
            (1_752_041, PLAIN),
            (2_388_012, PLAIN),
            (2_593_109, PLAIN),
        ],
    ),
    // The step of these facts is optional, but not the token.
    ("profile", LosesToken, &[(0, PLAIN), (190, PLAIN)]),
    ("profile", LeftOut, &[(10, PLAIN), (100, 33)]),
    ("profile", Waits(MINUTE), &[(80_007, PLAIN)]),
    // The token of the credit line is the operator's: another code would not help.
    (
        "credit",
        Stops,
        &[
            (3, PLAIN),
            (10, PLAIN),
            (100, PLAIN),
            (190, PLAIN),
            (200, PLAIN),
            (131_042, PLAIN),
        ],
    ),
    ("credit", Waits(MINUTE), &[(4, PLAIN), (80_007, PLAIN)]),
];

/// Every call of a signup, in its order.
const CALLS: [&str; 10] = [
    "exchange",
    "debug_token",
    "account",
    "numbers",
    "subscriptions",
    "subscribe",
    "number",
    "register",
    "profile",
    "credit",
];

/// One fault, the call that meets it, and how the signup goes on.
#[derive(Debug)]
pub struct Row {
    pub call: &'static str,
    pub fault: Fault,
    pub then: Then,
}

impl Row {
    /// The step in which the call is made.
    pub fn step(&self) -> &'static str {
        match self.call {
            "exchange" => "exchange",
            "debug_token" => "token",
            "account" | "numbers" => "account",
            "subscriptions" | "subscribe" => "subscribe",
            "number" | "register" => "register",
            "profile" => "facts",
            "credit" => "credit",
            other => panic!("no signup makes the call {other}"),
        }
    }

    /// Meta's code and subcode, if it says no.
    pub fn refusal(&self) -> Option<(u32, Option<u32>)> {
        match self.fault {
            // Meta says so of the second try.
            _ if self.then == UsedUp => Some((100, Some(36_009))),
            Fault::GraphError { code, subcode, .. } => Some((code, subcode)),
            _ => None,
        }
    }

    /// The rule that makes the call about this meet the fault: once if it heals, otherwise until it is taken away.
    pub fn rule(&self, about: &str) -> FaultRule {
        let when = Match {
            call: Some(self.call.to_owned()),
            phone_number_id: Some(about.to_owned()),
            ..Match::default()
        };
        let rule = FaultRule::always(self.fault.clone()).when(when);
        match self.then {
            Heals | UsedUp => rule.times(1),
            _ => rule,
        }
    }
}

/// What Meta refuses.
pub fn refusals() -> Vec<Row> {
    let mut rows = Vec::new();
    for &(call, then, codes) in REFUSALS {
        rows.extend(codes.iter().map(|&(code, subcode)| Row {
            call,
            fault: refused(code, (subcode != PLAIN).then_some(subcode), None),
            then,
        }));
    }
    rows
}

/// What fails around Meta at each call, or meets a limit of calls that Meta takes for short.
pub fn around() -> Vec<Row> {
    let mut rows = Vec::new();
    for call in CALLS {
        let passing = [
            Fault::HtmlBadGateway,
            Fault::ResetAfterBody { accept: false },
            refused(2, None, None),
        ];
        rows.extend(passing.into_iter().map(|fault| Row {
            call,
            fault,
            then: GoesOn,
        }));
        // A code that is refused is of no use: the other table has these.
        if call != "exchange" {
            let then = if call == "debug_token" { GoesOn } else { Waits(MINUTE) };
            let limited = [refused(4, None, Some(1)), refused(80_007, None, Some(1))];
            rows.extend(limited.into_iter().map(|fault| Row { call, fault, then }));
        }
        let lost = [Fault::ResetAfterBody { accept: true }, Fault::BadJson, Fault::EmptyBody];
        rows.extend(lost.into_iter().map(|fault| Row {
            call,
            fault,
            then: after_a_lost_answer(call),
        }));
    }
    rows
}

/// Calls that have their effect and are not answered before the client gives up.
pub fn hanging() -> Vec<Row> {
    let hang = |call| Row {
        call,
        fault: Fault::TimeoutAfterAccept,
        then: after_a_lost_answer(call),
    };
    ["exchange", "subscribe", "register"].map(hang).into()
}

/// Reads are repeated, what was changed is found, and a code that was exchanged is gone.
fn after_a_lost_answer(call: &str) -> Then {
    match call {
        "exchange" => UsedUp,
        "subscribe" | "register" | "credit" => Heals,
        _ => GoesOn,
    }
}

fn refused(code: u32, subcode: Option<u32>, retry_after_seconds: Option<u64>) -> Fault {
    Fault::GraphError {
        code,
        subcode,
        http: None,
        is_transient: None,
        details: None,
        retry_after_seconds,
    }
}
