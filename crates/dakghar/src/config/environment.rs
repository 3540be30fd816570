//! Where settings come from: the environment first, then `.env`, and files named by `NAME_FILE` for secrets.

use std::collections::BTreeMap;
use std::path::Path;

use super::variable::Variable;

/// The settings as text, from the environment and `.env`.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    values: BTreeMap<String, String>,
}

impl Environment {
    /// The process's environment, completed by `.env` in the working folder if there is one.
    pub fn of_process() -> Result<Self, String> {
        let mut values: BTreeMap<String, String> = BTreeMap::new();
        let file = Path::new(".env");
        if file.exists() {
            for pair in dotenvy::from_path_iter(file).map_err(unreadable)? {
                let (name, value) = pair.map_err(unreadable)?;
                values.insert(name, value);
            }
        }
        #[expect(clippy::disallowed_methods, reason = "the one place that reads variables")]
        let process = std::env::vars_os();
        for (name, value) in process {
            if let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) {
                values.insert(name, value);
            }
        }
        Ok(Self { values })
    }

    /// An environment with exactly these values, for tests.
    #[cfg(test)]
    pub fn of<'a>(values: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self {
            values: values
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        }
    }

    /// The text of a setting: its own, that of the file that `NAME_FILE` names, or the default. Empty counts as not
    /// set.
    pub fn get(&self, variable: &Variable) -> Result<Option<String>, String> {
        let own = self.values.get(variable.name).filter(|value| !value.is_empty());
        let file = self.file_of(variable);
        match (own, file) {
            // Such a file would otherwise be ignored without a word.
            (_, Some(_)) if !variable.is_secret() => Err(format!(
                "{0}_FILE is set, but {0} is not read from a file",
                variable.name
            )),
            (Some(_), Some(_)) => Err(format!("{0} and {0}_FILE are both set; keep one", variable.name)),
            (Some(value), None) => Ok(Some(value.clone())),
            (None, Some(path)) => match std::fs::read_to_string(&path) {
                Ok(text) if text.trim().is_empty() => Err(format!("{}_FILE: {path} is empty", variable.name)),
                // Some editors begin a file with a mark of its encoding.
                Ok(text) => Ok(Some(
                    text.trim_start_matches('\u{feff}')
                        .trim_end_matches(['\n', '\r'])
                        .to_owned(),
                )),
                Err(error) => Err(format!("{}_FILE: {path}: {error}", variable.name)),
            },
            (None, None) if variable.default.is_empty() => Ok(None),
            (None, None) => Ok(Some(variable.default.to_owned())),
        }
    }

    /// The file that `NAME_FILE` names.
    pub fn file_of(&self, variable: &Variable) -> Option<String> {
        let path = self.values.get(&format!("{}_FILE", variable.name));
        path.filter(|path| !path.is_empty()).cloned()
    }

    /// True if nothing may be coloured: <https://no-color.org>.
    pub fn forbids_colour(&self) -> bool {
        self.values.get("NO_COLOR").is_some_and(|value| !value.is_empty())
    }

    /// True if tests should rewrite the generated files that they compare.
    #[cfg(test)]
    pub fn is_updating_golden(&self) -> bool {
        self.values.contains_key("UPDATE_GOLDEN")
    }

    /// True if somebody set the variable, or named a file for it.
    pub fn is_set(&self, variable: &Variable) -> bool {
        [variable.name.to_owned(), format!("{}_FILE", variable.name)]
            .iter()
            .any(|name| self.values.get(name).is_some_and(|value| !value.is_empty()))
    }
}

/// Describes an error in `.env`. The faulty line is left out, because it may hold a secret.
pub(super) fn unreadable(error: dotenvy::Error) -> String {
    match error {
        dotenvy::Error::LineParse(..) => {
            ".env: a line cannot be read; a value with spaces, # or quotes stands between quotes".to_owned()
        }
        error => format!(".env: {error}"),
    }
}
