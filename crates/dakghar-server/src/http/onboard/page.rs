//! The HTML of the page, and of those that say why a link cannot be used.

use std::fmt::Write as _;

use axum::http::StatusCode;
use dakghar_core::app::{OnboardingPage, Visit};
use dakghar_core::domain::ids::SignupConfigId;
use dakghar_core::domain::signup::Language;
use serde::Serialize;
use serde_json::value::RawValue;

use super::assets::{CSS_VERSION, JS_VERSION};
use super::status::StatusView;
use super::texts::Texts;

const PAGE: &str = include_str!("assets/page.html");
const NOTICE: &str = include_str!("assets/notice.html");

/// The page of a link that can be used, or was used by this browser.
pub(super) struct Shown<'a> {
    /// It is sent along with everything that the page posts.
    pub(super) state: String,
    pub(super) visit: &'a Visit,
    pub(super) settings: &'a OnboardingPage,
    pub(super) texts: &'static Texts,
}

/// The data of the script.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    state: &'a str,
    app_id: &'a str,
    config_id: &'a str,
    api_version: &'a str,
    extras: &'a RawValue,
    sdk_url: &'a str,
    /// An origin that is believed besides Meta's, in development.
    other_origin: Option<&'a str>,
    return_url: Option<&'a str>,
    signup_id: String,
    status: StatusView,
    texts: &'a std::collections::BTreeMap<String, String>,
}

impl Shown<'_> {
    pub(super) fn to_html(&self) -> String {
        let signup = &self.visit.signup;
        let extras: &RawValue = serde_json::from_str(&self.settings.extras).expect("the settings were checked");
        let other = self.settings.other_sdk.as_ref();
        let data = Data {
            state: &self.state,
            app_id: signup.app_id.as_str(),
            config_id: self.visit.config_id.as_ref().map_or("", SignupConfigId::as_str),
            api_version: &self.settings.api_version,
            extras,
            sdk_url: other.map_or_else(|| sdk_of(self.texts.language), |sdk| &*sdk.url),
            other_origin: other.map(|sdk| &*sdk.origin),
            return_url: signup.link.as_ref().and_then(|link| link.return_url.as_deref()),
            signup_id: signup.id.to_string(),
            status: StatusView::from(signup),
            texts: self.texts.all(),
        };
        let data = serde_json::to_string(&data).expect("texts become JSON");
        let tenant = isolated(&self.visit.tenant_name);
        let values = [("data", data.as_str()), ("tenant", tenant.as_str())];
        fill(PAGE, self.texts, &values)
    }
}

/// A name between two signs that keep its direction to itself, as `<bdi>` does. The script puts it into texts, where there are
/// no elements. A name's own signs of that kind could end the isolation, so they are left out.
fn isolated(name: &str) -> String {
    const BEGIN: char = '\u{2068}';
    const END: char = '\u{2069}';
    let is_sign = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    format!("{BEGIN}{}{END}", name.replace(is_sign, ""))
}

/// Meta's SDK, in a language of Meta's.
const fn sdk_of(language: Language) -> &'static str {
    match language {
        Language::English => "https://connect.facebook.net/en_US/sdk.js",
        Language::Bengali => "https://connect.facebook.net/bn_IN/sdk.js",
    }
}

/// Why a link cannot be used.
#[derive(Clone, Copy, Debug)]
pub(super) enum Notice {
    /// There is no such link.
    Unknown,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Cancelled,
    /// Another browser has used it.
    Used,
    /// Too many links that do not exist were asked for from this address.
    Busy,
}

impl Notice {
    pub(super) const fn status(self) -> StatusCode {
        match self {
            Self::Unknown => StatusCode::NOT_FOUND,
            Self::Expired | Self::Cancelled => StatusCode::GONE,
            Self::Used => StatusCode::FORBIDDEN,
            Self::Busy => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Used => "used",
            Self::Busy => "busy",
        }
    }

    pub(super) fn to_html(self, texts: &Texts) -> String {
        let of = |part: &str| texts.get(&format!("notice.{}.{part}", self.name()));
        let values = [
            ("notice", self.name()),
            ("heading", of("heading")),
            ("text", of("text")),
        ];
        fill(NOTICE, texts, &values)
    }
}

/// Fills a template: `{{t:key}}` with a text, `{{name}}` with a value. Within texts, `{name}` is a value too. Everything is
/// escaped, once.
fn fill(template: &str, texts: &Texts, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once("{{") {
        filled.push_str(before);
        let Some((name, after)) = behind.split_once("}}") else {
            break;
        };
        escape_into(&mut filled, &value_of(name, texts, values));
        rest = after;
    }
    filled.push_str(rest);
    filled
}

fn value_of(name: &str, texts: &Texts, values: &[(&str, &str)]) -> String {
    let other = match texts.language {
        Language::English => Language::Bengali,
        Language::Bengali => Language::English,
    };
    match name {
        "lang" => texts.language.as_str().to_owned(),
        "otherLang" => other.as_str().to_owned(),
        "otherName" => texts.get(&format!("language.{}", other.as_str())).to_owned(),
        "css" => CSS_VERSION.clone(),
        "js" => JS_VERSION.clone(),
        _ => match name.strip_prefix("t:") {
            Some(key) => with_values(texts.get(key), values),
            None => values
                .iter()
                .find(|(known, _)| *known == name)
                .map_or("", |(_, value)| *value)
                .to_owned(),
        },
    }
}

fn with_values(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((name, after)) = behind.split_once('}') else {
            break;
        };
        let value = values.iter().find(|(known, _)| *known == name);
        filled.push_str(value.map_or("", |(_, value)| *value));
        rest = after;
    }
    filled.push_str(rest);
    filled
}

fn escape_into(filled: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' | '<' | '>' | '"' | '\'' => {
                write!(filled, "&#{};", u32::from(c)).expect("a string takes everything");
            }
            _ => filled.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_tenant_is_called_it_stays_text() {
        let texts = Texts::of(Language::English);
        let values = [("tenant", "<b>\"&'{tenant}</b>{{t:title}}"), ("data", "{\"a\":\"'<\"}")];
        let filled = fill("<p>{{t:start.heading}}|{{tenant}}|{{data}}</p>", texts, &values);
        assert!(
            !filled.contains("<b>") && !filled.contains('"') && !filled.contains('\''),
            "{filled}"
        );
        assert_eq!(filled.matches("&#60;b&#62;").count(), 2, "{filled}");
        assert!(
            filled.contains("{{t:title}}"),
            "a value is not filled in turn: {filled}"
        );
    }

    #[test]
    fn a_name_turns_only_itself_around() {
        let name = "a\u{202e}b\u{2069}\u{2067}c\u{202c}";
        assert_eq!(isolated(name), "\u{2068}abc\u{2069}");
        assert_eq!(isolated("مكتبة"), "\u{2068}مكتبة\u{2069}");
    }

    #[test]
    fn every_place_of_the_pages_is_known() {
        for language in Language::ALL {
            let texts = Texts::of(language);
            for template in [PAGE, NOTICE] {
                for name in template
                    .split("{{")
                    .skip(1)
                    .filter_map(|rest| rest.split_once("}}"))
                    .map(|(name, _)| name)
                {
                    let is_value = ["data", "tenant", "notice", "heading", "text"].contains(&name);
                    assert!(is_value || !value_of(name, texts, &[]).is_empty(), "{name}");
                }
            }
        }
    }
}
