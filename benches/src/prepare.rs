//! The inputs of the races, made once and kept under target/bench: a Python with the reference library, random
//! checkpoints of a given shape, a ten-minute film, a question with a picture.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::json;

/// How large a random checkpoint is.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    /// Two layers: start-up time and the front end.
    Tiny,
    /// Eight layers 256 wide: training steps.
    Train,
    /// A few million parameters, with a tower: what trains on two cores.
    Embedded,
    /// Qwen2.5-0.5B.
    Half,
    /// Qwen2.5-VL-7B.
    Seven,
}

impl Shape {
    fn name(self) -> &'static str {
        match self {
            Shape::Tiny => "tiny",
            Shape::Train => "train",
            Shape::Embedded => "embedded",
            Shape::Half => "0.5b",
            Shape::Seven => "7b",
        }
    }
}

/// Where the inputs are.
pub(crate) struct Bench {
    root: PathBuf,
    folder: PathBuf,
    /// A Python with golden/requirements.txt installed.
    pub(crate) python: String,
}

impl Bench {
    pub(crate) fn new(python: Option<String>) -> Result<Bench> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.parent().context("benches/ sits below the root")?.to_path_buf();
        let folder = root.join("target/bench");
        fs_err::create_dir_all(&folder)?;
        let python = match python {
            Some(path) => path,
            None => make_python(&root, &folder)?,
        };
        Ok(Bench { root, folder, python })
    }

    /// The repository.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where inputs and runs are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn peer_script(&self) -> String {
        self.root.join("benches/peer.py").to_string_lossy().into_owned()
    }

    /// A random checkpoint, written by the reference side.
    pub(crate) fn checkpoint(&self, shape: Shape, family: &str, dtype: &str) -> Result<String> {
        let folder = self.folder.join(format!("{family}-{}-{dtype}", shape.name()));
        if !folder.join("config.json").exists() {
            let script = self.root.join("golden/random_checkpoint.py");
            let mut command = Command::new(&self.python);
            command.arg(script).args([
                "--shape",
                shape.name(),
                "--family",
                family,
                "--dtype",
                dtype,
                "--out",
            ]);
            run(command.arg(&folder))?;
        }
        Ok(folder.to_string_lossy().into_owned())
    }

    /// Ten minutes of a moving test picture, 1280x720 at 30 frames a second, H.264 with the encoder's usual GOPs.
    pub(crate) fn ten_minutes(&self) -> Result<String> {
        let path = self.folder.join("ten-minutes.mp4");
        if !path.exists() {
            let part = self.folder.join("ten-minutes.part.mp4");
            let source = "testsrc2=size=1280x720:rate=30:duration=600";
            let mut command = Command::new("ffmpeg");
            command.args(["-v", "error", "-y", "-f", "lavfi", "-i", source, "-c:v", "libx264"]);
            run(command.args(["-preset", "veryfast", "-pix_fmt", "yuv420p"]).arg(&part))?;
            fs_err::rename(part, &path)?;
        }
        Ok(path.to_string_lossy().into_owned())
    }

    /// An hour of a moving, noisy test picture, 1280x720 at 30 frames a second: five minutes, twelve times over.
    pub(crate) fn hour(&self) -> Result<String> {
        let path = self.folder.join("hour.mp4");
        if !path.exists() {
            let (part, list) = (self.folder.join("five-minutes.mp4"), self.folder.join("hour.txt"));
            let source = "testsrc2=size=1280x720:rate=30:duration=300,noise=alls=12:allf=t";
            let mut command = Command::new("ffmpeg");
            command.args(["-v", "error", "-y", "-f", "lavfi", "-i", source, "-c:v", "libx264", "-g", "250"]);
            command.args([
                "-preset",
                "ultrafast",
                "-pix_fmt",
                "yuv420p",
                "-b:v",
                "7500k",
                "-maxrate",
                "9000k",
            ]);
            run(command.args(["-bufsize", "15000k"]).arg(&part))?;
            fs_err::write(&list, "file five-minutes.mp4\n".repeat(12))?;
            let whole = self.folder.join("hour.part.mp4");
            let mut command = Command::new("ffmpeg");
            command.args(["-v", "error", "-y", "-f", "concat", "-safe", "0", "-i"]).arg(&list);
            run(command.args(["-c", "copy"]).arg(&whole))?;
            fs_err::rename(whole, &path)?;
            fs_err::remove_file(part)?;
        }
        Ok(path.to_string_lossy().into_owned())
    }

    /// Prompts of some sixty words without a medium, with an answer that nobody reads.
    pub(crate) fn prompts(&self) -> Result<String> {
        const WORDS: [&str; 8] = ["where", "cup", "left", "table", "person", "door", "before", "holds"];
        let path = self.folder.join("prompts.jsonl");
        let row = |i: usize| {
            let words: Vec<&str> = (0..60).map(|j| WORDS[(i * 7 + j * j * 3 + j) % 8]).collect();
            let messages = json!([
                { "role": "user", "content": words.join(" ") },
                { "role": "assistant", "content": "left" },
            ]);
            json!({ "messages": messages }).to_string() + "\n"
        };
        fs_err::write(&path, (0..64).map(row).collect::<String>())?;
        Ok(path.to_string_lossy().into_owned())
    }

    /// One question about one 640x480 picture, in the reference message format.
    pub(crate) fn messages(&self) -> Result<String> {
        let picture = self.folder.join("picture.png");
        if !picture.exists() {
            let mut command = Command::new("ffmpeg");
            command.args([
                "-v",
                "error",
                "-y",
                "-f",
                "lavfi",
                "-i",
                "testsrc2=size=640x480",
                "-frames:v",
                "1",
            ]);
            run(command.arg(&picture))?;
        }
        let messages = json!([{ "role": "user", "content": [
            { "type": "image", "image": picture.to_string_lossy() },
            { "type": "text", "text": "What is on the table?" },
        ]}]);
        let path = self.folder.join("messages.json");
        fs_err::write(&path, messages.to_string())?;
        Ok(path.to_string_lossy().into_owned())
    }
}

fn make_python(root: &Path, folder: &Path) -> Result<String> {
    let home = folder.join("python");
    let python = home.join("bin/python");
    if !python.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
        let mut install = Command::new(&python);
        install.args(["-m", "pip", "install", "--quiet"]);
        for file in ["golden/requirements.txt", "benches/requirements.txt"] {
            install.arg("--requirement").arg(root.join(file));
        }
        run(&mut install)?;
    }
    Ok(python.to_string_lossy().into_owned())
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("run {command:?}"))?;
    ensure!(status.success(), "failed: {command:?}");
    Ok(())
}
