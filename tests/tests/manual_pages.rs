//! The pages of `deploy/manual`, tried as they are written: their shell blocks are run, one after the other, on a real hub and
//! real terminals. What is put in for what a page can only make up: folders, addresses, codes and keys that a command before printed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use std::path::{Path, PathBuf};
use std::process::Command;

use cabas_tests::example::Cards;
use cabas_tests::hub::{Hub, http_client};
use cabas_tests::program::{Said, binary, run};
use cabas_tests::shop::Shop;
use serde_json::Value;

const SHOP: &str = "biocoop-platanes";
/// The UID of the page on lost cards.
const NEW_UID: [u8; 7] = [0x04, 0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0xf6];

fn project(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)
}

/// A page, and how far it was followed.
struct Page {
    name: &'static str,
    /// The words behind ```` ```sh ````, and the commands.
    blocks: std::vec::IntoIter<(String, String)>,
    /// What stands in the page, and what is put in its place.
    made_up: Vec<(String, String)>,
    path: String,
}

impl Page {
    fn open(name: &'static str, folder: &Path) -> Self {
        let text = std::fs::read_to_string(project(&format!("deploy/manual/{name}.md"))).unwrap();
        let (mut blocks, mut open) = (Vec::new(), None);
        for line in text.lines() {
            match (&mut open, line.strip_prefix("```")) {
                (None, Some(kind)) => open = Some((kind.to_owned(), String::new())),
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (Some((_, commands)), None) => commands.extend([line, "\n"]),
                (None, None) => {}
            }
        }
        let mut blocks: Vec<(String, String)> = blocks;
        blocks.retain(|(kind, _)| kind.starts_with("sh"));
        blocks.iter_mut().for_each(|(kind, _)| *kind = kind.trim_start_matches("sh").trim().to_owned());
        assert!(!blocks.is_empty(), "{name} has no commands");
        let programs = binary("cabas-hub").unwrap().parent().unwrap().display().to_string();
        let path = format!("{programs}:{}", std::env::var("PATH").unwrap());
        std::fs::create_dir_all(folder).unwrap();
        let made_up = vec![("/srv/fund".to_owned(), folder.display().to_string())];
        Self { name, blocks: blocks.into_iter(), made_up, path }
    }

    fn put(&mut self, made_up: &str, real: impl Into<String>) {
        self.made_up.push((made_up.to_owned(), real.into()));
    }

    /// Runs the next block with the environment of a program of the hub or of a shop; it must be of that kind, and succeed.
    fn follow(&mut self, kind: &str, program: &Command) -> Said {
        let (found, commands) = self.blocks.next().unwrap_or_else(|| panic!("{} has no further block", self.name));
        assert_eq!(found, kind, "{}: {commands}", self.name);
        let mut commands = commands;
        for (made_up, real) in &self.made_up {
            commands = commands.replace(made_up, real);
        }
        let mut shell = Command::new("bash");
        shell.args(["-euo", "pipefail", "-c", &commands]).env("PATH", &self.path);
        shell.envs(program.get_envs().filter_map(|(key, value)| Some((key, value?))));
        let said = run(&mut shell).unwrap();
        assert_eq!(said.code, Some(0), "{}: {commands}\n{}\n{}", self.name, said.out, said.err);
        said
    }

    /// Leaves out the next block, which is for another case.
    fn pass(&mut self, kind: &str) {
        assert_eq!(self.blocks.next().unwrap().0, kind, "{}", self.name);
    }

    fn end(mut self) {
        assert!(self.blocks.next().is_none(), "{} goes on", self.name);
    }
}

/// A fund that was credited, and a shop of it that sells.
struct World {
    hub: Hub,
    shop: Shop,
    cards: Cards,
    http: reqwest::Client,
    dir: tempfile::TempDir,
}

