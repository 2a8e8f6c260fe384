//! Rows of OpenAI-style messages: an object with `messages`, or the list alone. The words are taken as they stand; the
//! recipe fills in frames and sizes that a part leaves open.

use firsthand_base::Role;
use serde_json::Value;

use super::fields::{Fields, Reason};
use super::row::Row;
use super::source::Reader;

pub(super) fn read(reader: &Reader<'_>, value: &Value, row: &mut Row) -> Result<(), Reason> {
    let messages = match value {
        Value::Array(_) => value,
        _ => {
            let fields = Fields::of(value, &reader.config.columns)?;
            row.id = fields.id(&["id", "sample_id"]);
            fields.get("messages").ok_or_else(|| fields.wrong("messages", "a list of messages"))?
        }
    };
    let mut conversation = firsthand_input::read_message_list(messages).map_err(|error| error.to_string())?;
    reader.media.complete(&mut conversation)?;
    let first = conversation.messages.first().map(|message| message.role);
    if first != Some(Role::System) {
        reader.open(row, None);
    }
    row.conversation.messages.append(&mut conversation.messages);
    Ok(())
}
