//! Templates as checkpoints write them, and templates that must be refused.

use firsthand_base::{ImagePart, PixelLimits, Role};

use super::*;

const PLAIN: &str = "{% for m in messages %}\n    [{{ m.role }}] {{ m['content'] | trim }}\n{% endfor %}\n\
                     {% if add_generation_prompt %}\n[assistant]{% endif %}\n";

const VISION: &str = "{% for m in messages %}{{ m.role }}:{% if m.content is string %}{{ m.content }}{% else %}\
    {% for c in m.content %}{% if c.type == 'image' or 'image' in c %}<I>{% elif 'video' in c %}<V>\
    {% elif 'text' in c %}{{ c.text }}{% endif %}{% endfor %}{% endif %};{% endfor %}\
    {% if add_generation_prompt %}assistant:{% endif %}";

fn open(name: &str, text: &str) -> Result<Template> {
    let dir = tempfile::tempdir().unwrap();
    fs_err::write(dir.path().join(name), text).unwrap();
    Template::open(dir.path(), name != "tokenizer_config.json", [("eos_token", "<end>")].into_iter())
}

fn message(role: Role, parts: &[Part]) -> Message {
    Message::new(role, parts.to_vec())
}

fn text(words: &str) -> Part {
    Part::Text(words.into())
}

fn image() -> Part {
    Part::Image(ImagePart { location: "i.png".into(), limits: PixelLimits::default() })
}

fn render(source: &str, messages: &[Message]) -> Result<String> {
    open("chat_template.jinja", source)?.render(&Conversation { messages: messages.to_vec() })
}

#[test]
fn blocks_are_trimmed_and_content_takes_the_form_the_template_knows() {
    let hello = [message(Role::User, &[text(" a "), text("b ")])];
    let with_image = [message(Role::User, &[image(), text("what?")]), message(Role::Assistant, &[text("x")])];
    let parts_only = VISION.replace("m.content is string", "false");
    let cases: [(&str, &[Message], &str); 8] = [
        // Expected values were rendered by the reference library.
        (PLAIN, &hello, "    [user] a b\n[assistant]"),
        (VISION, &hello, "user: a b ;assistant:"),
        (VISION, &with_image, "user:<I>what?;assistant:x;assistant:"),
        (&parts_only, &hello, "user: a b ;assistant:"),
        (
            "{% set s = namespace(n=0) %}{% for m in messages %}{% set s.n = s.n + 1 %}{{ s.n }}{{ m.content }}{% endfor %}\
             {{ eos_token }}{% if tools %}T{% endif %}{% if missing is defined %}M{% endif %}{% if add_generation_prompt %}>{% endif %}",
            &hello,
            "1 a b <end>>",
        ),
        (
            "{% for m in messages[::-1] %}{% if loop.first %}{% continue %}{% endif %}{% endfor %}{{ messages[-1].content.strip().split(' ')[0] }}\
             {%- if add_generation_prompt -%} > {%- endif -%}",
            &hello,
            "a>",
        ),
        (
            "{% for m in messages %}{%- generation -%} {{ m.content }} {%- endgeneration -%}{% endfor %}{{ add_generation_prompt }}",
            &hello,
            " a b True",
        ),
        ("{{ messages[0].content }}{{ add_generation_prompt and strftime_now('%%') }}", &hello, " a b %"),
    ];
    for (source, messages, expected) in cases {
        assert_eq!(
            render(source, messages).map_err(|error| error.to_string()),
            Ok(expected.into()),
            "{source}"
        );
    }
}

#[test]
fn templates_are_found_in_every_file_and_form() {
    let source = serde_json::Value::from(VISION);
    let cases = [
        ("chat_template.json", format!("{{\"chat_template\": {source}}}")),
        ("tokenizer_config.json", format!("{{\"chat_template\": {source}}}")),
        (
            "tokenizer_config.json",
            format!("{{\"chat_template\": [{{\"name\": \"only\", \"template\": {source}}}]}}"),
        ),
        ("chat_template.json", format!("{{\"chat_template\": {{\"rag\": \"x\", \"default\": {source}}}}}")),
    ];
    for (name, text) in cases {
        let template = open(name, &text).unwrap();
        let found = template.render(&Conversation::user(vec![image()])).unwrap();
        assert_eq!(found, "user:<I>;assistant:", "{name} {text}");
    }
}

#[test]
fn bad_templates_are_refused_in_one_line_with_the_file() {
    let cases = [
        ("chat_template.jinja", "{% for m in %}", "chat template: syntax error"),
        (
            "chat_template.jinja",
            "{% for m in messages %}{{ m.content }}{% endfor %}",
            "writes no generation prompt",
        ),
        (
            "chat_template.jinja",
            "{{ raise_exception('roles must\nalternate') }}",
            "roles must alternate (line 1)",
        ),
        (
            "chat_template.jinja",
            "fixed{% if add_generation_prompt %}a{% endif %}",
            "does not write the words",
        ),
        (
            "chat_template.jinja",
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            "did not end after",
        ),
        ("chat_template.json", "{\"chat_template\": 3}", "chat_template: expected a template"),
        (
            "chat_template.json",
            "{\"chat_template\": {\"a\": \"x\", \"b\": \"y\"}}",
            "none of a, b is named default",
        ),
        ("other.json", "{}", "fetch the model's own template"),
    ];
    for (name, text, expected) in cases {
        let error = open(name, text).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains('\n'), "{text}\n  {error}");
        assert!(name == "other.json" || error.contains(name), "{error}");
    }
    let error = render(PLAIN, &[message(Role::User, &[image()])]).unwrap_err().to_string();
    assert!(error.contains("takes no images or videos"), "{error}");
}

