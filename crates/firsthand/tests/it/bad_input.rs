//! Bad media and bad checkpoints: one line that names the file and the remedy, exit code 1, no output file.

use std::path::{Path, PathBuf};
use std::process::Command;

use firsthand_golden::{checkpoint, media, root};
use safetensors::SafeTensors;
use serde_json::{Value, json};

use crate::program::{assert_failure, program};

/// Dumps and asks; both must fail alike, and nothing may be written.
#[track_caller]
fn check(home: &Path, model: &Path, messages: &Value, parts: &[&str]) {
    let (file, out) = (home.join("messages.json"), home.join("out.safetensors"));
    fs_err::write(&file, messages.to_string()).unwrap();
    for verb in ["dump", "ask"] {
        let mut command = program(home);
        command.current_dir(root()).arg(verb).arg("--model").arg(model).arg("--messages").arg(&file);
        if verb == "dump" {
            command.arg("--out").arg(&out);
        } else {
            command.args(["--json", "--max-tokens", "4"]);
        }
        let output = command.output().unwrap();
        assert!(output.stdout.is_empty(), "{verb}: {output:?}");
        assert_failure(&output, parts);
        let left: Vec<_> =
            crate::program::files(home).into_iter().filter(|f| f.contains("out.safetensors")).collect();
        assert!(left.is_empty(), "{verb} left {left:?}");
    }
}

fn about(kind: &str, path: &Path) -> Value {
    json!([{ "role": "user", "content": [{ "type": kind, kind: path }, { "type": "text", "text": "What?" }] }])
}

#[test]
fn broken_media_are_named() {
    let home = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| -> PathBuf {
        let path = home.path().join(name);
        fs_err::write(&path, bytes).unwrap();
        path
    };
    let ffmpeg = |name: &str, arguments: &[&str]| -> PathBuf {
        let path = home.path().join(name);
        let status = Command::new("ffmpeg")
            .args(["-v", "error", "-f", "lavfi", "-i"])
            .args(arguments)
            .arg(&path)
            .status();
        assert!(status.expect("the ffmpeg program is installed").success());
        path
    };
    let clip = fs_err::read(media("clip.mp4")).unwrap();
    let photo = fs_err::read(media("photo.jpg")).unwrap();
    let mut huge =
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x00\x4e\x20\x00\x00\x4e\x20\x08\x02\x00\x00\x00".to_vec();
    huge.extend([0; 64]);
    let cases: &[(&str, PathBuf)] = &[
        ("video", put("truncated.mp4", &clip[..clip.len() / 2])),
        ("video", put("empty.mp4", b"")),
        ("video", put("text.mp4", b"this is not a video\n")),
        ("video", ffmpeg("sound.mp4", &["sine=duration=1"])),
        ("video", ffmpeg("single.mp4", &["color=size=64x64:rate=25:duration=0.04", "-frames:v", "1"])),
        ("video", home.path().join("absent.mp4")),
        ("image", put("truncated.jpg", &photo[..photo.len() / 4])),
        ("image", put("empty.png", b"")),
        ("image", put("text.png", b"this is not an image\n")),
        ("image", put("huge.png", &huge)),
        ("image", ffmpeg("ribbon.png", &["color=size=20000x64", "-frames:v", "1"])),
        ("image", home.path().join("absent.jpg")),
    ];
    for (kind, path) in cases {
        let name = path.file_name().unwrap().to_str().unwrap();
        check(home.path(), &checkpoint("qwen2_vl"), &about(kind, path), &[name]);
        let inspected = program(home.path()).arg("inspect").arg(path).output().unwrap();
        assert_failure(&inspected, &[name]);
    }
}

/// A copy of a golden checkpoint to break.
fn copy(home: &Path, family: &str, name: &str) -> PathBuf {
    let target = home.join(name);
    fs_err::create_dir(&target).unwrap();
    for entry in fs_err::read_dir(checkpoint(family)).unwrap() {
        let entry = entry.unwrap();
        fs_err::copy(entry.path(), target.join(entry.file_name())).unwrap();
    }
    target
}

fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_str(&fs_err::read_to_string(path).unwrap()).unwrap();
    change(&mut value);
    fs_err::write(path, value.to_string()).unwrap();
}

/// Overwrites a tensor of a one-file checkpoint with a value.
fn fill(path: &Path, name: &str, value: f32) {
    let mut bytes = fs_err::read(path).unwrap();
    let range = {
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let data = file.tensor(name).unwrap().data().as_ptr() as usize - bytes.as_ptr() as usize;
        data..data + file.tensor(name).unwrap().data().len()
    };
    for chunk in bytes[range].chunks_exact_mut(4) {
        chunk.copy_from_slice(&value.to_le_bytes());
    }
    fs_err::write(path, bytes).unwrap();
}

