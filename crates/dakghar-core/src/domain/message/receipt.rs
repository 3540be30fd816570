//! The words of Meta's answer on a message that it took, beyond its id.

use std::sync::Arc;

/// Meta's word for a message that it took and will send.
const ACCEPTED: &str = "accepted";

/// The words of Meta; there are none for most messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Meta's `message_status`, such as `held_for_quality_assessment`. One that is `accepted` says nothing and is left out.
    pub status: Option<Arc<str>>,
    /// The number under which WhatsApp knows the person, in digits, where it is another one than was given.
    pub wa_id: Option<Arc<str>>,
    /// The person's business-scoped user id.
    pub user_id: Option<Arc<str>>,
}

impl Receipt {
    /// Returns what of it was not known before about a message to `peer_id`; `None` if that is nothing.
    pub fn beyond(&self, peer_id: Option<&str>) -> Option<Self> {
        let news = Self {
            status: self.status.clone().filter(|status| &**status != ACCEPTED),
            wa_id: self.wa_id.clone().filter(|id| Some(&**id) != peer_id),
            user_id: self.user_id.clone().filter(|id| Some(&**id) != peer_id),
        };
        (news != Self::default()).then_some(news)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_known_is_not_kept() {
        let receipt = |status: &str, wa_id: &str| Receipt {
            status: Some(status.into()),
            wa_id: Some(wa_id.into()),
            user_id: None,
        };
        assert_eq!(receipt("accepted", "919111111111").beyond(Some("919111111111")), None);
        let kept = receipt("paused", "554187654321").beyond(Some("5541987654321"));
        assert_eq!(kept, Some(receipt("paused", "554187654321")));
        let held = receipt("held_for_quality_assessment", "1")
            .beyond(Some("1"))
            .expect("held");
        assert_eq!(
            (held.status.as_deref(), held.wa_id),
            (Some("held_for_quality_assessment"), None)
        );
    }
}
