//! Folders that hold no checkpoint: each is named for what it is, with what mends it. And those of the hub's cache that do.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Output;

use firsthand_golden::checkpoint;

use crate::hub_server::{COMMIT, Server};
use crate::program::{assert_failure, program, stderr};

/// `qwen2` with one weight file, `qwen2_vl` with three and an index.
fn copy(family: &str, to: &Path) {
    fs_err::create_dir_all(to).unwrap();
    for entry in fs_err::read_dir(checkpoint(family)).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs_err::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
}

fn write(path: &Path, bytes: &[u8]) {
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(path, bytes).unwrap();
}

fn ask(home: &Path, model: &str) -> Output {
    program(home).args(["ask", "Hello?", "--greedy", "--max-tokens", "1", "--model", model]).output().unwrap()
}

/// A checkpoint in the hub's cache of a home, as its client lays it out, and its snapshot.
fn cached(home: &Path, name: &str) -> (PathBuf, PathBuf) {
    let folder = home.join(format!("hf/hub/models--me--{name}"));
    let snapshot = folder.join("snapshots").join(COMMIT);
    copy("qwen2", &folder.join("blobs"));
    fs_err::create_dir_all(&snapshot).unwrap();
    for entry in fs_err::read_dir(folder.join("blobs")).unwrap() {
        let name = entry.unwrap().file_name();
        symlink(Path::new("../../blobs").join(&name), snapshot.join(&name)).unwrap();
    }
    write(&folder.join("refs/main"), COMMIT.as_bytes());
    (folder, snapshot)
}

