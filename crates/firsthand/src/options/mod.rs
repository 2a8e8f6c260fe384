//! Groups of options that several verbs share, each with the checked value it becomes. After the check nobody
//! reads a flag again.

pub(crate) mod media;
pub(crate) mod model;
pub(crate) mod question;
pub(crate) mod sampling;
