//! The hub over HTTP: listings, file metadata, file bytes. Redirects are followed here, so that the token goes
//! to the hub's own host and no other; passing troubles (cut connections, 408, 429, 5xx) are retried with
//! growing pauses.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde::Deserialize;
use ureq::http::{Response, Uri};
use ureq::{Agent, Body};

use super::cache::{self, Repository};
use crate::failure::failure;

/// Longest listing of a repository that is read.
const MAX_LISTING_BYTES: u64 = 64 << 20;
/// Redirects followed for one request.
const MAX_REDIRECTS: usize = 8;
/// A server that asks for a longer pause than this is treated as down.
const MAX_PAUSE: Duration = Duration::from_secs(300);

/// How to behave when the network fails.
#[derive(Clone, Copy)]
pub(crate) struct Retry {
    /// Tries in a row that bring nothing before giving up.
    pub(crate) attempts: u32,
    /// The first pause; each further one is twice as long.
    pub(crate) pause: Duration,
}

/// Why a request brought nothing.
pub(crate) enum Trouble {
    /// May pass: try again, after the pause the server asked for, if any.
    Passing {
        error: anyhow::Error,
        pause: Option<Duration>,
        /// Whether bytes arrived before it failed.
        progressed: bool,
    },
    /// Will not pass.
    Final(anyhow::Error),
}

impl Trouble {
    /// A passing trouble that brought nothing and asks for no particular pause.
    pub(crate) fn passing(error: anyhow::Error) -> Self {
        Trouble::Passing { error, pause: None, progressed: false }
    }
}

/// A file of a revision, as the hub lists it.
#[derive(Clone, Debug)]
pub(crate) struct FileInfo {
    /// Path inside the repository.
    pub(crate) path: String,
    /// Bytes, if listed.
    pub(crate) size: Option<u64>,
    /// Content name, if listed.
    pub(crate) etag: Option<String>,
}

/// A revision, resolved.
pub(crate) struct RevisionInfo {
    /// As asked for.
    pub(crate) name: String,
    /// The commit it is.
    pub(crate) commit: String,
    /// Its files.
    pub(crate) files: Vec<FileInfo>,
}

/// What HEAD says about a file.
pub(crate) struct Head {
    /// Safe content name, if there is one.
    pub(crate) etag: Option<String>,
    /// Bytes.
    pub(crate) size: Option<u64>,
    /// Commit the answer belongs to.
    pub(crate) commit: Option<String>,
}

#[derive(Deserialize)]
struct Listing {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    #[serde(rename = "blobId")]
    blob_id: Option<String>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: Option<String>,
    size: Option<u64>,
}

/// A connection to one hub.
pub(crate) struct Client {
    agent: Agent,
    endpoint: String,
    token: Option<String>,
    retry: Retry,
}

