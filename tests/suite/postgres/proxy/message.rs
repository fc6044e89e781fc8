//! Frames of PostgreSQL's protocol.

use std::io::{self, Read, Write};

/// Codes in the place of a version, with which a client asks for encryption.
const ENCRYPTION_REQUESTS: [u32; 2] = [80_877_103, 80_877_104];
/// Answer to such a request: there is no encryption.
const NOT_ENCRYPTED: &[u8] = b"N";

/// The side that sends a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    Client,
    Server,
}

/// A message after the start of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) connection: usize,
    pub(crate) sender: Sender,
    /// The whole message: its type, its length and its content.
    pub(crate) bytes: Vec<u8>,
}

impl Message {
    /// The letter of its type.
    pub(crate) fn kind(&self) -> char {
        char::from(self.bytes[0])
    }

    pub(crate) fn contains(&self, text: &str) -> bool {
        contains(&self.bytes, text)
    }
}

pub(super) fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Reads the first message of a client, which has no type. Refuses encryption before it.
pub(super) fn read_start(input: &mut impl Read, mut client: impl Write) -> io::Result<Vec<u8>> {
    loop {
        let mut message = Vec::new();
        read_rest(input, &mut message)?;
        let code = message[4..].first_chunk().map(|code| u32::from_be_bytes(*code));
        if code.is_none_or(|code| !ENCRYPTION_REQUESTS.contains(&code)) {
            return Ok(message);
        }
        client.write_all(NOT_ENCRYPTED)?;
    }
}

/// Reads a whole message.
pub(super) fn read_message(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut message = vec![0];
    input.read_exact(&mut message)?;
    read_rest(input, &mut message)?;
    Ok(message)
}

/// Reads a length, which counts itself, and the content.
fn read_rest(input: &mut impl Read, message: &mut Vec<u8>) -> io::Result<()> {
    let mut length = [0; 4];
    input.read_exact(&mut length)?;
    message.extend(length);
    let rest = u64::from(u32::from_be_bytes(length)).checked_sub(4).ok_or(io::ErrorKind::InvalidData)?;
    let read = input.take(rest).read_to_end(message)?;
    if u64::try_from(read) == Ok(rest) { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
