//! The state of a backend that replaces whole records, after the requests that it received.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::Request;

/// The last content under each id.
#[derive(Debug, Clone, Default)]
pub(super) struct Received {
    /// Failures. `None`: it was deleted.
    pub(super) failures: BTreeMap<String, Option<Value>>,
    pub(super) deployments: BTreeMap<String, Value>,
    pub(super) marks: BTreeMap<String, Value>,
}

impl Received {
    /// Does what a request says.
    pub(super) fn take(&mut self, request: &Request) {
        let (method, path) = request.line.split_once(' ').unwrap();
        let path = path.strip_prefix("/api/v2/dora/").unwrap();
        match (method, path.split_once('/')) {
            ("POST", None) => {
                let attributes = request.attributes();
                let id = attributes["id"].as_str().unwrap().to_owned();
                match path {
                    "failure" => drop(self.failures.insert(id, Some(attributes))),
                    "deployment" => drop(self.deployments.insert(id, attributes)),
                    _ => panic!("{path}"),
                }
            }
            ("DELETE", Some(("failure", id))) => drop(self.failures.insert(id.to_owned(), None)),
            ("PATCH", Some(("deployments", id))) => {
                drop(self.marks.insert(id.to_owned(), request.attributes()));
            }
            _ => panic!("{}", request.line),
        }
    }

    /// Adds what was received later.
    pub(super) fn add(&mut self, later: &Self) {
        let later = later.clone();
        self.failures.extend(later.failures);
        self.deployments.extend(later.deployments);
        self.marks.extend(later.marks);
    }
}
