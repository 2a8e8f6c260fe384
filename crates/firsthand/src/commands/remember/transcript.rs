//! The transcript of a recording: which file beside it is taken, and what is told of those that are not.

use std::path::{Path, PathBuf};

use firsthand_memory::build::{Said, TRANSCRIPT_ENDINGS, read_transcript};

/// Endings of transcripts that are not read but told of, since their owner thinks they are.
const OTHERS: [&str; 8] = ["ass", "ssa", "ttml", "dfxp", "smi", "lrc", "sbv", "sub"];

/// What is said in a recording by the first file beside it that can be read: FILE.srt, .vtt or .json, or the same after its
/// whole name, as in FILE.mp4.srt. `None` if there is none.
pub(super) fn beside(file: &str, notes: &mut Vec<String>) -> Option<Vec<Said>> {
    let (taken, others) = candidates(Path::new(file));
    let mut said: Option<Vec<Said>> = None;
    for path in taken {
        let name = path.display();
        if said.is_some() {
            notes.push(format!("{name}: not read, since another transcript lies beside the recording"));
            continue;
        }
        match fs_err::read(&path).map_err(|error| error.to_string()).and_then(|bytes| read_transcript(&bytes))
        {
            Ok(transcript) => {
                notes.extend(transcript.notes.iter().map(|note| format!("{name}: {note}")));
                said = Some(transcript.said);
            }
            Err(reason) => notes.push(format!("{name}: not taken as a transcript: {reason}")),
        }
    }
    if said.is_some() {
        return said;
    }
    for path in others {
        let reason = match fs_err::read(&path).map_err(|error| error.to_string()) {
            Ok(bytes) => read_transcript(&bytes).err(),
            Err(reason) => Some(reason),
        };
        let reason = reason.unwrap_or_else(|| format!("rename it to {}", renamed(file, &path)));
        notes.push(format!("{}: not taken as a transcript: {reason}", path.display()));
    }
    None
}

/// The name under which a file would be taken.
fn renamed(file: &str, other: &Path) -> String {
    let ending = other.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    let ending = ending.filter(|ending| TRANSCRIPT_ENDINGS.contains(&ending.as_str()));
    let path = Path::new(file).with_extension(ending.as_deref().unwrap_or("srt"));
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Files beside a recording that are taken, in order, and those that look as if they should be: in another format, or
/// with a word between name and ending, as in FILE.en.vtt.
fn candidates(file: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let lower = |text: &std::ffi::OsStr| text.to_string_lossy().into_owned();
    let (Some(name), Some(stem)) = (file.file_name().map(lower), file.file_stem().map(lower)) else {
        return Default::default();
    };
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(entries) = fs_err::read_dir(folder) else { return Default::default() };
    let (mut taken, mut others) = (Vec::new(), Vec::new());
    for entry in entries.flatten() {
        let path = entry.path();
        let Some(other) = path.file_name().map(lower).filter(|other| *other != name && path.is_file()) else {
            continue;
        };
        let Some((middle, ending)) = other.strip_prefix(&stem).and_then(|rest| rest.rsplit_once('.')) else {
            continue;
        };
        let ending = ending.to_lowercase();
        let rank = TRANSCRIPT_ENDINGS.iter().position(|known| **known == *ending);
        let is_whole = *middle == name[stem.len()..];
        match rank {
            Some(rank) if middle.is_empty() || is_whole => {
                taken.push((is_whole && !middle.is_empty(), rank, path))
            }
            Some(_) if middle.starts_with('.') && ending != "json" => others.push(path),
            None if OTHERS.contains(&ending.as_str()) && (middle.is_empty() || middle.starts_with('.')) => {
                others.push(path)
            }
            _ => {}
        }
    }
    taken.sort();
    others.sort();
    (taken.into_iter().map(|(_, _, path)| path).collect(), others)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CUE: &str = "1\n00:00:01,000 --> 00:00:02,000\n";

    /// Files beside DAY1_08000000.mp4 with their texts, what is said, and what is told.
    #[track_caller]
    fn check(files: &[(&str, &str)], said: Option<&str>, notes: &[&str]) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs_err::write(folder.path().join(name), text).unwrap();
        }
        let film = folder.path().join("DAY1_08000000.mp4");
        let mut told = Vec::new();
        let found = beside(film.to_str().unwrap(), &mut told);
        let found = found.map(|said| said.iter().map(|said| said.text.clone()).collect::<Vec<_>>().join(" "));
        assert_eq!(found.as_deref(), said, "{files:?}: {told:?}");
        assert_eq!(told.len(), notes.len(), "{files:?}: {told:?}");
        for (told, note) in told.iter().zip(notes) {
            assert!(told.contains(note), "{told}, not {note}");
        }
    }

    #[test]
    fn the_first_file_that_can_be_read_is_taken_and_the_others_are_told_of() {
        let hello = format!("{CUE}hello\n");
        let hello = hello.as_str();
        check(&[], None, &[]);
        check(&[("DAY1_08000000.srt", hello)], Some("hello"), &[]);
        check(&[("DAY1_08000000.SRT", hello)], Some("hello"), &[]);
        check(&[("DAY1_08000000.mp4.srt", hello)], Some("hello"), &[]);
        check(&[("DAY1_08000000.json", hello)], Some("hello"), &[]);
        check(
            &[("DAY1_08000000.srt", ""), ("DAY1_08000000.vtt", hello)],
            Some(""),
            &["not read, since another"],
        );
        check(
            &[("DAY1_08000000.srt", "prose"), ("DAY1_08000000.vtt", hello)],
            Some("hello"),
            &["not taken as a transcript: it has no cue"],
        );
        check(&[("DAY1_08000000.en.vtt", hello)], None, &["rename it to DAY1_08000000.vtt"]);
        check(&[("DAY1_08000000.ass", "[Script Info]\n")], None, &["it is ASS or SSA; `ffmpeg -i"]);
        check(
            &[("DAY1_08000000.sbv", "0:00:01.000,0:00:02.000\nhello\n")],
            None,
            &["rename it to DAY1_08000000.srt"],
        );
        check(
            &[("DAY1_08000001.srt", hello), ("DAY1_08000000.info.json", "{}"), ("DAY1_08000000.txt", hello)],
            None,
            &[],
        );
    }
}
