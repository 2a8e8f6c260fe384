//! Files of every format, read whole; and files that are damaged, cut, or not what they should be.

use std::path::PathBuf;

use firsthand_base::{ImagePart, Part, PixelLimits, Sampling, VideoPart, VideoSource};
use firsthand_golden::media;
use firsthand_tasks::{Kind, Style};
use serde_json::{Value, json};

use super::*;

/// A folder with one file, and a source that reads it. Media are the golden ones.
struct Fixture {
    folder: tempfile::TempDir,
    config: SourceConfig,
}

fn fixture(format: Format, name: &str, text: impl AsRef<[u8]>) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs_err::write(&path, text).unwrap();
    let mut config = SourceConfig::new("fixture", format, path);
    config.media_root = media("clip.mp4").parent().map(PathBuf::from);
    Fixture { folder, config }
}

fn lines(rows: &[Value]) -> String {
    rows.iter().map(|row| format!("{row}\n")).collect()
}

impl Fixture {
    fn open(&self) -> Result<Dataset> {
        Dataset::open(std::slice::from_ref(&self.config))
    }

    fn rows(&self) -> Vec<Row> {
        let dataset = self.open().unwrap();
        assert_eq!(dataset.skipped(), [], "{:?}", self.folder);
        (0..dataset.len()).map(|index| dataset.row(RowId { source: 0, index }).unwrap()).collect()
    }

    fn row(&self) -> Row {
        self.rows().swap_remove(0)
    }
}

/// A conversation as text: `role: words [image small.png] words`, one turn a line.
fn spoken(row: &Row) -> Vec<String> {
    let name = |location: &str| location.rsplit('/').next().unwrap_or("").to_owned();
    let part = |part: &Part| match part {
        Part::Text(text) => text.clone(),
        Part::Image(image) if image.location.starts_with("data:") => "[image data]".to_owned(),
        Part::Image(image) => format!("[image {}]", name(&image.location)),
        Part::Video(VideoPart { source: VideoSource::File(location), .. }) => {
            format!("[video {}]", name(location))
        }
        Part::Video(VideoPart { source: VideoSource::Images(all), .. }) => {
            format!("[video {}]", all.iter().map(|one| name(one)).collect::<Vec<_>>().join(" "))
        }
    };
    let turn = |message: &firsthand_base::Message| {
        format!("{}: {}", message.role.name(), message.parts.iter().map(part).collect::<String>())
    };
    row.conversation.messages.iter().map(turn).collect()
}

fn video_r1(kind: &str, options: &[&str]) -> Value {
    json!({
        "problem_id": 3, "problem": "What is it?", "data_type": "video", "problem_type": kind, "options": options,
        "solution": "<answer>A</answer>", "process": "<think>I look.</think>", "path": "./clip.mp4", "data_source": "x",
    })
}

#[test]
fn video_r1_rows_are_put_as_the_published_runs_put_them() {
    let kinds = ["multiple choice", "numerical", "OCR", "free-form", "regression"];
    let options =
        |kind: &str| -> &[&str] { if kind == "multiple choice" { &["A. cup", "B. bowl"] } else { &[] } };
    let list: Vec<Value> = kinds.iter().map(|kind| video_r1(kind, options(kind))).collect();
    let endings = [
        "Please provide only the single option letter (e.g., A, B, C, D, etc.) within the <answer> </answer> tags.",
        "Please provide the numerical value (e.g., 42 or 3.14) within the <answer> </answer> tags.",
        "Please transcribe text from the image/video clearly and provide your text answer within the <answer> </answer> tags.",
        "Please provide your text answer within the <answer> </answer> tags.",
        "Please provide the numerical value (e.g., 42 or 3.14) within the <answer> </answer> tags.",
    ];
    for (name, text) in [("rows.json", Value::from(list.clone()).to_string()), ("rows.jsonl", lines(&list))] {
        let rows = fixture(Format::VideoR1, name, text).rows();
        assert_eq!(rows.len(), 5);
        for (index, row) in rows.iter().enumerate() {
            let said = spoken(row);
            let question = match index {
                0 => "What is it?Options:\nA. cup\nB. bowl\n\nPlease think about",
                _ => "What is it?\nPlease think about",
            };
            assert!(said[0].starts_with(&format!("user: [video clip.mp4]{question}")), "{}", said[0]);
            let tags = "between the <think> </think> tags, and then give your final answer between the <answer> </answer> tags. ";
            assert!(said[0].ends_with(&format!("{tags}{}", endings[index])), "{}", said[0]);
            assert_eq!(said[1..], ["assistant: <think>I look.</think>\n<answer>A</answer>"]);
            assert_eq!(row.id.as_deref(), Some("3"));
            assert_eq!(row.solution.as_deref(), Some("<answer>A</answer>"));
        }
        let found: Vec<Kind> = rows.iter().filter_map(|row| row.kind).collect();
        assert_eq!(
            found,
            [Kind::MultipleChoice, Kind::Numerical, Kind::Ocr, Kind::FreeForm, Kind::Regression]
        );
        assert_eq!(rows[0].options, ["A. cup", "B. bowl"]);
    }
}

