//! Phrases and what they are read as, at 15:00 on day 5 (a Wednesday, day 1 being a Saturday).

use firsthand_base::Moment;
use proptest::prelude::*;

use super::{Intent, Weekday};

fn clock() -> Moment {
    Moment::at(5, 15, 0, 0, 0).unwrap()
}

fn hm(ms: i64) -> String {
    format!("{:02}:{:02}", ms / 3_600_000, ms / 60_000 % 60)
}

/// An intent in one line: words, days, hours, span, order.
fn show(intent: &Intent) -> String {
    let mut parts = vec![intent.terms.join(" ")];
    for (first, last) in &intent.days {
        parts.push(match last {
            &Moment::LAST_DAY => format!("days {first}.."),
            last if last == first => format!("day {first}"),
            last => format!("days {first}..{last}"),
        });
    }
    parts.extend(intent.hours.map(|(from, to)| format!("{}-{}", hm(from), hm(to))));
    parts.extend(intent.span.map(|(from, to)| {
        format!("{} {} to {} {}", from.day(), hm(from.ms_of_day()), to.day(), hm(to.ms_of_day()))
    }));
    parts.extend(intent.order.map(|order| format!("{order:?}").to_lowercase()));
    parts.extend(intent.missed.iter().map(|missed| {
        format!("{} {}", if missed.is_later { "later:" } else { "before day 1:" }, missed.phrase)
    }));
    parts.join(" | ")
}

fn check(words: &str, expect: &str) -> Option<String> {
    let found = show(&Intent::read(words, clock(), Some(Weekday::Saturday)));
    (found != expect).then(|| format!("{words:?} is read as {found:?}, not {expect:?}"))
}

