//! What transcripts in the wild look like, one row each: a name, the bytes, what is said, and what is told of the rest.

use proptest::prelude::*;

use super::*;

/// Lines as `start end text`; notes by a part of each. An error is a single note with nothing said.
#[track_caller]
fn check(name: &str, bytes: &[u8], lines: &[&str], notes: &[&str]) {
    let (said, told) = match read_transcript(bytes) {
        Ok(transcript) => (transcript.said, transcript.notes),
        Err(reason) => (Vec::new(), vec![format!("error: {reason}")]),
    };
    let said: Vec<String> =
        said.iter().map(|said| format!("{} {} {}", said.start_ms, said.end_ms, said.text)).collect();
    assert_eq!(said, lines, "{name}; notes: {told:?}");
    assert_eq!(told.len(), notes.len(), "{name}: {told:?}, not {notes:?}");
    for (told, note) in told.iter().zip(notes) {
        assert!(told.contains(note), "{name}: {told:?}, not {note:?}");
    }
}

/// Rows of text: name, text, lines, notes.
type Rows<'a> = &'a [(&'a str, &'a str, &'a [&'a str], &'a [&'a str])];

#[track_caller]
fn all(rows: Rows<'_>) {
    for (name, text, lines, notes) in rows {
        check(name, text.as_bytes(), lines, notes);
        // Line ends of other systems change nothing, nor does a mark at the beginning.
        for ends in ["\r\n", "\r", "\r\r\n"] {
            check(&format!("{name} with {ends:?}"), text.replace('\n', ends).as_bytes(), lines, notes);
        }
        check(&format!("{name} with a mark"), format!("\u{feff}{text}").as_bytes(), lines, notes);
        let units = |text: &str| text.encode_utf16().collect::<Vec<u16>>();
        if text.len() > 8 && text.bytes().filter(u8::is_ascii).count() * 2 > text.len() {
            let little: Vec<u8> = units(text).iter().flat_map(|unit| unit.to_le_bytes()).collect();
            let big: Vec<u8> =
                units(&format!("\u{feff}{text}")).iter().flat_map(|unit| unit.to_be_bytes()).collect();
            check(&format!("{name} in UTF-16LE without a mark"), &little, lines, notes);
            check(&format!("{name} in UTF-16BE"), &big, lines, notes);
        }
    }
}

