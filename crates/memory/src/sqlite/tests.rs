//! The folder store: the laws of every store, and what only it can suffer.

use super::SqliteStore;
use crate::store_tests::{ENCODER, encoder, record};
use crate::{Change, Level, Scope, Store, store_tests};

fn scratch() -> (tempfile::TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::create(&folder.path().join("memory")).unwrap();
    (folder, store)
}

#[test]
fn the_laws_of_stores_hold() {
    store_tests::writes_all_or_nothing(&mut scratch().1);
    store_tests::refuses_vectors_of_another_encoder(&mut scratch().1);
    store_tests::keeps_notes(&mut scratch().1);
}

#[test]
fn the_store_is_the_list() {
    let folder = tempfile::tempdir().unwrap();
    let number = std::cell::Cell::new(0);
    store_tests::follows_the_list(24, &|| {
        let place = folder.path().join(number.replace(number.get() + 1).to_string());
        let store = SqliteStore::create(&place).unwrap();
        [Box::new(store), Box::new(SqliteStore::open(&place).unwrap())]
    });
}

#[test]
fn damage_is_found_and_repaired() {
    for (damage, expect) in [
        ("DELETE FROM postings WHERE term = 'cup'", "full-text index disagrees"),
        ("UPDATE postings SET term = 'cap' WHERE term = 'cup'", "full-text index disagrees"),
        ("UPDATE records SET end_ms = end_ms + 1", "the times of records 0 to 1023 disagree"),
        ("UPDATE blocks SET data = x'00'", "the times of records 0 to 1023 disagree"),
        ("DELETE FROM blocks", "1 blocks of times are missing"),
        ("INSERT INTO vectors VALUES (77, 1.0, x'0102030405060708')", "1 vectors belong to no record"),
        ("UPDATE vectors SET data = x'01'", "1 vectors do not have the 8 numbers"),
        ("DELETE FROM vectors", "the times of records 0 to 1023 disagree"),
    ] {
        let (folder, mut store) = scratch();
        store.set_encoder(Some(&encoder())).unwrap();
        let clip = record(Level::Clip, "A1_JAKE", 0, 30, "takes a cup");
        store.write(&[Change::Put { record: clip, vector: Some(vec![1.0; ENCODER]) }]).unwrap();
        drop(store);
        let path = folder.path().join("memory");
        rusqlite::Connection::open(path.join("memory.db")).unwrap().execute_batch(damage).unwrap();
        let mut store = SqliteStore::open(&path).unwrap();
        let found = store.check(true).unwrap();
        assert!(found.iter().any(|fault| fault.contains(expect)), "{damage}: {found:?}");
        assert_eq!(store.check(false).unwrap(), Vec::<String>::new(), "{damage}");
        assert_eq!(
            store.text_candidates(&["cup".into()], &Scope::default(), 5).unwrap().len(),
            1,
            "{damage}"
        );
    }
}

#[test]
fn folders_that_are_no_memory_are_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let refusal = |result: crate::Result<SqliteStore>| match result {
        Ok(_) => panic!("opened"),
        Err(error) => {
            let text = error.to_string();
            assert!(!text.contains('\n') && text.contains("emory"), "{text}");
            text
        }
    };
    assert!(refusal(SqliteStore::open(&path.join("nowhere"))).contains("there is no such folder"));
    assert!(refusal(SqliteStore::open(path)).contains("there is no memory.json in it"));
    fs_err::write(path.join("memory.json"), "{}").unwrap();
    assert!(refusal(SqliteStore::open(path)).contains("memory.json cannot be read"));
    assert!(refusal(SqliteStore::create(path)).contains("it is there already"));
    fs_err::write(path.join("memory.json"), r#"{"firsthand_memory":9,"store":"sqlite"}"#).unwrap();
    assert!(refusal(SqliteStore::open(path)).contains("it has format 9"));
    fs_err::write(path.join("memory.json"), r#"{"firsthand_memory":1,"store":"sqlite"}"#).unwrap();
    assert!(refusal(SqliteStore::open(path)).contains("memory.db is missing"));
    fs_err::write(path.join("memory.db"), "not a database, but long enough to be looked at".repeat(40))
        .unwrap();
    assert!(refusal(SqliteStore::open(path)).contains("not a database"));
    let whole = path.join("whole");
    drop(SqliteStore::create(&whole).unwrap());
    let bytes = fs_err::read(whole.join("memory.db")).unwrap();
    fs_err::write(whole.join("memory.db"), &bytes[..8192]).unwrap();
    assert!(refusal(SqliteStore::open(&whole)).contains("memory check"));
}
