//! Words of many scripts: the same word in every spelling that people and programs write.

use icu_normalizer::{ComposingNormalizer, DecomposingNormalizer};
use proptest::prelude::*;

use super::*;
use crate::fold::folded;

fn check(text: &str, expect: &str) -> Option<String> {
    let found = terms(text).join(" ");
    (found != expect).then(|| format!("{text:?} has the words {found:?}, not {expect:?}"))
}

#[test]
fn texts_become_terms() {
    let cases = [
        ("Where did I put the red cup?", "put red cup"),
        ("49:#C C takes scissors", "49 takes scissors"),
        ("Jake's keys, don't move!", "jake keys dont move"),
        ("I'll see; we\u{2019}ve gone; Ali\u{2019}m", "see gone ali"),
        ("Crème brûlée in the CAFÉ", "creme brulee cafe"),
        ("cafe\u{301}", "cafe"),
        ("e-mail, e\u{2010}mail, email", "e email mail e email mail email"),
        ("O'Brien O\u{2019}BRIEN OBrien", "obrien o brien obrien o brien obrien"),
        ("d\u{2019}Alice Ahmet'in l'arc-en-ciel", "dalice alice ahmetin ahmet l larcenciel arc en ciel"),
        ("2-3 cups of COVID-19", "2 3 cups covid covid19 19"),
        ("col\u{b7}lega soft\u{ad}ware ze\u{200b}ro", "collega col lega software zero"),
        ("A1_JAKE 3.5 a.b", "a1 jake 3 5 b"),
        ("她拿剪刀", "她 她拿 拿 拿剪 剪 剪刀 刀"),
        ("用USB线", "用 usb 线"),
        ("컵을 잡다", "컵 컵을 을 잡 잡다 다"),
        ("\"AND\" OR* NEAR(x) -y ^z", "near x y z"),
        ("", ""),
        ("...", ""),
        ("\u{301}", ""),
    ];
    let wrong: Vec<String> = cases.iter().filter_map(|(text, expect)| check(text, expect)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(terms(&"x".repeat(200)), ["x".repeat(LONGEST_TERM)]);
}

/// Spellings of one word, of which each must be the same letters.
#[test]
fn one_word_in_all_its_spellings() {
    let cases: &[&[&str]] = &[
        &["Nguyễn", "nguyen", "NGUYÊN", "Nguye\u{302}\u{303}n"],
        &["Đặng", "dang", "ĐẶNG"],
        &["José", "JOSE", "jose\u{301}"],
        &["straße", "STRASSE", "STRAẞE"],
        &["İstanbul", "istanbul", "ISTANBUL", "ıstanbul", "i\u{307}stanbul"],
        &["Łódź", "lodz"],
        &["Ærø", "aero"],
        &["final", "ﬁnal", "FINAL"],
        &["USB", "ＵＳＢ", "ｕｓｂ", "𝐔𝐒𝐁"],
        &["O'Brien", "O\u{2019}Brien", "O\u{2bc}Brien", "O\u{b4}Brien", "obrien"],
        &["Jean-Pierre", "JEAN\u{2010}PIERRE", "jean\u{2011}pierre"],
        &["ποτήρι", "ποτηρι", "ΠΟΤΗΡΙ", "ποτη\u{301}ρι"],
        &["Σίσυφος", "ΣΙΣΥΦΟΣ", "σισυφοσ"],
        &["Сергей", "СЕРГЕЙ", "Серге\u{438}\u{306}", "Серге\u{301}й"],
        &["Фёдор", "Федор", "Фе\u{308}дор"],
        &["Київ", "КИЇВ", "Киі\u{308}в"],
        &["كوب", "كُوب", "كـوب", "کوب"],
        &["أحمد", "احمد", "ا\u{654}حمد", "إحمد"],
        &["ليلى", "ليلي", "لیلی"],
        &["فاطمة", "فاطمه"],
        &["שלום", "שָׁלוֹם"],
        &["राज़", "राज", "रा\u{95b}"],
        &["क़लम", "\u{958}लम", "कलम"],
        &["माँ", "मां"],
        &["কোথা", "ক\u{9c7}\u{9be}থা"],
        &["கொடி", "க\u{bc6}\u{bbe}டி"],
        &["น้ำ", "น\u{e49}\u{e4d}\u{e32}", "น\u{e4d}\u{e49}\u{e32}"],
        &["ນ້ຳ", "ນ\u{ec9}\u{ecd}\u{eb2}"],
        &["민수", "\u{1106}\u{1175}\u{11ab}\u{1109}\u{116e}"],
        &["が", "か\u{3099}", "か\u{309b}"],
        &["アリス", "ｱﾘｽ"],
        &["ガラス", "ｶﾞﾗｽ", "カ\u{3099}ラス"],
        &["김치", "\u{1100}\u{1175}\u{11b7}\u{110e}\u{1175}"],
        &["神", "\u{fa19}"],
        &["12", "١٢", "१२", "１２", "۱۲", "๑๒", "𝟏𝟐"],
    ];
    for spellings in cases {
        let expect = folded(spellings[0]);
        for other in *spellings {
            assert_eq!(folded(other), expect, "{other:?} and {:?}", spellings[0]);
            assert_eq!(folded(&format!("x {other}")), format!("x{expect}"), "{other:?}");
        }
    }
    for (one, other) in [
        ("й", "и"),
        ("か", "が"),
        ("ป้า", "ปา"),
        ("ড়", "ড"),
        ("ї", "і"),
        ("민", "믄"),
        ("ハ", "パ"),
        ("स", "सा"),
        ("ש", "ס"),
        ("1", "2"),
    ] {
        assert_ne!(folded(one), folded(other), "{one} {other}");
    }
}

/// A name is among the words of any sentence it stands in.
#[test]
fn a_name_is_found_within_a_sentence() {
    for (name, sentence) in [
        ("สมชาย", "สมชายเปิดประตู"),
        ("แก้ว", "เขาวางแก้วน้ำบนโต๊ะ"),
        ("แบม", "แบมดูทีวี"),
        ("ปู", "ฉันเห็นปูในครัว"),
        ("ສົມຊາຍ", "ທ້າວສົມຊາຍເປີດປະຕູ"),
        ("សុខ", "លោកសុខបើកទ្វារ"),
        ("အောင်", "ဦးအောင်တံခါးဖွင့်တယ်"),
        ("小明", "明天小明拿杯子"),
        ("花子", "田中花子さんが鍵を持つ"),
        ("アリス", "アリスがコップを取る"),
        ("ｱﾘｽ", "アリスがコップを取る"),
        ("민수", "민수가 문을 연다"),
        ("ﾓｶ", "猫のモカが寝る"),
    ] {
        let known: HashSet<String> = terms(sentence).into_iter().collect();
        let wanted = terms(name);
        assert!(!wanted.is_empty() && wanted.iter().all(|term| known.contains(term)), "{name} in {sentence}");
    }
    // Longer words of Southeast Asia count as words, so that whole ones come before letters by chance.
    assert!(terms("สมชายเปิดประตู").contains(&"สมชาย".to_owned()));
}

/// Digits of every script stand in tens, as `fold` relies on.
#[test]
fn digits_of_all_scripts_are_read() {
    let values: Vec<(char, String)> = ('\u{80}'..=char::MAX)
        .map(|letter| (letter, folded(&letter.to_string())))
        .filter(|(_, folded)| folded.len() == 1 && folded.as_bytes()[0].is_ascii_digit())
        .collect();
    assert!(values.len() > 600, "{}", values.len());
    for zero in values.iter().filter(|(letter, folded)| folded == "0" && letter.is_numeric()) {
        let next = char::from_u32(zero.0 as u32 + 1).unwrap();
        let is_ten = folded(&next.to_string()) == "1" || !"०٠۰๐".contains(zero.0);
        assert!(is_ten, "{zero:?}");
    }
}

/// Folding once is folding for good, and knows all of Unicode's case folding.
#[test]
fn every_letter_folds_to_what_stays() {
    let case = icu_casemap::CaseMapper::new();
    let decompose = DecomposingNormalizer::new_nfkd();
    let canonical = DecomposingNormalizer::new_nfd();
    for letter in '\u{0}'..=char::MAX {
        let once = folded(&letter.to_string());
        assert_eq!(folded(&canonical.normalize(&letter.to_string())), once, "U+{:04X}", letter as u32);
        assert_eq!(folded(&once), once, "{letter:?} U+{:04X}", letter as u32);
        let decomposed = decompose.normalize(&letter.to_string()).into_owned();
        let full = case.fold_string(&decomposed).into_owned();
        // The iota below is a mark here, and a letter in Unicode's folding.
        if !decomposed.contains('\u{345}') {
            assert_eq!(folded(&full), once, "{letter:?} U+{:04X}", letter as u32);
        }
    }
}

#[test]
fn long_texts_without_spaces_take_time_by_their_length() {
    for letter in [
        "a",
        "-",
        "a-",
        "a'",
        "ก",
        "明",
        "민",
        "e\u{301}",
        "か\u{3099}",
        "あ",
        "\u{301}",
        "က",
        "a\u{200d}",
        "ា",
    ] {
        let text = letter.repeat(400_000 / letter.len());
        let started = std::time::Instant::now();
        let found = words(&text).len();
        assert!(started.elapsed().as_secs() < 10, "{letter:?}: {found} words took {:?}", started.elapsed());
    }
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-zA-Z0-9'\u{2019} .:_-]{0,40}",
        "[a-zéüñ\u{300}-\u{345}\u{e4d}ก-๙ກ-ໝ \u{200b}']{0,30}",
        "[가-힣\u{1100}-\u{11ff}ㄱ-ㅣａ-ｚｱ-ﾟか-ゞ\u{3099}]{0,30}",
        "[क-हा-़्०-९অ-৯அ-௺ا-ي\u{64b}-\u{655}א-ת\u{5b0}-\u{5c7}а-яё \"]{0,30}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn terms_are_never_empty_and_read_back_as_themselves(text in texts()) {
        for term in words(&text) {
            prop_assert!(!term.is_empty() && term.len() <= LONGEST_TERM, "{:?}", term);
            let again = words(&term);
            let is_run = letters(&term).any(|letter| letter.class != Class::Spaced);
            if is_run {
                prop_assert!(again.contains(&term), "{:?} {:?}", term, again);
            } else {
                prop_assert_eq!(again, vec![term]);
            }
        }
    }

    #[test]
    fn normal_forms_have_the_same_words(text in texts()) {
        let expect = words(&text);
        let [nfc, nfkc] = [ComposingNormalizer::new_nfc(), ComposingNormalizer::new_nfkc()];
        let [nfd, _] = [DecomposingNormalizer::new_nfd(), DecomposingNormalizer::new_nfkd()];
        prop_assert_eq!(&words(&nfc.normalize(&text)), &expect);
        prop_assert_eq!(&words(&nfd.normalize(&text)), &expect);
        // Compatibility may write a blank or a letter that this text has apart; twice is once.
        let compatible = nfkc.normalize(&text);
        prop_assert_eq!(words(&nfkc.normalize(&compatible)), words(&compatible));
    }

    #[test]
    fn letters_know_where_they_stand(text in texts()) {
        let mut last = 0;
        for letter in letters(&text) {
            prop_assert!(letter.start < letter.end && text.is_char_boundary(letter.start) && text.is_char_boundary(letter.end));
            prop_assert!(letter.start >= last || letter.is_mark || letter.gap == Gap::None);
            last = letter.start;
        }
    }

    /// Between letters, marks and digits alone, words end where Unicode says: UAX 29 by another implementation's tables.
    #[test]
    fn words_end_where_unicode_says(text in "[a-zéØĀ-ľŁ-ňŊ-ſΑ-ωΑ-яёא-תا-يक-हा-ौ্অ-হ0-9 ]{0,40}") {
        let mut expect: Vec<String> = Vec::new();
        let mut start = 0;
        for end in DICTIONARY.segment_str(&text) {
            expect.push(folded(&text[start..end]));
            start = end;
        }
        expect.retain(|word| !word.is_empty());
        let found: Vec<String> = words(&text);
        if expect.iter().all(|word| word.len() <= LONGEST_TERM) {
            prop_assert_eq!(found, expect);
        }
    }
}
