//! Films stretches of a world: frames are drawn on all cores, a piece at a time, and encoded in order on the calling
//! thread. A film is there when its MP4 file is: the truths and transcripts beside it are put in place before.

use std::io::Write;
use std::ops::Range;

use anyhow::Result;
use firsthand_media::{Rate, VideoOptions, VideoWriter, draft_path};
use firsthand_world::{ClipOptions, World, write_lines};

use super::folder::Folder;
use super::order::in_order;
use super::plan::Stretch;
use super::transcript::subtitles;
use crate::atomic::AtomicFile;
use crate::interrupt;
use crate::progress::Progress;

/// Most bytes and frames that one piece holds.
const PIECE_BYTES: usize = 8 << 20;
const PIECE_FRAMES: usize = 48;

/// What every film of a run has in common.
pub(super) struct Studio<'a> {
    pub(super) world: &'a World,
    pub(super) options: ClipOptions,
    /// Truths are written of every so many frames.
    pub(super) truth_every: usize,
    pub(super) workers: usize,
    pub(super) folder: &'a Folder,
}

/// Some frames of one film.
struct Piece {
    /// Index among the films.
    film: usize,
    frames: Range<usize>,
    is_last: bool,
}

/// Drawn frames, and the lines of their truths.
struct Drawn {
    rgb: Vec<Vec<u8>>,
    truths: Vec<u8>,
}

/// A film being written.
struct Film {
    video: VideoWriter,
    truths: AtomicFile,
}

impl Studio<'_> {
    /// Makes every film.
    pub(super) fn film(&self, films: &[Stretch], progress: &Progress) -> Result<()> {
        let pieces = self.pieces(films)?;
        let mut open: Option<Film> = None;
        in_order(
            pieces.len(),
            self.workers,
            |index| self.draw(&films[pieces[index].film], pieces[index].frames.clone()),
            |index, drawn| {
                let (piece, drawn) = (&pieces[index], drawn?);
                let stretch = &films[piece.film];
                let film = match &mut open {
                    Some(film) => film,
                    None => open.insert(self.start(stretch)?),
                };
                film.truths.write_all(&drawn.truths)?;
                for rgb in &drawn.rgb {
                    film.video.push(rgb)?;
                }
                progress.add(drawn.rgb.len() as u64);
                match open.take() {
                    Some(film) if piece.is_last => self.finish(stretch, film),
                    film => {
                        open = film;
                        Ok(())
                    }
                }
            },
        )
    }

    fn pieces(&self, films: &[Stretch]) -> Result<Vec<Piece>> {
        let frame = self.options.width * self.options.height * 3;
        let most = (PIECE_BYTES / frame).clamp(1, PIECE_FRAMES);
        let mut pieces = Vec::new();
        for (film, stretch) in films.iter().enumerate() {
            let frames = self.world.clip(stretch.day, stretch.start_s, stretch.seconds, &self.options)?.len();
            for start in (0..frames).step_by(most) {
                let end = frames.min(start + most);
                pieces.push(Piece { film, frames: start..end, is_last: end == frames });
            }
        }
        Ok(pieces)
    }

    fn draw(&self, stretch: &Stretch, frames: Range<usize>) -> Result<Drawn> {
        let mut drawn = Drawn { rgb: Vec::with_capacity(frames.len()), truths: Vec::new() };
        let clip = self.world.clip(stretch.day, stretch.start_s, stretch.seconds, &self.options)?;
        for (frame, truth) in clip.between(frames) {
            if truth.index.is_multiple_of(self.truth_every) {
                write_lines(&mut drawn.truths, [&truth])?;
            }
            drawn.rgb.push(frame.rgb);
        }
        Ok(drawn)
    }

    fn start(&self, stretch: &Stretch) -> Result<Film> {
        let place = stretch.file(&self.folder.path, "mp4");
        let ClipOptions { width, height, rate, .. } = self.options;
        // One key frame in three seconds keeps seeking quick in long films.
        let options =
            VideoOptions { key_interval: (3.0 * rate).ceil().max(1.0) as u32, ..VideoOptions::default() };
        let rate = Rate::new(rate)?;
        let draft = draft_path(&place);
        let video = interrupt::create(&draft, || VideoWriter::create(&place, width, height, rate, &options))?;
        let truths = AtomicFile::create(&stretch.file(&self.folder.path, "frames.jsonl"))?;
        Ok(Film { video, truths })
    }

    fn finish(&self, stretch: &Stretch, film: Film) -> Result<()> {
        film.truths.commit()?;
        let mut transcript = AtomicFile::create(&stretch.file(&self.folder.path, "srt"))?;
        transcript.write_all(subtitles(self.world, stretch).as_bytes())?;
        transcript.commit()?;
        let draft = draft_path(&stretch.file(&self.folder.path, "mp4"));
        interrupt::finish(&draft, || film.video.finish())?;
        Ok(())
    }
}
