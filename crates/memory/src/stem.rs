//! Porter's stemmer (M. F. Porter, "An algorithm for suffix stripping", 1980): *cups* and *cup*, *washing* and *washed*
//! become one term. For English words in lower case ASCII; Arabic words lose the article and what is written onto it (the
//! prefixes of Lucene's ArabicStemmer); every other word is its own stem. The step of longest suffix first is the paper's,
//! `bli` and `logi` are the author's later corrections; a test compares with SQLite's own.

/// Article, "and", "by", "like", "so" and "for" as Arabic writes them onto a word, the longest first.
const ARABIC_PREFIXES: [&str; 7] = ["وال", "بال", "كال", "فال", "ال", "لل", "و"];

/// Whether letters are written onto an Arabic word: two letters must be left of it, three after a bare "and".
pub(crate) fn is_arabic_prefix(prefix: &str, rest: &str) -> bool {
    let least = if prefix == "و" { 3 } else { 2 };
    ARABIC_PREFIXES.contains(&prefix) && rest.chars().count() >= least
}

/// The stem of a folded word.
pub fn stem(word: &str) -> String {
    if word.starts_with(['ا', 'و', 'ب', 'ك', 'ف', 'ل']) {
        let bare = |prefix: &&str| word.strip_prefix(*prefix).filter(|rest| is_arabic_prefix(prefix, rest));
        return ARABIC_PREFIXES.iter().find_map(bare).unwrap_or(word).to_owned();
    }
    if word.len() < 3 || !word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return word.to_owned();
    }
    let mut word = Word(word.as_bytes().to_vec());
    word.plurals();
    word.past();
    word.final_y();
    word.long_suffixes(&STEP_2, 0);
    word.long_suffixes(&STEP_3, 0);
    word.long_suffixes(&STEP_4, 1);
    word.tidy();
    String::from_utf8(word.0).unwrap_or_default()
}

/// Suffix and what replaces it. Of several that fit the longest counts, whether or not its condition holds.
type Rules = [(&'static str, &'static str)];

