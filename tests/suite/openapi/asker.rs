//! Requests to a daemon whose answers are compared with the document.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{document, operations};
use crate::harness::{Answer, Daemon};
use crate::json_schema::{Schemas, resolved};

/// A client that checks each answer against the document: status, media type and schema.
pub(super) struct Asker<'a> {
    pub(super) daemon: &'a Daemon,
    pub(super) document: Value,
    /// Answers so far, as method, path in the document, and status.
    pub(super) seen: BTreeSet<String>,
}

impl<'a> Asker<'a> {
    pub(super) async fn new(daemon: &'a Daemon) -> Self {
        Self { daemon, document: document(daemon).await, seen: BTreeSet::new() }
    }

    /// Sends a request. `path` is the path in the document, in which `{id}` is replaced.
    pub(super) async fn ask(
        &mut self,
        method: &str,
        path: &str,
        id: &str,
        query: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let url = format!("http://{}{}{query}", self.host(path), path.replace("{id}", id));
        let mut request = self.daemon.client.request(method.parse().unwrap(), url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = Answer::of(request.send().await.unwrap()).await;
        self.holds(method, path, &answer);
        answer
    }

    pub(super) async fn get(&mut self, path: &str, query: &str) -> Answer {
        self.ask("GET", path, "", query, &[]).await
    }

    /// Sends a body to the event API, and checks that the document allows it exactly if the daemon accepts it.
    pub(super) async fn send(&mut self, path: &str, attributes: &Value) -> Answer {
        let body = json!({ "data": { "attributes": attributes } });
        let answer = self.daemon.events_api("POST", path, &body).await;
        let path = format!("/api/v2/dora{path}");
        self.holds("POST", &path, &answer);
        let operation = &self.document["paths"][path]["post"];
        let content = &resolved(&self.document, &operation["requestBody"])["content"]["application/json"];
        let result = Schemas::of_requests(&self.document).check(&content["schema"], &body);
        assert_eq!(result.is_ok(), answer.status == 200, "{body}: {result:?} and {answer:?}");
        answer
    }

    /// The listener of a path: the admin listener, unless the path has `servers`.
    pub(super) fn host(&self, path: &str) -> std::net::SocketAddr {
        let is_public = self.document["paths"][path].get("servers").is_some();
        if is_public { self.daemon.public } else { self.daemon.admin }
    }

    pub(super) fn holds(&mut self, method: &str, path: &str, answer: &Answer) {
        let operation = &self.document["paths"][path][method.to_lowercase()];
        let status = answer.status.to_string();
        let response = resolved(&self.document, &operation["responses"][&status]);
        assert!(response.is_object(), "{method} {path} does not document {answer:?}");
        for (header, _) in response["headers"].as_object().into_iter().flatten() {
            assert!(
                answer.headers.contains_key(header),
                "{method} {path}: {header} is missing in {answer:?}"
            );
        }
        match response["content"].as_object() {
            None => assert_eq!(answer.body, "", "{method} {path}"),
            Some(content) => {
                let (media_type, content) = content.iter().next().unwrap();
                let media_type_of_answer = answer.headers["content-type"].to_str().unwrap();
                assert_eq!(
                    media_type_of_answer.split(';').next(),
                    Some(media_type.as_str()),
                    "{method} {path}"
                );
                let body = if media_type == "application/json" { answer.json() } else { json!(answer.body) };
                let result = Schemas::of_answers(&self.document).check(&content["schema"], &body);
                assert_eq!(result, Ok(()), "{method} {path} {status}");
            }
        }
        self.seen.insert(format!("{method} {path} {status}"));
    }

    /// Checks that every documented answer of these paths was seen, except those with these endings.
    pub(super) fn all_seen_but(&self, paths: &str, endings: &[&str]) {
        for (method, path, operation) in operations(&self.document) {
            for status in operation["responses"].as_object().unwrap().keys() {
                let answer = format!("{method} {path} {status}");
                let is_left_out =
                    !path.starts_with(paths) || endings.iter().any(|ending| answer.ends_with(ending));
                assert!(is_left_out || self.seen.contains(&answer), "{answer} was never seen");
            }
        }
    }
}
