//! Errors of PostgreSQL, and advice about them.

use std::error::Error as StdError;
use std::num::TryFromIntError;

use tokio_postgres::error::SqlState;

use crate::store::engine::sql::Error;
use crate::store::engine::sql::error::ErrorKind;

impl From<tokio_postgres::Error> for Error {
    #[cold]
    fn from(error: tokio_postgres::Error) -> Self {
        Self::new(kind(&error), message(&error))
    }
}

/// The message of the server, or of the connection, with its causes and with advice.
fn message(error: &tokio_postgres::Error) -> String {
    if let Some(refused) = error.as_db_error() {
        let detail = refused.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
        return format!("{}{detail}{}", refused.message(), advice(refused.code()));
    }
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let text = next.to_string();
        if !message.contains(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        cause = next.source();
    }
    let advice = ADVICE.iter().find(|(part, _)| message.contains(part)).map_or("", |(_, advice)| advice);
    message + advice
}

/// Parts of messages of the connection, and advice on them.
const ADVICE: [(&str, &str); 5] = [
    (
        "server does not support TLS",
        "; switch ssl on there, or write ?sslmode=disable in the URL if nobody else is in that network",
    ),
    ("UnknownIssuer", "; name the file of the certificate's issuer in store.certificate_authority"),
    ("NotValidForName", "; the URL has to name the server as its certificate does"),
    ("password missing", "; set store.password, or write a line into PostgreSQL's password file"),
    ("onnection refused", "; does the server run there, and does it listen on this address?"),
];

/// Consequence of an error. An error without an answer of the server means that the connection is of no use any more.
fn kind(error: &tokio_postgres::Error) -> ErrorKind {
    let Some(code) = error.code() else {
        return if error.source().is_some_and(<dyn StdError>::is::<TryFromIntError>) {
            ErrorKind::Refused
        } else {
            ErrorKind::Lost
        };
    };
    match *code {
        // Another replica was faster, or holds a lock for too long.
        SqlState::LOCK_NOT_AVAILABLE
        | SqlState::T_R_DEADLOCK_DETECTED
        | SqlState::T_R_SERIALIZATION_FAILURE => ErrorKind::Conflict,
        SqlState::QUERY_CANCELED => ErrorKind::TooSlow,
        // The server ends, or became a standby.
        SqlState::ADMIN_SHUTDOWN
        | SqlState::CRASH_SHUTDOWN
        | SqlState::CANNOT_CONNECT_NOW
        | SqlState::READ_ONLY_SQL_TRANSACTION
        | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
        | SqlState::TOO_MANY_CONNECTIONS => ErrorKind::Lost,
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => ErrorKind::Damaged,
        SqlState::UNDEFINED_DATABASE => ErrorKind::NoLogin,
        ref code if code.code().starts_with("28") => ErrorKind::NoLogin,
        ref code if code.code().starts_with("08") => ErrorKind::Lost,
        _ => ErrorKind::Refused,
    }
}

/// Advice on an error, to be appended to its message.
fn advice(code: &SqlState) -> &'static str {
    match *code {
        SqlState::DISK_FULL => "; free some space on the disk of the database",
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => {
            "; the database is damaged: check the server's disk, and restore a backup of the server"
        }
        SqlState::TOO_MANY_CONNECTIONS => {
            "; each daemon needs twelve connections: raise max_connections, or the limit of the user"
        }
        SqlState::READ_ONLY_SQL_TRANSACTION => "; the server is a standby",
        SqlState::INSUFFICIENT_PRIVILEGE => {
            "; the user of store.url needs CREATE on its schema to make the tables, and SELECT, INSERT, UPDATE and DELETE on \
             them"
        }
        SqlState::INVALID_PASSWORD => "; look at the user of store.url, and at store.password",
        SqlState::UNDEFINED_DATABASE => "; make it with CREATE DATABASE, or correct store.url",
        _ => "",
    }
}
