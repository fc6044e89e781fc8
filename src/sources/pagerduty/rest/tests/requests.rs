//! Headers, errors, pauses and repeated requests.

use std::io::{Read as _, Write as _};

use serde_json::json;

use super::server::{Reply, Server};
use super::{TOKEN, client, client_for};
use crate::sources::pagerduty::rest::RestError;

fn incident() -> Reply {
    Reply::json(&json!({"incident": {"id": "Q1", "title": "disk full"}}))
}

#[tokio::test]
async fn a_request_has_the_headers_of_the_api() {
    let server = Server::in_turn(vec![incident]).await;
    let proxy = format!("{}/proxy/", server.url);
    let (by_key, _) = client(&server);
    let (by_oauth, _) = client_for(&proxy, "scheme = \"bearer\"");
    for client in [by_key, by_oauth] {
        let incident = client.incident("Q1").await.unwrap().unwrap();
        assert_eq!(incident.0["title"], "disk full");
    }
    let [key, oauth] = server.seen().try_into().ok().unwrap();
    assert_eq!(key.header("authorization"), format!("Token token={TOKEN}"));
    assert_eq!(oauth.header("authorization"), format!("Bearer {TOKEN}"));
    assert_eq!([key.line.as_str(), oauth.line.as_str()], ["GET /incidents/Q1", "GET /proxy/incidents/Q1"]);
    for seen in [key, oauth] {
        assert_eq!(seen.header("accept"), "application/vnd.pagerduty+json;version=2");
        assert!(seen.header("user-agent").starts_with("pagerduty-dora/"));
        assert_eq!(
            seen.query.into_iter().collect::<Vec<_>>(),
            [("include[]".into(), "custom_fields".into())]
        );
        assert_eq!(seen.body, "");
    }
}

#[tokio::test]
async fn a_429_pauses_all_clones_as_long_as_it_asks() {
    let limited = || Reply::error(429, "Rate Limit Exceeded").with("ratelimit-reset", "12");
    let both = || Reply::text(429, "").with("retry-after", "7").with("ratelimit-reset", "3");
    let server = Server::in_turn(vec![
        limited,
        incident,
        both,
        || Reply::text(429, "").with("retry-after", "7"),
        incident,
    ])
    .await;
    let (client, timer) = client(&server);
    assert!(client.incident("Q1").await.unwrap().is_some());
    assert_eq!(timer.taken(), [12]);
    assert!(client.clone().incident("Q1").await.unwrap().is_some());
    assert_eq!(timer.taken(), [3, 7]);
    // A request that is not repeated makes the next one wait, too.
    let server = Server::in_turn(vec![limited, incident]).await;
    let (client, timer) = client_for(&server.url, "");
    assert!(matches!(client.ping("PSUB001").await, Err(RestError::RateLimited { .. })));
    assert!(timer.taken().is_empty());
    assert!(client.clone().incident("Q1").await.unwrap().is_some());
    assert_eq!(timer.taken(), [12]);
}

#[tokio::test]
async fn pauses_after_a_429_without_a_time_double() {
    let limited = || Reply::text(429, "");
    let server = Server::in_turn(vec![limited, limited, limited, limited, incident, limited, incident]).await;
    let (client, timer) = client(&server);
    let error = client.incident("Q1").await.unwrap_err();
    assert_eq!(error, RestError::RateLimited { request: "GET /incidents/Q1".to_owned() });
    assert_eq!((timer.taken(), server.seen().len()), (vec![1, 2, 4], 4));
    assert!(client.incident("Q1").await.unwrap().is_some());
    assert_eq!(timer.taken(), [8]);
    assert!(client.incident("Q1").await.unwrap().is_some());
    assert_eq!(timer.taken(), [1]);
}

#[tokio::test]
async fn a_request_is_repeated_after_a_failure_of_the_server() {
    let (fails, busy) = (|| Reply::text(500, "oh"), || Reply::text(503, "").with("retry-after", "9"));
    let server = Server::in_turn(vec![fails, busy, fails, incident, || Reply::error(502, "Bad.")]).await;
    let (client, timer) = client(&server);
    assert!(client.incident("Q1").await.unwrap().is_some());
    assert_eq!(timer.taken(), [1, 9, 4]);
    let error = client.incident("Q1").await.unwrap_err();
    let request = "GET /incidents/Q1".to_owned();
    assert_eq!(error, RestError::Server { request, status: 502, detail: "Bad".to_owned() });
    assert!(error.is_temporary());
    assert_eq!((timer.taken(), server.seen().len()), (vec![1, 2, 4], 8));
}

/// A server that closes a connection for each of these answers, after it sent the answer.
fn raw_server(answers: Vec<&'static str>) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for answer in answers {
            let (mut connection, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                connection.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            connection.write_all(answer.as_bytes()).unwrap();
        }
    });
    url
}

