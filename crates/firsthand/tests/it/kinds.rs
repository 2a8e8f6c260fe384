//! What a file is and which of its frames are asked for, through the program: names that lie, moving pictures, flags that
//! choose frames, lists of pictures, base64 in its dialects.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use firsthand_golden::{media, root};
use serde_json::{Value, json};

use crate::program::{assert_failure, program, stderr, stdout};
use crate::served::Served;

fn moving(home: &Path, name: &str) -> String {
    let path = home.join(name);
    let source =
        "nullsrc=size=60x40:rate=10:duration=0.9,format=rgb24,geq=r='mod(X*4+N*25,256)':g='Y*6':b='255-X*4'";
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-y", "-f", "lavfi", "-i", source]);
    if name.ends_with(".webp") {
        command.args(["-c:v", "libwebp_anim"]);
    }
    assert!(command.arg(&path).status().expect("the ffmpeg program is installed").success());
    path.display().to_string()
}

fn run(home: &Path, words: &[&str]) -> Output {
    program(home).current_dir(root()).args(words).output().unwrap()
}

#[track_caller]
fn report(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_str(&stdout(output)).unwrap()
}

#[test]
fn inspect_takes_files_for_what_they_are() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str, from: PathBuf| {
        fs_err::copy(from, home.path().join(name)).unwrap();
        home.path().join(name).display().to_string()
    };
    let (film, photo) = (at("film.jpg", media("clip.mp4")), at("photo.mp4", media("photo.jpg")));
    let (gif, webp) = (moving(home.path(), "it.gif"), moving(home.path(), "it.webp"));
    let inline = |path: PathBuf| URL_SAFE_NO_PAD.encode(fs_err::read(path).unwrap());
    let inline_film = format!("DATA:video/mp4;base64,{}", inline(media("clip.mp4")));
    let picture = inline(media("small.png"));
    let listed = format!("data:video/png;base64,{picture},{picture},{picture},{picture},");
    let cases: [(&str, &[&str], &str, usize); 9] = [
        (&film, &["--frames", "4"], "video", 4),
        (&photo, &[], "image", 1),
        (&gif, &[], "image", 1),
        (&gif, &["--frames", "4"], "video", 4),
        (&gif, &["--start", "0.2", "--end", "0.6"], "video", 4),
        (&webp, &["--at", "0.05,0.85"], "video", 2),
        (&inline_film, &["--frames", "6"], "video", 6),
        (&listed, &[], "video", 4),
        (&listed, &["--frames", "2"], "video", 2),
    ];
    for (medium, flags, kind, frames) in cases {
        let words = [&["inspect", medium, "--json"], flags].concat();
        let report = report(&run(home.path(), &words));
        let what = format!("{} {flags:?}", report["medium"]);
        assert_eq!(report["kind"], kind, "{what}");
        assert_eq!(report["chosen"].as_array().unwrap().len(), frames, "{what}");
        assert!(report["medium"].as_str().unwrap().len() < 300, "{what}");
    }
    let text = stdout(&run(home.path(), &["inspect", &gif]));
    assert!(text.contains("9 frames in 0.900 s; --frames or --fps takes it as a film"), "{text}");
}

#[test]
fn flags_that_choose_frames_are_never_dropped() {
    let home = tempfile::tempdir().unwrap();
    let list = home.path().join("list.json");
    let pictures = [media("small.png"), media("small.png"), media("small.png"), media("small.png")];
    let write = |part: Value| {
        let turn = json!([{"role": "user", "content": [part, {"type": "text", "text": "What?"}]}]);
        fs_err::write(&list, turn.to_string()).unwrap();
    };
    for flags in [["--frames", "4"], ["--fps", "1"], ["--at", "0"], ["--start", "1"], ["--max-frames", "8"]] {
        let words = [&["inspect", "media/photo.jpg"][..], &flags].concat();
        let output = run(home.path(), &words);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(stderr(&output).contains(&format!("{} chooses frames", flags[0])), "{output:?}");
        let words = [&["ask", "media/photo.jpg", "What?", "--model", "qwen2_vl"][..], &flags].concat();
        assert!(stderr(&run(home.path(), &words)).contains(&format!("{} chooses frames", flags[0])));
    }
    let ask = |flags: &[&str]| {
        let words = ["ask", "--model", "qwen2_5_vl", "--json", "--max-tokens", "2", "--messages"];
        run(home.path(), &[&words[..], &[list.to_str().unwrap()], flags].concat())
    };
    let seen = |output: &Output| {
        let medium = report(output)["manifest"]["media"][0].clone();
        let frames =
            medium["frames"].as_array().unwrap().iter().map(|frame| frame["index"].as_u64().unwrap());
        (frames.collect::<Vec<_>>(), medium["sample_fps"].as_f64().unwrap())
    };
    write(json!({"type": "video", "video": pictures, "fps": 0.5}));
    assert_eq!(seen(&ask(&[])), (vec![0, 1, 2, 3], 0.5));
    assert_eq!(seen(&ask(&["--frames", "2"])), (vec![0, 3], 0.25));
    write(json!({"type": "video", "video": pictures, "nframes": 2, "video_start": 0.5}));
    assert_eq!(seen(&ask(&[])).0, [1, 3]);
    write(json!({"type": "video", "video": pictures, "timestamps": [0, 1, 2, 5]}));
    assert!(stderr(&ask(&["--frames", "2"])).contains("this list of pictures has timestamps"));
    assert!(stderr(&ask(&["--at", "2"])).contains("this video is a list of pictures"));
    write(json!({"type": "image", "image": pictures[0]}));
    assert!(stderr(&ask(&["--frames", "2"])).contains("--frames chooses frames"));
}

