//! Steps of a recording: changes of the disk, syncs, and messages to others.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::trace::Call;

/// An action of the program, in the order in which others could notice it.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) thread: u32,
    /// Time of the step, as a line number of the trace.
    pub(super) at: usize,
    pub(super) action: Action,
}

#[derive(Debug, Clone)]
pub(super) enum Action {
    /// A file of the store was created, under this name.
    Create(Arc<str>),
    Write {
        file: Arc<str>,
        offset: usize,
        bytes: Arc<[u8]>,
    },
    Truncate {
        file: Arc<str>,
        length: usize,
    },
    Remove(Arc<str>),
    /// A sync that ended at `Step::at`. Changes before `entered` are on the disk now, later ones may be.
    Sync {
        file: Arc<str>,
        entered: usize,
    },
    /// The same for the names in the folder.
    SyncFolder {
        entered: usize,
    },
    /// The webhook with this body was answered 2xx.
    Acknowledge(Arc<[u8]>),
    /// The backend was sent this body.
    Tell(Arc<[u8]>),
}

impl Action {
    /// `true` if a running system sees another disk after it.
    pub(super) fn changes_the_disk(&self) -> bool {
        matches!(self, Self::Create(_) | Self::Write { .. } | Self::Truncate { .. } | Self::Remove(_))
    }

    /// `true` if fewer disks are possible after it.
    pub(super) fn is_sync(&self) -> bool {
        matches!(self, Self::Sync { .. } | Self::SyncFolder { .. })
    }
}

/// The steps of a trace, for the store that is in `folder` and has this name.
pub(super) fn steps(mut calls: Vec<Call>, folder: &str, store: &str) -> Vec<Step> {
    calls.sort_by_key(counts_at);
    let mut files = Files { folder, store, present: Vec::new() };
    let mut connections = HashMap::<String, Connection>::new();
    let mut steps = Vec::new();
    for call in &calls {
        let mut add = |action| steps.push(Step { thread: call.thread, at: counts_at(call), action });
        if is_of_a_socket(call) {
            connections.entry(call.file.clone()).or_default().observe(call, &mut add);
        } else {
            files.observe(call, &mut add);
        }
    }
    steps
}

/// Time from which a call counts. A change counts from the end of its call: cuts before that test the disk without it.
/// A message counts from the beginning of its call, because the receiver may have it before the call returns.
fn counts_at(call: &Call) -> usize {
    let is_message = is_of_a_socket(call) && !matches!(call.name.as_str(), "recvfrom" | "read");
    if is_message { call.entered } else { call.left }
}

fn is_of_a_socket(call: &Call) -> bool {
    call.file.starts_with("socket:")
}

/// The files of the store that exist.
struct Files<'a> {
    folder: &'a str,
    store: &'a str,
    present: Vec<Arc<str>>,
}

impl Files<'_> {
    fn observe(&mut self, call: &Call, add: &mut impl FnMut(Action)) {
        let path = match call.name.as_str() {
            "openat" => call.opened.clone(),
            "unlink" | "unlinkat" => call.path(),
            "open" | "creat" | "truncate" | "rename" | "renameat" | "renameat2" | "link" | "linkat" => {
                assert!(!call.path().contains(self.folder), "{} is not modelled", call.name);
                return;
            }
            "read" => return,
            _ => call.file.clone(),
        };
        if path == self.folder && matches!(call.name.as_str(), "fsync" | "fdatasync") {
            add(Action::SyncFolder { entered: call.entered });
        }
        let Some(file) = self.of_the_store(&path) else { return };
        match call.name.as_str() {
            "openat" => {
                assert!(!call.plain.contains("O_TRUNC"), "emptied at opening, which is not modelled: {path}");
                if call.plain.contains("O_CREAT") && !self.present.contains(&file) {
                    self.present.push(Arc::clone(&file));
                    add(Action::Create(file));
                }
            }
            "pwrite64" => add(Action::Write { file, offset: call.last_number(), bytes: call.moved().into() }),
            "ftruncate" => add(Action::Truncate { file, length: call.last_number() }),
            "fsync" | "fdatasync" => add(Action::Sync { file, entered: call.entered }),
            "unlink" | "unlinkat" => {
                self.present.retain(|present| *present != file);
                add(Action::Remove(file));
            }
            other => panic!("{other} of {path} is not modelled"),
        }
    }

    /// Name in the folder, if the file belongs to the store. The shared memory is left out: a crash makes it void.
    fn of_the_store(&self, path: &str) -> Option<Arc<str>> {
        let name = path.strip_prefix(self.folder)?.strip_prefix('/')?;
        let suffix = name.strip_prefix(self.store)?;
        (suffix != "-shm").then(|| name.into())
    }
}

/// A connection of the daemon.
#[derive(Default)]
struct Connection {
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    /// Requests of the other side without an answer so far.
    unanswered: VecDeque<Message>,
}

impl Connection {
    fn observe(&mut self, call: &Call, add: &mut impl FnMut(Action)) {
        match call.name.as_str() {
            "recvfrom" | "read" => {
                self.incoming.extend(call.moved());
                while let Some(message) = take_message(&mut self.incoming) {
                    self.unanswered.push_back(message);
                }
            }
            "sendto" | "write" | "writev" => {
                self.outgoing.extend(call.moved());
                while let Some(message) = take_message(&mut self.outgoing) {
                    self.record(message, add);
                }
            }
            other => panic!("{other} of a socket is not modelled"),
        }
    }