impl Client {
    /// A client for the hub at `endpoint`.
    pub(crate) fn new(endpoint: String, token: Option<String>, retry: Retry) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .accept_encoding("identity")
            .user_agent(concat!("firsthand/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(Duration::from_secs(15)))
            .timeout_recv_response(Some(Duration::from_secs(30)))
            .timeout_per_read(Some(Duration::from_secs(30)))
            .build();
        Client { agent: config.into(), endpoint, token, retry }
    }

    /// Address of a file.
    pub(crate) fn file_url(&self, repository: &Repository, commit: &str, path: &str) -> String {
        format!("{}/{repository}/resolve/{commit}/{}", self.endpoint, encode(path, b"/"))
    }

    /// Resolves a branch, tag or commit and lists its files.
    pub(crate) fn revision(&self, repository: &Repository, revision: &str) -> Result<RevisionInfo> {
        let url = format!(
            "{}/api/models/{repository}/revision/{}?blobs=true",
            self.endpoint,
            encode(revision, b"")
        );
        let listing: Listing = self.retrying(&mut || {
            let response = self.get(repository, &url, 0)?;
            let text = response.into_body().with_config().limit(MAX_LISTING_BYTES).read_to_string();
            let text = text.map_err(|error| Trouble::passing(anyhow!("cannot read {url}: {error}")))?;
            let listing =
                serde_json::from_str(&text).with_context(|| format!("not a listing of a repository: {url}"));
            listing.map_err(Trouble::Final)
        })?;
        if !cache::is_commit(&listing.sha) {
            return Err(anyhow!("the hub named a commit that is none: {:?}: {url}", listing.sha));
        }
        let mut files = Vec::with_capacity(listing.siblings.len());
        for sibling in listing.siblings {
            if !cache::safe_path(&sibling.rfilename) {
                return Err(anyhow!(
                    "the hub lists a file with an unsafe path: {:?}: {url}",
                    sibling.rfilename
                ));
            }
            let (etag, size) = match sibling.lfs {
                Some(lfs) => (lfs.sha256, lfs.size.or(sibling.size)),
                None => (sibling.blob_id, sibling.size),
            };
            files.push(FileInfo { path: sibling.rfilename, size, etag });
        }
        Ok(RevisionInfo { name: revision.to_owned(), commit: listing.sha, files })
    }

    /// Metadata of a file. Redirects that leave the hub are not followed: the hub's own headers describe the file.
    pub(crate) fn head(&self, repository: &Repository, url: &str) -> Result<Head> {
        self.retrying(&mut || {
            let response = self.follow(repository, url, true, 0)?;
            let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
            let redirected = response.status().is_redirection();
            let length = if redirected { None } else { header("content-length") };
            Ok(Head {
                etag: header("x-linked-etag").or_else(|| header("etag")).and_then(|etag| content_name(&etag)),
                size: header("x-linked-size").or(length).and_then(|size| size.parse().ok()),
                commit: header("x-repo-commit"),
            })
        })
    }

    /// The bytes of a file from `start` on.
    pub(crate) fn get(
        &self,
        repository: &Repository,
        url: &str,
        start: u64,
    ) -> Result<Response<Body>, Trouble> {
        self.follow(repository, url, false, start)
    }

    fn follow(
        &self,
        repository: &Repository,
        url: &str,
        head: bool,
        start: u64,
    ) -> Result<Response<Body>, Trouble> {
        let mut url = url.to_owned();
        for _ in 0..MAX_REDIRECTS {
            let response = self.send(&url, head, start)?;
            let status = response.status();
            let location = response.headers().get("location").and_then(|value| value.to_str().ok());
            match location {
                Some(location) if status.is_redirection() => {
                    let inside = location.starts_with('/') && !location.starts_with("//");
                    if head && !inside {
                        return Ok(response);
                    }
                    url = absolute(&url, location).ok_or_else(|| {
                        Trouble::Final(anyhow!("redirected to an address that is none: {location}: {url}"))
                    })?;
                }
                _ if status.is_success() => return Ok(response),
                // The caller decides what a refused range means.
                _ if status.as_u16() == 416 && start > 0 => return Ok(response),
                _ => return Err(self.refused(repository, &url, &response)),
            }
        }
        Err(Trouble::Final(anyhow!("more than {MAX_REDIRECTS} redirects: {url}")))
    }

    fn send(&self, url: &str, head: bool, start: u64) -> Result<Response<Body>, Trouble> {
        let mut request = if head { self.agent.head(url) } else { self.agent.get(url) };
        if let Some(token) = self.token.as_ref().filter(|_| same_origin(url, &self.endpoint)) {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if start > 0 {
            request = request.header("range", format!("bytes={start}-"));
        }
        request.call().map_err(|error| match error {
            ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::InvalidProxyUrl => {
                Trouble::Final(failure(format!("not an address: {url}: {error}"), "check HF_ENDPOINT"))
            }
            passing => Trouble::passing(failure(
                format!("cannot reach {url}: {passing}"),
                "check the network, HF_ENDPOINT and the proxy settings; run the command again to resume",
            )),
        })
    }

    /// What a status other than success means.
    fn refused(&self, repository: &Repository, url: &str, response: &Response<Body>) -> Trouble {
        let status = response.status();
        let error = anyhow!("the hub answered {status}: {url}");
        let hinted = |hint: String| {
            Trouble::Final(anyhow!("the hub answered {status}: {url}").context(format!("hint: {hint}")))
        };
        match status.as_u16() {
            401 if self.token.is_none() => hinted(format!(
                "{repository} is private, gated or does not exist; set HF_TOKEN to a token that may read it"
            )),
            401 => hinted(format!("the token in HF_TOKEN may not read {repository}, or it does not exist")),
            403 => hinted(format!(
                "accept the conditions of {repository} on the hub, or use a token that may read it"
            )),
            404 => hinted(format!("check the spelling of {repository} and the revision")),
            408 | 429 | 500..=599 => {
                let header = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
                let pause = header.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
                Trouble::Passing { error, pause, progressed: false }
            }
            _ => Trouble::Final(error),
        }
    }

    /// Runs `step` until it succeeds, fails for good, or brings nothing too often in a row.
    pub(crate) fn retrying<T>(&self, step: &mut dyn FnMut() -> Result<T, Trouble>) -> Result<T> {
        let mut failures = 0;
        loop {
            let (error, asked, progressed) = match step() {
                Ok(value) => return Ok(value),
                Err(Trouble::Final(error)) => return Err(error),
                Err(Trouble::Passing { error, pause, progressed }) => (error, pause, progressed),
            };
            failures = if progressed { 1 } else { failures + 1 };
            if failures >= self.retry.attempts || asked.is_some_and(|pause| pause > MAX_PAUSE) {
                let tries = if failures == 1 { "1 try".to_owned() } else { format!("{failures} tries") };
                return Err(error.context(format!("gave up after {tries}")))
                    .context("hint: run the command again later; it resumes where it stopped");
            }
            let pause = self.retry.pause.saturating_mul(1 << (failures - 1).min(10)).min(MAX_PAUSE);
            std::thread::sleep(asked.unwrap_or(pause).max(pause));
        }
    }
}

/// Percent-encodes all but unreserved characters and those in `keep`.
fn encode(text: &str, keep: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || keep.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// An ETag without its quotes, if it is safe as a file name.
fn content_name(etag: &str) -> Option<String> {
    let name = etag.strip_prefix("W/").unwrap_or(etag).trim_matches('"');
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    ((1..=128).contains(&name.len()) && name.bytes().all(plain)).then(|| name.to_owned())
}

/// Whether two addresses have the same scheme, host and port.
fn same_origin(a: &str, b: &str) -> bool {
    let origin = |text: &str| {
        let uri: Uri = text.parse().ok()?;
        let scheme = uri.scheme_str()?.to_owned();
        let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
        Some((scheme, uri.host()?.to_lowercase(), port))
    };
    origin(a).is_some_and(|a| Some(a) == origin(b))
}

/// A redirect target as a full address.
fn absolute(base: &str, location: &str) -> Option<String> {
    if location.starts_with("http://") || location.starts_with("https://") {
        return Some(location.to_owned());
    }
    let base: Uri = base.parse().ok()?;
    let root = format!("{}://{}", base.scheme_str()?, base.authority()?);
    match location {
        other if other.starts_with("//") => Some(format!("{}:{other}", base.scheme_str()?)),
        path if path.starts_with('/') => Some(format!("{root}{path}")),
        _ => None,
    }
}
