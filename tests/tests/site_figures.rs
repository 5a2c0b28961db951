//! Dashboard, figures, evaluation and anomalies in a real Chromium, with two months of the example fund: both languages, on
//! a phone and on a desk, by keyboard.
#![allow(
    clippy::integer_division,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "test code"
)]

use std::path::Path;

use cabas_protocol::Cents;
use cabas_tests::browser::Browser;
use cabas_tests::hub::{Hub, http_client};
use cabas_tests::program::pictures;
use cabas_tests::site::{AXE, ENTER, PASSWORD, TAB, axe, digits};

const SPACE: &str = " ";
/// A terminal of each of these shops sells; the number of households that buy there is beside it.
const SHOPS: [(&str, usize); 6] = [
    ("biocoop-bachut", 108),
    ("epicerie-mermoz", 60),
    ("maraicher-combe", 45),
    ("boulangerie-levain", 30),
    ("boucherie-lumiere", 9),
    ("restaurant-grande-tablee", 3),
];

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

    /// Takes a picture of a part of the page.
    async fn picture_of(&self, css: &str, name: &str) {
        self.browser.script(&format!("document.querySelector('{css}').scrollIntoView()")).await.unwrap();
        let file = pictures().unwrap().join(format!("site-{name}-{}.png", self.name));
        self.browser.screenshot(&file).await.unwrap();
    }

    /// A given password, the second factor, a password of one's own; gives the secret.
    async fn first_login(&self, name: &str, given: &str) -> (String, u64) {
        let browser = &self.browser;
        self.goto("/login?lang=fr").await;
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

/// What came until here came a month before: the hub goes by the machine's clock, which a test does not set.
fn a_month_passes(hub: &Hub) {
    let ledger = rusqlite::Connection::open(hub.data_dir().join("hub.db")).unwrap();
    for (table, column) in [("rows", "received_at"), ("credits", "booked_at"), ("money_in", "said_at")] {
        let read = "SELECT ifnull(group_concat(sql, ';'), ''), ifnull(group_concat('DROP TRIGGER ' || name, ';'), '') FROM sqlite_schema
            WHERE type = 'trigger' AND tbl_name = ?1";
        let made = ledger.query_row(read, [table], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)));
        let (make, drop) = made.unwrap();
        let shift = format!("UPDATE {table} SET {column} = {column} - 31 * 86400");
        ledger.execute_batch(&format!("BEGIN; {drop}; {shift}; {make}; COMMIT")).unwrap();
    }
}

/// Two months of the example fund: paid in, credited, sold at six shops; one row claims what was claimed before.
async fn fund(dir: &Path) -> Hub {
    let mut hub = Hub::with_example_fund(dir).unwrap();
    let http = http_client().unwrap();
    let source =
        ["source", "set", "--name", "Ville de Lyon", "--year", "2026", "--budget-cents", "30000000", "--by", "Ada"];
    hub.ok(&source).unwrap();
    let mut terminals = Vec::new();
    for (shop, _) in SHOPS {
        terminals.push(hub.bare_terminal(&http, shop).await.unwrap());
    }
    for (month, (period, day)) in [("2026-10", "2026-10-05"), ("2026-11", "2026-11-05")].into_iter().enumerate() {
        let paid = ["source", "paid", "--name", "Ville de Lyon", "--cents", "1500000", "--on", day, "--by", "Ada"];
        hub.ok(&paid).unwrap();
        hub.ok(&["credit", "run", "--period", period, "--source", "Ville de Lyon", "--book"]).unwrap();
        for ((_, households), terminal) in SHOPS.into_iter().zip(&mut terminals) {
            terminal.wait_for_balances().await.unwrap();
            let purses: Vec<_> = terminal.balances.keys().copied().take(households).collect();
            for (place, purse) in (0_u64..).zip(purses) {
                let cents = Cents::new(310 + 100 * (place % 7) + 250 * u64::try_from(month).unwrap()).unwrap();
                terminal.sell(purse, cents.min(terminal.available(purse))).unwrap();
            }
            terminal.sync().await.unwrap();
        }
        if month == 0 {
            hub.stop().unwrap();
            a_month_passes(&hub);
            hub.start().unwrap();
            terminals.iter_mut().for_each(|terminal| terminal.reconnect(http_client().unwrap()));
        }
    }
    // A copy of a journal goes on by itself: the terminal is quarantined, and what the copy sold is not paid.
    let purse = *terminals[5].balances.keys().last().unwrap();
    let mut copy = terminals[5].cloned().unwrap();
    for (terminal, cents) in [(&mut terminals[5], 120), (&mut copy, 150)] {
        terminal.sell(purse, Cents::new(cents).unwrap()).unwrap();
        drop(terminal.sync().await);
    }
    hub
}

