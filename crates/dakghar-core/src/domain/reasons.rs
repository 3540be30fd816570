//! Reasons why a record that is carried on by itself does not go on, each with its advice.

/// Defines an enum of reasons, each with the name that answers and stores have for it, and with the advice to a person.
macro_rules! reasons {
    ($(#[$doc:meta])* $reason:ident { $($(#[$about:meta])* $name:ident = $text:literal, $advice:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $reason { $($(#[$about])* $name,)* }

        impl $reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name used in answers and in the stores.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The advice to a person, where Meta's code gives none.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice,)* }
            }

            /// Reads the name.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|reason| reason.as_str() == text)
            }
        }
    };
}
pub(super) use reasons;
