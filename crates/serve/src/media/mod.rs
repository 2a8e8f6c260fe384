//! The media of a request: which locations it may name, where each really is, and opening all of them within the
//! request's budgets, in processes of their own. What comes out feeds the same renderer that every verb uses.

pub(crate) mod fetch;
pub(crate) mod pool;
pub(crate) mod worker;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use firsthand_base::{Conversation, ImagePart, Part, VideoPart, VideoSource};
use firsthand_media::{OpenMedia, Prepared, SizeRule, inline_bytes, is_inline};

use crate::files::Files;
use crate::live::Live;
use crate::media::fetch::Remote;
use crate::media::pool::Pool;
use crate::media::worker::{Medium, Wanted};
use crate::options::Limits;
use crate::queue::Key;
use crate::refusal::{Answered, Refusal};
use crate::state::Draft;

/// Opens media for requests.
pub(crate) struct Media {
    pub(crate) pool: Pool,
    pub(crate) files: Arc<Files>,
    pub(crate) live: Arc<Live>,
    pub(crate) remote: Remote,
    /// Folder whose files may be named; its true path.
    pub(crate) root: Option<PathBuf>,
    pub(crate) limits: Limits,
}

/// Media that are open: what the renderer asks for, by part.
#[derive(Default)]
pub(crate) struct OpenedMedia(Vec<(Medium, Prepared)>);

impl OpenedMedia {
    fn find(&self, wanted: &Medium) -> firsthand_media::Result<Prepared> {
        let found = self.0.iter().find(|(medium, _)| medium == wanted);
        let missing = || firsthand_media::Error::Elsewhere("a medium was not opened".into());
        found.map(|(_, prepared)| prepared.clone()).ok_or_else(missing)
    }
}

impl OpenMedia for OpenedMedia {
    fn image(&self, part: &ImagePart, _: &SizeRule) -> firsthand_media::Result<Prepared> {
        self.find(&Medium::Image(part.clone()))
    }

    fn video(&self, part: &VideoPart, _: &SizeRule) -> firsthand_media::Result<Prepared> {
        self.find(&Medium::Video(part.clone()))
    }
}

/// A medium with locations that the media process can open, what they stand for, and what to remove afterwards.
struct Placed {
    medium: Medium,
    names: Vec<(String, String)>,
    drafts: Vec<Draft>,
}

impl Media {
    /// Opens all media of a conversation, one after the other, before the request's time is up.
    pub(crate) async fn open(
        &self,
        conversation: &Conversation,
        rule: &SizeRule,
        key: Key,
    ) -> Answered<OpenedMedia> {
        let until = Instant::now() + Duration::from_secs_f64(self.limits.media.seconds);
        let mut opened = OpenedMedia::default();
        self.check_count(conversation)?;
        let (mut pixels, mut frames) = (self.limits.media.pixels, self.limits.media.frames);
        for (place, part) in conversation.placed_parts() {
            let medium = match part {
                Part::Text(_) => continue,
                Part::Image(part) => Medium::Image(part.clone()),
                Part::Video(part) => Medium::Video(part.clone()),
            };
            if opened.find(&medium).is_ok() {
                continue;
            }
            let at = |refusal: Refusal| Refusal {
                param: refusal.param.or_else(|| Some(place.clone())),
                ..refusal
            };
            let placed = self.place(&medium, key, until).await.map_err(at)?;
            let wanted = Wanted {
                medium: placed.medium,
                rule: *rule,
                most_frames: frames,
                most_picture_pixels: self.limits.media.picture_pixels,
                most_bytes: self.limits.file_bytes,
            };
            let prepared = self.pool.open(&wanted, pixels, until).await.map_err(|refusal| {
                // The process knows files by paths that are nobody's business.
                let message =
                    placed.names.iter().fold(refusal.message, |text, (path, name)| text.replace(path, name));
                at(Refusal { message, ..refusal })
            })?;
            let used = prepared.pictures.iter().map(|picture| picture.height * picture.width).sum::<usize>();
            pixels = pixels.saturating_sub(used);
            frames = frames.saturating_sub(prepared.pictures.len());
            opened.0.push((medium, prepared));
        }
        Ok(opened)
    }