    fn record(&mut self, message: Message, add: &mut impl FnMut(Action)) {
        if message.head.starts_with("HTTP/1.1 ") {
            let request = self.unanswered.pop_front().expect("an answer has its request");
            if request.head.starts_with("POST /webhooks/") && message.head.starts_with("HTTP/1.1 2") {
                add(Action::Acknowledge(request.body.into()));
            }
        } else if message.head.starts_with("POST /api/v2/dora/failure ") {
            add(Action::Tell(message.body.into()));
        }
    }
}

/// A request or an answer.
#[derive(Debug)]
struct Message {
    head: String,
    body: Vec<u8>,
}

/// Takes the first message, once it is complete.
fn take_message(buffer: &mut Vec<u8>) -> Option<Message> {
    let head_end = buffer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8(buffer[..head_end].to_vec()).unwrap();
    let length = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, length)| length.parse().unwrap());
    let body = buffer.get(head_end..head_end + length)?.to_vec();
    buffer.drain(..head_end + length);
    Some(Message { head, body })
}

#[cfg(test)]
mod tests {
    use super::super::trace::calls;
    use super::*;

    fn shown(trace: &str) -> Vec<String> {
        let show = |step: Step| format!("{} {:?}", step.at, step.action);
        steps(calls(trace), "/s", "a.db").into_iter().map(show).collect()
    }

    fn hex(text: &str) -> String {
        text.bytes().flat_map(|byte| format!("\\x{byte:02x}").into_bytes()).map(char::from).collect()
    }

    #[test]
    fn changes_count_from_their_end_and_a_sync_knows_its_beginning() {
        let trace = "1 openat(AT_FDCWD</>, \"\\x61\", O_RDWR|O_CREAT, 0644) = 5</s/a.db-wal>\n\
                     1 pwrite64(5</s/a.db-wal>, \"\\x41\", 1, 9 <unfinished ...>\n\
                     2 fdatasync(5</s/a.db-wal> <unfinished ...>\n\
                     1 <... pwrite64 resumed>) = 1\n\
                     2 <... fdatasync resumed>) = 0\n\
                     2 fdatasync(6</s>) = 0\n\
                     2 pwrite64(7</s/a.db-shm>, \"\\x41\", 1, 9) = 1\n\
                     2 openat(AT_FDCWD</>, \"\\x61\", O_RDWR|O_CREAT, 0644) = 5</s/a.db-wal>\n";
        assert_eq!(
            shown(trace),
            [
                "0 Create(\"a.db-wal\")",
                "3 Write { file: \"a.db-wal\", offset: 9, bytes: [65] }",
                "4 Sync { file: \"a.db-wal\", entered: 2 }",
                "5 SyncFolder { entered: 5 }",
            ]
        );
    }

    #[test]
    fn an_answer_acknowledges_the_request_on_its_connection() {
        let request = |body: &str| {
            hex(&format!("POST /webhooks/pagerduty HTTP/1.1\r\nContent-Length: 1\r\n\r\n{body}"))
        };
        let (one, two) = (request("1"), request("2"));
        let answer = |status| hex(&format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\n{{}}"));
        let trace = format!(
            "1 recvfrom(5<socket:[1]>, \"{}\", 99, 0, NULL, NULL) = {}\n\
             1 recvfrom(6<socket:[2]>, \"{two}\", 99, 0, NULL, NULL) = {}\n\
             1 recvfrom(5<socket:[1]>, \"{}\", 99, 0, NULL, NULL) = {}\n\
             1 writev(6<socket:[2]>, [{{iov_base=\"{}\", iov_len=1}}], 1 <unfinished ...>\n\
             2 sendto(5<socket:[1]>, \"{}\", 1, 0, NULL, 0) = {}\n\
             1 <... writev resumed>) = {}\n",
            &one[..40],
            10,
            two.len() / 4,
            &one[40..],
            one.len() / 4 - 10,
            answer("202 Accepted"),
            answer("503 Service Unavailable"),
            answer("503 Service Unavailable").len() / 4,
            answer("202 Accepted").len() / 4,
        );
        assert_eq!(shown(&trace), ["3 Acknowledge([50])"]);
    }

    #[test]
    fn a_request_counts_as_sent_once_it_is_complete() {
        let head = "POST /api/v2/dora/failure HTTP/1.1\r\ncontent-length: 2\r\n\r\n";
        let trace = format!(
            "1 writev(5<socket:[1]>, [{{iov_base=\"{}\", iov_len=1}}], 1) = {}\n\
             1 sendto(5<socket:[1]>, \"\\x7b\\x7d\", 2, 0, NULL, 0) = 2\n",
            hex(head),
            head.len(),
        );
        assert_eq!(shown(&trace), ["1 Tell([123, 125])"]);
    }

    #[test]
    #[should_panic(expected = "not modelled")]
    fn an_unknown_call_that_changes_a_file_is_an_error() {
        shown("1 fallocate(5</s/a.db>, 0, 0, 9) = 0\n");
    }
}
