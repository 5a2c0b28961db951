//! Receipts as pictures: what the printer gets, decoded again by a decoder that is not the agent's and drawn dot by dot on 58
//! and 80 mm. The pictures lie beside those of the pages, to be looked at.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    reason = "a failed unwrap is the test's failure"
)]

use cabas_agent::core::receipt::{Language, Receipt, ReceiptLine, ReceiptParts, ReceiptTime};
use cabas_agent::printer::{self, JobOutcome, PaperWidth, PrinterConfig, PrinterHandle, PrinterTarget};
use cabas_agent::texts::{ReceiptKind, Texts};
use cabas_protocol::{Cents, Stan, TerminalId};
use cabas_tests::browser::Browser;
use cabas_tests::program::pictures;
use cabas_tests::virtual_printer::picture::{html, sticking_out};
use cabas_tests::virtual_printer::{DecodedReceipt, VirtualPrinter};

const WIDTHS: [(PaperWidth, usize); 2] = [(PaperWidth::Mm58, 32), (PaperWidth::Mm80, 48)];

/// What is printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Case {
    Sale,
    Sixteen,
    Part,
    LongNames,
    NotProven,
    Refund,
    Reversal,
    Duplicate,
    Training,
    TestPage,
}

const CASES: [(Case, &str); 10] = [
    (Case::Sale, "sale"),
    (Case::Sixteen, "sixteen"),
    (Case::Part, "part"),
    (Case::LongNames, "long-names"),
    (Case::NotProven, "not-proven"),
    (Case::Refund, "refund"),
    (Case::Reversal, "reversal"),
    (Case::Duplicate, "duplicate"),
    (Case::Training, "training"),
    (Case::TestPage, "test-page"),
];

fn cents(cents: u64) -> Cents {
    Cents::new(cents).unwrap()
}

fn line(label: &str, fund: u64, member: u64) -> ReceiptLine {
    let label = label.to_owned();
    ReceiptLine { label, requested: cents(fund + member), fund: cents(fund), member: cents(member) }
}

fn receipt(case: Case, language: Language) -> Receipt {
    let texts = Texts::default();
    let kind = match case {
        Case::Reversal => ReceiptKind::Reversal,
        Case::Refund => ReceiptKind::Refund,
        _ => ReceiptKind::Sale,
    };
    let goods = if language == Language::French { "Fruits et légumes" } else { "Fruit and vegetables" };
    let lines = match case {
        Case::Sixteen => (1..=16)
            .map(|number| match number % 3 {
                0 => line(&format!("{goods} {number}"), 700 * number, 300 * number),
                1 => line(&format!("Épicerie sèche en vrac, céréales et légumineuses {number}"), 1_234, 0),
                _ => line(&format!("Crèmerie {number}"), 99_999, 1),
            })
            .collect(),
        Case::Part => vec![line(goods, 1_250, 2_050)],
        Case::LongNames => vec![
            line("Produits-laitiers-et-fromages-fermiers-au-lait-cru-de-montagne", 123_456, 76_544),
            line("Œufs & volailles « plein air »", 450, 0),
        ],
        _ => vec![line(goods, 1_250, 0)],
    };
    let (shop, fund) = match case {
        Case::LongNames => (
            "Coopérative des producteurs et consommateurs de la Croix-Rousse et du Plateau",
            "Caisse commune de l’alimentation de la métropole de Lyon",
        ),
        _ => ("Épicerie des Œillets", "Caisse de l’alimentation, Lyon 8e"),
    };
    let note = |id| texts.with(language, id, &[("stan", "000041")]);
    let notes = match case {
        Case::Reversal => vec![note("receipt-note-reverses"), note("receipt-note-available-again")],
        Case::Refund => vec![note("receipt-note-refunds"), note("receipt-note-refund-offline")],
        _ => Vec::new(),
    };
    let parts = ReceiptParts {
        shop: shop.to_owned(),
        fund: fund.to_owned(),
        helpline: Some("04 00 00 00 00".to_owned()),
        at: ReceiptTime { year: 2026, month: 11, day: 28, hour: 9, minute: 4 },
        terminal: TerminalId::new(if case == Case::LongNames { u32::MAX } else { 7 }),
        stan: Stan::new(42).unwrap(),
        till_ref: (case == Case::LongNames).then(|| "CAISSE-2/TICKET-20261128-000000042-A".to_owned()),
        lines,
        duplicate: (case == Case::Duplicate).then_some(2),
        training: case == Case::Training,
        show_not_proven: case == Case::NotProven,
        language,
        texts: texts.receipt(language, kind),
    };
    Receipt::new(parts).unwrap().with_notes(notes)
}

