//! The hosts that the admin listener answers to.
//!
//! A page from elsewhere can have a browser send requests here under the page's own name, once that name points to this
//! address (DNS rebinding): the browser then takes this listener for the page's own server, and lets the page read every
//! answer. That needs a name, and the name stands in `Host`. So names must be known. An address needs no such care: a page
//! that has it for its origin came from it.

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

/// Routes that tell nothing but that the program lives: probes may ask them under any name.
const FOR_ANY_HOST: [&str; 2] = ["/healthz", "/readyz"];
/// Number of characters of a refused host that are shown.
const SHOWN_CHARACTERS: usize = 100;

/// Names and addresses.
pub struct Hosts {
    names: Vec<String>,
    bound: IpAddr,
    lines: LogLimit,
}

impl Hosts {
    /// Loopback, the address that the listener is bound to, and these names.
    pub fn new<'a>(bound: IpAddr, names: impl IntoIterator<Item = &'a str>) -> Self {
        let names = names.into_iter().map(bare).collect();
        Self { names, bound, lines: LogLimit::default() }
    }

    /// True where requests for this host are answered. Ports do not matter: a proxy or a container may map them.
    fn know(&self, host: &str) -> bool {
        let Ok(authority) = host.parse::<Authority>() else {
            return false;
        };
        // `Authority` takes a user name as well, which no `Host` has.
        let name = bare(authority.host());
        if host.contains('@') || name.is_empty() {
            return false;
        }
        let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let is_address_of_ours = address.is_ok_and(|address| {
            let address = address.to_canonical();
            address.is_loopback() || self.bound.is_unspecified() || address == self.bound.to_canonical()
        });
        // Browsers take these names for loopback, whatever a name server says (RFC 6761, 6.3).
        is_address_of_ours
            || name == "localhost"
            || name.ends_with(".localhost")
            || self.names.contains(&name)
    }

    fn refuse(&self, host: &str, peer: Option<Peer>) -> ApiError {
        let host: String = printable(host).chars().take(SHOWN_CHARACTERS).collect();
        if let Some(held_back) = self.lines.pass(std::time::Instant::now()) {
            let peer = peer.map(|Peer(peer)| peer.to_string()).unwrap_or_default();
            tracing::warn!(
                peer,
                host,
                held_back,
                "the admin listener does not answer to this host; add the name to [admin] hosts if it is right"
            );
        }
        let detail = format!(
            "The admin listener does not answer to the host {host:?}. Use its address, or add the name to [admin] hosts \
             in the configuration."
        );
        ApiError::new(StatusCode::MISDIRECTED_REQUEST, "unknown_host", detail)
    }
}

/// A name as it is compared: in lower case, without the dot that may end it.
fn bare(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    name.strip_suffix('.').map(str::to_owned).unwrap_or(name)
}

/// Refuses requests for hosts that are not known.
pub(super) async fn guard(State(hosts): State<Arc<Hosts>>, request: Request, next: Next) -> Response {
    if FOR_ANY_HOST.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    // A client that takes this listener for a proxy names the host in the first line, which counts then.
    let named = request.uri().authority().map(Authority::as_str);
    let of_header = request.headers().get(HOST).map(|host| host.to_str().unwrap_or_default());
    // HTTP/1.0 may name none; no browser speaks it.
    let refused = [named, of_header].into_iter().flatten().find(|host| !hosts.know(host));
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
