//! Where a checkpoint is. Every verb that opens one asks here, so that a folder that holds none (an adapter, a download that
//! was not finished, another program's format) is named for what it is, with the command that mends it.

mod look;

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::environment;
use crate::failure::failure;
use crate::hub::{Cache, Repository};
use crate::tiny;

/// The directory of a checkpoint that is given as a directory, as owner/name of a downloaded one, as that one's folder in
/// the hub's cache, or as the name of the one inside the program.
pub(crate) fn directory(model: &str, revision: &str) -> Result<PathBuf> {
    if model == tiny::NAME && !Path::new(model).is_dir() {
        return tiny::directory();
    }
    let (directory, origin) = resolve(model, revision)?;
    look::check(&directory, origin.as_ref())?;
    Ok(directory)
}

/// The folder of an adapter: a directory, owner/name of a downloaded one, or that one's folder in the hub's cache.
pub(crate) fn adapter(folder: &str) -> Result<PathBuf> {
    let (directory, origin) = resolve(folder, "main")?;
    look::check_adapter(&directory, origin.as_ref())?;
    Ok(directory)
}

/// A repository of the hub, at a revision.
#[derive(Clone, Debug)]
struct Origin {
    repository: Repository,
    revision: String,
    cache: PathBuf,
}

impl Origin {
    /// The command that fetches it, or what is missing of it.
    fn fetch(&self) -> String {
        let commit = self.revision.as_str();
        let revision = if commit == "main" { String::new() } else { format!(" --revision {commit}") };
        format!("firsthand fetch {}{revision}", self.repository)
    }

    fn snapshot(&self) -> Result<PathBuf> {
        let cache = Cache::new(self.cache.clone());
        if let Some(snapshot) = cache.find(&self.repository, &self.revision) {
            return Ok(snapshot);
        }
        let Origin { repository, revision, .. } = self;
        let others = cache.snapshots(repository);
        let whole = others.iter().find(|snapshot| look::is_whole(snapshot));
        let what = match (cache.commit(repository, revision), others.is_empty()) {
            (Some(commit), _) => {
                format!("{revision} of {repository} is {}, which was not downloaded", short(&commit))
            }
            (None, true) => format!("not downloaded, and no such directory: {repository}"),
            (None, false) => format!("{revision} of {repository} was not downloaded"),
        };
        let other = whole.map(|place| format!(", or name the folder of another: {}", place.display()));
        Err(failure(what, format!("run `{}`{}", self.fetch(), other.unwrap_or_default())))
    }
}

/// The first letters of a commit.
fn short(commit: &str) -> &str {
    commit.get(..8).unwrap_or(commit)
}

/// The directory that is meant, and the repository it came from.
fn resolve(model: &str, revision: &str) -> Result<(PathBuf, Option<Origin>)> {
    let path = PathBuf::from(model);
    if path.is_dir() {
        return Ok(match (origin(&path), is_repository(&path)) {
            (Some(origin), true) => {
                let origin = Origin { revision: revision.to_owned(), ..origin };
                (origin.snapshot()?, Some(origin))
            }
            (origin, _) => (path, origin),
        });
    }
    if path.is_file() {
        return Err(look::file(&path));
    }
    let Some(repository) = Repository::parse(model) else {
        return Err(failure(
            format!("no such checkpoint directory: {model}"),
            "pass a directory with config.json and weights, or owner/name of a downloaded checkpoint",
        ));
    };
    let origin = Origin { repository, revision: revision.to_owned(), cache: environment::hub_cache()? };
    Ok((origin.snapshot()?, Some(origin)))
}

/// Whether a folder of the hub's cache is a repository's own, with refs and snapshots in it.
fn is_repository(path: &Path) -> bool {
    path.join("snapshots").is_dir() && !path.join("config.json").exists()
}

/// The repository that a place in a hub's cache belongs to: `models--owner--name/snapshots/COMMIT`.
fn origin(path: &Path) -> Option<Origin> {
    let path = std::path::absolute(path).ok()?;
    let named = |place: &Path| {
        let (owner, name) = place.file_name()?.to_str()?.strip_prefix("models--")?.split_once("--")?;
        Repository::parse(&format!("{owner}/{name}"))
    };
    let (folder, repository) = path.ancestors().find_map(|place| Some((place, named(place)?)))?;
    let cache = folder.parent()?.to_owned();
    let mut inside = path.strip_prefix(folder).ok()?.iter().map(|part| part.to_string_lossy().into_owned());
    let commit = inside.next().filter(|part| part == "snapshots").and_then(|_| inside.next());
    let main = Cache::new(cache.clone()).commit(&repository, "main");
    let revision = commit.filter(|commit| Some(commit) != main.as_ref()).unwrap_or_else(|| "main".to_owned());
    Some(Origin { repository, revision, cache })
}
