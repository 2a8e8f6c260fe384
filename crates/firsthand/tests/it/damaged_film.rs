//! A film with damaged bytes, in every verb that opens films: what needs the damaged part fails with file and seconds,
//! the rest goes on, and `--damaged show` shows it and says so.

use std::path::{Path, PathBuf};
use std::process::Command;

use firsthand_golden::checkpoint;
use serde_json::{Value, json};

use crate::chat_server::ChatServer;
use crate::program::{assert_failure, program, stderr, stdout};
use crate::served::Served;

/// A minute at 5 frames a second in groups of two seconds, with zeros in the middle of the packet of 35 s. Without
/// arithmetic coding, under which a decoder may read zeros as pictures and report nothing.
fn film(home: &Path) -> PathBuf {
    let path = home.join("DAY1_08000000.mp4");
    let source = "testsrc2=size=160x96:rate=5:duration=60,noise=alls=20:allf=t";
    let mut command = Command::new("ffmpeg");
    command
        .args(["-v", "error", "-y", "-f", "lavfi", "-i", source, "-c:v", "libx264", "-bf", "0", "-g", "10"])
        .args(["-x264-params", "cabac=0:scenecut=0"]);
    assert!(command.arg(&path).status().unwrap().success());
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-show_entries", "packet=size,pos", "-of", "csv=p=0"]);
    let text = String::from_utf8(command.arg(&path).output().unwrap().stdout).unwrap();
    let line = text.lines().nth(35 * 5).unwrap();
    let numbers: Vec<usize> = line.split(',').filter_map(|word| word.parse().ok()).collect();
    let (size, position) = (numbers[0], numbers[1]);
    let mut bytes = fs_err::read(&path).unwrap();
    bytes[position + size / 3..position + size * 2 / 3].fill(0);
    fs_err::write(&path, bytes).unwrap();
    path
}

const WHERE: &str = "frames 175 to 179, 35.000 to 35.800 s, are damaged";
const SMALL: [&str; 6] = ["--min-pixels", "3136", "--max-pixels", "6272", "--greedy", "--max-tokens=2"];

#[test]
fn verbs_refuse_the_damaged_part_by_name_and_show_it_on_demand() {
    let home = tempfile::tempdir().unwrap();
    let film = film(home.path());
    let name = film.to_str().unwrap();
    let inspect = |more: &[&str]| {
        program(home.path()).arg("inspect").arg(&film).args(more).arg("--json").output().unwrap()
    };
    for at in ["35.4", "1,35.2", "30,34.8,35.0,36"] {
        assert_failure(&inspect(&["--at", at]), &[name, WHERE, "--damaged show"]);
    }
    for at in ["34.8", "36", "1,59"] {
        assert!(inspect(&["--at", at]).status.success(), "{at}");
    }
    let output = inspect(&["--at", "34.8,35.2,36", "--damaged", "show"]);
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let marks: Vec<bool> =
        report["chosen"].as_array().unwrap().iter().map(|frame| frame["damaged"] == true).collect();
    assert_eq!(marks, [false, true, false], "{report}");

    let rows = [("whole", "10"), ("damaged", "35.4")].map(|(id, at)| {
        let at: f64 = at.parse().unwrap();
        let part = json!({"type": "video", "video": film, "timestamps": [at, at + 0.2]});
        json!({"id": id, "messages": [{"role": "user", "content": [part, {"type": "text", "text": "what ?"}]}]})
    });
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    fs_err::write(home.path().join("in.jsonl"), text).unwrap();
    let batch = |out: &str, more: &[&str]| {
        let mut command = program(home.path());
        command.args(["batch", "in.jsonl", out, "--model"]).arg(checkpoint("qwen2_5_vl"));
        let output = command.args(SMALL).args(more).output().unwrap();
        let text = fs_err::read_to_string(home.path().join(out)).unwrap();
        (output, text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>())
    };
    let (output, rows) = batch("out.jsonl", &[]);
    let failed: Vec<&Value> = rows.iter().filter(|row| row["error"].is_string()).collect();
    assert_eq!((rows.len(), failed.len()), (2, 1), "{}", stderr(&output));
    assert!(failed[0]["id"] == "damaged" && failed[0]["error"].as_str().unwrap().contains(WHERE), "{rows:?}");
    let (output, rows) = batch("shown.jsonl", &["--damaged", "show"]);
    assert!(output.status.success() && rows.len() == 2, "{}", stderr(&output));
    assert!(rows.iter().any(|row| row.to_string().contains("\"damaged\":true")), "{rows:?}");
}

#[test]
fn remembering_goes_on_after_the_damaged_part() {
    let home = tempfile::tempdir().unwrap();
    let film = film(home.path());
    let server = ChatServer::start(&[], 1, |_| "I stand in a room.".to_owned());
    let remember = |memory: &str, more: &[&str]| -> Value {
        let mut command = program(home.path());
        command.args(["remember", "--endpoint", &server.address, "--endpoint-model", "served", "--json"]);
        command.args(["--memory", memory, "--max-pixels", "6272", "--summaries", "extractive"]).args(more);
        let output = command.arg(&film).output().unwrap();
        serde_json::from_str(&stdout(&output)).unwrap_or_else(|_| panic!("{}", stderr(&output)))
    };
    let report = remember("memory", &[]);
    assert_eq!((&report["remembered"], &report["failed"]), (&json!(1), &json!(1)), "{report}");
    assert!(report.to_string().contains(WHERE), "{report}");
    let report = remember("shown", &["--damaged", "show"]);
    assert_eq!((&report["remembered"], &report["failed"]), (&json!(2), &json!(0)), "{report}");
}

#[test]
fn a_request_about_the_damaged_part_is_refused_unless_it_asks_for_it() {
    let home = tempfile::tempdir().unwrap();
    film(home.path());
    let served = Served::start(home.path(), &["--media-root", "."]);
    let ask = |times: [f64; 2], request: Value, of_part: Value| {
        let mut part = json!({
            "type": "video_url", "video_url": {"url": "DAY1_08000000.mp4"}, "timestamps": times,
        });
        part.as_object_mut().unwrap().extend(of_part.as_object().unwrap().clone());
        let text = json!({"type": "text", "text": "what is it ?"});
        let mut body = json!({"messages": [{"role": "user", "content": [part, text]}], "max_tokens": 2});
        body.as_object_mut().unwrap().extend(request.as_object().unwrap().clone());
        served.chat(&body)
    };
    assert_eq!(ask([10.0, 34.0], json!({}), json!({})).status, 200);
    let refused = ask([10.0, 35.4], json!({}), json!({}));
    assert_eq!(refused.status, 400, "{refused:?}");
    assert!(refused.body.contains(WHERE) && refused.body.contains("DAY1_08000000.mp4"), "{refused:?}");
    let show = json!({"damaged": "show"});
    for (request, of_part) in [(show.clone(), json!({})), (json!({}), show.clone())] {
        let reply = ask([10.0, 35.4], request, of_part).ok();
        let frames = &reply["firsthand"]["manifest"]["media"][0]["frames"];
        assert_eq!((&frames[0]["damaged"], &frames[1]["damaged"]), (&Value::Null, &json!(true)), "{reply}");
    }
    let wrong = ask([10.0, 34.0], json!({"damaged": "hide"}), json!({}));
    assert!(wrong.status == 400 && wrong.body.contains("expected refuse or show"), "{wrong:?}");
}
