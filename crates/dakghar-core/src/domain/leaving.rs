//! The part of a tenant that is leaving: nothing is accepted for it any more.

use super::ids::PhoneNumberId;

/// The text of a tenant that leaves as a whole. It is none of an id.
const WHOLE: &str = "all";

/// The part of a tenant that is leaving.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// The tenant with all that it has.
    Whole,
    /// These numbers of it.
    Numbers(Vec<PhoneNumberId>),
}

impl Leaving {
    /// True if this number leaves.
    pub fn has(&self, number: &PhoneNumberId) -> bool {
        match self {
            Self::Whole => true,
            Self::Numbers(numbers) => numbers.contains(number),
        }
    }

    /// Returns the text that the stores keep.
    pub fn to_text(&self) -> String {
        match self {
            Self::Whole => WHOLE.to_owned(),
            Self::Numbers(numbers) => {
                let ids: Vec<&str> = numbers.iter().map(PhoneNumberId::as_str).collect();
                ids.join(" ")
            }
        }
    }

    /// Reads the text.
    pub fn parse(text: &str) -> Option<Self> {
        if text == WHOLE {
            return Some(Self::Whole);
        }
        let numbers = text.split(' ').map(|id| PhoneNumberId::parse(id).ok());
        numbers.collect::<Option<_>>().map(Self::Numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digits: &str) -> PhoneNumberId {
        PhoneNumberId::parse(digits).expect("digits")
    }

    #[test]
    fn a_whole_tenant_has_every_number_and_its_text_is_read_again() {
        let some = Leaving::Numbers(vec![id("501"), id("502")]);
        assert!(Leaving::Whole.has(&id("503")) && some.has(&id("502")) && !some.has(&id("503")));
        for leaving in [Leaving::Whole, some] {
            assert_eq!(Leaving::parse(&leaving.to_text()), Some(leaving));
        }
        assert_eq!(Leaving::parse("501 x y"), None);
        assert_eq!(Leaving::parse(""), None);
    }
}
