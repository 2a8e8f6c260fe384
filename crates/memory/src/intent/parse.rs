//! Reading the time out of a question, phrase by phrase, the longer phrases first. A word that belongs to no phrase is a
//! word to look for.

use firsthand_base::Moment;

use super::tokens::{Kind, Token, counting_word, ordinal_word, waking_hour};
use super::{HOUR, Intent, MINUTE, Missed, Order, Weekday};
use crate::terms::is_function_word;

const DAY: i64 = Moment::DAY_MS;
/// Days of weeks, months and years that nobody counts by a calendar.
const WEEK: i64 = 7;
const MONTH: i64 = 30;
const YEAR: i64 = 365;
/// The last day of a run without an end.
const FOREVER: i64 = Moment::LAST_DAY as i64;

/// Parts of a day, from and to.
const PARTS: [(&str, i64, i64); 12] = [
    ("morning", 5 * HOUR, 12 * HOUR),
    ("mornings", 5 * HOUR, 12 * HOUR),
    ("afternoon", 12 * HOUR, 18 * HOUR),
    ("afternoons", 12 * HOUR, 18 * HOUR),
    ("evening", 17 * HOUR, 23 * HOUR),
    ("evenings", 17 * HOUR, 23 * HOUR),
    ("night", 20 * HOUR, 29 * HOUR),
    ("nights", 20 * HOUR, 29 * HOUR),
    ("noon", 23 * HOUR / 2, 25 * HOUR / 2),
    ("midday", 23 * HOUR / 2, 25 * HOUR / 2),
    ("midnight", 47 * HOUR / 2, 49 * HOUR / 2),
    ("lunchtime", 23 * HOUR / 2, 14 * HOUR),
];

/// Meals are times after "before", "after", "at", "during" and "for"; alone they are things.
const MEALS: [(&str, i64, i64); 5] = [
    ("breakfast", 6 * HOUR, 10 * HOUR),
    ("brunch", 10 * HOUR, 13 * HOUR),
    ("lunch", 23 * HOUR / 2, 14 * HOUR),
    ("dinner", 35 * HOUR / 2, 21 * HOUR),
    ("supper", 35 * HOUR / 2, 21 * HOUR),
];

/// How a preposition places what follows.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Before,
    After,
    Since,
    Until,
}

fn side(word: &str) -> Option<Side> {
    match word {
        "before" => Some(Side::Before),
        "after" => Some(Side::After),
        "since" => Some(Side::Since),
        "until" | "till" | "by" => Some(Side::Until),
        _ => None,
    }
}

pub(super) fn read(words: &str, clock: Moment, day_one: Option<Weekday>) -> Intent {
    let mut parser = Parser {
        tokens: super::tokens::read(words),
        at: 0,
        clock,
        day_one,
        intent: Intent { clock, ..Intent::default() },
    };
    while parser.at < parser.tokens.len() {
        let taken = parser.phrase();
        if taken > 0 {
            parser.at += taken;
            continue;
        }
        let Token { text, also, is_name, .. } = &parser.tokens[parser.at];
        // "Where did Will put the cup" is about Will.
        let wanted = |word: &&String| *is_name || !is_function_word(word);
        parser.intent.terms.extend([text].into_iter().chain(also).filter(wanted).cloned());
        parser.at += 1;
    }
    let says = |intent: &Intent| intent.says_when() || intent.order.is_some() || !intent.missed.is_empty();
    if parser.intent.terms.is_empty() && !says(&parser.intent) {
        // Function words alone are looked for: they may be names.
        parser.intent.terms = parser.tokens.iter().map(|token| token.text.clone()).collect();
    }
    // "Who used the screwdriver" is about the screwdriver, "what did I use" about using.
    let mut intent = parser.intent;
    let asks_more = intent.says_when() || intent.order.is_some();
    if asks_more || !intent.terms.iter().all(|term| says_little(term)) {
        intent.terms.retain(|term| !says_little(term));
    }
    intent
}

