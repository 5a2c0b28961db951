//! The pages of shops, grids and terminals in a real Chromium: both languages, a desk and a phone, by keyboard.
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

fn write(file: &Path, bytes: &[u8]) -> String {
    std::io::Write::write_all(&mut std::fs::File::create(file).unwrap(), bytes).unwrap();
    file.display().to_string()
}

/// A fund with shops on their way, an open one with a quarantined terminal, and grids.
async fn fund(dir: &Path) -> Hub {
    let hub = Hub::with_example_fund(dir).unwrap();
    hub.credit("2026-11").unwrap();
    let mut terminal = hub.bare_terminal(&http_client().unwrap(), "biocoop-platanes").await.unwrap();
    terminal.wait_for_balances().await.unwrap();
    let mut copy = terminal.cloned().unwrap();
    terminal.apply_list(cabas_protocol::Version::new(1)).unwrap();
    terminal.sync().await.unwrap();
    copy.apply_list(cabas_protocol::Version::new(2)).unwrap();
    // What it is answered does not matter: its journal has two futures.
    drop(copy.sync().await);
    hub.add_terminal("biocoop-bachut").unwrap();
    let pdf = write(&dir.join("convention signée.pdf"), b"%PDF-1.7\nconvention");
    let told = ["--by", "Ada"];
    let joining = |arguments: &[&str]| drop(hub.ok(&[&["joining"], arguments, &told[..]].concat()).unwrap());
    let producer = ["--kind", "market-gardener", "--grid", "producer"];
    joining(&[&["propose", "oeillets", "--name", "Ferme des Œillets"], &producer[..]].concat());
    joining(&["pair", "oeillets", "--member", "Bo", "--member", "Cy"]);
    joining(&["visit", "oeillets", "--words", "Distance : 12 km\nSaisons : toute l’année", "--document", &pdf]);
    joining(&["present", "oeillets"]);
    joining(&["propose", "jardin", "--name", "Jardin du Rhône", "--kind", "amap", "--grid", "producer"]);
    joining(&["pair", "jardin", "--member", "Bo", "--member", "Cy"]);
    hub.ok(&["shop", "floor", "biocoop-platanes", "--cents", "2000", "--days", "tue,sat"]).unwrap();
    let grid = ["--category", "1:100:Fruits et légumes:Fruit and vegetables", "--category", "2:70:Épicerie:Groceries"];
    hub.ok(&[&["grid", "set", "--from", "2030-01-01"], &grid[..]].concat()).unwrap();
    hub.ok(&[&["grid", "set", "--from", "2026-01-01", "--shop", "biocoop-platanes"], &grid[..]].concat()).unwrap();
    hub
}

#[tokio::test]
async fn shops_grids_and_terminals_in_both_languages_on_a_phone_and_on_a_desk() {
    let dir = tempfile::tempdir().unwrap();
    let hub = fund(dir.path()).await;
    let given = hub.ok(&["user", "add", "--name", "claire", "--role", "admin"]).unwrap();
    let desk = Desk::open(&hub, "desk", 1280, 1900).await;
    let (secret, last) = desk.first_login("claire", given["password"].as_str().unwrap()).await;
    let phone = Desk::open(&hub, "phone", 375, 1900).await;
    phone.login("claire", &secret, last).await;
    for desk in [&desk, &phone] {
        for lang in ["fr", "en"] {
            for (name, path) in [
                ("shops", "/shops"),
                ("shop-presented", "/shops/oeillets"),
                ("shop-open", "/shops/biocoop-platanes"),
                ("shop-pair", "/shops/jardin/steps/pair"),
                ("shop-visit", "/shops/jardin/steps/visit"),
                ("shop-object", "/shops/oeillets/steps/object"),
                ("shop-close", "/shops/biocoop-platanes/steps/close"),
                ("shop-not-now", "/shops/biocoop-platanes/steps/sign"),
                ("shop-floor", "/shops/biocoop-platanes/floor"),
                ("shop-slot", "/shops/biocoop-platanes/slot"),
                ("grids", "/grids"),
                ("grid-new", "/grids/new?shop=biocoop-platanes"),
                ("places-terminals", "/terminals"),
                ("terminal", "/terminals/1"),
                ("terminal-new", "/terminals/2"),
                ("terminal-revoke", "/terminals/1/revoke"),
            ] {
                let lang_in = if path.contains('?') { '&' } else { '?' };
                desk.goto(&format!("{path}{lang_in}lang={lang}")).await;
                desk.look(&format!("{name}-{lang}")).await;
            }
        }
    }
    desk.goto("/terminals/1?lang=fr").await;
    assert!(desk.browser.text("main").await.unwrap().contains("deux suites"), "the copy was not noticed");
    phone.goto("/terminals/2?lang=fr").await;
    phone.browser.click("main form button").await.unwrap();
    phone.browser.wait_for_text("Code d’inscription").await.unwrap();
    phone.look("terminal-code-fr").await;
    hub.verify().unwrap();
    assert!(!hub.log().contains("Ada") && !hub.log().contains("Bo, Cy"), "{}", hub.log());
    desk.browser.close().await.unwrap();
    phone.browser.close().await.unwrap();
}

#[tokio::test]
async fn a_visit_with_its_document_is_noted_by_keyboard_alone() {
    let dir = tempfile::tempdir().unwrap();
    let hub = fund(dir.path()).await;
    let given = hub.ok(&["user", "add", "--name", "claire", "--role", "admin"]).unwrap();
    let desk = Desk::open(&hub, "keys", 1280, 900).await;
    desk.first_login("claire", given["password"].as_str().unwrap()).await;
    let browser = &desk.browser;
    let here =
        async || browser.script("const a = document.activeElement; return a.id || a.textContent.trim()").await.unwrap();
    let press = async |keys: &str| browser.keys(":focus", keys).await.unwrap();
    desk.goto("/shops/jardin?lang=fr").await;
    browser.keys("body", TAB).await.unwrap();
    press(ENTER).await;
    assert_eq!(here().await, "main");
    for _ in 0..10 {
        press(TAB).await;
        if here().await.as_str().is_some_and(|here| here.starts_with("Visit")) {
            break;
        }
    }
    press(ENTER).await;
    browser.wait_for_text("Questionnaire de la visite").await.unwrap();
    // Nothing is said yet: the summary is where the keyboard is, and leads to the field.
    browser.keys("#day", ENTER).await.unwrap();
    browser.wait_for_text("À corriger").await.unwrap();
    assert_eq!(here().await, "faults");
    press(TAB).await;
    press(ENTER).await;
    assert_eq!(here().await, "words");
    desk.look("shop-visit-wrong-fr").await;
    press("Trois serres, deux chevaux").await;
    let pdf = write(&dir.path().join("questionnaire.pdf"), b"%PDF-1.7\nvisite");
    browser.keys("#file", &pdf).await.unwrap();
    browser.keys("#answer-distance", "8 km").await.unwrap();
    browser.keys("#day", ENTER).await.unwrap();
    browser.wait_for_text("Trois serres").await.unwrap();
    let page = browser.text("main").await.unwrap();
    assert!(page.contains("Distance et livraison : 8 km") && page.contains("questionnaire.pdf"), "{page}");
    desk.look("shop-visited-fr").await;
    hub.verify().unwrap();
    desk.browser.close().await.unwrap();
}
