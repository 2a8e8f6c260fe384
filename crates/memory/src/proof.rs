//! The proof that something is forgotten: pieces of the forgotten texts, and every spelling of what was named, are searched
//! in every byte of every file of the store. A piece that a remaining record says as well proves nothing and is left out.
//! For a store without files, the remaining records and the index are asked, and that is all this can say.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, MatchKind};
use serde::Serialize;

use crate::extract::sentences;
use crate::fold::{folded, normal_forms};
use crate::terms::{key, words};
use crate::{Error, Record, Result, Scope, Store, stem};

/// Bytes of a piece of a text: short enough to lie on one page of a database as a rule.
const PIECE_BYTES: usize = 40;
/// Shorter pieces of texts and shorter words may be anywhere by chance.
const LEAST_PIECE_BYTES: usize = 12;
const LEAST_WORD_BYTES: usize = 8;
/// Shorter names are asked for in records, notes and the index alone. Of those below a word's least, a place counts if text is
/// beside it.
const LEAST_NAME_BYTES: usize = 4;
const BESIDE_BYTES: usize = 6;
/// Records that hold a word of the name in the index and are looked at.
const MOST_HOLDERS: usize = 1000;
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
    /// Spellings of what was named.
    names: BTreeSet<String>,
    /// The words of names, as the index has them.
    terms: BTreeSet<String>,
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

    /// Takes in a spelling of a name, with its other Unicode forms, cases and what is compared of it.
    pub(crate) fn spell(&mut self, name: &str) {
        let folded = folded(name);
        let found = words(name);
        if let [word] = &found[..] {
            self.names.insert(stem(word));
        }
        let spaced = found.join(" ");
        for spelling in [name, &folded, &spaced] {
            for form in normal_forms(spelling) {
                self.names.extend([form.to_lowercase(), form.to_uppercase(), form]);
            }
        }
        self.terms.extend(found);
        self.names.retain(|name| name.len() >= LEAST_NAME_BYTES);
    }

    /// Searches everything; an error says where something is left. `chosen` holds for what must not remain.
    pub(crate) fn prove(
        self,
        store: &mut dyn Store,
        mut chosen: impl FnMut(&Record) -> bool,
    ) -> Result<Proof> {
        let mut proof = Proof::default();
        // Evenly spread over all of them, if there are too many; names are looked for in any case.
        let step = self.pieces.len().div_ceil(MOST_PIECES).max(1);
        let mut pieces: Vec<String> = self.names.into_iter().collect();
        pieces.extend(self.pieces.into_iter().step_by(step));
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
        // Names of recordings and their wearers.
        for (key, text) in store.notes("")? {
            for found in search.find_overlapping_iter(&format!("{key}\n{text}")) {
                shared[found.pattern().as_usize()] = true;
            }
        }
        in_index(store, &self.terms)?;
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

/// Whether the index has words only for records that say them.
fn in_index(store: &mut dyn Store, terms: &BTreeSet<String>) -> Result<()> {
    for term in terms {
        let holders: Vec<_> = store
            .text_candidates(std::slice::from_ref(term), &Scope::default(), MOST_HOLDERS)?
            .into_iter()
            .map(|(id, _)| id)
            .collect();
        for record in store.get(&holders)? {
            let texts = std::iter::once(&record.text).chain(&record.transcript).chain(&record.people);
            if !texts.flat_map(|text| words(text)).any(|word| key(&word) == key(term)) {
                return Err(Error::NotForgotten(format!("the index still has it for record {}", record.id)));
            }
        }
    }
    Ok(())
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
    let overlap = pieces.iter().map(String::len).max().unwrap_or(1) - 1 + 2 * BESIDE_BYTES;
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
        let bytes = &buffer[..held];
        let counts = |found: &aho_corasick::Match| {
            found.len() >= LEAST_WORD_BYTES || is_beside_text(bytes, found.range())
        };
        if let Some(found) = search.find_overlapping_iter(bytes).find(counts) {
            let at = read - held as u64 + found.start() as u64;
            return Err(Error::NotForgotten(format!("byte {at} of {} still holds it", path.display())));
        }
        kept = overlap.min(held);
        buffer.copy_within(held - kept..held, 0);
    }
}

/// Whether bytes on either side are text: a few letters may be anywhere by chance among numbers.
fn is_beside_text(bytes: &[u8], place: std::ops::Range<usize>) -> bool {
    let is_text = |beside: &[u8]| {
        // A letter may be cut at its outer end.
        (0..3).any(|cut| {
            let whole = beside.get(cut.min(beside.len())..).unwrap_or_default();
            let whole = match std::str::from_utf8(whole) {
                Ok(text) => text,
                Err(error) if error.error_len().is_none() => {
                    std::str::from_utf8(&whole[..error.valid_up_to()]).unwrap_or_default()
                }
                Err(_) => return false,
            };
            whole.len() + 3 >= BESIDE_BYTES
                && !whole.contains(|letter: char| letter.is_control() && letter != '\n')
        })
    };
    let before = place.start.saturating_sub(BESIDE_BYTES);
    is_text(&bytes[before..place.start])
        || is_text(&bytes[place.end..(place.end + BESIDE_BYTES).min(bytes.len())])
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
    fn short_names_count_where_text_is_beside_them() {
        for (bytes, expect) in [
            (&b"\x01\x02\xff\x00\x03\x04alic\x00\x9f\xff\x01\x02\x03"[..], false),
            (&b"\x01\x02\xff\x00\x03\x04alic takes a cup"[..], true),
            (&b"with me: alic\x00\x9f\xff\x01\x02\x03"[..], true),
            ("\u{3042}\u{3044}alic\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}".as_bytes(), true),
        ] {
            let at = bytes.windows(4).position(|part| part == b"alic").unwrap();
            assert_eq!(is_beside_text(bytes, at..at + 4), expect, "{bytes:?}");
        }
        let mut texts = Texts::default();
        texts.spell("José");
        for spelling in ["José", "Jose\u{301}", "jose", "JOSÉ", "JOSE\u{301}"] {
            assert!(texts.names.contains(spelling), "{spelling} {:?}", texts.names);
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