#[test]
fn blank_lines_and_what_divides_cues() {
    let two: &[&str] = &["1000 2000 hello", "3000 4000 world"];
    let halves: &[&str] = &["1000 2000 first half second half", "3000 4000 world"];
    all(&[
        (
            "plain",
            "1\n00:00:01,000 --> 00:00:02,000\nhello\n\n2\n00:00:03,000 --> 00:00:04,000\nworld\n",
            two,
            &[],
        ),
        (
            "a blank line in a cue",
            "1\n00:00:01,000 --> 00:00:02,000\nfirst half\n\nsecond half\n\n2\n00:00:03,000 --> 00:00:04,000\nworld\n",
            halves,
            &[],
        ),
        (
            "a line of blanks in a cue",
            "1\n00:00:01,000 --> 00:00:02,000\nfirst half\n \t\nsecond half\n\n2\n00:00:03,000 --> 00:00:04,000\nworld\n",
            halves,
            &[],
        ),
        (
            "three blank lines in a cue",
            "1\n00:00:01,000 --> 00:00:02,000\nfirst half\n\n\n\nsecond half\n\n\n\n2\n00:00:03,000 --> 00:00:04,000\nworld\n",
            halves,
            &[],
        ),
        (
            "a blank first line",
            "1\n00:00:01,000 --> 00:00:02,000\n\nhello\n\n2\n00:00:03,000 --> 00:00:04,000\n\nworld",
            two,
            &[],
        ),
        (
            "a blank line after every line",
            "1\n\n00:00:01,000 --> 00:00:02,000\n\nhello\n\n2\n\n00:00:03,000 --> 00:00:04,000\n\nworld\n\n",
            two,
            &[],
        ),
        (
            "no blank line between cues",
            "1\n00:00:01,000 --> 00:00:02,000\nhello\n2\n00:00:03,000 --> 00:00:04,000\nworld\n3",
            &["1000 2000 hello", "3000 4000 world 3"],
            &[],
        ),
        (
            "no numbers and no blank lines",
            "00:00:01,000 --> 00:00:02,000\nhello\n00:00:03,000 --> 00:00:04,000\nworld",
            two,
            &[],
        ),
        (
            "numbers as words",
            "1\n00:00:01,000 --> 00:00:02,000\n42\n\n2\n00:00:03,000 --> 00:00:04,000\n7\n\n3\n00:00:05,000 --> 00:00:06,000\n3",
            &["1000 2000 42", "3000 4000 7", "5000 6000 3"],
            &[],
        ),
        (
            "a number as word where cues have none",
            "00:00:01,000 --> 00:00:02,000\nI count\n42\n00:00:03,000 --> 00:00:04,000\nworld",
            &["1000 2000 I count 42", "3000 4000 world"],
            &[],
        ),
        (
            "numbers that begin anew",
            "8\n00:00:01,000 --> 00:00:02,000\nhello\n\n1\n00:00:03,000 --> 00:00:04,000\nworld\n",
            two,
            &[],
        ),
        (
            "a file that ends after a number",
            "1\n00:00:01,000 --> 00:00:02,000\nhello\n\n2\n",
            &["1000 2000 hello"],
            &[],
        ),
        (
            "a file that ends after times",
            "1\n00:00:01,000 --> 00:00:02,000\nhello\n\n2\n00:00:03,000 --> 00:00:04,000",
            &["1000 2000 hello"],
            &[],
        ),
        (
            "a cue without text",
            "1\n00:00:01,000 --> 00:00:02,000\n\n2\n00:00:03,000 --> 00:00:04,000\nworld\n",
            &["3000 4000 world"],
            &[],
        ),
        (
            "text before the first cue",
            "My film\n\n1\n00:00:01,000 --> 00:00:02,000\nhello\n\n2\n00:00:03,000 --> 00:00:04,000\nworld\n",
            two,
            &["\"My film\" before the first cue"],
        ),
        (
            "text in the line of times",
            "1\n00:00:01,000 --> 00:00:02,000 hello\n\n2\n00:00:03,000 --> 00:00:04,000 X1:40 X2:50\nworld",
            two,
            &[],
        ),
        (
            "out of order and overlapping",
            "1\n00:00:03,000 --> 00:00:04,000\nworld\n\n2\n00:00:01,000 --> 00:00:09,000\nhello\n",
            &["1000 9000 hello", "3000 4000 world"],
            &[],
        ),
        (
            "a copy of a cue",
            "00:00:01,000 --> 00:00:02,000\nhello\n\n00:00:01,000 --> 00:00:02,000\nhello\n\n00:00:03,000 --> 00:00:04,000\nworld\n",
            two,
            &[],
        ),
        ("an end before its start", "00:00:03,000 --> 00:00:01,000\nhello\n", &["3000 3000 hello"], &[]),
        (
            "an arrow in the text",
            "1\n00:00:01,000 --> 00:00:02,000\nturn left --> then right -> at 10:30 - 11:00\n10:30 - 11:00\n",
            &["1000 2000 turn left --> then right -> at 10:30 - 11:00 10:30 - 11:00"],
            &[],
        ),
        ("empty", "", &[], &[]),
        ("blank", " \n\n \n", &[], &[]),
    ]);
}

