//! One rendered example per published prompt. Checkpoints depend on every byte.

use super::*;

const THINK: &str = "Please think about this question as if you were a human pondering deeply. Engage in an internal dialogue using expressions such as 'let me think', 'wait', 'Hmm', 'oh, I see', 'let's break it down', etc, or other natural language thought expressions It's encouraged to include self-reflection or verification in the reasoning process. Provide your detailed reasoning between the <think> and </think> tags, and then give your final answer between the <answer> and </answer> tags.";
const ST: &str = "Output the thinking process in <think> </think> and final answer in <answer> </answer> tags, i.e., <think> reasoning process here </think><answer> answer here </answer>.";

#[track_caller]
fn check(style: Style, kind: Kind, options: &[&str], system: Option<&str>, user: &str) {
    let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
    let question = Question { text: "Where is it?", kind, options: &options, size: Some([480, 640]) };
    let prompt = style.prompt(&question).unwrap();
    assert_eq!(prompt.user, user);
    assert_eq!(prompt.system.as_deref(), system);
}

#[test]
fn plain_asks_the_question() {
    check(Style::Plain, Kind::FreeForm, &[], None, "Where is it?");
    check(Style::Plain, Kind::MultipleChoice, &["here", "there"], None, "Where is it?\nA. here\nB. there");
}

#[test]
fn video_r1_is_byte_exact() {
    let choice = format!(
        "Where is it?Options:\nA. here\nB. there\n\n{THINK} Please provide only the single option letter (e.g., A, B, C, D, etc.) within the <answer> </answer> tags."
    );
    check(Style::VideoR1, Kind::MultipleChoice, &["here", "there"], None, &choice);
    check(Style::VideoR1, Kind::MultipleChoice, &["A. here", "B. there"], None, &choice);
    for (kind, suffix) in [
        (
            Kind::Numerical,
            " Please provide the numerical value (e.g., 42 or 3.14) within the <answer> </answer> tags.",
        ),
        (
            Kind::Regression,
            " Please provide the numerical value (e.g., 42 or 3.14) within the <answer> </answer> tags.",
        ),
        (
            Kind::Ocr,
            " Please transcribe text from the image/video clearly and provide your text answer within the <answer> </answer> tags.",
        ),
        (Kind::FreeForm, " Please provide your text answer within the <answer> </answer> tags."),
    ] {
        check(Style::VideoR1, kind, &[], None, &format!("Where is it?\n{THINK}{suffix}"));
    }
}

#[test]
fn the_training_prompt_of_video_r1_is_byte_exact() {
    let think = THINK.replace("<think> and </think>", "<think> </think>");
    let think = think.replace("<answer> and </answer>", "<answer> </answer>");
    let choice = |options: &str| {
        format!(
            "Where is it?Options:\n{options}\n{think} Please provide only the single option letter (e.g., A, B, C, D, etc.) within the <answer> </answer> tags."
        )
    };
    let style = Style::VideoR1Training;
    check(style, Kind::MultipleChoice, &["here", "there"], None, &choice("A. here\nB. there\n"));
    check(style, Kind::MultipleChoice, &["A.here ", "B. there"], None, &choice("A.here \nB. there\n"));
    let free = " Please provide your text answer within the <answer> </answer> tags.";
    check(style, Kind::FreeForm, &[], None, &format!("Where is it?\n{think}{free}"));
}

#[test]
fn names_in_files_are_the_names_on_command_lines() {
    for style in Style::ALL {
        assert_eq!(serde_json::to_value(style).unwrap(), style.name());
    }
}

#[test]
fn st_r1_is_byte_exact() {
    let choice = format!(
        "Where is it?Options:A. here\nB. there\n\nInstructions: Please select the most appropriate answer from the options above and return only the option number (e.g. A, B, C or D).{ST}"
    );
    check(Style::StR1, Kind::MultipleChoice, &["(A) here", "(B) there"], None, &choice);
    check(Style::StR1, Kind::FreeForm, &[], None, &format!("Where is it? Please answer in English. {ST} "));
}

const OBSERVE: &str = "You FIRST observe the image in <observe> </observe> tags, then visualise the relevant scene graph in <scene> </scene> tags, followed by thinking about the reasoning process as an internal monologue within <think> </think> tags and then provide the final answer. The final answer MUST BE put within <answer> </answer> tags, and only return the final choice including the correct option and answer within the answer tags, e.g., <answer>";

#[test]
fn spatialthinkers_card_is_byte_exact() {
    let asked = "Where is it?\nOptions:\n(A) here\n(B) there";
    let user = format!("{OBSERVE} (A) cat </answer>.\n\nImage size: 640 x 480\n\n{asked}");
    check(Style::SpatialThinker, Kind::MultipleChoice, &["here", "there"], None, &user);
    check(Style::SpatialThinker, Kind::FreeForm, &[], None, &user.replace(asked, "Where is it?"));
}

