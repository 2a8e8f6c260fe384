use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use firsthand_base::{Conversation, Message, Part, Render, Role, Silent};
use firsthand_golden::checkpoint;
use firsthand_input::{RenderOptions, Renderer};
use firsthand_media::Opener;
use firsthand_model::layers::LossRow;
use firsthand_model::{LoadOptions, Training};

use super::*;
use crate::data::{Answers, At};
use crate::feed::Prepared;
use crate::rl::environment::Environments;
use crate::rl::rollout::Dialogue;
use crate::rl::round::{Group, wholes};
use crate::rl::views::examples;

/// What a scripted environment does with each turn.
type Act = dyn Fn(&Row, usize, &str) -> Heard + Send + Sync;

/// Environments that do what a test says, and remember whom they heard.
struct Scripted {
    act: Arc<Act>,
    opened: AtomicUsize,
    heard: Arc<Mutex<Vec<(String, usize, String)>>>,
}

struct One {
    act: Arc<Act>,
    row: Row,
    number: usize,
    turn: usize,
    heard: Arc<Mutex<Vec<(String, usize, String)>>>,
}

impl Scripted {
    fn new(act: impl Fn(&Row, usize, &str) -> Heard + Send + Sync + 'static) -> Scripted {
        Scripted { act: Arc::new(act), opened: AtomicUsize::new(0), heard: Arc::default() }
    }
}

impl Environments for Scripted {
    fn prompt(&self, row: &Row) -> Result<Conversation, String> {
        Ok(row.conversation.clone())
    }

    fn open(&self, row: &Row) -> Result<Box<dyn Environment>, String> {
        if row.id.as_deref() == Some("closed") {
            return Err("no such memory".into());
        }
        let number = self.opened.fetch_add(1, Ordering::SeqCst);
        let (act, heard) = (self.act.clone(), self.heard.clone());
        Ok(Box::new(One { act, row: row.clone(), number, turn: 0, heard }))
    }
}

impl Environment for One {
    fn turn(&mut self, text: &str, _: Cost) -> Heard {
        self.turn += 1;
        let id = self.row.id.clone().unwrap();
        self.heard.lock().unwrap().push((id, self.number, text.to_owned()));
        (self.act)(&self.row, self.turn, text)
    }

    fn is_complete(&self, text: &str) -> bool {
        text.contains('>')
    }

    fn kept<'a>(&self, text: &'a str) -> &'a str {
        text
    }

    fn tokens_left(&self, most: usize) -> usize {
        most
    }

    fn wrap(&self, observation: &str) -> String {
        format!("<information>{observation}</information>")
    }
}

fn row(id: &str, words: &str) -> Row {
    let part = Part::Text(words.to_owned());
    Row {
        conversation: Conversation { messages: vec![Message::new(Role::User, vec![part])] },
        answers: Answers::All,
        unlearned: Vec::new(),
        tools: None,
        source: "rows".into(),
        file: "rows.jsonl".into(),
        at: At { line: 1, row: 1 },
        id: Some(id.into()),
        kind: None,
        options: Vec::new(),
        solution: None,
        facts: serde_json::Map::new(),
    }
}

/// Rows with their prompts, and what makes rollouts of them.
struct Bench {
    model: Model,
    renderer: Renderer,
    rows: Vec<Row>,
    inputs: Vec<ModelInput>,
    features: HashMap<Digest, Tensor>,
    observation_tokens: usize,
    context: usize,
    wait_s: f64,
}

impl Bench {
    fn new(rows: Vec<Row>) -> Bench {
        let place = checkpoint("qwen2");
        let renderer = Renderer::open(&place, RenderOptions::default(), Opener::default()).unwrap();
        let input = |row: &Row| renderer.input(&row.conversation).unwrap().input;
        let inputs = rows.iter().map(input).collect();
        let model = Model::load(&place, &LoadOptions::default()).unwrap();
        Bench {
            model,
            renderer,
            rows,
            inputs,
            features: HashMap::new(),
            observation_tokens: 24,
            context: 480,
            wait_s: 60.0,
        }
    }

    fn roll(&self, environments: &Scripted, samples: usize, parallel: usize) -> Vec<Vec<Rollout>> {
        let stop = StopRules {
            max_tokens: 12,
            tokens: self.renderer.generation_defaults().stop.tokens.clone(),
            strings: Vec::new(),
        };
        let tooling = Tooling {
            environments,
            renderer: &self.renderer,
            observation_tokens: self.observation_tokens,
            context: self.context,
            wait_s: self.wait_s,
        };
        let precision = Precision::F32;
        let (features, report, tooling) = (&self.features, &Silent, Some(tooling));
        let roller = Roller { parallel, stop, precision, features, report, tooling };
        let sampling = |seed| SamplingOptions { temperature: 1.0, seed, ..SamplingOptions::default() };
        let wanted: Vec<_> = self
            .rows
            .iter()
            .zip(&self.inputs)
            .map(|(row, input)| Wanted { input, row, samplings: (0..samples as u64).map(sampling).collect() })
            .collect();
        roller.roll(&self.model, &wanted).unwrap()
    }

