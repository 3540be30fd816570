//! How a call of an endpoint ended.

/// How a call of an endpoint ended. Nothing of it tells where the receiver is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallEnd {
    /// The receiver answered with this status.
    Answered(u16),
    /// There was no whole answer.
    Failed(CallbackFailure),
}

/// The class of a failure: all that a tenant is told about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallbackFailure {
    /// The name of the host was not found.
    Dns,
    /// The host is, or leads to, an address that may not be called. Nothing was sent.
    Blocked,
    /// No connection came about.
    Connect,
    /// TLS was not agreed on: the certificate is not valid, or not for this host. Nothing of the body was sent.
    Tls,
    /// The time was over.
    Timeout,
    /// The connection broke, or the answer was not HTTP or beyond its limits.
    Protocol,
}

impl CallbackFailure {
    /// Every class.
    pub const ALL: [Self; 6] = [
        Self::Dns,
        Self::Blocked,
        Self::Connect,
        Self::Tls,
        Self::Timeout,
        Self::Protocol,
    ];

    /// The word for it in API, log and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Blocked => "blocked",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Protocol => "protocol",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|failure| failure.as_str() == word)
    }
}

impl CallEnd {
    /// True if the receiver has taken what it was sent.
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Answered(200..=299))
    }

    /// True if the receiver answered that it does not want what it was sent; not that it is slow, or has too much.
    pub const fn is_refusal(self) -> bool {
        matches!(self, Self::Answered(400..=407 | 409..=428 | 430..=499))
    }

    /// True if the receiver answered that it has too much, or cannot serve anybody: a wait that it asks for is meant for all calls.
    pub const fn is_of_receiver(self) -> bool {
        matches!(self, Self::Answered(429 | 503))
    }

    /// The status of the answer, if there was one.
    pub const fn status(self) -> Option<u16> {
        match self {
            Self::Answered(status) => Some(status),
            Self::Failed(_) => None,
        }
    }

    /// The class of the failure where nothing was answered.
    pub const fn failure(self) -> Option<CallbackFailure> {
        match self {
            Self::Answered(_) => None,
            Self::Failed(failure) => Some(failure),
        }
    }

    /// The end as the stores keep it: a status in digits, or the word for the failure.
    pub fn stored(self) -> String {
        match self {
            Self::Answered(status) => status.to_string(),
            Self::Failed(failure) => failure.as_str().to_owned(),
        }
    }

    /// Reads what [`CallEnd::stored`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let failure = CallbackFailure::parse(text).map(Self::Failed);
        failure.or_else(|| text.parse().ok().map(Self::Answered))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_read_as_they_are_kept() {
        let answered = [200, 301, 404, 503].map(CallEnd::Answered);
        for end in CallbackFailure::ALL.map(CallEnd::Failed).into_iter().chain(answered) {
            assert_eq!(CallEnd::parse(&end.stored()), Some(end));
            assert_eq!(end.is_success(), end == CallEnd::Answered(200));
        }
        assert_eq!(CallEnd::parse("other"), None);
    }
}
