//! Connections to a backend: no proxy is used, certificates are checked, and no output shows a key.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};

use crate::engine::ports_and_store;
use crate::harness::{Daemon, KEY, client, event_of, eventually};
use crate::process::{PROGRAM, Process};

/// A self-signed certificate for tests only.
const CERTIFICATE: &[u8] = include_bytes!("outgoing_connections/certificate.pem");
const PASSWORD: &str = "canary-password";

/// Reads a request's head and answers 400 with the head as the body, as some servers do. Returns the head.
fn echo(stream: &mut (impl Read + Write)) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    write!(stream, "HTTP/1.1 400 Bad\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{head}", head.len())?;
    stream.flush()?;
    Ok(head)
}

/// Serves connections. The receiver gets the head of each request, or the error.
fn serve<S: Read + Write>(accept: impl Fn(TcpStream) -> S + Send + 'static) -> (SocketAddr, Heads) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, heads) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut stream = accept(stream);
            if sender.send(echo(&mut stream).map_err(|error| error.to_string())).is_err() {
                return;
            }
            // Waits until the other side has read everything.
            let _ = stream.read(&mut [0]);
        }
    });
    (address, heads)
}

/// The head of each request, or the error.
pub(crate) type Heads = Receiver<Result<String, String>>;

/// Serves connections with TLS, under the test's certificate.
pub(crate) fn serve_tls() -> (SocketAddr, Heads) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("outgoing_connections/key.pem")).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(CERTIFICATE).unwrap()];
    let tls = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let tls = Arc::new(tls);
    serve(move |stream| StreamOwned::new(ServerConnection::new(Arc::clone(&tls)).unwrap(), stream))
}

fn backend_entry(url: &str) -> String {
    format!(
        "[[backend]]\nname = \"echo\"\nkind = \"datadog\"\nurl = \"{url}\"\napi_key = {{ value = \"{KEY}\" }}\n"
    )
}

/// Delivers an event, and waits for the error of its first attempt.
async fn last_error(daemon: &Daemon) -> String {
    daemon.expect(event_of("incident.resolved", "QWAYOUT001"), "accepted").await;
    eventually("the end of the attempt", async || {
        let row = daemon.get("/api/v1/outbox").await.json()["rows"][0].clone();
        row["last_error"].as_str().map(str::to_owned)
    })
    .await
}

#[tokio::test]
async fn no_proxy_is_used_and_no_credential_shown() {
    let (backend, heads) = serve(|stream| stream);
    let (proxy, through_proxy) = serve(|stream| stream);
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    let url = format!("http://me:{PASSWORD}@{backend}");
    std::fs::write(&config, ports_and_store(folder.path()) + &backend_entry(&url)).unwrap();
    let mut program = Command::new(PROGRAM);
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
        program.env(name, format!("http://{proxy}"));
    }
    let (process, listening) = Process::start_by(program, &config);
    assert_eq!(listening.deliver(&event_of("incident.resolved", "QWAYOUT001")).await, 202);
    let head = tokio::task::spawn_blocking(move || heads.recv().unwrap().unwrap()).await.unwrap();
    assert!(head.contains(KEY) && head.contains("authorization: Basic "), "{head}");
    let outbox = format!("http://{}/api/v1/outbox?state=dead", listening.admin);
    let client = client();
    let mut shown = eventually("a dead letter", async || {
        let shown = client.get(&outbox).send().await.unwrap().text().await.unwrap();
        shown.contains("last_error").then_some(shown)
    })
    .await;
    let metrics = format!("http://{}/metrics", listening.admin);
    shown += &client.get(&metrics).send().await.unwrap().text().await.unwrap();
    shown += &process.terminate();
    for arguments in
        [&["config", "show"][..], &["check", "--offline"], &["explain", "QWAYOUT001"], &["outbox"]]
    {
        let output = Command::new(PROGRAM).arg("--config").arg(&config).args(arguments).output().unwrap();
        shown += &String::from_utf8(output.stdout).unwrap();
        shown += &String::from_utf8(output.stderr).unwrap();
    }
    assert!(shown.contains("HTTP 400: POST /api/v2/dora/failure"), "{shown}");
    for secret in [KEY, PASSWORD, "bWU6Y2FuYXJ5LXBhc3N3b3Jk"] {
        assert!(!shown.contains(secret), "{secret} is in {shown}");
    }
    assert!(through_proxy.try_recv().is_err(), "a request went to the proxy");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_untrusted_certificate_is_refused() {
    let (backend, heads) = serve_tls();
    let url = format!("https://{backend}");
    let daemon = Daemon::start(&backend_entry(&url)).await;
    let error = last_error(&daemon).await;
    assert!(error.contains("certificate"), "{error}");
    assert!(heads.recv().unwrap().is_err(), "it got a request");
    assert_eq!(daemon.probe().pending(), 1);

    // A client that trusts the certificate gets an answer, so nothing else is wrong with the server.
    let certificate = reqwest::Certificate::from_pem(CERTIFICATE).unwrap();
    let trusting = reqwest::Client::builder().no_proxy().tls_certs_only([certificate]).build().unwrap();
    assert_eq!(trusting.get(url).send().await.unwrap().status(), 400);
    assert!(heads.recv().unwrap().is_ok());
}