#[test]
fn times_as_people_write_them() {
    let one: &[&str] = &["1000 2500 hello"];
    for times in [
        "00:00:01,000 --> 00:00:02,500",
        "00:00:01.000 --> 00:00:02.500",
        "00:00:01,0 --> 00:00:02,5",
        "00:01.000 --> 00:02.500",
        "0:0:1 --> 0:0:2,5",
        "00:00:01,000-->00:00:02,500",
        "00:00:01,000 -> 00:00:02,500",
        "00:00:01,000 –> 00:00:02,500",
        "00:00:01,000 —> 00:00:02,500",
        "00:00:01,000 -- > 00:00:02,500",
        "00:00:01,000 → 00:00:02,500",
        "00:00:01,000 ==> 00:00:02,500",
        "00:00:01,000 --&gt; 00:00:02,500",
        "00:00:01,000 ---> 00:00:02,500",
        "00:00:01,000 -->> 00:00:02,500",
        "00:00:01,000 - 00:00:02,500",
        "0:00:01.000,0:00:02.500",
        "00: 00: 01, 000 --> 00 :00:02 ,500",
        "  00:00:01,000   -->   00:00:02,500  ",
        "00:00:01:000 --> 00:00:02:500",
        "00:00:01,000 --> 00:00:02,500 align:start position:0%",
        "00:00:01,000 --> 00:00:02,500 X1:53 X2:303 Y1:438 Y2:453",
        "00:00:01, --> 00:00:02,5",
        "00:00:01.000000 --> 00:00:02.500000",
        "1.0 --> 2.5",
        "00:00:01;000 --> 00:00:02;500",
        "\t00:00:01,000\t-->\t00:00:02,500",
    ] {
        all(&[(times, &format!("1\n{times}\nhello\n"), one, &[])]);
    }
    all(&[
        ("hours over 99", "1\n100:00:00,000 --> 100:00:01,000\nhello\n", &["360000000 360001000 hello"], &[]),
        ("a negative start", "1\n-00:00:01,000 --> 00:00:02,500\nhello\n", &["0 2500 hello"], &[]),
        ("negative times", "1\n-00:00:03,000 --> -00:00:02,500\nhello\n", &["0 0 hello"], &[]),
        ("a negative part", "1\n00:00:-1,500 --> 00:00:02,500\nhello\n", &["0 2500 hello"], &[]),
        (
            "one damaged cue",
            "1\n00:00:01,000 --> 00:00:02,500\nhello\n\n2\n00:00:xx,000 --> 00:00:04,000\nlost\n\n3\n00:00:05,000 --> 00:00:06,000\nworld\n",
            &["1000 2500 hello", "5000 6000 world"],
            &["line 6: \"00:00:xx,000 --> 00:00:04,000\" has no times such as"],
        ),
        (
            "a damaged end",
            "1\n00:00:01,000 --> later\nlost\n\n2\n00:00:05,000 --> 00:00:06,000\nworld",
            &["5000 6000 world"],
            &["line 2:"],
        ),
        (
            "no start",
            "1\n--> 00:00:02,000\nlost\n\n2\n00:00:05,000 --> 00:00:06,000\nworld",
            &["5000 6000 world"],
            &["line 2:"],
        ),
        (
            "no times",
            "1\nx --> y\nlost\n\n2\n00:00:05,000 --> 00:00:06,000\nworld",
            &["5000 6000 world"],
            &["line 2:"],
        ),
        ("frames in place of milliseconds", "1\n00:00:01:12 --> 00:00:02:12\nlost\n", &[], &["line 2:"]),
        (
            "a damaged cue in the text of another",
            "00:00:01,000 --> 00:00:02,500\nhello\n00:00:0l,000 --> 00:00:04,000\nlost\n00:00:05,000 --> 00:00:06,000\nworld",
            &["1000 2500 hello", "5000 6000 world"],
            &["line 3:"],
        ),
        ("more than a year", "1\n99999:00:00,000 --> 99999:00:01,000\nlost\n", &[], &["line 2:"]),
        ("all damaged", "1\n00:00:xx,000 --> 00:00:04,000\nlost\n", &[], &["line 2:"]),
    ]);
    let many: String =
        (0..50).map(|index| format!("{index}\n00:00:xx,000 --> 00:00:04,000\nlost\n\n")).collect();
    let told = read_transcript(many.as_bytes()).unwrap().notes;
    assert_eq!((told.len(), told[20].as_str()), (21, "30 more of its parts cannot be read"));
}

