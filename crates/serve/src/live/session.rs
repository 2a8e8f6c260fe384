//! One session on the disk: `session.json` (whose it is, when it began), `seen/` (a file for each item), `memory/` (what is
//! older). Everything is renamed into place, so that a server that was killed goes on with the same pictures.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use firsthand_base::Moment;
use firsthand_memory::build::Ledger;
use firsthand_memory::{Counts, Level, Memory};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::window::{Item, Rule};
use crate::refusal::{Answered, Refusal};
use crate::state::{Draft, State, place};

const FACTS: &str = "session.json";

/// What is fixed when a session is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct About {
    pub(crate) owner: String,
    pub(crate) created_s: u64,
    /// Whose eyes.
    pub(crate) wearer: String,
    /// When second 0 was.
    pub(crate) start: Moment,
    /// Frames a second of segments.
    pub(crate) fps: f64,
    /// Most pixels of a frame as the model sees it.
    pub(crate) max_pixels: usize,
}

/// A session.
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) about: About,
    folder: PathBuf,
    items: Mutex<Vec<Item>>,
    /// One picture after the other: each is checked against the one before.
    pub(crate) arriving: tokio::sync::Mutex<()>,
    /// Held to read while files are opened, to write while they are removed.
    pub(crate) files: tokio::sync::RwLock<()>,
    used: Mutex<Instant>,
    pub(crate) is_folding: AtomicBool,
    is_gone: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Session {
    /// A new session in a folder of its own.
    pub(crate) fn create(state: &State, home: &Path, about: About) -> Answered<Session> {
        let fault = |error: std::io::Error| Refusal::internal(&error.to_string());
        let id = state.name("live");
        let folder = home.join(&id);
        fs_err::create_dir_all(folder.join("seen")).map_err(fault)?;
        let facts = serde_json::to_vec(&about).map_err(|error| Refusal::internal(&error.to_string()))?;
        state.write(&folder.join(FACTS), &facts).map_err(fault)?;
        Ok(Session::of(id, about, folder, Vec::new()))
    }

    /// Whether a folder holds a session, readable or not.
    pub(crate) fn is_one(folder: &Path) -> bool {
        folder.join(FACTS).exists()
    }

    /// The session that a folder holds, if it is one that can be read.
    pub(crate) fn read(folder: &Path) -> Option<Session> {
        let about = serde_json::from_slice(&fs_err::read(folder.join(FACTS)).ok()?).ok()?;
        let id = folder.file_name()?.to_str()?.to_owned();
        let mut items = Vec::new();
        for entry in fs_err::read_dir(folder.join("seen")).ok()?.flatten() {
            let bytes = entry.metadata().ok()?.len();
            items.extend(Item::read(entry.file_name().to_str()?, bytes));
        }
        items.sort_by_key(|item| item.number);
        Some(Session::of(id, about, folder.to_owned(), items))
    }

    fn of(id: String, about: About, folder: PathBuf, items: Vec<Item>) -> Session {
        Session {
            id,
            about,
            folder,
            items: Mutex::new(items),
            arriving: tokio::sync::Mutex::default(),
            files: tokio::sync::RwLock::default(),
            used: Mutex::new(Instant::now()),
            is_folding: AtomicBool::new(false),
            is_gone: AtomicBool::new(false),
        }
    }

    /// Notes that somebody asks for it.
    pub(crate) fn touch(&self) {
        *lock(&self.used) = Instant::now();
    }

    pub(crate) fn idle(&self) -> Duration {
        lock(&self.used).elapsed()
    }

    pub(crate) fn items(&self) -> Vec<Item> {
        lock(&self.items).clone()
    }

    pub(crate) fn path(&self, item: &str) -> PathBuf {
        self.folder.join("seen").join(item)
    }

    /// The file of an item that is still there.
    pub(crate) fn find(&self, item: &str) -> Option<PathBuf> {
        lock(&self.items).iter().any(|known| known.name() == item).then(|| self.path(item))
    }

    /// The latest item, if these bytes at this time are it: the reply may have been lost with the server that gave it.
    /// Blocks.
    pub(crate) fn repeated(&self, at_us: u64, bytes: &[u8]) -> Option<Item> {
        let last = lock(&self.items).last().cloned().filter(|last| last.start_us == at_us)?;
        let known = fs_err::read(self.path(&last.name())).ok()?;
        (known == bytes).then_some(last)
    }

    /// Refuses what comes too early: time goes on.
    pub(crate) fn check_time(&self, at_us: u64) -> Answered<()> {
        let items = lock(&self.items);
        let Some(last) = items.last() else { return Ok(()) };
        if at_us > last.start_us && at_us >= last.end_us {
            return Ok(());
        }
        let message =
            format!("at: {} s is not after {} s, the last that was seen", at_us as f64 / 1e6, last.end_s());
        Err(Refusal::field("at", message))
    }

    /// Refuses more bytes than may wait: what is older has to be remembered first.
    pub(crate) fn check_room(&self, bytes: u64, most: u64) -> Answered<()> {
        let held: u64 = lock(&self.items).iter().map(|item| item.bytes).sum();
        match held + bytes > most {
            true => Err(Refusal::busy(
                "older frames of this session are still being remembered; send more slowly",
            )),
            false => Ok(()),
        }
    }

    /// Takes in an item whose time was checked; its number is given here.
    pub(crate) fn add(&self, draft: &Draft, mut item: Item) -> Answered<Item> {
        let mut items = lock(&self.items);
        if self.is_gone() {
            return Err(Refusal::absent("such session"));
        }
        item.number = items.last().map_or(0, |last| last.number + 1);
        let path = self.path(&item.name());
        place(draft, &path).map_err(|error| Refusal::internal(&error.to_string()))?;
        items.push(item.clone());
        Ok(item)
    }

    /// Lets the oldest items go: they are remembered.
    pub(crate) async fn forget_pictures(&self, count: usize) {
        let _removing = self.files.write().await;
        let gone: Vec<Item> = lock(&self.items).drain(..count).collect();
        for item in gone {
            // A file that stays is found at the next start and known to be remembered.
            let _ = fs_err::remove_file(self.path(&item.name()));
        }
    }

    /// Removes all of it.
    pub(crate) async fn delete(&self) {
        {
            // Nothing is taken in after this.
            let _items = lock(&self.items);
            self.is_gone.store(true, Ordering::SeqCst);
        }
        let _removing = self.files.write().await;
        // First what makes it a session; the rest goes now or with the next start.
        let _ = fs_err::remove_file(self.folder.join(FACTS));
        let _ = fs_err::remove_dir_all(&self.folder);
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::SeqCst)
    }

    /// When a second of the session was.
    pub(crate) fn moment(&self, at_us: u64) -> Moment {
        self.about.start.plus_ms((at_us / 1000) as i64)
    }

    /// The memory, made beside and renamed if it is missing: one half made is none. Blocks.
    pub(crate) fn memory(&self) -> Result<Memory, String> {
        let folder = self.folder.join("memory");
        if !folder.is_dir() {
            let draft = self.folder.join("memory.new");
            if draft.exists() {
                fs_err::remove_dir_all(&draft).map_err(|error| error.to_string())?;
            }
            drop(Memory::create(&draft).map_err(|error| error.to_string())?);
            fs_err::rename(&draft, &folder).map_err(|error| error.to_string())?;
        }
        Memory::open(&folder).map_err(|error| error.to_string())
    }

    /// The memory, where something is remembered. Blocks.
    pub(crate) fn old(&self) -> Result<Option<Memory>, String> {
        match self.folder.join("memory").is_dir() {
            true => self.memory().map(Some),
            false => Ok(None),
        }
    }

    /// How it stands. Blocks.
    pub(crate) fn json(&self, rule: &Rule) -> Value {
        let items = self.items();
        let left = rule.left(&items);
        let count = |items: &[Item]| {
            json!({
                "frames": items.iter().map(|item| item.frames).sum::<usize>(),
                "bytes": items.iter().map(|item| item.bytes).sum::<u64>(),
                "from": items.first().map(Item::start_s), "to": items.last().map(Item::end_s),
            })
        };
        let (counts, failed) = self.old().ok().flatten().and_then(remembered).unwrap_or_default();
        let clips = counts.levels.get(&Level::Clip).copied().unwrap_or(0);
        let mut waiting = count(&items[..left]);
        waiting["due"] = json!(rule.due(&items).is_some());
        json!({
            "id": self.id, "object": "live.session", "created_at": self.about.created_s,
            "wearer": self.about.wearer, "start": self.about.start.to_string(), "fps": self.about.fps,
            "max_pixels": self.about.max_pixels,
            "seen": items.last().map_or(0, |last| last.number + 1),
            "window": count(&items[left..]), "waiting": waiting,
            "remembered": {"clips": clips, "summaries": counts.records() - clips, "failed": failed, "to": counts.last.map(|last| last.to_string())},
        })
    }
}

