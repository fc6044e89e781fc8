//! A job whose statement takes too long, each time that it is tried.

use super::held::HoldingBackend;
use crate::daemon::Daemon;
use crate::harness::{KEY, client, eventually};
use crate::postgres::Schema;

/// Claims of rows take longer than a statement may.
const SLOW_CLAIMS: &str = "
    CREATE FUNCTION take_long() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN
        PERFORM pg_sleep(60);
        RETURN NEW;
    END $$;
    CREATE TRIGGER take_long BEFORE UPDATE ON outbox
        FOR EACH ROW WHEN (NEW.claimed_by IS NOT NULL) EXECUTE FUNCTION take_long();";

const DEPLOYMENT: &str = r#"{ "data": { "attributes": { "service": "shop", "env": "production", "version": "v1",
    "started_at": 1793526600000000000, "finished_at": 1793526660000000000 } } }"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_takes_too_long_holds_up_no_other() {
    let Some(schema) = Schema::new("slow_job") else { return };
    let mut backend = HoldingBackend::start().await;
    let configuration = format!("{}[events_api]\nkeys = [{{ value = \"{KEY}\" }}]\n", backend.entry);
    let daemon = Daemon::start(&schema.url(), &configuration);
    schema.until("EXISTS (SELECT FROM lease WHERE backend = 'metrics')");
    schema.ask(SLOW_CLAIMS);
    assert_eq!(daemon.client().deliver_type("incident.resolved", "QSLOW001").await, 202);
    schema.until("EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep')");
    let (http, url) =
        (client(), format!("http://{}/api/v2/dora/deployment", daemon.client().listening.public));
    for _ in 0..5 {
        eventually("a deployment to be stored", async || {
            let request = http.post(&url).header("dd-api-key", KEY).body(DEPLOYMENT).send().await.unwrap();
            (request.status() == 200).then_some(())
        })
        .await;
    }
    assert_eq!(schema.ask("SELECT epoch FROM lease WHERE backend = 'metrics';"), "1");
    assert_eq!(backend.others(), 0);
    schema.ask("DROP TRIGGER take_long ON outbox;");
    backend.next().await.accept();
    schema.until("EXISTS (SELECT FROM outbox WHERE state = 'sent')");
    let log = daemon.terminate();
    assert!(!log.contains("the store cannot commit"), "{log}");
}