#[test]
fn phrases_are_read_relative_to_the_clock() {
    let cases = [
        // Days.
        ("What did I cook yesterday?", "cook | day 4"),
        ("what did I do yesterday morning", " | day 4 | 05:00-12:00"),
        ("Where did I put the keys two days ago?", "put keys | day 3"),
        ("the day before yesterday", " | day 3"),
        ("keys 3 days ago", "keys | day 2"),
        ("a week ago", " | before day 1: a week ago"),
        ("DAY2 to DAY4", " | days 2..4"),
        ("days 2-4", " | days 2..4"),
        ("from 10:00-11:30", " | 10:00-11:30"),
        ("2-3 cups", "2 3 cups"),
        ("who came on day 3", "came | day 3"),
        ("who came on the third day", "came | day 3"),
        ("who came on the 3rd day", "came | day 3"),
        ("DAY3 shopping", "shopping | day 3"),
        ("day three shopping", "shopping | day 3"),
        ("shopping on days 2 to 4", "shopping | days 2..4"),
        ("from day 2 to day 4", " | days 2..4"),
        ("between day 2 and yesterday", " | days 2..4"),
        ("day 2 and day 4", " | day 2 | day 4"),
        ("before day 3", " | days 1..2"),
        ("since yesterday", " | days 4.."),
        ("until day 2", " | days 1..2"),
        ("after day 2", " | days 3.."),
        ("this week", " | days 1..5"),
        ("on Monday", " | day 3"),
        ("last Wednesday", " | before day 1: last wednesday"),
        ("the day before day 3", " | day 2"),
        ("the day after the first day", " | day 2"),
        ("two days before day 4", " | day 2"),
        ("about tomorrow", "tomorrow"),
        ("what Ben said about yesterday", "ben said | day 4"),
        ("this month", " | days 1..5"),
        ("wednesday", " | day 5"),
        ("tomorrow", " | later: tomorrow"),
        ("keys in two days", "keys | later: in two days"),
        ("what did I read in two days", "read two days"),
        ("keys on day 6", "keys | later: day 6"),
        // Hours.
        ("this morning", " | day 5 | 05:00-12:00"),
        ("in the morning", " | 05:00-12:00"),
        ("tonight", " | day 5 | 18:00-29:00"),
        ("early morning run", "run | 05:00-08:30"),
        ("late yesterday afternoon", "late | day 4 | 12:00-18:00"),
        ("in the late afternoon of day 2", " | day 2 | 15:00-18:00"),
        ("What did Alice say before lunch?", "alice say | 00:00-12:45"),
        ("after dinner yesterday", " | day 4 | 19:15-24:00"),
        ("what did I eat for lunch", "eat lunch | 11:30-14:00"),
        ("the lunch box", "lunch box"),
        ("at 10:30", " | 10:20-10:40"),
        ("at 10:30 on day 2", " | day 2 | 10:20-10:40"),
        ("at 3 pm", " | 14:40-15:20"),
        ("at 3 p.m.", " | 14:40-15:20"),
        ("at 3 o'clock", " | 14:40-15:20"),
        ("at 12am", " | 00:-20-00:20"),
        ("around 10 yesterday", " | day 4 | 09:40-10:20"),
        ("11:21:02", " | 11:19-11:23"),
        ("before 10:30 today", " | day 5 | 00:00-10:30"),
        ("after 22:00", " | 22:00-24:00"),
        ("between 10 and 11:30", " | 10:00-11:30"),
        ("from 9:00 to 10:00 yesterday", " | day 4 | 09:00-10:00"),
        ("between 11 pm and 1 am", " | 23:00-25:00"),
        ("after 3 minutes", "after 3 minutes"),
        ("at 10 tables", "10 tables"),
        ("at noon", " | 11:30-12:30"),
        // Spans.
        ("last night", " | 4 18:00 to 5 05:00"),
        ("two hours ago", " | 5 12:30 to 5 13:30"),
        ("half an hour ago", " | 5 14:22 to 5 14:37"),
        ("a couple of minutes ago", " | 5 14:57 to 5 14:59"),
        ("a few minutes ago", " | 5 14:56 to 5 14:58"),
        ("in the last 10 minutes", " | 5 14:50 to 5 15:00"),
        ("over the past two days", " | 3 15:00 to 5 15:00"),
        ("earlier today", " | 5 00:00 to 5 15:00"),
        ("what am I holding right now", "holding | 5 14:50 to 5 15:00"),
        ("DAY3_11210217 who spoke", "spoke | 3 11:19 to 3 11:23"),
        ("before DAY3_11210217", " | 1 00:00 to 3 11:21"),
        ("last week", " | before day 1: last week"),
        // Order.
        ("Who used the screwdriver first?", "screwdriver | first"),
        ("the first time I met Shure", "met shure | first"),
        ("when did I last see my keys", "keys | last"),
        ("the last time we went shopping", "went shopping | last"),
        ("my most recent meal", "meal | last"),
        ("first aid kit on the first floor", "first aid kit first floor"),
        ("the first day", " | day 1"),
        ("the first time I cooked on day 2 before noon", "cooked | day 2 | 00:00-12:00 | first"),
        // Nothing about time; names that are function words, and words of other scripts.
        ("where did Will put the IT keys", "will put it keys"),
        ("Will", "will"),
        ("US", "us"),
        ("who is it?", "who is it"),
        ("Where is it", "where is it"),
        ("I left. Will it rain", "left rain"),
        ("WHERE IS IT", "where is it"),
        ("my e-mail at 3 o\u{2019}clock", "e email mail | 14:40-15:20"),
        ("O\u{2019}Brien yesterday", "obrien o brien | day 4"),
        ("الكوب في ١٠:٣٠", "الكوب في | 10:20-10:40"),
        ("杯子 DAY３", "杯 杯子 子 | day 3"),
        ("रात को कौन", "रात को कौन"),
        ("where are my keys", "keys"),
        ("what did I use", "use"),
        ("", ""),
        ("day", "day"),
        ("day 0", " | before day 1: day 0"),
        ("DAY0_10000000", " | before day 1: day0_10000000"),
        ("99:99 25:00", "99 99 25 00"),
        ("at last night market", "market | 4 18:00 to 5 05:00"),
    ];
    let wrong: Vec<String> = cases.iter().filter_map(|(words, expect)| check(words, expect)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Asked early, what lies before the first day is nothing, and what only reaches back there is what there is.
#[test]
fn before_the_first_day_there_is_nothing() {
    let at = |day, hour| Moment::at(day, hour, 0, 0, 0).unwrap();
    let cases = [
        (at(1, 20), "yesterday", None),
        (at(1, 20), "yesterday morning", None),
        (at(1, 20), "two days ago", None),
        (at(1, 20), "a week ago", None),
        (at(1, 20), "last week", None),
        (at(1, 20), "last month", None),
        (at(1, 20), "last year", None),
        (at(1, 20), "previous day", None),
        (at(1, 20), "before yesterday", None),
        (at(1, 20), "until yesterday", None),
        (at(1, 20), "before today", None),
        (at(1, 20), "the day before yesterday", None),
        (at(1, 20), "the day before DAY1", None),
        (at(1, 20), "before day 1", None),
        (at(1, 20), "before DAY1_00000000", None),
        (at(1, 20), "on Friday", None),
        (at(1, 20), "last Saturday", None),
        (at(1, 20), "yesterday or today", Some("day 1")),
        (at(1, 20), "between yesterday and today", Some("day 1")),
        (at(1, 20), "from yesterday to today", Some("day 1")),
        (at(1, 20), "since yesterday", Some("days 1..")),
        (at(1, 20), "this week", Some("day 1")),
        (at(1, 20), "last night", Some("1 00:00 to 1 05:00")),
        (at(1, 20), "in the last two days", Some("1 00:00 to 1 20:00")),
        (at(1, 2), "5 hours ago", None),
        (at(1, 2), "2 hours ago", Some("1 00:00 to 1 00:30")),
        (at(1, 2), "in the last 5 hours", Some("1 00:00 to 1 02:00")),
        (at(3, 9), "3 days ago", None),
        (at(3, 9), "3 weeks ago", None),
        (at(3, 9), "last month", None),
        (at(3, 9), "a month ago", None),
        (at(3, 9), "2 days ago", Some("day 1")),
        (at(2, 9), "before yesterday", None),
        (at(2, 9), "yesterday", Some("day 1")),
        (at(7, 9), "a week ago", None),
        (at(8, 9), "a week ago", Some("days 1..2")),
        (at(8, 9), "last week", Some("days 1..7")),
        (at(31, 9), "last month", Some("days 1..30")),
        (at(31, 9), "a month ago", Some("days 1..5")),
    ];
    let mut wrong = Vec::new();
    for (clock, words, expect) in cases {
        let intent = Intent::read(words, clock, Some(Weekday::Saturday));
        let found = show(&intent);
        let reason = intent.nothing();
        let is_right = match expect {
            None => {
                reason.as_ref().is_some_and(|why| why.contains("before the first day")) && !intent.says_when()
                    || words.ends_with("morning") && reason.is_some()
            }
            Some(days) => reason.is_none() && found.split(" | ").any(|part| part == days),
        };
        if !is_right {
            wrong.push(format!("{words:?} at {clock} is {found:?}, {reason:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let why = Intent::read("cup yesterday", at(1, 20), None).nothing();
    assert_eq!(why.as_deref(), Some("\"yesterday\" is before the first day (asked at DAY1_20000000)"));
    let why = Intent::read("cup tomorrow", at(1, 20), None).nothing();
    assert_eq!(why.as_deref(), Some("\"tomorrow\" is later than the question (asked at DAY1_20000000)"));
}

#[test]
fn weekdays_are_words_until_day_one_has_a_name() {
    assert_eq!(show(&Intent::read("on monday", clock(), None)), "monday");
    assert_eq!("Monday".parse::<Weekday>().unwrap(), Weekday::Monday);
    assert!("someday".parse::<Weekday>().is_err());
}

#[test]
fn records_fit_by_how_much_of_them_lies_inside() {
    let at = |day, hour, minute| Moment::at(day, hour, minute, 0, 0).unwrap();
    let fit = |words: &str, start, end| Intent::read(words, clock(), None).fit(start, end);
    let clip = (at(4, 9, 0), at(4, 9, 1));
    let day = (at(4, 8, 0), at(4, 20, 0));
    for (words, (start, end), low, high) in [
        ("keys", clip, 1.0, 1.0),
        ("yesterday", clip, 1.0, 1.0),
        ("yesterday", day, 1.0, 1.0),
        ("yesterday morning", clip, 1.0, 1.0),
        ("yesterday morning", day, 0.5, 0.6),
        ("yesterday evening", clip, 0.0, 0.05),
        ("two days ago", clip, 0.1, 0.25),
        ("on day 1", clip, 0.0, 0.05),
        ("in the morning", clip, 0.55, 0.65),
        ("in the morning", (at(5, 9, 0), at(5, 9, 1)), 1.0, 1.0),
        ("in the evening", (at(4, 18, 0), at(4, 18, 1)), 1.0, 1.0),
        ("last night", (at(5, 1, 0), at(5, 1, 1)), 1.0, 1.0),
        ("at night", (at(4, 1, 0), at(4, 1, 1)), 0.55, 0.65),
        ("yesterday", (at(1, 0, 0), at(7, 0, 0)), 0.35, 0.45),
        ("at 9:00", (at(4, 9, 0), at(4, 9, 0)), 0.55, 0.65),
    ] {
        let found = fit(words, start, end);
        assert!((low..=high).contains(&found), "{words:?} {start}: {found}");
    }
    let coverage = |words: &str, start, end| Intent::read(words, clock(), None).coverage(start, end);
    assert_eq!(coverage("yesterday", at(4, 0, 0), at(5, 0, 0)), 1.0);
    assert_eq!(coverage("yesterday", at(4, 0, 0), at(4, 12, 0)), 0.5);
    // Today is only as long as it has been.
    assert_eq!(coverage("today", at(5, 0, 0), at(5, 15, 0)), 1.0);
}

#[test]
fn the_hull_is_where_to_look() {
    let hull = |words: &str| Intent::read(words, clock(), None).hull().map(|(a, b)| format!("{a} {b}"));
    assert_eq!(hull("yesterday morning").as_deref(), Some("DAY4_05000000 DAY4_12000000"));
    assert_eq!(hull("last night").as_deref(), Some("DAY4_18000000 DAY5_05000000"));
    assert_eq!(hull("day 2 and day 4").as_deref(), Some("DAY2_00000000 DAY5_00000000"));
    assert_eq!(hull("in the morning"), None);
    assert_eq!(hull("keys"), None);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_question_is_read(
        words in "((first|last|before|day|at|ago|two|[0-9]{1,9}|10:30|pm|week|yesterday|night|DAY[0-9]{1,8}_[0-9]{8}|.{0,4}) ?){0,8}",
        clock in 0..Moment::END.ms(),
        start in 0..Moment::END.ms(),
        length in 0..1_000_000_000i64,
    ) {
        let clock = Moment::from_ms(clock).unwrap();
        let intent = Intent::read(&words, clock, Some(Weekday::Sunday));
        let start = Moment::from_ms(start).unwrap();
        let fit = intent.fit(start, start.plus_ms(length));
        prop_assert!((0.0..=1.0).contains(&fit), "{}", fit);
        let coverage = intent.coverage(start, start.plus_ms(length));
        prop_assert!((0.0..=1.0).contains(&coverage), "{}", coverage);
        for (first, last) in &intent.days {
            prop_assert!(*first >= 1 && first <= last, "{:?}", intent);
        }
        let _ = intent.hull();
    }
}
