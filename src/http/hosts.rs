//! Hosts that the admin listener answers to.
//!
//! DNS rebinding: a foreign site lets its own host name point to this listener's address. The browser then treats this
//! listener as the site's server, and the site's page can read every answer. The browser sends the site's name in
//! `Host`. So only known names are answered. An address in `Host` is safe: a page with this origin came from this
//! listener.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::api_error::ApiError;
use super::connection::Peer;
use crate::domain::printable::printable;
use crate::log_limit::LogLimit;

/// Routes that answer under any host name, for probes. They reveal only the program's health.
const FOR_ANY_HOST: [&str; 2] = ["/healthz", "/readyz"];
/// Largest number of characters of a refused host in a message.
const SHOWN_CHARACTERS: usize = 100;

/// Known host names and addresses.
pub struct Hosts {
    names: Vec<String>,
    bound: IpAddr,
    log_limit: LogLimit,
}

impl Hosts {
    /// Loopback, the address that the listener is bound to, and these names.
    pub fn new<'a>(bound: IpAddr, names: impl IntoIterator<Item = &'a str>) -> Self {
        let names = names.into_iter().map(bare).collect();
        Self { names, bound, log_limit: LogLimit::default() }
    }

    /// `true` if requests for this host are answered. The port does not matter: a proxy or a container may map it.
    fn know(&self, host: &str) -> bool {
        let Ok(authority) = host.parse::<Authority>() else {
            return false;
        };
        // `Authority` accepts a user name, which a `Host` never has.
        let name = bare(authority.host());
        if host.contains('@') || name.is_empty() {
            return false;
        }
        let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let is_own_address = address.is_ok_and(|address| {
            let address = address.to_canonical();
            address.is_loopback() || self.bound.is_unspecified() || address == self.bound.to_canonical()
        });
        // Browsers resolve these names to loopback without a name server (RFC 6761, 6.3).
        is_own_address || name == "localhost" || name.ends_with(".localhost") || self.names.contains(&name)
    }

    fn refuse(&self, host: &str, peer: Option<Peer>) -> ApiError {
        let host: String = printable(host).chars().take(SHOWN_CHARACTERS).collect();
        if let Some(held_back) = self.log_limit.pass(std::time::Instant::now()) {
            let peer = peer.map(|Peer(peer)| peer.to_string()).unwrap_or_default();
            tracing::warn!(
                peer,
                host,
                held_back,
                "the admin listener does not answer to this host. If the name is yours, add it to [admin] hosts"
            );
        }
        let detail = format!(
            "The admin listener does not answer to the host {host:?}. Use the listener's address, or add the name to \
             [admin] hosts in the configuration."
        );
        ApiError::new(StatusCode::MISDIRECTED_REQUEST, "unknown_host", detail)
    }
}

/// A name for comparison: in lower case, without a final dot.
fn bare(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    name.strip_suffix('.').map(str::to_owned).unwrap_or(name)
}

/// Refuses requests for unknown hosts.
pub(super) async fn guard(State(hosts): State<Arc<Hosts>>, request: Request, next: Next) -> Response {
    if FOR_ANY_HOST.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    // A client that uses this listener as a proxy names the host in the request line.
    let in_request_line = request.uri().authority().map(Authority::as_str);
    let in_header = request.headers().get(HOST).map(|host| host.to_str().unwrap_or_default());
    // A request of HTTP/1.0 may have no host. No browser sends one.
    let refused = [in_request_line, in_header].into_iter().flatten().find(|host| !hosts.know(host));
    let answer = refused.map(|host| hosts.refuse(host, request.extensions().get::<Peer>().copied()));
    match answer {
        Some(answer) => answer.into_response(),
        None => next.run(request).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(bound: &str) -> Hosts {
        Hosts::new(bound.parse().unwrap(), ["Dora.Internal.", "10.9.9.9"])
    }

    #[test]
    fn loopback_the_bound_address_and_configured_names_are_known() {
        let hosts = hosts("192.0.2.7");
        for host in [
            "localhost",
            "LOCALHOST:8081",
            "localhost.",
            "dora.localhost:1",
            "127.0.0.1",
            "127.8.8.8:8081",
            "[::1]:8081",
            "[::ffff:127.0.0.1]",
            "192.0.2.7:8081",
            "dora.internal",
            "DORA.internal.:443",
        ] {
            assert!(hosts.know(host), "{host}");
        }
        for host in [
            "",
            ":8081",
            "evil.example",
            "evil.example:8081",
            "localhost.evil.example",
            "evillocalhost",
            "127.0.0.1.evil.example",
            "dora.internal.evil.example",
            "localhost@evil.example",
            "evil.example@localhost",
            "192.0.2.8",
            "[2001:db8::1]:8081",
            "2130706433",
            "local host",
            "localhost/",
        ] {
            assert!(!hosts.know(host), "{host}");
        }
    }

    #[test]
    fn bound_to_every_address_it_answers_to_every_address_and_no_name() {
        for bound in ["0.0.0.0", "::"] {
            let hosts = hosts(bound);
            assert!(hosts.know("192.0.2.8:8081") && hosts.know("[2001:db8::1]") && hosts.know("localhost"));
            assert!(!hosts.know("evil.example"));
        }
    }
}
