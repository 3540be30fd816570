//! One kind of update: its name, its field, and how it is written.

use serde_json::Value;

use super::maker::Maker;
use super::part::Part;

/// One kind of update that Meta posts.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// Its name here.
    pub name: &'static str,
    /// The webhook field in which it comes.
    pub field: &'static str,
    make: Make,
}

/// How an update is written.
#[derive(Debug, Clone, Copy)]
enum Make {
    /// An element of `messages[]`; what is its own is given, the rest is filled in.
    Message(fn(&mut Maker) -> Value),
    /// An element of `statuses[]`, likewise.
    Status(fn(&mut Maker) -> Value),
    /// The value of a field that names a number.
    OfNumber(fn(&mut Maker) -> Value),
    /// The value of a field that names an account only.
    OfAccount(fn(&mut Maker) -> Value),
    /// Several of them, in order.
    Parts(fn(&mut Maker) -> Vec<Part>),
}

impl Kind {
    pub(super) const fn message(name: &'static str, own: fn(&mut Maker) -> Value) -> Self {
        Self::of(name, "messages", Make::Message(own))
    }

    pub(super) const fn status(name: &'static str, own: fn(&mut Maker) -> Value) -> Self {
        Self::of(name, "messages", Make::Status(own))
    }

    pub(super) const fn of_number(name: &'static str, field: &'static str, value: fn(&mut Maker) -> Value) -> Self {
        Self::of(name, field, Make::OfNumber(value))
    }

    pub(super) const fn of_account(name: &'static str, field: &'static str, value: fn(&mut Maker) -> Value) -> Self {
        Self::of(name, field, Make::OfAccount(value))
    }

    pub(super) const fn parts(name: &'static str, field: &'static str, parts: fn(&mut Maker) -> Vec<Part>) -> Self {
        Self::of(name, field, Make::Parts(parts))
    }

    const fn of(name: &'static str, field: &'static str, make: Make) -> Self {
        Self { name, field, make }
    }

    /// Writes one update of this kind, or the updates that belong together, in order.
    pub(super) fn make(self, maker: &mut Maker) -> Vec<Part> {
        match self.make {
            Make::Message(own) => {
                let own = own(maker);
                vec![maker.message(own)]
            }
            Make::Status(own) => {
                let own = own(maker);
                vec![maker.status(own)]
            }
            Make::OfNumber(value) => {
                let value = value(maker);
                vec![maker.of_number(self.field, value)]
            }
            Make::OfAccount(value) => {
                let value = value(maker);
                vec![maker.of_account(self.field, value)]
            }
            Make::Parts(parts) => parts(maker),
        }
    }
}
