//! firsthand-tiny, the checkpoint inside the binary: what verbs take when no other is named. It becomes an ordinary
//! checkpoint folder in the cache, because everything reads folders. Trained by the recipes in `recipes/tiny` and by
//! nothing else; knows only simulated homes.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::environment;
use crate::failure::Hint;

/// What manifests call it.
pub(crate) const NAME: &str = "firsthand-tiny";

/// Said whenever it answers.
pub(crate) const NOTE: &str = "firsthand-tiny knows only the simulated home of `firsthand world`; for other media: \
    firsthand fetch Qwen/Qwen2.5-VL-3B-Instruct, then --model Qwen/Qwen2.5-VL-3B-Instruct";

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_bytes!(concat!("../tiny/", $name)).as_slice())),*]
    };
}

/// The folder's files.
const FILES: [(&str, &[u8]); 8] = files![
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "model.safetensors",
];

/// The folder in the cache. A file that is not there, or is not as it was made (cut short, changed), is written again. The
/// folder's name holds a hash of the files, so that another version of the program never meets this one's.
pub(crate) fn directory() -> Result<PathBuf> {
    let mut hasher = blake3::Hasher::new();
    FILES.iter().for_each(|(name, bytes)| _ = hasher.update(name.as_bytes()).update(bytes));
    let hash = &hasher.finalize().to_hex()[..12];
    let place = environment::firsthand_cache()?.join("models").join(format!("{NAME}-{hash}"));
    mend(&place).hint(|| "set XDG_CACHE_HOME to a folder that can be written".to_owned())?;
    Ok(place)
}

/// Makes a folder hold the files. Several processes may do so at the same time: each file appears whole, by a rename, and
/// who has the old one open keeps it.
fn mend(place: &Path) -> Result<()> {
    if place.is_file() {
        fs_err::remove_file(place)?;
    }
    for (name, bytes) in FILES {
        let path = place.join(name);
        if fs_err::read(&path).is_ok_and(|found| found == bytes) {
            continue;
        }
        fs_err::create_dir_all(place)?;
        if path.is_dir() {
            fs_err::remove_dir_all(&path)?;
        }
        // Not named by the process: containers that share a cache all run as number 1.
        let mut draft = draft_in(place)?;
        draft.write_all(bytes)?;
        draft.as_file().sync_all()?;
        draft.persist(&path).map_err(|error| error.error)?;
    }
    Ok(())
}

/// A file that others may read as far as the umask says.
fn draft_in(place: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".part-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_whole(place: &Path) -> bool {
        FILES.iter().all(|(name, bytes)| fs_err::read(place.join(name)).unwrap() == *bytes)
            && fs_err::read_dir(place).unwrap().count() == FILES.len()
    }

    #[test]
    fn what_is_lost_or_changed_is_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("models/tiny");
        let check = |harm: &dyn Fn(&Path)| {
            harm(&place);
            mend(&place).unwrap();
            assert!(is_whole(&place));
        };
        check(&|_| {});
        for (name, _) in FILES {
            check(&|place| fs_err::remove_file(place.join(name)).unwrap());
            check(&|place| fs_err::write(place.join(name), b"").unwrap());
        }
        let weights = |place: &Path| place.join("model.safetensors");
        check(&|place| {
            let file = fs_err::OpenOptions::new().write(true).open(weights(place)).unwrap();
            file.set_len(1_000_000).unwrap();
        });
        check(&|place| {
            let mut bytes = fs_err::read(weights(place)).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            fs_err::write(weights(place), bytes).unwrap();
        });
        check(&|place| {
            fs_err::remove_file(weights(place)).unwrap();
            fs_err::create_dir(weights(place)).unwrap();
        });
        check(&|place| fs_err::remove_dir_all(place).unwrap());
        check(&|place| {
            fs_err::remove_dir_all(place).unwrap();
            fs_err::write(place, b"a file").unwrap();
        });
        // Whole files are left alone.
        let made = |place: &Path| fs_err::metadata(weights(place)).unwrap().modified().unwrap();
        let before = made(&place);
        check(&|place| fs_err::remove_file(place.join("config.json")).unwrap());
        assert_eq!(made(&place), before);
    }

    #[test]
    fn processes_that_start_together_find_whole_files() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("tiny");
        std::thread::scope(|threads| {
            for _ in 0..8 {
                threads.spawn(|| {
                    mend(&place).unwrap();
                    assert!(
                        FILES.iter().all(|(name, bytes)| fs_err::read(place.join(name)).unwrap() == *bytes)
                    );
                });
            }
        });
        assert!(is_whole(&place));
    }
}