    /// The log-probabilities as the trainer finds them, and the sequences it finds them in.
    fn trained(&self, rolled: &[Vec<Rollout>]) -> (Vec<f32>, Vec<(ModelInput, Vec<LossRow>)>) {
        let group = |(i, rollouts): (usize, &Vec<Rollout>)| {
            let id = crate::data::RowId { source: 0, index: i };
            let prompt = Prepared { id, input: self.inputs[i].clone(), targets: Vec::new(), asked: None };
            Group {
                prompt: Arc::new(prompt),
                rollouts: rollouts.clone(),
                replies: Vec::new(),
                earned: Vec::new(),
                learned: rollouts.len(),
                bonus: 0.0,
            }
        };
        let groups: Vec<Group> = rolled.iter().enumerate().map(group).collect();
        let whole = wholes(&groups, None);
        let wanted = |_: &str| false;
        let training = Training { share_prefix: true, order: Order::One, ..Training::new(&wanted) };
        let logs = self.model.log_probabilities(&examples(&whole), &training).unwrap();
        (logs, whole)
    }
}

fn dialogue(rollout: &Rollout) -> &Dialogue {
    rollout.dialogue.as_ref().unwrap()
}

fn rows() -> Vec<Row> {
    vec![row("one", "where is the red cup"), row("two", "what is near the blue bowl on the left")]
}

/// An observation for each turn, then an answer.
fn answers_after(turns: usize) -> Scripted {
    Scripted::new(move |row, turn, _| match turn < turns {
        true => Heard::Observation(format!("{} {turn} the cup is near the bowl", row.id.as_ref().unwrap())),
        false => Heard::Answer("A".into()),
    })
}

#[test]
fn what_was_sampled_in_turns_is_what_is_trained() {
    let bench = Bench::new(rows());
    let rolled = bench.roll(&answers_after(4), 5, 4);
    let (logs, whole) = bench.trained(&rolled);
    let all: Vec<&Rollout> = rolled.iter().flatten().collect();
    let expected: Vec<f32> = all.iter().flat_map(|rollout| &rollout.logs).copied().collect();
    assert_eq!(logs, expected, "to the bit");
    for (rollout, (input, targets)) in all.iter().zip(&whole) {
        assert_eq!((dialogue(rollout).turns.len(), rollout.stretches.len()), (4, 1));
        assert!(rollout.is_finished && dialogue(rollout).end == End::Answered("A".into()));
        // What is learned is what was sampled, in its place; nothing of what was heard is.
        let learned: Vec<u32> = targets.iter().map(|target| target.target).collect();
        assert_eq!(learned, rollout.sampled().collect::<Vec<_>>());
        assert!(targets.iter().all(|t| input.ids.get(t.row + 1).is_none_or(|id| *id == t.target)));
        let heard = rollout.stretches[0].ids.len() - rollout.len();
        assert_eq!(heard, dialogue(rollout).heard_tokens);
        let text = bench.renderer.text(&input.ids);
        for turn in 1..4 {
            assert!(text.contains(&format!(" {turn} the cup is near the bowl</information>")), "{text}");
        }
    }
    // Whoever ran beside it, and however often a context was computed anew.
    assert_eq!(strip(bench.roll(&answers_after(4), 5, 1)), strip(rolled.clone()));
    let [context, reused] = dialogue(all[0]).context_tokens;
    assert!(reused * 2 > context, "{reused} of {context} tokens were not computed again");
}

/// Without what depends on what else the cache held.
fn strip(mut rolled: Vec<Vec<Rollout>>) -> Vec<Vec<Rollout>> {
    for rollout in rolled.iter_mut().flatten() {
        rollout.dialogue.as_mut().unwrap().context_tokens = [0; 2];
    }
    rolled
}

