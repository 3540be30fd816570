//! Requests of tenants that are passed on to Meta as they are, each with the token of one of the tenant's numbers.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::allowance::AllowancesUsed;
use crate::domain::graph_error::GraphRefusal;
use crate::domain::secret::Secret;

/// The method of such a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PassedMethod {
    /// Reads something.
    Get,
    /// Makes or changes something.
    Post,
    /// Removes something.
    Delete,
}

impl PassedMethod {
    /// The name of the method.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

/// A request to pass on. Its path and the names of its parameters were judged: only values of parameters need escapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedRequest {
    /// The method.
    pub method: PassedMethod,
    /// The path below the version, such as `111/media`.
    pub path: String,
    /// The parameters, decoded.
    pub parameters: Vec<(String, String)>,
    /// The media type of the body and its bytes, if there is one.
    pub body: Option<(String, Vec<u8>)>,
}

/// One such call.
#[derive(Debug)]
pub struct PassedCall<'a> {
    /// The request.
    pub request: PassedRequest,
    /// The access token.
    pub token: &'a Secret,
    /// The secret of the app that the token is of, if it is one of ours: it proves that the call is.
    pub app_secret: Option<&'a Secret>,
    /// The time it may take.
    pub timeout: Duration,
}

/// The reason why there is no answer of Meta's that could be passed back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// Meta did not do it: not one byte of the request left, or something in between refused it.
    NotDone(Arc<str>),
    /// Meta may have done it: what came back is lost, or is not from Meta.
    Lost(Arc<str>),
    /// Meta answered with more than is passed back, and would do so again.
    TooLarge(Arc<str>),
}

/// Meta's answer, whatever it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedAnswer {
    /// The HTTP status; never a redirect.
    pub status: u16,
    /// The headers that say how much the app, the account and the number have used up, and which version answered.
    pub headers: Vec<(&'static str, Arc<str>)>,
    /// The allowances that these headers tell of.
    pub used: AllowancesUsed,
    /// The refusal in the body, if the status is that of one.
    pub refusal: Option<GraphRefusal>,
    /// The body: a JSON object.
    pub body: Arc<str>,
}
