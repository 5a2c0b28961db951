//! The pages of money in, in a real Chromium: both languages, a phone and a desk, by keyboard.
#![allow(clippy::integer_division, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use std::path::Path;

use cabas_tests::browser::Browser;
use cabas_tests::hub::Hub;
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
        let file = pictures().unwrap().join(format!("site-money-{name}-{}.png", self.name));
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

fn fund(dir: &Path) -> Hub {
    let hub = Hub::with_example_fund(dir).unwrap();
    hub.credit("2026-11").unwrap();
    hub
}

/// A fund with budgets, contributions of some months and a statement of two payments that came in.
#[expect(clippy::disallowed_methods, reason = "a file of a test")]
fn filled(dir: &Path) -> (Hub, String) {
    let hub = fund(dir);
    let year = hub.ok(&["contribution", "report"]).unwrap()["year"].to_string();
    for (name, cents) in [("Ville de Lyon", "26000000"), ("Fondation", "4000000")] {
        let set = ["source", "set", "--name", name, "--year", &year, "--budget-cents", cents, "--by", "Ada"];
        hub.ok(&set).unwrap();
    }
    let day = |month: u8| format!("{year}-0{month}-05");
    for (code, cents, month) in
        [("F001", "250000", 1), ("F002", "125000", 2), ("F003", "300000", 3), ("F001", "9000", 3)]
    {
        let add = ["contribution", "add", "--household", code, "--cents", cents, "--on", &day(month), "--by", "Ada"];
        hub.ok(&add).unwrap();
    }
    let paid = ["source", "paid", "--name", "Ville de Lyon", "--cents", "12500000", "--on", &day(1), "--by", "Ada"];
    hub.ok(&paid).unwrap();
    let iban = "FR7630006000011234567890189";
    hub.ok(&["bank", "account", "--iban", iban, "--name", "Caisse", "--by", "Ada"]).unwrap();
    let file = dir.join("camt.xml");
    std::fs::write(&file, statement(&year)).unwrap();
    hub.ok(&["bank", "import", file.to_str().unwrap(), "--by", "Ada"]).unwrap();
    (hub, year)
}

/// A statement of two payments that came in, of 25.00 and 500.00.
fn statement(year: &str) -> String {
    let balance = |code: &str, euros: &str| {
        format!(
            "<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy=\"EUR\">{euros}</Amt><CdtDbtInd>CRDT</CdtDbtInd>\
             <Dt><Dt>{year}-03-30</Dt></Dt></Bal>"
        )
    };
    let entry = |euros: &str, who: &str, text: &str| {
        format!(
            "<Ntry><Amt Ccy=\"EUR\">{euros}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt>\
             <Dt>{year}-03-05</Dt></BookgDt><BkTxCd/><NtryDtls><TxDtls><RltdPties><Dbtr><Pty><Nm>{who}</Nm></Pty></Dbtr>\
             </RltdPties><RmtInf><Ustrd>{text}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"
        )
    };
    format!(
        "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08\"><BkToCstmrStmt><GrpHdr><MsgId>M</MsgId>\
         <CreDtTm>{year}-03-30T20:00:00</CreDtTm></GrpHdr><Stmt><Id>S1</Id><Acct><Id><IBAN>FR7630006000011234567890189\
         </IBAN></Id></Acct>{}{}{}{}</Stmt></BkToCstmrStmt></Document>",
        balance("OPBD", "0.00"),
        balance("CLBD", "525.00"),
        entry("25.00", "Madame Dupont", "Cotisation F007 mars"),
        entry("500.00", "VILLE DE LYON", "subvention")
    )
}

#[expect(clippy::disallowed_methods, reason = "a file of a test")]
#[tokio::test]
async fn every_page_of_money_in_both_languages_on_a_phone_and_on_a_desk_and_by_keyboard() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, year) = filled(dir.path());
    let given = hub.ok(&["user", "add", "--name", "claire", "--role", "admin"]).unwrap();
    let axe = axe().unwrap();
    let desk = Desk::open(&hub, &axe, "desk", 1280, 900).await;
    let (secret, mut last) = first_login(&desk, "claire", given["password"].as_str().unwrap()).await;
    let phone = Desk::open(&hub, &axe, "phone", 375, 700).await;
    phone.login("claire", &secret, &mut last).await;
    let month = format!("/contributions?month={year}-03&noted=4&on={year}-03-05");
    for desk in [&desk, &phone] {
        for lang in ["fr", "en"] {
            for (name, path) in [
                ("sources", "/sources"),
                ("take-back-payment", "/sources/payments/5/take-back"),
                ("contributions", month.as_str()),
                ("take-back", "/contributions/1/take-back"),
                ("report", "/contributions/report"),
                ("file", "/contributions/file"),
                ("bank", "/bank/money-in"),
                ("bank-one", "/bank/money-in/1"),
                ("forecast", "/forecast"),
                ("forecast-what-if", "/forecast?households=10000"),
            ] {
                let apart = if path.contains('?') { '&' } else { '?' };
                desk.goto(&format!("{path}{apart}lang={lang}")).await;
                desk.look(&format!("{name}-{lang}")).await;
            }
        }
    }
    let browser = &desk.browser;
    let press = async |keys: &str| browser.keys(":focus", keys).await.unwrap();
    // One after the other, by keyboard alone.
    desk.goto(&format!("/contributions?month={year}-03&noted=4&on={year}-03-05&lang=fr")).await;
    assert_eq!(browser.script("return document.activeElement.id").await.unwrap(), "household");
    for (code, number) in [("F010", 6), ("F011", 7)] {
        press(code).await;
        press(TAB).await;
        press(&format!("12,5{ENTER}")).await;
        browser.wait_for_text(&format!("n° {number}. À la suivante")).await.unwrap();
        assert_eq!(browser.script("return document.activeElement.id").await.unwrap(), "household");
    }
    press("F010").await;
    press(TAB).await;
    press(&format!("12,5{ENTER}")).await;
    browser.wait_for_text("cochez la case").await.unwrap();
    desk.look("alike-fr").await;
    // A file: what is wrong, then what is right, then booked.
    for (name, lines) in [("bad", "F012,2024-01-05,100,R1\nX9,2024-01-05,x,R2\n"), ("good", "F012,2024-01-05,100,R1\n")]
    {
        let file = dir.path().join(format!("{name}.csv"));
        std::fs::write(&file, format!("household,paid_on,cents,reference\n{lines}")).unwrap();
        desk.goto("/contributions/file").await;
        browser.keys("#file", file.to_str().unwrap()).await.unwrap();
        browser.click("main button").await.unwrap();
        browser.wait_for_text("Aperçu de l’import").await.unwrap();
        desk.look(&format!("preview-{name}-fr")).await;
    }
    browser.click("main button").await.unwrap();
    browser.wait_for_text("Cotisations enregistrées").await.unwrap();
    desk.look("booked-fr").await;
    // One click a proposal.
    desk.goto("/bank/money-in").await;
    for _ in 0..2 {
        browser.click("#entries form button").await.unwrap();
        browser.wait_for_text("Reçu en banque").await.unwrap();
    }
    browser.wait_for_text("Tout est expliqué").await.unwrap();
    desk.look("bank-done-fr").await;
    hub.verify().unwrap();
    assert!(!hub.log().contains("F010") && !hub.log().contains("Dupont"), "{}", hub.log());
    desk.browser.close().await.unwrap();
    phone.browser.close().await.unwrap();
}
