//! The proof that something is forgotten: pieces of the forgotten texts are searched in every byte of every file of the
//! store. A piece that a remaining record says as well proves nothing and is left out. For a store without files, the
//! remaining records are asked, and that is all this can say.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, MatchKind};
use serde::Serialize;

use crate::extract::sentences;
use crate::terms::words;
use crate::{Error, Record, Result, Store, stem};

/// Bytes of a piece of a text: short enough to lie on one page of a database as a rule.
const PIECE_BYTES: usize = 40;
/// Shorter pieces of texts and shorter words may be anywhere by chance.
const LEAST_PIECE_BYTES: usize = 12;
const LEAST_WORD_BYTES: usize = 8;
/// Pieces searched at once.
const MOST_PIECES: usize = 50_000;
const BUFFER_BYTES: usize = 1 << 20;

/// What was looked for, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// Pieces of forgotten texts and words that no remaining record holds.
    pub pieces: usize,
    /// Files of the store that were read.
    pub files: usize,
    /// Bytes in them.
    pub bytes: u64,
    /// Records that remain and were asked.
    pub remaining: u64,
}

/// Texts on their way out.
#[derive(Default)]
pub(crate) struct Texts {
    pieces: BTreeSet<String>,
}

impl Texts {
    /// Takes in all a record says.
    pub(crate) fn add(&mut self, record: &Record) {
        let texts = std::iter::once(&record.text).chain(&record.transcript).chain(&record.people);
        for text in texts.chain(record.evidence.iter().map(|evidence| &evidence.file)).chain([&record.wearer])
        {
            self.pieces.extend(sentences(text).into_iter().flat_map(pieces).map(str::to_owned));
            for word in words(text) {
                // As texts have it and as the index has it.
                self.pieces
                    .extend([stem(&word), word].into_iter().filter(|word| word.len() >= LEAST_WORD_BYTES));
            }
        }
    }

    /// Searches everything; an error says where something is left. `chosen` holds for what must not remain.
    pub(crate) fn prove(self, store: &mut dyn Store, chosen: impl Fn(&Record) -> bool) -> Result<Proof> {
        let mut proof = Proof::default();
        let mut pieces: Vec<String> = self.pieces.into_iter().collect();
        // Evenly spread over all of them, if there are too many.
        let step = pieces.len().div_ceil(MOST_PIECES).max(1);
        pieces = pieces.into_iter().step_by(step).collect();
        let search = searcher(&pieces)?;
        let mut shared = vec![false; pieces.len()];
        store.walk(&mut |record| {
            proof.remaining += 1;
            if chosen(&record) {
                return Err(Error::NotForgotten(format!("record {} is still in the memory", record.id)));
            }
            for found in search.find_overlapping_iter(&said(&record)) {
                shared[found.pattern().as_usize()] = true;
            }
            Ok(())
        })?;
        let mut shared = shared.into_iter();
        pieces.retain(|_| !shared.next().unwrap_or(false));
        proof.pieces = pieces.len();
        let search = searcher(&pieces)?;
        for file in store.files()? {
            proof.bytes += scan(&file, &search, &pieces)?;
            proof.files += 1;
        }
        Ok(proof)
    }
}

/// All that a remaining record may leave in files: its texts and the stems of its words.
fn said(record: &Record) -> String {
    let mut said = String::new();
    let texts = std::iter::once(&record.text).chain(&record.transcript).chain(&record.people);
    for text in texts.chain(record.evidence.iter().map(|evidence| &evidence.file)).chain([&record.wearer]) {
        said.push_str(text);
        for word in words(text) {
            said.push('\n');
            said.push_str(&stem(&word));
            said.push('\n');
            said.push_str(&word);
        }
        said.push('\n');
    }
    said
}

/// A sentence in pieces, cut between letters.
fn pieces(sentence: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = sentence;
    while rest.len() >= LEAST_PIECE_BYTES {
        let mut end = PIECE_BYTES.min(rest.len());
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        pieces.push(&rest[..end]);
        rest = &rest[end..];
    }
    pieces.retain(|piece| piece.len() >= LEAST_PIECE_BYTES);
    pieces
}

fn searcher(pieces: &[String]) -> Result<AhoCorasick> {
    AhoCorasickBuilder::new()
        .match_kind(MatchKind::Standard)
        .ascii_case_insensitive(true)
        .build(pieces)
        .map_err(|error| Error::NotForgotten(format!("the proof cannot be made: {error}")))
}

/// Searches one file and gives its size. Pieces may lie across buffers: the end of one is kept for the next.
fn scan(path: &Path, search: &AhoCorasick, pieces: &[String]) -> Result<u64> {
    let overlap = pieces.iter().map(String::len).max().unwrap_or(1) - 1;
    let mut file = fs_err::File::open(path)?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let (mut kept, mut read) = (0, 0u64);
    loop {
        let fresh = file.read(&mut buffer[kept..])?;
        if fresh == 0 {
            return Ok(read);
        }
        read += fresh as u64;
        let held = kept + fresh;
        if let Some(found) = search.find(&buffer[..held]) {
            let at = read - held as u64 + found.start() as u64;
            return Err(Error::NotForgotten(format!("byte {at} of {} still holds it", path.display())));
        }
        kept = overlap.min(held);
        buffer.copy_within(held - kept..held, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_found_wherever_it_lies_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let pieces = vec!["a secret thing".to_owned()];
        let search = searcher(&pieces).unwrap();
        for at in [0, 5, BUFFER_BYTES - 7, BUFFER_BYTES, 2 * BUFFER_BYTES - 14] {
            let mut bytes = vec![b'.'; at];
            bytes.extend_from_slice(b"A Secret Thing");
            fs_err::write(&path, &bytes).unwrap();
            let error = scan(&path, &search, &pieces).unwrap_err().to_string();
            assert!(error.contains(&format!("byte {at} of")), "{error}");
            bytes[at + 3] = b'_';
            fs_err::write(&path, &bytes).unwrap();
            assert_eq!(scan(&path, &search, &pieces).unwrap(), bytes.len() as u64);
        }
    }

    #[test]
    fn texts_are_cut_into_pieces_of_whole_letters() {
        assert_eq!(pieces("short"), Vec::<&str>::new());
        let text = "é".repeat(45);
        let cut = pieces(&text);
        assert_eq!(cut.iter().map(|piece| piece.len()).collect::<Vec<_>>(), [40, 40]);
    }
}