#[test]
fn webvtt_has_blocks_that_nobody_says() {
    let two: &[&str] = &["1000 2000 hello", "3000 4000 world"];
    let cue = |id: &str| {
        format!("WEBVTT\n\n{id}\n00:01.000 --> 00:02.000\nhello\n\n00:03.000 --> 00:04.000\nworld\n")
    };
    all(&[
        (
            "the header with more",
            "WEBVTT - a title\nKind: captions\nLanguage: en\n\n00:01.000 --> 00:02.000\nhello\n\n00:03.000 --> 00:04.000\nworld\n",
            two,
            &[],
        ),
        (
            "no empty line after the header",
            "WEBVTT\n00:01.000 --> 00:02.000\nhello\n\n00:03.000 --> 00:04.000\nworld\n",
            two,
            &[],
        ),
        ("a name that is a number", &cue("7"), two, &[]),
        ("a name in words", &cue("the first - part"), two, &[]),
        ("NOTE in a line", &cue("NOTE nothing\n\nintro"), two, &[]),
        ("NOTE with an arrow", &cue("NOTE a --> b\nc --> d\n"), two, &[]),
        ("NOTE with a cue", &cue("NOTE\n00:00.000 --> 00:09.000\nnever said\n"), two, &[]),
        ("NOTE at the end", &format!("{}\nNOTE\nthe end --> here\n", cue("")), two, &[]),
        ("STYLE with an arrow", &cue("STYLE\n::cue { color: red }\n/* a --> b */\n"), two, &[]),
        ("REGION", &cue("REGION\nid:fred\nwidth:40%\n"), two, &[]),
        (
            "a line of one blank first",
            "WEBVTT\n\n00:01.000 --> 00:02.000\n \nhello\n\n00:03.000 --> 00:04.000\n \nworld\n \n",
            two,
            &[],
        ),
        (
            "a line of blanks between lines",
            "WEBVTT\n\n00:01.000 --> 00:02.000\nhel\n \nlo\n\n00:03.000 --> 00:04.000\nworld\n",
            &["1000 2000 hel lo", "3000 4000 world"],
            &[],
        ),
        (
            "text after an empty line",
            "WEBVTT\n\n00:01.000 --> 00:02.000\nhel\n\nlo\n\n00:03.000 --> 00:04.000\nworld\n",
            &["1000 2000 hel lo", "3000 4000 world"],
            &["line 5: the text after the empty line"],
        ),
        (
            "segments of a stream put together",
            "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n\n00:01.000 --> 00:02.000\nhello\n\nWEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n\n00:03.000 --> 00:04.000\nworld\n",
            two,
            &[],
        ),
        (
            "a damaged cue",
            "WEBVTT\n\n00:01.000 --> 00:02.000\nhello\n\nname\n00:0b.000 --> 00:03.000\nlost\n\n00:03.000 --> 00:04.000\nworld\n",
            two,
            &["line 7:"],
        ),
        ("no cue", "WEBVTT\n", &[], &[]),
        (
            "notes that are said in SubRip",
            "1\n00:00:01,000 --> 00:00:02,000\nNOTE\nthat\n",
            &["1000 2000 NOTE that"],
            &[],
        ),
    ]);
}

#[test]
fn marks_go_and_words_stay() {
    for (text, expect) in [
        ("i <3 you and 5 > 4", "i <3 you and 5 > 4"),
        ("if a<b and c>d then <- or ->", "if a<b and c>d then <- or ->"),
        ("<b>bold</b> <i>it</i> <u>u</u>", "bold it u"),
        ("<B>bold</B> <c.yellow.bg_blue>c</c>", "bold c"),
        ("<v Alice>Hi.</v>", "Alice: Hi."),
        ("<v.loud.fast Ann B.>No!", "Ann B.: No!"),
        ("<v Ann>Hi. <v Ben>Ho.", "Ann: Hi. Ben: Ho."),
        ("<00:00:01.000><c>one</c><00:00:01.500><c> two</c>", "one two"),
        ("{\\an8}up {\\pos(1,2)}there", "up there"),
        ("{i}it{/i} {sic} {\\i1}x", "it {sic} x"),
        ("<font color=\"#fff\" size=3>white</font>", "white"),
        ("<font\ncolor=red>split</font>", "split"),
        ("one<br>two<br/>three<BR />four", "one two three four"),
        ("<ruby>漢<rt>かん</rt></ruby>", "漢かん"),
        ("<lang en-GB>colour</lang>", "colour"),
        ("<laughs> [door] (sighs) ♪", "<laughs> [door] (sighs) ♪"),
        (
            "don&#39;t &amp; do &quot;it&quot; &lt;3 &gt;&gt; go&nbsp;on &#x27;x&#x27;",
            "don't & do \"it\" <3 >> go on 'x'",
        ),
        ("&lt;b&gt; is a tag &hellip; &eacute;", "<b> is a tag … é"),
        ("AT&T R&D &unknown; &#xZZ; &", "AT&T R&D &unknown; &#xZZ; &"),
        ("it&#146;s &#8212; so", "it’s — so"),
        ("never closed <b", "never closed <b"),
        ("never closed {\\an", "never closed {\\an"),
        ("<<< >>> <> </>", "<<< >>> <> </>"),
        ("\u{202b}שלום\u{202c}\u{200e}", "שלום"),
        ("- Alice: no\n- Bob: yes", "- Alice: no - Bob: yes"),
    ] {
        let file =
            format!("1\n00:00:01,000 --> 00:00:02,000\n{text}\n\n2\n00:00:03,000 --> 00:00:04,000\nworld\n");
        check(text, file.as_bytes(), &[&format!("1000 2000 {expect}"), "3000 4000 world"], &[]);
        let file = format!(
            "WEBVTT\n\n00:01.000 --> 00:02.000 align:start\n{text}\n\n00:03.000 --> 00:04.000\nworld\n"
        );
        check(text, file.as_bytes(), &[&format!("1000 2000 {expect}"), "3000 4000 world"], &[]);
    }
    let long =
        format!("1\n00:00:01,000 --> 00:00:02,000\n{}{}\n", "<b ".repeat(100_000), "&amp;".repeat(100_000));
    assert_eq!(read_transcript(long.as_bytes()).unwrap().said.len(), 1);
}

