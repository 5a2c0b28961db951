//! Households, cards and imports in a real Chromium: both languages, a desk and a phone, by keyboard.
#![allow(clippy::integer_division, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use std::path::Path;

use cabas_tests::browser::Browser;
use cabas_tests::hub::{Hub, http_client};
use cabas_tests::program::pictures;
use cabas_tests::site::{AXE, ENTER, PASSWORD, TAB, axe, digits};

struct Desk {
    browser: Browser,
    url: String,
    axe: String,
    name: &'static str,
    width: u32,
}

impl Desk {
    async fn open(hub: &Hub, name: &'static str, width: u32, height: u32) -> Self {
        let browser =
            if width < 500 { Browser::open_phone(width, height).await } else { Browser::open(width, height).await };
        Self { browser: browser.unwrap(), url: hub.url(), axe: axe().unwrap(), name, width }
    }

    async fn goto(&self, path: &str) {
        self.browser.goto(&format!("{}{path}", self.url)).await.unwrap();
    }

    /// Takes a picture of the page as it stands, and lets axe-core and a ruler look at it.
    async fn look(&self, name: &str) {
        let file = pictures().unwrap().join(format!("site-{name}-{}.png", self.name));
        self.browser.screenshot(&file).await.unwrap();
        let script = "return [document.documentElement.scrollWidth, window.innerWidth]";
        let seen = self.browser.script(script).await.unwrap();
        assert!(seen[0].as_u64() <= seen[1].as_u64(), "{name}: wider than the window: {seen}");
        assert_eq!(seen[1].as_u64(), Some(u64::from(self.width)), "{name}: {seen}");
        self.browser.script(&self.axe).await.unwrap();
        let found = self.browser.script(AXE).await.unwrap();
        assert_eq!(found, serde_json::json!([]), "{name} on {}", self.name);
    }

    async fn first_login(&self, name: &str, given: &str) -> (String, u64) {
        let browser = &self.browser;
        self.goto("/").await;
        browser.keys("#name", name).await.unwrap();
        browser.keys("#password", &format!("{given}{ENTER}")).await.unwrap();
        browser.wait_for_text("Protéger votre compte").await.unwrap();
        let secret = browser.text("#secret").await.unwrap();
        let (code, step) = digits(&secret, 0).await.unwrap();
        browser.keys("#code", &format!("{code}{ENTER}")).await.unwrap();
        browser.wait_for_text("Vos codes de secours").await.unwrap();
        browser.click("#on").await.unwrap();
        browser.wait_for_text("Changer de mot de passe").await.unwrap();
        browser.keys("#old", given).await.unwrap();
        browser.keys("#new", PASSWORD).await.unwrap();
        browser.keys("#again", &format!("{PASSWORD}{ENTER}")).await.unwrap();
        browser.wait_for_text("Tableau de bord").await.unwrap();
        (secret, step)
    }

    async fn login(&self, name: &str, secret: &str, last: u64) {
        self.goto("/login?lang=fr").await;
        self.browser.keys("#name", name).await.unwrap();
        self.browser.keys("#password", &format!("{PASSWORD}{ENTER}")).await.unwrap();
        self.browser.wait_for_text("6 chiffres").await.unwrap();
        let (code, _) = digits(secret, last).await.unwrap();
        self.browser.keys("#code", &format!("{code}{ENTER}")).await.unwrap();
        self.browser.wait_for_text("Tableau de bord").await.unwrap();
    }
}

const NAME: &str = "Zoé Dupré-Quelconque";

/// What is shown in both languages, on both.
const PAGES: [(&str, &str); 17] = [
    ("households", "/households"),
    ("households-left", "/households?show=left"),
    ("households-new", "/households/new"),
    ("household", "/households/F001"),
    ("household-left", "/households/F002"),
    ("household-erased", "/households/F003"),
    ("household-change", "/households/F001/change"),
    ("household-leave", "/households/F001/leave"),
    ("household-erase", "/households/F002/erase"),
    ("card-new", "/households/F001/cards/new"),
    ("card", "/cards/1"),
    ("card-held", "/cards/904"),
    ("card-replace", "/cards/904/replace"),
    ("cards-lost", "/cards/lost"),
    ("import", "/imports/1"),
    ("import-conflicts", "/imports/3"),
    ("imports-list", "/imports"),
];

/// A fund in which every page of people and cards has something to show; gives the admin's given password.
async fn fund(dir: &Path) -> (Hub, String) {
    let hub = Hub::with_example_fund(dir).unwrap();
    let file = dir.join("members.csv");
    write(&file, &format!("household,member\nF001,{NAME}\nF001,Al Quelconque\nF003,Bo\n"));
    hub.ok(&["import", file.to_str().unwrap()]).unwrap();
    hub.credit("2026-11").unwrap();
    let mut terminal = hub.bare_terminal(&http_client().unwrap(), "biocoop-platanes").await.unwrap();
    terminal.wait_for_balances().await.unwrap();
    let purse = ["card", "add-purse", "--card-number", "904", "--uid", "04AABBCCDDEE04", "--household", "F001"];
    hub.ok(&purse).unwrap();
    hub.ok(&["card", "block", "--card-number", "904"]).unwrap();
    hub.ok(&["household", "leave", "F002"]).unwrap();
    hub.ok(&["household", "leave", "F003"]).unwrap();
    hub.ok(&["household", "erase", "F003", "--by", "Ada"]).unwrap();
    let added = hub.ok(&["user", "add", "--name", "claire", "--role", "admin"]).unwrap();
    let given = added["password"].as_str().unwrap().to_owned();
    (hub, given)
}

