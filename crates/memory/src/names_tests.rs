//! Names in sentences of many scripts, and in other names.

use super::*;

fn named(name: &str, text: &str, people: &[&str]) -> bool {
    let mut name = Name::new(name).unwrap();
    name.beside(people.iter().copied());
    name.is_in(text)
}

#[test]
fn a_name_is_known_in_every_spelling() {
    let cases: &[(&str, &[&str])] = &[
        ("José", &["Jose took it", "JOSÉ'S cup", "jose\u{301} waits", "with JOSE."]),
        ("Nguyễn Văn An", &["Nguyen Van An sits", "nguye\u{302}\u{303}n va\u{306}n an", "NGUYỄN VĂN AN"]),
        ("O'Brien", &["O\u{2019}Brien comes", "OBrien", "o\u{2bc}brien's keys", "O\u{b4}Brien"]),
        ("Jean-Pierre", &["Jean Pierre", "JEAN\u{2010}PIERRE", "Jeanpierre's", "Jean\u{ad}-Pierre"]),
        ("Jean Pierre", &["Jean-Pierre"]),
        (
            "Alice",
            &[
                "le sac d\u{2019}Alice",
                "Alice-like",
                "Ａｌｉｃｅ",
                "Ali\u{200b}ce",
                "Alice가 온다",
                "我看Alice吃饭",
                "A. Alice!",
            ],
        ),
        ("Ahmet", &["Ahmet'in evi"]),
        ("J. Smith", &["J Smith", "j. smith,"]),
        ("Will", &["WILL comes", "will"]),
        ("Сергей", &["СЕРГЕЙ пришёл", "Серге\u{438}\u{306}"]),
        ("Фёдор", &["Федор спит"]),
        ("Γιώργος", &["ΓΙΩΡΓΟΣ", "Γιωργος", "Γιω\u{301}ργος"]),
        ("ليلى", &["أخذت ليلي الكوب", "وليلى", "لَيْلَى", "لیلی"]),
        ("كريم", &["الكريم", "وكريم"]),
        ("الكريم", &["والكريم"]),
        ("דנה", &["דָּנָה באה", "ודנה"]),
        ("राज़", &["राज आया", "रा\u{91c}\u{93c} आया"]),
        (
            "민수",
            &["민수가 온다", "\u{1106}\u{1175}\u{11ab}\u{1109}\u{116e}는", "민수씨에게", "민수!", "민수랑"],
        ),
        ("민준", &["민준이가", "민준아"]),
        ("สมชาย", &["สมชายเปิดประตู", "คุณสมชายกินข้าว", "สม\u{200b}ชาย"]),
        ("แบม", &["แบมดูทีวี", "แบมกินข้าว", "น้องแบม"]),
        ("ธนาธร", &["ธนาธรเปิดประตู"]),
        ("น้ำ", &["น\u{e49}\u{e4d}\u{e32}กับแม่"]),
        ("ສົມຊາຍ", &["ສົມຊາຍເປີດປະຕູ"]),
        ("សុខ", &["សុខបើកទ្វារ"]),
        ("အောင်အောင်", &["အောင်အောင်တံခါးဖွင့်တယ်"]),
        ("小明", &["小明拿杯子", "王小明来了", "明天小明来"]),
        ("明", &["明拿杯子"]),
        ("田中花子", &["田中 花子が", "田中・花子", "田中花子さん"]),
        ("アリス", &["ｱﾘｽがコップを取る", "アリスさん"]),
        ("が", &["か\u{3099}"]),
    ];
    for (name, texts) in cases {
        for text in *texts {
            assert!(named(name, text, &[]), "{name} in {text}");
        }
    }
}

#[test]
fn part_of_a_name_is_not_the_name() {
    for (name, text) in [
        ("Ann", "Anna and Annie planned"),
        ("Anna", "an na"),
        ("Tash", "Tasha"),
        ("Jean Pierre", "Jeanpierre"),
        ("Jean-Pierre", "Jean, Pierre"),
        ("Сергей", "Сергеев"),
        ("й", "и"),
        ("राम", "रामा"),
        ("รอ", "รอ\u{e48}"),
        ("민수", "민수정"),
        ("민수", "김민수"),
        ("민", "민아"),
        ("สม", "สมชายเปิดประตู"),
        ("明", "小明拿杯子"),
        ("明", "阿明拿杯子"),
        ("明", "明天来"),
        ("小明", "他很小。明天"),
        ("花", "花火を見る"),
        ("アリス", "アリスンが"),
        ("さくら", "さくらんぼを食べる"),
        ("か", "が"),
        ("ليد", "الوليدي"),
    ] {
        assert!(!named(name, text, &[]), "{name} in {text}");
    }
    // Both are listed, so each is somebody.
    let people = ["สม", "สมหญิง"];
    assert!(named("สม", "สมหญิงกินข้าว", &[]) && !named("สม", "สมหญิงกินข้าว", &people));
    assert!(named("สม", "สมกินข้าว", &people) && named("สมหญิง", "สมหญิงกินข้าว", &people));
}

#[test]
fn longer_words_are_told() {
    let within = |name: &str, text: &str| -> Vec<String> {
        let found = Name::new(name).unwrap().find(text);
        found.within.into_iter().map(|range| text[range].to_owned()).collect()
    };
    assert_eq!(within("Ann", "Anna cannot plan, Ann can."), ["Anna"]);
    assert_eq!(within("민수", "김민수가"), ["김민수가"]);
    assert_eq!(within("דנה", "לדנה"), ["לדנה"]);
    assert_eq!(Name::new("José").unwrap().find("a Jose\u{301}, José").named, [2..8, 10..15]);
    assert!(Name::new("'- .").is_none());
}