#[test]
fn a_recipe_chooses_style_system_turn_and_whether_to_reason() {
    let mut image = video_r1("free-form", &[]);
    image["data_type"] = json!("image");
    image["path"] = json!("./small.png");
    let mut fixture = fixture(Format::VideoR1, "rows.json", json!([image]).to_string());
    fixture.config.style = Some(Style::Plain);
    fixture.config.system = Some("Look.".into());
    fixture.config.reasoning = false;
    fixture.config.image.max_pixels = Some(5000);
    let row = fixture.row();
    let expected = ["system: Look.", "user: [image small.png]What is it?", "assistant: <answer>A</answer>"];
    assert_eq!(spoken(&row), expected);
    let Part::Image(ImagePart { limits, .. }) = row.conversation.parts().nth(1).unwrap() else { panic!() };
    assert_eq!(*limits, PixelLimits { max_pixels: Some(5000), ..PixelLimits::default() });
}

#[test]
fn st_r1_rows_ask_the_bare_question() {
    let row = json!({
        "problem": "Where? Options: A. left, B. right", "original_question": "Where? Options: A. left, B. right",
        "solution": "<think>back</think> <answer>B</answer>", "video": "/far/away/clip.mp4", "original_answer": "B",
    });
    let mut fixture = fixture(Format::StR1, "rows.jsonl", lines(&[row]));
    fixture.config.media_prefix = Some("/far/away".into());
    fixture.config.sampling = Some(Sampling::Frames(8));
    let row = fixture.row();
    let asked = "user: [video clip.mp4]Where? Options: A. left, B. right";
    assert_eq!(spoken(&row), [asked, "assistant: <think>back</think> <answer>B</answer>"]);
    let Some(Part::Video(video)) = row.conversation.parts().next() else { panic!() };
    assert_eq!(video.sampling, Sampling::Frames(8));
    fixture.config.reasoning = false;
    fixture.config.style = Some(Style::StR1);
    let said = spoken(&fixture.row());
    assert!(said[0].starts_with(&format!("{asked} Please answer in English. Output")), "{}", said[0]);
    assert_eq!(said[1], "assistant: B");
}