#[test]
fn ask_says_which_way_a_moving_picture_was_taken() {
    let home = tempfile::tempdir().unwrap();
    let gif = moving(home.path(), "it.gif");
    for (flags, words, frames, way) in [
        (&[][..], "taken as one picture, its first", 1, "as one picture"),
        (&["--frames", "4"][..], "taken as a film", 4, "as a film"),
    ] {
        let asked = ["ask", &gif, "What?", "--model", "qwen2_vl", "--max-tokens", "2"];
        let output = run(home.path(), &[&asked[..], flags].concat());
        assert!(stderr(&output).contains(words), "{output:?}");
        let report = report(&run(home.path(), &[&asked[..], flags, &["--json"]].concat()));
        assert_eq!(report["manifest"]["media"][0]["frames"].as_array().unwrap().len(), frames);
        let setting = report["manifest"]["options"]["moving pictures"].as_str().unwrap();
        assert!(setting.contains("it.gif") && setting.ends_with(way), "{setting}");
    }
}

#[test]
fn what_cannot_be_shown_is_named() {
    let home = tempfile::tempdir().unwrap();
    for (name, bytes, what, remedy) in [
        ("a.jpg", &b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"[..], "a HEIC picture", "heif-convert"),
        ("a.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing", "rsvg-convert"),
        ("a.mp4", b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer", "git lfs pull"),
        ("a", b"%PDF-1.4\n%", "a PDF document", "pdftoppm"),
    ] {
        let path = home.path().join(name);
        fs_err::write(&path, bytes).unwrap();
        let path = path.to_str().unwrap();
        assert_failure(&run(home.path(), &["inspect", path]), &[name, what, remedy]);
        assert_failure(
            &run(home.path(), &["ask", path, "What?", "--model", "qwen2_vl"]),
            &[name, what, remedy],
        );
    }
}

#[test]
fn served_media_are_taken_for_what_they_are() {
    let home = tempfile::tempdir().unwrap();
    let gif = moving(home.path(), "it.gif");
    let served = Served::start(home.path(), &["--media-root", "."]);
    let coded = |path: &Path| STANDARD.encode(fs_err::read(path).unwrap());
    let ask = |part: Value, extra: Value| {
        let mut body = json!({"messages": [
            {"role": "user", "content": "hello"},
            {"role": "assistant", "content": "hello"},
            {"role": "user", "content": [{"type": "text", "text": "what ?"}, part]},
        ], "max_tokens": 2});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        served.chat(&body)
    };
    let video = |url: String| json!({"type": "video_url", "video_url": {"url": url, "detail": "low"}});
    let picture = coded(&media("small.png"));
    let list = format!("data:video/jpeg;base64,{}", [picture.as_str(); 4].join(","));
    let folded: String = coded(&media("clip.mp4"))
        .as_bytes()
        .chunks(76)
        .map(|c| format!("{}\r\n", String::from_utf8_lossy(c)))
        .collect();
    let small = json!({"max_pixels": 6272, "min_pixels": 3136});
    let with = |extra: Value| {
        let mut all = small.clone();
        all.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        all
    };
    let cases: [(Value, Value, &[u64], f64); 7] = [
        (video(list.clone()), small.clone(), &[0, 1, 2, 3], 2.0),
        (video(format!("{list},")), with(json!({"fps": 1})), &[0, 1, 2, 3], 1.0),
        (video(list.clone()), with(json!({"frames": 2})), &[0, 3], 1.0),
        (
            video(list.replace("jpeg", "PNG")),
            with(json!({"video_start": 0.4, "video_end": 1.1})),
            &[1, 2],
            2.0,
        ),
        (video(format!("data:video/mp4;base64,{folded}")), with(json!({"frames": 2})), &[0, 99], 0.5),
        (video("it.gif".into()), with(json!({"frames": 2})), &[0, 8], 10.0 * 2.0 / 9.0),
        (
            video(format!("data:image/gif;base64,{}", coded(Path::new(&gif)))),
            with(json!({"frames": 2})),
            &[0, 8],
            10.0 * 2.0 / 9.0,
        ),
    ];
    for (part, extra, indices, fps) in cases {
        let reply = ask(part, extra.clone()).ok();
        let medium = &reply["firsthand"]["manifest"]["media"][0];
        let frames =
            medium["frames"].as_array().unwrap().iter().map(|frame| frame["index"].as_u64().unwrap());
        assert_eq!(frames.collect::<Vec<_>>(), indices, "{extra}");
        assert!((medium["sample_fps"].as_f64().unwrap() - fps).abs() < 1e-6, "{extra}: {medium}");
    }
    let image = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
    for (part, extra, param, words) in [
        (image("it.gif"), json!({"fps": 1}), "fps", "no part of the request is a video"),
        (image("it.gif"), json!({"frames": 1}), "frames", "no part of the request is a video"),
        (image("data:image/png;base64,AAA*"), json!({}), "messages[2].content[1]", "byte 3 is '*'"),
        (video("data:text/html;base64,PGh0bWw+".into()), json!({}), "messages[2].content[1]", "an HTML page"),
        (
            image(&format!("data:image/png;base64,{}", coded(&media("clip.mp4")))),
            json!({}),
            "messages[2].content[1]",
            "it is a video",
        ),
    ] {
        let reply = ask(part, extra);
        let error = reply.json()["error"].clone();
        assert_eq!((reply.status, &error["param"]), (400, &json!(param)), "{error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.starts_with(&format!("{param}: ")) && message.contains(words), "{message}");
    }
}
