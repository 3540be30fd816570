//! The URL of a tenant's receiver: what it must look like, and where it may lead.
//!
//! Names are not resolved here. Whoever calls asks [`CallbackRules::check_address`] about each address of a name, and
//! connects to an address that passed.

use std::cell::Cell;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;
use url::{Host, SyntaxViolation, Url};

use super::addresses::{embedded_v4, special_range};
use super::problem::{ErrorCode, Problem};

/// The most bytes of a URL, as it is given and as it is kept.
pub const CALLBACK_URL_BYTES_MAX: usize = 2_048;
/// The ports of https unless the settings name others.
pub const CALLBACK_PORTS: [u16; 2] = [443, 8_443];
/// Where http is allowed, its own port is too.
const HTTP_PORT: u16 = 80;
const HOST_BYTES_MAX: usize = 253;
/// This machine, under a name.
const LOCALHOST: &str = "localhost";
/// Names that mean something only inside a network.
const PRIVATE_SUFFIXES: [&str; 8] = [
    "local",
    "internal",
    "localdomain",
    "intranet",
    "lan",
    "corp",
    "home",
    "home.arpa",
];

/// Where callbacks may go: the settings of an installation.
#[derive(Clone, Debug)]
pub struct CallbackRules {
    /// True if http is allowed beside https.
    pub allows_http: bool,
    /// True if this machine may be called, on every port: for development.
    pub allows_loopback: bool,
    /// The ports that may be called. With http 80 is one of them.
    pub ports: Vec<u16>,
    /// Networks that may be called although they are not public.
    pub allowed_networks: Vec<IpNet>,
    /// Hosts of this installation, as [`host_of`] gives them. They may not be called.
    pub own_hosts: Vec<String>,
    /// Where this process listens. It may not be called there.
    pub own_sockets: Vec<SocketAddr>,
}

impl Default for CallbackRules {
    /// The rules of production: https to the public internet.
    fn default() -> Self {
        Self {
            allows_http: false,
            allows_loopback: false,
            ports: CALLBACK_PORTS.to_vec(),
            allowed_networks: Vec::new(),
            own_hosts: Vec::new(),
            own_sockets: Vec::new(),
        }
    }
}

/// A URL that passed the rules: absolute, http or https, its host in ASCII.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CallbackUrl(Url);

/// The reason a URL is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallbackUrlFault {
    /// It is an http URL where only https is allowed.
    #[error("must start with https://")]
    HttpsRequired,
    /// It is not a URL that we take.
    #[error("{0}")]
    Invalid(&'static str),
    /// It leads, or may lead, into a private network or to this installation.
    #[error("{0}")]
    Forbidden(&'static str),
}

impl CallbackUrlFault {
    /// The code that clients see.
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::HttpsRequired => ErrorCode::HttpsRequired,
            Self::Invalid(_) => ErrorCode::InvalidUrl,
            Self::Forbidden(_) => ErrorCode::ForbiddenUrl,
        }
    }

    /// The problem of a request with this URL in the field at `pointer`. Shows nothing of the URL.
    pub fn problem(self, pointer: &str) -> Problem {
        Problem::field(self.code(), pointer, self.to_string())
    }
}