#[test]
fn broken_checkpoints_are_named() {
    let home = tempfile::tempdir().unwrap();
    let hello = json!([{ "role": "user", "content": "Hello." }]);
    let check = |model: &Path, parts: &[&str]| check(home.path(), model, &hello, parts);

    let model = copy(home.path(), "qwen2_vl", "shard");
    fs_err::remove_file(model.join("model-00002-of-00003.safetensors")).unwrap();
    check(&model, &["model-00002-of-00003.safetensors", "missing"]);

    let model = copy(home.path(), "qwen2", "short");
    let bytes = fs_err::read(model.join("model.safetensors")).unwrap();
    fs_err::write(model.join("model.safetensors"), &bytes[..bytes.len() - 100]).unwrap();
    check(&model, &["short/model.safetensors", "download"]);

    let model = copy(home.path(), "qwen2", "shape");
    edit(&model.join("config.json"), |config| config["intermediate_size"] = json!(96));
    check(&model, &["mlp", "[", "shape/model.safetensors"]);

    let model = copy(home.path(), "qwen2", "nan");
    fill(&model.join("model.safetensors"), "model.layers.1.mlp.down_proj.weight", f32::NAN);
    check(&model, &["NaN", "down_proj", "nan/model.safetensors"]);

    let model = copy(home.path(), "qwen2", "family");
    edit(&model.join("config.json"), |config| config["model_type"] = json!("gpt9"));
    check(&model, &["gpt9", "family/config.json"]);

    let model = copy(home.path(), "qwen2", "no-config");
    fs_err::remove_file(model.join("config.json")).unwrap();
    check(&model, &["config.json is not in", "no-config"]);

    let model = copy(home.path(), "qwen2", "no-weights");
    fs_err::remove_file(model.join("model.safetensors")).unwrap();
    check(&model, &["no-weights", "model.safetensors"]);

    let model = copy(home.path(), "qwen2_5_vl", "template");
    let template = fs_err::read_to_string(model.join("chat_template.jinja")).unwrap();
    let without = template.replace("add_generation_prompt", "false");
    assert_ne!(without, template);
    fs_err::write(model.join("chat_template.jinja"), without).unwrap();
    check(&model, &["template", "generation prompt"]);
}

#[test]
fn prompts_longer_than_the_context_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let long = json!([{ "role": "user", "content": "word ".repeat(20_000) }]);
    check(home.path(), &checkpoint("qwen2"), &long, &["tokens", "4096"]);
    let media = json!([{ "role": "user", "content": [
        { "type": "video", "video": media("clip.mp4"), "nframes": 40, "resized_height": 560, "resized_width": 560 },
        { "type": "text", "text": "What?" },
    ] }]);
    check(home.path(), &checkpoint("qwen2_vl"), &media, &["tokens", "max_pixels"]);
    let endless = program(home.path())
        .args(["dump", "--out", "out.safetensors", "--greedy", "18446744073709551615", "--model"])
        .arg(checkpoint("qwen2"))
        .arg("--messages")
        .arg(root().join("cases/text/text.json"))
        .output()
        .unwrap();
    assert_failure(&endless, &["with the continuation", "--greedy"]);
    for (text, part) in [
        ("[", "messages.json"),
        ("[{\"role\": \"user\", \"content\": [{\"type\": \"video\"}]}]", "messages.json"),
    ] {
        fs_err::write(home.path().join("messages.json"), text).unwrap();
        let mut command = program(home.path());
        command
            .args(["dump", "--out", "out.safetensors", "--messages", "messages.json", "--model"])
            .arg(checkpoint("qwen2"));
        assert_failure(&command.output().unwrap(), &[part]);
    }
}

#[cfg(unix)]
#[test]
fn devices_are_neither_read_to_the_end_nor_replaced() {
    use std::os::unix::fs::FileTypeExt;
    let home = tempfile::tempdir().unwrap();
    let messages = root().join("cases/text/text.json");
    let socket = home.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let run = |messages: &Path, out: &Path| {
        let mut command = program(home.path());
        command.args(["dump", "--model"]).arg(checkpoint("qwen2")).arg("--messages").arg(messages);
        command.arg("--out").arg(out).output().unwrap()
    };
    assert_failure(&run(&messages, &socket), &["not a regular file", "socket"]);
    assert!(fs_err::metadata(&socket).unwrap().file_type().is_socket(), "it was replaced");
    let out = home.path().join("out.safetensors");
    assert_failure(&run(Path::new("/dev/zero"), &out), &["more than 268435456 bytes", "/dev/zero"]);
    let binary = home.path().join("binary.json");
    fs_err::write(&binary, b"[\xff]").unwrap();
    assert_failure(&run(&binary, &out), &["not UTF-8", "binary.json"]);
    assert!(!out.exists());
}
