//! What can go wrong: options outside their limits, times that are not lived, a sink that does not take bytes.

/// A failure of this room.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value that no frame can be drawn with.
    #[error("{name} out of range: {value}; choose {remedy}")]
    Option {
        /// Which option.
        name: &'static str,
        /// What was asked.
        value: String,
        /// What is possible.
        remedy: &'static str,
    },
    /// A clip outside the days of the world.
    #[error(
        "clip outside the lived days: day {day}, {start_s} s to {end_s} s; the world has days 1 to {days} of 86400 s"
    )]
    Time {
        /// The day asked for.
        day: u32,
        /// Its start.
        start_s: f64,
        /// Its end.
        end_s: f64,
        /// Days there are.
        days: u32,
    },
    /// A folder that already holds another dataset.
    #[error("{folder} holds questions made with other options; choose another folder or the same options")]
    Folder {
        /// The folder.
        folder: String,
    },
    /// A value that cannot be written as JSON.
    #[error("truth not written as JSON")]
    Json(#[from] serde_json::Error),
    /// A picture or clip could not be written.
    #[error(transparent)]
    Media(#[from] firsthand_media::Error),
    /// The sink failed.
    #[error("truth not written")]
    Write(#[from] std::io::Error),
}

/// Result of this room.
pub type Result<T> = std::result::Result<T, Error>;
