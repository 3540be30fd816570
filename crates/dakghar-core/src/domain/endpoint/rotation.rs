//! How the secrets of an endpoint follow each other.

use std::time::Duration;

use super::super::sealed_secret::{SealedSecret, TooManySecrets};
use super::super::time::Timestamp;
use super::{ENDPOINT_SECRETS_MAX, Endpoint};

impl Endpoint {
    /// Returns the secrets that calls are signed with, the present one first.
    pub fn valid_secrets(&self, now: Timestamp) -> impl Iterator<Item = &SealedSecret> {
        self.secrets.iter().filter(move |secret| secret.is_valid(now))
    }

    /// Makes `sealed` the present secret. Those before it sign for `overlap` more, or shorter where that was said before;
    /// what is not valid any more is dropped.
    ///
    /// # Errors
    /// There are [`ENDPOINT_SECRETS_MAX`] valid ones. Nothing has changed then.
    pub fn rotate(&mut self, sealed: Vec<u8>, now: Timestamp, overlap: Duration) -> Result<(), TooManySecrets> {
        self.secrets = SealedSecret::rotated(&self.secrets, sealed, now, overlap, ENDPOINT_SECRETS_MAX)?;
        self.updated_at = now;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::super::feed::Place;
    use super::super::super::ids::{EndpointId, TenantId};
    use super::super::{ENDPOINT_OVERLAP_DEFAULT, EndpointFormat};
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn endpoint() -> Endpoint {
        let (tenant_id, id) = (Uuid::from_u128(2), Uuid::from_u128(1));
        let (tenant_id, id) = (TenantId::from_uuid(tenant_id), EndpointId::from_uuid(id));
        Endpoint::new(tenant_id, id, EndpointFormat::Standard, vec![0], Place::START, at(0))
    }

    fn valid(endpoint: &Endpoint, now: i64) -> Vec<u8> {
        endpoint.valid_secrets(at(now)).map(|secret| secret.sealed[0]).collect()
    }

    #[test]
    fn old_and_new_sign_until_the_overlap_is_over() {
        let mut endpoint = endpoint();
        assert_eq!(endpoint.rotate(vec![1], at(10), Duration::from_secs(60)), Ok(()));
        assert_eq!(valid(&endpoint, 69), [1, 0]);
        assert_eq!(valid(&endpoint, 70), [1]);
        assert_eq!(endpoint.updated_at, at(10));
    }

    #[test]
    fn a_later_rotation_makes_no_old_secret_sign_for_longer() {
        let mut endpoint = endpoint();
        assert_eq!(endpoint.rotate(vec![1], at(10), Duration::from_secs(60)), Ok(()));
        assert_eq!(endpoint.rotate(vec![2], at(20), Duration::from_secs(600)), Ok(()));
        assert_eq!(valid(&endpoint, 69), [2, 1, 0]);
        assert_eq!(valid(&endpoint, 70), [2, 1]);
        assert_eq!(endpoint.rotate(vec![3], at(70), Duration::ZERO), Ok(()));
        assert_eq!(valid(&endpoint, 70), [3]);
        assert_eq!(endpoint.secrets.len(), 1, "what is not valid is dropped");
    }

    #[test]
    fn more_secrets_than_anybody_needs_are_refused_and_change_nothing() {
        let mut endpoint = endpoint();
        for n in 1..ENDPOINT_SECRETS_MAX {
            let now = at(i64::try_from(n).expect("few"));
            assert_eq!(endpoint.rotate(vec![9], now, ENDPOINT_OVERLAP_DEFAULT), Ok(()));
        }
        let before = endpoint.clone();
        let refused = endpoint.rotate(vec![9], at(9), Duration::from_secs(1));
        assert_eq!((refused, endpoint), (Err(TooManySecrets), before));
    }
}
