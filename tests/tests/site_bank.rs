//! Settlements and the bank in a real Chromium: from the preview of a settlement to a bank statement that explains it, by
//! two people, and what a shop sees of it; both languages, on a phone and on a desk, by keyboard.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use cabas_protocol::{Cents, PurseRef};
use cabas_tests::browser::Browser;
use cabas_tests::hub::{Hub, http_client};
use cabas_tests::program::pictures;
use cabas_tests::site::{AXE, ENTER, PASSWORD, TAB, axe};
use cabas_tests::terminal::Terminal;
use serde_json::json;
use totp_rs::{Builder, Secret};

/// Shop, IBAN, what each of its sales comes to, in cents.
const SHOPS: [(&str, &str, &[u64]); 3] = [
    ("biocoop-platanes", "FR1420041010050500013M02606", &[2_350, 1_275, 60, 845]),
    ("biocoop-bachut", "DE89370400440532013000", &[845, 990, 760, 905, 1_000, 500]),
    ("epicerie-etats-unis", "BE68539007547034", &[290, 275, 260, 280]),
];
const OWN: &str = "FR7630006000011234567890189";

#[expect(clippy::disallowed_methods, reason = "the hub under test goes by the machine's clock")]
fn digits(secret: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let secret = Secret::try_from_base32(secret.trim()).unwrap();
    Builder::new().with_secret(secret).with_account_name("x").build().unwrap().generate(now).to_string()
}

/// Somebody before a window.
struct Desk {
    browser: Browser,
    url: String,
    axe: String,
    name: &'static str,
}

impl Desk {
    /// Adds a user, who logs in for the first time in a window of that width.
    async fn open(hub: &Hub, axe: &str, user: &[&str], name: &'static str, width: u32) -> Self {
        let given = hub.ok(&[&["user", "add", "--name"], user].concat()).unwrap();
        let browser = if width < 500 { Browser::open_phone(width, 700).await } else { Browser::open(width, 900).await };
        let desk = Self { browser: browser.unwrap(), url: hub.url(), axe: axe.to_owned(), name };
        let browser = &desk.browser;
        desk.goto("/?lang=fr").await;
        browser.keys("#name", user[0]).await.unwrap();
        browser.keys("#password", &format!("{}{ENTER}", given["password"].as_str().unwrap())).await.unwrap();
        browser.wait_for_text("Protéger votre compte").await.unwrap();
        let secret = browser.text("#secret").await.unwrap();
        browser.keys("#code", &format!("{}{ENTER}", digits(&secret))).await.unwrap();
        browser.wait_for_text("Vos codes de secours").await.unwrap();
        browser.click("#on").await.unwrap();
        browser.wait_for_text("Changer de mot de passe").await.unwrap();
        browser.keys("#old", given["password"].as_str().unwrap()).await.unwrap();
        browser.keys("#new", PASSWORD).await.unwrap();
        browser.keys("#again", &format!("{PASSWORD}{ENTER}")).await.unwrap();
        browser.wait_for_text("Se déconnecter").await.unwrap();
        desk
    }

    async fn goto(&self, path: &str) {
        self.browser.goto(&format!("{}{path}", self.url)).await.unwrap();
    }

    /// Takes a picture, and lets axe-core and a ruler look at the page.
    async fn look(&self, name: &str) {
        let file = pictures().unwrap().join(format!("site-{name}-{}.png", self.name));
        self.browser.screenshot(&file).await.unwrap();
        let script = "return [document.documentElement.scrollWidth, window.innerWidth]";
        let seen = self.browser.script(script).await.unwrap();
        assert!(seen[0].as_u64() <= seen[1].as_u64(), "{name}: wider than the window: {seen}");
        self.browser.script(&self.axe).await.unwrap();
        assert_eq!(self.browser.script(AXE).await.unwrap(), json!([]), "{name} on {}", self.name);
    }

