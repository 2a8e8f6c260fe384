use std::path::Path;

use firsthand_base::{Finish, Generation, VideoSource};
use firsthand_media::{OpenerOptions, Quality, Rate, SizeRule, VideoOptions, VideoWriter};
use serde_json::json;

use super::*;
use crate::footage::Folder;
use crate::{CallRules, Outcome, Toolbox, Tools};

/// Frames a second, as in the recordings whose names carry a frame number.
const FPS: f64 = 20.0;

/// A film of flat grey pictures, the grey being the number of the frame within a cycle of thirty.
fn film(path: &Path, seconds: usize) {
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    let options = VideoOptions { quality: Quality::Factor(0), key_interval: 50, ..VideoOptions::default() };
    let mut writer = VideoWriter::create(path, 64, 48, Rate::new(FPS).unwrap(), &options).unwrap();
    for index in 0..seconds * FPS as usize {
        writer.push(&vec![grey(index); 64 * 48 * 3]).unwrap();
    }
    writer.finish().unwrap();
}

fn grey(index: usize) -> u8 {
    (index % 30 * 8 + 8) as u8
}

/// Twelve seconds, twelve that follow at once, a gap, twelve more, and eleven minutes of another wearer.
pub(crate) fn recordings(root: &Path) {
    for clock in ["11000000", "11001200", "11010000"] {
        film(&root.join(format!("A1_JAKE/DAY1/DAY1_A1_JAKE_{clock}.mp4")), 12);
    }
    film(&root.join("A2_ALICE/DAY1/DAY1_A2_ALICE_11000000.mp4"), 2);
    // What is no recording is passed over.
    fs_err::write(root.join("A1_JAKE/DAY1/notes.txt"), "x").unwrap();
    fs_err::write(root.join("A1_JAKE/DAY1/DAY1_A1_JAKE_oddname.mp4"), "x").unwrap();
}

pub(crate) fn opener() -> Arc<Opener> {
    Arc::new(Opener::new(OpenerOptions { keep_originals: true, ..OpenerOptions::default() }))
}

/// A model that says which frames it was shown: of videos their numbers in the file, of pictures their grey.
pub(crate) struct Witness(pub(crate) Arc<Opener>);

