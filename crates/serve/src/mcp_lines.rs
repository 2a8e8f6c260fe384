//! The lines between an MCP client and the protocol's library, on a pipe. The library passes over a line that is not JSON,
//! and ends where a client begins in a way that it does not expect; here both are answered, and the client may try again.

use rmcp::model::InitializeRequestParams;
use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, DuplexStream, duplex,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Longest line that is read.
const LONGEST: u64 = 16 << 20;
/// Bytes that wait for the library, or for the client.
const WAITING: usize = 64 << 10;

/// A pipe whose lines are looked at.
pub(crate) struct Lines {
    reading: JoinHandle<()>,
    passing: JoinHandle<()>,
    writing: JoinHandle<()>,
}

impl Lines {
    /// Between `input` and `output` and what is given back, which is for the library to read from and to write to.
    pub(crate) fn between(
        input: impl AsyncRead + Send + Unpin + 'static,
        mut output: impl AsyncWrite + Send + Unpin + 'static,
    ) -> (Lines, (DuplexStream, DuplexStream)) {
        let (to_library, for_library) = duplex(WAITING);
        let (from_library, of_library) = duplex(WAITING);
        let (lines, mut answers) = mpsc::channel::<Vec<u8>>(64);
        let writing = tokio::spawn(async move {
            while let Some(line) = answers.recv().await {
                if output.write_all(&line).await.is_err() || output.flush().await.is_err() {
                    return;
                }
            }
        });
        let passing = tokio::spawn(pass(from_library, lines.clone()));
        let reading = tokio::spawn(read(input, to_library, lines));
        (Lines { reading, passing, writing }, (for_library, of_library))
    }

    /// Writes what the library still had to say, once it has ended.
    pub(crate) async fn finish(self) {
        self.reading.abort();
        // They end with the library's writing half, unless they have failed before.
        let _ = self.passing.await;
        let _ = self.writing.await;
    }
}

/// Passes on what the library says, line by line.
async fn pass(library: DuplexStream, answers: mpsc::Sender<Vec<u8>>) {
    let mut library = BufReader::new(library);
    loop {
        let mut line = Vec::new();
        match library.read_until(b'\n', &mut line).await {
            Ok(1..) if answers.send(line).await.is_ok() => {}
            _ => return,
        }
    }
}

/// Passes on what the client says, as far as the library is to hear it.
async fn read(
    input: impl AsyncRead + Send + Unpin,
    mut library: DuplexStream,
    answers: mpsc::Sender<Vec<u8>>,
) {
    let mut input = BufReader::new(input);
    let mut is_open = false;
    loop {
        let mut line = Vec::new();
        let Ok(1..) = (&mut input).take(LONGEST).read_until(b'\n', &mut line).await else { return };
        let heard = match line.len() as u64 == LONGEST && !line.ends_with(b"\n") {
            true => {
                while !line.ends_with(b"\n") {
                    line.clear();
                    let Ok(1..) = (&mut input).take(LONGEST).read_until(b'\n', &mut line).await else {
                        break;
                    };
                }
                let what = format!("a line of more than {LONGEST} bytes; send less at once");
                Heard::Answered(error(Value::Null, -32700, &what))
            }
            false => hear(&line, &mut is_open),
        };
        let is_well = match heard {
            Heard::Passed => {
                // The last line of a client that has gone may lack its end.
                if !line.ends_with(b"\n") {
                    line.push(b'\n');
                }
                library.write_all(&line).await.is_ok()
            }
            Heard::Dropped => true,
            Heard::Answered(answer) => answers.send(format!("{answer}\n").into_bytes()).await.is_ok(),
        };
        if !is_well {
            return;
        }
    }
}

/// What becomes of a line.
#[derive(Debug, PartialEq)]
enum Heard {
    Passed,
    /// It says nothing, or what nobody waits for.
    Dropped,
    Answered(Value),
}

/// `is_open` is whether the client has said `initialize` in a way that the library takes.
fn hear(line: &[u8], is_open: &mut bool) -> Heard {
    if line.trim_ascii().is_empty() {
        return Heard::Dropped;
    }
    if let Some(answer) = not_json(line) {
        return Heard::Answered(answer);
    }
    let message: Value = serde_json::from_slice(without_mark(line)).unwrap_or_default();
    if *is_open {
        return Heard::Passed;
    }
    let id = message.get("id").filter(|id| id.is_string() || id.is_i64() || id.is_u64()).cloned();
    match (message.get("method").and_then(Value::as_str), id) {
        (Some("initialize"), Some(id)) => {
            let params = message.get("params").cloned().unwrap_or_else(|| json!({}));
            match serde_json::from_value::<InitializeRequestParams>(params) {
                Ok(_) => {
                    *is_open = true;
                    Heard::Passed
                }
                Err(wrong) => {
                    let what = format!(
                        "params of initialize: {wrong}; they are {{protocolVersion, capabilities, clientInfo: {{name, version}}}}"
                    );
                    Heard::Answered(error(id, -32602, &what))
                }
            }
        }
        (Some(_), Some(_)) => Heard::Passed,
        // A notification has no answer, and before initialize no meaning.
        (Some(_), None) if message.get("id").is_none() => Heard::Dropped,
        _ => {
            let what = "not a request: expected {jsonrpc, id, method, params}; begin with initialize";
            Heard::Answered(error(Value::Null, -32600, what))
        }
    }
}

/// The answer to bytes that are no JSON.
pub(crate) fn not_json(bytes: &[u8]) -> Option<Value> {
    let wrong = serde_json::from_slice::<serde::de::IgnoredAny>(without_mark(bytes)).err()?;
    Some(error(Value::Null, -32700, &format!("not JSON: {wrong}; send one message of JSON-RPC")))
}

/// Bytes without the mark that says UTF-8.
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

fn error(id: Value, code: i64, what: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": what}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_begins_wrongly_is_told_and_may_begin_again() {
        let mut is_open = false;
        let whole = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "a", "version": "1"}});
        let initialize = |params: Value| {
            json!({"jsonrpc": "2.0", "id": 7, "method": "initialize", "params": params}).to_string()
        };
        let mut without = whole.clone();
        without.as_object_mut().unwrap().shift_remove("protocolVersion");
        let mut check =
            |line: &str, code: Option<i64>, id: Value| match (hear(line.as_bytes(), &mut is_open), code) {
                (Heard::Answered(answer), Some(code)) => {
                    assert_eq!(
                        (&answer["error"]["code"], &answer["id"]),
                        (&json!(code), &id),
                        "{line}: {answer}"
                    );
                }
                (heard, code) => assert!(heard == Heard::Passed && code.is_none(), "{line}: {heard:?}"),
            };
        check("{\"jsonrpc\": \"2.0\",", Some(-32700), Value::Null);
        check("hello\n", Some(-32700), Value::Null);
        check("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", None, Value::Null);
        for params in [without, json!({}), json!([]), json!({"protocolVersion": 3})] {
            check(&initialize(params), Some(-32602), json!(7));
        }
        for line in ["[]", "3", "{}", "{\"id\": 1}", "{\"method\": \"initialize\", \"id\": null}"] {
            check(line, Some(-32600), Value::Null);
        }
        check(&initialize(whole), None, Value::Null);
        check("{\"method\": \"notifications/initialized\"}", None, Value::Null);
        check("{", Some(-32700), Value::Null);
        assert_eq!(hear(b" \r\n", &mut false), Heard::Dropped);
        assert_eq!(hear(b"{\"method\": \"notifications/initialized\"}", &mut false), Heard::Dropped);
    }
}