#[test]
fn the_question_stays_when_room_is_made() {
    let mut bench = Bench::new(rows());
    (bench.observation_tokens, bench.context) = (90, 420);
    let long = "the cup is near the bowl on the left of the red lamp and ".repeat(9);
    let environments = Scripted::new(move |_, turn, _| match turn < 9 {
        true => Heard::Observation(long.clone()),
        false => Heard::Answer("A".into()),
    });
    let rolled = bench.roll(&environments, 3, 3);
    let (logs, whole) = bench.trained(&rolled);
    let all: Vec<&Rollout> = rolled.iter().flatten().collect();
    assert_eq!(logs, all.iter().flat_map(|rollout| &rollout.logs).copied().collect::<Vec<f32>>());
    let made: Vec<_> =
        all.iter().map(|rollout| (rollout.stretches.len(), dialogue(rollout).shortened)).collect();
    assert!(made.iter().all(|&(stretches, shortened)| stretches > 1 && shortened > 1), "{made:?}");
    assert!(all.iter().any(|rollout| dialogue(rollout).turns.len() > 4));
    let mut inputs = whole.iter();
    for (prompt, rollouts) in bench.inputs.iter().zip(&rolled) {
        for rollout in rollouts {
            let mut seen = 0;
            for _ in &rollout.stretches {
                let (input, targets) = inputs.next().unwrap();
                assert_eq!(input.ids[..prompt.ids.len()], prompt.ids, "the whole question first");
                assert!(input.ids.len() <= bench.context);
                seen += targets.len();
            }
            assert_eq!(seen, rollout.len(), "every sampled token is learned once");
            let last = bench.renderer.text(&rollout.stretches.last().unwrap().ids);
            assert!(last.contains("<information>[left out to make room]</information>"), "{last}");
            assert!(dialogue(rollout).turns[0].heard.ends_with("… [cut]</information>"));
        }
    }
}

#[test]
fn every_trajectory_has_a_partner_of_its_own() {
    let bench = Bench::new(rows());
    // Those of the first row answer at once, the others go on: nothing of theirs gets mixed up.
    let environments = Scripted::new(|row, turn, _| match (row.id.as_deref(), turn) {
        (Some("one"), _) | (_, 3) => Heard::Answer("A".into()),
        _ => Heard::Observation("near the bowl".into()),
    });
    let rolled = bench.roll(&environments, 4, 8);
    let heard = environments.heard.lock().unwrap();
    let mut partners: BTreeMap<usize, Vec<(String, String)>> = BTreeMap::new();
    heard
        .iter()
        .for_each(|(id, number, text)| partners.entry(*number).or_default().push((id.clone(), text.clone())));
    assert_eq!(partners.len(), 8);
    let mut told: Vec<Vec<String>> = Vec::new();
    for turns in partners.values() {
        assert!(turns.iter().all(|(id, _)| *id == turns[0].0), "one row each: {turns:?}");
        assert_eq!(turns.len(), if turns[0].0 == "one" { 1 } else { 3 });
        told.push(turns.iter().map(|(_, text)| text.clone()).collect());
    }
    let said = |rollout: &Rollout| dialogue(rollout).turns.iter().map(|turn| turn.said.clone()).collect();
    let mut all: Vec<Vec<String>> = rolled.iter().flatten().map(said).collect();
    told.sort();
    all.sort();
    assert_eq!(told, all);
}

#[test]
fn failures_are_recorded_and_disturb_nobody() {
    let mut bench = Bench::new(vec![
        row("works", "where is the cup"),
        row("breaks", "where is the bowl"),
        row("sleeps", "where is the red cup"),
        row("closed", "where is the blue cup"),
        row("endless", "where is the lamp"),
    ]);
    (bench.wait_s, bench.context) = (2.0, 200);
    let environments = Scripted::new(|row, turn, _| match row.id.as_deref().unwrap() {
        "breaks" => panic!("on purpose"),
        "sleeps" => {
            std::thread::sleep(Duration::from_secs(60));
            Heard::Answer("late".into())
        }
        "works" if turn == 2 => Heard::Answer("A".into()),
        _ => Heard::Observation("near".into()),
    });
    let begun = Instant::now();
    let rolled = bench.roll(&environments, 2, 4);
    assert!(begun.elapsed() < Duration::from_secs(30), "nobody waited for the one that sleeps");
    let check = |at: usize, expected: &str| {
        for rollout in &rolled[at] {
            assert!(!rollout.is_finished);
            let failure = rollout.failure().unwrap_or_default();
            assert!(failure.contains(expected), "{failure}");
        }
    };
    assert!(rolled[0].iter().all(|rollout| rollout.is_finished && rollout.failure().is_none()));
    check(1, "its environment broke");
    check(2, "no answer within 2 s");
    check(3, "no such memory");
    // Tools without an end: the context is full, which is the model's own end, not a failure.
    assert!(
        rolled[4].iter().all(|rollout| dialogue(rollout).end == End::Full && rollout.failure().is_none())
    );
}