#[tokio::test]
async fn a_request_is_repeated_after_a_broken_connection() {
    let whole = "HTTP/1.1 200 OK\r\ncontent-length: 24\r\n\r\n{\"incident\":{\"id\":\"Q1\"}}";
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 24\r\n\r\n{\"incident\"";
    let url = raw_server(vec!["", half, whole]);
    let (client, timer) = client_for(&url, "");
    assert_eq!(client.incident("Q1").await.unwrap().unwrap().0["id"], "Q1");
    assert_eq!(timer.taken(), [1, 2]);
    // Nobody listens there any more.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (client, timer) = client_for(&format!("http://{port}"), "");
    let error = client.notes_of("Q1").await.unwrap_err();
    assert!(matches!(&error, RestError::Unreachable { request, .. } if request == "GET /incidents/Q1/notes"));
    assert!(!error.to_string().contains(&port.to_string()), "{error}");
    assert_eq!(timer.taken(), [1, 2, 4]);
}

#[tokio::test]
async fn an_incident_that_pagerduty_does_not_have_is_none() {
    let server = Server::in_turn(vec![
        || Reply::error(404, "Not Found"),
        || Reply::text(404, "<h1>Not Found</h1>"),
        || Reply::text(302, "").with("location", "/elsewhere"),
    ])
    .await;
    let (client, timer) = client(&server);
    assert_eq!(client.incident("Q1").await, Ok(None));
    // Another server's 404 says nothing of the incident.
    for status in [404, 302] {
        let request = "GET /incidents/Q1".to_owned();
        assert_eq!(client.incident("Q1").await, Err(RestError::NotTheApi { request, status }));
    }
    // These would lead to another address.
    for id in ["", ".", ".."] {
        assert_eq!(client.incident(id).await, Ok(None));
    }
    assert!(matches!(client.log_of("..").await, Err(RestError::NotFound { .. })));
    assert_eq!((server.seen().len(), timer.taken()), (3, vec![]));
    let _ = client.incident("a/b?c#d").await;
    assert_eq!(server.seen()[3].line, "GET /incidents/a%2Fb%3Fc%23d");
}

#[tokio::test]
async fn each_refusal_says_what_to_do() {
    let secret = format!("{TOKEN} is not known");
    let replies = [
        (401, json!({"error": {"code": 2006, "message": secret}}).to_string()),
        (402, json!({"error": {"code": 2014, "message": "Account does not have the ability."}}).to_string()),
        (
            403,
            json!({"error": {"message": format!("Key {TOKEN} may not"), "errors": ["a", "b."]}}).to_string(),
        ),
        (403, "<html>".to_owned()),
        (
            400,
            json!({"error": {"code": 2004, "message": "Invalid", "errors": ["since\nis wrong"]}}).to_string(),
        ),
        (409, json!({"error": "x".repeat(400)}).to_string()),
        (301, String::new()),
        (200, "<html>".to_owned()),
        (200, String::new()),
        (200, json!({"incident": {"id": "Q1"}}).to_string() + "x"),
        (200, json!({"incident": TOKEN}).to_string()),
        (200, json!({"incident": []}).to_string()),
        (200, json!({"incidents": []}).to_string()),
    ];
    let count = replies.len();
    let server = Server::start(move |number, _| {
        let (status, body) = &replies[number];
        Reply::text(*status, body.as_str())
    })
    .await;
    let (client, timer) = client(&server);
    let mut messages = Vec::new();
    for _ in 0..count {
        let error = client.incident("Q1").await.unwrap_err();
        assert!(!error.is_temporary() && !format!("{error:?}").contains(TOKEN), "{error:?}");
        messages.push(error.to_string());
    }
    assert_eq!(server.seen().len(), count);
    assert!(timer.taken().iter().all(|wait| *wait == 0), "nothing is repeated");
    let temporary = [
        RestError::RateLimited { request: "GET /log_entries".to_owned() },
        RestError::Server {
            request: "GET /log_entries".to_owned(),
            status: 500,
            detail: "no details".to_owned(),
        },
        RestError::Unreachable { request: "GET /log_entries".to_owned(), problem: "timed out".to_owned() },
    ];
    messages.extend(temporary.map(|error| error.to_string()));
    let messages = messages.join("\n\n");
    assert!(!messages.contains("canary"), "{messages}");
    insta::assert_snapshot!(messages);
}

#[tokio::test]
async fn the_client_does_not_show_the_token() {
    let (client, _) = client_for("http://127.0.0.1:1", "");
    assert_eq!(format!("{client:?}"), "RestClient { base: \"http://127.0.0.1:1/\", .. }");
}

#[tokio::test]
async fn a_title_that_was_cut_within_a_character_does_not_hide_its_incident() {
    let server =
        Server::in_turn(vec![|| Reply::text(200, "\u{feff}{\"incident\": {\"title\": \"down \\ud83d\"}}")])
            .await;
    let (client, _) = client(&server);
    assert_eq!(client.incident("Q1").await.unwrap().unwrap().0["title"], "down \u{fffd}");
}
