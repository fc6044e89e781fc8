//! Checks that the daemon can listen at its two addresses.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use reqwest::{StatusCode, Url};

use super::item::{Finding, Item};
use super::store::StoreHolder;
use crate::config::Config;
use crate::http_client;

/// Longest wait for an answer of a daemon on this machine.
const MAX_WAIT: Duration = Duration::from_secs(2);

/// Listeners of a pagerduty-dora that already answer at the two addresses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct RunningListeners {
    /// `true` if a pagerduty-dora answers at `admin.listen`.
    pub(super) admin: bool,
    /// `true` if the listener at `server.listen` takes webhooks.
    pub(super) webhooks: bool,
}

/// Sends a request to both addresses.
pub(super) async fn running(config: &Config) -> RunningListeners {
    let ask = async |address: SocketAddr, path: &str| {
        if address.port() == 0 {
            return None;
        }
        let url = Url::parse(&format!("http://{address}{path}")).ok()?;
        http_client::client(MAX_WAIT, &url).ok()?.get(url).send().await.ok()
    };
    let health = ask(config.admin.listen, "/healthz").await;
    let admin = match health {
        Some(answer) => answer.text().await.is_ok_and(|text| text.trim() == r#"{"status":"ok"}"#),
        None => false,
    };
    let webhooks = if config.server.tls.is_some() {
        // A request could be sent only if the certificate were trusted here.
        admin
    } else {
        // The route of webhooks answers a GET with 405 and `Allow: POST`.
        let webhook = ask(config.server.listen, config.pagerduty.path.as_str()).await;
        webhook.is_some_and(|answer| {
            answer.status() == StatusCode::METHOD_NOT_ALLOWED
                && answer.headers().get("allow").is_some_and(|allowed| allowed == "POST")
        })
    };
    RunningListeners { admin, webhooks }
}

/// Listens at both addresses for a moment. An address that the daemon of this store listens on is in order.
pub(super) fn check(config: &Config, running: RunningListeners, holder: StoreHolder) -> Vec<Item> {
    let (server, admin) = (config.server.listen, config.admin.listen);
    // Both at once, as the daemon does, so that equal addresses are found.
    let (public, private) = (TcpListener::bind(server), TcpListener::bind(admin));
    let is_ours = holder == StoreHolder::InOurDaemon;
    let public = public.map(drop).map_err(|error| (error, running.webhooks));
    let private = private.map(drop).map_err(|error| (error, running.admin));
    vec![item("server.listen", server, public, is_ours), item("admin.listen", admin, private, is_ours)]
}

/// Item of one address. The error in `bound` comes with `true` if a pagerduty-dora answers there.
fn item(key: &str, address: SocketAddr, bound: Result<(), (io::Error, bool)>, is_ours: bool) -> Item {
    let finding = match bound {
        Ok(()) => Finding::Ok(address.to_string()),
        Err((error, true)) if error.kind() == ErrorKind::AddrInUse && is_ours => {
            Finding::Ok(format!("{address} (in use by a running pagerduty-dora)"))
        }
        Err((error, is_pagerduty_dora)) if error.kind() == ErrorKind::AddrInUse => {
            let by =
                if is_pagerduty_dora { "a pagerduty-dora with another store" } else { "another program" };
            Finding::Wrong(format!("{by} is listening on {address}: stop it, or change {key}"))
        }
        Err((error, _)) => Finding::Wrong(format!("cannot listen on {address}: {error}")),
    };
    Item::new(key, finding)
}
