//! The two listeners: whether the daemon could listen there.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use reqwest::{StatusCode, Url};

use super::item::{Finding, Item};
use super::store::StoreHolder;
use crate::config::Config;
use crate::http_client;

/// Time that an answer of a daemon on this machine may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Listeners that answer at the two addresses already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct RunningListeners {
    /// A pagerduty-dora answers at `admin.listen`.
    pub(super) admin: bool,
    /// `true` if the listener at `server.listen` takes webhooks.
    pub(super) webhooks: bool,
}

/// Asks both addresses what is there.
pub(super) async fn running(config: &Config) -> RunningListeners {
    let ask = async |address: SocketAddr, path: &str| {
        if address.port() == 0 {
            return None;
        }
        let url = Url::parse(&format!("http://{address}{path}")).ok()?;
        http_client::client(PATIENCE, &url).ok()?.get(url).send().await.ok()
    };
    let health = ask(config.admin.listen, "/healthz").await;
    let admin = match health {
        Some(answer) => answer.text().await.is_ok_and(|text| text.trim() == r#"{"status":"ok"}"#),
        None => false,
    };
    // A route that takes POST alone.
    let webhook = ask(config.server.listen, config.pagerduty.path.as_str()).await;
    let webhooks = webhook.is_some_and(|answer| {
        answer.status() == StatusCode::METHOD_NOT_ALLOWED
            && answer.headers().get("allow").is_some_and(|allowed| allowed == "POST")
    });
    RunningListeners { admin, webhooks }
}

/// Listens at both addresses for a moment. One that the daemon of this store has is all right.
pub(super) fn check(config: &Config, running: RunningListeners, is_open: StoreHolder) -> Vec<Item> {
    let (server, admin) = (config.server.listen, config.admin.listen);
    // Both at once, as the daemon does.
    let (public, private) = (TcpListener::bind(server), TcpListener::bind(admin));
    let is_ours = is_open == StoreHolder::InOurDaemon;
    let public = public.map(drop).map_err(|error| (error, running.webhooks));
    let private = private.map(drop).map_err(|error| (error, running.admin));
    vec![item("server.listen", server, public, is_ours), item("admin.listen", admin, private, is_ours)]
}

/// `bound`: the error, and whether a pagerduty-dora answers there.
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
