//! The hub's web site in a real Chromium: two factors, every page in both languages on a phone and on a desk, by keyboard.
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
    async fn open(hub: &Hub, axe: &str, name: &'static str, width: u32, height: u32) -> Self {
        let is_phone = width < 500;
        let browser =
            if is_phone { Browser::open_phone(width, height).await } else { Browser::open(width, height).await };
        let browser = browser.unwrap();
        Self { browser, url: hub.url(), axe: axe.to_owned(), name, width }
    }

    async fn goto(&self, path: &str) {
        self.browser.goto(&format!("{}{path}", self.url)).await.unwrap();
    }

    /// Takes a picture of the page as it stands, and lets axe-core and a ruler look at it.
    async fn look(&self, name: &str) {
        let file = pictures().unwrap().join(format!("site-{name}-{}.png", self.name));
        self.browser.screenshot(&file).await.unwrap();
        let script = "return [document.documentElement.scrollWidth, window.innerWidth, document.documentElement.lang]";
        let seen = self.browser.script(script).await.unwrap();
        assert!(seen[0].as_u64() <= seen[1].as_u64(), "{name}: wider than the window: {seen}");
        assert_eq!(seen[1].as_u64(), Some(u64::from(self.width)), "{name}: {seen}");
        self.browser.script(&self.axe).await.unwrap();
        let found = self.browser.script(AXE).await.unwrap();
        assert_eq!(found, serde_json::json!([]), "{name} on {}", self.name);
    }

    async fn login(&self, name: &str, secret: &str, last: &mut u64) {
        self.goto("/login?lang=fr").await;
        self.browser.keys("#name", name).await.unwrap();
        self.browser.keys("#password", &format!("{PASSWORD}{ENTER}")).await.unwrap();
        self.browser.wait_for_text("6 chiffres").await.unwrap();
        let (code, step) = digits(secret, *last).await.unwrap();
        *last = step;
        self.browser.keys("#code", &format!("{code}{ENTER}")).await.unwrap();
        self.browser.wait_for_text("Tableau de bord").await.unwrap();
    }
}

/// Shows a given password for the first time, sets up the second factor, chooses a password; gives the secret.
async fn first_login(desk: &Desk, name: &str, given: &str) -> (String, u64) {
    let browser = &desk.browser;
    desk.goto("/").await;
    desk.look("login-fr").await;
    browser.keys("#name", name).await.unwrap();
    browser.keys("#password", &format!("wrong{ENTER}")).await.unwrap();
    browser.wait_for_text("incorrect").await.unwrap();
    assert_eq!(browser.script("return document.activeElement.id").await.unwrap(), "faults");
    desk.look("login-wrong-fr").await;
    browser.keys("#password", &format!("{given}{ENTER}")).await.unwrap();
    browser.wait_for_text("Protéger votre compte").await.unwrap();
    desk.look("set-up-fr").await;
    let secret = browser.text("#secret").await.unwrap();
    browser.keys("#code", &format!("000000{ENTER}")).await.unwrap();
    browser.wait_for_text("n’est pas le bon").await.unwrap();
    let (code, step) = digits(&secret, 0).await.unwrap();
    browser.keys("#code", &format!("{code}{ENTER}")).await.unwrap();
    browser.wait_for_text("Vos codes de secours").await.unwrap();
    desk.look("recovery-fr").await;
    browser.click("#on").await.unwrap();
    browser.wait_for_text("Changer de mot de passe").await.unwrap();
    browser.keys("#old", given).await.unwrap();
    browser.keys("#new", "court").await.unwrap();
    browser.keys("#again", &format!("long{ENTER}")).await.unwrap();
    browser.wait_for_text("diffèrent").await.unwrap();
    desk.look("password-wrong-fr").await;
    browser.keys("#old", given).await.unwrap();
    browser.keys("#new", PASSWORD).await.unwrap();
    browser.keys("#again", &format!("{PASSWORD}{ENTER}")).await.unwrap();
    browser.wait_for_text("Tableau de bord").await.unwrap();
    (secret, step)
}

fn fund(dir: &Path) -> Hub {
    let hub = Hub::with_example_fund(dir).unwrap();
    hub.credit("2026-11").unwrap();
    hub
}

