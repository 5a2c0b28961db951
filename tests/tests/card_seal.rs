//! Keys of cards sealed by a systemd credential: the real agent with the folder that systemd would give it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use cabas_tests::purse_shop::{PurseShop, SHOP};
use std::path::Path;

fn write(folder: &Path, byte: u8) {
    std::fs::create_dir_all(folder).unwrap();
    #[expect(clippy::disallowed_methods, reason = "what systemd does")]
    std::fs::write(folder.join("cabas-agent.seal"), [byte; 32]).unwrap();
}

#[tokio::test]
async fn a_terminal_goes_over_to_a_credential_tells_where_it_is_missing_and_fetches_its_keys_anew_for_another() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = PurseShop::open(dir.path(), Vec::new()).await.unwrap();
    let status = world.shop.get("/api/status").await.unwrap();
    assert_eq!(status["sealed_by"], "key_file");
    world.shop.stop().unwrap();

    // From the key file to a credential, off line: nothing that worked stops working.
    world.hub.kill_9().unwrap();
    let folder = dir.path().join("credentials");
    write(&folder, 7);
    world.shop.environment = vec![("CREDENTIALS_DIRECTORY".to_owned(), folder.display().to_string())];
    world.shop.start().await.unwrap();
    assert_eq!(world.shop.get("/api/status").await.unwrap()["sealed_by"], "credential");
    assert!(world.shop.said(&["status"]).unwrap().out.contains("sealed by: credential"));
    let sale = world.shop.sell_to(700, &world.chip, "one").await.unwrap();
    assert_eq!(sale["state"], "accepted", "{sale}");
    world.shop.stop().unwrap();

    // Without it: said at once, by name, with what to do; and nothing is sold by accident.
    let with = std::mem::take(&mut world.shop.environment);
    for command in [&["run"][..], &["card", "inspect"]] {
        let refused = world.shop.said(command).unwrap();
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(
            refused.err.contains("cabas-agent.seal") && refused.err.contains("LoadCredentialEncrypted="),
            "{refused:?}"
        );
    }
    world.shop.environment = with;

    // Another one, as after a new machine: the keys come from the hub again.
    write(&folder, 8);
    world.hub.start().unwrap();
    world.shop.start().await.unwrap();
    world.shop.wait_until_synced().await.unwrap();
    let sale = world.shop.sell_to(300, &world.chip, "two").await.unwrap();
    assert_eq!((&sale["state"], world.spent().unwrap()), (&"accepted".into(), 1000), "{sale}");
    world.shop.wait_until_synced().await.unwrap();
    assert_eq!(world.hub.owed(SHOP).unwrap(), 1000);
    world.hub.verify().unwrap();
}