impl World {
    async fn with(environment: Vec<(String, String)>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut hub = Hub::with_example_fund(&dir.path().join("hub")).unwrap();
        hub.environment.push(("CABAS_HUB_SIREN".to_owned(), "732829320".to_owned()));
        hub.credit("2026-11").unwrap();
        let http = http_client().unwrap();
        let shop = Shop::enrolled_with(&dir.path().join("shop"), &http, &hub, SHOP, environment).await.unwrap();
        shop.wait_for_reader().await.unwrap();
        Self { hub, shop, cards: Cards::read().unwrap(), http, dir }
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("fund")
    }

    fn at_hub(&self) -> Command {
        self.hub.command(&[]).unwrap()
    }

    /// Waits until the terminal has the list of blocked cards of that version.
    async fn list(&self, version: u64) {
        let has = |status: &Value| (status["hot_list"]["version"].as_u64()? >= version).then_some(());
        self.shop.wait("the list of blocked cards", has).await.unwrap();
    }

    async fn sell(&self, cents: u64, uid: &[u8], request: &str) -> Value {
        let sale = self.shop.sell(cents, uid, request).await.unwrap();
        self.shop.wait_until_synced().await.unwrap();
        sale
    }

    /// Sells as soon as the terminal knows the card.
    async fn sells_soon(&self, cents: u64, uid: &[u8]) -> bool {
        for number in 0..TRIES {
            if self.sell(cents, uid, &format!("try-{number}")).await["state"] == "accepted" {
                return true;
            }
        }
        false
    }
}

/// Purchases that are tried until a terminal has heard of a card.
const TRIES: u32 = 20;

/// The bank's statement of a payment file, made by the Python of the hub's own tests.
fn statement(file: &Path, out: &Path) {
    let python = project("target/venv/bin/python");
    assert!(python.exists(), "run deploy/test once: it installs the Python tools into target/venv");
    let mut command = Command::new(python);
    command.arg(project("hub/tests/bank/check.py")).args(["statement", "parts"]).args([file, out]);
    assert!(command.status().unwrap().success());
}

#[tokio::test]
async fn the_month_ends_as_its_page_says() {
    let world = World::with(Vec::new()).await;
    let (hub, folder) = (&world.hub, world.folder());
    hub.ok(&["source", "set", "--name", "ville", "--year", "2026", "--budget-cents", "37000000", "--by", "ADA"])
        .unwrap();
    let account = ["bank", "account", "--iban", "FR7630006000011234567890189", "--name", "Caisse", "--by", "ADA"];
    hub.ok(&account).unwrap();
    let account =
        ["shop", "account", SHOP, "--iban", "FR1420041010050500013M02606", "--name", "Platanes", "--by", "ADA"];
    hub.ok(&account).unwrap();
    assert_eq!(world.sell(1_234, world.cards.uid(1), "bread").await["state"], "accepted");

    let mut page = Page::open("months-end", &folder);
    let verified = page.follow("", &world.at_hub());
    assert!(verified.out.contains("All right"), "{}", verified.out);
    let previewed = page.follow("", &world.at_hub());
    assert!(previewed.out.contains("12.34"), "{}", previewed.out);
    page.follow("", &world.at_hub());
    statement(&folder.join("settlement-1.xml"), &folder.join("statement.xml"));
    let matched = page.follow("", &world.at_hub());
    assert!(matched.out.contains("paid"), "{}", matched.out);
    let before = hub.ok(&["status"]).unwrap()["totals"]["credited_cents"].as_u64().unwrap();
    page.follow("", &world.at_hub());
    assert!(hub.ok(&["status"]).unwrap()["totals"]["credited_cents"].as_u64().unwrap() > before);
    page.follow("", &world.at_hub());
    page.end();
    assert_eq!(hub.owed(SHOP).unwrap(), 0);
    assert!(folder.join("2026-11.db").exists());
}

