//! Conversations over the toy runner: what is streamed, what stops, and that a batch is its members alone.

use firsthand_base::{Conversation, Part};
use proptest::prelude::*;

use super::*;
use crate::toy::{Toy, naive, text};

const VOCAB: usize = 24;

/// A tokenizer of bytes in which characters come in parts; a prompt is its characters modulo the vocabulary.
struct Words;

const TOKENS: [&[u8]; VOCAB] = [
    b"a",
    b"b",
    b"c",
    b" a",
    b" the",
    b"the",
    b"\n",
    b"END",
    b"E",
    b"N",
    b"D",
    b"aE",
    "é".as_bytes(),
    b"\xc3",
    b"\xa9",
    b"\xf0\x9f\x91",
    b"\x80",
    b"",
    b"ab",
    b"ba",
    b"cab",
    b".",
    b", ",
    b"NDE",
];

impl Render for Words {
    fn render(&self, conversation: &Conversation) -> Result<Rendered, GenerateError> {
        let mut prompt = String::new();
        for part in conversation.parts() {
            match part {
                Part::Text(text) => prompt += text,
                _ => return Err(GenerateError::Request("the picture cannot be read".into())),
            }
        }
        let ids: Vec<u32> = prompt.bytes().map(|byte| u32::from(byte) % VOCAB as u32).collect();
        Ok(Rendered { input: text(&ids), prompt, media: Vec::new() })
    }

