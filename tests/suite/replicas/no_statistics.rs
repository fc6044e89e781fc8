//! A server that gathers no statistics by itself: what is read for an event does not grow with the store.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::http::StatusCode;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::daemon::Daemon;
use crate::engine::PostgresStore;
use crate::harness::{KEY, PATIENCE, client, event_of};
use crate::postgres::ask;
use crate::process::Listening;

/// Clients that deliver at once.
const CLIENTS: usize = 4;
/// Incidents of each client. There are as many deployments.
const INCIDENTS: usize = 180;
/// The incidents, and the deployments that may have caused them, are those of this many services.
const SERVICES: usize = 7;
/// Start of the deployments, in nanoseconds: ten minutes before the incidents.
const DEPLOYED_NS: i64 = 1_793_526_600_000_000_000;
/// Most rows that are read by one index, or from one table without an index, for each incident and its deployment. About 20
/// are needed, and on a busy machine 100: what was changed lately stands in an index several times. Where all rows are read
/// for each, it is 360 or more.
const MOST_ROWS: i64 = 240;

/// A backend that refuses requests until it is told to accept them, and counts those.
struct Backend {
    address: SocketAddr,
    is_open: Arc<AtomicBool>,
    accepted: watch::Receiver<usize>,
}

impl Backend {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let is_open = Arc::new(AtomicBool::new(false));
        let (number, accepted) = watch::channel(0);
        let accepts = Arc::clone(&is_open);
        let answer = move || {
            let accepts = accepts.load(Ordering::Relaxed);
            number.send_modify(|number| *number += usize::from(accepts));
            std::future::ready(if accepts { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE })
        };
        let router = Router::new().fallback(answer);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, is_open, accepted }
    }

    /// Accepts requests from now on, and waits until there are this many.
    async fn accept(&mut self, number: usize) {
        self.is_open.store(true, Ordering::Relaxed);
        let enough =
            tokio::time::timeout(3 * PATIENCE, self.accepted.wait_for(|accepted| *accepted >= number));
        let in_time = enough.await.is_ok();
        assert!(in_time, "{} of {number} requests came", *self.accepted.borrow());
    }
}

/// Sends deployments, and then as many incidents.
async fn send(number: usize, listening: Listening) {
    let client = client();
    let service = |n| format!("shop-{}", n % SERVICES);
    for n in 0..INCIDENTS {
        // An earlier deployment than the one before, which stays the cause.
        let started_at = DEPLOYED_NS - i64::try_from(n).unwrap() * 1_000_000_000;
        let deployment = json!({ "data": { "attributes": {
            "service": service(n), "env": "production", "version": format!("v{number}.{n}"),
            "started_at": started_at, "finished_at": started_at + 60_000_000_000,
        } } });
        let url = format!("http://{}/api/v2/dora/deployment", listening.public);
        let request = client.post(url).header("dd-api-key", KEY).body(deployment.to_string());
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
    for n in 0..INCIDENTS {
        for event_type in ["incident.triggered", "incident.resolved"] {
            let body = event_of(event_type, &format!("Q{number}QUIET{n:05}"));
            assert_eq!(listening.deliver_by(&client, &body.replace("Checkout API", &service(n))).await, 202);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_for_an_event_does_not_grow_with_the_store() {
    const MANY: &str = "SELECT name, number FROM (
            SELECT indexrelname AS name, idx_tup_read AS number FROM pg_stat_user_indexes
            WHERE schemaname = current_schema()
            UNION ALL SELECT relname, seq_tup_read FROM pg_stat_user_tables WHERE schemaname = current_schema()
        ) read WHERE number > 0 ORDER BY number DESC;";
    let Some(store) = PostgresStore::new() else { return };
    let mut backend = Backend::start().await;
    let configuration = format!(
        "[events_api]\nkeys = [{{ value = \"{KEY}\" }}]\n\
         [[backend]]\nname = \"metrics\"\nkind = \"datadog\"\nurl = \"http://{}\"\n\
         api_key = {{ value = \"{KEY}\" }}\ndeployments = true\n",
        backend.address
    );
    let daemon = Daemon::start(&store.url(), &configuration);
    let listening = daemon.client().listening;
    let clients: Vec<_> = (0..CLIENTS).map(|number| tokio::spawn(send(number, listening))).collect();
    for client in clients {
        client.await.unwrap();
    }
    backend.accept(2 * CLIENTS * INCIDENTS).await;
    // A session says what it has read when it ends, at the latest.
    daemon.terminate();
    let read = ask(&store.url(), MANY);
    println!("{read}");
    let incidents = i64::try_from(CLIENTS * INCIDENTS).unwrap();
    assert_eq!(ask(&store.url(), "SELECT count(cause) FROM failure;"), incidents.to_string());
    let limit = MOST_ROWS * incidents;
    let most: i64 = read.lines().next().unwrap().rsplit_once('|').unwrap().1.parse().unwrap();
    assert!(most < limit, "more than {limit} rows: {read}");
}
