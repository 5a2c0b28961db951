//! How a file is opened, kept, and told from another's.

use rusqlite::Connection;

use super::world::{NOW, World, init};
use crate::store::db::MIGRATIONS;
use crate::store::{Db, OpenMode, SCHEMA_VERSION, StoreError};

#[test]
fn pragmas_are_what_durability_needs() {
    let world = World::new();
    for (pragma, value) in [("synchronous", 2), ("foreign_keys", 1), ("wal_autocheckpoint", 10_000)] {
        assert_eq!(world.number::<i64>(&format!("PRAGMA {pragma}")), value, "{pragma}");
    }
    assert_eq!(world.number::<String>("PRAGMA journal_mode"), "wal");
}

#[test]
fn a_pragma_that_does_not_take_stops_the_start() {
    // A database in memory has no log.
    let error = Db::of_connection(Connection::open_in_memory().unwrap(), OpenMode::Create).unwrap_err();
    assert!(matches!(error, StoreError::Pragma { name: "journal_mode", .. }), "{error}");
}

#[test]
fn a_file_of_a_newer_program_is_left_alone() {
    let world = World::new();
    let path = world.path();
    world.db.conn.execute_batch(&format!("PRAGMA user_version = {}", SCHEMA_VERSION + 1)).unwrap();
    for mode in [OpenMode::Create, OpenMode::Existing, OpenMode::ReadOnly] {
        let error = Db::open(&path, mode).unwrap_err();
        assert!(
            matches!(error, StoreError::Newer { found, known } if (found, known) == (SCHEMA_VERSION + 1, SCHEMA_VERSION)),
            "{error}"
        );
        assert!(error.to_string().contains("update the program"));
    }
}

#[test]
fn another_programs_file_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    assert!(matches!(Db::open(&path, OpenMode::Create).unwrap_err(), StoreError::Foreign));
    let tables: i64 =
        Connection::open(&path).unwrap().query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
    assert_eq!(tables, 1);
}

#[test]
fn a_missing_file_is_made_only_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    assert!(Db::open(&path, OpenMode::Existing).is_err());
    assert!(Db::open(&path, OpenMode::ReadOnly).is_err());
    assert!(!path.exists());
    drop(Db::open(&path, OpenMode::Create).unwrap());
    drop(Db::open(&path, OpenMode::Existing).unwrap());
}

#[test]
fn only_its_owner_reads_the_file_its_log_and_its_backups() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut world = World::credited();
    let copy = world.folder.path().join("copy.db");
    world.db.backup(&copy, NOW).unwrap();
    for name in ["hub.db", "hub.db-wal", "copy.db"] {
        let mode = std::fs::metadata(world.folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_fund_is_made_once() {
    let mut world = World::new();
    assert!(matches!(world.db.write(|tx| tx.init_fund(&init(), NOW)).unwrap_err(), StoreError::FundExists));
    let folder = tempfile::tempdir().unwrap();
    let mut empty = Db::open(&folder.path().join("hub.db"), OpenMode::Create).unwrap();
    assert!(matches!(empty.read(|tx| tx.fund()).unwrap_err(), StoreError::NoFund));
    let foreign_root = crate::store::InitFund { root: *super::world::signer(9).public(), ..init() };
    assert!(matches!(empty.write(|tx| tx.init_fund(&foreign_root, NOW)).unwrap_err(), StoreError::BadCert(_)));
    let nameless = crate::store::InitFund { name: " ".to_owned(), ..init() };
    assert!(matches!(empty.write(|tx| tx.init_fund(&nameless, NOW)).unwrap_err(), StoreError::Text("name")));
}

#[test]
fn what_was_booked_or_came_in_is_never_changed() {
    let mut world = World::credited();
    let mut terminal = world.terminal("A");
    terminal.start();
    world.sync(&mut terminal);
    for (table, column) in [("rows", "settled"), ("transfers", "cents"), ("serials", "allowed"), ("credits", "cents")] {
        assert!(world.number::<i64>(&format!("SELECT count(*) FROM {table}")) > 0, "{table} is not empty");
        let update = world.db.conn.execute_batch(&format!("UPDATE {table} SET {column} = {column}"));
        assert!(update.unwrap_err().to_string().contains("is never changed"), "{table}");
        let delete = world.db.conn.execute_batch(&format!("DELETE FROM {table}"));
        assert!(delete.unwrap_err().to_string().contains("is never deleted"), "{table}");
    }
}

#[test]
fn the_file_itself_refuses_an_overdrawn_purse() {
    let world = World::credited();
    let overdraw = world.db.conn.execute_batch("UPDATE accounts SET debits = credits + 1 WHERE id >> 56 = 4");
    assert!(overdraw.unwrap_err().to_string().contains("CHECK constraint failed"));
}

#[test]
fn work_that_was_not_committed_is_gone_after_a_crash() {
    let mut world = World::new();
    let path = world.path();
    {
        let mut db = Db::open(&path, OpenMode::Existing).unwrap();
        db.conn.execute_batch("BEGIN IMMEDIATE").unwrap();
        let (conn, wakes) = db.parts();
        let mut tx = super::super::tx::Tx::new(conn, wakes);
        tx.credit_book("2026-11".parse().unwrap(), "Ville de Lyon", NOW).unwrap();
        // The connection is dropped with the transaction open: what a killed process leaves.
    }
    assert_eq!(world.number::<i64>("SELECT count(*) FROM credits"), 0);
    world.audit();
    world.credit("2026-11");
    assert_eq!(world.number::<i64>("SELECT count(*) FROM credits"), 3);
    world.audit();
}

#[test]
fn shops_of_a_file_from_before_the_joining_procedure_are_open() {
    let mut world = World::credited();
    let mut terminal = world.terminal("A");
    terminal.sale(1, 100, 100, 1);
    world.sync(&mut terminal);
    back_to(&world.db.conn, 13);
    world.db = Db::open(&world.path(), OpenMode::Existing).unwrap();
    world.audit();
    let stages = world.db.read(|tx| tx.joinings()).unwrap().into_iter().map(|view| (view.joining.code, view.stage));
    let open = crate::core::joining::Stage::Open;
    assert_eq!(stages.collect::<Vec<_>>(), [("A".to_owned(), open), ("B".to_owned(), open)]);
    world.extend(&terminal, 1, 1_000).unwrap();
    world.terminal("B");
}

/// Takes away every table and every column that came after that form of the file.
fn back_to(conn: &Connection, version: usize) {
    let older = Connection::open_in_memory().unwrap();
    for migration in MIGRATIONS.iter().take(version) {
        older.execute_batch(migration).unwrap();
    }
    let tables = |conn: &Connection| {
        let mut read = conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
        read.query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<std::collections::BTreeSet<String>, _>>()
            .unwrap()
    };
    conn.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    for table in tables(conn).difference(&tables(&older)) {
        conn.execute_batch(&format!("DROP TABLE {table}")).unwrap();
    }
    let columns = |conn: &Connection| {
        let all = "SELECT tables.name || ' DROP COLUMN ' || columns.name FROM sqlite_schema AS tables
            JOIN pragma_table_info(tables.name) AS columns WHERE tables.type = 'table'";
        let mut read = conn.prepare(all).unwrap();
        read.query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<std::collections::BTreeSet<String>, _>>()
            .unwrap()
    };
    for column in columns(conn).difference(&columns(&older)) {
        conn.execute_batch(&format!("ALTER TABLE {column}")).unwrap();
    }
    conn.execute_batch(&format!("PRAGMA foreign_keys = ON; PRAGMA user_version = {version}")).unwrap();
}