/// An address that may not be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address is {0}")]
pub struct ForbiddenAddress(pub &'static str);

impl CallbackRules {
    /// Reads a URL. What is kept of it is what the parser of browsers makes of it: host names in lower case and ASCII,
    /// each spelling of an IPv4 address as four numbers, the port left out where it is the usual one.
    pub fn parse(&self, text: &str) -> Result<CallbackUrl, CallbackUrlFault> {
        let url = parse_strictly(text)?;
        match url.scheme() {
            "https" => {}
            "http" if self.allows_http => {}
            "http" => return Err(CallbackUrlFault::HttpsRequired),
            _ => return Err(CallbackUrlFault::Invalid("must start with https://")),
        }
        if self.own_hosts.iter().any(|own| Some(own.as_str()) == url.host_str()) {
            return Err(CallbackUrlFault::Forbidden("must not be this installation itself"));
        }
        let port = url.port_or_known_default().unwrap_or_default();
        let is_loopback = match url.host() {
            Some(Host::Ipv4(address)) => self.check_literal(address.into(), port)?,
            Some(Host::Ipv6(address)) => self.check_literal(address.into(), port)?,
            Some(Host::Domain(name)) => self.check_name(name, port)?,
            None => return Err(CallbackUrlFault::Invalid("must name a host")),
        };
        let is_listed = self.ports.contains(&port) || url.scheme() == "http" && port == HTTP_PORT;
        if !is_listed && !is_loopback || port == 0 {
            return Err(CallbackUrlFault::Invalid("must use a port that callbacks may use"));
        }
        Ok(CallbackUrl(url))
    }

    /// Accepts an address that may be called: a public one, or one that the settings allow.
    pub fn check_address(&self, address: SocketAddr) -> Result<(), ForbiddenAddress> {
        let ip = plain(address.ip());
        if self.own_sockets.iter().any(|own| is_at(*own, ip, address.port())) {
            return Err(ForbiddenAddress("an address of this installation"));
        }
        let is_allowed = |ip: IpAddr| {
            self.allows_loopback && ip.is_loopback()
                || self.allowed_networks.iter().any(|network| network.contains(&ip))
        };
        if is_allowed(address.ip()) || is_allowed(ip) {
            return Ok(());
        }
        special_range(ip).map_or(Ok(()), |range| Err(ForbiddenAddress(range.name)))
    }

    /// Returns whether it is this machine, which may be called.
    fn check_literal(&self, ip: IpAddr, port: u16) -> Result<bool, CallbackUrlFault> {
        self.check_address(SocketAddr::new(ip, port))
            .map_err(|_| CallbackUrlFault::Forbidden("must not be a private, reserved or own address"))?;
        Ok(self.allows_loopback && plain(ip).is_loopback())
    }

    /// Returns whether it is this machine, which may be called.
    fn check_name(&self, name: &str, port: u16) -> Result<bool, CallbackUrlFault> {
        if name.ends_with('.') {
            return Err(CallbackUrlFault::Invalid("must not end its host with a dot"));
        }
        if name.len() > HOST_BYTES_MAX || !name.split('.').all(is_label) {
            return Err(CallbackUrlFault::Invalid("must name a host that can exist"));
        }
        if is_below(name, LOCALHOST) {
            let addresses = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
            let mut checks = addresses.map(|ip| self.check_literal(ip, port)).into_iter();
            return checks.try_fold(self.allows_loopback, |is_loopback, check| Ok(check? && is_loopback));
        }
        let is_private = !name.contains('.') || PRIVATE_SUFFIXES.iter().any(|suffix| is_below(name, suffix));
        // Such names lead into the networks that the operator opened; their addresses are checked like all others.
        if is_private && self.allowed_networks.is_empty() {
            return Err(CallbackUrlFault::Forbidden(
                "must name a public host, such as hooks.example.com",
            ));
        }
        Ok(false)
    }
}

/// The host of an http or https URL in the one spelling that URLs are kept in.
pub fn host_of(url: &str) -> Option<String> {
    let url = Url::parse(url)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))?;
    url.host_str().map(str::to_owned)
}

/// Parses what has one meaning only. The parser of browsers mends a lot, and what is mended was not meant.
fn parse_strictly(text: &str) -> Result<Url, CallbackUrlFault> {
    use SyntaxViolation::{
        Backslash, C0SpaceIgnored, EmbeddedCredentials, ExpectedDoubleSlash, TabOrNewlineIgnored, UnencodedAtSign,
    };
    let too_long = CallbackUrlFault::Invalid("must have 2,048 bytes at most");
    if text.len() > CALLBACK_URL_BYTES_MAX {
        return Err(too_long);
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(CallbackUrlFault::Invalid(
            "must not contain spaces or control characters",
        ));
    }
    let fault = Cell::new(None);
    let watch = |violation| match violation {
        EmbeddedCredentials | UnencodedAtSign => fault.set(Some("must not contain a user name or password")),
        Backslash => fault.set(Some("must not contain backslashes")),
        ExpectedDoubleSlash | C0SpaceIgnored | TabOrNewlineIgnored => {
            fault.set(Some("must have a scheme, two slashes and a host"));
        }
        _ => {}
    };
    let url = Url::options().syntax_violation_callback(Some(&watch)).parse(text);
    let Ok(url) = url else {
        return Err(CallbackUrlFault::Invalid(
            "must be a URL such as https://hooks.example.com/whatsapp",
        ));
    };
    if url.fragment().is_some() {
        fault.set(Some("must not contain a fragment (#)"));
    }
    if let Some(message) = fault.get() {
        return Err(CallbackUrlFault::Invalid(message));
    }
    if url.as_str().len() > CALLBACK_URL_BYTES_MAX {
        return Err(too_long);
    }
    Ok(url)
}

/// The address that packets end up at.
fn plain(ip: IpAddr) -> IpAddr {
    embedded_v4(ip).map_or(ip, IpAddr::V4)
}

/// True if who listens at `own` is reached at this address and port. "Every address" of a machine is not known here;
/// those of its loopback are.
fn is_at(own: SocketAddr, ip: IpAddr, port: u16) -> bool {
    own.port() == port && (own.ip() == ip || ip.is_unspecified() || own.ip().is_unspecified() && ip.is_loopback())
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// True if the name is the suffix or ends with it after a dot.
fn is_below(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

impl CallbackUrl {
    /// The URL as it is kept and called.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The parsed URL.
    pub const fn url(&self) -> &Url {
        &self.0
    }

    /// The literal address of its host, or `None` when that is a name.
    pub fn literal_address(&self) -> Option<IpAddr> {
        match self.0.host()? {
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
            Host::Domain(_) => None,
        }
    }

    /// The port that is called.
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or_default()
    }
}

/// Shows the scheme and the host only: path and query may hold a secret of the tenant.
impl fmt::Debug for CallbackUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.0.host_str().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