#[test]
fn conversations_keep_their_turns_and_put_media_at_their_marks() {
    let check = |row: Value, expected: &[&str]| {
        let row = fixture(Format::ShareGpt, "rows.json", json!([row]).to_string()).row();
        assert_eq!(spoken(&row), expected);
    };
    let turns = |first: &str| json!([{"from": "human", "value": first}, {"from": "gpt", "value": "Yes."}]);
    check(
        json!({"image": "small.png", "conversations": turns("<image>\nIs it?")}),
        &["user: [image small.png]\nIs it?", "assistant: Yes."],
    );
    check(
        json!({"video": ["clip.mp4", "odd.mp4"], "images": ["small.png"], "conversations": turns("<video> then <image><video>?"), "system": "S"}),
        &["system: S", "user: [video clip.mp4] then [image small.png][video odd.mp4]?", "assistant: Yes."],
    );
    check(
        json!({"videos": [["small.png", "tall.png"]], "messages": [
            {"role": "system", "content": "S"}, {"role": "user", "content": "<video>a"}, {"role": "assistant", "content": "b"},
            {"role": "tool", "content": "c"}, {"role": "assistant", "content": "d"},
        ]}),
        &[
            "system: S",
            "user: [video small.png tall.png]a",
            "assistant: b",
            "user: <tool_response>\nc\n</tool_response>",
            "assistant: d",
        ],
    );
    check(
        json!({"conversations": [{"from": "gpt", "value": "Hello."}, {"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}),
        &["user: a", "assistant: b"],
    );
    check(
        json!({"instruction": "c", "input": "d", "output": "e", "system": "S", "history": [["a", "b"]]}),
        &["system: S", "user: a", "assistant: b", "user: c\nd", "assistant: e"],
    );
    check(json!({"instruction": "c", "input": "", "output": "e"}), &["user: c", "assistant: e"]);
}

/// The words that LLaMA-Factory's `QwenToolUtils` gives for the same tools and calls.
#[test]
fn tools_and_calls_are_in_the_words_of_llama_factory() {
    let tools = json!([
        {"name": "zoom", "description": "Nah heran – 近く", "parameters":
            {"type": "object", "properties": {"factor": {"type": "number", "default": 2.0}}, "required": ["factor"]}},
        {"type": "function", "function": {"name": "rag", "parameters": {}}},
    ]);
    let told = "\n\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are provided with function signatures within <tools></tools> XML tags:\n<tools>\n{\"type\": \"function\", \"function\": {\"name\": \"zoom\", \"description\": \"Nah heran – 近く\", \"parameters\": {\"type\": \"object\", \"properties\": {\"factor\": {\"type\": \"number\", \"default\": 2.0}}, \"required\": [\"factor\"]}}}\n{\"type\": \"function\", \"function\": {\"name\": \"rag\", \"parameters\": {}}}\n</tools>\n\nFor each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:\n<tool_call>\n{\"name\": <function-name>, \"arguments\": <args-json-object>}\n</tool_call>";
    let row = |fields: Value| {
        let turns = json!([{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]);
        let mut row = json!({"conversations": turns});
        row.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        fixture(Format::ShareGpt, "rows.json", json!([row]).to_string()).row()
    };
    // A list, or the same as a string, as the published demonstration file has it.
    for written in [tools.clone(), json!(tools.to_string())] {
        assert_eq!(row(json!({"tools": written})).tools.as_deref(), Some(told));
    }
    for none in [json!(null), json!(""), json!("[]"), json!([])] {
        assert_eq!(row(json!({"tools": none})).tools, None);
    }
    let one = row(json!({"tools": tools[1]})).tools.unwrap();
    assert!(one.contains("<tools>\n{\"type\": \"function\", \"function\": {\"name\": \"rag\""), "{one}");

    let calls = |turns: Value, expected: &[&str]| {
        let row = json!({"conversations": turns});
        let row = fixture(Format::ShareGpt, "rows.json", json!([row]).to_string()).row();
        assert_eq!(spoken(&row), expected);
    };
    let call = |value: &str| {
        json!([{"from": "human", "value": "a"}, {"from": "function_call", "value": value},
            {"from": "observation", "value": "found"}, {"from": "gpt", "value": "b"}])
    };
    let check = |value: &str, expected: &str| {
        let expected = format!("assistant: {expected}");
        let given = "user: <tool_response>\nfound\n</tool_response>";
        calls(call(value), &["user: a", &expected, given, "assistant: b"]);
    };
    check(
        r#"{"name": "zoom", "arguments": {"factor": 1.50, "at": "近く", "n": 1e-7}}"#,
        "<tool_call>\n{\"name\": \"zoom\", \"arguments\": {\"factor\": 1.5, \"at\": \"近く\", \"n\": 1e-07}}\n</tool_call>",
    );
    let both = "<tool_call>\n{\"name\": \"zoom\", \"arguments\": {\"factor\": 2}}\n</tool_call>\n<tool_call>\n{\"name\": \"rag\", \"arguments\": {}}\n</tool_call>";
    check(r#"[{"name":"zoom","arguments":{"factor":2}},{"name":"rag","arguments":{}}]"#, both);
    check(r#"[{"name":"zoom","arguments":"{\"factor\": 2}"},{"name":"rag"}]"#, both);
    check(
        "<tool_call>\n{\"name\":\"zoom\",\"arguments\":{\"factor\":2}}\n</tool_call>\n<tool_call>{\"name\":\"rag\"}</tool_call>",
        both,
    );
    check(
        "<think>\nI look.\n</think>\n\n{\"name\":\"rag\",\"arguments\":{\"a\":[1,null,true]}}",
        "<think>\nI look.\n</think>\n\n<tool_call>\n{\"name\": \"rag\", \"arguments\": {\"a\": [1, null, true]}}\n</tool_call>",
    );
    // Parallel calls as OpenAI writes them; what they gave is one turn.
    let openai = json!([{"role": "user", "content": "a"},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "zoom", "arguments": "{\"factor\": 2}"}},
            {"id": "2", "type": "function", "function": {"name": "rag", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "1", "content": "near"}, {"role": "tool", "tool_call_id": "2", "content": "found"},
        {"role": "assistant", "content": "b"}]);
    let given = "user: <tool_response>\nnear\n</tool_response>\n<tool_response>\nfound\n</tool_response>";
    calls(openai, &["user: a", &format!("assistant: {both}"), given, "assistant: b"]);
}

#[test]
fn rows_and_sources_say_that_they_show_nothing() {
    let turns =
        |words: &str, said: &str| json!([{"from": "human", "value": words}, {"from": "gpt", "value": said}]);
    // However a row says it.
    for key in ["image", "images", "video", "videos"] {
        for none in [json!(null), json!(""), json!([]), json!([""]), json!([null]), json!(" ")] {
            let row = json!({"conversations": turns("a", "b"), key: none});
            let row = fixture(Format::ShareGpt, "rows.json", json!([row]).to_string()).row();
            assert_eq!(spoken(&row), ["user: a", "assistant: b"], "{key}");
        }
    }
    let row = json!({"image": "", "images": ["small.png"], "conversations": turns("<image>a", "b")});
    let row = fixture(Format::ShareGpt, "rows.json", json!([row]).to_string()).row();
    assert_eq!(spoken(&row), ["user: [image small.png]a", "assistant: b"]);
    // Rows about the marks themselves.
    let html = json!({"conversations": turns("What is <image> in SVG, and <video>?", "Use <image href>, <video>: <image>.")});
    let mut source = fixture(Format::ShareGpt, "rows.json", json!([html]).to_string());
    assert!(source.open().unwrap_err().to_string().contains("set media = false"));
    source.config.media = false;
    let said = spoken(&source.row());
    assert_eq!(said[0], "user: What is <image> in SVG, and <video>?");
    assert_eq!(said[1], "assistant: Use <image href>, <video>: <image>.");
    let shown = json!({"image": "small.png", "conversations": turns("a", "b")});
    let mut source = fixture(Format::ShareGpt, "rows.json", json!([shown]).to_string());
    source.config.media = false;
    assert!(source.open().unwrap_err().to_string().contains("image: the source says media = false"));
    source.config.format = Format::VideoR1;
    assert!(source.open().unwrap_err().to_string().contains("media: only sharegpt rows"));
}

#[test]
fn turns_that_say_so_are_not_learned() {
    let check = |key: &str, values: [Value; 3], unlearned: &[usize]| {
        let turn = |(i, value): (usize, Value)| {
            let mut turn = json!({"from": "gpt", "value": format!("{i}")});
            turn[key] = value;
            [json!({"from": "human", "value": "a"}), turn]
        };
        let turns: Vec<Value> = values.into_iter().enumerate().flat_map(turn).collect();
        let row = json!({"conversations": turns});
        assert_eq!(
            fixture(Format::ShareGpt, "rows.json", json!([row]).to_string()).row().unlearned,
            unlearned,
            "{key}"
        );
    };
    check("weight", [json!(0), json!(1), json!(null)], &[0]);
    check("weight", [json!(0.0), json!(1.0), json!(0)], &[0, 2]);
    check("loss", [json!(true), json!(false), json!(true)], &[1]);
    check("train", [json!(false), json!(false), json!(true)], &[0, 1]);
    check("seconds", [json!(0), json!(0), json!(0)], &[]);
}

#[test]
fn a_clip_of_a_video_and_columns_by_other_names() {
    let row = json!({"prompt": "<video>a", "response": "b", "videos": ["clip.mp4"], "start": 0.5, "end": 1});
    let mut fixture = fixture(Format::ShareGpt, "rows.jsonl", lines(&[row]));
    let columns = [("instruction", "prompt"), ("output", "response")];
    fixture.config.columns = columns.map(|(ours, theirs)| (ours.into(), theirs.into())).into();
    let row = fixture.row();
    assert_eq!(spoken(&row), ["user: [video clip.mp4]a", "assistant: b"]);
    let Some(Part::Video(video)) = row.conversation.parts().next() else { panic!() };
    assert_eq!((video.span.start_s, video.span.end_s), (Some(0.5), Some(1.0)));
}

#[test]
fn only_rows_with_the_values_asked_for_are_read() {
    let row = |kind: &str, hops: u8| json!({"instruction": kind, "output": "b", "kind": kind, "hops": hops});
    let rows =
        [row("a", 1), row("b", 1), row("a", 2), row("c", 2), json!({"instruction": "d", "output": "b"})];
    let check = |only: Value, expected: &[&str]| {
        let mut fixture = fixture(Format::ShareGpt, "rows.jsonl", lines(&rows));
        fixture.config.only = serde_json::from_value(only).unwrap();
        let asked = |row: &Row| spoken(row)[0].replace("user: ", "");
        assert_eq!(fixture.rows().iter().map(asked).collect::<Vec<_>>(), expected);
    };
    check(json!({}), &["a", "b", "a", "c", "d"]);
    check(json!({"kind": ["a", "c"]}), &["a", "a", "c"]);
    check(json!({"kind": ["a", "b"], "hops": [1]}), &["a", "b"]);
    let mut fixture = fixture(Format::ShareGpt, "rows.jsonl", lines(&rows));
    fixture.config.only = [("kind".into(), vec![json!("z")])].into();
    let error = fixture.open().unwrap_err().to_string();
    assert!(error.contains("none of 5 rows is as `only` says"), "{error}");
}

#[test]
fn messages_are_taken_as_they_stand() {
    let row = json!({"id": "m1", "messages": [
        {"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "small.png"}},
            {"type": "video_url", "video_url": {"url": "clip.mp4"}},
            {"type": "video", "video": "odd.mp4", "nframes": 4, "max_pixels": 9000},
            {"type": "text", "text": "Which?"},
        ]},
        {"role": "assistant", "content": "This."},
    ]});
    let mut fixture = fixture(Format::Messages, "rows.jsonl", lines(&[row.clone(), row["messages"].clone()]));
    fixture.config.sampling = Some(Sampling::Uniform(6));
    fixture.config.video.max_pixels = Some(7000);
    fixture.config.system = Some("S".into());
    let rows = fixture.rows();
    for row in &rows {
        let asked = "user: [image small.png][video clip.mp4][video odd.mp4]Which?";
        assert_eq!(spoken(row), ["system: S", asked, "assistant: This."]);
    }
    assert_eq!((rows[0].id.as_deref(), rows[1].id.as_deref()), (Some("m1"), None));
    let videos: Vec<_> = rows[0]
        .conversation
        .parts()
        .filter_map(|part| match part {
            Part::Video(video) => Some((video.sampling.clone(), video.limits.max_pixels)),
            _ => None,
        })
        .collect();
    assert_eq!(videos, [(Sampling::Uniform(6), Some(7000)), (Sampling::Frames(4), Some(9000))]);
}

/// A row of `firsthand world questions`.
fn world(media: Value) -> Value {
    json!({
        "seed": 3, "media": media, "size": [224, 168], "id": "q", "family": "instance_location", "kind": "left or right",
        "medium": {"frame": {"day": 1, "time_s": 9.0}}, "problem_type": "multiple choice",
        "question": "Where is the cup?", "options": ["left", "right"], "answer": {"option": 1}, "chance": 0.5,
        "think": "cup e4 . so right", "scene": {"objects": [{"id": "cup.1", "bbox": [1, 2, 30, 40]}], "relationships": []},
    })
}

#[test]
fn world_questions_bring_what_rewards_read() {
    let mut boxed = world(json!("small.png"));
    boxed["answer"] = json!({"box": [1, 2, 30, 40]});
    boxed["options"] = json!([]);
    let rows = fixture(Format::World, "rows.jsonl", lines(&[world(json!("small.png")), boxed])).rows();
    assert_eq!((rows[0].kind, rows[1].kind), (Some(Kind::MultipleChoice), Some(Kind::Box)));
    let solution = rows[0].solution.as_deref().unwrap();
    assert!(
        solution.starts_with("<scene>{") && solution.ends_with("</scene>\n<answer>B</answer>"),
        "{solution}"
    );
    assert_eq!(rows[1].solution.as_deref(), Some("[1, 2, 30, 40]"));
    assert_eq!(rows[0].facts["problem"], json!("Where is the cup?"));
    assert_eq!(
        (&rows[0].facts["problem_type"], &rows[1].facts["problem_type"], &rows[0].facts["image_size"]),
        (&json!("multiple choice"), &json!("visor"), &json!([224, 168]))
    );
    let said = rows[0].conversation.messages.last().unwrap();
    assert_eq!(
        said.parts,
        [Part::Text("<think>cup e4 . left A , right B . so right B</think>\n<answer>B</answer>".into())]
    );
}

/// Rows of every format that cannot be used, and why.
#[test]
fn bad_rows_are_named_with_their_line_and_reason() {
    let check = |format: Format, row: Value, expected: &str| {
        let good = match format {
            Format::VideoR1 => video_r1("numerical", &[]),
            Format::StR1 => json!({"problem": "a", "solution": "b", "video": "clip.mp4"}),
            Format::ShareGpt => json!({"instruction": "a", "output": "b"}),
            Format::Stvqa => json!({"problem": "a", "images": "small.png", "answer_option_text": "b"}),
            Format::Messages => {
                json!({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]})
            }
            Format::World => world(json!("small.png")),
            Format::EgoR1 => {
                json!({"identity": "A1", "question": "a <timestamp>DAY1_11210217</timestamp>\nA. b\nB. c", "answer": "A"})
            }
        };
        let fixture = fixture(format, "rows.jsonl", lines(&[good.clone(), row.clone(), good]));
        let dataset = fixture.open().unwrap();
        assert_eq!(dataset.len(), 2, "{row}");
        let [bad] = dataset.skipped() else { panic!("{row}: {:?}", dataset.skipped()) };
        assert_eq!((bad.at.line, &bad.file, bad.source_name.as_str()), (2, &fixture.config.path, "fixture"));
        let message = bad.to_string();
        assert!(message.contains(expected) && !message.contains('\n'), "{row}: {message}");
        assert_eq!(dataset.row(RowId { source: 0, index: 1 }).unwrap().at.line, 3);
    };
    let edited = |key: &str, value: Value| {
        let mut row = video_r1("multiple choice", &["A. a", "B. b"]);
        row[key] = value;
        row
    };
    use Format::*;
    check(
        VideoR1,
        edited("problem_type", json!("Multiple choice")),
        "problem_type: expected multiple choice, numerical",
    );
    check(VideoR1, edited("problem", json!(7)), "problem: expected a string, found 7");
    check(VideoR1, edited("path", Value::Null), "path: expected a string, found nothing");
    check(VideoR1, edited("path", json!("./gone.mp4")), "no such file: ");
    check(VideoR1, edited("path", json!("./")), "a medium without a location");
    check(VideoR1, edited("data_type", json!("audio")), "data_type: expected image or video");
    check(VideoR1, edited("options", json!("A. a")), "options: expected a list of strings");
    check(VideoR1, edited("options", json!([])), "0 options; give two options or more");
    check(VideoR1, edited("solution", Value::Null), "solution: expected a string");
    check(VideoR1, edited("process", Value::Null), "set reasoning = false");
    check(World, world(Value::Null), "a question about days has no medium");
    check(World, json!({"seed": 3}), "missing field");
    check(VideoR1, json!("text"), "expected an object, found \"text\"");
    check(
        StR1,
        json!({"problem": "a", "solution": "b", "video": "clip.mp4", "image": "small.png"}),
        "both video and image",
    );
    check(StR1, json!({"problem": "a", "solution": " ", "video": "clip.mp4"}), "the assistant says nothing");
    let talk = |turns: Value| json!({"conversations": turns});
    let (human, gpt) = (json!({"from": "human", "value": "a"}), json!({"from": "gpt", "value": "b"}));
    check(ShareGpt, talk(json!([human])), "the last turn is the user's");
    check(
        ShareGpt,
        talk(json!([human, human, gpt])),
        "conversations[1]: user speaks where it is the turn of the assistant",
    );
    check(
        ShareGpt,
        talk(json!([human, gpt, gpt])),
        "conversations[2]: assistant speaks where it is the turn of the user",
    );
    check(ShareGpt, talk(json!([{"from": "x", "value": "a"}, gpt])), "an unknown speaker: x");
    check(
        ShareGpt,
        talk(json!([{"from": "function_call", "value": "a"}, gpt])),
        "conversations[0]: expected a call as JSON",
    );
    check(
        ShareGpt,
        talk(json!([{"from": "human", "value": 1}, gpt])),
        "conversations[0]: expected from and value",
    );
    check(ShareGpt, talk(json!([])), "no turns");
    check(ShareGpt, talk(json!(["a"])), "conversations[0]");
    check(ShareGpt, json!({"x": 1}), "name the file's keys under columns");
    check(
        ShareGpt,
        json!({"conversations": [{"from": "human", "value": "<image>a"}, gpt]}),
        "more <image> marks than media",
    );
    check(
        ShareGpt,
        json!({"image": "small.png", "conversations": [human, gpt]}),
        "1 images and 0 videos have no <image>",
    );
    check(
        ShareGpt,
        json!({"image": "small.png", "conversations": [human, {"from": "gpt", "value": "<image>"}]}),
        "mark in the assistant's words",
    );
    check(
        ShareGpt,
        json!({"image": 5, "conversations": [human, gpt]}),
        "images: expected a location, found 5",
    );
    check(
        ShareGpt,
        json!({"instruction": "a", "output": "b", "history": [["a"]]}),
        "history: expected a list of pairs",
    );
    check(
        ShareGpt,
        json!({"instruction": "a", "output": "b", "start": 3, "end": 2}),
        "start: 3 is not before end: 2",
    );
    let with = |key: &str, value: Value| json!({"conversations": [human, gpt], key: value});
    check(ShareGpt, with("chosen", json!({"from": "gpt", "value": "b"})), "chosen: pairs of answers");
    check(
        ShareGpt,
        json!({"instruction": "a", "output": "b", "rejected": "c"}),
        "rejected: pairs of answers",
    );
    check(ShareGpt, with("kto_tag", json!(false)), "kto_tag: feedback for KTO");
    check(ShareGpt, with("audios", json!(["a.mp3"])), "audios: sound is not supported");
    check(ShareGpt, json!({"text": "a document"}), "text: rows of pre-training have no turns");
    check(ShareGpt, with("tools", json!("[{]")), "tools: broken JSON within the string");
    check(ShareGpt, with("tools", json!([7])), "tools[0]: expected an object");
    check(ShareGpt, with("tools", json!([{"type": "function", "function": {}}])), "tools[0]: it has no name");
    let call = |text: &str| talk(json!([human, {"from": "function_call", "value": text}]));
    check(ShareGpt, call("zoom(2)"), "conversations[1]: expected a call as JSON");
    check(ShareGpt, call("{\"arguments\": {}}"), "a call without a name");
    check(ShareGpt, call("{\"name\": \"f\", \"arguments\": [1]}"), "the arguments of f: expected an object");
    check(ShareGpt, call("<tool_call>{\"name\": \"f\"}"), "a <tool_call> that does not end");
    let weighed = |who: &str, key: &str, value: Value| {
        let mut turns = [human.clone(), gpt.clone()];
        turns[usize::from(who == "gpt")][key] = value;
        talk(json!(turns))
    };
    check(
        ShareGpt,
        weighed("gpt", "weight", json!(0.5)),
        "conversations[1].weight: expected 0 or 1 (false or true), found 0.5",
    );
    check(ShareGpt, weighed("gpt", "loss", json!("no")), "conversations[1].loss: expected 0 or 1");
    check(ShareGpt, weighed("gpt", "weight", json!(0)), "no turn is learned");
    check(
        ShareGpt,
        weighed("human", "loss", json!(true)),
        "conversations[0].loss: only the assistant's turns",
    );
    check(Stvqa, json!({"problem": "a", "answer_option_text": "b"}), "images: expected one picture");
    check(
        Stvqa,
        json!({"problem": "a", "images": ["small.png", "tall.png"], "answer_option_text": "b"}),
        "images: expected one picture",
    );
    check(
        Stvqa,
        json!({"problem": "a", "images": {"bytes": null, "path": null}, "answer_option_text": "b"}),
        "images",
    );
    check(Messages, json!({"messages": []}), "messages: empty");
    check(Messages, json!({"text": "a"}), "messages: expected a list of messages, found nothing");
    check(Messages, json!([{"role": "user", "content": "a"}]), "the last turn is the user's");
    let shown = json!([{"type": "image", "image": "small.png"}]);
    check(
        Messages,
        json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": shown}]),
        "the assistant shows a medium",
    );
}

/// Files that are damaged: what is lost is named, what is whole is read.
#[test]
fn damaged_files_are_named() {
    let row = json!({"instruction": "a", "output": "b"}).to_string();
    let check = |text: &[u8], expected: std::result::Result<(usize, &[&str]), &str>| {
        let fixture = fixture(Format::ShareGpt, "rows.json", text);
        match (fixture.open(), expected) {
            (Ok(dataset), Ok((good, bad))) => {
                assert_eq!(dataset.len(), good);
                assert_eq!(dataset.skipped().len(), bad.len(), "{:?}", dataset.skipped());
                for (found, expected) in dataset.skipped().iter().zip(bad) {
                    assert!(found.to_string().contains(expected), "{found}");
                }
            }
            (Err(error), Err(expected)) => {
                let message = error.to_string();
                assert!(message.contains(expected) && !message.contains('\n'), "{message}");
            }
            (found, _) => panic!("{}: {found:?}", String::from_utf8_lossy(text)),
        }
    };
    check(
        format!("{row}\n{}", &row[..20]).as_bytes(),
        Ok((1, &["rows.json:2: broken JSON: EOF while parsing"])),
    );
    check(format!("{row}\n{row} x\n").as_bytes(), Ok((1, &["2: broken JSON: trailing characters"])));
    check(
        &[row.as_bytes(), b"\n{\"instruction\":\"\xff\",\"output\":\"b\"}"].concat(),
        Ok((1, &["2: broken JSON: invalid unicode"])),
    );
    check(
        format!("[{row},\n[],\n{{1}},{row}]").as_bytes(),
        Ok((2, &["2: expected an object", "3: broken JSON"])),
    );
    check(format!("[{row},{}", &row[..20]).as_bytes(), Err("line 1: the list does not end"));
    check(
        format!("{row}\n{}{}\n{row}", "[".repeat(5000), "]".repeat(5000)).as_bytes(),
        Ok((2, &["2: broken JSON: recursion limit"])),
    );
    // As Python writes rows: NaN beside what is read, a byte order mark, several lines for a row.
    let beside = row.replacen('{', "{\"score\": NaN, \"more\": [{\"x\": -Infinity}], ", 1);
    check(format!("\u{feff}{beside}\n{beside}").as_bytes(), Ok((2, &[])));
    check(format!("[{beside},\n{row}]").as_bytes(), Ok((2, &[])));
    check(format!("{}\n{row}\n", row.replace(',', ",\n  ")).as_bytes(), Ok((2, &[])));
    check(
        format!("{row}\n{}", "{\"instruction\": \"a\", \"output\": NaN}").as_bytes(),
        Ok((1, &["rows.json:2: output: expected a string, found NaN: `output` is NaN at line 2 column 32"])),
    );
    check(format!("{{\"a\": {row}, \"b\": {row}}}").as_bytes(), Err("jq -c '.[]' FILE > rows.jsonl"));
    check(format!("{{\"data\": [{row}]}}").as_bytes(), Err("jq -c '.\"data\"[]' FILE"));
    let wide: Vec<u8> = row.encode_utf16().flat_map(u16::to_le_bytes).collect();
    check(&[b"\xff\xfe", &*wide].concat(), Err("iconv -f UTF-16 -t UTF-8 FILE > NEW"));
    check(b"", Err("the file is empty"));
    check(b"[]", Err("no rows"));
    check(b"{}\n{}", Err("none of 2 rows can be used; the first: "));
    check(b"\x89PNG\r\n", Err("neither a JSON list nor JSON lines"));
}

#[test]
fn sources_that_do_not_go_together_are_refused() {
    let fixture =
        fixture(Format::ShareGpt, "rows.json", json!([{"instruction": "a", "output": "b"}]).to_string());
    let check = |edit: &dyn Fn(&mut Vec<SourceConfig>), expected: &str| {
        let mut configs = vec![fixture.config.clone(), fixture.config.clone()];
        configs[1].name = "second".into();
        edit(&mut configs);
        let message = Dataset::open(&configs).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    };
    check(&|configs| configs.clear(), "at least one source");
    check(&|configs| configs[1].name = "fixture".into(), "source fixture: two sources have this name");
    check(&|configs| configs[1].weight = Some(1.0), "source second: weight: some sources have one");
    check(&|configs| configs[1].weight = Some(f64::NAN), "weight: NaN");
    check(&|configs| configs[0].style = Some(Style::Plain), "style: sharegpt rows hold whole turns");
    check(&|configs| configs[0].reasoning = false, "reasoning: sharegpt rows");
    check(&|configs| configs[0].path = fixture.folder.path().into(), "not a regular file");
    check(&|configs| configs[0].path = fixture.folder.path().join("gone.json"), "gone.json");
    check(
        &|configs| {
            configs[0].format = Format::Stvqa;
            configs[0].path = fixture.folder.path().into();
        },
        "no train-*.parquet",
    );
}

#[test]
fn the_digest_follows_the_rows_and_nothing_else() {
    let digest = |text: &str| fixture(Format::ShareGpt, "rows.jsonl", text).open().unwrap().digest();
    let rows =
        lines(&[json!({"instruction": "a", "output": "b"}), json!({"instruction": "c", "output": "d"})]);
    assert_eq!(digest(&rows), digest(&format!("\n{rows}{{}}\n")));
    assert_ne!(digest(&rows), digest(&rows.replace('d', "e")));
}

#[test]
fn a_recipe_with_an_unknown_key_is_refused() {
    let good = json!({"name": "a", "format": "sharegpt", "path": "x", "sampling": {"frames": 8}, "video": {"max_pixels": 5}});
    let config: SourceConfig = serde_json::from_value(good.clone()).unwrap();
    assert_eq!(config.sampling, Some(Sampling::Frames(8)));
    assert_eq!((config.video.max_pixels, config.reasoning, config.answers), (Some(5), true, Answers::All));
    let back: SourceConfig = serde_json::from_value(serde_json::to_value(&config).unwrap()).unwrap();
    assert_eq!(back, config);
    for (key, value) in [("wieght", json!(1)), ("video", json!({"max_pixel": 5})), ("format", json!("llava"))]
    {
        let mut bad = good.clone();
        bad[key] = value;
        serde_json::from_value::<SourceConfig>(bad).unwrap_err();
    }
}

#[test]
fn rows_about_one_medium_come_together() {
    let row = |medium: &str, n: usize| json!({"image": medium, "conversations": [{"from": "human", "value": format!("<image>{n}")}, {"from": "gpt", "value": "b"}]});
    let names = ["small.png", "tall.png", "small.png", "small.png", "tall.png"];
    let rows: Vec<Value> = names.iter().enumerate().map(|(n, name)| row(name, n)).collect();
    let dataset = fixture(Format::ShareGpt, "rows.jsonl", lines(&rows)).open().unwrap();
    let options = OrderOptions { seed: 3, group_by_media: Some(4) };
    let order = Order::new(&dataset, &options).unwrap();
    assert_eq!(order.epoch_items(), 2);
    let mut sizes: Vec<usize> = (0..2).map(|step| order.batch(step, 1).len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [2, 3]);
    assert!(Order::new(&dataset, &OrderOptions { seed: 3, group_by_media: Some(0) }).is_err());
}

/// The simulated home writes the files of the references; the readers that serve the real data sets take every row.
#[test]
fn files_of_the_simulated_home_are_read_whole() {
    use firsthand_world::questions::{Plan, WriteOptions, write};
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan { frames: 3, clips: 2, days: 0, seconds: 1.0, lived: 1, ..Plan::default() };
    let options = WriteOptions { plan, threads: 1, truth: false };
    let written = write(folder.path(), &[7], &options, &|_| {}).unwrap();
    let mut checked = 0;
    for (file, format) in [
        ("video-r1.json", Format::VideoR1),
        ("st-r1.jsonl", Format::StR1),
        ("stvqa.jsonl", Format::Stvqa),
        ("egothinker-sft.json", Format::ShareGpt),
    ] {
        let rows = written.files.iter().find(|(name, _)| *name == file).map_or(0, |(_, rows)| *rows);
        if rows == 0 {
            continue;
        }
        let dataset = Dataset::open(&[SourceConfig::new(file, format, folder.path().join(file))]).unwrap();
        assert_eq!((dataset.len(), dataset.skipped()), (rows, &[][..]), "{file}");
        checked += 1;
    }
    assert!(checked >= 3, "{:?}", written.files);
}
