//! `[outgoing]`: a proxy, and certificates that are trusted besides the system's.

use std::process::Command;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use crate::certificates::{Authority, Certified, write};
use crate::engine::ports_and_store;
use crate::harness::{Backend, Daemon, KEY, PATIENCE, SECRET, event_of};
use crate::process::PROGRAM;

/// A proxy that answers 502 to each request, and reports its first line.
async fn proxy() -> (std::net::SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (seen, lines) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut line = String::new();
            BufReader::new(&mut stream).read_line(&mut line).await.unwrap();
            let _ = seen.send(line.trim().to_owned());
            let answer = "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            // The client may have gone already.
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (address, lines)
}

/// Waits until lines with all of these texts have come, in any order.
async fn lines_with(lines: &mut mpsc::UnboundedReceiver<String>, texts: &[&str]) {
    let mut missing = texts.to_vec();
    while !missing.is_empty() {
        let line = tokio::time::timeout(PATIENCE, lines.recv()).await;
        let line = line.unwrap_or_else(|_| panic!("no line with {missing:?}")).expect("the proxy goes on");
        missing.retain(|text| !line.starts_with(text));
    }
}

#[tokio::test]
async fn requests_to_backends_and_apis_go_through_the_proxy() {
    let (address, mut lines) = proxy().await;
    let api = "[pagerduty.api]\nurl = \"http://pagerduty.invalid\"\ntoken = { value = \"canary\" }\n";
    let plain = "[[backend]]\nname = \"plain\"\nkind = \"http\"\nurl = \"http://metrics.invalid/in\"\n";
    let tls = "[[backend]]\nname = \"tls\"\nkind = \"http\"\nurl = \"https://metrics.invalid/in\"\n";
    let outgoing = format!("[outgoing]\nproxy = \"http://{address}\"\n");
    let daemon = Daemon::start(&format!("{outgoing}{api}{plain}{tls}")).await;
    daemon.expect(event_of("incident.resolved", "QPROXY00001"), "accepted").await;
    let expected =
        ["GET http://pagerduty.invalid/", "POST http://metrics.invalid/in ", "CONNECT metrics.invalid:443 "];
    lines_with(&mut lines, &expected).await;
}

/// A backend that takes requests by TLS.
async fn tls_backend(certified: &Certified) -> Backend {
    let mut backend = Backend::start().await;
    let chain = vec![CertificateDer::from_pem_slice(certified.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(certified.key.as_bytes()).unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let (acceptor, plain) = (TlsAcceptor::from(Arc::new(config)), backend.address);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    backend.address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that does not trust the certificate ends the handshake.
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut inner = tokio::net::TcpStream::connect(plain).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut inner).await;
            });
        }
    });
    backend
}

#[tokio::test]
async fn a_certificate_authority_of_ones_own_is_trusted() {
    let authority = Authority::new();
    let mut backend = tls_backend(&authority.server(2099)).await;
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "company.pem", &authority.pem());
    let entry = backend.entry("metrics").replace("http://", "https://");
    let outgoing = format!("[outgoing]\ncertificate_authority = \"{}\"\n", file.display());
    let daemon = Daemon::start(&entry).await;
    daemon.expect(event_of("incident.resolved", "QUNTRUSTED1"), "accepted").await;
    daemon.until(|store| store.most_attempts() > 0).await;
    assert!(backend.is_quiet(), "without the key its certificate is not trusted");
    let daemon = Daemon::start(&format!("{outgoing}{entry}")).await;
    daemon.expect(event_of("incident.resolved", "QTRUSTED001"), "accepted").await;
    assert_eq!(backend.next().await.headers["dd-api-key"], KEY);
}

#[test]
fn check_names_the_proxy_and_the_authority() {
    let folder = tempfile::tempdir().unwrap();
    let check = |outgoing: &str| {
        let text = format!("{}[outgoing]\n{outgoing}", ports_and_store(folder.path()));
        let file = write(folder.path(), "config.toml", &text);
        let output = Command::new(PROGRAM)
            .args(["--config", file.to_str().unwrap(), "check", "--offline"])
            .env("PAGERDUTY_SIGNING_SECRET", SECRET)
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    write(folder.path(), "company.pem", &Authority::new().pem());
    let both = "proxy = \"http://canary:canary@proxy:3128\"\ncertificate_authority = \"company.pem\"\n";
    let (status, printed) = check(both);
    assert_eq!(status, Some(0), "{printed}");
    let item = "ok     outgoing: through the proxy http://redacted@proxy:3128, trusting the certificates in ";
    assert!(printed.contains(item) && !printed.contains("canary"), "{printed}");
    write(folder.path(), "company.pem", "nothing");
    let (status, printed) = check(both);
    assert!(
        status == Some(2) && printed.contains("outgoing.certificate_authority: cannot read certificates"),
        "{printed}"
    );
}

#[test]
fn no_backend_is_asked_past_a_proxy_while_outgoing_has_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let backend = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    backend.set_nonblocking(true).unwrap();
    let text = format!(
        "{}[outgoing]\n\
         proxy = \"http://proxy:3128\"\ncertificate_authority = \"missing.pem\"\n\
         [[backend]]\nname = \"a\"\nkind = \"http\"\nurl = \"http://{}\"\n",
        ports_and_store(folder.path()),
        backend.local_addr().unwrap()
    );
    let file = write(folder.path(), "config.toml", &text);
    let output = Command::new(PROGRAM)
        .args(["--config", file.to_str().unwrap(), "check"])
        .env("PAGERDUTY_SIGNING_SECRET", SECRET)
        .output()
        .unwrap();
    let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(printed.contains("(not contacted)"), "{printed}");
    let error = backend.accept().map(drop).expect_err("the backend was asked");
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
}