/// Words that ask rather than tell; they count only where there are no others.
fn says_little(term: &str) -> bool {
    const WORDS: &str = " use used using happen happened happening see saw seen get got gotten thing things something anything \
                         someone somebody anyone anybody somewhere anywhere person time times ";
    WORDS.split_whitespace().any(|word| word == term)
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    clock: Moment,
    day_one: Option<Weekday>,
    intent: Intent,
}

/// Days of an expression, which may lie before the first, and how many tokens it takes.
type Days = ((i64, i64), usize);

impl Parser {
    fn word(&self, ahead: usize) -> &str {
        match self.tokens.get(self.at + ahead) {
            Some(token) if token.kind == Kind::Word => &token.text,
            _ => "",
        }
    }

    fn kind(&self, ahead: usize) -> Option<Kind> {
        self.tokens.get(self.at + ahead).map(|token| token.kind)
    }

    fn today(&self) -> i64 {
        self.clock.day().into()
    }

    /// Takes in a run of days, said in so many tokens. What of it lies before the first day is nothing, and so is a run
    /// that begins after the clock.
    fn mean(&mut self, (first, last): (i64, i64), taken: usize) {
        if last < 1 || first > self.today() || first > last {
            return self.miss(last >= 1 && first > self.today(), taken);
        }
        let first = first.max(1);
        // A clock may be later than any day that is counted.
        self.intent.days.push((first as u32, last.min(FOREVER).max(first) as u32));
    }

    /// Takes in a phrase about a time that is not there.
    fn miss(&mut self, is_later: bool, taken: usize) {
        let tokens = self.tokens.iter().skip(self.at).take(taken);
        let phrase = tokens.map(|token| token.text.as_str()).collect::<Vec<_>>().join(" ");
        self.intent.missed.push(Missed { phrase, is_later });
    }

    /// Takes in the phrase at the place reached and gives its length in tokens; 0 if there is none.
    fn phrase(&mut self) -> usize {
        for read in [
            Parser::ago,
            Parser::ahead,
            Parser::recent_span,
            Parser::between,
            Parser::sided,
            Parser::at_clock,
            Parser::days_phrase,
            Parser::part_of_day,
            Parser::order,
            Parser::now,
        ] {
            let taken = read(self);
            if taken > 0 {
                return taken;
            }
        }
        0
    }

    /// A count ("two", "2", "a couple of", "half an") in units of one; halves are `None` with 0.5.
    fn count(&self, ahead: usize) -> Option<(f64, usize)> {
        if let Some(Kind::Number(n)) = self.kind(ahead) {
            return Some((f64::from(n), 1));
        }
        match (self.word(ahead), self.word(ahead + 1), self.word(ahead + 2)) {
            ("half", "an" | "a", _) => Some((0.5, 2)),
            ("a", "couple" | "few", "of") => counting_word(self.word(ahead + 1)).map(|n| (f64::from(n), 3)),
            ("a", "couple" | "few", _) => counting_word(self.word(ahead + 1)).map(|n| (f64::from(n), 2)),
            ("couple" | "few", "of", _) => counting_word(self.word(ahead)).map(|n| (f64::from(n), 2)),
            (word, ..) => counting_word(word).map(|n| (f64::from(n), 1)),
        }
    }

    fn unit(&self, ahead: usize) -> Option<i64> {
        match self.word(ahead) {
            "second" | "seconds" | "sec" | "secs" => Some(1000),
            "minute" | "minutes" | "min" | "mins" => Some(MINUTE),
            "hour" | "hours" => Some(HOUR),
            "day" | "days" => Some(DAY),
            "week" | "weeks" => Some(WEEK * DAY),
            "month" | "months" => Some(MONTH * DAY),
            "year" | "years" => Some(YEAR * DAY),
            "moment" | "moments" | "while" => Some(3 * MINUTE),
            _ => None,
        }
    }

    /// A count of units of time, in milliseconds, with the unit and the tokens it takes.
    fn duration(&self, ahead: usize) -> Option<(i64, i64, usize)> {
        let (count, taken) = self.count(ahead)?;
        let unit = self.unit(ahead + taken)?;
        Some(((count * unit as f64) as i64, unit, taken + 1))
    }

