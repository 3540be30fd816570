//! The numbers of a tenant, as Meta shows them now.

use dakghar_core::app::{App, LiveNumber};
use dakghar_core::domain::TenantId;
use dakghar_core::domain::standing::Drift;

/// A line about a number.
pub(super) enum Line {
    Good(String),
    Warning(String),
    Bad(String),
}

/// Asks Meta about the numbers of a tenant, and keeps nothing of it.
pub(super) async fn look(app: &App, tenant: &str) -> Vec<Line> {
    let Ok(id) = TenantId::parse(tenant) else {
        return vec![Line::Bad(format!(
            "{tenant} is not a tenant id (ten_…); see `dakghar tenant list`"
        ))];
    };
    match app.number_checks.look_live(&id).await {
        Ok(numbers) if numbers.is_empty() => vec![Line::Good(format!("{tenant} has no number at Meta to look at"))],
        Ok(numbers) => numbers.iter().flat_map(lines).collect(),
        Err(failure) => vec![Line::Bad(format!(
            "the numbers of {tenant} cannot be looked at: {failure}"
        ))],
    }
}

fn lines(number: &LiveNumber) -> Vec<Line> {
    let id = &number.id;
    if let Some(why) = &number.no_answer {
        return vec![Line::Warning(format!(
            "number {id}: Meta does not say how it is: {why}"
        ))];
    }
    let changes = number.changes.iter().map(|change| {
        let before = change.before.as_deref().unwrap_or("unknown");
        let (kind, after) = (change.drift.as_str(), &change.after);
        Line::Warning(format!(
            "number {id}: {kind} was {before} at the last check, and is {after}"
        ))
    });
    let concerns = number.concerns.iter().map(|concern| {
        let (kind, value, advice) = (concern.drift.as_str(), &concern.value, concern.advice);
        let text = format!("number {id}: {kind} is {value}. {advice}");
        if is_grave(concern.drift) {
            Line::Bad(text)
        } else {
            Line::Warning(text)
        }
    });
    let all: Vec<Line> = changes.chain(concerns).collect();
    if all.is_empty() {
        return vec![Line::Good(format!(
            "number {id} is at Meta as it was at the last check"
        ))];
    }
    all
}

/// True for what stops sending or receiving.
const fn is_grave(drift: Drift) -> bool {
    matches!(
        drift,
        Drift::Access | Drift::AccountEvent | Drift::Health | Drift::Status | Drift::Subscription | Drift::Token
    )
}
