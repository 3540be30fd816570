//! Times of the day at which a tenant wants people to be left alone.
//!
//! They are times of a place, as its clocks show them: the names and the changes of clocks are those of the IANA time zone
//! database.

use jiff::civil::Time;
use jiff::tz::TimeZone;

use super::Timestamp;
use super::pacing::Priority;

/// The messages that wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum QuietFor {
    /// Marketing.
    #[default]
    Marketing,
    /// All.
    All,
}

impl QuietFor {
    /// Every choice.
    pub const ALL: [Self; 2] = [Self::Marketing, Self::All];

    /// The name used in answers and in the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Marketing => "marketing",
            Self::All => "all",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.as_str() == text)
    }
}

/// The part of quiet hours that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuietFault {
    /// Their beginning is no time of the day.
    From,
    /// Their end is no time of the day.
    To,
    /// They end when they begin.
    Empty,
    /// Their time zone is not known.
    TimeZone,
}

/// From one time of the day to another, of that day or of the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuietHours {
    from: Time,
    to: Time,
    zone: TimeZone,
    messages: QuietFor,
}

impl QuietHours {
    /// Reads times like `21:00`, and the name of a time zone like `Asia/Kolkata`.
    pub fn parse(from: &str, to: &str, time_zone: &str, messages: QuietFor) -> Result<Self, QuietFault> {
        let (from, to) = (
            time_of_day(from).ok_or(QuietFault::From)?,
            time_of_day(to).ok_or(QuietFault::To)?,
        );
        if from == to {
            return Err(QuietFault::Empty);
        }
        let zone = TimeZone::get(time_zone).map_err(|_| QuietFault::TimeZone)?;
        // Names like `UTC0` are rules, and no names.
        if zone.iana_name().is_none() {
            return Err(QuietFault::TimeZone);
        }
        Ok(Self {
            from,
            to,
            zone,
            messages,
        })
    }

    /// When they begin.
    pub fn from(&self) -> String {
        text_of(self.from)
    }

    /// When they end.
    pub fn to(&self) -> String {
        text_of(self.to)
    }

    /// The name of their time zone.
    pub fn time_zone(&self) -> &str {
        self.zone.iana_name().unwrap_or_default()
    }

    /// The messages that wait.
    pub const fn messages(&self) -> QuietFor {
        self.messages
    }

    /// Until when a message waits for them. One of high priority never does: somebody waits for its code.
    pub fn hold_back(&self, is_marketing: bool, priority: Priority, date: Timestamp) -> Option<Timestamp> {
        let is_meant = is_marketing || self.messages == QuietFor::All;
        (is_meant && priority != Priority::High)
            .then(|| self.end_after(date))
            .flatten()
    }

    /// When those end in which this date is; `None` if it is in none.
    fn end_after(&self, date: Timestamp) -> Option<Timestamp> {
        let date = jiff::Timestamp::from_millisecond(date.as_millis()).ok()?;
        if !self.has(date) {
            return None;
        }
        let local = date.to_zoned(self.zone.clone());
        let day = if local.time() < self.to {
            local.date()
        } else {
            local.date().tomorrow().ok()?
        };
        let end = self.zone.to_ambiguous_timestamp(day.to_datetime(self.to));
        // An hour that is there twice may be over once.
        let end = end.compatible().ok().filter(|end| *end > date).or(end.later().ok())?;
        // An hour that is left out may take their end with it.
        let change = self.zone.following(date).next().map(|change| change.timestamp());
        let end = change
            .filter(|change| *change < end && !self.has(*change))
            .unwrap_or(end);
        Some(Timestamp::from_millis(end.as_millisecond()))
    }

    fn has(&self, date: jiff::Timestamp) -> bool {
        let time = date.to_zoned(self.zone.clone()).time();
        if self.from < self.to {
            self.from <= time && time < self.to
        } else {
            self.from <= time || time < self.to
        }
    }
}

fn time_of_day(text: &str) -> Option<Time> {
    let is_of_digits = text
        .bytes()
        .enumerate()
        .all(|(place, b)| place == 2 || b.is_ascii_digit());
    let is_whole = is_of_digits && text.len() == "21:00".len();
    Time::strptime("%H:%M", text).ok().filter(|_| is_whole)
}

