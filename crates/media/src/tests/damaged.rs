//! Films with damaged bytes: what damage reaches is refused by name or shown as such, never as if it were whole; what
//! it does not reach is shown as in the whole film; and neither depends on which frames are asked for. Arithmetic coders
//! (CABAC, VP9) read any bytes as some picture, so their wounds are where headers are, and H.264 is coded without.

use std::path::{Path, PathBuf};

use firsthand_base::{Damaged, Digest, Sampling, VideoPart};

use super::{clip, video_part};
use crate::{Opener, OpenerOptions, Prepared, SizeRule};

const NOISE: &str = "testsrc2=size=320x180:rate=25:duration=2,noise=alls=20:allf=t";
/// Frames of a film, and of a group of it where the codec has groups.
const FRAMES: usize = 50;
const GROUP: usize = 12;

/// Where and how a film is damaged: the packet by its place in the file, and the part of it that goes.
#[derive(Clone, Copy, Debug)]
enum Wound {
    /// Zeros over the first bytes of a packet.
    Head(usize),
    /// Zeros over the middle third.
    Middle(usize),
    /// Every eighth byte of the second half inverted.
    Flips(usize),
}

fn open(path: &Path, sampling: Sampling, damaged: Damaged, threads: usize) -> crate::Result<Prepared> {
    let part = VideoPart { damaged, ..video_part(path, sampling) };
    let options = OpenerOptions { keep_bytes: 0, threads, ..OpenerOptions::default() };
    Opener::new(options).video(&part, &SizeRule::qwen_vl_utils(28))
}

/// Positions and sizes of the pictures' packets, in the order of the file.
fn packets(path: &Path) -> Vec<(usize, usize)> {
    let mut command = std::process::Command::new("ffprobe");
    command.args([
        "-v",
        "error",
        "-select_streams",
        "v",
        "-show_entries",
        "packet=pos,size",
        "-of",
        "csv=p=0",
    ]);
    let output = command.arg(path).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut packets = Vec::new();
    for line in text.lines() {
        let numbers: Vec<usize> = line.split(',').filter_map(|word| word.parse().ok()).collect();
        // Lines about what comes beside packets have no position.
        if let [size, position, ..] = numbers[..] {
            packets.push((position, size));
        }
    }
    packets
}

fn wounded(path: &Path, wound: Wound) -> PathBuf {
    let mut bytes = fs_err::read(path).unwrap();
    let (Wound::Head(packet) | Wound::Middle(packet) | Wound::Flips(packet)) = wound;
    let (position, size) = packets(path)[packet];
    match wound {
        Wound::Head(_) => bytes[position..position + size.min(300)].fill(0),
        Wound::Middle(_) => bytes[position + size / 3..position + size * 2 / 3].fill(0),
        Wound::Flips(_) => {
            let half = position + size / 2..position + size;
            bytes[half].iter_mut().step_by(8).for_each(|byte| *byte ^= 0xff);
        }
    }
    let target = path.with_file_name(format!("damaged-{}", path.file_name().unwrap().to_str().unwrap()));
    fs_err::write(&target, bytes).unwrap();
    target
}

fn all() -> Sampling {
    Sampling::Uniform(FRAMES)
}

/// Holds a damaged film against the whole one, frame by frame. Frames outside of `reach` must be there.
#[track_caller]
fn check(name: &str, whole: &Path, wound: Wound, reach: std::ops::Range<usize>) {
    let label = format!("{name} {wound:?}");
    let path = wounded(whole, wound);
    let whole = open(whole, all(), Damaged::Refuse, 2).unwrap_or_else(|e| panic!("{label}: {e}"));
    let times: Vec<f64> = whole.frames.iter().map(|frame| frame.time.seconds()).collect();
    let whole: Vec<Digest> = whole.frames.iter().map(|frame| frame.hash).collect();
    let (mut refused, mut said) = (Vec::new(), Vec::new());
    for (frame, time) in times.iter().enumerate() {
        // All that may be refused, and some of the others.
        if !reach.contains(&frame) && frame % 9 != 0 {
            continue;
        }
        match open(&path, Sampling::Timestamps(vec![*time]), Damaged::Refuse, 1 + frame % 3) {
            Ok(opened) => assert_eq!(opened.frames[0].hash, whole[frame], "{label}: frame {frame} is shown"),
            Err(error) => {
                let text = error.to_string();
                assert!(text.contains("damaged") && text.contains(path.to_str().unwrap()), "{label}: {text}");
                refused.push(frame);
                let span = text.split("are damaged").next().unwrap_or_default().to_owned();
                said.push(span.split("is damaged").next().unwrap_or_default().to_owned());
            }
        }
    }
    assert!(!refused.is_empty(), "{label}: nothing is refused");
    assert!(refused.iter().all(|frame| reach.contains(frame)), "{label}: refused {refused:?}");
    said.dedup();
    // Whatever else is asked for at the same time, the same is said.
    for count in [FRAMES, 10] {
        let chosen: Vec<usize> = (0..count).map(|i| i * FRAMES / count).collect();
        let asked = chosen.iter().map(|&frame| times[frame]).collect();
        let hit = chosen.iter().any(|frame| refused.contains(frame));
        match open(&path, Sampling::Timestamps(asked), Damaged::Refuse, 2) {
            Ok(opened) => {
                assert!(!hit, "{label}: {count} frames are shown");
                let shown: Vec<Digest> = opened.frames.iter().map(|frame| frame.hash).collect();
                assert_eq!(shown, chosen.iter().map(|&frame| whole[frame]).collect::<Vec<_>>(), "{label}");
            }
            Err(error) => {
                let text = error.to_string();
                assert!(
                    hit && said.iter().any(|span| text.contains(span.as_str())),
                    "{label}: {text} {said:?}"
                );
            }
        }
    }
    // Asked to, it shows all of them and says which are made up.
    let shown = open(&path, Sampling::Timestamps(times), Damaged::Show, 2);
    let shown = shown.unwrap_or_else(|error| panic!("{label}: {error}"));
    for (place, frame) in shown.frames.iter().enumerate() {
        assert_eq!(frame.damaged, refused.contains(&place), "{label}: frame {place}");
        assert!(frame.damaged || frame.hash == whole[place], "{label}: frame {place}");
    }
}

