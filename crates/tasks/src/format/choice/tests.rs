use proptest::prelude::*;

use super::*;

#[track_caller]
fn letters(options: usize, rows: &[(&str, &str)]) {
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|(text, expect)| {
            let found = choice(text, options).map(|i| (b'A' + i as u8) as char);
            let same = found == expect.chars().next();
            (!same).then(|| format!("{text:?}: {found:?}, not {expect:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn letters_as_models_write_them() {
    letters(
        5,
        &[
            ("B", "B"),
            ("b", "B"),
            (" B\n", "B"),
            ("(B)", "B"),
            ("[B]", "B"),
            ("B.", "B"),
            ("B)", "B"),
            ("**B**", "B"),
            ("B. chair", "B"),
            ("(B) chair", "B"),
            ("B: on the plate", "B"),
            ("B chair", "B"),
            ("b. foo", "B"),
            ("b) foo", "B"),
            ("A", "A"),
            ("a", "A"),
            ("A.", "A"),
            ("A/", "A"),
            ("(A) behind", "A"),
            ("A. a cup", "A"),
            ("A.cup", "A"),
            ("the answer is B", "B"),
            ("The answer is D", "D"),
            ("Answer: C", "C"),
            ("Answer - A", "A"),
            ("Answer: a", "A"),
            ("The correct answer is (C) red cup.", "C"),
            ("The answer is A because it is red.", "A"),
            ("the answer is b.", "B"),
            ("I think option C is right", "C"),
            ("$B$", "B"),
            ("Hence, the correct answer is option **B**.", "B"),
            ("It must be (D).", "D"),
            ("answer is not sure; Answer: E", "E"),
            ("I would choose A.", "A"),
            ("I'd go with B", "B"),
            ("It's A", "A"),
            ("Definitely A.", "A"),
            ("Yes, B.", "B"),
            ("Sure! A", "A"),
            ("A - red cup", "A"),
            ("A \u{2014} red cup", "A"),
            ("A (red cup)", "A"),
            ("\u{201c}A\u{201d}", "A"),
            ("'B'", "B"),
            ("`C`", "C"),
            ("<A>", "A"),
            ("<b>A</b>", "A"),
            ("B is the correct answer", "B"),
            ("A seems to be right.", "A"),
            ("The cup is red (B).", "B"),
            ("My choice is C", "C"),
            ("A, because it is red.", "A"),
            ("A\nBecause it is red.", "A"),
            ("THE ANSWER IS B.", "B"),
            ("A. red\nB. blue\nC. green\nAnswer: B", "B"),
            ("The answer might be A. Wait. So the answer is B.", "B"),
        ],
    );
}

#[test]
fn boxes_and_markup() {
    letters(
        5,
        &[
            ("\\boxed{D}", "D"),
            ("\\boxed{\\text{A}}", "A"),
            ("$\\boxed{\\textbf{(A) red}}$", "A"),
            ("\\boxed{A} or \\boxed{B}", "B"),
            ("The answer is \\boxed{\\mathrm{C}}.", "C"),
            ("\\(B\\)", "B"),
            ("\\text{B}", "B"),
            ("__A__", "A"),
            ("### Answer: **(C)**", "C"),
            ("A<|im_end|>", "A"),
            ("\\boxed{A, B}", ""),
            ("\\boxed{}", ""),
        ],
    );
}

#[test]
fn other_scripts() {
    letters(
        5,
        &[
            ("A。", "A"),
            ("（A）", "A"),
            ("Ａ", "A"),
            ("Ａ．", "A"),
            ("【C】", "C"),
            ("答案：A", "A"),
            ("答案是B。", "B"),
            ("正确答案为C", "C"),
            ("选A", "A"),
            ("我选择B", "B"),
            ("应该选C。", "C"),
            ("选项D", "D"),
            ("A选项", "A"),
            ("A：red cup", "A"),
            ("A、红色的杯子", "A"),
            ("A. 红色的杯子", "A"),
            ("正解はBです", "B"),
            ("答えは（C）", "C"),
            ("정답은 B입니다", "B"),
            ("정답: C", "C"),
            ("Respuesta: B", "B"),
            ("Ответ: C", "C"),
            ("Ⓑ", "B"),
            ("𝐂", "C"),
            ("选A，不选B", "A"),
            ("不是A，是B", "B"),
            ("A或B", ""),
            ("不选A", ""),
            // Letters that only look Latin: a third letter of another alphabet may be meant.
            ("В", ""),
            ("Ответ: В", ""),
            ("杯子", ""),
        ],
    );
}

#[test]
fn denials() {
    letters(
        5,
        &[
            ("A, not B", "A"),
            ("Option A is correct, not option B.", "A"),
            ("not A but B", "B"),
            ("Not A, B", "B"),
            ("A is wrong, B", "B"),
            ("A is wrong, so the answer is B.", "B"),
            ("It is not A. It is C.", "C"),
            ("The answer is not A, it is B.", "B"),
            ("B instead of A", "B"),
            ("B rather than A", "B"),
            ("I'd choose A over B.", "A"),
            ("Neither A nor B, so C.", "C"),
            ("A and B are wrong. C.", "C"),
            ("It can't be A, so it must be D.", "D"),
            ("Answer: A (not B)", "A"),
            ("A, since B is incorrect", "A"),
            ("not A", ""),
            ("The answer is not A.", ""),
            ("The answer isn't B", ""),
            ("I don't think it's A", ""),
            ("A is wrong.", ""),
            ("Option A is incorrect.", ""),
            ("Neither A nor B", ""),
            ("A. No, A is wrong.", ""),
        ],
    );
}

#[test]
fn nothing_or_too_much() {
    letters(
        5,
        &[
            ("a chair", ""),
            ("A chair is there", ""),
            ("A cup.", ""),
            ("It's a dog", ""),
            ("I can't tell", ""),
            ("the answer is a chair", ""),
            ("the answer is a", ""),
            ("It is a", ""),
            ("Because", ""),
            ("Bowl", ""),
            ("", ""),
            ("()", ""),
            ("I'd say so", ""),
            ("F", ""),
            ("é", ""),
            ("e.g. a cup", ""),
            ("i.e. b", ""),
            ("answer", ""),
            ("The man holds a cup", ""),
            ("the answer is I", ""),
            ("C++", ""),
            ("T-shirt", ""),
            ("A-frame", ""),
            ("vitamin B", ""),
            ("He got an A", ""),
            ("A, B", ""),
            ("B or C", ""),
            ("A or B", ""),
            ("A and B", ""),
            ("either (A) or (B)", ""),
            ("answer: B or C", ""),
            ("Answer: A, B", ""),
            ("The answer is A or B.", ""),
            ("A/B", ""),
            ("A & B", ""),
            ("A. B", ""),
            ("Both A and B", ""),
            ("Both A and B are correct", ""),
            ("A, C, and D", ""),
            ("(A) red or (B) blue", ""),
            ("A: left, B: right", ""),
            ("A) left B) right", ""),
            ("Option A shows a cup, option B shows a bowl.", ""),
            ("Option A shows a cup, so it is wrong.", ""),
            ("Maybe A. Maybe B.", ""),
            ("B. The answer is (C).", ""),
            ("A red cup and a bowl", ""),
            ("THE ANSWER IS A CHAIR", ""),
            ("None of the above", ""),
        ],
    );
    letters(
        10,
        &[("I", "I"), ("(I)", "I"), ("Answer: I", "I"), ("I think so", ""), ("I think A", "A"), ("J", "J")],
    );
}

#[test]
fn options_by_their_words() {
    let check = |options: &[&str], rows: &[(&str, Option<usize>)]| {
        for (text, expect) in rows {
            assert_eq!(choice_among(text, options), *expect, "{text:?} {options:?}");
        }
    };
    check(
        &["A. red cup", "(B) Blue cup", "green cup"],
        &[
            ("blue cup.", Some(1)),
            ("Red Cup", Some(0)),
            ("C", Some(2)),
            ("a green cup", Some(2)),
            ("The red cup", Some(0)),
            ("A green cup", Some(2)),
            ("A red cup", Some(0)),
            ("It is the blue cup.", Some(1)),
            ("Answer: green cup", Some(2)),
            ("red cup, because it is red", Some(0)),
            ("\\boxed{\\text{blue cup}}", Some(1)),
            ("B. blue cup", Some(1)),
            ("\u{201c}red cup\u{201d}", Some(0)),
            ("red cup, blue cup", None),
            ("not the red cup", None),
            ("a yellow cup", None),
            ("cup", None),
            ("A or the green cup", None),
            ("D", None),
            ("", None),
        ],
    );
    // Options that are letters or articles themselves.
    check(
        &["X", "C"],
        &[
            ("B. C", Some(1)),
            ("B", Some(1)),
            ("C", Some(1)),
            ("A. X", Some(0)),
            ("X", Some(0)),
            ("A", Some(0)),
        ],
    );
    check(
        &["X", "C", "B", "A"],
        &[("B. C", Some(1)), ("C. B", Some(2)), ("C", Some(2)), ("(D) A", Some(3)), ("A. C", None)],
    );
    check(
        &["a bowl", "a cup"],
        &[("A cup", Some(1)), ("A bowl.", Some(0)), ("A", Some(0)), ("A chair", None)],
    );
    check(
        &["Yes", "No"],
        &[
            ("Yes, the man runs.", Some(0)),
            ("No.", Some(1)),
            ("No, B.", Some(1)),
            ("yes or no", None),
            ("Yes, no", None),
        ],
    );
    check(
        &["2", "4", "3"],
        &[("Answer: 4", Some(1)), ("4", Some(1)), ("4.", Some(1)), ("5", None), ("2 or 3", None)],
    );
    check(
        &["红色的杯子", "蓝色的杯子"],
        &[("红色的杯子。", Some(0)), ("B：蓝色的杯子", Some(1)), ("杯子", None)],
    );
    assert_eq!(choice_among("cup", &["cup", "Cup"]), None, "two options say the same");
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,40}", options in 0..30usize) {
        prop_assert!(choice(&text, options).is_none_or(|found| found < options));
        choice_among(&text, &["A", "a cup", "红杯", ""]);
    }

    #[test]
    fn no_sentence_panics(text in "([A-Da-b]|is|not|or|answer|option|the|wrong|,|\\.|\\)|\\(| |\n|\\\\boxed\\{|\\}|选){0,16}") {
        choice(&text, 4);
        choice_among(&text, &["A", "B", "is", "not"]);
    }

    #[test]
    fn every_way_of_writing_a_letter_names_it(at in 0..8usize, form in 0..10usize) {
        let letter = (b'A' + at as u8) as char;
        let text = [
            format!("{letter}"), format!("({letter})"), format!("{letter}."), format!("{letter}. thing"),
            format!("the answer is {letter}"), format!("Answer: ({letter}) thing"), format!("答案：{letter}"),
            format!("\\boxed{{\\text{{{letter}}}}}"), format!("I would choose {letter}."), format!("{letter}。"),
        ][form].clone();
        prop_assert_eq!(choice(&text, 8), Some(at));
    }
}
