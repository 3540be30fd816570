//! What an endpoint has unless its tenant says otherwise, and the bounds.

use std::time::Duration;

/// The most endpoints of a tenant, that of its `callbackUrl` among them.
pub const ENDPOINTS_MAX: u32 = 20;
/// The longest URL, in bytes.
pub const URL_BYTES_MAX: usize = 2_048;
/// The most entries in a call.
pub const BATCH_MAX: u32 = 100;
/// Entries in a call unless said otherwise: most receivers read only the first of a batch.
pub const BATCH_DEFAULT: u32 = 1;
/// The most calls in a second that can be asked for.
pub const PER_SECOND_MAX: u32 = 10_000;
/// Calls in a second unless said otherwise.
pub const PER_SECOND_DEFAULT: u32 = 50;
/// The most calls under way that can be asked for.
pub const CONCURRENCY_MAX: u32 = 32;
/// Calls under way unless said otherwise.
pub const CONCURRENCY_DEFAULT: u32 = 8;
/// The most kinds or beginnings of kinds in a filter.
pub const KINDS_MAX: usize = 50;
/// The most numbers in a filter.
pub const NUMBERS_MAX: usize = 100;
/// The most headers of an endpoint.
pub const HEADERS_MAX: usize = 20;
/// The bytes of all names and values of its headers.
pub const HEADERS_BYTES_MAX: usize = 8 * 1024;
/// The most secrets of an endpoint that are valid at a time: each makes a signature.
pub const ENDPOINT_SECRETS_MAX: usize = 3;
/// The longest that an old secret stays valid: 30 days.
pub const ENDPOINT_OVERLAP_MAX: Duration = Duration::from_hours(30 * 24);
/// The time that an old secret stays valid unless another is named: a day.
pub const ENDPOINT_OVERLAP_DEFAULT: Duration = Duration::from_hours(24);