    /// Refuses a flood before anything is decoded.
    fn check_count(&self, conversation: &Conversation) -> Answered<()> {
        let pictures = |part: &Part| match part {
            Part::Text(_) => 0,
            Part::Video(VideoPart { source: VideoSource::Images(list), .. }) => list.len(),
            Part::Image(_) | Part::Video(_) => 1,
        };
        let (mut singles, mut listed) = (0, 0);
        for part in conversation.parts() {
            match part {
                Part::Video(VideoPart { source: VideoSource::Images(_), .. }) => listed += pictures(part),
                _ => singles += pictures(part),
            }
        }
        if singles > self.limits.media.count {
            return Err(Refusal::medium(format!(
                "{singles} media are more than the {} of one request",
                self.limits.media.count
            )));
        }
        if listed > self.limits.media.frames {
            let message =
                format!("{listed} frames are more than the {} of one request", self.limits.media.frames);
            return Err(Refusal::medium(message));
        }
        Ok(())
    }

    async fn place(&self, medium: &Medium, key: Key, until: Instant) -> Answered<Placed> {
        let mut placed = Placed { medium: medium.clone(), names: Vec::new(), drafts: Vec::new() };
        match medium {
            Medium::Image(part) => {
                let location = self.locate(&part.location, false, key, until, &mut placed).await?;
                placed.medium = Medium::Image(ImagePart { location, ..part.clone() });
            }
            Medium::Video(part) => {
                let source = match &part.source {
                    VideoSource::File(location) => {
                        VideoSource::File(self.locate(location, true, key, until, &mut placed).await?)
                    }
                    VideoSource::Images(list) => {
                        let mut located = Vec::with_capacity(list.len());
                        for location in list {
                            located.push(self.locate(location, false, key, until, &mut placed).await?);
                        }
                        VideoSource::Images(located)
                    }
                };
                placed.medium = Medium::Video(VideoPart { source, ..part.clone() });
            }
        }
        Ok(placed)
    }

    /// Where the media process finds what a request names.
    async fn locate(
        &self,
        location: &str,
        is_video: bool,
        key: Key,
        until: Instant,
        placed: &mut Placed,
    ) -> Answered<String> {
        let has_scheme =
            |scheme: &str| location.get(..scheme.len()).is_some_and(|s| s.eq_ignore_ascii_case(scheme));
        if is_inline(location) {
            if location.len() as u64 / 4 * 3 > self.limits.file_bytes {
                return Err(Refusal::medium(format!(
                    "an inline medium has more than {} bytes",
                    self.limits.file_bytes
                )));
            }
            return if is_video {
                self.inline_video(location, placed).await
            } else {
                Ok(location.to_owned())
            };
        }
        let path = if has_scheme("http://") || has_scheme("https://") {
            self.remote.check(location)?;
            let draft = self.files.draft();
            let (remote, address, target) = (self.remote.clone(), location.to_owned(), draft.0.clone());
            let fetch = move || remote.fetch(&address, &target, until);
            let fetched = tokio::task::spawn_blocking(fetch).await;
            fetched.map_err(|error| Refusal::internal(&error.to_string()))??;
            let path = draft.0.clone();
            placed.drafts.push(draft);
            path
        } else {
            let name = location.strip_prefix("file://").unwrap_or(location);
            match name {
                _ if name.starts_with("file-") => self.files.find(name, key)?.path,
                _ if name.starts_with("live-") => self.live.locate(name, key)?,
                _ => self.rooted(name)?,
            }
        };
        let path = path.to_str().ok_or_else(|| Refusal::medium("the path is not UTF-8"))?.to_owned();
        placed.names.push((path.clone(), location.to_owned()));
        Ok(path)
    }

    /// A video that came inline becomes a file: decoders seek.
    async fn inline_video(&self, location: &str, placed: &mut Placed) -> Answered<String> {
        let draft = self.files.draft();
        let (location, path, most) = (location.to_owned(), draft.0.clone(), self.limits.file_bytes);
        let write = move || -> Answered<()> {
            let bytes = inline_bytes(&location, most);
            let bytes = bytes.map_err(|error| Refusal::medium(error.to_string()))?;
            fs_err::write(&path, bytes).map_err(|error| Refusal::internal(&error.to_string()))
        };
        tokio::task::spawn_blocking(write).await.map_err(|error| Refusal::internal(&error.to_string()))??;
        let path = draft.0.to_string_lossy().into_owned();
        placed.names.push((path.clone(), "the inline video".to_owned()));
        placed.drafts.push(draft);
        Ok(path)
    }

    /// A file below the folder that the operator opened, wherever links lead.
    fn rooted(&self, name: &str) -> Answered<PathBuf> {
        let refused = || {
            Refusal::medium(
                "this location is not open to requests; send the medium inline, or upload it to /v1/files",
            )
        };
        let root = self.root.as_ref().ok_or_else(refused)?;
        let path = fs_err::canonicalize(root.join(Path::new(name))).map_err(|_| refused())?;
        if path.starts_with(root) && path.is_file() { Ok(path) } else { Err(refused()) }
    }
}
