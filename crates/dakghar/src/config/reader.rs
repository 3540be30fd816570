//! Reads the text of settings, and collects everything that is wrong with them.

use std::time::Duration;

use dakghar_core::domain::Secret;

use super::environment::Environment;
use super::variable::{Kind, Variable};

/// Reads settings. A value that cannot be read is replaced by a default, and the problem is kept for the report.
pub(super) struct Reader<'a> {
    environment: &'a Environment,
    problems: Vec<String>,
}

impl<'a> Reader<'a> {
    /// A reader without problems.
    pub(super) fn new(environment: &'a Environment) -> Self {
        Self {
            environment,
            problems: Vec::new(),
        }
    }

    /// The text, or `None` when there is neither a value nor a default.
    pub(super) fn text(&mut self, variable: &Variable) -> Option<String> {
        let text = self.environment.get(variable).unwrap_or_else(|problem| {
            self.problems.push(problem);
            None
        })?;
        match variable.kind {
            Kind::OneOf(words) if !words.contains(&text.as_str()) => {
                self.problem(format!("{} must be one of: {}", variable.name, words.join(", ")));
                None
            }
            _ => Some(text),
        }
    }

    /// The text as a secret.
    pub(super) fn secret(&mut self, variable: &Variable) -> Option<Secret> {
        let text = self.text(variable)?;
        if text.trim().is_empty() {
            self.problem(format!("{} consists of blanks only", variable.name));
            return None;
        }
        // A line end that slipped in makes every signature and every key a wrong one.
        self.require(
            text.trim() == text && !text.contains(char::is_control),
            &format!(
                "{} must not begin or end with white space, nor contain line ends",
                variable.name
            ),
        );
        Some(Secret::new(text))
    }

    /// The file that a secret is read from, if somebody named one.
    pub(super) fn file_of(&self, variable: &Variable) -> Option<String> {
        self.environment.file_of(variable)
    }

    /// True if somebody set the variable.
    pub(super) fn is_set(&self, variable: &Variable) -> bool {
        self.environment.is_set(variable)
    }

    /// The number, within the range of the variable.
    pub(super) fn integer<T: TryFrom<u64> + Default>(&mut self, variable: &Variable) -> T {
        let Kind::Integer { min, max } = variable.kind else {
            unreachable!("{} is a number", variable.name)
        };
        let text = self.text(variable).unwrap_or_default();
        let parsed = text.parse().ok().filter(|number| (min..=max).contains(number));
        parsed.and_then(|number| T::try_from(number).ok()).unwrap_or_else(|| {
            self.problem(format!("{} must be a whole number from {min} to {max}", variable.name));
            T::default()
        })
    }

    /// The duration of a variable in milliseconds.
    pub(super) fn millis(&mut self, variable: &Variable) -> Duration {
        Duration::from_millis(self.integer(variable))
    }

    /// Keeps a problem.
    pub(super) fn problem(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    /// Keeps a problem unless the condition is met.
    pub(super) fn require(&mut self, is_met: bool, problem: &str) {
        if !is_met {
            self.problem(problem);
        }
    }

    /// Returns the value, or all problems if there were any.
    pub(super) fn finish<T>(self, value: T) -> Result<T, Vec<String>> {
        if self.problems.is_empty() {
            Ok(value)
        } else {
            Err(self.problems)
        }
    }
}