impl Generate for Witness {
    fn generate(
        &mut self,
        conversation: &Conversation,
        _: &SamplingOptions,
        _: &StopRules,
        on_text: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Generation, GenerateError> {
        let rule = SizeRule::qwen_vl_utils(28);
        let mut said = Vec::new();
        for part in conversation.parts() {
            match part {
                Part::Text(text) => said.push(text.clone()),
                Part::Image(image) => {
                    let picture = &self.0.image(image, &rule).unwrap().originals[0];
                    said.push(format!("grey {} {}x{}", picture.rgb[0], picture.width, picture.height));
                }
                Part::Video(video) => {
                    let VideoSource::File(file) = &video.source else { panic!("a file") };
                    let frames =
                        self.0.video(video, &rule).map_err(|e| GenerateError::Request(e.to_string()))?.frames;
                    let numbers: Vec<String> = frames.iter().map(|frame| frame.index.to_string()).collect();
                    let name = Path::new(file).file_stem().unwrap().to_string_lossy().into_owned();
                    said.push(format!("[{} {}]", name.rsplit('_').next().unwrap(), numbers.join(",")));
                }
            }
        }
        let text = said.join(" ");
        on_text(&text);
        Ok(Generation {
            new_tokens: 1,
            text,
            ids: Vec::new(),
            logprobs: Vec::new(),
            finish: Finish::Stop,
            prompt_tokens: 0,
            cached_tokens: 0,
            prompt: String::new(),
            media: Vec::new(),
        })
    }
}

pub(crate) fn looking() -> Looking {
    Looking { max_frames: 8, ..Looking::new(Arc::new(Mutex::new(Witness(opener())))) }
}

/// Both tools over recordings in a folder.
fn tools(root: &Path) -> Toolbox {
    let footage: Arc<dyn Footage> = Arc::new(Folder::new(root.to_owned(), opener()));
    let video = VideoTool::new(footage.clone(), looking());
    let image = ImageTool::new(footage, opener(), looking());
    Toolbox::new(vec![Arc::new(video), Arc::new(image)], CallRules::default()).unwrap()
}

fn context(clock: &str) -> Context {
    Context::new(clock.parse().unwrap(), "A1")
}

fn asked(
    tools: &Toolbox,
    name: &str,
    arguments: Value,
    clock: &str,
) -> (Vec<String>, Result<Observation, ToolError>) {
    let arguments = arguments.as_object().unwrap().clone();
    let called =
        tools.call(&firsthand_tasks::format::ToolCall { name: name.into(), arguments }, &context(clock));
    let result = match called.outcome {
        Outcome::Found(observation) => Ok(observation),
        Outcome::Failed(error) => Err(error),
    };
    (called.notes, result)
}

#[test]
fn a_range_shows_its_own_frames_over_files_and_gaps() {
    let folder = tempfile::tempdir().unwrap();
    recordings(folder.path());
    let tools = tools(folder.path());
    let check = |range: &str, clock: &str, answer: &str, exact: bool| {
        let (_, result) = asked(&tools, "video_llm", json!({"question": "what?", "range": range}), clock);
        let value = result.unwrap_or_else(|error| panic!("{range}: {error:?}")).value;
        assert_eq!(
            (value["answer"].as_str(), value["exact_match"].as_bool()),
            (Some(answer), Some(exact)),
            "{range}: {value}"
        );
    };
    let late = "DAY7_00000000";
    // From 2 s to 6 s at one frame a second: seconds 2, 3, 4 and 5, each twenty frames apart.
    check("DAY1_11000200-DAY1_11000600", late, "[11000000 40,60,80,100] what?", true);
    // Frame 7 of second 2 on: exactly those frames, not whole seconds.
    check("DAY1_11000207-DAY1_11000407", late, "[11000000 47,67] what?", true);
    // Over two files that follow each other: each says its time.
    check(
        "DAY1_11001000-DAY1_11001400",
        late,
        "DAY1_11001000-DAY1_11001200: [11000000 200,220] DAY1_11001200-DAY1_11001400: [11001200 0,20] what?",
        true,
    );
    // Over a gap: what is there is shown, what is missing is told.
    check(
        "DAY1_11002200-DAY1_11010200",
        late,
        "DAY1_11002200-DAY1_11002400: [11001200 200,220] DAY1_11010000-DAY1_11010200: [11010000 0,20] what?",
        false,
    );
    // Of more than is shown, an even spread.
    check("DAY1_11000000-DAY1_11001200", late, "[11000000 0,30,60,90,120,150,180,210] what?", true);
    // The clock cuts, and it is told.
    let range = json!({"question": "what?", "range": "DAY1_11000200-DAY1_11010200"});
    let (notes, result) = asked(&tools, "video_llm", range, "DAY1_11000600");
    assert_eq!(result.unwrap().value["answer"], "[11000000 40,60,80,100] what?");
    assert_eq!(notes, ["range: DAY1_11010200 is later than now; DAY1_11000600 was used"]);
}

#[test]
fn the_frame_asked_for_is_the_frame_seen() {
    let folder = tempfile::tempdir().unwrap();
    recordings(folder.path());
    let tools = tools(folder.path());
    let check = |timestamp: &str, frame: usize, shown: &str| {
        let (_, result) =
            asked(&tools, "vlm", json!({"question": "what?", "timestamp": timestamp}), "DAY7_00000000");
        let value = result.unwrap_or_else(|error| panic!("{timestamp}: {error:?}")).value;
        let answer = value["answer"].as_str().unwrap();
        let level: u8 = answer.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert!(level.abs_diff(grey(frame)) <= 2 && answer.ends_with("64x48 what?"), "{timestamp}: {answer}");
        assert_eq!(
            (value["timestamp"].as_str(), value["exact_match"].as_bool()),
            (Some(shown), Some(shown == timestamp))
        );
    };
    for (timestamp, frame) in [
        ("DAY1_11000000", 0),
        ("DAY1_11000217", 57),
        ("DAY1_11000301", 61),
        ("DAY1_11001119", 239),
        ("DAY1_11001203", 3),
    ] {
        check(timestamp, frame, timestamp);
    }
    // Nothing recorded there: the nearest frame, told.
    check("DAY1_11003000", 239, "DAY1_11002319");
    check("DAY1_11005500", 0, "DAY1_11010000");
}

#[test]
fn what_cannot_be_looked_at_is_told_with_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    recordings(folder.path());
    let tools = tools(folder.path());
    let check = |name: &str, key: &str, time: &str, clock: &str, trouble: Trouble, remedy: &str| {
        let mut arguments = json!({"question": "what?"});
        arguments[key] = time.into();
        let error = asked(&tools, name, arguments, clock).1.unwrap_err();
        assert_eq!(error.error, trouble, "{time}: {error:?}");
        assert!(error.remedy.as_deref().unwrap().contains(remedy), "{time}: {error:?}");
    };
    let (video, image, late) = ("video_llm", "vlm", "DAY7_00000000");
    check(video, "range", "DAY1_11000000-DAY1_11000000", late, Trouble::BadArgument, "ask vlm");
    check(video, "range", "DAY1_11000000-DAY1_11100001", late, Trouble::BadArgument, "at most 10 minutes");
    check(
        video,
        "range",
        "DAY1_12000000-DAY1_12000100",
        late,
        Trouble::NotFound,
        "DAY1_11010000-DAY1_11011200",
    );
    check(video, "range", "DAY3_12000000-DAY3_12000100", late, Trouble::NotFound, "rag");
    check(image, "timestamp", "DAY1_12000000", late, Trouble::NotFound, "DAY1_11010000-DAY1_11011200");
    // What the clock hides is not named as the nearest, nor shown.
    check(
        video,
        "range",
        "DAY1_11003000-DAY1_11004000",
        "DAY1_11005000",
        Trouble::NotFound,
        "DAY1_11001200-DAY1_11002400",
    );
    check(
        image,
        "timestamp",
        "DAY1_11010500",
        "DAY1_11005000",
        Trouble::LaterThanNow,
        "now is DAY1_11005000",
    );
    check(
        video,
        "range",
        "DAY1_11010500-DAY1_11010600",
        "DAY1_11005000",
        Trouble::LaterThanNow,
        "now is DAY1_11005000",
    );
    // The published name of a folder, its short form, and names that lead elsewhere.
    let footage = Folder::new(folder.path().to_owned(), opener());
    let all = |wearer: &str| {
        let (start, end) = ("DAY1_00000000".parse().unwrap(), "DAY1_23000000".parse().unwrap());
        footage.stretches(wearer, start, end).unwrap().len()
    };
    assert_eq!((all("A1"), all("A1_JAKE"), all("A2"), all("../A1_JAKE"), all("A9")), (3, 3, 1, 0, 0));
}