    fn text(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> = ids.iter().flat_map(|&id| TOKENS[id as usize].to_vec()).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn local(step_tokens: usize, max_sequences: usize) -> Local<Toy, Words> {
    let limits = Limits { block_tokens: 3, blocks: 60, max_context: 150, vocab: VOCAB };
    let options = EngineOptions { step_tokens, max_sequences, feature_rows: 0 };
    Local::new(Toy::new(limits), Words, options).unwrap()
}

fn says(text: &str) -> Conversation {
    Conversation::user(vec![Part::Text(text.into())])
}

fn broken() -> Conversation {
    let image = firsthand_base::ImagePart { location: "no.png".into(), limits: Default::default() };
    Conversation::user(vec![Part::Image(image)])
}

fn greedy() -> SamplingOptions {
    SamplingOptions::default()
}

fn stop(max_tokens: usize, tokens: &[u32], strings: &[&str]) -> StopRules {
    StopRules { max_tokens, tokens: tokens.to_vec(), strings: strings.iter().map(|&s| s.into()).collect() }
}

/// What must come: ids up to what stops them, and their text without it.
fn expected(prompt: &str, rules: &StopRules) -> (Vec<u32>, String, Finish) {
    let input = Words.render(&says(prompt)).unwrap().input;
    let all = naive(&input, VOCAB, rules.max_tokens, &rules.tokens);
    for end in 1..=all.len() {
        let ids = &all[..end];
        let is_stop = rules.tokens.contains(&all[end - 1]);
        let text = Words.text(if is_stop { &ids[..end - 1] } else { ids });
        // A stop string counts once its last character is complete.
        let is_last = end == all.len();
        let settled = if is_last { &text } else { text.strip_suffix('\u{fffd}').unwrap_or(&text) };
        if let Some(at) = rules.strings.iter().filter_map(|stop| settled.find(stop)).min() {
            return (ids.to_vec(), settled[..at].to_owned(), Finish::Stop);
        }
        if is_last {
            return (ids.to_vec(), text, if is_stop { Finish::Stop } else { Finish::Length });
        }
    }
    unreachable!("at least one token comes")
}

fn check(answer: &Answer, prompt: &str, rules: &StopRules) {
    let (ids, text, finish) = expected(prompt, rules);
    let generation = &answer.generation;
    assert_eq!(
        (&generation.ids, &generation.text, generation.finish),
        (&ids, &text, finish),
        "{prompt:?} {rules:?}"
    );
    assert_eq!(generation.logprobs.len(), ids.len());
    assert_eq!((generation.prompt_tokens, generation.prompt.as_str()), (prompt.len(), prompt));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Alone: the streamed pieces join to the text, which ends before the stop string and holds no half character.
    /// In a batch: everyone gets the same, broken conversations fail alone.
    #[test]
    fn answers_are_the_text_of_the_naive_loop_alone_and_in_a_batch(
        asks in proptest::collection::vec(
            ("[a-z]{1,20}", 1..25usize, proptest::collection::vec(0..VOCAB as u32, 0..2),
             proptest::collection::vec("(END|[abcEND]{1,3}|é|, t?|the)", 0..3), any::<bool>()),
            1..7,
        ),
        step_tokens in 3..30usize,
        max_sequences in 1..4usize,
    ) {
        let rules: Vec<StopRules> = asks.iter().map(|(_, max_tokens, tokens, strings, _)| StopRules {
            max_tokens: *max_tokens, tokens: tokens.clone(), strings: strings.clone(),
        }).collect();
        let mut alone = local(step_tokens, max_sequences);
        for ((prompt, ..), rules) in asks.iter().zip(&rules) {
            let mut streamed = String::new();
            let mut on_text = |piece: &str| {
                streamed += piece;
                true
            };
            let answer = alone.answer(&says(prompt), &greedy(), rules, &mut on_text).unwrap();
            check(&answer, prompt, rules);
            prop_assert_eq!(streamed, answer.generation.text);
            prop_assert!(alone.is_idle());
        }
        let requests = asks.iter().zip(&rules).map(|((prompt, .., is_broken), rules)| Request {
            conversation: if *is_broken { broken() } else { says(prompt) },
            sampling: greedy(),
            stop: rules.clone(),
        });
        let mut answers: Vec<Option<Result<Answer, GenerateError>>> = asks.iter().map(|_| None).collect();
        let mut together = local(step_tokens, max_sequences);
        together.batch(requests, &mut |index, answer| answers[index].replace(answer).is_none()).unwrap();
        prop_assert!(together.is_idle() && together.stats().available_blocks == 60);
        for (((prompt, .., is_broken), rules), answer) in asks.iter().zip(&rules).zip(answers) {
            match answer.expect("every request gets a result") {
                Ok(answer) => check(&answer, prompt, rules),
                Err(error) => prop_assert!(*is_broken && error.to_string() == "the picture cannot be read"),
            }
        }
    }
}

#[test]
fn a_callback_that_says_no_cancels() {
    let mut local = local(30, 2);
    let rules = stop(20, &[], &[]);
    let (_, whole, _) = expected("hello", &rules);
    let mut streamed = String::new();
    let mut on_text = |piece: &str| {
        streamed += piece;
        streamed.len() < 3
    };
    let generation = local.generate(&says("hello"), &greedy(), &rules, &mut on_text).unwrap();
    assert_eq!(generation.finish, Finish::Cancelled);
    assert_eq!(generation.text, streamed);
    assert!(whole.starts_with(&streamed) && streamed.len() >= 3 && streamed.len() < whole.len());
    assert!(local.is_idle() && local.stats().available_blocks == 60);

    // A prompt of several steps can be given up before its first token.
    let mut calls = 0;
    let mut on_text = |piece: &str| {
        calls += 1;
        piece.is_empty() && calls < 2
    };
    let long = "a prompt longer than three steps of thirty tokens, which would take four of them in all, x"
        .to_owned()
        + "yz";
    let generation = local.generate(&says(&long), &greedy(), &rules, &mut on_text).unwrap();
    assert_eq!((generation.finish, generation.ids.len(), calls), (Finish::Cancelled, 0, 2));

    let requests = (0..5).map(|i| Request {
        conversation: says(&"xyz"[..1 + i % 3]),
        sampling: greedy(),
        stop: rules.clone(),
    });
    let mut results = 0;
    let mut on_result = |_, _| {
        results += 1;
        results < 2
    };
    local.batch(requests, &mut on_result).unwrap();
    assert_eq!(results, 2);
    assert!(local.is_idle() && local.stats().available_blocks == 60 && local.stats().running == 0);
}

#[test]
fn a_batch_takes_conversations_only_when_there_is_room() {
    let mut local = local(30, 2);
    let taken = std::cell::Cell::new(0);
    let requests = (0..9).map(|_| {
        taken.set(taken.get() + 1);
        Request { conversation: says("hello"), sampling: greedy(), stop: stop(4, &[], &[]) }
    });
    let mut done = 0;
    let mut on_result = |_, answer: Result<Answer, GenerateError>| {
        assert!(taken.get() <= done + 2, "{} taken, {done} done", taken.get());
        done += 1;
        answer.is_ok()
    };
    local.batch(requests, &mut on_result).unwrap();
    assert_eq!(done, 9);
}

#[test]
fn rendered_inputs_are_submitted_and_stepped() {
    let mut local = local(30, 4);
    let rules = stop(9, &[], &["E"]);
    let prompts = ["one", "two", "three"];
    let submit = |prompt: &&str| {
        let rendered = Words.render(&says(prompt)).unwrap();
        local.submit(rendered, Duration::from_secs(7), &greedy(), &rules).unwrap()
    };
    let ids: Vec<_> = prompts.iter().map(submit).collect();
    let refused = local.answer(&says("four"), &greedy(), &rules, &mut |_| true).unwrap_err();
    assert_eq!(refused.to_string(), "3 other sequences are in progress: finish them first");
    let cancelled = local.cancel(ids[1]).unwrap();
    assert_eq!((cancelled.generation.finish, cancelled.generation.ids.len()), (Finish::Cancelled, 0));
    assert!(local.cancel(ids[1]).is_none());
    let start = Instant::now();
    let mut over = Vec::new();
    while !local.is_idle() {
        for update in local.step() {
            if let Update::Over(id, answer) = update {
                over.push((id, (*answer).unwrap()));
            }
        }
    }
    assert_eq!(over.len(), 2);
    for (id, answer) in over {
        let at = ids.iter().position(|&known| known == id).unwrap();
        check(&answer, prompts[at], &rules);
        assert_eq!(answer.timing.render, Duration::from_secs(7));
        assert!(answer.timing.prefill + answer.timing.decode <= start.elapsed());
    }
}

#[test]
fn a_stop_string_may_end_with_the_last_allowed_token() {
    let (ids, text, _) = expected("hello", &stop(20, &[], &[]));
    let last = (1..ids.len())
        .find(|&end| TOKENS[ids[end] as usize].is_ascii() && !TOKENS[ids[end] as usize].is_empty());
    let end = last.unwrap() + 1;
    let whole = Words.text(&ids[..end]);
    let rules = stop(end, &[], &[&whole]);
    assert!(text.starts_with(&whole));
    let answer = local(30, 1).answer(&says("hello"), &greedy(), &rules, &mut |_| true).unwrap();
    assert_eq!((answer.generation.finish, answer.generation.text.as_str()), (Finish::Stop, ""));
    check(&answer, "hello", &rules);
}

#[test]
fn errors_are_one_line_and_say_whose_they_are() {
    let line = |prompt: &str, rules: &StopRules, change: fn(&mut Toy)| {
        let mut toy = Toy::new(Limits { block_tokens: 3, blocks: 6, max_context: 150, vocab: VOCAB });
        change(&mut toy);
        let mut local = Local::new(toy, Words, EngineOptions::default()).unwrap();
        let error = local.answer(&says(prompt), &greedy(), rules, &mut |_| true).unwrap_err();
        assert!(local.is_idle());
        (matches!(error, GenerateError::Request(_)), error.to_string())
    };
    let fine = stop(5, &[], &[]);
    let cases = [
        (
            line("a", &stop(5, &[], &["x", ""]), |_| {}),
            true,
            "a stop string is out of range: \"\"; give at least one character",
        ),
        (line("", &fine, |_| {}), true, "the prompt is empty: give at least one token"),
        (
            line("abcdefghijklmnopqr", &fine, |_| {}),
            true,
            "the prompt does not fit the cache: 18 tokens, and the cache holds 18 with the answer; give the cache \
             more memory, or use fewer frames or a smaller max_pixels",
        ),
        (
            line("a", &fine, |toy| toy.bad_token = Some(1)),
            false,
            "the model failed on a step of 1 tokens at position 0: the device stumbled",
        ),
    ];
    for ((is_request, line), expected_request, expected_line) in cases {
        assert_eq!((is_request, line.as_str()), (expected_request, expected_line));
    }
}
