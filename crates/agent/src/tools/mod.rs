//! The tools there are: `rag` reads records, `video_llm` and `vlm` look at recordings, others are described in a file.
//! Each is a file; none knows the others.

mod custom;
mod rag;
mod visual;
#[cfg(test)]
pub(crate) use visual::tests as visual_tests;

pub use custom::{CustomTool, read_tools};
pub use rag::{Found, Match, Rag, RagLevel};
pub use visual::{ImageTool, Looking, VideoTool, Watched};
