//! Benchmarks: descriptions of published annotation files, and the items they hold. The built-in ones are the TOML
//! files in `benchmarks/`; a user's own is one more such file ([`Benchmark::from_toml`]). Nothing is downloaded and no
//! medium is opened here.

mod built_in;
mod check;
mod description;
mod expression;
mod item;
mod lettered;
mod read;
mod row;
mod rows;
mod scoring;
mod walk;

pub use built_in::{find, list};
pub use check::Check;
pub use description::{
    AnswerKeys, Benchmark, Files, Found, Gold as GoldKeys, Group, ItemKeys, Join, MediaKeys, Options,
    PromptKeys, Source, Within,
};
pub use expression::Expression;
pub use item::{Gold, Item, MediaKind, MediaRef};
pub use read::{BadRow, Items};
pub use rows::{OpenTable, TableRows};
pub use scoring::{Form, Frame, Judge, Metric};
pub use walk::Step;

/// A path of an annotation file, which must stay in its folder.
fn inside(path: &str) -> Result<&str, String> {
    let plain = path.trim_start_matches("./");
    let outside = plain.starts_with(['/', '\\']) || plain.split(['/', '\\']).any(|part| part == "..");
    if plain.is_empty() || outside || plain.contains('\0') || plain.contains("://") {
        return Err(format!("{path:?}: expected a path within the folder"));
    }
    Ok(plain)
}

#[cfg(test)]
mod fixture_tests;
#[cfg(test)]
mod shared_tests;
#[cfg(test)]
mod tests;