#[test]
fn folders_that_hold_something_else_are_named() {
    let home = tempfile::tempdir().unwrap();
    let check = |make: &dyn Fn(&Path), model: &str, parts: &[&str]| {
        let folder = home.path().join("m");
        let _ = fs_err::remove_dir_all(&folder);
        fs_err::create_dir(&folder).unwrap();
        make(&folder);
        assert_failure(&ask(home.path(), model), parts);
    };
    let adapter =
        |text: &'static str| move |at: &Path| write(&at.join("adapter_config.json"), text.as_bytes());
    let based = adapter(r#"{"base_model_name_or_path": "Qwen/Qwen2.5-VL-3B-Instruct", "r": NaN}"#);
    let merge = "train merge m --model Qwen/Qwen2.5-VL-3B-Instruct --out m-merged`, then name m-merged";
    check(&based, "m", &["a low-rank adapter of Qwen/Qwen2.5-VL-3B-Instruct, not a checkpoint: m", merge]);
    check(&|at| (based(at), write(&at.join("config.json"), b"{}")).1, "m/", &["a low-rank adapter"]);
    check(&adapter("{}"), "m", &["a low-rank adapter, not a checkpoint"]);
    check(&|at| copy("qwen2", &at.join("final")), "m", &["a folder of some: m", "name one: m/final"]);
    check(
        &|at| (copy("qwen2", at), write(&at.join("1_Pooling/x"), b"")).1,
        "m/1_Pooling",
        &["a part of a checkpoint", "name the folder above: "],
    );
    check(&|at| copy("qwen2", at), "m/model.safetensors", &["but a file", "name its folder: m"]);
    check(&|at| copy("qwen2", at), "m/config.json", &["but a file", "name its folder: m"]);
    check(
        &|at| write(&at.join("a-Q4_K_M.gguf"), b"GGUF"),
        "m",
        &["a GGUF file, made for llama.cpp", "firsthand fetch"],
    );
    check(&|at| write(&at.join("x"), b"GGUF\x03\0\0\0"), "m/x", &["a GGUF file, made for llama.cpp"]);
    let pickled = |at: &Path| {
        copy("qwen2", at);
        fs_err::rename(at.join("model.safetensors"), at.join("pytorch_model.bin")).unwrap();
        write(&at.join("optimizer.pt"), b"PK\x03\x04");
    };
    check(
        &pickled,
        "m",
        &[
            "a pickle, which may run code",
            "pytorch_model.bin",
            "AutoModelForCausalLM",
            "save_pretrained('m')",
        ],
    );
    check(&|at| write(&at.join("model.bin"), b"PK\x03\x04"), "m/model.bin", &["a pickle"]);
    check(
        &|at| write(&at.join("model.onnx"), b"x"),
        "m",
        &["of another program (model.onnx)", "firsthand fetch"],
    );
    check(&|_| {}, "m", &["config.json is not in m", "firsthand fetch owner/name"]);
    check(&|at| write(&at.join("config.json"), b"{}"), "m", &["no weights are in m", "copy it again"]);
    check(
        &|at| write(&at.join("config.json"), br#"{"_name_or_path": "Qwen/Qwen2-0.5B"}"#),
        "m",
        &["no weights are in m", "firsthand fetch Qwen/Qwen2-0.5B"],
    );
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n";
    check(
        &|at| (copy("qwen2", at), write(&at.join("model.safetensors"), pointer)).1,
        "m",
        &["a pointer of Git LFS stands in place of the file: m/model.safetensors", "git -C m lfs pull"],
    );
    check(
        &|at| (copy("qwen2_vl", at), write(&at.join("model-00002-of-00003.safetensors"), pointer)).1,
        "m",
        &["a pointer of Git LFS", "model-00002-of-00003"],
    );
    check(
        &|at| (copy("qwen2", at), write(&at.join("tokenizer.json"), pointer)).1,
        "m",
        &["a pointer of Git LFS", "tokenizer.json"],
    );
    let shard = |at: &Path| at.join("model-00003-of-00003.safetensors");
    check(
        &|at| (copy("qwen2_vl", at), fs_err::remove_file(shard(at)).unwrap()).1,
        "m",
        &["missing, though the index names it: m/model-00003-of-00003.safetensors"],
    );
    check(
        &|at| {
            copy("qwen2", at);
            fs_err::remove_file(at.join("tokenizer.json")).unwrap();
            symlink("nowhere", at.join("tokenizer.json")).unwrap();
        },
        "m",
        &["a link to nothing", "m/tokenizer.json"],
    );
}

#[test]
fn folders_without_an_adapter_are_named() {
    let home = tempfile::tempdir().unwrap();
    copy("qwen2", &home.path().join("q"));
    let check = |adapter: &str, parts: &[&str]| {
        let merge = ["train", "merge", adapter, "--model", "q", "--out", "m"];
        assert_failure(&program(home.path()).args(merge).output().unwrap(), parts);
        assert!(!home.path().join("m").exists());
    };
    write(&home.path().join("run/final/adapter_config.json"), b"{}");
    check("run/final", &["an adapter without its weights: run/final/adapter_model.safetensors is missing"]);
    check("run", &["no adapter is in run", "name the folder inside of it: run/final"]);
    check("q", &["no adapter is in q", "adapter_config.json and adapter_model.safetensors"]);
    write(&home.path().join("run/final/adapter_model.bin"), b"PK");
    check("run/final", &["the adapter's weights are a pickle, which may run code", "torch.load("]);
    check("me/absent", &["not downloaded", "firsthand fetch me/absent"]);
}

#[test]
fn the_cache_of_the_hub_is_understood_however_it_is_named() {
    let home = tempfile::tempdir().unwrap();
    let answers = |model: &str| {
        let output = ask(home.path(), model);
        assert!(output.status.success(), "{model}: {}", stderr(&output));
    };
    let (folder, snapshot) = cached(home.path(), "good");
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    for model in ["me/good", "hf/hub/models--me--good", &text(&folder), &text(&snapshot)] {
        answers(model);
    }
    for part in ["refs", "snapshots"] {
        let output = ask(home.path(), &format!("hf/hub/models--me--good/{part}"));
        assert_failure(&output, &["a part of the hub's cache", "--model me/good"]);
    }
    assert_failure(&ask(home.path(), "hf/hub"), &["a cache of the hub", "owner/name: me/good"]);

    let again = "run `firsthand fetch me/";
    let (folder, snapshot) = cached(home.path(), "dangling");
    fs_err::remove_file(folder.join("blobs/model.safetensors")).unwrap();
    for model in ["me/dangling", &text(&folder), &text(&snapshot)] {
        assert_failure(&ask(home.path(), model), &["a link to nothing", "model.safetensors", again]);
    }
    let (folder, snapshot) = cached(home.path(), "half");
    fs_err::remove_file(snapshot.join("model.safetensors")).unwrap();
    fs_err::rename(folder.join("blobs/model.safetensors"), folder.join("blobs/abc.incomplete")).unwrap();
    assert_failure(&ask(home.path(), "me/half"), &["the download of me/half was not finished", again]);
    let (_, snapshot) = cached(home.path(), "part");
    fs_err::remove_file(snapshot.join("model.safetensors")).unwrap();
    assert_failure(&ask(home.path(), "me/part"), &["only a part of me/part was downloaded", again]);

    // The hub moved on, and of the newer commit only a configuration came, or nothing at all.
    let (folder, whole) = cached(home.path(), "ahead");
    let newer = "f".repeat(40);
    write(&folder.join("refs/main"), newer.as_bytes());
    let other = format!("or name the folder of another: {}", whole.display());
    for model in ["me/ahead", "hf/hub/models--me--ahead"] {
        let expected = ["main of me/ahead is ffffffff, which was not downloaded", again, &other];
        assert_failure(&ask(home.path(), model), &expected);
    }
    answers(&text(&whole));
    write(&folder.join("snapshots").join(&newer).join("config.json"), b"{}");
    assert_failure(&ask(home.path(), "me/ahead"), &["only a part of me/ahead", again]);
    let revision = ["ask", "Hello?", "--model", "me/good", "--revision", "v2"];
    let output = program(home.path()).args(revision).output().unwrap();
    assert_failure(&output, &["v2 of me/good was not downloaded", "firsthand fetch me/good --revision v2"]);
}

#[test]
fn what_a_refusal_advises_mends_it() {
    let home = tempfile::tempdir().unwrap();
    let files = [
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "model.safetensors",
    ];
    let files = files.into_iter().filter(|name| checkpoint("qwen2").join(name).is_file());
    let read = |name: &'static str| {
        (name, fs_err::read(checkpoint("qwen2").join(name)).unwrap(), name.ends_with("s"))
    };
    let server = Server::start(files.map(read).collect());
    let fetch = || {
        let mut command = program(home.path());
        command.env("HF_ENDPOINT", &server.address).args(["fetch", "owner/model"]);
        assert!(command.output().unwrap().status.success());
    };
    fetch();
    let answers = || assert!(ask(home.path(), "owner/model").status.success());
    answers();
    let snapshot = home.path().join("hf/hub/models--owner--model/snapshots").join(COMMIT);
    let harms: [&dyn Fn(&Path); 2] = [
        // The blob alone, and the link too.
        &|weights| fs_err::remove_file(fs_err::canonicalize(weights).unwrap()).unwrap(),
        &|weights| fs_err::remove_file(weights).unwrap(),
    ];
    for harm in harms {
        harm(&snapshot.join("model.safetensors"));
        assert_failure(&ask(home.path(), "owner/model"), &["run `firsthand fetch owner/model`"]);
        fetch();
        answers();
    }
}

#[test]
fn paths_of_the_cache_may_name_the_home() {
    let home = tempfile::tempdir().unwrap();
    cached(home.path(), "good");
    for (name, value) in [
        ("HF_HUB_CACHE", "~/hf/hub"),
        ("HF_HUB_CACHE", "$HOME/hf/hub"),
        ("HF_HOME", "${HOME}/hf"),
        ("HUGGINGFACE_HUB_CACHE", "~/hf/hub"),
    ] {
        let mut command = program(home.path());
        command.env("HF_HOME", "/nowhere").env("HOME", home.path()).env(name, value);
        let output =
            command.args(["ask", "Hello?", "--greedy", "--max-tokens", "1", "--model", "me/good"]).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{name}={value}: {}", stderr(&output));
    }
    assert!(!home.path().join("~").exists());
}

#[test]
fn the_model_inside_the_program_heals_its_cache() {
    let home = tempfile::tempdir().unwrap();
    let answers = || {
        let output =
            program(home.path()).args(["ask", "hi", "--greedy", "--max-tokens", "1"]).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
    };
    answers();
    let models = home.path().join("cache/firsthand/models");
    let place = fs_err::read_dir(&models).unwrap().next().unwrap().unwrap().path();
    fs_err::remove_file(place.join("model.safetensors")).unwrap();
    answers();
    fs_err::write(place.join("tokenizer.json"), "{").unwrap();
    answers();
    // A file where the folder of caches should be: nobody can write there, whoever runs this.
    let mut command = program(home.path());
    command.env("XDG_CACHE_HOME", place.join("tokenizer.json"));
    let output = command.args(["ask", "hi", "--max-tokens", "1"]).output().unwrap();
    assert_failure(&output, &["set XDG_CACHE_HOME to a folder that can be written"]);
}