const STEP_2: [(&str, &str); 21] = [
    ("ational", "ate"),
    ("tional", "tion"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("izer", "ize"),
    ("bli", "ble"),
    ("alli", "al"),
    ("entli", "ent"),
    ("eli", "e"),
    ("ousli", "ous"),
    ("ization", "ize"),
    ("ation", "ate"),
    ("ator", "ate"),
    ("alism", "al"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("aliti", "al"),
    ("iviti", "ive"),
    ("biliti", "ble"),
    ("logi", "log"),
];

const STEP_3: [(&str, &str); 7] = [
    ("icate", "ic"),
    ("ative", ""),
    ("alize", "al"),
    ("iciti", "ic"),
    ("ical", "ic"),
    ("ful", ""),
    ("ness", ""),
];

const STEP_4: [(&str, &str); 19] = [
    ("al", ""),
    ("ance", ""),
    ("ence", ""),
    ("er", ""),
    ("ic", ""),
    ("able", ""),
    ("ible", ""),
    ("ant", ""),
    ("ement", ""),
    ("ment", ""),
    ("ent", ""),
    ("ion", ""),
    ("ou", ""),
    ("ism", ""),
    ("ate", ""),
    ("iti", ""),
    ("ous", ""),
    ("ive", ""),
    ("ize", ""),
];

struct Word(Vec<u8>);

impl Word {
    fn ends(&self, suffix: &str) -> bool {
        self.0.ends_with(suffix.as_bytes())
    }

    /// Length of what stands before a suffix.
    fn before(&self, suffix: &str) -> usize {
        self.0.len() - suffix.len()
    }

    fn replace(&mut self, suffix: &str, by: &str) {
        self.0.truncate(self.before(suffix));
        self.0.extend_from_slice(by.as_bytes());
    }

    fn vowel(&self, i: usize) -> bool {
        match self.0[i] {
            b'a' | b'e' | b'i' | b'o' | b'u' => true,
            b'y' => i > 0 && !self.vowel(i - 1),
            _ => false,
        }
    }

    fn has_vowel(&self, length: usize) -> bool {
        (0..length).any(|i| self.vowel(i))
    }

    /// The paper's m: how often a vowel is followed by a consonant in the first letters.
    fn measure(&self, length: usize) -> usize {
        (1..length).filter(|&i| !self.vowel(i) && self.vowel(i - 1)).count()
    }

    fn doubled(&self) -> bool {
        let n = self.0.len();
        n >= 2 && self.0[n - 1] == self.0[n - 2] && !self.vowel(n - 1)
    }

    /// Consonant, vowel, consonant at the end of the first letters, the last not w, x or y.
    fn short(&self, length: usize) -> bool {
        length >= 3
            && !self.vowel(length - 1)
            && self.vowel(length - 2)
            && !self.vowel(length - 3)
            && !matches!(self.0[length - 1], b'w' | b'x' | b'y')
    }

    /// Step 1a.
    fn plurals(&mut self) {
        if self.ends("sses") || self.ends("ies") {
            self.0.truncate(self.0.len() - 2);
        } else if self.ends("s") && !self.ends("ss") {
            self.0.pop();
        }
    }

    /// Step 1b.
    fn past(&mut self) {
        if self.ends("eed") {
            if self.measure(self.before("eed")) > 0 {
                self.0.pop();
            }
            return;
        }
        let Some(suffix) =
            ["ed", "ing"].into_iter().find(|suffix| self.ends(suffix) && self.has_vowel(self.before(suffix)))
        else {
            return;
        };
        self.replace(suffix, "");
        if self.ends("at") || self.ends("bl") || self.ends("iz") {
            self.0.push(b'e');
        } else if self.doubled() && !matches!(self.0.last(), Some(b'l' | b's' | b'z')) {
            self.0.pop();
        } else if self.measure(self.0.len()) == 1 && self.short(self.0.len()) {
            self.0.push(b'e');
        }
    }

    /// Step 1c.
    fn final_y(&mut self) {
        if self.ends("y") && self.has_vowel(self.before("y")) {
            self.replace("y", "i");
        }
    }

    /// Steps 2 to 4: the longest suffix that fits goes, if enough of a word stands before it.
    fn long_suffixes(&mut self, rules: &Rules, least_measure: usize) {
        let Some((suffix, by)) =
            rules.iter().filter(|(suffix, _)| self.ends(suffix)).max_by_key(|(suffix, _)| suffix.len())
        else {
            return;
        };
        let before = self.before(suffix);
        let ion_fits = *suffix != "ion" || (before > 0 && matches!(self.0[before - 1], b's' | b't'));
        if self.measure(before) > least_measure && ion_fits {
            self.replace(suffix, by);
        }
    }

    /// Step 5.
    fn tidy(&mut self) {
        if self.ends("e") {
            let before = self.before("e");
            let measure = self.measure(before);
            if measure > 1 || (measure == 1 && !self.short(before)) {
                self.0.pop();
            }
        }
        if self.ends("ll") && self.measure(self.0.len()) > 1 {
            self.0.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn words_of_the_paper() {
        for (word, expect) in [
            ("caresses", "caress"),
            ("ponies", "poni"),
            ("cats", "cat"),
            ("agreed", "agre"),
            ("feed", "feed"),
            ("plastered", "plaster"),
            ("motoring", "motor"),
            ("sing", "sing"),
            ("hopping", "hop"),
            ("filing", "file"),
            ("happy", "happi"),
            ("relational", "relat"),
            ("conditional", "condit"),
            ("generalizations", "gener"),
            ("adoption", "adopt"),
            ("controll", "control"),
            ("sky", "sky"),
            ("tv", "tv"),
            ("café", "café"),
            ("11", "11"),
            ("الكوب", "كوب"),
            ("والكوب", "كوب"),
            ("للكوب", "كوب"),
            ("وليلي", "ليلي"),
            ("كوب", "كوب"),
            ("ولد", "ولد"),
            ("الا", "الا"),
        ] {
            assert_eq!(stem(word), expect, "{word}");
        }
    }

    /// SQLite's full-text search has the same algorithm, written by others: it is asked about words made of every pair of
    /// beginnings and endings.
    #[test]
    fn stems_equal_those_of_sqlite() {
        let database = Connection::open_in_memory().unwrap();
        database
            .execute_batch(
                "CREATE VIRTUAL TABLE words USING fts5(body, tokenize = 'porter ascii');
                 CREATE VIRTUAL TABLE stems USING fts5vocab(words, instance);",
            )
            .unwrap();
        let beginnings = "cup wash knif plat screwdriv dry happ rel condit op general oper walk tr sp hop fall fizz y toy \
                          ey br str syllab consign electr sensib hesit valen digit analog radical vietnam predic form";
        let endings = "s es ies ed eed ing ings y ly ational tional enci izer abli alli entli eli ousli ization ation ator \
                       alism iveness fulness ousness aliti iviti biliti icate ative alize iciti ical ful ness al ance er ic \
                       able ant ement ment ent sion tion ion ou ism ate ous ive ize ll e lle sses ss";
        let mut words: Vec<String> = Vec::new();
        for beginning in beginnings.split_whitespace() {
            words.push(beginning.into());
            words.extend(endings.split_whitespace().map(|ending| format!("{beginning}{ending}")));
        }
        let mut insert = database.prepare("INSERT INTO words(rowid, body) VALUES (?1, ?2)").unwrap();
        for (i, word) in words.iter().enumerate() {
            insert.execute((i as i64, word)).unwrap();
        }
        let mut rows = database.prepare("SELECT doc, term FROM stems").unwrap();
        let theirs: Vec<(i64, String)> =
            rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
        assert_eq!(theirs.len(), words.len());
        for (i, theirs) in theirs {
            let word = &words[i as usize];
            assert_eq!(stem(word), theirs, "{word}");
        }
    }
}