/// A file's name, how it is encoded, and wounds with the frames that each may reach.
type Case = (&'static str, Vec<&'static str>, Vec<(Wound, std::ops::Range<usize>)>);

#[test]
fn what_damage_reaches_is_never_shown_as_if_whole() {
    let folder = tempfile::tempdir().unwrap();
    let x264 = |more: &'static str| vec!["-c:v", "libx264", "-preset", "veryfast", "-x264-params", more];
    let x265 = |more: &'static str| vec!["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", more];
    let (plain, b, open) = (
        "keyint=12:scenecut=0:bframes=0:cabac=0",
        "keyint=12:bframes=3:scenecut=0:cabac=0",
        "keyint=12:bframes=3:scenecut=0:open-gop=1:cabac=0",
    );
    let x265_plain = "keyint=12:bframes=2:log-level=none";
    let group = |number: usize| number * GROUP..((number + 1) * GROUP).min(FRAMES);
    use Wound::{Flips, Head, Middle};
    let cases: Vec<Case> = vec![
        // A picture in a group, a key picture, the first and the last group.
        (
            "plain.mp4",
            x264(plain),
            vec![
                (Head(15), group(1)),
                (Middle(15), group(1)),
                (Flips(15), group(1)),
                (Middle(24), group(2)),
                (Head(24), group(2)),
                (Middle(0), group(0)),
                (Middle(48), group(4)),
                (Flips(49), group(4)),
            ],
        ),
        ("b.mp4", x264(b), vec![(Head(14), group(1)), (Middle(14), group(1)), (Middle(24), group(2))]),
        ("open.mp4", x264(open), vec![(Middle(14), 8..26), (Head(26), 18..40)]),
        ("plain.mkv", x264(plain), vec![(Middle(15), group(1)), (Flips(24), group(2))]),
        ("plain.flv", x264(plain), vec![(Middle(15), group(1))]),
        ("plain.ts", x264(plain), vec![(Flips(15), 12..26)]),
        ("hevc.mp4", x265(x265_plain), vec![(Head(15), 8..28), (Head(22), 20..40), (Head(14), 8..28)]),
        ("hevc10.mp4", [x265(x265_plain), vec!["-pix_fmt", "yuv420p10le"]].concat(), vec![(Head(15), 8..28)]),
        (
            "part2.mp4",
            vec!["-c:v", "mpeg4", "-g", "12", "-q:v", "3"],
            vec![(Middle(15), group(1)), (Flips(24), group(2))],
        ),
        (
            "part2.avi",
            vec!["-c:v", "mpeg4", "-g", "12", "-q:v", "3"],
            vec![(Middle(15), group(1)), (Head(24), group(2))],
        ),
        (
            "vp9.mp4",
            vec!["-c:v", "libvpx-vp9", "-g", "12", "-deadline", "realtime", "-cpu-used", "8"],
            vec![(Head(15), group(1))],
        ),
        ("motion.avi", vec!["-c:v", "mjpeg", "-q:v", "3"], vec![(Head(15), 15..16), (Middle(20), 20..21)]),
        ("motion.mp4", vec!["-c:v", "mjpeg", "-q:v", "3"], vec![(Middle(49), 49..50)]),
        ("dvd.ts", vec!["-c:v", "mpeg2video", "-g", "12", "-q:v", "3"], vec![(Flips(15), 12..26)]),
    ];
    for (name, arguments, wounds) in cases {
        let whole = clip(folder.path(), name, NOISE, &arguments);
        for (wound, reach) in wounds {
            check(name, &whole, wound, reach);
        }
    }
}