#[tokio::test]
async fn a_lost_card_is_blocked_and_another_pays_as_its_page_says() {
    let world = World::with(Vec::new()).await;
    let lost = world.cards.uid(1);
    let mut page = Page::open("lost-card", &world.folder());
    let shown = page.follow("", &world.at_hub());
    assert!(shown.out.contains("card 1\n"), "{}", shown.out);
    world.list(2).await;
    assert_eq!(world.sell(500, lost, "lost").await["state"], "declined");
    page.follow("", &world.at_hub());
    page.follow("", &world.at_hub());
    assert!(world.sells_soon(500, &NEW_UID).await, "a terminal hears of a new card within seconds");
    assert_eq!(world.sell(500, lost, "still lost").await["state"], "declined");
    page.pass("found");
    page.end();
    world.hub.verify().unwrap();
}

#[tokio::test]
async fn a_card_that_is_found_again_pays_as_its_page_says() {
    let world = World::with(Vec::new()).await;
    let card = world.cards.uid(1);
    let mut page = Page::open("lost-card", &world.folder());
    page.follow("", &world.at_hub());
    world.list(2).await;
    assert_eq!(world.sell(500, card, "lost").await["state"], "declined");
    page.pass("");
    page.pass("");
    page.follow("found", &world.at_hub());
    page.end();
    world.list(3).await;
    assert_eq!(world.sell(500, card, "found").await["state"], "accepted");
}

