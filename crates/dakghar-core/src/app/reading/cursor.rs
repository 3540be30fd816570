//! Cursors. A cursor is the end of a page, signed together with the list it belongs to. It cannot be forged, or used
//! for another tenant's list or for other filters.

use aws_lc_rs::{constant_time, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::{ErrorCode, Problem};

const MAC_BYTES: usize = 9;

/// Signs and checks cursors.
pub struct CursorSigner(hmac::Key);

impl CursorSigner {
    /// Makes a signer with this secret, 32 bytes.
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// Returns the cursor for `position` in the list that `list` describes (its route, tenant and filters).
    pub fn sign(&self, list: &str, position: &str) -> String {
        let mut bytes = self.mac(list, position).to_vec();
        bytes.extend_from_slice(position.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Returns the position in a cursor of this list.
    pub fn open(&self, list: &str, cursor: &str) -> Result<String, Problem> {
        let refused = || Problem::new(ErrorCode::InvalidCursor, "Start again without a cursor.");
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| refused())?;
        let (mac, position) = bytes.split_at_checked(MAC_BYTES).ok_or_else(refused)?;
        let position = std::str::from_utf8(position).map_err(|_| refused())?;
        constant_time::verify_slices_are_equal(mac, &self.mac(list, position)).map_err(|_| refused())?;
        Ok(position.to_owned())
    }

    fn mac(&self, list: &str, position: &str) -> [u8; MAC_BYTES] {
        let tag = hmac::sign(&self.0, format!("{}:{list}{position}", list.len()).as_bytes());
        tag.as_ref()[..MAC_BYTES]
            .try_into()
            .expect("SHA-256 is longer than 9 bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_opens_only_for_its_own_list() {
        let signer = CursorSigner::new(&[1; 32]);
        let cursor = signer.sign("messages/ten_a?status=sent", "msg_x");
        assert_eq!(
            signer.open("messages/ten_a?status=sent", &cursor).as_deref(),
            Ok("msg_x")
        );
        for list in ["messages/ten_b?status=sent", "messages/ten_a?status=read", ""] {
            assert_eq!(
                signer.open(list, &cursor).expect_err("foreign").code,
                ErrorCode::InvalidCursor
            );
        }
        for forged in ["", "x", "====", &cursor[1..], &format!("{cursor}A")] {
            assert!(signer.open("messages/ten_a?status=sent", forged).is_err(), "{forged}");
        }
    }
}
