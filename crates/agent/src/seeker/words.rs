//! Words of questions and records, and which option a record speaks for. Plain overlap of words: no model, no guess. A
//! sentence that speaks for two options speaks for none.

use firsthand_base::Moment;

/// Words that say nothing of what is asked.
const STOP: &str = " a an the of in on at to for from with and or is are was were be been do did does have has had i me my \
 mine you your he she it its they them their this that these those what which who whom whose where when why how many much \
 there then so as by about into onto last first next before after just every each day days time times again now ever until \
 thing things hour room kind get got go going tell told say said between two must related ";

/// Words of questions that records have another word for.
const SAME: [(&str, &str); 7] = [
    ("leave", "put"),
    ("left", "put"),
    ("lend", "give"),
    ("lent", "give"),
    ("borrowed", "give"),
    ("drank", "drink"),
    ("gave", "give"),
];

/// The words that matter, lower case, in order, as records have them.
pub(crate) fn content(text: &str) -> Vec<String> {
    words(text).filter(|word| !STOP.contains(&format!(" {word} "))).map(plain).collect()
}

fn plain(word: String) -> String {
    SAME.iter().find(|(said, _)| *said == word).map_or(word, |(_, plain)| (*plain).to_owned())
}

/// Words, lower case. The number of a day says when, not what.
fn words(text: &str) -> impl Iterator<Item = String> {
    let mut after_day = false;
    let all: Vec<String> = match text.is_ascii() {
        true => {
            let plain = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
            plain.map(str::to_lowercase).collect()
        }
        // In other letters a word has many spellings: as the memory has it.
        false => firsthand_memory::words(text),
    };
    all.into_iter().filter(move |word| {
        let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
        let is_date = std::mem::replace(&mut after_day, word == "day") && is_number;
        !is_date
    })
}

/// What to search for: runs of the question's words; where it asks what two people are to each other, the options too,
/// since nothing else in it tells the sentence that says so.
pub(crate) fn sought(question: &str, options: &[String]) -> Vec<String> {
    let mut found = keywords(question);
    let asked: Vec<String> = words(question).collect();
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    if matches!(asked[..], ["what", "is", _, "to", _] | ["how", "are", _, "and", _, "related"]) {
        found.extend(options.iter().map(|option| option.to_lowercase()));
    }
    found
}

/// Runs of words that matter, as keywords: `red toy car` stays together.
pub(crate) fn keywords(text: &str) -> Vec<String> {
    let mut runs: Vec<Vec<String>> = vec![Vec::new()];
    for word in words(text) {
        match STOP.contains(&format!(" {word} ")) {
            true => runs.push(Vec::new()),
            false => runs.last_mut().into_iter().for_each(|run| run.push(plain(word.clone()))),
        }
    }
    let mut found: Vec<String> = Vec::new();
    for run in runs.iter().filter(|run| !run.is_empty()) {
        let words = run.join(" ");
        if !found.contains(&words) {
            found.push(words);
        }
    }
    found
}

/// Two forms of one word: `drank` is not `drink`, but `cups` is `cup`.
fn same(a: &str, b: &str) -> bool {
    let bare = |word: &str| {
        let word = word.strip_suffix("ing").filter(|stem| stem.len() > 2).unwrap_or(word);
        let word = word.strip_suffix("ed").filter(|stem| stem.len() > 2).unwrap_or(word);
        word.strip_suffix('s').filter(|stem| stem.len() > 2).unwrap_or(word).to_owned()
    };
    a == b || bare(a) == bare(b)
}

/// How many of the words a text has.
pub(crate) fn overlap(wanted: &[String], text: &str) -> usize {
    let has: Vec<String> = words(text).collect();
    wanted.iter().filter(|word| has.iter().any(|other| same(word, other))).count()
}

/// Doings: they tell sentences apart, but a sentence that has only them says nothing of what is asked about.
const DOINGS: &str = " put pick picked up down give got take took use used turn turned drink read water watered watch watched open \
 opened close closed buy bought asked ask lend do doing ";
