//! Tests of the client against a small server, with waits that pass at once.

mod limits;
mod lists;
mod requests;
mod server;
mod subscriptions;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use secrecy::SecretString;
use tokio::time::Instant;

use self::server::Server;
use super::RestClient;
use super::timer::Timer;
use crate::config::Config;
use crate::domain::timestamp::Timestamp;
use crate::http_client::Outgoing;

const TOKEN: &str = "u+canary-token";

/// A timer whose waits pass at once. It keeps them.
struct SkippingTimer {
    started: Instant,
    waits: Mutex<Waits>,
}

#[derive(Default)]
struct Waits {
    all: Duration,
    /// Those since they were last asked for.
    last: Vec<Duration>,
}

impl SkippingTimer {
    fn new() -> Arc<Self> {
        Arc::new(Self { started: Instant::now(), waits: Mutex::default() })
    }

    /// The waits since the last call, in seconds.
    fn taken(&self) -> Vec<u64> {
        let waits = std::mem::take(&mut self.waits.lock().unwrap().last);
        waits.into_iter().map(|wait| wait.as_secs()).collect()
    }

    /// Time since the start.
    fn passed(&self) -> Duration {
        self.waits.lock().unwrap().all
    }
}

impl Timer for SkippingTimer {
    fn now(&self) -> Instant {
        self.started + self.passed()
    }

    fn sleep(&self, wait: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let mut waits = self.waits.lock().unwrap();
        waits.all += wait;
        waits.last.push(wait);
        Box::pin(std::future::ready(()))
    }
}

/// A client for an API at this address, with further lines of configuration.
fn client_for(url: &str, lines: &str) -> (RestClient, Arc<SkippingTimer>) {
    let text = format!("[pagerduty.api]\nurl = \"{url}\"\ntoken = {{ value = \"x\" }}\n{lines}\n");
    let config = Config::parse(&text).unwrap().pagerduty.api.unwrap();
    let timer = SkippingTimer::new();
    let client = RestClient::with_timer(
        &config,
        SecretString::from(TOKEN),
        &Outgoing::default(),
        Arc::clone(&timer) as _,
    )
    .unwrap();
    (client, timer)
}

fn client(server: &Server) -> (RestClient, Arc<SkippingTimer>) {
    client_for(&server.url, "")
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}
