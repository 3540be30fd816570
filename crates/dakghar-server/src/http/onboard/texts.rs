//! The texts of the page, in each of its languages.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_LANGUAGE;
use dakghar_core::domain::signup::Language;

/// The texts in one language, by their keys.
pub(super) struct Texts {
    pub(super) language: Language,
    all: BTreeMap<String, String>,
}

static ENGLISH: LazyLock<Texts> = LazyLock::new(|| Texts::parse(Language::English, include_str!("texts/en.json")));
static BENGALI: LazyLock<Texts> = LazyLock::new(|| Texts::parse(Language::Bengali, include_str!("texts/bn.json")));

impl Texts {
    fn parse(language: Language, json: &str) -> Self {
        let all = serde_json::from_str(json).expect("a test reads them");
        Self { language, all }
    }

    /// The texts in this language.
    pub(super) fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &ENGLISH,
            Language::Bengali => &BENGALI,
        }
    }

    /// One text.
    pub(super) fn get(&self, key: &str) -> &str {
        self.all.get(key).map_or("", String::as_str)
    }

    /// All texts.
    pub(super) const fn all(&self) -> &BTreeMap<String, String> {
        &self.all
    }
}

/// The languages that a request asks for.
pub(super) struct Wanted {
    chosen: Option<Language>,
    accepted: Option<Language>,
}

impl Wanted {
    /// The language to show: the one that a person chose on the page, or that of the link, or that of the browser.
    pub(super) fn language(&self, of_link: Option<Language>) -> Language {
        self.chosen.or(of_link).or(self.accepted).unwrap_or(Language::English)
    }
}

/// Reads the languages that a request wants.
pub(super) fn wanted(query: Option<&str>, headers: &HeaderMap) -> Wanted {
    let mut pairs = query
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('='));
    let chosen = pairs.find(|(name, _)| *name == "lang");
    let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    Wanted {
        chosen: chosen.and_then(|(_, name)| Language::parse(name)),
        accepted: accepted.and_then(accepted_first),
    }
}

/// The one of our languages that a browser likes best. Of those that it likes equally, the first.
fn accepted_first(header: &str) -> Option<Language> {
    let mut best: Option<(Language, f32)> = None;
    for part in header.split(',') {
        let (range, parameters) = part.split_once(';').unwrap_or((part, ""));
        let primary = range.trim().split('-').next().unwrap_or_default().to_ascii_lowercase();
        let quality = parameters
            .trim()
            .strip_prefix("q=")
            .map_or(Some(1.0), |text| text.parse().ok());
        let (Some(language), Some(quality)) = (Language::parse(&primary), quality) else {
            continue;
        };
        if quality > 0.0 && best.is_none_or(|(_, known)| quality > known) {
            best = Some((language, quality));
        }
    }
    best.map(|(language, _)| language)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use dakghar_core::domain::signup::Reason;

    use super::*;

    fn keys(texts: &Texts) -> BTreeSet<&str> {
        texts.all().keys().map(String::as_str).collect()
    }

    fn places(text: &str) -> BTreeSet<&str> {
        text.split('{')
            .skip(1)
            .filter_map(|rest| rest.split_once('}'))
            .map(|(name, _)| name)
            .collect()
    }

    #[test]
    fn both_languages_say_the_same_things() {
        let (english, bengali) = (Texts::of(Language::English), Texts::of(Language::Bengali));
        assert_eq!(keys(english), keys(bengali));
        for (key, text) in english.all() {
            assert!(!text.trim().is_empty() && !bengali.get(key).trim().is_empty(), "{key}");
            assert_eq!(places(text), places(bengali.get(key)), "{key}");
            let is_name = key.starts_with("language.");
            assert!(
                is_name || bengali.get(key).chars().any(|c| ('\u{980}'..='\u{9ff}').contains(&c)),
                "{key}"
            );
        }
    }

    #[test]
    fn every_reason_has_words() {
        for reason in Reason::ALL {
            let key = format!("reason.{}", reason.as_str());
            assert!(!Texts::of(Language::English).get(&key).is_empty(), "{key}");
        }
    }

    #[test]
    fn a_person_s_choice_goes_before_that_of_the_link_and_the_browser() {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_LANGUAGE, "fr, en;q=0.5, bn-BD;q=0.9".parse().expect("printable"));
        let of = |query, link| wanted(query, &headers).language(link);
        assert_eq!(of(None, None), Language::Bengali);
        assert_eq!(of(None, Some(Language::English)), Language::English);
        assert_eq!(of(Some("x=1&lang=bn"), Some(Language::English)), Language::Bengali);
        assert_eq!(of(Some("lang=xx"), None), Language::Bengali);
        assert_eq!(wanted(None, &HeaderMap::new()).language(None), Language::English);
        assert_eq!(accepted_first("bn;q=0, de"), None);
        assert_eq!(accepted_first("en-GB,en;q=0.9,bn;q=0.9"), Some(Language::English));
    }
}