/// What questions ask for; records show it, they do not name it.
const ASKED: &str = " colour color morning evening night today yesterday usually always often ";

/// What a question is about: runs of words that a sentence has whole or not at all.
fn things(question: &str) -> Vec<Vec<String>> {
    let plain = |word: &String| {
        let word = format!(" {word} ");
        !DOINGS.contains(&word) && !ASKED.contains(&word)
    };
    let runs = keywords(question).into_iter().map(|run| words(&run).filter(plain).collect::<Vec<_>>());
    runs.filter(|run| !run.is_empty()).collect()
}

/// What a record was found to say.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reading {
    /// The sentence.
    pub(crate) sentence: String,
    /// When its record begins.
    pub(crate) at: Moment,
    /// The option it speaks for; none where there are no options.
    pub(crate) option: Option<usize>,
    /// Words of the question it has.
    overlap: usize,
}

/// Which of two equally fitting sentences counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// The question asks for the last.
    Latest,
    /// The question asks for the first.
    Earliest,
}

impl Which {
    pub(crate) fn of(question: &str) -> Which {
        let first = words(question).any(|word| word == "first" || word == "earliest");
        if first { Which::Earliest } else { Which::Latest }
    }
}

/// The sentence that answers a question, of records given by when they begin.
pub(crate) fn read(question: &str, options: &[String], records: &[(Moment, &str)]) -> Option<Reading> {
    let asked = content(question);
    // Of alternatives that the question names, a sentence has one.
    let is_option = |thing: &Vec<String>| options.iter().any(|option| content(option) == *thing);
    let things: Vec<Vec<String>> = things(question).into_iter().filter(|thing| !is_option(thing)).collect();
    let which = Which::of(question);
    let mut best: Option<Reading> = None;
    for (at, text) in records {
        for sentence in text.split_inclusive(['.', '\n', '!', '?']) {
            let sentence = sentence.trim().trim_end_matches('.').trim();
            let overlap = overlap(&asked, sentence);
            // Most of what is asked about stands in the sentence.
            let has = things.iter().filter(|thing| self::overlap(thing, sentence) == thing.len()).count();
            if overlap == 0 || 5 * has < 3 * things.len() {
                continue;
            }
            let option = spoken_for(sentence, options, question);
            if option.is_none() && !options.is_empty() {
                continue;
            }
            let better = best.as_ref().is_none_or(|best| {
                let later = if which == Which::Latest { *at >= best.at } else { *at < best.at };
                overlap > best.overlap || overlap == best.overlap && later
            });
            if better {
                best = Some(Reading { sentence: sentence.to_owned(), at: *at, option, overlap });
            }
        }
    }
    best
}

/// The one option whose words, those of the question left out, all stand in a sentence. Of options within each other
/// (`table`, `side table`) the longest counts.
pub(super) fn spoken_for(sentence: &str, options: &[String], question: &str) -> Option<usize> {
    let asked: Vec<String> = words(question).collect();
    let own = |option: &String| -> Vec<String> {
        let all: Vec<String> =
            words(option).filter(|word| !["a", "an", "the"].contains(&word.as_str())).collect();
        let left: Vec<String> = all.iter().filter(|word| !asked.contains(word)).cloned().collect();
        if left.is_empty() { all } else { left }
    };
    let mut fits: Vec<(usize, usize)> = options
        .iter()
        .enumerate()
        .map(|(index, option)| (own(option), index))
        .filter(|(words, _)| !words.is_empty() && overlap(words, sentence) == words.len())
        .map(|(words, index)| (words.len(), index))
        .collect();
    fits.sort_unstable_by(|a, b| b.cmp(a));
    match fits[..] {
        [(_, only)] => Some(only),
        [(longest, index), (next, _), ..] if longest > next => Some(index),
        _ => None,
    }
}
