//! The power goes at the N-th write of a sale, for every N: what was shown as accepted is there afterwards, and nothing
//! counts twice. The cut is strace's: it kills the real agent inside the system call.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "test code")]

use cabas_tests::example::Cards;
use cabas_tests::hub::{Hub, http_client};
use cabas_tests::shop::Shop;

/// More writes and syncs than a sale makes.
const CUTS: u32 = 8;

#[tokio::test]
async fn a_sale_cut_at_any_write_is_whole_or_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = Hub::with_example_fund(&dir.path().join("hub")).unwrap();
    hub.credit("2026-11").unwrap();
    let cards = Cards::read().unwrap();
    let shop_dir = dir.path().join("shop");
    let mut shop = Shop::enrolled(&shop_dir, &http_client().unwrap(), &hub, "biocoop-platanes").await.unwrap();
    hub.kill_9().unwrap();
    shop.stop().unwrap();
    let (mut owed, mut fell) = (0, std::collections::BTreeMap::new());
    for (number, (call, cut)) in
        ["pwrite64", "fsync,fdatasync"].into_iter().flat_map(|call| (1..=CUTS).map(move |cut| (call, cut))).enumerate()
    {
        let request = format!("cut-{number}");
        shop.start().await.unwrap();
        shop.wait_for_reader().await.unwrap();
        let id = shop.begin_sale(100, &request).await.unwrap();
        let pid = shop.pid().unwrap();
        let mut tracer = std::process::Command::new("strace")
            .args(["-f", "--quiet=all", "-o", "/dev/null", "-e", &format!("trace={call}")])
            .args(["-e", &format!("inject={call}:signal=KILL:when={cut}"), "-p", &pid.to_string()])
            .spawn()
            .unwrap();
        cabas_tests::program::wait_for("strace to hold the agent", || cabas_tests::sweep::is_held(pid)).unwrap();
        // Either the agent falls, or the sale has fewer writes than that and is accepted.
        let shown = shop.tap_until_over(&id, cards.uid(1)).await.ok().filter(|sale| sale["state"] == "accepted");
        if shop.runs().unwrap() {
            tracer.kill().unwrap();
            shop.kill_9().unwrap();
        } else {
            *fell.entry(call).or_insert(0) += 1;
        }
        tracer.wait().unwrap();

        // The same request tells which of the two it was; a second try makes it one debit in any case.
        shop.start().await.unwrap();
        let id = shop.begin_sale(100, &request).await.unwrap();
        let known = shop.get(&format!("/api/sales/{id}")).await.unwrap();
        if shown.is_some() {
            assert_eq!(known["state"], "accepted", "{call} {cut}: shown as accepted, and lost");
        }
        if known["state"] != "accepted" {
            shop.wait_for_reader().await.unwrap();
            let sale = shop.tap_until_over(&id, cards.uid(1)).await.unwrap();
            assert_eq!(sale["state"], "accepted", "{call} {cut}: {sale}");
        }
        owed += 100;
        shop.stop().unwrap();
        let verified = shop.said(&["journal", "verify"]).unwrap();
        assert_eq!(verified.code, Some(0), "{call} {cut}: {verified:?}");
    }
    assert!(fell.len() == 2, "a sale was cut at its writes and at its syncs: {fell:?}");
    hub.start().unwrap();
    shop.start().await.unwrap();
    shop.wait_until_synced().await.unwrap();
    assert_eq!(hub.owed("biocoop-platanes").unwrap(), owed, "each sale once");
    hub.verify().unwrap();
}
