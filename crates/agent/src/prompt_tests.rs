use std::sync::Arc;

use super::*;
use crate::footage::Remembered;
use crate::tools::visual_tests::{looking, opener};
use crate::tools::{ImageTool, Rag, VideoTool};
use crate::{CallRules, Tool, Toolbox, Tools, scripted_memory};

#[test]
fn tools_are_shown_as_the_published_prompt_shows_them() {
    let folder = tempfile::tempdir().unwrap();
    let memories = scripted_memory::memories(folder.path());
    let footage = Arc::new(Remembered::new(memories.clone()));
    let tools: Vec<Arc<dyn Tool>> = vec![
        Arc::new(Rag::new(memories, 3)),
        Arc::new(VideoTool::new(footage.clone(), looking())),
        Arc::new(ImageTool::new(footage, opener(), looking())),
    ];
    let tools = Toolbox::new(tools, CallRules::default()).unwrap();
    let text = Prompt::Full.system(&tools.descriptions()).unwrap();
    assert!(text.starts_with("## INSTRUCTIONS\n"));
    // Three objects one after the other, no list.
    let (_, rest) = text.split_once("The tools:\n\n").unwrap();
    let (objects, _) = rest.split_once("\n\nFor example:").unwrap();
    let shown: Vec<Value> = serde_json::Deserializer::from_str(objects)
        .into_iter::<Value>()
        .collect::<std::result::Result<_, _>>()
        .unwrap();
    let check = |index: usize, name: &str, properties: &[(&str, &str)]| {
        let tool = &shown[index];
        let keys: Vec<&str> = tool.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!((keys, tool["name"].as_str()), (vec!["name", "description", "arguments"], Some(name)));
        let all = tool["arguments"]["properties"].as_object().unwrap();
        let types: Vec<_> =
            all.iter().map(|(name, one)| (name.as_str(), one["type"].as_str().unwrap())).collect();
        assert_eq!(types, properties);
        let names: Vec<&str> = properties.iter().map(|(name, _)| *name).collect();
        assert_eq!(tool["arguments"]["required"], json!(names));
        assert!(
            all.values().all(|one| one["description"].is_string() && one.as_object().unwrap().len() == 2)
        );
    };
    check(
        0,
        "rag",
        &[("level", "str"), ("keywords", "List[str]"), ("start_time", "str"), ("query_time", "str")],
    );
    check(1, "video_llm", &[("question", "str"), ("range", "str")]);
    check(2, "vlm", &[("question", "str"), ("timestamp", "str")]);
    // Examples in the published shape, key by key.
    for example in [
        r#"<tool>{"name":"rag","arguments":{"level":"day","keywords":["screwdriver","applause"],"start_time":"DAY1_11210217","query_time":"DAY1_11220217"}}</tool>"#,
        r#""range":"DAY1_11210217-DAY1_11220217"}}</tool>"#,
        r#""timestamp":"DAY1_11210217"}}</tool>"#,
        "<answer>\n{A|B|C|D}.\n</answer>",
    ] {
        assert!(text.contains(example), "{example} is not in {text}");
    }
}
