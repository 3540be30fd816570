//! The places of a feed.

use std::fmt;

use super::super::ids::TenantId;

/// The place of an entry among those of its tenant, from 1 on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(u64);

impl Place {
    /// Before the first entry.
    pub const START: Self = Self(0);

    /// The place with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns its number.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// Returns the place so many behind it.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }

    /// Returns the place before it.
    #[must_use]
    pub const fn before(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// Reads it as it is written, in decimal digits without leading zeros.
    pub fn parse(text: &str) -> Option<Self> {
        let number: u64 = text.parse().ok()?;
        let place = Self(number);
        (place.to_string() == text).then_some(place)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Returns a place of a tenant's feed as one text. The texts of a tenant are in the order of the places.
pub fn place_id(tenant_id: &TenantId, place: Place) -> String {
    format!("{tenant_id}/{:016x}", place.number())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_they_are_written() {
        for number in [0, 1, 10, u64::MAX] {
            let place = Place::new(number);
            assert_eq!(Place::parse(&place.to_string()), Some(place));
        }
        for wrong in ["", "-1", "+1", "01", "1.0", "18446744073709551616", " 1"] {
            assert_eq!(Place::parse(wrong), None, "{wrong}");
        }
    }
}
