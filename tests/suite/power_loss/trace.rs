//! Parser for the output of strace (`-f -y -xx`): the system calls, their bytes, and the start and end of each.

use std::collections::HashMap;

/// A system call that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) thread: u32,
    pub(super) name: String,
    /// Number of the line on which it was entered.
    pub(super) entered: usize,
    /// Number of the line on which it returned: the same line, unless other calls came in between.
    pub(super) left: usize,
    /// File of its first file descriptor.
    pub(super) file: String,
    /// All its strings, joined.
    pub(super) bytes: Vec<u8>,
    /// Its arguments without strings and descriptors.
    pub(super) plain: String,
    pub(super) result: i64,
    /// File of the descriptor that it returned.
    pub(super) opened: String,
}

impl Call {
    /// Its last argument, a number.
    pub(super) fn last_number(&self) -> usize {
        let last = self.plain.rsplit(',').next().unwrap_or_default().trim();
        last.parse().unwrap_or_else(|_| panic!("no number at the end of {} {}", self.name, self.plain))
    }

    /// Its string as a path.
    pub(super) fn path(&self) -> String {
        String::from_utf8(self.bytes.clone()).unwrap()
    }

    /// The bytes that it read or wrote: as many as its result says.
    pub(super) fn moved(&self) -> &[u8] {
        &self.bytes[..usize::try_from(self.result).unwrap()]
    }
}

/// The successful calls of a trace, in the order in which they returned.
pub(super) fn calls(trace: &str) -> Vec<Call> {
    let mut begun: HashMap<u32, (usize, &str)> = HashMap::new();
    let mut calls = Vec::new();
    for (number, line) in trace.lines().enumerate() {
        let (thread, call_text) =
            line.split_once(' ').unwrap_or_else(|| panic!("no thread in line {number}"));
        let thread: u32 = thread.parse().unwrap_or_else(|_| panic!("no thread in line {number}"));
        let call_text = call_text.trim_start();
        if call_text.starts_with("---") || call_text.starts_with("+++") {
            continue;
        }
        if let Some(first_half) = call_text.strip_suffix(" <unfinished ...>") {
            begun.insert(thread, (number, first_half));
            continue;
        }
        let whole;
        let (entered, call_text) = match call_text.strip_prefix("<... ") {
            None => (number, call_text),
            Some(resumed) => {
                let (_, second_half) = resumed.split_once(" resumed>").expect("a call resumed");
                let (entered, first_half) = begun.remove(&thread).expect("a call resumed was begun");
                whole = format!("{first_half}{second_half}");
                (entered, whole.as_str())
            }
        };
        calls.extend(call(call_text).map(|call| Call { thread, entered, left: number, ..call }));
    }
    calls
}

/// Parses one call. `None` if it failed or never returned.
fn call(call_text: &str) -> Option<Call> {
    let (name, rest) = call_text.split_once('(').unwrap_or_else(|| panic!("no call: {call_text}"));
    let (arguments, outcome) = rest.rsplit_once(") ").unwrap_or_else(|| panic!("no end: {call_text}"));
    let outcome = outcome.trim_start().strip_prefix("= ").unwrap_or_else(|| panic!("no result: {call_text}"));
    let number_end = outcome.find(|c: char| c != '-' && !c.is_ascii_digit()).unwrap_or(outcome.len());
    let result: i64 = outcome[..number_end].parse().ok().filter(|result| *result >= 0)?;
    let opened = outcome[number_end..].strip_prefix('<').and_then(|rest| rest.split('>').next());
    let mut call = Call {
        thread: 0,
        name: name.to_owned(),
        entered: 0,
        left: 0,
        file: String::new(),
        bytes: Vec::new(),
        plain: String::new(),
        result,
        opened: text(opened.unwrap_or_default()),
    };
    let mut rest = arguments;
    while let Some(at) = rest.find(['"', '<']) {
        call.plain.push_str(&rest[..at]);
        let closing = if rest.as_bytes()[at] == b'"' { '"' } else { '>' };
        let (inside, after) = rest[at + 1..].split_once(closing).expect("what was opened is closed");
        if closing == '"' {
            assert!(!after.starts_with("..."), "strace cut a string: -s was too small for {name}");
            unescape(inside, &mut call.bytes);
        } else if call.file.is_empty() {
            call.file = text(inside);
        }
        rest = after;
    }
    call.plain.push_str(rest);
    Some(call)
}