    /// "two days ago", "half an hour ago", "two days before day 3".
    fn ago(&mut self) -> usize {
        let Some((back, unit, taken)) = self.duration(0) else { return 0 };
        if self.word(taken) == "before" && unit >= DAY {
            let Some(((first, _), more)) = self.day_expression(taken + 1) else { return 0 };
            let day = first - back / DAY;
            self.mean((day, day), taken + 1 + more);
            return taken + 1 + more;
        }
        if self.word(taken) != "ago" {
            return 0;
        }
        if unit >= DAY {
            // A week ago is a day or so.
            let (day, slack) = (self.today() - back / DAY, unit / DAY / 7);
            match day < 1 {
                true => self.miss(false, taken + 1),
                false => self.mean((day - slack, day + slack), taken + 1),
            }
        } else if back > self.clock.ms() {
            self.miss(false, taken + 1);
        } else {
            let slack = (back / 4).max(MINUTE);
            let middle = self.clock.plus_ms(-back);
            self.intent.span = Some((middle.plus_ms(-slack), middle.plus_ms(slack).min(self.clock)));
        }
        taken + 1
    }

    /// "in two days": later than the question, unless it asks what was done in that time.
    fn ahead(&mut self) -> usize {
        let is_past = |token: &Token| matches!(&*token.text, "did" | "was" | "were" | "had" | "have" | "has");
        let Some((_, unit, taken)) = self.duration(1).filter(|_| self.word(0) == "in") else { return 0 };
        if unit < DAY || self.tokens.iter().any(is_past) {
            return 0;
        }
        self.miss(true, taken + 1);
        taken + 1
    }

    /// "the last two hours", "past week", "previous 10 minutes".
    fn recent_span(&mut self) -> usize {
        if !matches!(self.word(0), "last" | "past" | "previous") {
            return 0;
        }
        let (count, counted) = self.count(1).unwrap_or((1.0, 0));
        let Some(unit) = self.unit(1 + counted) else { return 0 };
        let taken = 2 + counted;
        match (self.word(0), self.word(taken - 1), counted) {
            ("last" | "previous", "week" | "month" | "year", 0) => {
                let days = unit / DAY;
                let first = (self.today() - 1) / days * days - days + 1;
                self.mean((first, first + days - 1), taken);
            }
            ("previous", "day", 0) => self.mean((self.today() - 1, self.today() - 1), taken),
            _ => {
                let back = (count * unit as f64) as i64;
                self.intent.span = Some((self.clock.plus_ms(-back), self.clock));
            }
        }
        taken
    }

    /// "between 10 and 11:30", "from 9:00 to 10:00", "days 2 to 4", "from day 2 to day 4".
    fn between(&mut self) -> usize {
        let start = usize::from(matches!(self.word(0), "between" | "from"));
        let joins = |word: &str| matches!(word, "and" | "to" | "until" | "till" | "through");
        if let Some(((first, _), taken)) = self.day_expression(start)
            && joins(self.word(start + taken))
            && (start == 1 || self.word(start + taken) != "and")
            && let Some(((_, last), more)) = self.day_expression(start + taken + 1)
        {
            self.mean((first.min(last), last.max(first)), start + taken + 1 + more);
            return start + taken + 1 + more;
        }
        if self.word(0) == "days"
            && let (Some(Kind::Number(first)), Some(Kind::Number(last))) = (self.kind(1), self.kind(3))
            && joins(self.word(2))
        {
            self.mean((first.min(last).into(), first.max(last).into()), 4);
            return 4;
        }
        let ends = (self.clock_at(start, start == 1), self.clock_at(start + 2, start == 1));
        if let ((Some((from, _)), Some((to, _))), true) = (ends, joins(self.word(start + 1))) {
            let from_to = if to < from { (from, to + DAY) } else { (from, to) };
            self.intent.hours = Some(from_to);
            return start + 3;
        }
        0
    }

    /// A clock time and how exactly it is meant; bare numbers only where only an hour makes sense.
    fn clock_at(&self, ahead: usize, bare: bool) -> Option<(i64, i64)> {
        match self.kind(ahead)? {
            Kind::Clock { ms, within_ms } => Some((ms, within_ms)),
            Kind::Number(hour) if bare => waking_hour(hour).map(|ms| (ms, 20 * MINUTE)),
            _ => None,
        }
    }

