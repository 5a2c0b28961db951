//! Two logins are two people, in a real Chromium: a login that one admin gave waits, and another admin confirms it; both
//! languages, desk and phone, by keyboard.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use cabas_tests::browser::Browser;
use cabas_tests::hub::Hub;
use cabas_tests::program::pictures;
use cabas_tests::site::{AXE, ENTER, PASSWORD, TAB, axe, digits};
use serde_json::json;

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
        Self { browser: browser.unwrap(), url: hub.url(), axe: axe.to_owned(), name, width }
    }

    async fn goto(&self, path: &str) {
        self.browser.goto(&format!("{}{path}", self.url)).await.unwrap();
    }

    /// Takes a picture of the page as it stands, and lets axe-core and a ruler look at it.
    async fn look(&self, name: &str) {
        let file = pictures().unwrap().join(format!("site-vouch-{name}-{}.png", self.name));
        self.browser.screenshot(&file).await.unwrap();
        let script = "return [document.documentElement.scrollWidth, window.innerWidth]";
        let seen = self.browser.script(script).await.unwrap();
        assert!(seen[0].as_u64() <= seen[1].as_u64(), "{name}: wider than the window: {seen}");
        assert_eq!(seen[1].as_u64(), Some(u64::from(self.width)), "{name}: {seen}");
        self.browser.script(&self.axe).await.unwrap();
        let found = self.browser.script(AXE).await.unwrap();
        assert_eq!(found, json!([]), "{name} on {}", self.name);
    }

    /// Looks at a page in both languages.
    async fn look_at(&self, name: &str, path: &str) {
        for lang in ["en", "fr"] {
            self.goto(&format!("{path}?lang={lang}")).await;
            self.look(&format!("{name}-{lang}")).await;
        }
    }

    /// Logs in for the first time; gives the secret of the second factor, and which code of it was used.
    async fn first_login(&self, name: &str, given: &str) -> (String, u64) {
        self.goto("/login?lang=fr").await;
        self.browser.keys("#name", name).await.unwrap();
        self.browser.keys("#password", &format!("{given}{ENTER}")).await.unwrap();
        self.browser.wait_for_text("Protéger votre compte").await.unwrap();
        let secret = self.browser.text("#secret").await.unwrap();
        let (code, step) = digits(&secret, 0).await.unwrap();
        self.browser.keys("#code", &format!("{code}{ENTER}")).await.unwrap();
        self.browser.wait_for_text("Vos codes de secours").await.unwrap();
        self.goto("/password").await;
        self.browser.keys("#old", given).await.unwrap();
        self.browser.keys("#new", PASSWORD).await.unwrap();
        self.browser.keys("#again", &format!("{PASSWORD}{ENTER}")).await.unwrap();
        self.browser.wait_for_text("Tableau de bord").await.unwrap();
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

    async fn press(&self, keys: &str) {
        self.browser.keys(":focus", keys).await.unwrap();
    }

    async fn focus(&self, selector: &str) {
        self.browser.script(&format!("document.querySelector('{selector}').focus()")).await.unwrap();
    }
}

fn add(hub: &Hub, name: &str, role: &str) -> String {
    hub.ok(&["user", "add", "--name", name, "--role", role]).unwrap()["password"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_login_waits_and_another_admin_confirms_it_by_keyboard_on_desk_and_phone() {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::with_example_fund(dir.path()).unwrap();
    let (claire, bo) = (add(&hub, "claire", "admin"), add(&hub, "bo", "admin"));
    let axe = axe().unwrap();
    let desk = Desk::open(&hub, &axe, "desk", 1280, 900).await;
    let phone = Desk::open(&hub, &axe, "phone", 375, 700).await;
    desk.first_login("claire", &claire).await;
    phone.first_login("bo", &bo).await;
    desk.goto("/users").await;
    desk.focus("#name").await;
    desk.press(&format!("paul{TAB}")).await;
    desk.browser.script("document.querySelector('#role').value = 'treasurer'").await.unwrap();
    desk.focus("main form.stack button").await;
    desk.press(ENTER).await;
    desk.browser.wait_for_text("Mot de passe à donner").await.unwrap();
    desk.look("given-fr").await;
    let given = desk.browser.text("#given").await.unwrap();
    // Nobody holds it yet.
    for desk in [&desk, &phone] {
        desk.look_at("list", "/users").await;
        desk.look_at("confirm-early", "/users/3/confirm").await;
        desk.look_at("to-do", "/dashboard").await;
    }
    desk.browser.close().await.unwrap();
    let desk = Desk::open(&hub, &axe, "desk", 1280, 900).await;
    let (secret, last) = desk.first_login("paul", given.trim()).await;
    let small = Desk::open(&hub, &axe, "phone", 375, 700).await;
    small.login("paul", &secret, last).await;
    for desk in [&desk, &small] {
        desk.look_at("waits", "/goodwill").await;
        for (id, value) in [("household", "20"), ("total", "500,00"), ("days", "3")] {
            desk.browser.script(&format!("document.querySelector('#{id}').value = '{value}'")).await.unwrap();
        }
        desk.focus("main form button").await;
        desk.press(ENTER).await;
        desk.browser.wait_for_text("par une seule personne administratrice").await.unwrap();
        desk.look("refused-fr").await;
    }
    small.browser.close().await.unwrap();
    assert_eq!(hub.ok(&["goodwill", "show"]).unwrap()["on"], false);
    // Bo knows Paul, and says so.
    phone.look_at("confirm", "/users/3/confirm").await;
    phone.focus("main form button").await;
    phone.press(ENTER).await;
    phone.browser.wait_for_text("Ajouter quelqu’un").await.unwrap();
    assert!(!phone.browser.text("main").await.unwrap().contains("Attend une confirmation"));
    desk.goto("/goodwill?lang=en").await;
    assert!(!desk.browser.text("main").await.unwrap().contains("Your login waits"));
    let listed = hub.ok(&["user", "list"]).unwrap();
    let paul = listed["users"].as_array().unwrap().iter().find(|user| user["name"] == "paul").unwrap();
    assert_eq!((&paul["given_by"], &paul["confirmed_by"]), (&json!("claire"), &json!("bo")));
    hub.verify().unwrap();
    desk.browser.close().await.unwrap();
    phone.browser.close().await.unwrap();
}
