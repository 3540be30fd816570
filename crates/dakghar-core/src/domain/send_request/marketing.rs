//! Messages for Meta's endpoint for marketing, where the client has named that endpoint and not an option of it.

use aws_lc_rs::digest::{Context, SHA256};
use serde_json::value::RawValue;

use super::super::problem::{ErrorCode, Problem};
use super::super::raw_members::RawMembers;
use super::SendRequest;

/// The options that only this endpoint has: either one sends a template there.
const OPTIONS: [&str; 2] = ["product_policy", "message_activity_sharing"];
/// Meta's default for the first one, so that it says nothing new.
const DEFAULT_POLICY: &str = r#""product_policy":"CLOUD_API_FALLBACK""#;

impl SendRequest {
    /// Sends it through Meta's endpoint for marketing.
    ///
    /// # Errors
    /// It is no template; nothing else goes there.
    pub fn for_marketing(mut self) -> Result<Self, Problem> {
        if &*self.content.kind != "template" {
            let message = "must be template at this endpoint";
            return Err(Problem::field(ErrorCode::InvalidType, "/type", message));
        }
        self.terms.marketing = true;
        let envelope = self.content.envelope.as_deref();
        let members: Option<RawMembers<'_>> = envelope.and_then(|text| serde_json::from_str(text).ok());
        let has = |name: &&str| members.as_ref().is_some_and(|members| members.get(name).is_some());
        if OPTIONS.iter().any(has) {
            return Ok(self);
        }
        let others = members.map(|members| members.object_of(|_, value: &RawValue| Some(value.get().to_owned())));
        self.content.envelope = Some(match others.as_deref() {
            None | Some("{}") => format!("{{{DEFAULT_POLICY}}}").into(),
            Some(others) => format!("{{{DEFAULT_POLICY},{}", &others[1..]).into(),
        });
        // The same body under the same key at the other endpoint is another request.
        let mut form = Context::new(&SHA256);
        form.update(&self.fingerprint);
        form.update(DEFAULT_POLICY.as_bytes());
        self.fingerprint = form.finish().as_ref().try_into().expect("SHA-256 has 32 bytes");
        Ok(self)
    }
}
