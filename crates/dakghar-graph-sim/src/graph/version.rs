//! Graph API versions in the URL path.

use std::fmt;

/// Oldest version still served; a call to an expired one is served by it.
const OLDEST_LIVING: u32 = 21;
/// Newest version there is.
const NEWEST: u32 = 26;

/// The version that serves a call, which `facebook-api-version` reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version(u32);

impl Version {
    /// The version used where none can be read from the path.
    pub(crate) const fn newest() -> Self {
        Self(NEWEST)
    }

    /// Reads a path segment such as `v25.0`; `None` for anything else.
    pub(crate) fn serving(segment: &str) -> Option<Self> {
        segment
            .strip_prefix('v')
            .and_then(|number| number.strip_suffix(".0"))
            .and_then(|major| major.parse::<u32>().ok())
            .filter(|major| (1..=NEWEST).contains(major))
            .map(|major| Self(major.max(OLDEST_LIVING)))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}.0", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serves_living_versions_and_lifts_expired_ones() {
        let check = |segment: &str, expected: Option<&str>| {
            let served = Version::serving(segment).map(|v| v.to_string());
            assert_eq!(served.as_deref(), expected, "{segment}");
        };
        check("v25.0", Some("v25.0"));
        check("v20.0", Some("v21.0"));
        check("v99.0", None);
        check("v25", None);
        check("25.0", None);
        check("messages", None);
    }
}
