//! One row to what a training step takes: the conversation as model input, and which tokens are scored. Every token
//! of the chosen assistant turns is a target, the one that ends the turn included, and nothing else is.

use firsthand_base::{Conversation, ModelInput, Part, Sampling};
use firsthand_input::Renderer;
use firsthand_model::layers::LossRow;

use crate::data::{Answers, Row};

/// Opens a row's media, renders its conversation, and marks what is scored. Weights are 1: means are the trainer's.
pub fn prepare(renderer: &Renderer, row: &Row) -> firsthand_input::Result<(ModelInput, Vec<LossRow>)> {
    let answered = renderer.answered(&row.conversation)?;
    let learned = match row.answers {
        Answers::All => &answered.answers[..],
        Answers::Last => &answered.answers[answered.answers.len().saturating_sub(1)..],
    };
    let input = answered.rendered.input;
    // A token is predicted from the row before it; turns never begin a prompt.
    let score = |at: usize| LossRow { row: at - 1, target: input.ids[at], weight: 1.0 };
    let targets = learned.iter().cloned().flatten().map(score).collect();
    Ok((input, targets))
}

/// The prompt of a row, without the last answer; with `shuffle`, and where it shows a video, also the same with the
/// frames of each video out of order.
pub fn ask(
    renderer: &Renderer,
    row: &Row,
    shuffle: bool,
) -> firsthand_input::Result<(ModelInput, Option<ModelInput>)> {
    let input = renderer.input(&question(row))?.input;
    let shuffled = if shuffle { shuffled_question(row) } else { None };
    let shuffled = shuffled.map(|conversation| renderer.input(&conversation)).transpose()?;
    Ok((input, shuffled.map(|rendered| rendered.input)))
}

/// A row without its last answer.
pub fn question(row: &Row) -> Conversation {
    let mut conversation = row.conversation.clone();
    conversation.messages.pop();
    conversation
}

/// [`question`] with the frames of each video out of order; `None` without a video.
pub fn shuffled_question(row: &Row) -> Option<Conversation> {
    let mut conversation = question(row);
    let mut moves = false;
    for part in conversation.messages.iter_mut().flat_map(|message| &mut message.parts) {
        if let Part::Video(video) = part {
            video.sampling = Sampling::Shuffled(Box::new(std::mem::take(&mut video.sampling)));
            moves = true;
        }
    }
    moves.then_some(conversation)
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
