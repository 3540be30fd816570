//! What the client says about the conditions under which a message may go out.

/// The conditions of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// True if it is marketing.
    pub marketing: bool,
    /// True if it may go out only while the person's customer service window is open.
    pub open_window: bool,
}

const MARKETING: &str = "marketing";
const OPEN_WINDOW: &str = "open_window";

impl Terms {
    /// Returns the text under which a store keeps them; `None` for the usual ones, which nearly every message has.
    pub const fn stored(self) -> Option<&'static str> {
        match (self.marketing, self.open_window) {
            (false, false) => None,
            (true, false) => Some(MARKETING),
            (false, true) => Some(OPEN_WINDOW),
            (true, true) => Some("marketing open_window"),
        }
    }

    /// Reads that text.
    pub fn parse(text: &str) -> Option<Self> {
        let mut terms = Self::default();
        for word in text.split(' ') {
            match word {
                MARKETING => terms.marketing = true,
                OPEN_WINDOW => terms.open_window = true,
                _ => return None,
            }
        }
        Some(terms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_text_says_all_of_it() {
        for marketing in [false, true] {
            for open_window in [false, true] {
                let terms = Terms { marketing, open_window };
                assert_eq!(terms.stored().map_or(Some(Terms::default()), Terms::parse), Some(terms));
            }
        }
        assert_eq!(Terms::parse("other"), None);
    }
}
