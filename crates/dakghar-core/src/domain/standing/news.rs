//! Events of an account that say something of the standing of its numbers.

use std::sync::Arc;

use super::{ASKED_EVERY, AccountStop, Standing};
use crate::domain::hold::HoldReason;
use crate::domain::ids::AppId;
use crate::domain::tenant::PhoneNumber;
use crate::domain::time::{Present, Timestamp};

/// The consequence of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewsKind {
    /// The account may not send, or is not connected with us any more.
    Stops,
    /// That is over.
    Restores,
    /// Something has changed, which a check will show.
    Asks,
}

/// An event of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountNews {
    /// Its consequence.
    pub kind: NewsKind,
    /// Meta's name of it.
    pub event: Arc<str>,
    /// The app that it is about, if it names one. It says nothing of numbers that are connected with another.
    pub app: Option<AppId>,
}

impl AccountNews {
    /// The consequence of an event that Meta dates so. One that is older than the time between two probes says nothing about
    /// now: Meta posts again for days.
    fn kind_at(&self, told_at: Option<Timestamp>, now: Timestamp) -> NewsKind {
        let is_of_now = told_at.is_none_or(|at| now.since(at) < HoldReason::AccountRestricted.probe_interval());
        if is_of_now { self.kind } else { NewsKind::Asks }
    }
}

impl Standing {
    /// The date of the last word on stops. One that is ahead was kept by a clock that was, and says nothing.
    fn last_news(&self, now: Timestamp) -> Option<Timestamp> {
        let of_stop = self.stop.as_ref().map(|stop| stop.since);
        // Earlier releases kept only that of a stop.
        let dates = self.news_at.into_iter().chain(of_stop);
        dates.filter(|at| *at <= now).max()
    }
}

impl PhoneNumber {
    /// Takes an event of its account. Returns false if that changes nothing.
    ///
    /// Meta posts out of order, and again. So a stop that is not newer than the last word on stops says nothing, and neither does
    /// an end that is older. An end of the same date as the stop counts: a check follows it.
    pub fn take_news(&mut self, news: &AccountNews, told_at: Option<Timestamp>, at: Present) -> bool {
        let since = told_at.unwrap_or(at.wall).min(at.wall);
        let last = self.standing.last_news(at.wall).filter(|_| told_at.is_some());
        let standing = &mut self.standing;
        let is_stopped = standing.stop.as_ref().is_some_and(|stop| !stop.is_over);
        match news.kind_at(told_at, at.now) {
            NewsKind::Stops if last.is_some_and(|last| since <= last) => false,
            NewsKind::Restores if last.is_some_and(|last| since < last || (since == last && !is_stopped)) => false,
            NewsKind::Stops if is_stopped => {
                let is_newer = told_at.is_some();
                if let Some(stop) = standing.stop.as_mut().filter(|_| is_newer) {
                    (stop.since, standing.news_at) = (since, Some(since));
                }
                is_newer
            }
            NewsKind::Stops => {
                standing.news_at = told_at.map(|_| since).or(standing.news_at);
                let was = standing.stop_reason();
                standing.stop = Some(AccountStop {
                    event: news.event.clone(),
                    since,
                    is_over: false,
                });
                // Before this event it could send, or it was held already.
                self.follow_stop(was, at.now);
                // A check says whether the app was disconnected, or the account is stopped for another reason.
                let is_on_app = self.is_on_app();
                self.standing.is_asked |= is_on_app;
                true
            }
            NewsKind::Restores => {
                let stop = standing
                    .stop
                    .as_mut()
                    .filter(|stop| stop.since <= since && !stop.is_over);
                let ends = stop.map(|stop| stop.is_over = true).is_some();
                let dated = told_at.map(|_| since).or(standing.news_at);
                let is_newer = standing.news_at != dated;
                standing.news_at = dated;
                // Also behind a check of a moment ago, which could not believe it.
                standing.is_asked |= ends;
                ends | is_newer | self.ask_for_check(at.wall)
            }
            NewsKind::Asks => self.ask_for_check(at.wall),
        }
    }

    /// Returns false if it was asked for, or done a moment ago.
    fn ask_for_check(&mut self, now: Timestamp) -> bool {
        let standing = &mut self.standing;
        let is_fresh = standing
            .checked_at
            .is_some_and(|at| at <= now && now < at + ASKED_EVERY);
        let asks = !standing.is_asked && !is_fresh;
        standing.is_asked |= asks;
        asks
    }
}
