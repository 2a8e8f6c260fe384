//! One row to what a training step takes: the conversation as model input, and which tokens are scored. Every token
//! of the chosen assistant turns is a target, the one that ends the turn included, and nothing else is.

use std::borrow::Cow;
use std::sync::Arc;

use firsthand_base::{Conversation, Message, ModelInput, Part, Role, Sampling};
use firsthand_input::Renderer;
use firsthand_model::layers::LossRow;

use crate::data::{Answers, Row};
use crate::rl::environment::Environments;

/// Opens a row's media, renders its conversation, and marks what is scored. Weights are 1: means are the trainer's.
pub fn prepare(renderer: &Renderer, row: &Row) -> firsthand_input::Result<(ModelInput, Vec<LossRow>)> {
    let answered = renderer.answered(&row.conversation)?;
    let first = match row.answers {
        Answers::All => 0,
        Answers::Last => answered.answers.len().saturating_sub(1),
    };
    let learned = answered.answers.iter().enumerate().skip(first);
    let learned = learned.filter(|(turn, _)| !row.unlearned.contains(turn)).map(|(_, tokens)| tokens);
    let input = answered.rendered.input;
    // A token is predicted from the row before it; turns never begin a prompt.
    let score = |at: usize| LossRow { row: at - 1, target: input.ids[at], weight: 1.0 };
    let targets = learned.cloned().flatten().map(score).collect();
    Ok((input, targets))
}

/// A row with what it says of tools in its system turn: after the row's own words, else after those that the chat template
/// says where no system turn is, as LLaMA-Factory's templates do.
pub fn with_tools<'a>(renderer: &Renderer, row: &'a Row) -> firsthand_input::Result<Cow<'a, Row>> {
    let Some(tools) = &row.tools else { return Ok(Cow::Borrowed(row)) };
    let mut row = Row { tools: None, ..row.clone() };
    let messages = &mut row.conversation.messages;
    if messages.first().is_none_or(|first| first.role != Role::System) {
        let parts = vec![Part::Text(default_system(renderer)?)];
        messages.insert(0, Message::new(Role::System, parts));
    }
    messages[0].parts.push(Part::Text(tools.clone()));
    Ok(Cow::Owned(row))
}

/// What the chat template says for the system where no turn does: what a prompt without a system turn has in the place of
/// its words.
fn default_system(renderer: &Renderer) -> firsthand_input::Result<String> {
    const MARK: &str = "probed system";
    let turn = |role, text: &str| Message::new(role, vec![Part::Text(text.to_owned())]);
    let asked = turn(Role::User, "x");
    let with = Conversation { messages: vec![turn(Role::System, MARK), asked.clone()] };
    let (with, without) =
        (renderer.input(&with)?.prompt, renderer.input(&Conversation { messages: vec![asked] })?.prompt);
    let words =
        with.split_once(MARK).and_then(|(before, after)| without.strip_prefix(before)?.strip_suffix(after));
    Ok(words.unwrap_or_default().to_owned())
}

/// How a row's prompt is made.
#[derive(Clone, Default)]
pub struct Asking {
    /// Also with the frames of videos out of order.
    pub shuffle: Option<Shuffle>,
    /// Whoever answers to the model; they say how a row is put.
    pub environments: Option<Arc<dyn Environments>>,
    /// Most tokens of a prompt; 0 for as many as the model takes.
    pub most_tokens: usize,
}

/// How frames get out of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shuffle {
    /// Fixes the orders of a step's videos; see [`Shuffle::of`].
    pub seed: u64,
    /// Whether frames that fill one temporal patch stay together.
    pub pairs: bool,
}

impl Shuffle {
    /// That of one prompt of a step: every step draws other orders.
    #[must_use]
    pub fn of(self, step: u64, prompt: u64) -> Shuffle {
        let hash = blake3::hash(&[self.seed, step, prompt].map(u64::to_le_bytes).concat());
        let seed = u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("a hash is longer"));
        Shuffle { seed, ..self }
    }
}

/// A row's prompt, and the same with frames out of order where there is an order to lose.
pub struct Question {
    /// As it is.
    pub input: ModelInput,
    /// Out of order.
    pub shuffled: Option<(Conversation, ModelInput)>,
}

impl Asking {
    /// The conversation that a row's samples answer.
    pub fn conversation(&self, row: &Row) -> Result<Conversation, String> {
        match &self.environments {
            Some(environments) => environments.prompt(row),
            None => Ok(question(row)),
        }
    }