#[tokio::test]
async fn a_broken_terminal_is_replaced_and_what_it_sold_is_paid_as_its_page_says() {
    let stick = tempfile::tempdir().unwrap();
    let setting = ("CABAS_AGENT_SECOND_JOURNAL".to_owned(), stick.path().display().to_string());
    let mut world = World::with(vec![setting]).await;
    let card = world.cards.uid(1).to_vec();
    assert_eq!(world.sell(1_000, &card, "told").await["state"], "accepted");
    // The network goes, the shop sells, the machine breaks.
    world.hub.stop().unwrap();
    assert_eq!(world.shop.sell(700, &card, "not told").await.unwrap()["state"], "accepted");
    world.shop.stop().unwrap();
    world.hub.start().unwrap();

    let mut page = Page::open("broken-terminal", &world.folder());
    // It was not stolen, and what is for that case is run elsewhere.
    page.pass("stolen");
    let added = page.follow("", &world.at_hub());
    let code = added.out.split("code ").nth(1).unwrap().split_whitespace().next().unwrap();
    page.put("ABCD-EFGH-JKMN", code);
    page.put("https://hub.example", world.hub.url());
    let mut new = Shop::new(&world.dir.path().join("new"), &world.http).unwrap();
    page.follow("shop", &new.command(&[]).unwrap());
    new.start().await.unwrap();
    new.wait_until_synced().await.unwrap();
    new.wait_for_reader().await.unwrap();
    assert_eq!(new.sell(300, &card, "goes on").await.unwrap()["state"], "accepted");
    new.wait_until_synced().await.unwrap();
    assert_eq!(world.hub.owed(SHOP).unwrap(), 1_300);

    let copies: Vec<PathBuf> = std::fs::read_dir(stick.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let copy = copies.iter().find(|path| path.extension().is_some_and(|end| end == "rows")).unwrap();
    std::fs::copy(copy, world.folder().join("cabas-1-1-1.rows")).unwrap();
    page.follow("stick", &world.at_hub());
    assert_eq!(world.hub.owed(SHOP).unwrap(), 2_000, "what only the stick had is paid");
    let closed = page.follow("", &world.at_hub());
    assert!(closed.out.contains("ADA") && closed.out.contains("BO"), "{}", closed.out);
    page.end();
    assert_eq!(new.sell(200, &card, "and on").await.unwrap()["state"], "accepted");
    world.hub.verify().unwrap();
}

#[tokio::test]
async fn a_stolen_terminal_sells_no_more_and_its_shop_goes_on_as_the_page_says() {
    let world = World::with(Vec::new()).await;
    let card = world.cards.uid(1);
    let mut page = Page::open("broken-terminal", &world.folder());
    page.follow("stolen", &world.at_hub());
    let revoked = |status: &Value| (status["standing"] == "revoked").then_some(());
    world.shop.wait("the revocation", revoked).await.unwrap();
    assert_eq!(world.shop.sell(300, card, "stolen").await.unwrap()["state"], "declined");
    let added = page.follow("", &world.at_hub());
    let code = added.out.split("code ").nth(1).unwrap().split_whitespace().next().unwrap();
    page.put("ABCD-EFGH-JKMN", code);
    page.put("https://hub.example", world.hub.url());
    let mut new = Shop::new(&world.dir.path().join("new"), &world.http).unwrap();
    page.follow("shop", &new.command(&[]).unwrap());
    new.start().await.unwrap();
    new.wait_until_synced().await.unwrap();
    new.wait_for_reader().await.unwrap();
    assert_eq!(new.sell(300, card, "goes on").await.unwrap()["state"], "accepted");
}

#[tokio::test]
async fn a_signing_key_is_renewed_and_taken_back_as_its_page_says() {
    let world = World::with(Vec::new()).await;
    let first = world.hub.ok(&["key", "list"]).unwrap()["keys"][0]["kid"].as_str().unwrap().to_owned();
    let mut page = Page::open("keys", &world.folder());
    page.put("4836896253036c69", first.clone());
    let listed = page.follow("", &world.at_hub());
    assert!(listed.out.contains(&first), "{}", listed.out);
    world.shop.wait_until_synced().await.unwrap();
    assert_eq!(world.sell(400, world.cards.uid(1), "new key").await["state"], "accepted");
    page.follow("", &world.at_hub());
    page.end();
    let listed = world.hub.ok(&["key", "list"]).unwrap();
    let back = listed["keys"].as_array().unwrap().iter().filter(|key| key["revoked"] == true);
    assert_eq!(back.map(|key| key["kid"].as_str().unwrap()).collect::<Vec<_>>(), [first], "{listed}");
    world.shop.wait_until_synced().await.unwrap();
    assert_eq!(world.sell(400, world.cards.uid(1), "newest key").await["state"], "accepted");
    world.hub.verify().unwrap();
}

/// The terminal hears within seconds that sales are paused.
async fn until_paused(shop: &Shop) {
    for round in 0..100 {
        let id = format!("refused-{round}");
        let sale = serde_json::json!({ "lines": [{ "category": "0", "cents": 100 }], "request_id": id });
        let (status, answer) = shop.post("/api/sales", &sale).await.unwrap();
        if status == 409 {
            assert_eq!(answer["error"]["code"], "error_paused", "{answer}");
            return;
        }
        shop.delete(&format!("/api/sales/{id}")).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    panic!("the terminal sells on");
}

#[tokio::test]
async fn who_leaves_takes_everything_along_as_its_page_says() {
    let world = World::with(Vec::new()).await;
    assert_eq!(world.sell(1_234, world.cards.uid(1), "bread").await["state"], "accepted");
    let folder = world.folder();
    let mut page = Page::open("leaving", &folder);
    page.put("/var/lib/cabas-hub/keys", world.hub.data_dir().join("keys").display().to_string());
    page.follow("", &world.at_hub());
    until_paused(&world.shop).await;
    page.follow("", &world.at_hub());
    page.follow("", &world.at_hub());
    page.follow("", &world.at_hub());
    page.follow("", &world.at_hub());
    page.follow("shop", &world.shop.command(&[]).unwrap());
    page.end();
    let purchases = std::fs::read_to_string(folder.join("leaving/purchases.csv")).unwrap();
    assert!(
        purchases.lines().any(|line| line.contains(",sale,") && line.contains(",1234,1234,1234,0,")),
        "{purchases}"
    );
    for (file, part) in [("732829320FEC20261231.txt", "12,34"), ("journal.csv", "1234"), ("journal.json", "1234")] {
        // The accountant's file is in the character set that the tax office wants.
        let bytes = std::fs::read(folder.join(file)).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.contains(part), "{file}: {text}");
    }
    assert!(folder.join("keys/root.key").exists() && folder.join("leaving/members.csv").exists());
}