fn add(hub: &Hub, name: &str, role: &str) -> String {
    let added = hub.ok(&["user", "add", "--name", name, "--role", role]).unwrap();
    added["password"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn figures_in_both_languages_on_a_phone_and_on_a_desk_and_by_keyboard() {
    let dir = tempfile::tempdir().unwrap();
    let hub = fund(dir.path()).await;
    let (given, eva) = (add(&hub, "claire", "admin"), add(&hub, "eva", "evaluator"));
    let desk = Desk::open(&hub, "desk", 1280, 900).await;
    let phone = Desk::open(&hub, "phone", 375, 700).await;
    let (secret, last) = desk.first_login("claire", &given).await;
    phone.login("claire", &secret, last).await;
    for desk in [&desk, &phone] {
        for lang in ["fr", "en"] {
            for (name, path) in [
                ("watch", "/dashboard?"),
                ("figures", "/figures?"),
                ("figures-owed", "/figures?what=owed&"),
                ("figures-wrong", "/figures?from=2026-12&to=2026-01&"),
                ("evaluation", "/figures/evaluation?"),
                ("evaluation-wrong", "/figures/evaluation?from=2999-12&to=2999-12&"),
                ("evidence", "/evidence?"),
            ] {
                desk.goto(&format!("{path}lang={lang}")).await;
                desk.look(&format!("{name}-{lang}")).await;
            }
        }
        // The tables behind the charts, opened.
        desk.goto("/dashboard?lang=fr").await;
        desk.browser.script("document.querySelectorAll('details').forEach(one => one.open = true)").await.unwrap();
        desk.look("watch-open-fr").await;
        for part in ["thresholds", "paid-in", "spent", "table-spent", "owed"] {
            desk.picture_of(&format!("#{part}"), &format!("watch-{part}-fr")).await;
        }
        desk.goto("/figures?lang=en").await;
        desk.picture_of("#table-spent", "figures-table-en").await;
        desk.picture_of("#all", "figures-all-en").await;
        desk.goto("/figures/evaluation?lang=fr").await;
        desk.picture_of("table", "evaluation-table-fr").await;
    }
    // By keyboard: to the table behind the first chart, which opens.
    desk.goto("/dashboard?lang=fr").await;
    desk.browser
        .script("document.querySelector('#months').tabIndex = -1; document.querySelector('#months').focus()")
        .await
        .unwrap();
    desk.browser.keys(":focus", &format!("{TAB}{TAB}")).await.unwrap();
    desk.browser.keys(":focus", SPACE).await.unwrap();
    desk.browser.wait_for_text("Ensemble").await.unwrap();
    // And months are chosen in a field of months.
    desk.goto("/figures/evaluation?lang=fr").await;
    let at = "return [document.querySelector('#from').type, document.querySelectorAll('td.hidden').length > 0,
        document.querySelectorAll('td strong').length > 0]";
    assert_eq!(desk.browser.script(at).await.unwrap(), serde_json::json!(["month", true, true]));
    let evaluator = Desk::open(&hub, "evaluator", 1280, 900).await;
    evaluator.first_login("eva", &eva).await;
    evaluator.goto("/dashboard?lang=fr").await;
    evaluator.look("watch-evaluator-fr").await;
    hub.verify().unwrap();
    for desk in [desk, phone, evaluator] {
        desk.browser.close().await.unwrap();
    }
}