    /// The prompt of a row. One that is too long is refused, never cut.
    pub fn ask(&self, renderer: &Renderer, row: &Row) -> Result<Question, String> {
        let told = |error: firsthand_input::Error| error.to_string();
        let rendered = renderer.input(&self.conversation(row)?).map_err(told)?;
        self.check_length(rendered.input.ids.len())?;
        let conversation = self.shuffle.and_then(|shuffle| shuffled_question(row, shuffle));
        let shuffled = match conversation {
            Some(conversation) => {
                let input = renderer.input(&conversation).map_err(told)?.input;
                Some((conversation, input))
            }
            None => None,
        };
        // A clip of one frame, or one in which nothing moves, looks the same in any order.
        let keys = |input: &ModelInput| input.vision.iter().map(|item| item.key).collect::<Vec<_>>();
        let shuffled = shuffled.filter(|(_, input)| keys(input) != keys(&rendered.input));
        Ok(Question { input: rendered.input, shuffled })
    }

    /// Refuses a prompt of so many tokens.
    pub fn check_length(&self, tokens: usize) -> Result<(), String> {
        if self.most_tokens == 0 || tokens <= self.most_tokens {
            return Ok(());
        }
        Err(format!(
            "its prompt has {tokens} tokens, and at most {} leave room for what is sampled (rl.max_prompt, or the \
             context without rl.max_tokens); show fewer frames or pixels, lower rl.max_tokens, or leave the row out",
            self.most_tokens
        ))
    }
}

/// A row without its last answer.
pub fn question(row: &Row) -> Conversation {
    let mut conversation = row.conversation.clone();
    conversation.messages.pop();
    conversation
}

/// [`question`] with the frames of each video out of order; `None` without a video.
fn shuffled_question(row: &Row, shuffle: Shuffle) -> Option<Conversation> {
    let mut conversation = question(row);
    let mut moved = 0;
    for part in conversation.messages.iter_mut().flat_map(|message| &mut message.parts) {
        if let Part::Video(video) = part {
            let (of, pairs) = (Box::new(std::mem::take(&mut video.sampling)), shuffle.pairs);
            video.sampling = Sampling::Permuted { of, seed: shuffle.seed.wrapping_add(moved), pairs };
            moved += 1;
        }
    }
    (moved > 0).then_some(conversation)
}

#[cfg(test)]
mod tests {
    use firsthand_base::{Render, Sampling};
    use firsthand_golden::{checkpoint, media};
    use firsthand_input::{RenderOptions, VideoTime};
    use firsthand_media::Opener;
    use firsthand_model::{Example, LoadOptions, Model, Training};

    use super::*;
    use crate::data::{Dataset, Format, RowId, SourceConfig};

    const SOLUTION: &str = "<think> the clip </think>\\n<answer>A</answer>";

    fn renderer() -> Renderer {
        // Positions that do not depend on a video's rate.
        let options = RenderOptions { time: VideoTime::Constant(1.0), ..RenderOptions::default() };
        Renderer::open(&checkpoint("qwen2_5_vl"), options, Opener::default()).unwrap()
    }

    /// The first row of a file of these lines.
    fn row(format: Format, text: &str, answers: Answers) -> Row {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.jsonl");
        fs_err::write(&path, text).unwrap();
        let mut config = SourceConfig::new("rows", format, path);
        config.media_root = media("clip.mp4").parent().map(Into::into);
        config.answers = answers;
        config.sampling = Some(Sampling::Frames(4));
        config.video.resized = Some([56, 84]);
        Dataset::open(&[config]).unwrap().row(RowId { source: 0, index: 0 }).unwrap()
    }

    fn seen(video: &str) -> Row {
        let line = format!(
            r#"{{"video":"{video}","original_question":"Which?","solution":"{SOLUTION}","original_answer":"A"}}"#
        );
        row(Format::StR1, &line, Answers::All)
    }

    #[test]
    fn the_mask_holds_as_many_tokens_as_a_person_counts() {
        let renderer = renderer();
        let (input, targets) = prepare(&renderer, &seen("clip.mp4")).unwrap();
        // < think > _the _clip _< / think > \n < answer > A </ answer > and the end of the turn.
        assert_eq!(targets.len(), 18);
        let ids: Vec<u32> = targets.iter().map(|target| target.target).collect();
        assert_eq!(renderer.text(&ids), "<think> the clip </think>\n<answer>A</answer>");
        assert_eq!(renderer.tokenizer().token_name(ids[17]).unwrap(), "<|im_end|>");
        for target in &targets {
            assert_eq!((input.ids[target.row + 1], target.weight), (target.target, 1.0));
        }
        // After the turn's end the template writes one line break, which nobody generates.
        assert_eq!(targets[17].row + 2, input.ids.len() - 1);
    }

    #[test]
    fn of_a_dialogue_all_answers_are_scored_or_the_last() {
        let line = r#"{"conversations":[{"from":"human","value":"a"},{"from":"gpt","value":"A"},{"from":"human","value":"b"},{"from":"gpt","value":"the clip"}]}"#;
        for (answers, expected) in [(Answers::All, "A|the clip|"), (Answers::Last, "the clip|")] {
            let renderer = renderer();
            let (_, targets) = prepare(&renderer, &row(Format::ShareGpt, line, answers)).unwrap();
            let end = renderer.tokenizer().token_id("<|im_end|>").unwrap();
            let text = |id: u32| if id == end { "|".to_owned() } else { renderer.text(&[id]) };
            assert_eq!(targets.iter().map(|target| text(target.target)).collect::<String>(), expected);
        }
    }