    /// "before lunch", "after 10:30", "since yesterday", "until day 3", "before DAY3_11210217".
    fn sided(&mut self) -> usize {
        let Some(side) = side(self.word(0)) else { return 0 };
        let skip = 1 + usize::from(self.word(1) == "the");
        if let Some(Kind::Moment(moment)) = self.kind(1) {
            match side {
                Side::Before | Side::Until if moment == Moment::START => self.miss(false, 2),
                Side::Before | Side::Until => self.intent.span = Some((Moment::START, moment)),
                Side::After | Side::Since if moment > self.clock => self.miss(true, 2),
                Side::After | Side::Since => self.intent.span = Some((moment, self.clock)),
            }
            return 2;
        }
        if let Some(((first, last), taken)) = self.day_expression(skip) {
            let days = match side {
                Side::Before => (1, first - 1),
                Side::Until => (1, last),
                Side::After => (last + 1, FOREVER),
                Side::Since => (first, FOREVER),
            };
            self.mean(days, skip + taken);
            return skip + taken;
        }
        let named = self.part(skip).or_else(|| meal(self.word(skip)));
        let middle = named.map(|(from, to)| (from + to) / 2);
        let Some(ms) = middle.or_else(|| self.clock_at(skip, false).map(|(ms, _)| ms)) else { return 0 };
        self.intent.hours = Some(match side {
            Side::Before | Side::Until => (0, ms),
            Side::After | Side::Since => (ms, ms.max(DAY)),
        });
        skip + 1
    }

    /// "at 10:30", "around 3 pm", "10:30"; "at 10" where nothing is counted by it; a whole moment.
    fn at_clock(&mut self) -> usize {
        let start = usize::from(matches!(self.word(0), "at" | "around" | "about"));
        if let Some(Kind::Moment(moment)) = self.kind(start) {
            self.intent.span = Some((moment.plus_ms(-2 * MINUTE), moment.plus_ms(2 * MINUTE)));
            return start + 1;
        }
        // "at 10 past the door" is about a number, "at 10 yesterday" about an hour.
        let follows = self.tokens.get(self.at + start + 1).map(|token| token.text.as_str());
        let counts_nothing =
            follows.is_none_or(|word| is_function_word(word) || word == "yesterday" || word == "today");
        let Some((ms, within)) = self.clock_at(start, start == 1 && counts_nothing) else { return 0 };
        self.intent.hours = Some((ms - within, ms + within));
        start + 1
    }

    fn days_phrase(&mut self) -> usize {
        let about = usize::from(matches!(self.word(0), "about" | "for"));
        let Some((days, taken)) = self.day_expression(about) else { return 0 };
        // What is said about tomorrow is said before.
        if about == 1 && days.0 > self.today() {
            let later = self.tokens.iter().skip(self.at + 1).take(taken);
            self.intent
                .terms
                .extend(later.map(|token| token.text.clone()).filter(|word| !is_function_word(word)));
        } else {
            self.mean(days, about + taken);
        }
        about + taken
    }

