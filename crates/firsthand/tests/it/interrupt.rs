//! Ctrl-C: exit code 130, and no output file, whole or half.

use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use firsthand_golden::root;

use crate::program::{files, program};

#[cfg(unix)]
#[test]
fn an_interrupted_dump_leaves_nothing_behind() {
    let home = tempfile::tempdir().unwrap();
    let work = home.path().join("work");
    fs_err::create_dir(&work).unwrap();
    let mut child = program(home.path())
        .current_dir(root())
        .args(["dump", "--model", "qwen2", "--messages", "cases/text/text.json", "--greedy", "3900", "--out"])
        .arg(work.join("out.safetensors"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while files(&work).is_empty() {
        assert!(child.try_wait().unwrap().is_none() && Instant::now() < deadline, "it never began to write");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(files(&work)[0].ends_with(".part"), "{:?}", files(&work));
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert_eq!(files(&work), Vec::<String>::new());
}

#[cfg(unix)]
#[test]
fn an_interrupted_download_leaves_nothing_behind() {
    let home = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/clip.mp4", listener.local_addr().unwrap());
    let child = program(home.path())
        .args(["inspect", &address])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nthe beginning").unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !files(home.path()).iter().any(|file| file.ends_with(".part")) {
        assert!(Instant::now() < deadline, "it never began to write");
        std::thread::sleep(Duration::from_millis(1));
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert_eq!(files(home.path()), Vec::<String>::new());
}