/// How much a memory holds, and how many clips could not be made.
fn remembered(mut memory: Memory) -> Option<(Counts, u64)> {
    let totals = Ledger::totals(memory.store()).ok()?;
    let failed = totals.values().map(|totals| totals.failed).sum();
    Some((memory.store().counts().ok()?, failed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::window::Kind;
    use crate::options::ServeOptions;

    fn picture(at_us: u64) -> Item {
        Item { number: 0, start_us: at_us, end_us: at_us, frames: 1, size: [2, 3], kind: Kind::Png, bytes: 4 }
    }

    #[test]
    fn a_folder_is_the_session_whenever_it_is_read() {
        let home = tempfile::tempdir().unwrap();
        let options = ServeOptions { state_dir: Some(home.path().join("state")), ..ServeOptions::default() };
        let state = State::open(&options).unwrap();
        let (fps, max_pixels, start) = (1.0, 784, Moment::START);
        let about = About { owner: "a".into(), created_s: 1, wearer: "me".into(), start, fps, max_pixels };
        let session = Session::create(&state, home.path(), about.clone()).unwrap();
        for at in [1, 5] {
            let draft = state.draft();
            fs_err::write(&draft.0, format!("pix{at}")).unwrap();
            session.check_time(at).unwrap();
            session.add(&draft, picture(at)).unwrap();
        }
        assert_eq!(session.check_time(5).unwrap_err().status, 400);
        assert!(session.check_room(2, 10).is_ok());
        assert_eq!(session.check_room(3, 10).unwrap_err().status, 429);
        assert!(session.repeated(5, b"pix5").is_some() && session.repeated(5, b"pix6").is_none());
        // Killed while its memory was being made.
        let folder = home.path().join(&session.id);
        fs_err::create_dir_all(folder.join("memory.new")).unwrap();
        fs_err::write(folder.join("memory.new/half"), "").unwrap();
        fs_err::write(folder.join("seen/half-written"), "").unwrap();
        let again = Session::read(&folder).unwrap();
        assert_eq!((again.items(), &again.about), (session.items(), &about));
        assert!(again.old().unwrap().is_none());
        drop(again.memory().unwrap());
        assert!(again.old().unwrap().is_some() && !folder.join("memory.new").exists());
        fs_err::write(folder.join(FACTS), "of another version").unwrap();
        assert!(Session::read(&folder).is_none() && Session::is_one(&folder), "not to be removed");
        fs_err::remove_file(folder.join(FACTS)).unwrap();
        assert!(Session::read(&folder).is_none() && !Session::is_one(&folder), "half deleted");
    }
}
