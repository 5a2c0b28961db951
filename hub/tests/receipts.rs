//! The page and the command that check receipts without paper.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "a failed unwrap is the test's failure"
)]

use crate::common;

use cabas_protocol::e_receipt::{EReceipt, EReceiptLine, to_text};
use cabas_protocol::row::{Line, RowBody, Sale, Tier};
use cabas_protocol::{CardRef, CategoryId, Cents, PolicyId, PurseRef, Serial, Signer, Stan, Version};
use common::http::{self, Answer};
use common::site::Client;
use common::terminal::Terminal;
use common::{Fund, Hub};

const SHOP: &str = "biocoop-bachut";
const CARD: CardRef = CardRef::new([0xc1; 8]);
const PURSE: PurseRef = PurseRef::new([0xa1; 8]);

/// A terminal that sold for 12.50 € and told nobody yet.
fn sold(fund: &Fund, hub: &Hub) -> Terminal {
    let mut terminal = Terminal::enrol(hub, &fund.code(SHOP), 9);
    terminal.write_list_applied();
    let cents = |cents| Cents::new(cents).unwrap();
    terminal.write(RowBody::Sale(Sale {
        stan: Stan::new(42).unwrap(),
        card: CARD,
        tier: Tier::Plain,
        purse: PURSE,
        spent_after: cents(875),
        serial: Serial::new(1),
        lines: vec![Line {
            category: CategoryId::new(0),
            requested: cents(1250),
            fund: cents(875),
            member: cents(375),
        }],
        hot_list: Version::new(1),
        grid: Version::new(1),
        policy: PolicyId::new(1),
        request: None,
        asked: None,
        intent: None,
        card_counter: None,
        card_mac: None,
    }));
    terminal
}

fn receipt(terminal: &Terminal) -> EReceipt {
    let row = terminal.rows[1].read_trusted(Fund::ID).unwrap();
    EReceipt::of_row(row.payload(), None).unwrap()
}

fn ask(hub: &Hub, lang: &str, text: &str) -> Answer {
    Client::new(hub).post(&format!("/r?lang={lang}"), &[("receipt", text)])
}

#[test]
fn whoever_holds_a_receipt_may_check_it_without_a_login_a_cookie_or_a_script() {
    let fund = Fund::example();
    let hub = fund.serve();
    let mut terminal = sold(&fund, &hub);
    let text = to_text(&terminal.signer.sign(&receipt(&terminal)));
    let form = http::get(hub.address, "/r", "localhost");
    assert_eq!((form.status, form.header("set-cookie")), (200, None));
    assert!(form.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    assert!(form.text().contains("method=\"post\" action=\"/r\"") && !form.text().contains("csrf"), "{}", form.text());

    for (lang, pasted, said) in [
        ("fr", text.clone(), ["Authentique", "pas encore reçu", "12,50", "3,75"]),
        ("en", format!("https://hub.example.org/r#{text}"), ["Authentic", "not received", "12.50", "3.75"]),
    ] {
        let answer = ask(&hub, lang, &pasted);
        assert_eq!(answer.status, 200);
        for words in said.iter().chain(&["000042", "Biocoop"]) {
            assert!(answer.text().contains(words), "{words} is not in {}", answer.text());
        }
        for secret in [CARD.to_string(), PURSE.to_string(), text.clone()] {
            assert!(!answer.text().contains(&secret), "{secret}");
        }
    }
    terminal.sync(&hub, 0);
    assert!(ask(&hub, "fr", &text).text().contains("a reçu cette opération"));
    let told = fund.json(&["receipt", "check", &text]);
    assert_eq!(
        (&told["verdict"], &told["fund_cents"], &told["cents"]),
        (&"received".into(), &875.into(), &1250.into())
    );
    assert_eq!(told["lines"][0]["label_fr"], "Alimentation");
}

#[test]
fn forged_altered_and_broken_receipts_are_told_apart() {
    let fund = Fund::example();
    let hub = fund.serve();
    let mut terminal = sold(&fund, &hub);
    terminal.sync(&hub, 0);
    let good = receipt(&terminal);
    let more = EReceiptLine { fund: Cents::new(9_999).unwrap(), ..good.lines[0] };
    let stolen = to_text(&terminal.signer.sign(&EReceipt { lines: vec![more], ..good.clone() }));
    let forged = to_text(&Signer::from_seed(&[77; 32]).unwrap().sign(&good));
    let whole = to_text(&terminal.signer.sign(&good));
    let cut = whole[..whole.len() - 8].to_owned();
    for (text, status, said, refused) in [
        (forged, 200, "Aucun terminal de cette caisse", "not authentic"),
        (stolen, 200, "dit autre chose", "not confirmed"),
        (cut, 422, "pas un reçu entier", "not a whole receipt"),
        ("bonjour".to_owned(), 422, "pas un reçu entier", "not a whole receipt"),
        (String::new(), 422, "pas un reçu entier", "not a whole receipt"),
        ("<script>alert(1)</script>".to_owned(), 422, "&#60;script&#62;", "not a whole receipt"),
    ] {
        let answer = ask(&hub, "fr", &text);
        assert_eq!(answer.status, status, "{text}");
        assert!(answer.text().contains(said), "{said} is not in {}", answer.text());
        assert!(!answer.text().contains(">✓"), "{text}");
        let ended = fund.run(&["receipt", "check", "--", &text]);
        assert_eq!(ended.status.code(), Some(1), "{text}");
        assert!(String::from_utf8_lossy(&ended.stderr).contains(refused), "{ended:?}");
    }
    let large = ask(&hub, "fr", &"A".repeat(5_000));
    assert_eq!(large.status, 413);
}

#[test]
fn a_page_elsewhere_cannot_ask_and_who_asks_without_end_waits() {
    let fund = Fund::example();
    let hub = fund.serve();
    let mut client = Client::new(&hub);
    client.origin = "https://elsewhere.example".to_owned();
    assert_eq!(client.post("/r", &[("receipt", "x")]).status, 403);
    let mut client = Client::new(&hub);
    let statuses: Vec<u16> = (0..130).map(|_| client.post("/r", &[("receipt", "x")]).status).collect();
    assert!(statuses[..120].iter().all(|status| *status == 422), "{statuses:?}");
    assert!(statuses[120..].iter().all(|status| *status == 429), "{statuses:?}");
    // Checks do not count as tries to log in.
    client.get("/login");
    assert_eq!(client.post("/login", &[("name", "x"), ("password", "y")]).status, 401);
}