    async fn look_at(&self, pages: &[(&str, &str)]) {
        for lang in ["en", "fr"] {
            for (name, path) in pages {
                self.goto(&format!("{path}?lang={lang}")).await;
                self.look(&format!("{name}-{lang}")).await;
            }
        }
    }

    async fn press(&self, keys: &str) {
        self.browser.keys(":focus", keys).await.unwrap();
    }

    /// Walks by keyboard until the button or link of this text has the focus.
    async fn walk_to(&self, text: &str) {
        self.browser.keys("body", TAB).await.unwrap();
        for _ in 0..60 {
            let here = self.browser.script("return document.activeElement.textContent.trim()").await.unwrap();
            if here == json!(text) {
                return;
            }
            self.press(TAB).await;
        }
        panic!("{text:?} is not reached by keyboard");
    }
}

/// A fund in which three shops sold and none has an account yet.
async fn sold(dir: &Path) -> Hub {
    let mut hub = Hub::empty(dir).unwrap();
    hub.environment.push(("CABAS_HUB_SIREN".to_owned(), "732829320".to_owned()));
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/example-fund");
    hub.ok(&["import", &example.display().to_string()]).unwrap();
    hub.start().unwrap();
    let http = http_client().unwrap();
    let mut terminals = Vec::new();
    for (shop, _, sales) in SHOPS {
        terminals.push((hub.bare_terminal(&http, shop).await.unwrap(), sales));
    }
    // The credit is shared among terminals that are known when it comes.
    hub.credit("2026-11").unwrap();
    for (terminal, sales) in &mut terminals {
        for cents in *sales {
            let cents = Cents::new(*cents).unwrap();
            let purse = purse_for(terminal, cents).await;
            terminal.sell(purse, cents).unwrap();
        }
        terminal.sync().await.unwrap();
    }
    hub
}