#[test]
fn rolling_captions_say_each_line_once() {
    let youtube = "WEBVTT\nKind: captions\nLanguage: en\n\n00:00:00.160 --> 00:00:02.389 align:start position:0%\n \nhello<00:00:00.480><c> everyone</c>\n\n\
        00:00:02.389 --> 00:00:02.399 align:start position:0%\nhello everyone\n \n\n\
        00:00:02.399 --> 00:00:05.000 align:start position:0%\nhello everyone\nwelcome<00:00:03.000><c> back</c>\n\n\
        00:00:05.000 --> 00:00:05.010 align:start position:0%\nwelcome back\n \n\n\
        00:00:05.010 --> 00:00:07.000 align:start position:0%\nwelcome back\n&gt;&gt; thank you\n";
    let once: &[&str] = &["160 2389 hello everyone", "2399 5000 welcome back", "5010 7000 >> thank you"];
    all(&[
        ("YouTube", youtube, once, &[]),
        (
            "YouTube as SubRip",
            "1\n00:00:00,160 --> 00:00:02,389\nhello everyone\n\n2\n00:00:02,389 --> 00:00:02,399\nhello everyone\n\n3\n00:00:02,399 --> 00:00:05,000\nhello everyone\nwelcome back\n\n4\n00:00:05,000 --> 00:00:05,010\nwelcome back\n\n5\n00:00:05,010 --> 00:00:07,000\nwelcome back\n>> thank you\n",
            once,
            &[],
        ),
        (
            "three lines that roll",
            "00:01.000 --> 00:02.000\na\n\n00:02.000 --> 00:03.000\na\nb\n\n00:03.000 --> 00:04.000\na\nb\nc\n\n00:04.000 --> 00:05.000\nb\nc\nd\n",
            &["1000 2000 a", "2000 3000 b", "3000 4000 c", "4000 5000 d"],
            &[],
        ),
        (
            "cues that overlap while they roll",
            "00:01.000 --> 00:04.000\na\n\n00:02.000 --> 00:05.000\na\nb\n",
            &["1000 4000 a", "2000 5000 b"],
            &[],
        ),
        (
            "somebody says it again",
            "00:01.000 --> 00:02.000\nNo.\n\n00:02.000 --> 00:03.000\nNo.\n\n00:03.000 --> 00:04.000\nNo.\n",
            &["1000 2000 No.", "2000 3000 No.", "3000 4000 No."],
            &[],
        ),
        (
            "a song",
            "00:01.000 --> 00:02.000\nla\nlo\n\n00:02.000 --> 00:03.000\nlu\n\n00:03.000 --> 00:04.000\nli\n\n00:04.000 --> 00:05.000\nle\n\n00:05.000 --> 00:06.000\nle\nlei\n",
            &["1000 2000 la lo", "2000 3000 lu", "3000 4000 li", "4000 5000 le", "5000 6000 le lei"],
            &[],
        ),
        (
            "the same after a pause",
            "00:01.000 --> 00:02.000\na\n\n00:09.000 --> 00:10.000\na\nb\n",
            &["1000 2000 a", "9000 10000 a b"],
            &[],
        ),
    ]);
}

