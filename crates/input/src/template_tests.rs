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
    Template::open(dir.path(), [("eos_token", "<end>")].into_iter())
}

fn message(role: Role, parts: &[Part]) -> Message {
    Message { role, parts: parts.to_vec() }
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