fn add(hub: &Hub, arguments: &[&str]) -> String {
    let added = hub.ok(&[&["user", "add"], arguments].concat()).unwrap();
    added["password"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_page_in_both_languages_on_a_phone_and_on_a_desk() {
    let dir = tempfile::tempdir().unwrap();
    let hub = fund(dir.path());
    let http = http_client().unwrap();
    hub.bare_terminal(&http, "biocoop-platanes").await.unwrap();
    let given = add(&hub, &["--name", "claire", "--role", "admin"]);
    add(&hub, &["--name", "denis", "--role", "treasurer"]);
    let axe = axe().unwrap();
    let desk = Desk::open(&hub, &axe, "desk", 1280, 900).await;
    let (secret, mut last) = first_login(&desk, "claire", &given).await;
    let phone = Desk::open(&hub, &axe, "phone", 375, 700).await;
    phone.login("claire", &secret, &mut last).await;
    desk.goto("/works?lang=fr").await;
    desk.browser.click("main button").await.unwrap();
    desk.browser.wait_for_text("Tout est juste").await.unwrap();
    for desk in [&desk, &phone] {
        for lang in ["fr", "en"] {
            for (name, path) in [
                ("dashboard", "/dashboard"),
                ("terminals", "/terminals"),
                ("terminal-revoke", "/terminals/1/revoke"),
                ("users", "/users"),
                ("user-disable", "/users/2/disable"),
                ("user-recover", "/users/2/recover"),
                ("audit", "/audit"),
                ("works", "/works"),
                ("work", "/works/1"),
                ("password", "/password"),
                ("not-there", "/nowhere"),
            ] {
                desk.goto(&format!("{path}?lang={lang}")).await;
                desk.look(&format!("{name}-{lang}")).await;
            }
        }
    }
    phone.goto("/terminals?lang=fr").await;
    phone.browser.click("main form.stack button").await.unwrap();
    phone.browser.wait_for_text("Code d’inscription").await.unwrap();
    phone.look("terminal-code-fr").await;
    desk.goto("/users/2/recover?lang=fr").await;
    desk.browser.click("main button").await.unwrap();
    desk.browser.wait_for_text("Mot de passe à donner").await.unwrap();
    desk.look("user-given-fr").await;
    // Everything on the pages came from the hub itself.
    let script =
        "return performance.getEntriesByType('resource').map(e => e.name).filter(n => !n.startsWith(location.origin))";
    assert_eq!(desk.browser.script(script).await.unwrap(), serde_json::json!([]));
    hub.verify().unwrap();
    assert!(!hub.log().contains("claire") && !hub.log().contains(PASSWORD), "{}", hub.log());
    desk.browser.close().await.unwrap();
    phone.browser.close().await.unwrap();
}

#[tokio::test]
async fn the_keyboard_is_enough_from_login_to_logout() {
    let dir = tempfile::tempdir().unwrap();
    let hub = fund(dir.path());
    let given = add(&hub, &["--name", "claire", "--role", "admin"]);
    let desk = Desk::open(&hub, &axe().unwrap(), "keys", 1280, 900).await;
    let (secret, _) = first_login(&desk, "claire", &given).await;
    let browser = &desk.browser;
    let press = async |keys: &str| browser.keys(":focus", keys).await.unwrap();
    let here =
        async || browser.script("const a = document.activeElement; return a.id || a.textContent.trim()").await.unwrap();
    // Logged out by keyboard: to the button, from the skip link on.
    browser.keys("body", TAB).await.unwrap();
    assert_eq!(here().await, "Aller au contenu");
    for expected in ["English", "claire", "Se déconnecter"] {
        press(TAB).await;
        assert_eq!(here().await, expected);
    }
    press(ENTER).await;
    browser.wait_for_text("Mot de passe oublié").await.unwrap();
    desk.goto("/login").await;
    browser.keys("body", TAB).await.unwrap();
    press(ENTER).await;
    assert_eq!(here().await, "main", "the skip link leads to the page");
    press(TAB).await;
    assert_eq!(here().await, "name");
    press("claire").await;
    press(TAB).await;
    for _ in 0..5 {
        browser.keys("#password", &format!("wrong{ENTER}")).await.unwrap();
        browser.wait_for_text("incorrect").await.unwrap();
        desk.goto("/login").await;
        browser.keys("#name", "claire").await.unwrap();
    }
    // Five times wrong: the right password waits too.
    browser.keys("#password", &format!("{PASSWORD}{ENTER}")).await.unwrap();
    browser.wait_for_text("incorrect").await.unwrap();
    desk.look("locked-fr").await;
    hub.ok(&["user", "add", "--name", "denis", "--role", "admin"]).unwrap();
    let again = hub.ok(&["user", "recover", "claire", "--by", "denis"]).unwrap();
    let again = again["password"].as_str().unwrap().to_owned();
    browser.keys("#password", &format!("{again}{ENTER}")).await.unwrap();
    browser.wait_for_text("Protéger votre compte").await.unwrap();
    let new = browser.text("#secret").await.unwrap();
    assert_ne!(new.trim(), secret.trim(), "the second factor is set up again");
    let (code, _) = digits(&new, 0).await.unwrap();
    browser.keys("#code", &format!("{code}{ENTER}")).await.unwrap();
    browser.wait_for_text("Vos codes de secours").await.unwrap();
    desk.browser.close().await.unwrap();
}
