//! Entries that endpoints have not taken.

use dakghar_core::domain::callback::{CallbackException, ExceptionState};
use dakghar_core::domain::migration::Record;
use dakghar_core::domain::{Place, TenantId};

use crate::samples::{callback_exception, callback_exception_full, endpoint};

/// Exceptions of endpoints, of every sort.
pub(super) fn exceptions(owner: TenantId) -> Vec<Record> {
    let id = endpoint(owner).id;
    let dead = CallbackException {
        state: ExceptionState::Dead,
        ..callback_exception_full(id, owner, Place::new(1 << 40))
    };
    [
        callback_exception(id, owner, Place::new(7)),
        callback_exception_full(id, owner, Place::new(8)),
        dead,
    ]
    .map(|exception| Record::Exception(Box::new(exception)))
    .to_vec()
}