    #[test]
    fn what_tools_gave_and_turns_without_weight_are_not_scored() {
        let line = r#"{"tools":[{"name":"look","parameters":{}}],"conversations":[
            {"from":"human","value":"a"},{"from":"gpt","value":"red","weight":0},
            {"from":"human","value":"b"},{"from":"function_call","value":"{\"name\":\"look\",\"arguments\":{}}"},
            {"from":"observation","value":"the clip"},{"from":"gpt","value":"blue"}]}"#
            .replace('\n', " ");
        let renderer = renderer();
        let row = row(Format::ShareGpt, &line, Answers::All);
        let told = with_tools(&renderer, &row).unwrap();
        let (input, targets) = prepare(&renderer, &told).unwrap();
        let ids: Vec<u32> = targets.iter().map(|target| target.target).collect();
        let text = renderer.text(&ids);
        assert_eq!(text, "<tool_call>\n{\"name\": \"look\", \"arguments\": {}}\n</tool_call>blue");
        // After the words that the template says for itself, as where no tools are.
        let whole = renderer.text(&input.ids);
        let bare = Row { tools: None, ..row.clone() };
        let (before, _) = prepare(&renderer, &bare).unwrap();
        let start = renderer.text(&before.ids).split("user").next().unwrap().trim_end().to_owned();
        assert!(whole.starts_with(&format!("{start}\n\n# Tools")), "{start:?} begins {whole:?}");
        assert!(whole.contains("<tool_response>\nthe clip\n</tool_response>"), "{whole}");
        // The row's own words come before the tools too.
        let system = Message::new(Role::System, vec![Part::Text("look".into())]);
        let mut own = row.clone();
        own.conversation.messages.insert(0, system);
        let own = with_tools(&renderer, &own).unwrap();
        let Part::Text(tools) = &own.conversation.messages[0].parts[1] else { panic!() };
        assert_eq!(Some(tools), row.tools.as_ref());
        // With the last answer alone, the same.
        let last = Row { answers: Answers::Last, ..told.into_owned() };
        let (_, targets) = prepare(&renderer, &last).unwrap();
        let ids: Vec<u32> = targets.iter().map(|target| target.target).collect();
        assert_eq!(renderer.text(&ids), "blue");
    }

    #[test]
    fn every_prompt_of_every_step_is_shuffled_in_its_own_way() {
        let renderer = renderer();
        let row = seen("clip.mp4");
        for pairs in [false, true] {
            let keys = |step: u64, prompt: u64| {
                let shuffle = Some(Shuffle { seed: 5, pairs }.of(step, prompt));
                let asking = Asking { shuffle, ..Asking::default() };
                let asked = asking.ask(&renderer, &row).unwrap();
                let (_, shuffled) = asked.shuffled.expect("four frames have an order");
                assert_eq!((&shuffled.ids, &shuffled.positions), (&asked.input.ids, &asked.input.positions));
                assert_ne!(shuffled.vision[0].key, asked.input.vision[0].key, "never the true order");
                shuffled.vision[0].key
            };
            let all: std::collections::BTreeSet<_> = (0..12).map(|i| keys(i / 3, i % 3)).collect();
            // Four frames have 23 other orders, two pairs have one.
            assert!(if pairs { all.len() == 1 } else { all.len() > 4 }, "{}", all.len());
            assert_eq!(keys(1, 2), keys(1, 2));
        }
        let asking = Asking { most_tokens: 9, ..Asking::default() };
        let error = asking.ask(&renderer, &row).err().unwrap();
        assert!(error.contains("its prompt has") && error.contains("rl.max_prompt"), "{error}");
    }

    #[test]
    fn the_loss_changes_when_the_video_is_swapped() {
        let renderer = renderer();
        let model = Model::load(&checkpoint("qwen2_5_vl"), &LoadOptions::default()).unwrap();
        let loss = |video: &str| {
            let (input, targets) = prepare(&renderer, &seen(video)).unwrap();
            let examples = [Example { input: &input, targets: &targets }];
            let found = model.log_probabilities(&examples, &Training::new(&|_| true)).unwrap();
            (-found.iter().sum::<f32>() / found.len() as f32, input)
        };
        let (clip, input) = loss("clip.mp4");
        assert_eq!(loss("clip.mp4").0, clip);
        let (other, swapped) = loss("odd.mp4");
        // The two inputs differ in what the frames show and in nothing else.
        assert_eq!((&input.ids, &input.positions), (&swapped.ids, &swapped.positions));
        assert_ne!(input.vision[0].key, swapped.vision[0].key);
        assert!((clip - other).abs() > 1e-3, "{clip} and {other}");
    }
}
