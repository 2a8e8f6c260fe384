//! Numbers in free texts, as math-verify 0.9 reads them.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn reads(text: &str, expect: Option<f64>) {
    let found = stray(text);
    let same = |number: f64| found.value.as_ref().is_some_and(|value| value.same(&Value::number(number)));
    assert!(expect.map_or(found.value.is_none(), same), "{text:?}: {found:?}");
}

/// From `parse(text)` of math-verify 0.9.
#[test]
fn stray_numbers_are_math_verifys() {
    reads("I saw 2 chairs", Some(2.0));
    reads("The answer is 12", Some(12.0));
    reads("12, 13", Some(13.0));
    reads("first 3 then 4 then 5", Some(5.0));
    reads("1,000 apples", Some(1000.0));
    reads("50%", Some(0.5));
    reads("x = 5", Some(5.0));
    reads("a 0.5 m", Some(0.5));
    reads("room1 and room 2 go", Some(2.0));
    reads("3D", Some(3.0));
    reads("turn right 90 degrees and left 45 degrees", Some(45.0));
    reads("2:30", Some(2.0));
    reads("-3", Some(-3.0));
    reads("1/2", Some(0.5));
    reads("Hence, the correct answer is 7 ok. And 8", Some(7.0));
    for none in ["", "nothing", "<answer>B</answer>", "A. left B. right", "room1", "answer"] {
        reads(none, None);
    }
}

/// What hides a number and what does not; from the same.
#[test]
fn expressions_hide_numbers() {
    reads("12:. then -3. 3 + 4. turn left", Some(4.0));
    reads("then -3\n10-15 m", Some(10.0));
    reads("10-15 m", Some(-5.0));
    reads("<answer>the answer is 7 **8**", Some(8.0));
    reads("<answer>= 5 2 - 3 steps go 2 or 3 steps</answer>", Some(3.0));
    reads("3 + 4, $5", Some(5.0));
}

/// From `verify(parse(a), parse(b))` of the same.
#[test]
fn formulas_are_math_verifys() {
    let case = |a: &str, b: &str, expect: bool| {
        assert_eq!((stray(a).same(&stray(b)), stray(b).same(&stray(a))), (expect, expect), "{a:?} {b:?}");
    };
    case("I see \\boxed{3} and 5", "3", true);
    case("$3$ then 4", "4", true);
    case("4 then $3$", "$x=3$", true);
    case("the answer is $5$ then 6", "5", true);
    case("$\\boxed{12}$ final answer is 4", "4", true);
    case("50%", "50", true);
    case("\\boxed{50\\%}", "0.5", true);
    case("\\boxed{A}", "$A$", true);
    case("\\boxed{A}", "$B$", false);
    case("\\boxed{3} and \\boxed{4}", "$4$, $3$", true);
    case("$3$, $4$", "3", false);
    case("\\boxed{}", "$3$", false);
    case("room 1,000", "1000", true);
    case("go **8** 0.5 is", "0.5", false);
    case("Answer: \n $5 steps $$x=3$$", "3", false);
    // One member, exactness, and the newline that ends a cue's reach.
    case("= . 4 . \\frac{1}{2} and \\frac{1}{2}", "the answer is 50%", true);
    case("see \\frac{1}{2} and $0.5$", "0.5", true);
    case("3/4 **8** 2 + 3", "go 2 + 3", false);
    case("0.5 **8** 2 + 3", "3", false);
    case("3/4 **8** 5 \n", "0.5 **8** 2 , x", true);
    case("0.5 **8** 2 + 3", "$2+1$", true);
    case("= **8** -2 **8** 0.5", "0", false);
    case("12 **8** 3/4", "3/4", false);
    case("then 5 **8** 3/4 **8** 3/4", "steps 3/4", false);
    case("final answer is . 1\n= is 1,000 steps \\frac{1}{2}", "0.5", true);
    case("final answer is is 3/4 **8** 3/4 room2 1", "0", false);
    // What is no formula, though it looks like one.
    case("Answer: **8** $5 and $5 steps 10", "10", true);
    case("Answer: , $5 . 3/4 room2 $5", "5", true);
    case("is \\boxed{ \n \\frac{1}{2} **8** 2</think>", "2", true);
    case("is \\boxed{ \n 1,000 **8** \\frac{1}{2}", "\\frac{1}{2}", true);
    case("go 2 + 3", "2 + 3 then \\boxed{3} then \\boxed{\\text{left}}", true);
    case("Answer: . $$x=3$$\n", "Answer: then 0.5 **8** 2 + 3 then", false);
    // What an `=` follows is read as far as none follows.
    case("the answer is and 1,000 = x", "1", true);
    case("the answer is and 3/4 = 0.5 = x", "0", true);
    case("Answer: steps 3/4 = x", "3", true);
    case("the answer is = \n 0.5 . then 7", "0.5", true);
    case("final answer is . $5 room2 0.5 = $$x=3$$", "5", true);
}

proptest! {
    #[test]
    fn no_text_panics(text in "(answer|final answer is|[0-9]{1,4}|[.,:=*$%()/+é×\n -]|is){0,16}") {
        stray(&text);
    }
}