fn text_of(time: Time) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(from: &str, to: &str, zone: &str) -> QuietHours {
        QuietHours::parse(from, to, zone, QuietFor::All).expect("quiet hours")
    }

    fn end(hours: &QuietHours, date: &str) -> Option<String> {
        let date = Timestamp::parse_rfc3339(date).expect("a date");
        let end = hours.hold_back(false, Priority::Normal, date);
        end.map(|end| end.to_string())
    }

    #[test]
    fn they_are_of_a_place_and_may_go_over_midnight() {
        let night = hours("21:00", "08:00", "Asia/Kolkata");
        for (date, expected) in [
            ("2026-11-30T15:29:59.999Z", None),
            ("2026-11-30T15:30:00Z", Some("2026-12-01T02:30:00.000Z")),
            ("2026-11-30T20:00:00Z", Some("2026-12-01T02:30:00.000Z")),
            ("2026-12-01T02:29:59.999Z", Some("2026-12-01T02:30:00.000Z")),
            ("2026-12-01T02:30:00Z", None),
        ] {
            assert_eq!(end(&night, date).as_deref(), expected, "{date}");
        }
        let evening = hours("21:00", "00:00", "Asia/Kolkata");
        for (date, expected) in [
            ("2026-11-30T15:29:59.999Z", None),
            ("2026-11-30T18:29:59.999Z", Some("2026-11-30T18:30:00.000Z")),
            ("2026-11-30T18:30:00Z", None),
        ] {
            assert_eq!(
                end(&evening, date).as_deref(),
                expected,
                "until the end of the day: {date}"
            );
        }
        let noon = hours("12:00", "14:30", "Asia/Dhaka");
        assert_eq!(end(&noon, "2026-11-30T05:59:00Z"), None);
        assert_eq!(
            end(&noon, "2026-11-30T06:00:00Z").as_deref(),
            Some("2026-11-30T08:30:00.000Z")
        );
        assert_eq!(end(&noon, "2026-11-30T08:30:00Z"), None);
    }

    #[test]
    fn they_end_when_the_clocks_of_the_place_say_so() {
        // On 2026-03-29 it is 03:00 after 01:59:59, on 2026-10-25 it is 02:00 to 03:00 twice.
        let berlin = hours("21:00", "02:30", "Europe/Berlin");
        for (date, expected) in [
            ("2026-03-28T22:00:00Z", Some("2026-03-29T01:00:00.000Z")),
            ("2026-03-29T01:00:00Z", None),
            ("2026-10-24T22:00:00Z", Some("2026-10-25T00:30:00.000Z")),
            ("2026-10-25T00:30:00Z", None),
            ("2026-10-25T01:10:00Z", Some("2026-10-25T01:30:00.000Z")),
            ("2026-10-25T01:30:00Z", None),
        ] {
            assert_eq!(end(&berlin, date).as_deref(), expected, "{date}");
        }
        let morning = hours("21:00", "08:00", "America/New_York");
        assert_eq!(
            end(&morning, "2026-03-08T03:00:00Z").as_deref(),
            Some("2026-03-08T12:00:00.000Z"),
            "an hour less"
        );
        assert_eq!(
            end(&morning, "2026-11-01T02:00:00Z").as_deref(),
            Some("2026-11-01T13:00:00.000Z"),
            "an hour more"
        );
    }

    #[test]
    fn marketing_waits_or_everything_but_what_is_urgent_never() {
        let date = Timestamp::parse_rfc3339("2026-11-30T20:00:00Z").expect("a date");
        for (messages, is_marketing, priority, waits) in [
            (QuietFor::Marketing, true, Priority::Normal, true),
            (QuietFor::Marketing, true, Priority::Low, true),
            (QuietFor::Marketing, false, Priority::Low, false),
            (QuietFor::All, false, Priority::Low, true),
            (QuietFor::All, false, Priority::High, false),
            (QuietFor::Marketing, true, Priority::High, false),
        ] {
            let hours = QuietHours::parse("21:00", "08:00", "Asia/Kolkata", messages).expect("quiet hours");
            let until = hours.hold_back(is_marketing, priority, date);
            assert_eq!(until.is_some(), waits, "{messages:?} {is_marketing} {priority:?}");
        }
    }

    #[test]
    fn what_is_no_time_and_no_place_is_refused() {
        let parse = |from, to, zone| QuietHours::parse(from, to, zone, QuietFor::All).map(|_| ());
        for bad in ["24:00", "9:00", "21:60", "21:00:00", "", "2100", " 9:00", "+9:00"] {
            assert_eq!(parse(bad, "08:00", "UTC"), Err(QuietFault::From), "{bad:?}");
            assert_eq!(parse("21:00", bad, "UTC"), Err(QuietFault::To), "{bad:?}");
        }
        for bad in ["", "Asia/Atlantis", "+05:30", "UTC0", "../../etc/passwd", "IST-5:30"] {
            assert_eq!(parse("21:00", "08:00", bad), Err(QuietFault::TimeZone), "{bad:?}");
        }
        assert_eq!(parse("21:00", "21:00", "UTC"), Err(QuietFault::Empty));
        let read = hours("21:00", "08:05", "asia/kolkata");
        assert_eq!(
            (read.from().as_str(), read.to().as_str(), read.time_zone()),
            ("21:00", "08:05", "Asia/Kolkata")
        );
    }
}
