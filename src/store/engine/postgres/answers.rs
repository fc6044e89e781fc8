//! Answers to statements without parameters, which are sent together in one message.

use tokio_postgres::SimpleQueryMessage;

/// The first column of all rows.
pub(super) fn first_columns(messages: Vec<SimpleQueryMessage>) -> Vec<Option<String>> {
    by_statement(messages).into_iter().flatten().collect()
}

/// The first column of the rows of each statement.
pub(super) fn by_statement(messages: Vec<SimpleQueryMessage>) -> Vec<Vec<Option<String>>> {
    let mut statements = Vec::new();
    let mut rows = Vec::new();
    for message in messages {
        match message {
            SimpleQueryMessage::Row(row) => rows.push(row.get(0).map(str::to_owned)),
            SimpleQueryMessage::CommandComplete(_) => statements.push(std::mem::take(&mut rows)),
            _ => {}
        }
    }
    statements
}
