//! One setting: its name, kind, default and text for people.

/// The kind of text that a variable holds, which decides how it is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// Text that must never be shown.
    Secret,
    /// A whole number in this range.
    Integer {
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
    /// One of these words.
    OneOf(&'static [&'static str]),
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// The name of the environment variable.
    pub name: &'static str,
    /// The kind of its text.
    pub kind: Kind,
    /// The value when it is not set; empty when there is none.
    pub default: &'static str,
    /// One sentence or two for people.
    pub about: &'static str,
    /// The heading it stands under.
    pub heading: &'static str,
}

/// Defines the variables of a section, and its `TABLE` of them in the order of the reference.
macro_rules! table {
    ($heading:literal { $($name:ident: $kind:expr, $default:literal, $about:literal;)* }) => {
        $(#[doc = $about] pub const $name: Variable = Variable {
            name: stringify!($name), kind: $kind, default: $default, about: $about, heading: $heading,
        };)*
        /// The variables of this section, in the order of the reference.
        pub const TABLE: &[Variable] = &[$($name,)*];
    };
}
pub(super) use table;

impl Variable {
    /// True if the value must never be shown.
    pub fn is_secret(&self) -> bool {
        self.kind == Kind::Secret
    }
}
