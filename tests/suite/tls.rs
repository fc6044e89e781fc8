//! TLS of the public listener.

use std::net::SocketAddr;
use std::path::Path;

use pagerduty_dora::Embedded;
use pagerduty_dora::clock::ManualClock;
use pagerduty_dora::config::Config;
use pagerduty_dora::sources::pagerduty::signature::sign;
use reqwest::tls::Version;
use reqwest::{Certificate, ClientBuilder, Identity};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::certificates::{Authority, Certified, write};
use crate::harness::{Answer, PATIENCE, SECRET, client, event_of, time};
use crate::process::PROGRAM;

/// A folder with the configuration, the certificate and its key.
fn configured(certified: &Certified, rest_of_tls: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\ntls = {{ certificate = \"cert.pem\", key = \"key.pem\"{rest_of_tls} }}\n\
         [admin]\nlisten = \"127.0.0.1:0\"\n[pagerduty]\nsigning_secrets = [{{ file = \"secret\" }}]\n"
    );
    write(folder.path(), "config.toml", &text);
    write(folder.path(), "secret", SECRET);
    put(folder.path(), certified);
    folder
}

fn put(folder: &Path, Certified { certificate, key }: &Certified) {
    write(folder, "cert.pem", certificate);
    write(folder, "key.pem", key);
}

async fn start(folder: &TempDir) -> Embedded {
    let config = Config::read(&folder.path().join("config.toml")).unwrap();
    Embedded::start(config, ManualClock::at(time("2026-11-20T00:00:00Z"))).await.unwrap()
}

/// A client that trusts this authority alone.
fn trusting(authority: &Authority) -> ClientBuilder {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let root = Certificate::from_pem(authority.pem().as_bytes()).unwrap();
    reqwest::Client::builder().no_proxy().timeout(PATIENCE).tls_certs_only([root])
}

/// Delivers a signed webhook. `None` if there is no connection.
async fn deliver(client: &reqwest::Client, to: SocketAddr, incident: &str) -> Option<u16> {
    let body = event_of("incident.resolved", incident);
    let signature = sign(&SECRET.to_owned().into(), body.as_bytes());
    let url = format!("https://{to}/webhooks/pagerduty");
    let request = client.post(url).header("x-pagerduty-signature", signature).body(body);
    request.send().await.ok().map(|answer| answer.status().as_u16())
}

async fn metrics(daemon: &Embedded) -> String {
    client().get(format!("http://{}/metrics", daemon.admin)).send().await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn webhooks_come_by_tls_1_2_and_1_3() {
    let authority = Authority::new();
    let folder = configured(&authority.server(2098), "");
    let daemon = start(&folder).await;
    for (incident, version) in [("QTLS120001", Version::TLS_1_2), ("QTLS130001", Version::TLS_1_3)] {
        let client = trusting(&authority).tls_version_min(version).tls_version_max(version).build().unwrap();
        assert_eq!(deliver(&client, daemon.public, incident).await, Some(202));
    }
    let stranger = trusting(&Authority::new()).build().unwrap();
    assert_eq!(deliver(&stranger, daemon.public, "QSTRANGER1").await, None);
    let metrics = metrics(&daemon).await;
    let expiry = "\npagerduty_dora_certificate_expiry_timestamp_seconds 4039372800\n";
    assert!(metrics.contains(expiry), "{metrics}");
}

#[tokio::test]
async fn a_request_without_tls_is_refused_and_counted() {
    let authority = Authority::new();
    let folder = configured(&authority.server(2098), "");
    let daemon = start(&folder).await;
    let mut plain = TcpStream::connect(daemon.public).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // A reset also ends the connection.
    let _ = tokio::time::timeout(PATIENCE, plain.read_to_end(&mut answer)).await.expect("never closed");
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    let metrics = metrics(&daemon).await;
    let counted = "pagerduty_dora_connections_refused_total{listener=\"public\",reason=\"tls\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
    let client = trusting(&authority).build().unwrap();
    assert_eq!(deliver(&client, daemon.public, "QAFTER0001").await, Some(202));
}

#[tokio::test]
async fn a_client_needs_a_certificate_of_the_authority_with_the_right_name() {
    let (authority, of_clients) = (Authority::new(), Authority::new());
    let names = ", client_ca = \"clients.pem\", client_names = [\"webhooks.pagerduty.com\"]";
    let folder = configured(&authority.server(2098), names);
    write(folder.path(), "clients.pem", &of_clients.pem());
    let daemon = start(&folder).await;
    let with = |certified: Certified| {
        let pem = format!("{}{}", certified.certificate, certified.key);
        trusting(&authority).identity(Identity::from_pem(pem.as_bytes()).unwrap()).build().unwrap()
    };
    let right = with(of_clients.client("Webhooks.PagerDuty.com"));
    assert_eq!(deliver(&right, daemon.public, "QRIGHT0001").await, Some(202));
    let for_servers = with(of_clients.server_named("webhooks.pagerduty.com"));
    assert_eq!(deliver(&for_servers, daemon.public, "QRIGHT0002").await, Some(202));
    let nobody = trusting(&authority).build().unwrap();
    let other_name = with(of_clients.client("webhooks.pagerduty.com.example"));
    let other_authority = with(Authority::new().client("webhooks.pagerduty.com"));
    let other_server = with(of_clients.server_named("webhooks.example.com"));
    for client in [nobody, other_name, other_authority, other_server] {
        assert_eq!(deliver(&client, daemon.public, "QWRONG0001").await, None);
    }
}

#[tokio::test]
async fn a_renewed_certificate_takes_effect_and_a_wrong_one_does_not() {
    let (old, new) = (Authority::new(), Authority::new());
    let folder = configured(&old.server(2098), "");
    let daemon = start(&folder).await;
    let open = trusting(&old).build().unwrap();
    assert_eq!(deliver(&open, daemon.public, "QOLD000001").await, Some(202));
    let reload = async || {
        let url = format!("http://{}/api/v1/reload", daemon.admin);
        Answer::of(client().post(url).send().await.unwrap()).await
    };
    write(folder.path(), "cert.pem", &new.server(2099).certificate);
    let refused = reload().await;
    assert!(refused.status == 422 && refused.body.contains("does not fit the certificate"), "{refused:?}");
    put(folder.path(), &new.server(2099));
    assert_eq!(
        reload().await.body,
        r#"{"changed":["server.tls.certificate","server.tls.key"],"needs_restart":[]}"#
    );
    assert_eq!(deliver(&open, daemon.public, "QOLD000002").await, Some(202), "an open connection stays");
    let trusts_new = trusting(&new).build().unwrap();
    assert_eq!(deliver(&trusts_new, daemon.public, "QNEW000001").await, Some(202));
    let trusts_old = trusting(&old).build().unwrap();
    assert_eq!(deliver(&trusts_old, daemon.public, "QNEW000002").await, None);
    let metrics = metrics(&daemon).await;
    assert!(metrics.contains("certificate_expiry_timestamp_seconds 4070908800\n"), "{metrics}");
}

/// Output of `check --offline`.
fn check(folder: &TempDir) -> (Option<i32>, String) {
    let file = folder.path().join("config.toml");
    let output = std::process::Command::new(PROGRAM)
        .args(["--config", file.to_str().unwrap(), "check", "--offline"])
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

#[test]
fn check_reads_the_certificate() {
    let authority = Authority::new();
    let folder = configured(&authority.server(2099), "");
    let (status, printed) = check(&folder);
    assert!(status == Some(0) && printed.contains("cert.pem, valid until 2099-01-01T00:00:00Z"), "{printed}");
    assert!(printed.contains("warn   server.tls: ") && printed.contains("key.pem can be read by everybody"));
    put(folder.path(), &authority.server(2020));
    let (status, printed) = check(&folder);
    assert!(status == Some(1) && printed.contains("failed server.tls: the certificate in"), "{printed}");
    write(folder.path(), "cert.pem", "nothing");
    let (status, printed) = check(&folder);
    assert!(status == Some(2) && printed.contains("no section BEGIN CERTIFICATE"), "{printed}");
    std::fs::remove_file(folder.path().join("key.pem")).unwrap();
    put(folder.path(), &Certified { certificate: authority.server(2098).certificate, key: String::new() });
    let (status, printed) = check(&folder);
    assert!(
        status == Some(2) && printed.contains("server.tls.key: cannot read a private key from"),
        "{printed}"
    );
}
