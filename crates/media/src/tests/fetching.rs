//! Downloads from a local server: the cache, its limits, and connections that end early.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use firsthand_base::{Sampling, VideoSource};
use firsthand_golden::media;

use super::{check_error, image_part, video_part};
use crate::{Opener, OpenerOptions, SizeRule};

/// Serves `body` to every request, announcing `announced` bytes. Returns the address and the count of requests.
fn serve(body: Vec<u8>, announced: usize, status: &'static str) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&requests);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut line = String::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while reader.read_line(&mut line).unwrap() > 2 {
                line.clear();
            }
            counter.fetch_add(1, Ordering::SeqCst);
            let head =
                format!("HTTP/1.1 {status}\r\nContent-Length: {announced}\r\nConnection: close\r\n\r\n");
            // The client may hang up first; that is one of the cases.
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
        }
    });
    (format!("http://{address}/media/file.mp4"), requests)
}

fn opener(folder: &std::path::Path, max_download_bytes: u64) -> Opener {
    Opener::new(OpenerOptions {
        cache_dir: Some(folder.to_owned()),
        max_download_bytes,
        download_timeout_s: 20.0,
        ..OpenerOptions::default()
    })
}

fn files(folder: &std::path::Path) -> usize {
    fs_err::read_dir(folder.join("downloads")).map_or(0, Iterator::count)
}

#[test]
fn a_video_is_fetched_once() {
    let folder = tempfile::tempdir().unwrap();
    let body = fs_err::read(media("clip.mp4")).unwrap();
    let (address, requests) = serve(body.clone(), body.len(), "200 OK");
    let mut part = video_part(&media("clip.mp4"), Sampling::Frames(4));
    let rule = SizeRule::qwen_vl_utils(28);
    let local = Opener::default().video(&part, &rule).unwrap();
    part.source = VideoSource::File(address.clone());
    for _ in 0..2 {
        let fetched = opener(folder.path(), 1 << 20).video(&part, &rule).unwrap();
        assert_eq!(fetched.frames, local.frames);
    }
    assert_eq!((requests.load(Ordering::SeqCst), files(folder.path())), (1, 1));
    assert_eq!(opener(folder.path(), 1 << 20).probe(&address).unwrap().frames, 100);
    let error = Opener::default().video(&part, &rule).unwrap_err();
    check_error(&error, &address, "no folder for downloads");
}

#[test]
fn what_killed_downloads_left_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let downloads = folder.path().join("downloads");
    fs_err::create_dir(&downloads).unwrap();
    let [old, young, own] = [
        "old.mp4.1.part".to_owned(),
        "young.mp4.1.part".to_owned(),
        format!("own.mp4.{}.part", std::process::id()),
    ]
    .map(|name| downloads.join(name));
    for path in [&old, &young, &own] {
        fs_err::write(path, b"half").unwrap();
    }
    let hour_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    fs_err::OpenOptions::new().write(true).open(&old).unwrap().set_modified(hour_ago).unwrap();
    let body = fs_err::read(media("photo.jpg")).unwrap();
    let (address, _) = serve(body.clone(), body.len(), "200 OK");
    opener(folder.path(), 1 << 20).image(&image_part(&address), &SizeRule::qwen_vl_utils(28)).unwrap();
    assert_eq!([&old, &young, &own].map(|path| path.exists()), [false, true, true]);
    crate::discard_downloads(folder.path());
    assert_eq!([&young, &own].map(|path| path.exists()), [true, false]);
    assert_eq!(files(folder.path()), 2, "the downloaded file and the young one");
}

#[test]
fn an_image_needs_no_cache() {
    let body = fs_err::read(media("photo.jpg")).unwrap();
    let (address, _) = serve(body.clone(), body.len(), "200 OK");
    let rule = SizeRule::qwen_vl_utils(28);
    let fetched = Opener::default().image(&image_part(&address), &rule).unwrap();
    let local =
        Opener::default().image(&image_part(media("photo.jpg").display().to_string()), &rule).unwrap();
    assert_eq!(fetched.frames, local.frames);
}

#[test]
fn failed_downloads_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let body = vec![7u8; 4000];
    let part = |address: &str| {
        let mut part = video_part(&media("clip.mp4"), Sampling::Frames(4));
        part.source = VideoSource::File(address.to_owned());
        part
    };
    let check = |announced: usize, status, limit: u64, expected: &str| {
        let (address, _) = serve(body.clone(), announced, status);
        let error =
            opener(folder.path(), limit).video(&part(&address), &SizeRule::qwen_vl_utils(28)).unwrap_err();
        check_error(&error, &address, expected);
        assert_eq!(files(folder.path()), 0, "{expected}");
    };
    check(4000, "200 OK", 3999, "more than 3999 bytes");
    check(9000, "200 OK", 1 << 20, "cannot fetch");
    check(4000, "404 Not Found", 1 << 20, "404");
    let off = Opener::new(OpenerOptions { remote: false, ..OpenerOptions::default() });
    let error = off.video(&part("http://127.0.0.1:1/x.mp4"), &SizeRule::qwen_vl_utils(28)).unwrap_err();
    check_error(&error, "http://127.0.0.1:1/x.mp4", "switched off");
}
