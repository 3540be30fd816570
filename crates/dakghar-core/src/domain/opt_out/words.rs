//! The words by which people say that they want no messages any more, or want them again.
//!
//! A word counts only as the whole message: "stop" in a sentence is about something else. What stands around it, and
//! the many ways to write it, do not matter: people write "Stop!", "*STOP*" and "Stop 🙏".

use std::borrow::Cow;

use serde::Deserialize;

use super::spelling;

/// A message that is no longer than this may be such a word. Vowel marks and what stands around it count.
const CHARS_MAX: usize = 64;

/// A body with such a word has no more bytes than this.
const BODY_BYTES_MAX: usize = 512;

/// What one of the words means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// No messages any more.
    Stop,
    /// Messages again.
    Start,
}

/// Each as it is compared.
const STOP: [&str; 71] = [
    // English, and what carriers demand of programs everywhere.
    "stop",
    "stopall",
    "stop all",
    "unsubscribe",
    "cancel",
    "end",
    "quit",
    "optout",
    "opt out",
    "opt-out",
    "revoke",
    // Bengali.
    "বন্ধ",
    "বন্ধ করুন",
    "বন্ধ কর",
    "থামুন",
    "থামো",
    "স্টপ",
    "বাতিল",
    // Hindi.
    "बंद",
    "बंद करो",
    "बंद करें",
    "बन्द",
    "रोकें",
    "रोको",
    "रुको",
    "स्टॉप",
    // Urdu.
    "بند کریں",
    "بند",
    "روکیں",
    // Spanish.
    "alto",
    "parar",
    "baja",
    "cancelar",
    "detener",
    // Portuguese; "parar" and "cancelar" are above.
    "pare",
    "sair",
    "descadastrar",
    // French.
    "arrêt",
    "arret",
    "arrêter",
    "arreter",
    "désabonner",
    "desabonner",
    "désinscription",
    // German.
    "stopp",
    "abmelden",
    "abbestellen",
    // Italian.
    "ferma",
    "disiscriviti",
    "annulla",
    // Arabic.
    "إيقاف",
    "ايقاف",
    "توقف",
    "قف",
    "إلغاء",
    "الغاء",
    // Indonesian and Malay.
    "berhenti",
    "henti",
    "batal",
    // Turkish.
    "dur",
    "durdur",
    "iptal",
    // Russian.
    "стоп",
    // Chinese, in both of its scripts.
    "停止",
    "退订",
    "退訂",
    "取消",
    "取消订阅",
    "取消訂閱",
    "停止订阅",
    "停止訂閱",
];

const START: [&str; 42] = [
    // English.
    "start",
    "unstop",
    "subscribe",
    "resume",
    "optin",
    "opt in",
    "opt-in",
    // Bengali.
    "শুরু",
    "শুরু করুন",
    "চালু",
    "চালু করুন",
    // Hindi.
    "शुरू",
    "शुरू करो",
    "शुरू करें",
    "शुरु",
    // Urdu.
    "شروع",
    "شروع کریں",
    // Spanish.
    "alta",
    "comenzar",
    "iniciar",
    "empezar",
    // Portuguese; "iniciar" is above.
    "começar",
    "comecar",
    "voltar",
    // French.
    "démarrer",
    "demarrer",
    "reprendre",
    // German.
    "anmelden",
    "starten",
    // Italian.
    "inizia",
    // Arabic.
    "ابدأ",
    "ابدا",
    "اشتراك",
    // Indonesian and Malay.
    "mulai",
    "mula",
    // Russian.
    "старт",
    // Chinese, in both of its scripts.
    "开始",
    "開始",
    "订阅",
    "訂閱",
    "恢复",
    "恢復",
];

impl Word {
    /// Reads a message that a person wrote, or the button of a template that they pressed.
    pub fn of_message(kind: &str, body: &str) -> Option<Self> {
        if !matches!(kind, "text" | "button") || body.len() > BODY_BYTES_MAX {
            return None;
        }
        let texts: Texts<'_> = serde_json::from_str(body).ok()?;
        Self::read(&if kind == "text" { texts.body } else { texts.text }?)
    }

    /// Reads the text of a message, however it is spelled; `None` if it says anything else.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.chars().nth(CHARS_MAX).is_some() {
            return None;
        }
        let word = spelling::plain(text);
        if STOP.contains(&word.as_str()) {
            Some(Self::Stop)
        } else if START.contains(&word.as_str()) {
            Some(Self::Start)
        } else {
            None
        }
    }
}

