use std::io::{BufRead, BufReader};
use std::net::TcpListener;

use serde_json::json;

use super::*;

fn file(text: &str, ending: &str) -> Result<Vec<CustomTool>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("tools.{ending}"));
    fs_err::write(&path, text).unwrap();
    read_tools(&path)
}

const SCHEMA: &str =
    "schema = { type = 'object', properties = { city = { type = 'string' } }, required = ['city'] }";

fn tool(way: &str) -> CustomTool {
    file(&format!("[[tool]]\nname = 'weather'\nabout = 'the weather'\n{way}\n{SCHEMA}\n"), "toml")
        .unwrap()
        .remove(0)
}

fn called(tool: &CustomTool) -> std::result::Result<Value, ToolError> {
    let arguments = json!({"city": "Rome"}).as_object().unwrap().clone();
    let context = Context::new("DAY3_12000000".parse().unwrap(), "A1_JAKE");
    tool.call(&arguments, &context).map(|observation| observation.value)
}

#[test]
fn a_command_gets_arguments_clock_and_wearer() {
    let check = |script: &str, expect: Value| {
        assert_eq!(
            called(&tool(&format!("command = ['sh', '-c', '''{script}''']"))).unwrap(),
            expect,
            "{script}"
        );
    };
    check("cat", json!({"arguments": {"city": "Rome"}, "clock": "DAY3_12000000", "wearer": "A1_JAKE"}));
    check("echo rain", json!("rain"));
    // One that reads nothing, and one that writes much while it is written to, are no trouble.
    check("exec 0<&-; sleep 0.05; echo '{\"sun\": true}'", json!({"sun": true}));
}

#[test]
fn a_command_that_fails_hangs_or_never_ends_is_told() {
    let check = |script: &str, trouble: Trouble, message: &str| {
        let started = Instant::now();
        let error =
            called(&tool(&format!("timeout_s = 0.3\ncommand = ['sh', '-c', '''{script}''']"))).unwrap_err();
        assert!(error.error == trouble && error.message.contains(message), "{script}: {error:?}");
        assert!(started.elapsed() < Duration::from_secs(3), "{script}");
    };
    check("echo broken >&2; exit 3", Trouble::Failed, "exit status: 3: broken");
    check("exit 3", Trouble::Failed, "it said nothing");
    check("sleep 5", Trouble::TimedOut, "no result within 0.3 s");
    check("exec 1>&- 2>&-; exec sleep 5", Trouble::TimedOut, "no result within 0.3 s");
    let error = called(&tool("command = ['/nonexistent/program']")).unwrap_err();
    assert!(error.message.starts_with("/nonexistent/program: "), "{error:?}");
}

#[test]
fn endless_output_is_read_up_to_a_bound() {
    let said = called(&tool("timeout_s = 30\ncommand = ['sh', '-c', 'yes aaaaaaaaaaaaaaa']")).unwrap();
    assert_eq!(said.as_str().unwrap().len() as u64, MOST_BYTES - 1);
}

/// A server that gives these replies, one for each request, and hands back the bodies it got.
fn server(
    replies: &'static [(&'static str, &'static str)],
) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/tool", listener.local_addr().unwrap());
    let serve = std::thread::spawn(move || {
        replies
            .iter()
            .map(|(status, body)| {
                let (mut stream, _) = listener.accept().unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut length = 0;
                loop {
                    let mut line = String::new();
                    reader.read_line(&mut line).unwrap();
                    if let Some(count) = line.to_lowercase().strip_prefix("content-length:") {
                        length = count.trim().parse().unwrap();
                    }
                    if line.trim().is_empty() {
                        break;
                    }
                }
                let mut request = vec![0; length];
                reader.read_exact(&mut request).unwrap();
                write!(
                    stream,
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                )
                .unwrap();
                String::from_utf8(request).unwrap()
            })
            .collect()
    });
    (address, serve)
}

#[test]
fn an_address_is_posted_to_and_its_trouble_is_told_apart() {
    let (url, serve) =
        server(&[("200 OK", "{\"sun\": true}"), ("503 Busy", "later"), ("404 Not Found", "no\nsuch city")]);
    let tool = tool(&format!("url = '{url}'"));
    assert_eq!(called(&tool).unwrap(), json!({"sun": true}));
    let busy = called(&tool).unwrap_err();
    assert!(busy.is_passing && busy.message == "status 503: later", "{busy:?}");
    let wrong = called(&tool).unwrap_err();
    assert!(!wrong.is_passing && wrong.message == "status 404: no such city", "{wrong:?}");
    let bodies = serve.join().unwrap();
    let body: Value = serde_json::from_str(&bodies[0]).unwrap();
    assert_eq!(body, json!({"arguments": {"city": "Rome"}, "clock": "DAY3_12000000", "wearer": "A1_JAKE"}));
    // Nobody listens any more.
    assert!(called(&tool).unwrap_err().is_passing);
}

#[test]
fn tool_files_are_read_or_refused_in_one_line() {
    let json =
        r#"{"tool": [{"name": "a", "about": "b", "command": ["true"], "schema": {"type": "object"}}]}"#;
    assert_eq!(file(json, "json").unwrap()[0].description().name, "a");
    let check = |text: &str, expect: &str| {
        let error = file(text, "toml").err().unwrap().to_string();
        assert!(error.contains(expect) && error.lines().count() == 2, "{text}: {error}");
    };
    let head = "[[tool]]\nname = 'a'\nabout = 'b'\nschema = { type = 'object' }\n";
    check(head, "either a command or an http address");
    check(&format!("{head}command = []"), "either a command or an http address");
    check(&format!("{head}url = 'file:///etc/passwd'"), "either a command or an http address");
    check(&format!("{head}command = ['a']\nurl = 'http://b'"), "either a command or an http address");
    check(&format!("{head}command = ['a']\ntimeout_s = -1"), "timeout_s");
    check(&format!("{head}command = ['a']\ncolour = 'red'"), "colour");
    check("[[tool]]", "missing field");
    check("tool = 3", "invalid type");
}