    /// "yesterday", "day 3", "the third day", "Monday", "this week", "the day before day 2".
    fn day_expression(&self, ahead: usize) -> Option<Days> {
        let one = |day: i64, taken: usize| Some(((day, day), taken));
        let today = self.today();
        let words = [0, 1, 2].map(|i| self.word(ahead + i));
        match words {
            ["the", "day", side @ ("before" | "after")] | ["day", side @ ("before" | "after"), _] => {
                let taken = 2 + usize::from(words[0] == "the");
                let taken = taken + usize::from(self.word(ahead + taken) == "the");
                let ((first, last), more) = self.day_expression(ahead + taken)?;
                return one(if side == "before" { first - 1 } else { last + 1 }, taken + more);
            }
            ["yesterday", ..] => return one(today - 1, 1),
            ["today", ..] => return one(today, 1),
            ["tomorrow", ..] => return one(today + 1, 1),
            ["this", unit @ ("week" | "month" | "year"), ..] => {
                let days = match unit {
                    "week" => WEEK,
                    "month" => MONTH,
                    _ => YEAR,
                };
                return Some((((today - 1) / days * days + 1, today), 2));
            }
            ["day", count, ..] => {
                if let Some(Kind::Number(day)) = self.kind(ahead + 1) {
                    return (i64::from(day) <= FOREVER).then_some(((day.into(), day.into()), 2));
                }
                if let Some(day) = counting_word(count).filter(|_| count.len() > 2) {
                    return one(day.into(), 2);
                }
            }
            [ordinal, "day", ..] => {
                if let Some(day) = ordinal_word(ordinal) {
                    return one(day.into(), 2);
                }
            }
            _ => {}
        }
        if let Some(Kind::Day(day)) = self.kind(ahead) {
            return one(day.into(), 1);
        }
        let skip = usize::from(words[0] == "last");
        let weekday = Weekday::named(words[skip])?;
        let days_since = (today - 1 + self.day_one? as i64 + 7 - weekday as i64) % 7;
        // "last Monday" on a Monday is a week ago.
        let back = if skip == 1 && days_since == 0 { 7 } else { days_since };
        one(today - back, skip + 1)
    }

    /// "morning", "early morning", "late afternoon".
    fn part(&self, ahead: usize) -> Option<(i64, i64)> {
        let word = self.word(ahead);
        PARTS.iter().find(|(name, ..)| *name == word).map(|(_, from, to)| (*from, *to))
    }

    /// "this morning", "last night", "tonight", "in the late afternoon", "at lunch".
    fn part_of_day(&mut self) -> usize {
        let today = self.clock.day();
        if self.word(0) == "last" && self.word(1) == "night" {
            let midnight = self.clock.midnight();
            self.intent.span = Some((midnight.plus_ms(-6 * HOUR), midnight.plus_ms(5 * HOUR)));
            return 2;
        }
        if self.word(0) == "tonight" {
            self.intent.days.push((today, today));
            self.intent.hours = Some((18 * HOUR, 29 * HOUR));
            return 1;
        }
        if matches!(self.word(0), "at" | "during" | "for" | "over")
            && let Some(hours) = meal(self.word(1 + usize::from(self.word(1) == "the")))
        {
            // The meal itself stays a word to look for.
            self.intent.hours = Some(hours);
            return 1;
        }
        let this = usize::from(self.word(0) == "this");
        let shade = usize::from(matches!(self.word(this), "early" | "late"));
        let Some((from, to)) = self.part(this + shade) else { return 0 };
        if this == 1 {
            self.intent.days.push((today, today));
        }
        let half = (from + to) / 2;
        self.intent.hours = Some(match (shade, self.word(this)) {
            (1, "early") => (from, half),
            (1, _) => (half, to),
            _ => (from, to),
        });
        this + shade + 1
    }

    /// "the first time", "last", "most recently", "the latest".
    fn order(&mut self) -> usize {
        let (order, taken) = match (self.word(0), self.word(1)) {
            ("most", "recent" | "recently") => (Order::Last, 2),
            ("last" | "latest", "time") => (Order::Last, 2),
            ("last" | "latest", _) => (Order::Last, 1),
            ("first" | "earliest", "time") => (Order::First, 2),
            ("first", "aid" | "floor" | "class" | "name") => return 0,
            ("first" | "earliest", _) => (Order::First, 1),
            _ => return 0,
        };
        self.intent.order = Some(order);
        taken
    }

    /// "now", "just now", "recently", "earlier today", "earlier".
    fn now(&mut self) -> usize {
        let (back, taken) = match (self.word(0), self.word(1)) {
            ("just" | "right", "now") => (10 * MINUTE, 2),
            ("now" | "currently", _) => (10 * MINUTE, 1),
            ("recently" | "lately", _) => (DAY, 1),
            ("earlier", "today") => (self.clock.ms_of_day(), 2),
            _ => return 0,
        };
        self.intent.span = Some((self.clock.plus_ms(-back), self.clock));
        taken
    }
}

fn meal(word: &str) -> Option<(i64, i64)> {
    MEALS.iter().find(|(name, ..)| *name == word).map(|(_, from, to)| (*from, *to))
}