fn write(path: &Path, text: &str) {
    std::io::Write::write_all(&mut std::fs::File::create(path).unwrap(), text.as_bytes()).unwrap();
}

#[tokio::test]
async fn people_and_cards_in_both_languages_on_a_phone_and_on_a_desk() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, given) = fund(dir.path()).await;
    let desk = Desk::open(&hub, "desk", 1280, 900).await;
    let (secret, last) = desk.first_login("claire", &given).await;
    let phone = Desk::open(&hub, "phone", 375, 700).await;
    phone.login("claire", &secret, last).await;
    let browser = &desk.browser;

    // A file with bad lines, then a good one, looked at and imported.
    let file = dir.path().join("households.csv");
    let header = "household,size,children_under_14,contribution_cents";
    write(&file, &format!("{header}\nG1,2,2,400\nG 2,x,0,400\nG3,1,0,12\n"));
    desk.goto("/imports?lang=fr").await;
    desk.look("imports-fr").await;
    browser.keys("#file", file.to_str().unwrap()).await.unwrap();
    browser.click("main form.stack button").await.unwrap();
    browser.wait_for_text("Lignes à corriger").await.unwrap();
    assert_eq!(browser.script("return document.activeElement.id").await.unwrap(), "faults");
    desk.look("imports-bad-fr").await;
    write(&file, &format!("{header}\nG1,2,1,400\nF001,4,1,400\nF004,1,0,100\n"));
    for desk in [&phone, &desk] {
        desk.goto("/imports?lang=fr").await;
        desk.browser.keys("#file", file.to_str().unwrap()).await.unwrap();
        desk.browser.click("main form.stack button").await.unwrap();
        desk.browser.wait_for_text("Ce que ce fichier ferait").await.unwrap();
    }
    let conflicts = dir.path().join("cards.csv");
    write(&conflicts, "card_number,uid_hex,household\n801,04aabbccddee11,NONE\n1,04aabbccddee13,F001\n");
    phone.goto("/imports?lang=fr").await;
    phone.browser.keys("#file", conflicts.to_str().unwrap()).await.unwrap();
    phone.browser.click("main form.stack button").await.unwrap();
    phone.browser.wait_for_text("Le foyer NONE").await.unwrap();

    for desk in [&desk, &phone] {
        for lang in ["fr", "en"] {
            for (name, path) in PAGES {
                let query = if path.contains('?') { '&' } else { '?' };
                desk.goto(&format!("{path}{query}lang={lang}")).await;
                desk.look(&format!("people-{name}-{lang}")).await;
                if name == "household" || name == "card-held" {
                    desk.browser.script("scrollTo(0, document.body.scrollHeight / 2)").await.unwrap();
                    desk.look(&format!("people-{name}-middle-{lang}")).await;
                    desk.browser.script("scrollTo(0, document.body.scrollHeight)").await.unwrap();
                    desk.look(&format!("people-{name}-end-{lang}")).await;
                }
            }
        }
    }
    desk.goto("/imports/2?lang=fr").await;
    browser.click("main form[action$='/confirm'] button").await.unwrap();
    browser.wait_for_text("terminé").await.unwrap();
    desk.look("people-import-done-fr").await;
    // The other upload of the same file now says something else.
    phone.goto("/imports/1?lang=fr").await;
    phone.browser.wait_for_text("ne change rien").await.unwrap();
    phone.look("people-import-nothing-fr").await;
    phone.goto("/households/new?lang=fr").await;
    phone.browser.keys("#household", &format!("F 1{ENTER}")).await.unwrap();
    phone.browser.wait_for_text("À corriger").await.unwrap();
    phone.look("people-household-wrong-fr").await;
    hub.verify().unwrap();
    assert!(!hub.log().contains("Quelconque"), "{}", hub.log());
    desk.browser.close().await.unwrap();
    phone.browser.close().await.unwrap();
}

#[tokio::test]
async fn a_lost_card_is_blocked_by_keyboard_alone_from_the_front_page() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, given) = fund(dir.path()).await;
    let desk = Desk::open(&hub, "keys", 1280, 900).await;
    desk.first_login("claire", &given).await;
    let browser = &desk.browser;
    let press = async |keys: &str| browser.keys(":focus", keys).await.unwrap();
    // By the skip link to the page, where the link is the first thing.
    browser.keys("body", TAB).await.unwrap();
    press(ENTER).await;
    press(TAB).await;
    assert_eq!(browser.script("return document.activeElement.id").await.unwrap(), "lost");
    press(ENTER).await;
    browser.wait_for_text("Trouver un foyer ou une carte").await.unwrap();
    assert_eq!(browser.script("return document.activeElement.id").await.unwrap(), "search", "one types at once");
    press(&format!("quelconque{ENTER}")).await;
    browser.wait_for_text(NAME).await.unwrap();
    desk.look("people-lost-found-fr").await;
    let address = browser.script("return location.href").await.unwrap();
    assert!(!address.as_str().unwrap().contains("quelconque"), "{address}");
    browser.keys("form[action='/cards/1/block'] button", ENTER).await.unwrap();
    browser.wait_for_text("Qui l’a trouvée peut encore dépenser").await.unwrap();
    desk.look("people-card-blocked-fr").await;
    let shown = hub.ok(&["household", "show", "F001"]).unwrap();
    let blocked = shown["history"].as_array().unwrap().iter().any(|event| event["card_number"] == 1);
    assert!(blocked, "{shown}");
    hub.verify().unwrap();
    desk.browser.close().await.unwrap();
}