#[test]
fn frames_of_a_range_lie_within_it_and_cuts_add_up() {
    use proptest::prelude::*;
    let moment = |ms: i64| Moment::from_ms(ms).unwrap();
    proptest!(ProptestConfig::with_cases(256), |(
        lengths in prop::collection::vec((0i64..5000, 1i64..5000), 1..6), start in 0i64..20_000, length in 1i64..20_000, most in 2usize..40,
    )| {
        let mut at = 0;
        let stretches: Vec<Stretch> = lengths.iter().map(|(gap, ms)| {
            let start = at + gap;
            at = start + ms;
            Stretch { start: moment(start), end: moment(at), file: format!("{start}"), start_s: 1.5 }
        }).collect();
        let (from, to) = (moment(start), moment(start + length));
        let cut = Cut::of(&stretches, from, to);
        let gaps: i64 = cut.gaps.iter().map(|[a, b]| b.ms() - a.ms()).sum();
        prop_assert_eq!(cut.ms() + gaps, length);
        if cut.stretches.is_empty() {
            return Ok(());
        }
        let frames = cut.frames(1.0, most);
        let count: usize = frames.iter().map(Vec::len).sum();
        prop_assert!(count >= 2 && count <= most && count.is_multiple_of(2), "{} of {}", count, most);
        for (stretch, frames) in cut.stretches.iter().zip(frames) {
            for (at, seconds) in frames {
                prop_assert!(stretch.start <= at && at < stretch.end && from <= at && at < to);
                prop_assert!((seconds - stretch.start_s - (at.ms() - stretch.start.ms()) as f64 / 1000.0).abs() < 0.001);
            }
        }
    });
}