#[test]
fn spatialthinkers_evaluation_is_byte_exact() {
    let user = format!(
        "{OBSERVE} ({{correct_option}}) {{correct_answer}} </answer>.\n\nImage size: {{Width}} x {{Height}}\n(640 x 480)\n\nNow answer the following question:\nWhere is it?\nOptions:\n(A) here\n(B) there"
    );
    check(Style::SpatialThinkerEvalLiteral, Kind::MultipleChoice, &["here", "there"], None, &user);
}

#[test]
fn spatialthinkers_training_prompt_is_as_it_was() {
    let style = Style::SpatialThinkerTrain;
    let options = ["here", "there"].map(str::to_owned);
    let question = Question {
        text: "Where is it?",
        kind: Kind::MultipleChoice,
        options: &options,
        size: Some([480, 640]),
    };
    let user = style.prompt(&question).unwrap().user;
    let tail = "</answer>\n\nImage size: (640 x 480)\n\nNow answer the following question:\n\nQ. Where is it?\nOptions:\n(A) here\n(B) there";
    assert!(user.ends_with(tail), "{user}");
    // One text after the picture, with the blank that its loader leaves.
    assert!(user.starts_with(" You answer"), "{user}");
    // The whole, by a sum of its bytes: whoever changes a word sees it here.
    let sum = user.bytes().fold(0u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    assert_eq!((user.len(), sum), (1596, 9_927_006_541_540_542_951));
}

#[test]
fn egothinker_is_byte_exact() {
    let system = Some("You are a helpful assistant.");
    let user = "Carefully watch the video and pay attention to the cause and sequence of events, the detail and movement of objects, and the action and pose of persons. Based on your observations, select the best option that accurately addresses the question.\nQuestion:Where is it?\nOption:\nA: here\nB: there\nOnly give the best option.";
    check(Style::EgoThinker, Kind::MultipleChoice, &["here", "there"], system, user);
    check(Style::EgoThinker, Kind::FreeForm, &[], system, "Where is it?");
    check(
        Style::EgoThinker,
        Kind::Interval,
        &[],
        None,
        "To accurately pinpoint the event \"Where is it?\" in the video, you need to identify a time interval from which the answer to the question can be deduced.\n Output your thought process within the <think> </think> tags. Then, provide the start and end times (in seconds, precise to two decimal places) in the format \"(start,end)\" within the <answer> </answer> tags.",
    );
    check(
        Style::EgoThinker,
        Kind::Box,
        &[],
        None,
        "Locate Where is it? in the image. Provide your reasoning process within the <think> </think> tags. Provide your answer within the <answer> </answer> tags, following <answer>[x min, y min, x max, y max]/answer> format. All values are floating point numbers bounded between 0 and 1.",
    );
}

#[test]
fn only_egothinker_grounding_puts_the_text_first() {
    for style in Style::ALL {
        for &kind in style.kinds() {
            let options =
                if kind == Kind::MultipleChoice { vec!["a".to_owned(), "b".to_owned()] } else { vec![] };
            let question = Question { text: "q", kind, options: &options, size: Some([1, 1]) };
            let text_first = style == Style::EgoThinker && matches!(kind, Kind::Interval | Kind::Box);
            assert_eq!(style.prompt(&question).unwrap().media_first, !text_first, "{style:?} {kind:?}");
        }
    }
}

#[test]
fn refuses_what_no_one_published() {
    let options = ["a".to_owned()];
    let check = |style: Style, kind, options: &[String], size, part: &str| {
        let error = style.prompt(&Question { text: "q", kind, options, size }).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    check(Style::VideoR1, Kind::Box, &[], None, "no published prompt for questions of type box");
    check(Style::VideoR1, Kind::MultipleChoice, &[], None, "two options");
    let with_gap = ["a", "b", " "].map(str::to_owned);
    check(Style::Plain, Kind::MultipleChoice, &with_gap, None, "one option is empty");
    check(Style::Plain, Kind::FreeForm, &options, None, "only with multiple-choice");
    check(Style::SpatialThinker, Kind::FreeForm, &[], None, "size of the picture");
}

#[test]
fn options_lose_their_letters_only_if_all_have_the_right_one() {
    let check = |options: &[&str], expect: &[&str]| {
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        assert_eq!(lettered(&options, "(", ") "), expect);
    };
    check(&["A. x", "B. y"], &["(A) x", "(B) y"]);
    check(&["A: x", "B) y"], &["(A) x", "(B) y"]);
    check(&["A. x", "C. y"], &["(A) A. x", "(B) C. y"]);
    check(&["A man", "B team"], &["(A) A man", "(B) B team"]);
}