/// The texts of a message, in Meta's form.
#[derive(Deserialize)]
struct Texts<'a> {
    #[serde(borrow, default)]
    body: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_whole_message_counts_in_any_case_and_with_blanks_around_it() {
        for text in [
            "STOP",
            "stop",
            " Stop\n",
            "\u{a0}বন্ধ করুন ",
            "ARRÊT",
            "Parar",
            "إيقاف",
            "BERHENTI",
            "Стоп",
            "İPTAL",
        ] {
            assert_eq!(Word::read(text), Some(Word::Stop), "{text}");
        }
        for text in [
            "START",
            "Unstop",
            "চালু",
            "शुरू",
            "Começar",
            "comec\u{327}ar",
            "ابدأ",
            "Start!",
            "✅ start",
            "开始",
            "恢復。",
        ] {
            assert_eq!(Word::read(text), Some(Word::Start), "{text}");
        }
    }

    #[test]
    fn a_word_counts_however_it_is_spelled_and_whatever_stands_around_it() {
        for text in [
            "Stop.",
            "STOP!",
            "unsubscribe.",
            "\"stop\"",
            "“Stop”",
            "«stop»",
            "*STOP*",
            "_*~Stop~*_",
            "Stop 🙏",
            "🛑 STOP 🛑",
            "stop 👍🏽",
            "stop ❤\u{fe0f}",
            "stop 👨\u{200d}👩\u{200d}👧",
            "Stop 🇧🇩",
            "STOP\u{200f}",
            "\u{200b}STOP",
            "STOP\u{fe0f}",
            "S\u{ad}TOP",
            "\u{feff}stop",
            "\u{ff33}\u{ff34}\u{ff2f}\u{ff30}",
            "STOP！",
            "stop。",
            "stop  all",
            "stop\u{a0}all",
            "opt\u{2011}out",
            "arre\u{302}t",
            "ARRE\u{302}T !",
            "\u{625}\u{650}\u{64a}\u{642}\u{64e}\u{627}\u{641}",
            "\u{627}\u{655}يقاف",
            "إيقـــاف",
            "বন্ধ।",
            "बंद।",
            "停止",
            "停止。",
            "退订",
            "退訂！",
            "取消订阅",
            "DUR",
            "Dur!",
            "SAİR",
            "sai\u{307}r",
            "ıptal",
        ] {
            assert_eq!(Word::read(text), Some(Word::Stop), "{text}");
        }
    }

    #[test]
    fn whatever_says_more_than_the_word_is_a_message() {
        for text in [
            "",
            " ",
            "!",
            "🛑",
            "🙏🙏🙏",
            "\u{200f}",
            "please stop",
            "stop it",
            "stop the music",
            "stop 🙏 please",
            "stop! the music",
            "stop, thanks",
            "non-stop",
            "don't stop",
            "stop2",
            "stop 2",
            "1. stop",
            "stops",
            "bus stop",
            "cancel my order",
            "no",
            "s t o p",
            "s.t.o.p",
            "st🛑p",
            "🅂top🙂start",
            "stop\nstart",
            "durum",
            "saira",
            "arrêté",
            "altó",
            "不要停止",
            "请停止发货",
            "বন্ধু",
            "बंदर",
            "দোকান বন্ধ?",
            &"stop".repeat(9),
            &format!("stop{}", "!".repeat(100)),
        ] {
            assert_eq!(Word::read(text), None, "{text}");
        }
    }

    #[test]
    fn texts_and_buttons_are_read_and_nothing_else() {
        for (kind, body, word) in [
            ("text", r#"{"body":"Stop"}"#, Some(Word::Stop)),
            ("text", r#"{"body":"st\u006fp\n","more":{"text":1}}"#, Some(Word::Stop)),
            ("button", r#"{"payload":"p","text":"STOP"}"#, Some(Word::Stop)),
            ("button", r#"{"payload":"STOP","text":"More"}"#, None),
            ("text", r#"{"text":"STOP"}"#, None),
            ("image", r#"{"body":"STOP","caption":"STOP"}"#, None),
            ("text", "null", None),
            ("text", "STOP", None),
        ] {
            assert_eq!(Word::of_message(kind, body), word, "{kind} {body}");
        }
    }

    #[test]
    fn no_word_means_both_and_each_is_written_as_it_is_compared() {
        let all: HashSet<&str> = STOP.into_iter().chain(START).collect();
        assert_eq!(all.len(), STOP.len() + START.len());
        for word in all {
            assert_eq!(word, spelling::plain(word));
            assert!(word.chars().count() <= CHARS_MAX, "{word}");
        }
    }
}
