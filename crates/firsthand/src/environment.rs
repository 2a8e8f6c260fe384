//! Every environment variable this program reads, and the directories that follow from them. Nothing else in
//! the workspace calls `std::env`.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::failure::failure;

/// Any non-empty value turns colours off (<https://no-color.org>).
const NO_COLOR: &str = "NO_COLOR";
/// Where caches live, default `~/.cache` (XDG base directories).
const XDG_CACHE_HOME: &str = "XDG_CACHE_HOME";
/// Root of the hub client's files, default `<cache>/huggingface`.
const HF_HOME: &str = "HF_HOME";
/// Downloaded checkpoints, default `$HF_HOME/hub`.
const HF_HUB_CACHE: &str = "HF_HUB_CACHE";
/// The older name of the same, which the Python hub client still takes.
const HUGGINGFACE_HUB_CACHE: &str = "HUGGINGFACE_HUB_CACHE";
/// Address of the hub, default <https://huggingface.co>.
const HF_ENDPOINT: &str = "HF_ENDPOINT";
/// Access token for private and gated repositories.
const HF_TOKEN: &str = "HF_TOKEN";
/// File that holds the token, default `$HF_HOME/token`.
const HF_TOKEN_PATH: &str = "HF_TOKEN_PATH";
/// `1`, `true`, `yes` or `on`: never touch the network.
const HF_HUB_OFFLINE: &str = "HF_HUB_OFFLINE";
/// Key that is sent to the endpoint and to the judge of `eval`.
const OPENAI_API_KEY: &str = "OPENAI_API_KEY";

/// Keys of which a request to `serve` must carry one, separated by commas.
const FIRSTHAND_API_KEYS: &str = "FIRSTHAND_API_KEYS";

/// Name and meaning of each, for the documentation and `doctor`.
pub(crate) const ALL: &[(&str, &str)] = &[
    (FIRSTHAND_API_KEYS, "keys of which a request to serve must carry one, separated by commas"),
    (HF_ENDPOINT, "address of the hub, default https://huggingface.co"),
    (HF_HOME, "root of the hub client's files, default $XDG_CACHE_HOME/huggingface"),
    (HF_HUB_CACHE, "downloaded checkpoints, default $HF_HOME/hub"),
    (HF_HUB_OFFLINE, "1: never touch the network"),
    (HF_TOKEN, "access token for private and gated repositories"),
    (HF_TOKEN_PATH, "file that holds the token, default $HF_HOME/token"),
    (HUGGINGFACE_HUB_CACHE, "older name of HF_HUB_CACHE"),
    (NO_COLOR, "any value: no colours"),
    (OPENAI_API_KEY, "key that is sent to the endpoint and to the judge of eval"),
    (XDG_CACHE_HOME, "where caches live, default ~/.cache"),
];

fn value(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A path from the environment, read as the Python hub client reads it: `~` is the home, `$NAME` and `${NAME}` are what
/// the environment has under the name. Files of settings (`docker --env-file`, systemd) hand both over as they stand.
fn path(name: &str) -> Option<PathBuf> {
    let home = std::env::home_dir();
    Some(PathBuf::from(expand(&value(name)?, home.as_deref(), &|name| std::env::var(name).ok())))
}

fn expand(text: &str, home: Option<&Path>, variable: &dyn Fn(&str) -> Option<String>) -> String {
    let at_home = text.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let text = match (at_home, home) {
        (Some(rest), Some(home)) => format!("{}{rest}", home.display()),
        _ => text.to_owned(),
    };
    let (mut expanded, mut rest) = (String::new(), text.as_str());
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let braced = after.strip_prefix('{').and_then(|inside| inside.split_once('}'));
        let (name, beyond) = match braced {
            Some((name, beyond)) => (name, beyond),
            None => after.split_at(after.find(|letter| !is_part(letter)).unwrap_or(after.len())),
        };
        match variable(name).filter(|_| !name.is_empty()) {
            Some(value) => expanded.push_str(&value),
            // A name that is not set stays as it stands.
            None => expanded.push_str(&rest[before.len()..rest.len() - beyond.len()]),
        }
        rest = beyond;
    }
    expanded + rest
}

