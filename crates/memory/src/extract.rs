//! A summary without a model: sentences of finer records, chosen and put in order of time. Deterministic, and it says
//! nothing that its sources do not say, which is what a cut or a forgotten hour needs until a model writes it anew.

use std::collections::{HashMap, HashSet};

use crate::{Level, Record, stem, terms};

/// Most bytes of an extract for a level.
pub(crate) fn budget(level: Level) -> usize {
    match level {
        Level::Clip => 400,
        Level::TenMinutes => 800,
        Level::Hour => 1200,
        Level::Day => 2000,
        Level::Week => 2400,
    }
}

struct Sentence<'a> {
    /// Which record it is of.
    record: usize,
    text: &'a str,
    stems: HashSet<String>,
    score: f32,
}

/// The text of records in the given order, shortened to `most_bytes` by leaving out sentences.
pub(crate) fn extract(records: &[Record], most_bytes: usize) -> String {
    let mut sentences: Vec<Sentence<'_>> = Vec::new();
    for (record, kept) in records.iter().enumerate() {
        for text in split(&kept.text) {
            let stems = terms(text).iter().map(|term| stem(term)).collect();
            sentences.push(Sentence { record, text, stems, score: 0.0 });
        }
    }
    let whole: usize = sentences.iter().map(|sentence| sentence.text.len() + 1).sum();
    let chosen = if whole <= most_bytes + 1 {
        vec![true; sentences.len()]
    } else {
        score(&mut sentences);
        choose(&sentences, most_bytes)
    };
    let kept: Vec<&str> = sentences
        .iter()
        .zip(&chosen)
        .filter(|(_, chosen)| **chosen)
        .map(|(sentence, _)| sentence.text)
        .collect();
    kept.join(" ")
}

/// Sentences of a text, ends included, nothing empty.
pub(crate) fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            if rest.is_empty() {
                return None;
            }
            let end = sentence_end(rest);
            let (sentence, more) = rest.split_at(end);
            rest = more;
            let sentence = sentence.trim();
            if !sentence.is_empty() {
                return Some(sentence);
            }
        }
    })
}

/// Where the first sentence ends: after a line, after wide punctuation, after a full stop that a space follows.
fn sentence_end(text: &str) -> usize {
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let after = at + letter.len_utf8();
        match letter {
            '\n' | '。' | '！' | '？' => return after,
            '.' | '!' | '?' if letters.peek().is_none_or(|(_, next)| next.is_whitespace()) => return after,
            _ => {}
        }
    }
    text.len()
}

/// A sentence is worth what its words are worth: words that many sentences share tell what the time was about, and
/// length alone counts for little.
fn score(sentences: &mut [Sentence<'_>]) {
    let mut shared: HashMap<&str, f32> = HashMap::new();
    for sentence in sentences.iter() {
        for stem in &sentence.stems {
            *shared.entry(stem).or_default() += 1.0;
        }
    }
    let scores: Vec<f32> = sentences
        .iter()
        .map(|sentence| {
            // Sums over a set are put in order, so that they are the same every time.
            let mut worths: Vec<f32> =
                sentence.stems.iter().map(|stem| (1.0 + shared[stem.as_str()]).ln()).collect();
            worths.sort_by(f32::total_cmp);
            worths.iter().sum::<f32>() / (1.0 + sentence.stems.len() as f32).sqrt()
        })
        .collect();
    for (sentence, score) in sentences.iter_mut().zip(scores) {
        sentence.score = score;
    }
}

/// The best sentence of every record first, then the others, each by score, passing over what repeats a chosen one.
fn choose(sentences: &[Sentence<'_>], most_bytes: usize) -> Vec<bool> {
    let mut best: HashMap<usize, usize> = HashMap::new();
    for (i, sentence) in sentences.iter().enumerate() {
        let leader = best.entry(sentence.record).or_insert(i);
        if sentence.score > sentences[*leader].score {
            *leader = i;
        }
    }
    let mut order: Vec<usize> = (0..sentences.len()).collect();
    order.sort_by(|a, b| {
        let leads = |i: &usize| best.get(&sentences[*i].record) == Some(i);
        leads(b).cmp(&leads(a)).then(sentences[*b].score.total_cmp(&sentences[*a].score)).then(a.cmp(b))
    });
    let mut chosen = vec![false; sentences.len()];
    let mut left = most_bytes;
    let mut said: Vec<&HashSet<String>> = Vec::new();
    for i in order {
        let sentence = &sentences[i];
        let repeats = |other: &&HashSet<String>| {
            let common = other.intersection(&sentence.stems).count();
            common * 5 > 4 * sentence.stems.len().max(1) && common > 0
        };
        if sentence.text.len() < left && !said.iter().any(repeats) {
            left -= sentence.text.len() + 1;
            chosen[i] = true;
            said.push(&sentence.stems);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use firsthand_base::Moment;
    use proptest::prelude::*;

    use super::*;

    fn records(texts: &[&str]) -> Vec<Record> {
        texts.iter().map(|text| Record::new(Level::Clip, "A1", Moment::START, Moment::START, *text)).collect()
    }

    #[test]
    fn short_texts_stay_whole_and_long_ones_keep_each_part() {
        let whole = records(&["I take a cup.  I fill it!", "Alice asks: at 3.30?\nI nod"]);
        assert_eq!(extract(&whole, 100), "I take a cup. I fill it! Alice asks: at 3.30? I nod");
        let long = records(&[
            "I chop onions in the kitchen. Something happens. I chop onions again in the kitchen.",
            "Alice brings a red screwdriver into the kitchen. Nothing.",
            "I chop onions in the kitchen.",
        ]);
        let short = extract(&long, 90);
        assert!(short.len() <= 90 && short.contains("onions") && short.contains("screwdriver"), "{short}");
        assert_eq!(short.matches("chop").count(), 1, "{short}");
        assert_eq!(extract(&long, 5), "");
        assert_eq!(split("一。二！three").collect::<Vec<_>>(), ["一。", "二！", "three"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn an_extract_is_short_and_made_of_its_sources(
            texts in proptest::collection::vec("([a-d]{1,3}[ .\n]){0,12}", 0..6),
            most in 0..80usize,
        ) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let records = records(&texts);
            let extract = extract(&records, most);
            prop_assert!(extract.len() <= most, "{}", extract);
            let known: HashSet<String> = texts.iter().flat_map(|text| terms(text)).collect();
            prop_assert!(terms(&extract).iter().all(|term| known.contains(term)));
        }
    }
}