#[test]
fn of_several_files_the_one_that_the_reference_takes_wins() {
    let table = firsthand_golden::table("template_files");
    let rows = table["rows"].as_array().unwrap();
    assert!(rows.len() > 50);
    for row in rows {
        let [family, files, plain, with_tools] = [0, 1, 2, 3].map(|i| &row[i]);
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in files.as_object().unwrap() {
            let path = dir.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            let text = content.as_str().map_or_else(|| content.to_string(), str::to_owned);
            fs_err::write(path, text).unwrap();
        }
        let names: Vec<&String> = files.as_object().unwrap().keys().collect();
        let template = Template::open(dir.path(), family == "qwen2_5_vl", [].into_iter());
        let tool = serde_json::json!({"type": "function", "function": {"name": "wait"}});
        for (expected, tools) in [(plain, vec![]), (with_tools, vec![tool])] {
            let Some(expected) = expected.as_str() else { continue };
            let question = Conversation::user(vec![text("q")]);
            let found = match &template {
                Ok(template) => template.render_with(&question, &tools).unwrap(),
                // A folder of templates for tools alone is refused whole: without tools nothing could be asked.
                Err(error) => {
                    assert!(plain.is_null() && error.to_string().contains("none of"), "{names:?}: {error}");
                    continue;
                }
            };
            // A template that says nothing of the tools it is given is told of them in words.
            assert_eq!(found, expected, "{family} {names:?}");
        }
        if plain.is_null() && with_tools.is_null() && names.len() > 1 {
            let both = names.iter().any(|name| *name == "chat_template.json");
            let folder = names.iter().any(|name| name.starts_with("additional"));
            assert!(!(both && folder && family == "qwen2_5_vl") || template.is_err(), "{names:?}");
        }
    }
}

#[test]
fn tools_calls_and_results_are_the_references() {
    let table = firsthand_golden::table("tool_templates");
    let open = |name: &str| {
        let dir = tempfile::tempdir().unwrap();
        let source = table["templates"][name].as_str().unwrap();
        fs_err::write(dir.path().join("chat_template.jinja"), source).unwrap();
        let end = std::iter::once(("eos_token", "<|im_end|>"));
        Template::open(dir.path(), name == "plain", end).unwrap()
    };
    let rows = table["rows"].as_array().unwrap();
    assert!(rows.len() > 80);
    for row in rows {
        let [name, tools, talk] = [0, 1, 2].map(|i| row[i].as_str().unwrap());
        let messages = crate::read_message_list(&table["messages"][talk]).unwrap();
        let offered = table["tools"][tools].as_array().cloned().unwrap_or_default();
        let check = |template: &str| {
            let found = open(template).render_with(&messages, &offered);
            let at = format!("{template}, tools {tools}, {talk}");
            match row[3].as_str() {
                Some(expected) => assert_eq!(found.unwrap(), expected, "{at}"),
                None => assert!(found.is_err(), "{at}"),
            }
        };
        check(name);
        if name == "hermes" {
            // What a template that knows no tools writes is what Qwen2.5's own would.
            check("plain");
        }
    }
}

#[test]
fn arguments_are_given_as_what_their_text_says() {
    let said = |arguments: serde_json::Value| {
        let call = serde_json::json!({"function": {"name": "f", "arguments": arguments}});
        let turns = serde_json::json!([{"role": "assistant", "content": null, "tool_calls": [call]}]);
        crate::read_message_list(&turns)
            .map(|read| read.messages[0].fields["tool_calls"][0]["function"]["arguments"].to_string())
    };
    let check = |arguments: serde_json::Value, expected: &str| {
        assert_eq!(said(arguments.clone()).unwrap(), expected, "{arguments}");
    };
    check(serde_json::json!("{\"b\": 1, \"a\": [2.0]}"), "{\"b\":1,\"a\":[2.0]}");
    check(serde_json::json!({"a": "é"}), "{\"a\":\"é\"}");
    for none in
        [serde_json::json!(""), serde_json::json!(" \n"), serde_json::json!("null"), serde_json::json!(null)]
    {
        check(none, "{}");
    }
    check(serde_json::json!("{\"room\": \"ha"), "\"{\\\"room\\\": \\\"ha\"");
    let refused = said(serde_json::json!([1])).unwrap_err().to_string();
    assert!(
        refused.starts_with(
            "messages[0].tool_calls[0].function.arguments: expected an object or its JSON as text"
        ),
        "{refused}"
    );
}