#[test]
fn encodings_are_found_out() {
    let cue = |text: &str| format!("1\n00:00:01,000 --> 00:00:02,000\n{text}\n");
    for (encoding, text) in [
        (encoding_rs::WINDOWS_1252, "Café, crème brûlée und schöne Grüße"),
        (encoding_rs::WINDOWS_1252, "“It’s a café” — he said…"),
        (encoding_rs::WINDOWS_1252, "¿Qué pasa, señor? Mañana."),
        (encoding_rs::WINDOWS_1250, "Příliš žluťoučký kůň úpěl ďábelské ódy"),
        (encoding_rs::WINDOWS_1251, "Привет, где мои ключи?"),
        (encoding_rs::WINDOWS_1253, "Καλημέρα, πού είναι το ποτήρι;"),
        (encoding_rs::WINDOWS_1256, "صباح الخير، أين المفاتيح"),
        (encoding_rs::SHIFT_JIS, "おはようございます。鍵はどこですか。"),
        (encoding_rs::EUC_KR, "안녕하세요, 열쇠가 어디 있어요?"),
        (encoding_rs::GBK, "早上好，钥匙在哪里？我找不到。"),
        (encoding_rs::BIG5, "早安，鑰匙在哪裡？我找不到。"),
        (encoding_rs::ISO_2022_JP, "おはようございます。鍵はどこですか。"),
    ] {
        let (bytes, _, lossy) = encoding.encode(text);
        assert!(!lossy, "{text}");
        let file = [b"1\n00:00:01,000 --> 00:00:02,000\n".as_slice(), &bytes, b"\n"].concat();
        check(text, &file, &[&format!("1000 2000 {text}")], &["it is not UTF-8; it was read as"]);
    }
    let utf_32: Vec<u8> =
        format!("\u{feff}{}", cue("é")).chars().flat_map(|letter| (letter as u32).to_le_bytes()).collect();
    check("UTF-32", &utf_32, &["1000 2000 é"], &[]);
    check("escapes in UTF-8", cue("\u{1b}[1mé").as_bytes(), &["1000 2000 \u{1b}[1mé"], &[]);
    let chinese: Vec<u8> =
        cue("早上好，钥匙在哪里").encode_utf16().flat_map(|unit| unit.to_le_bytes()).collect();
    check("UTF-16 without a mark", &chinese, &["1000 2000 早上好，钥匙在哪里"], &[]);
    let mixed = [
        cue("Grüße, Жанна").as_bytes(),
        cue("žluťoučký").as_bytes(),
        b"3\n00:00:05,000 --> 00:00:06,000\nCaf\xe9 cr\xe8me\n",
    ]
    .concat();
    check(
        "one line of another encoding",
        &mixed,
        &["1000 2000 Grüße, Жанна", "1000 2000 žluťoučký", "5000 6000 Café crème"],
        &["1 of its lines are not UTF-8; they were read as windows-1252"],
    );
    check("no text", &[0, 1, 2, 0, 0, 0, 3, 255, 0, 0, 0, 0, 9, 8, 0, 0, 0], &[], &["error: it is no text"]);
}