/// A purse with so much money at the terminal; it comes bit by bit.
async fn purse_for(terminal: &mut Terminal, cents: Cents) -> PurseRef {
    for _ in 0..100 {
        let purses: Vec<_> = terminal.balances.keys().copied().collect();
        if let Some(purse) = purses.into_iter().find(|purse| terminal.available(*purse) >= cents) {
            return purse;
        }
        terminal.sync().await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("no purse has {cents} at this terminal");
}

/// A statement from 1,000.00 € on, of money that went out: cents, and our reference where the bank tells it.
fn statement(entries: &[(u64, Option<&str>)]) -> String {
    let amount = |cents: u64, side: &str| {
        let euros = Cents::new(cents).unwrap();
        format!("<Amt Ccy=\"EUR\">{euros}</Amt><CdtDbtInd>{side}</CdtDbtInd>")
    };
    let balance = |code: &str, cents: u64| {
        let amount = amount(cents, "CRDT");
        format!("<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>{amount}<Dt><Dt>2026-12-01</Dt></Dt></Bal>")
    };
    let lines: String = entries
        .iter()
        .map(|(cents, id)| {
            let (amount, id) = (amount(*cents, "DBIT"), id.unwrap_or("NOTPROVIDED"));
            format!(
                "<Ntry>{amount}<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-12-01</Dt></BookgDt><BkTxCd/><NtryDtls><TxDtls>\
                 <Refs><EndToEndId>{id}</EndToEndId></Refs></TxDtls></NtryDtls></Ntry>"
            )
        })
        .collect();
    let closing = entries.iter().fold(100_000_u64, |left, (cents, _)| left.checked_sub(*cents).unwrap());
    format!(
        "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08\"><BkToCstmrStmt><GrpHdr><MsgId>M</MsgId>\
         <CreDtTm>2026-12-01T20:00:00</CreDtTm></GrpHdr><Stmt><Id>2026-335</Id><Acct><Id><IBAN>{OWN}</IBAN></Id></Acct>\
         {}{}{lines}</Stmt></BkToCstmrStmt></Document>",
        balance("OPBD", 100_000),
        balance("CLBD", closing)
    )
}

fn write(file: &Path, text: &str) {
    std::io::Write::write_all(&mut std::fs::File::create(file).unwrap(), text.as_bytes()).unwrap();
}

#[tokio::test]
async fn a_settlement_goes_to_the_bank_and_back_by_two_people_and_its_shop_sees_it() {
    let dir = tempfile::tempdir().unwrap();
    let hub = sold(dir.path()).await;
    let axe = axe().unwrap();
    let claire = Desk::open(&hub, &axe, &["claire", "--role", "admin"], "desk", 1280).await;
    let denis = Desk::open(&hub, &axe, &["denis", "--role", "treasurer"], "phone", 375).await;
    claire.look_at(&[("settlements-none", "/settlements"), ("settlement-preview", "/settlements/next")]).await;
    denis.look_at(&[("bank-none", "/bank"), ("settlement-preview", "/settlements/next")]).await;
    closed(&claire, &denis).await;
    claire
        .look_at(&[
            ("settlement-no-own-account", "/settlements/1"),
            ("settlement-none-waits", "/settlements/next/approve"),
        ])
        .await;
    account(&claire).await;
    for (shop, iban, _) in SHOPS {
        hub.ok(&["shop", "account", shop, "--iban", iban, "--name", "SARL des Platanes", "--by", "Ada"]).unwrap();
    }
    claire.look_at(&[("accounts", "/bank/accounts"), ("settlement-due", "/settlements/1")]).await;
    claire.goto("/settlements/1?lang=fr").await;
    claire.browser.click("main form button").await.unwrap();
    claire.browser.wait_for_text("Télécharger le fichier (pain.001)").await.unwrap();
    bank(&hub, &claire, &denis, dir.path()).await;
    aside_and_back(&claire, &denis, dir.path()).await;
    let pages = [
        ("settlements", "/settlements"),
        ("settlement", "/settlements/1"),
        ("statement", "/settlements/1/shops/biocoop-platanes"),
        ("bank", "/bank"),
        ("bank-entry", "/bank/entries/2"),
        ("accounts", "/bank/accounts"),
        ("account-fund", "/bank/accounts/fund"),
        ("account-shop", "/bank/accounts/shops/biocoop-platanes"),
        ("fec", "/bank/fec"),
        ("payout-refusal-paid", "/settlements/1/shops/biocoop-platanes/refusal"),
    ];
    claire.look_at(&pages).await;
    denis.look_at(&pages).await;
    for desk in [claire, denis] {
        desk.browser.close().await.unwrap();
    }
    for (user, name, width) in [("platanes", "desk", 1280), ("platanes-tel", "phone", 320)] {
        let user = [user, "--role", "shop", "--shop", "biocoop-platanes"];
        let shop = Desk::open(&hub, &axe, &user, name, width).await;
        shop.look_at(&[("shop-statements", "/statements"), ("shop-statement", "/statements/1")]).await;
        printed(&shop).await;
        shop.goto("/statements/1?lang=fr").await;
        let text = shop.browser.text("main").await.unwrap();
        assert!(text.contains("45,30") && text.contains("payé") && !text.contains("50,00"), "{text}");
        shop.goto("/statements/2").await;
        shop.browser.wait_for_text("n’existe pas").await.unwrap();
        shop.browser.close().await.unwrap();
    }
    hub.verify().unwrap();
    let log = hub.log();
    assert!(!log.contains("claire") && !log.contains(OWN) && !log.contains(SHOPS[0].1), "{log}");
}

/// One person prepares a settlement, another one approves it; each follows the work that does it.
async fn closed(claire: &Desk, denis: &Desk) {
    claire.goto("/settlements/next").await;
    claire.walk_to("Préparer ce règlement").await;
    claire.press(ENTER).await;
    claire.browser.wait_for_text("Voir le règlement préparé").await.unwrap();
    claire.look("settlement-work-prepared-fr").await;
    claire.walk_to("Voir le règlement préparé").await;
    claire.press(ENTER).await;
    claire.browser.wait_for_text("préparé par claire").await.unwrap();
    for desk in [claire, denis] {
        desk.look_at(&[("approvals-settlement", "/approvals")]).await;
    }
    let waiting = [("settlements-wait", "/settlements"), ("settlement-prepared", "/settlements/next")];
    claire.look_at(&waiting).await;
    denis.look_at(&waiting).await;
    denis.look_at(&[("settlement-approve", "/settlements/next/approve")]).await;
    denis.walk_to("Approuver le règlement 1").await;
    denis.press(ENTER).await;
    denis.browser.wait_for_text("Voir le règlement").await.unwrap();
    denis.look("settlement-work-approved-fr").await;
    denis.walk_to("Voir le règlement").await;
    denis.press(ENTER).await;
    denis.browser.wait_for_text("approuvé par denis").await.unwrap();
}

/// A statement is printed on A4; a long one goes on over pages.
async fn printed(shop: &Desk) {
    let file = |name: &str| pictures().unwrap().join(format!("print-{name}-{}.pdf", shop.name));
    shop.goto("/statements/1?lang=fr").await;
    let short = shop.browser.print(&file("statement")).await.unwrap();
    let more = "const body = document.querySelector('.wide tbody'); const rows = [...body.rows];
        for (let i = 0; i < 30; i++) for (const row of rows) body.append(row.cloneNode(true));";
    shop.browser.script(more).await.unwrap();
    let long = shop.browser.print(&file("statement-long")).await.unwrap();
    for (pdf, pages) in [(short, 1..=1), (long, 3..=5)] {
        let text = String::from_utf8_lossy(&pdf);
        // A4 is 595.276 by 841.89 points.
        let sheets = text.matches("/MediaBox [0 0 59").count();
        assert_eq!(text.matches("/MediaBox").count(), sheets, "a sheet is not as wide as A4");
        assert!(pages.contains(&sheets), "{sheets} pages");
    }
}

/// An IBAN with a digit off is told, and what was typed is kept; the right one is taken.
async fn account(claire: &Desk) {
    let browser = &claire.browser;
    claire.goto("/bank/accounts/fund?lang=fr").await;
    browser.keys("#name", "Caisse de l’alimentation").await.unwrap();
    browser.keys("#iban", &format!("FR7630006000011234567890188{ENTER}")).await.unwrap();
    browser.wait_for_text("un chiffre ou une lettre ne va pas").await.unwrap();
    assert_eq!(browser.script("return document.activeElement.id").await.unwrap(), "faults");
    claire.look("account-wrong-fr").await;
    let backspace = "\u{e003}";
    browser.keys("#iban", &format!("{backspace}9{ENTER}")).await.unwrap();
    browser.wait_for_text(OWN).await.unwrap();
}

/// The bank paid two of three payouts, forgot a reference of one, and refused the third.
async fn bank(hub: &Hub, claire: &Desk, denis: &Desk, dir: &Path) {
    let order = dir.join("order.xml").display().to_string();
    hub.ok(&["settlement", "payment-file", "1", "--out", &order, "--by", "Bo"]).unwrap();
    let order = std::fs::read_to_string(order).unwrap();
    let paid: Vec<(u64, &str)> = order
        .split("<CdtTrfTxInf>")
        .skip(1)
        .map(|payment| {
            let of = |tag: &str| payment.split(tag).nth(1).unwrap().split('<').next().unwrap();
            (of("\"EUR\">").replace('.', "").parse().unwrap(), of("<EndToEndId>"))
        })
        .collect();
    let of = |cents: u64| *paid.iter().find(|(paid, _)| *paid == cents).unwrap();
    let (wrong, right) = (dir.join("faux.xml"), dir.join("releve.xml"));
    let text = statement(&[(4_530, Some(of(4_530).1)), (5_000, None), (1_105, None), (250, None)]);
    write(&wrong, &text.replace("Ccy=\"EUR\">50.00", "Ccy=\"USD\">50.00"));
    write(&right, &text);
    claire.goto("/bank?lang=fr").await;
    claire.browser.keys("#file", &wrong.display().to_string()).await.unwrap();
    claire.browser.click("form.stack button").await.unwrap();
    claire.browser.wait_for_text("L’opération n° 2 du relevé n° 1 n’est pas en euros").await.unwrap();
    claire.look("bank-refused-fr").await;
    claire.browser.keys("#file", &right.display().to_string()).await.unwrap();
    claire.browser.click("form.stack button").await.unwrap();
    claire.browser.wait_for_text("Relevé importé").await.unwrap();
    claire.look("bank-imported-fr").await;
    claire.look_at(&[("bank-open", "/bank"), ("bank-entry-open", "/bank/entries/2")]).await;
    denis.look_at(&[("bank-open", "/bank"), ("bank-entry-open", "/bank/entries/2")]).await;
    claire.goto("/bank/entries/2?lang=fr").await;
    claire.walk_to("C’est le versement\u{a0}: Règlement 1 – Biocoop du Bachut").await;
    claire.press(ENTER).await;
    claire.browser.wait_for_text("Opérations à expliquer").await.unwrap();
    let path = "/settlements/1/shops/epicerie-etats-unis/refusal";
    claire.look_at(&[("payout-refusal", path)]).await;
    denis.look_at(&[("payout-refusal", path)]).await;
    claire.browser.keys("#reason", &format!("AC04, compte fermé{ENTER}")).await.unwrap();
    claire.browser.wait_for_text("refus à approuver").await.unwrap();
    claire.look("settlement-refused-fr").await;
    denis.look_at(&[("payout-refusal-approve", path)]).await;
    denis.browser.click("main button.danger").await.unwrap();
    denis.browser.wait_for_text("Versements revenus ou refusés").await.unwrap();
    denis.goto("/settlements/next").await;
    denis.browser.wait_for_text("11,05").await.unwrap();
}

/// A fee is set aside; money of just a payout's amount is said to have come back by one and agreed to by the other.
async fn aside_and_back(claire: &Desk, denis: &Desk, dir: &Path) {
    denis.goto("/bank/entries/4?lang=fr").await;
    denis.browser.keys("#reason", &format!("frais de tenue de compte{ENTER}")).await.unwrap();
    denis.browser.wait_for_text("frais de tenue de compte (denis").await.unwrap();
    let gift = dir.join("don.xml");
    let text = statement(&[(5_000, None)]).replace("DBIT", "CRDT").replace(">950.00<", ">1050.00<");
    write(&gift, &text.replace("2026-335", "2026-336"));
    claire.goto("/bank?lang=fr").await;
    claire.browser.keys("#file", &gift.display().to_string()).await.unwrap();
    claire.browser.click("form.stack button").await.unwrap();
    claire.browser.wait_for_text("Relevé importé").await.unwrap();
    let pages = [("bank-aside", "/bank/entries/4"), ("bank-credit", "/bank/entries/5")];
    claire.look_at(&pages).await;
    denis.look_at(&pages).await;
    claire.goto("/bank/entries/5?lang=fr").await;
    claire.walk_to("C’est un versement revenu\u{a0}: Règlement 1 – Biocoop du Bachut").await;
    claire.press(ENTER).await;
    claire.browser.wait_for_text("Versement revenu 1").await.unwrap();
    let pages = [("bank-credit-waits", "/bank/entries/5"), ("approvals-return", "/approvals")];
    claire.look_at(&pages).await;
    denis.look_at(&pages).await;
    denis.browser.click("main form button").await.unwrap();
    denis.browser.wait_for_text("Rien n’attend").await.unwrap();
    denis.goto("/bank/entries/5?lang=fr").await;
    denis.browser.wait_for_text("versements aux magasins").await.unwrap();
}
