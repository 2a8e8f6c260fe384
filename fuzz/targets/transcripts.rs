//! Transcripts, caption files, names and dates of recordings: foreign bytes that lie beside somebody's films.
#![no_main]

use firsthand_memory::build::{cut, named, read_captions, read_date, read_transcript, said_in};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(transcript) = read_transcript(bytes) {
        let said = transcript.said;
        assert!(said.iter().all(|said| said.start_ms >= 0 && said.end_ms >= said.start_ms));
        assert!(said.iter().all(|said| !said.text.is_empty() && !said.text.contains('\n')));
        assert!(transcript.notes.len() < 100 && transcript.notes.iter().all(|note| note.len() < 1000));
        // Every line lands in one clip.
        let pieces = cut(95_000);
        let told = pieces.iter().enumerate().map(|(index, part)| {
            said_in(&said, *part, index == 0, index + 1 == pieces.len()).len()
        });
        assert_eq!(told.sum::<usize>(), said.len());
    }
    if let Ok(clips) = read_captions(&text, "captions", None) {
        assert!(clips.iter().all(|clip| clip.end > clip.start && !clip.wearer.trim().is_empty()));
    }
    if let Some((moment, _)) = named(&text) {
        // 24:00:00 is the next midnight, whatever frame follows it.
        let is_midnight = moment.ms_of_day() == 0 && text.contains("240000");
        assert!(is_midnight || text.contains(&moment.clock_digits()[..6]));
    }
    let _ = read_date(&text);
});