#[test]
fn json_of_many_tools() {
    all(&[
        (
            "whisper",
            r#"{"text": " a b", "segments": [{"id": 0, "seek": 0, "start": 2.5, "end": 3, "text": " b ", "tokens": [1], "avg_logprob": -0.2}, {"start": 0, "end": 1.25, "text": "a", "speaker": "Anna"}], "language": "en"}"#,
            &["0 1250 Anna: a", "2500 3000 b"],
            &[],
        ),
        (
            "OpenAI verbose_json",
            r#"{"task": "transcribe", "duration": 2.0, "text": "hello", "segments": [{"id": 0, "start": 0.0, "end": 2.0, "text": " hello"}], "words": [{"word": "hello", "start": 0.1, "end": 0.5}]}"#,
            &["0 2000 hello"],
            &[],
        ),
        (
            "words alone",
            r#"{"text": "Hello there. Go", "words": [{"word": "Hello", "start": 0.0, "end": 0.4}, {"word": "there.", "start": 0.5, "end": 0.9}, {"word": "Go", "start": 1.0, "end": 1.2}]}"#,
            &["0 900 Hello there.", "1000 1200 Go"],
            &[],
        ),
        (
            "whisper.cpp",
            r#"{"systeminfo": "x", "transcription": [{"timestamps": {"from": "00:00:00,010", "to": "00:00:00,020"}, "offsets": {"from": 10, "to": 20}, "text": " x"}]}"#,
            &["10 20 x"],
            &[],
        ),
        (
            "whisper.cpp without offsets",
            r#"{"transcription": [{"timestamps": {"from": "00:00:01,500", "to": "00:00:02,000"}, "text": "x"}]}"#,
            &["1500 2000 x"],
            &[],
        ),
        (
            "Transformers",
            r#"{"chunks": [{"timestamp": [1.0, null], "text": "x"}, {"timestamp": [2, 3], "text": "y"}]}"#,
            &["1000 1000 x", "2000 3000 y"],
            &[],
        ),
        (
            "whisperX",
            r#"{"segments": [{"start": 0.1, "end": 0.9, "text": "In 2014.", "words": [{"word": "In", "start": 0.1, "end": 0.2, "score": 0.9}, {"word": "2014."}], "speaker": "SPEAKER_00"}], "word_segments": [{"word": "In", "start": 0.1, "end": 0.2}]}"#,
            &["100 900 SPEAKER_00: In 2014."],
            &[],
        ),
        (
            "times from words",
            r#"{"segments": [{"text": "In 2014 yes", "words": [{"word": "In", "start": 0.1, "end": 0.2}, {"word": "2014"}, {"word": "yes", "start": 0.5, "end": 0.7}]}]}"#,
            &["100 700 In 2014 yes"],
            &[],
        ),
        (
            "text from words",
            r#"{"segments": [{"start": 0, "end": 1, "words": [{"word": " In"}, {"word": " time"}]}]}"#,
            &["0 1000 In time"],
            &[],
        ),
        (
            "word_segments alone",
            r#"{"word_segments": [{"word": "so", "start": 1, "end": 1.2, "speaker": "A"}, {"word": "2014"}, {"word": "it", "start": 1.5, "end": 1.6, "speaker": "B"}, {"word": "is", "start": 5.5, "end": 5.6, "speaker": "B"}]}"#,
            &["1000 1200 A: so 2014", "1500 1600 B: it", "5500 5600 B: is"],
            &[],
        ),
        (
            "words of a script without blanks",
            r#"{"words": [{"word": "早上", "start": 0, "end": 1}, {"word": "好", "start": 1, "end": 1.5}]}"#,
            &["0 1500 早上好"],
            &[],
        ),
        (
            "words that bring their blanks",
            r#"[{"word": " can", "start": 0, "end": 1}, {"word": "'t", "start": 1, "end": 1.1}, {"word": " go", "start": 1.2, "end": 1.5}]"#,
            &["0 1500 can't go"],
            &[],
        ),
        ("a list", r#"[{"start": 1, "end": 2, "text": "x"}]"#, &["1000 2000 x"], &[]),
        (
            "speakers as numbers",
            r#"[{"start": 1, "end": 2, "text": "x", "speaker": 1}, {"start": 2, "end": 3, "text": "y", "speaker": "2"}, {"start": 3, "end": 4, "text": "z", "speaker": {"name": "Ann"}}, {"start": 4, "end": 5, "text": "q", "speaker": null}]"#,
            &["1000 2000 Speaker 1: x", "2000 3000 Speaker 2: y", "3000 4000 Ann: z", "4000 5000 q"],
            &[],
        ),
        (
            "keys in capitals",
            r#"{"Segments": [{"Start": 1, "END": 2, "Text": "x", "Speaker": "Ann"}]}"#,
            &["1000 2000 Ann: x"],
            &[],
        ),
        ("times as text", r#"[{"start": "00:00:01,000", "end": "2.5", "text": "x"}]"#, &["1000 2500 x"], &[]),
        (
            "negative times",
            r#"[{"start": -0.02, "end": 2, "text": "x"}, {"start": -2, "end": -1, "text": "y"}]"#,
            &["0 0 y", "0 2000 x"],
            &[],
        ),
        (
            "one segment without times",
            r#"[{"start": 1, "end": 2, "text": "x"}, {"text": "lost"}, {"start": null, "end": 3, "text": "lost"}]"#,
            &["1000 2000 x"],
            &["segment 1: it has no start", "segment 2: it has no start"],
        ),
        (
            "one segment without text",
            r#"[{"start": 1, "end": 2, "text": null}, {"start": 1, "end": 2, "text": 7}, {"start": 1, "end": 2, "text": "x"}]"#,
            &["1000 2000 x"],
            &["segment 0: it has no text", "segment 1: its text is no text"],
        ),
        (
            "out of range",
            r#"[{"start": 1e12, "end": 1e13, "text": "lost"}, {"start": 1, "end": 0, "text": "x"}]"#,
            &["1000 1000 x"],
            &["segment 0: its times are out of range"],
        ),
        ("nothing said", r#"{"text": "", "segments": [], "language": "en"}"#, &[], &[]),
        ("blank text", r#"[{"start": 1, "end": 2, "text": " "}]"#, &[], &[]),
        ("another file", r#"{"fps": 20}"#, &[], &["error: it has no list of segments"]),
        ("half a file", r#"{"segments": [{"start": 1, "end": 2, "te"#, &[], &["error: it is not JSON"]),
        (
            "cues that begin with a bracket",
            "[Music]\n\n1\n00:00:01,000 --> 00:00:02,000\nhello\n",
            &["1000 2000 hello"],
            &["\"[Music]\" before"],
        ),
    ]);
}

#[test]
fn other_formats_are_named_with_a_remedy() {
    all(&[
        (
            "ASS",
            "[Script Info]\nTitle: x\n\n[Events]\nDialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,Hi\n",
            &[],
            &["error: it is ASS or SSA; `ffmpeg -i"],
        ),
        (
            "TTML",
            "<?xml version=\"1.0\"?>\n<tt xmlns=\"http://www.w3.org/ns/ttml\"><body><p begin=\"1s\">Hi</p></body></tt>",
            &[],
            &["error: it is TTML; `tt convert"],
        ),
        ("SAMI", "<SAMI><BODY><SYNC Start=1000>Hi</BODY></SAMI>", &[], &["error: it is SAMI"]),
        ("LRC", "[ti:song]\n[00:12.00]la la\n[00:15.00]lo\n", &[], &["error: it is LRC"]),
        ("MicroDVD", "{10}{50}Hi\n{60}{70}Ho\n", &[], &["error: it is MicroDVD"]),
        ("prose", "I am no subtitle", &[], &["error: it has no cue"]),
    ]);
    assert!(read_transcript(&vec![b'a'; LARGEST_BYTES + 1]).unwrap_err().contains("a transcript at most 64"));
}

#[test]
fn what_is_said_belongs_to_the_clip_in_which_it_is_over() {
    let line = |start_ms, end_ms, text: &str| Said { start_ms, end_ms, text: text.into() };
    let said =
        [line(0, 0, "a"), line(1000, 30_000, "b"), line(29_000, 31_000, "c"), line(59_000, 63_000, "d")];
    let part = |from, to, is_last| lines_of(&said_in(&said, (from, to), from == 0, is_last));
    assert_eq!(part(0, 30_000, false).as_deref(), Some("a\nb"));
    assert_eq!(part(30_000, 60_000, false).as_deref(), Some("c"));
    assert_eq!(part(30_000, 60_000, true).as_deref(), Some("c\nd"));
    assert_eq!(part(90_000, 120_000, true), None);
    assert_eq!(said_in(&said, (30_000, 60_000), false, false), [line(-1000, 1000, "c")]);
}

proptest! {
    #[test]
    fn no_bytes_panic_and_every_line_lands_in_one_clip(text in "(WEBVTT\n)?([0-9]{1,2}:?|[,.<>{}\\\\v &;]|-->|\n|NOTE|[a-z\u{e9}]){0,80}", cut in 1i64..50_000) {
        if let Ok(Transcript { said, .. }) = read_transcript(text.as_bytes()) {
            let first = said_in(&said, (0, cut), true, false).len();
            let last = said_in(&said, (cut, cut + 1), false, true).len();
            prop_assert_eq!(first + last, said.len());
            prop_assert!(said.iter().all(|said| !said.text.is_empty() && !said.text.contains('\n')));
        }
    }
}
