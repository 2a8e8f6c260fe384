//! The store of one machine: a folder with `memory.json`, which says what it is, and one SQLite database. Records, the
//! full-text index and the vectors change in one transaction, and what a write reported survives a power cut.
//!
//! SQLite keeps bytes; the index over words and the scan over vectors are ours (`postings`, `blocks`, `vectors`), because
//! a common word among a million records must not cost a look at each. Freed bytes are overwritten (`secure_delete`).

mod blocks;
mod check;
mod postings;
mod search;
mod store;
mod vectors;
mod write;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension};
use serde::{Deserialize, Serialize};

use self::blocks::Blocks;
use self::vectors::Vectors;
use crate::{Encoder, Error, Result, TERMS_VERSION};

/// Layout of the folder and the database. Another number is refused, never guessed at.
const FORMAT: u32 = 1;
const MANIFEST: &str = "memory.json";
const DATABASE: &str = "memory.db";
/// How long a write waits for another program's.
const BUSY: Duration = Duration::from_secs(30);

const SCHEMA: &str = "
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE wearers (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    CREATE TABLE records (
        id INTEGER PRIMARY KEY AUTOINCREMENT, level INTEGER NOT NULL, wearer INTEGER NOT NULL,
        start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, state INTEGER NOT NULL,
        text TEXT NOT NULL, transcript TEXT, people TEXT, evidence TEXT);
    CREATE TABLE sources (
        summary INTEGER NOT NULL, place INTEGER NOT NULL, source INTEGER NOT NULL,
        PRIMARY KEY (summary, place)) WITHOUT ROWID;
    CREATE INDEX sources_by_source ON sources (source, summary);
    -- See postings.rs, blocks.rs and vectors.rs for the blobs.
    CREATE TABLE postings (
        term TEXT NOT NULL, block INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (term, block)) WITHOUT ROWID;
    CREATE TABLE blocks (block INTEGER PRIMARY KEY, version INTEGER NOT NULL, data BLOB NOT NULL);
    CREATE TABLE notes (key TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE vectors (id INTEGER PRIMARY KEY, scale REAL NOT NULL, data BLOB NOT NULL);
    INSERT INTO meta VALUES ('version', '0');
";

/// What the manifest file says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    firsthand_memory: u32,
    store: String,
}

/// A memory in a folder of this machine.
pub struct SqliteStore {
    folder: PathBuf,
    database: Connection,
    /// Times, levels and wearers of all records, as of the last look.
    blocks: Blocks,
    /// Vectors, read on the first search that needs them.
    vectors: Vectors,
}

impl SqliteStore {
    /// A new store. The folder is made if it is missing, and must be empty.
    pub fn create(folder: &Path) -> Result<SqliteStore> {
        fs_err::create_dir_all(folder)?;
        if fs_err::read_dir(folder)?.next().is_some() {
            let reason = match folder.join(MANIFEST).exists() {
                true => "it is there already; open it, or choose another folder",
                false => "the folder holds other files; choose an empty one",
            };
            return Err(Error::NotAMemory { path: folder.into(), reason: reason.into() });
        }
        let database = Connection::open(folder.join(DATABASE)).map_err(|e| failed(folder, &e))?;
        let make = || -> rusqlite::Result<()> {
            database.pragma_update(None, "page_size", 8192)?;
            database.pragma_update(None, "user_version", FORMAT)?;
            settings(&database)?;
            database.execute_batch(&format!("BEGIN; {SCHEMA} COMMIT;"))?;
            database.execute("INSERT INTO meta VALUES ('terms', ?1)", [TERMS_VERSION.to_string()])?;
            Ok(())
        };
        make().map_err(|e| failed(folder, &e))?;
        // Written last, by a rename: a folder with a manifest is a whole memory.
        let manifest = Manifest { firsthand_memory: FORMAT, store: "sqlite".into() };
        let text = serde_json::to_string_pretty(&manifest).map_err(std::io::Error::from)?;
        let draft = folder.join(format!("{MANIFEST}.new"));
        fs_err::write(&draft, text + "\n")?;
        fs_err::rename(&draft, folder.join(MANIFEST))?;
        Ok(SqliteStore::over(folder, database))
    }

    /// The store in a folder.
    pub fn open(folder: &Path) -> Result<SqliteStore> {
        read_manifest(folder)?;
        let file = folder.join(DATABASE);
        if !file.exists() {
            return Err(not_a_memory(folder, format!("{DATABASE} is missing; restore it from a copy")));
        }
        // Without CREATE: a store that vanished must not come back empty.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let database = Connection::open_with_flags(&file, flags).map_err(|e| failed(folder, &e))?;
        let look = || -> rusqlite::Result<(u32, Option<String>)> {
            settings(&database)?;
            let format = database.pragma_query_value(None, "user_version", |row| row.get(0))?;
            let terms = database
                .query_row("SELECT value FROM meta WHERE key = 'terms'", [], |row| row.get(0))
                .optional()?;
            Ok((format, terms))
        };
        let (format, terms) = look().map_err(|e| failed(folder, &e))?;
        if format != FORMAT {
            return Err(not_a_memory(
                folder,
                format!("its database has format {format}, this program {FORMAT}"),
            ));
        }
        let mut store = SqliteStore::over(folder, database);
        if terms != Some(TERMS_VERSION.to_string()) {
            // Made by a program that split words in another way.
            store.rebuild_index()?;
        }
        Ok(store)
    }

    fn over(folder: &Path, database: Connection) -> SqliteStore {
        database.set_prepared_statement_cache_capacity(64);
        SqliteStore {
            folder: folder.into(),
            database,
            blocks: Blocks::default(),
            vectors: Vectors::default(),
        }
    }

    fn failed(&self, error: &rusqlite::Error) -> Error {
        failed(&self.folder, error)
    }
}

fn read_manifest(folder: &Path) -> Result<()> {
    let path = folder.join(MANIFEST);
    let text = match fs_err::read_to_string(&path) {
        Ok(text) => text,
        Err(error)
            if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) =>
        {
            let reason = match folder.is_dir() {
                true => format!("there is no {MANIFEST} in it"),
                false => "there is no such folder".into(),
            };
            return Err(not_a_memory(folder, reason));
        }
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            return Err(not_a_memory(folder, format!("{MANIFEST} is not text")));
        }
        Err(error) => return Err(error.into()),
    };
    let manifest: Manifest = serde_json::from_str(&text)
        .map_err(|error| not_a_memory(folder, format!("{MANIFEST} cannot be read: {error}")))?;
    if manifest.firsthand_memory != FORMAT || manifest.store != "sqlite" {
        let Manifest { firsthand_memory: format, store } = manifest;
        let reason =
            format!("it has format {format} in {store:?}, this program reads format {FORMAT} in \"sqlite\"");
        return Err(not_a_memory(folder, reason));
    }
    Ok(())
}

