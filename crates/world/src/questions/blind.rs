//! A model that never sees a picture: a conditional logit over the words of question and options, naive Bayes for
//! answers without options, fitted on train worlds.
//! What it gets right beyond chance is what questions give away.

use std::collections::HashMap;

use super::*;

/// A softmax over options, linear in their features (a conditional logit), fitted by stochastic descent.
#[derive(Default)]
struct Choice {
    numbers: HashMap<String, usize>,
    weights: Vec<f32>,
}

impl Choice {
    fn fit(questions: &[&Question]) -> Choice {
        let mut model = Choice::default();
        let rows: Vec<(Vec<Vec<usize>>, usize)> = questions
            .iter()
            .filter_map(|q| match q.answer {
                Gold::Option(right) => {
                    Some(((0..q.options.len()).map(|i| model.number(features(q, i))).collect(), right))
                }
                _ => None,
            })
            .collect();
        model.weights = vec![0.0; model.numbers.len()];
        for pass in 0..12 {
            let rate = 0.06 / (1.0 + pass as f32);
            for (options, right) in &rows {
                let odds = model.odds(options);
                for (i, features) in options.iter().enumerate() {
                    let step = rate * (f32::from(u8::from(i == *right)) - odds[i]);
                    for &feature in features {
                        model.weights[feature] += step - 0.002 * rate * model.weights[feature];
                    }
                }
            }
        }
        model
    }

    fn number(&mut self, features: Vec<String>) -> Vec<usize> {
        let numbers = &mut self.numbers;
        features
            .into_iter()
            .map(|feature| {
                let next = numbers.len();
                *numbers.entry(feature).or_insert(next)
            })
            .collect()
    }

    fn odds(&self, options: &[Vec<usize>]) -> Vec<f32> {
        let scores: Vec<f32> =
            options.iter().map(|features| features.iter().map(|f| self.weights[*f]).sum()).collect();
        let most = scores.iter().copied().fold(f32::MIN, f32::max);
        let raised: Vec<f32> = scores.iter().map(|score| (score - most).exp()).collect();
        let sum: f32 = raised.iter().sum();
        raised.into_iter().map(|r| r / sum).collect()
    }

    fn guess(&self, q: &Question) -> usize {
        let score = |i: usize| -> f32 {
            let known =
                features(q, i).into_iter().filter_map(|f| self.numbers.get(&f).map(|n| self.weights[*n]));
            known.sum()
        };
        let scores: Vec<f32> = (0..q.options.len()).map(score).collect();
        (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap_or_default()
    }
}

fn grams(text: &str) -> Vec<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let pairs = words.windows(2).map(|pair| pair.join(" "));
    words.iter().map(|word| (*word).to_owned()).chain(pairs).chain([text.to_owned()]).collect()
}

/// What is known of an option without looking: its words, its place, its words against the question's and how many
/// of its words other options share.
fn features(q: &Question, index: usize) -> Vec<String> {
    let option = &q.options[index];
    let mut all: Vec<String> = grams(option).into_iter().map(|gram| format!("o {gram}")).collect();
    all.push(format!("at {index} of {}", q.options.len()));
    let nouns: Vec<&str> = q.question.split_whitespace().collect();
    for gram in grams(option) {
        all.push(format!("k {} {gram}", q.kind));
        all.extend(nouns.iter().map(|noun| format!("x {noun} / {gram}")));
    }
    for (i, other) in q.options.iter().enumerate().filter(|(i, _)| *i != index) {
        all.push(format!("v {option} / {other}"));
        let head = |text: &str| text.split_whitespace().last().unwrap_or_default().to_owned();
        all.push(format!("h {} / {}", head(option), head(other)));
        let shared =
            option.split_whitespace().filter(|word| other.split_whitespace().any(|o| o == *word)).count();
        all.push(format!("s {shared} {}", i.abs_diff(index)));
    }
    all
}

/// Best guess of an open answer by naive Bayes over answers seen in training.
#[derive(Default)]
struct Open {
    answers: HashMap<String, f64>,
    words: HashMap<(String, String), f64>,
}

impl Open {
    fn add(&mut self, q: &Question) {
        let answer = q.answer_text();
        *self.answers.entry(answer.clone()).or_default() += 1.0;
        for gram in grams(&format!("{} {}", q.kind, q.question)) {
            *self.words.entry((answer.clone(), gram)).or_default() += 1.0;
        }
    }

    fn guess(&self, q: &Question) -> String {
        let grams = grams(&format!("{} {}", q.kind, q.question));
        let score = |answer: &String, n: &f64| {
            let word = |gram: &String| {
                let seen = self.words.get(&(answer.clone(), gram.clone())).copied().unwrap_or_default();
                ((seen + 0.5) / (n + 1.0)).ln()
            };
            n.ln() + grams.iter().map(word).sum::<f64>()
        };
        let best = self.answers.iter().map(|(answer, n)| (score(answer, n), answer));
        let best = best.max_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(b.1)));
        best.map(|(_, answer)| answer.clone()).unwrap_or_default()
    }
}

/// Right guesses and chance on held-out questions of one family.
pub(super) struct Blind {
    pub items: usize,
    pub right: f64,
    pub chance: f64,
}

/// Fits on one list and scores on another, per family.
pub(super) fn blind(train: &[&Question], test: &[&Question]) -> Blind {
    let mut open = Open::default();
    train.iter().filter(|q| q.options.is_empty()).for_each(|q| open.add(q));
    let choice = Choice::fit(train);
    let right = test.iter().filter(|q| match q.answer {
        Gold::Option(right) => choice.guess(q) == right,
        _ => matches(q, &open.guess(q)),
    });
    let chance = test.iter().map(|q| q.chance).sum::<f64>() / test.len().max(1) as f64;
    Blind { items: test.len(), right: right.count() as f64 / test.len().max(1) as f64, chance }
}

/// Whether an open guess counts: exact words and numbers, numbers within a quarter for regression, spans and boxes
/// that overlap by half.
fn matches(q: &Question, guess: &str) -> bool {
    let numbers = |text: &str| -> Vec<f64> {
        text.split(|c: char| !c.is_ascii_digit() && c != '.').filter_map(|n| n.parse().ok()).collect()
    };
    let guessed = numbers(guess);
    match (&q.answer, &guessed[..]) {
        (Gold::Number(gold), [value, ..]) if q.problem_type == ProblemType::Regression => {
            (value - gold).abs() <= 0.25 * gold.abs()
        }
        (Gold::Span([a, b]), [c, d, ..]) => {
            let (both, either) = ((b.min(*d) - a.max(*c)).max(0.0), b.max(*d) - a.min(*c));
            both / either >= 0.5
        }
        (Gold::Box(gold), [x1, y1, x2, y2]) => {
            let gold = gold.map(f64::from);
            let area = |[x1, y1, x2, y2]: [f64; 4]| (x2 - x1).max(0.0) * (y2 - y1).max(0.0);
            let both = area([gold[0].max(*x1), gold[1].max(*y1), gold[2].min(*x2), gold[3].min(*y2)]);
            both / (area(gold) + area([*x1, *y1, *x2, *y2]) - both) >= 0.5
        }
        _ => q.answer_text() == guess,
    }
}