/// `$OPENAI_API_KEY`.
pub(crate) fn chat_key() -> Option<String> {
    value(OPENAI_API_KEY)
}

/// `$FIRSTHAND_API_KEYS`.
pub(crate) fn api_keys() -> Vec<String> {
    let keys = value(FIRSTHAND_API_KEYS).unwrap_or_default();
    keys.split(',').map(str::trim).filter(|key| !key.is_empty()).map(str::to_owned).collect()
}

/// This program's own file.
pub(crate) fn program() -> Result<PathBuf> {
    Ok(std::env::current_exe()?)
}

/// Whether colours are welcome.
pub(crate) fn colours() -> bool {
    value(NO_COLOR).is_none()
}

/// `$XDG_CACHE_HOME`, else `~/.cache`.
fn cache_home() -> Result<PathBuf> {
    if let Some(path) = path(XDG_CACHE_HOME) {
        return Ok(path);
    }
    let home = std::env::home_dir().filter(|path| !path.as_os_str().is_empty());
    Ok(home
        .ok_or_else(|| {
            failure("no home directory", format!("set {XDG_CACHE_HOME} or {HF_HOME} to a directory"))
        })?
        .join(".cache"))
}

/// This program's own cache: decoded frames, downloaded media.
pub(crate) fn firsthand_cache() -> Result<PathBuf> {
    Ok(cache_home()?.join("firsthand"))
}

fn hub_home() -> Result<PathBuf> {
    match path(HF_HOME) {
        Some(path) => Ok(path),
        None => Ok(cache_home()?.join("huggingface")),
    }
}

/// Where downloaded checkpoints are, shared with the Python hub client.
pub(crate) fn hub_cache() -> Result<PathBuf> {
    match path(HF_HUB_CACHE).or_else(|| path(HUGGINGFACE_HUB_CACHE)) {
        Some(path) => Ok(path),
        None => Ok(hub_home()?.join("hub")),
    }
}

/// Address of the hub, without a slash at the end.
pub(crate) fn hub_endpoint() -> String {
    let endpoint = value(HF_ENDPOINT).unwrap_or_else(|| "https://huggingface.co".to_owned());
    endpoint.trim_end_matches('/').to_owned()
}

/// The access token, from the environment or the file the hub client's login writes.
pub(crate) fn hub_token() -> Option<String> {
    let token = value(HF_TOKEN).or_else(|| {
        let file = path(HF_TOKEN_PATH).or_else(|| Some(hub_home().ok()?.join("token")))?;
        fs_err::read_to_string(file).ok()
    })?;
    Some(token.trim().to_owned()).filter(|token| !token.is_empty())
}

/// Whether the network is forbidden.
pub(crate) fn hub_offline() -> bool {
    value(HF_HUB_OFFLINE).is_some_and(|v| matches!(v.to_lowercase().as_str(), "1" | "true" | "yes" | "on"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_expanded_as_the_hub_client_does() {
        let variable = |name: &str| [("A", "/a"), ("B_1", "b")].into_iter().find(|(known, _)| *known == name);
        let check = |text: &str, expect: &str| {
            let found = expand(text, Some(Path::new("/home/me")), &|name| Some(variable(name)?.1.to_owned()));
            assert_eq!(found, expect, "{text}");
        };
        check("~/x", "/home/me/x");
        check("~", "/home/me");
        check("~other/x", "~other/x");
        check("/x/~", "/x/~");
        check("$A/x$B_1", "/a/xb");
        check("${A}x${B_1}", "/axb");
        check("$C/${C}/$", "$C/${C}/$");
        check("${A", "${A");
        check("$A$", "/a$");
        check("/plain", "/plain");
        assert_eq!(expand("~/x", None, &|_| None), "~/x");
    }
}
