//! Two requests for a new endpoint, compared.

use aws_lc_rs::digest;
use serde_json::json;
use zeroize::Zeroizing;

use super::new::{EndpointChanges, NewEndpoint, StartAt};
use crate::domain::Secret;
use crate::domain::endpoint::DeliveryOrder;

/// A digest of what an endpoint is to be made from: the same for requests that say the same. It is to be sealed, because what
/// goes in is secret and may be short.
pub(super) fn digest_of(new: &NewEndpoint) -> Secret {
    let EndpointChanges {
        url,
        kinds,
        phone_number_ids,
        order,
        batch_max,
        per_second,
        concurrency,
        headers,
        verify_token,
    } = &new.settings;
    let revealed = |secret: &Secret| secret.reveal().to_owned();
    let mut headers: Vec<_> = headers
        .iter()
        .flatten()
        .map(|(name, value)| (name.clone(), revealed(value)))
        .collect();
    headers.sort();
    let start = match new.start {
        StartAt::Now => json!("now"),
        StartAt::Beginning => json!("beginning"),
        StartAt::Time(time) => json!(time.as_millis()),
    };
    let verify_token = verify_token.as_ref().and_then(Option::as_ref).map(revealed);
    let secret = new.secret.as_ref().map(revealed);
    // What is absent is as what is named and empty.
    let said = json!([
        new.format.as_str(),
        url,
        kinds.as_deref().unwrap_or_default(),
        phone_number_ids.as_deref().unwrap_or_default(),
        order.map_or(DeliveryOrder::None.as_str(), DeliveryOrder::as_str),
        batch_max,
        per_second,
        concurrency,
        headers,
        verify_token,
        start,
        secret,
    ]);
    let said = Zeroizing::new(said.to_string());
    let digest = digest::digest(&digest::SHA256, said.as_bytes());
    Secret::new(hex::encode(digest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;
    use crate::domain::endpoint::EndpointFormat;

    fn new() -> NewEndpoint {
        NewEndpoint {
            format: EndpointFormat::Standard,
            settings: EndpointChanges {
                url: Some("https://example.com/hook".to_owned()),
                ..EndpointChanges::default()
            },
            start: StartAt::Now,
            secret: None,
        }
    }

    fn text(change: impl FnOnce(&mut NewEndpoint)) -> String {
        let mut new = new();
        change(&mut new);
        digest_of(&new).reveal().to_owned()
    }

    #[test]
    fn whatever_is_said_of_an_endpoint_makes_it_another() {
        let some = |word: &str| Some(Secret::new(word));
        let header = |name: &str, value: &str| (name.to_owned(), Secret::new(value));
        let texts = [
            text(|_| ()),
            text(|new| new.format = EndpointFormat::Meta),
            text(|new| new.settings.url = Some("https://example.com/other".to_owned())),
            text(|new| new.settings.kinds = Some(vec!["status.*".to_owned()])),
            text(|new| new.settings.phone_number_ids = Some(vec!["111".to_owned()])),
            text(|new| new.settings.order = Some(DeliveryOrder::Conversation)),
            text(|new| new.settings.batch_max = Some(7)),
            text(|new| new.settings.per_second = Some(7)),
            text(|new| new.settings.concurrency = Some(7)),
            text(|new| new.settings.headers = Some(vec![header("a", "b")])),
            text(|new| new.settings.headers = Some(vec![header("a", "c")])),
            text(|new| new.settings.verify_token = Some(some("token"))),
            text(|new| new.start = StartAt::Beginning),
            text(|new| new.start = StartAt::Time(Timestamp::from_millis(7))),
            text(|new| new.secret = some("token")),
            text(|new| new.secret = some("other")),
        ];
        for (place, one) in texts.iter().enumerate() {
            assert!(!texts[..place].contains(one), "{place}");
        }
    }

    #[test]
    fn the_same_said_in_another_way_is_the_same() {
        let said = |names: [&str; 2]| {
            text(|new| {
                let headers = names.map(|name| (name.to_owned(), Secret::new("value")));
                new.settings.headers = Some(headers.into());
            })
        };
        assert_eq!(said(["a", "b"]), said(["b", "a"]));
        let named = text(|new| {
            new.settings.kinds = Some(Vec::new());
            new.settings.headers = Some(Vec::new());
            new.settings.order = Some(DeliveryOrder::None);
            new.settings.verify_token = Some(None);
        });
        assert_eq!(named, text(|_| ()));
    }
}
