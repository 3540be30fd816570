//! Entries of a window that go together in one call.

use std::collections::HashSet;

use super::item::{Item, Line};
use super::pending::Pending;
use crate::domain::callback::Window;

/// What was taken out of a window.
pub(super) struct Taken {
    /// What goes in one call.
    pub(super) items: Vec<Item>,
    /// What an exception of its conversation is in the way of.
    pub(super) held_back: Vec<Item>,
}

/// The treatment of entries that an exception of their conversation is in the way of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeldBack {
    /// They are taken out too.
    Taken,
    /// They stay.
    Left,
}

/// Takes at most so many that may go, the earliest first.
pub(super) fn take(
    window: &mut Window<Item>,
    busy: &HashSet<Line>,
    pending: &Pending,
    most: usize,
    of_held_back: HeldBack,
) -> Taken {
    let (mut items, mut held_back): (Vec<Item>, Vec<Item>) = (Vec::new(), Vec::new());
    let is_held_back = |item: &Item| item.line().is_some_and(|line| pending.holds_back(&line));
    while items.len() < most {
        let is_in_batch = |line| items.iter().any(|item| item.line() == Some(line));
        let may_go = |item: &Item| {
            item.line()
                .is_none_or(|line| !busy.contains(&line) || is_in_batch(line))
                && (of_held_back == HeldBack::Taken || !is_held_back(item))
        };
        let Some((_, item)) = window.take(may_go) else { break };
        if is_held_back(&item) {
            held_back.push(item);
        } else {
            items.push(item);
        }
    }
    Taken { items, held_back }
}