/// What every connection does: wait for others, survive power cuts, leave no deleted bytes behind.
fn settings(database: &Connection) -> rusqlite::Result<()> {
    database.busy_timeout(BUSY)?;
    database.pragma_update(None, "journal_mode", "wal")?;
    database.pragma_update(None, "synchronous", "full")?;
    database.pragma_update(None, "secure_delete", true)?;
    database.pragma_update(None, "cache_size", -65_536)?;
    database.pragma_update(None, "mmap_size", 1_i64 << 33)?;
    Ok(())
}

fn stored_encoder(database: &Connection) -> rusqlite::Result<Option<Encoder>> {
    let text: Option<String> = database
        .query_row("SELECT value FROM meta WHERE key = 'encoder'", [], |row| row.get(0))
        .optional()?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

fn not_a_memory(folder: &Path, reason: String) -> Error {
    Error::NotAMemory { path: folder.into(), reason }
}

fn failed(folder: &Path, error: &rusqlite::Error) -> Error {
    let remedy = match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseCorrupt) => "; run memory check --repair, or restore a copy",
        Some(rusqlite::ErrorCode::NotADatabase) => "; restore a copy",
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
            "; another program is writing to it"
        }
        _ => "",
    };
    Error::Store { location: folder.display().to_string(), reason: format!("{error}{remedy}") }
}
