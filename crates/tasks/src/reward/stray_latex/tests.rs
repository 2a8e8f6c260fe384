//! Formulas in free texts, as math-verify 0.9 reads them.

use proptest::prelude::*;

use super::*;

#[test]
fn formulas_are_found_and_read() {
    let check = |text: &str, expect: &[Value]| {
        let found: Vec<Value> = formulas(text, false).into_iter().filter_map(|f| f.value).collect();
        let alike = found.len() == expect.len() && found.iter().zip(expect).all(|(a, b)| a.same(b));
        assert!(alike, "{text:?}: {found:?}");
    };
    check("see $3$ and \\(4\\)", &[Value::Set(vec![Value::number(3.0), Value::number(4.0)])]);
    check("$$7$$ then \\[2\\]", &[Value::number(7.0), Value::number(2.0)]);
    check("a [3] b", &[Value::number(3.0)]);
    check("-\\frac{1}{2}", &[Value::number(-0.5)]);
    check("$x=3$", &[Value::Equation("x".into(), 3.0, Form::Whole)]);
    check("$50\\%$", &[Value::Number { value: 50.0, percent: true, form: Form::Whole }]);
    check("$50$% ", &[Value::Number { value: 50.0, percent: true, form: Form::Whole }]);
    check("$\\text{left}$", &[Value::Name("left".into())]);
    check("$5 steps $", &[Value::Name("5 steps".into())]);
    check("$5 and 7", &[]);
    check("a\\$5$", &[]);
}

#[test]
fn boxes_are_found_and_read() {
    let check = |text: &str, expect: Option<Value>| {
        let found = bare_box(text).and_then(|found| found.value);
        let alike = found.as_ref().zip(expect.as_ref()).is_some_and(|(a, b)| a.same(b));
        assert!(alike || found.is_none() && expect.is_none(), "{text:?}: {found:?}");
    };
    check("I see \\boxed{3} and 5", Some(Value::number(3.0)));
    check("\\boxed{3} and \\boxed{4}", Some(Value::Set(vec![Value::number(3.0), Value::number(4.0)])));
    check("\\boxed{2+1} then", Some(Value::number(3.0)));
    check("\\boxed{\\frac{1}{2}} }", Some(Value::number(0.5)));
    check("\\boxed{A}", Some(Value::Name("a".into())));
    check("\\boxed{3", None);
    check("\\boxed{}", None);
}

proptest! {
    #[test]
    fn no_text_panics(text in "(\\$|\\\\boxed\\{|\\\\\\(|\\\\\\)|\\\\\\[|\\\\\\]|\\\\frac\\{|\\}\\{|\\}|[0-9]|é|and|,|=| |\n|\\[|\\]|%){0,18}") {
        formulas(&text, false);
        formulas(&text, true);
        bare_box(&text);
    }
}