/// Prints it and reads what came out.
async fn printed(case: Case, language: Language, width: PaperWidth) -> DecodedReceipt {
    let paper = VirtualPrinter::start().unwrap();
    let target = PrinterTarget::Tcp { host: "127.0.0.1".to_owned(), port: paper.port() };
    let printer: PrinterHandle = printer::start(PrinterConfig { target, width, ..PrinterConfig::default() }).unwrap();
    let (_, outcome) = match case {
        Case::TestPage => printer.test_page(Texts::default().test_page(language)).unwrap(),
        _ => printer.print_and_tell(receipt(case, language)).unwrap(),
    };
    assert_eq!(outcome.await.unwrap(), JobOutcome::Printed);
    paper.wait_for_receipts(1).unwrap().remove(0)
}

#[tokio::test]
async fn nothing_that_is_printed_is_wider_than_the_paper_or_lost_at_its_edge() {
    for language in [Language::French, Language::English] {
        for (case, name) in CASES {
            for (width, columns) in WIDTHS {
                let out = printed(case, language, width).await;
                assert_eq!((out.unknown.as_slice(), out.cuts), (&[][..], 1), "{name}");
                for line in &out.lines {
                    assert!(line.text.chars().count() <= columns && !line.wide, "{name}: {line:?}");
                }
                let text = out.text().replace('\u{a0}', " ");
                let amounts: &[&str] = match (case, language) {
                    (Case::TestPage, _) => &["0,00 €"],
                    (Case::LongNames, Language::French) => &["2 000,00 €", "1 239,06 €", "765,44 €"],
                    (Case::LongNames, Language::English) => &["€2,000.00", "€1,239.06", "€765.44"],
                    (Case::Part, Language::French) => &["33,00 €", "12,50 €", "20,50 €"],
                    (Case::Part, Language::English) => &["€33.00", "€12.50", "€20.50"],
                    (Case::Sixteen, Language::French) => &["5 524,04 €"],
                    (Case::Sixteen, Language::English) => &["€5,524.04"],
                    (_, Language::French) => &["12,50 €"],
                    (_, Language::English) => &["€12.50"],
                };
                for amount in amounts {
                    assert!(
                        out.lines.iter().any(|line| line.text.replace('\u{a0}', " ").ends_with(amount)),
                        "{name}: {amount} in\n{text}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn receipts_are_drawn_as_the_printer_would() {
    let folder = pictures().unwrap();
    let browser = Browser::open(1_020, 2_600).await.unwrap();
    browser.goto("data:text/html,<title>receipt</title>").await.unwrap();
    for (language, code) in [(Language::French, "fr"), (Language::English, "en")] {
        for (case, name) in CASES {
            let mut papers = String::new();
            for (width, columns) in WIDTHS {
                papers.push_str(&html(&printed(case, language, width).await, columns));
            }
            let sticking_out = sticking_out(&browser, &papers).await.unwrap();
            assert_eq!(sticking_out, serde_json::json!([]), "{name}");
            browser.screenshot(&folder.join(format!("receipt-{name}-{code}.png"))).await.unwrap();
        }
    }
    browser.close().await.unwrap();
}
