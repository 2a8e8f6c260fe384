//! Questions and answers in OpenAI's words: reading requests, asking the model, telling what it says.

pub(crate) mod asking;
pub(crate) mod fields;
pub(crate) mod messages;
pub(crate) mod parameters;
pub(crate) mod reply;
pub(crate) mod request;
pub(crate) mod schema;
pub(crate) mod tools;