/// Decodes a path or the name of a socket.
fn text(escaped: &str) -> String {
    let mut bytes = Vec::new();
    unescape(escaped, &mut bytes);
    String::from_utf8(bytes).expect("paths of this test are plain")
}

/// Decodes `\x41\x42` into two bytes. strace escapes all bytes or, in some names, none.
fn unescape(escaped: &str, bytes: &mut Vec<u8>) {
    let digit = |c: u8| match c {
        b'0'..=b'9' => c - b'0',
        b'a'..=b'f' => c - b'a' + 10,
        _ => panic!("no hexadecimal digit: {c}"),
    };
    let escaped = escaped.as_bytes();
    if escaped.first() != Some(&b'\\') {
        bytes.extend_from_slice(escaped);
        return;
    }
    bytes.reserve(escaped.len() / 4);
    bytes.extend(escaped.chunks(4).map(|byte| digit(byte[2]) << 4 | digit(byte[3])));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_its_file_its_bytes_and_its_last_number() {
        let calls = calls(r#"7     pwrite64(14</s/a.db-wal>, "\x00\x22\x3e\x29", 4, 8248) = 4"#);
        assert_eq!(calls.len(), 1);
        assert_eq!(
            (calls[0].thread, calls[0].file.as_str(), calls[0].last_number()),
            (7, "/s/a.db-wal", 8248)
        );
        assert_eq!(calls[0].moved(), b"\0\">)");
    }

    #[test]
    fn the_two_halves_of_a_call_are_joined_by_thread() {
        let trace = "1 fdatasync(3<\\x61> <unfinished ...>\n2 fdatasync(4<b> <unfinished ...>\n\
                     1 <... fdatasync resumed>)            = 0\n2 <... fdatasync resumed>) = 0\n";
        let calls = calls(trace);
        let seen: Vec<_> = calls.iter().map(|call| (call.file.as_str(), call.entered, call.left)).collect();
        assert_eq!(seen, [("a", 0, 2), ("b", 1, 3)]);
    }

    #[test]
    fn parts_of_a_vector_are_joined_and_a_short_write_is_short() {
        let trace = r#"1 writev(9<socket:[5]>, [{iov_base="\x48\x54", iov_len=2}, {iov_base="\x54", iov_len=1}], 2) = 2"#;
        assert_eq!(calls(trace)[0].moved(), b"HT");
        assert_eq!(calls(trace)[0].file, "socket:[5]");
    }

    #[test]
    fn failed_and_unfinished_calls_and_signals_are_left_out() {
        let trace = "1 recvfrom(8<socket:[1]>, 0x7f20, 128, 0, NULL, NULL) = -1 EAGAIN (Resource temporarily unavailable)\n\
                     2 --- SIGTERM {si_signo=SIGTERM, si_pid=3} ---\n\
                     1 futex(0x1) = ?\n\
                     1 fsync(3<a> <unfinished ...>\n\
                     2 +++ exited with 0 +++\n";
        assert_eq!(calls(trace), []);
    }

    #[test]
    fn an_opened_file_is_known_by_its_descriptor() {
        let trace = r#"1 openat(AT_FDCWD</c>, "\x61", O_RDWR|O_CREAT, 0644) = 14<\x2f\x61>"#;
        let call = &calls(trace)[0];
        assert_eq!((call.path().as_str(), call.opened.as_str()), ("a", "/a"));
        assert!(call.plain.contains("O_CREAT"));
    }

    #[test]
    #[should_panic(expected = "cut a string")]
    fn a_truncated_string_is_an_error() {
        calls(r#"1 write(2<a>, "\x41"..., 5) = 5"#);
    }
}
