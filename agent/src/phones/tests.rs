#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a failed unwrap is the test's failure")]
use super::*;
use cabas_protocol::Timestamp;
use cabas_protocol::ids::BootId;

struct World {
    phones: Arc<Phones>,
    now: Arc<Mutex<Moment>>,
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let moment = Moment { boot: BootId::new([1; 8]), monotonic_ms: 0, wall: Timestamp::new(1_800_000_000) };
        let (now, folder) = (Arc::new(Mutex::new(moment)), tempfile::tempdir().unwrap());
        Self { phones: open(folder.path(), &now), now, folder }
    }

    fn pass(&self, seconds: u64) {
        let mut now = self.now.lock().unwrap();
        now.monotonic_ms += seconds * 1000;
        now.wall = now.wall.after_s(seconds);
    }

    fn wrong(code: &str) -> &'static str {
        if code == "000000" { "000001" } else { "000000" }
    }
}

fn open(folder: &Path, now: &Arc<Mutex<Moment>>) -> Arc<Phones> {
    let address = "192.168.4.1:7411".parse().unwrap();
    Arc::new(Phones::open(folder, address, None, Clock::Set(Arc::clone(now))).unwrap())
}

#[tokio::test]
async fn a_code_lets_in_one_telephone_and_a_restart_keeps_it() {
    let world = World::new();
    let (code, number) = world.phones.offer().unwrap();
    assert!(world.phones.offered(number).unwrap().ends_with(&format!("/pair#{}", *code)));
    let token = world.phones.pair(&code, " Léa ").await.unwrap();
    assert_eq!(world.phones.pair(&code, "").await.err(), Some(PairError::Code), "used");
    assert!(world.phones.offered(number).is_none());
    let again = open(world.folder.path(), &world.now);
    let id = again.admit(&token).unwrap();
    assert_eq!((again.list()[0].id, again.list()[0].name.as_str()), (id, "Léa"));
    again.remove(id).await.unwrap();
    again.gone(id).await;
    assert_eq!((again.admit(&token), again.remove(id).await), (None, Err(PairError::Unknown)));
    assert_eq!(open(world.folder.path(), &world.now).admit(&token), None);
}

#[tokio::test]
async fn a_code_ends_after_five_minutes_with_the_next_one_and_with_the_fifth_guess() {
    let world = World::new();
    assert_eq!(world.phones.pair("000000", "").await.err(), Some(PairError::Code), "none is shown");
    let (code, _) = world.phones.offer().unwrap();
    world.pass(CODE_VALID_S);
    assert_eq!(world.phones.pair(&code, "").await.err(), Some(PairError::Code));
    let (first, _) = world.phones.offer().unwrap();
    let (second, _) = world.phones.offer().unwrap();
    if first != second {
        assert_eq!(world.phones.pair(&first, "").await.err(), Some(PairError::Code));
    }
    let (code, _) = world.phones.offer().unwrap();
    for _ in 1..TRIES_MAX {
        assert_eq!(world.phones.pair(World::wrong(&code), "").await.err(), Some(PairError::Code));
    }
    assert_eq!(world.phones.pair(World::wrong(&code), "").await.err(), Some(PairError::Spent));
    assert_eq!(world.phones.pair(&code, "").await.err(), Some(PairError::Code), "right, and too late");
    let (code, _) = world.phones.offer().unwrap();
    assert_eq!(world.phones.pair(&code, "a\nb").await.err(), Some(PairError::Name));
    assert!(world.phones.pair(&code, "").await.is_ok(), "a name that does not fit uses up nothing");
}

#[tokio::test]
async fn what_cannot_be_written_down_lets_nobody_in() {
    let world = World::new();
    let (code, _) = world.phones.offer().unwrap();
    // A folder of this name cannot be replaced by a file.
    std::fs::create_dir_all(world.folder.path().join(roll::FILE).join("in the way")).unwrap();
    assert_eq!(world.phones.pair(&code, "").await.err(), Some(PairError::NotWritten));
    assert!(world.phones.list().is_empty());
}

#[tokio::test]
async fn codes_and_tokens_are_never_shown_and_never_alike() {
    let world = World::new();
    let (code, _) = world.phones.offer().unwrap();
    assert!(code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()));
    assert!(!format!("{:?}", world.phones).contains(code.as_str()));
    assert_eq!(new_token().unwrap().len(), roll::TOKEN_LETTERS);
    assert_ne!(new_token().unwrap(), new_token().unwrap());
}
