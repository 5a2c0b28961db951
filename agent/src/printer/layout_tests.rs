#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a failed unwrap is the test's failure")]

use super::*;
use crate::core::receipt::{Language, ReceiptTexts, ReceiptTime};
use crate::printer::{CodePage, PaperWidth};
use cabas_protocol::{Stan, TerminalId};
use proptest::prelude::*;

/// Each line with its emphasis before it, and `~` for a no-break space.
pub(super) fn show(lines: &[PrintLine]) -> String {
    let mark = |line: &PrintLine| match line.emphasis {
        Emphasis::Plain => ' ',
        Emphasis::Bold => 'B',
        Emphasis::Tall => 'T',
    };
    lines.iter().map(|line| format!("{}|{}\n", mark(line), line.text.replace('\u{a0}', "~"))).collect()
}

/// `agent/testdata/receipts.txt` was read by eye; a change of the layout is to be read there again.
#[test]
fn receipts_look_as_they_were_read_by_eye() {
    let mut pages = String::new();
    for language in [Language::French, Language::English] {
        for width in [PaperWidth::Mm58, PaperWidth::Mm80] {
            pages.push_str(&format!("{language:?} {width:?}\n{}\n", show(&receipt(&sample(language), &config(width)))));
        }
    }
    for (width, kind) in [(PaperWidth::Mm58, Undo::Reversal), (PaperWidth::Mm80, Undo::Refund)] {
        for language in [Language::French, Language::English] {
            let shown = show(&receipt(&undone(language, kind), &config(width)));
            pages.push_str(&format!("{language:?} {width:?} {kind:?}\n{shown}\n"));
        }
    }
    pages.push_str(&format!("Test page\n{}", show(&test_page(&test_texts(), &config(PaperWidth::Mm58)))));
    assert_eq!(pages, include_str!("../../testdata/receipts.txt"), "\n{pages}");
}

#[test]
fn no_text_from_outside_breaks_the_lines_or_the_printer() {
    for evil in
        ["\u{1b}@\u{1d}V\u{0}", "\u{1b}[2J", "a\nTotal 0,00 €\nb", "\u{10}\u{4}\u{1}", "\u{202e}321", "\u{9b}2J"]
    {
        for width in [PaperWidth::Mm58, PaperWidth::Mm80] {
            for page in [CodePage::Wpc1252, CodePage::Pc858] {
                let config = PrinterConfig { width, code_page: page, ..PrinterConfig::default() };
                let harmless = receipt(&with_text("abc"), &config).len();
                let lines = receipt(&with_text(evil), &config);
                for line in &lines {
                    assert!(!line.text.chars().any(char::is_control), "{evil:?}: {line:?}");
                }
                assert!(lines.len() <= harmless + 2, "{evil:?} wraps, and adds no line of its own");
                assert!(!lines.iter().any(|line| line.text.trim_start().starts_with("Total 0")), "{evil:?}");
            }
        }
    }
}

#[test]
fn a_long_text_is_cut_off_and_the_amounts_stay() {
    let long = "x".repeat(10_000);
    let lines = receipt(&with_text(&long), &config(PaperWidth::Mm58));
    assert!(lines.len() < 60, "{}", lines.len());
    assert!(lines.iter().any(|line| line.text.ends_with(" 1\u{a0}247,00\u{a0}€")), "{lines:?}");
}

#[test]
fn copies_training_and_proof_are_marked() {
    let config = config(PaperWidth::Mm58);
    let lines_with = |change: fn(&mut ReceiptParts)| {
        let mut parts = sample_parts(Language::French);
        parts.show_not_proven = false;
        change(&mut parts);
        show(&receipt(&Receipt::new(parts).unwrap(), &config))
    };
    let plain = lines_with(|_| {});
    for mark in ["DUPLICATA", "FORMATION", "non prouvée"] {
        assert!(!plain.contains(mark), "{mark}");
    }
    assert_eq!(lines_with(|parts| parts.duplicate = Some(2)).matches("*** DUPLICATA 2 ***").count(), 2);
    assert_eq!(lines_with(|parts| parts.training = true).matches("*** FORMATION – SANS VALEUR ***").count(), 2);
    assert_eq!(lines_with(|parts| parts.show_not_proven = true).matches("carte non prouvée").count(), 1);
}

proptest! {
    #[test]
    fn no_line_is_longer_than_the_paper_is_wide(
        text in any::<String>(), words in "[a-zé œ\u{a0}]{0,200}", cents in 0..=100_000_000u64, wide in any::<bool>(), page in any::<bool>(),
    ) {
        let config = PrinterConfig {
            width: if wide { PaperWidth::Mm80 } else { PaperWidth::Mm58 },
            code_page: if page { CodePage::Wpc1252 } else { CodePage::Pc858 },
            ..PrinterConfig::default()
        };
        for text in [&text, &words] {
            let mut parts = with_text(text).parts().clone();
            let cents = Cents::new(cents).unwrap();
            parts.lines.push(ReceiptLine { label: text.clone(), requested: cents, fund: Cents::ZERO, member: cents });
            for line in receipt(&Receipt::new(parts).unwrap(), &config) {
                prop_assert!(length(&line.text) <= config.width.columns(), "{:?}", line);
                prop_assert_eq!(clean(&line.text, config.code_page), line.text.clone());
            }
        }
    }
}

/// Every text of the sample that comes from outside, replaced.
fn with_text(text: &str) -> Receipt {
    let mut parts = sample_parts(Language::French);
    parts.shop = text.to_owned();
    parts.fund = text.to_owned();
    parts.helpline = Some(text.to_owned());
    parts.till_ref = Some(text.to_owned());
    for line in &mut parts.lines {
        line.label = text.to_owned();
    }
    Receipt::new(parts).unwrap()
}

fn test_texts() -> TestPageTexts {
    TestPageTexts {
        title: "Page d’essai".to_owned(),
        check: "Si cette page se lit bien, l’imprimante est prête.".to_owned(),
    }
}

pub(super) fn config(width: PaperWidth) -> PrinterConfig {
    PrinterConfig { width, ..PrinterConfig::default() }
}

fn cents(cents: u64) -> Cents {
    Cents::new(cents).unwrap()
}

fn texts(language: Language) -> ReceiptTexts {
    let words: [&str; 12] = match language {
        Language::French => [
            "Reçu de paiement",
            "Reçu de paiement – ne vaut pas facture ni ticket de caisse",
            "Terminal",
            "N°",
            "Caisse",
            "Total",
            "Part du fonds",
            "Part du membre",
            "DUPLICATA",
            "FORMATION – SANS VALEUR",
            "Accepté, carte non prouvée",
            "Aide :",
        ],
        Language::English => [
            "Payment receipt",
            "Payment receipt – not an invoice nor a till receipt",
            "Terminal",
            "No.",
            "Till",
            "Total",
            "Fund’s part",
            "Member’s part",
            "DUPLICATE",
            "TRAINING – NO VALUE",
            "Accepted, card not proven",
            "Help:",
        ],
    };
    let [
        title,
        not_an_invoice,
        terminal,
        number,
        till,
        total,
        fund_part,
        member_part,
        duplicate,
        training,
        not_proven,
        helpline,
    ] = words.map(str::to_owned);
    ReceiptTexts {
        title,
        not_an_invoice,
        terminal,
        number,
        till,
        total,
        fund_part,
        member_part,
        duplicate,
        training,
        not_proven,
        helpline,
    }
}

fn sample_parts(language: Language) -> ReceiptParts {
    let line = |label: &str, requested, fund| ReceiptLine {
        label: label.to_owned(),
        requested: cents(requested),
        fund: cents(fund),
        member: cents(requested - fund),
    };
    let labels = match language {
        Language::French => ["Fruits et légumes bio", "Épicerie et œufs du marché couvert de la Croix-Rousse"],
        Language::English => ["Organic fruit and vegetables", "Groceries and eggs"],
    };
    let [fruit, groceries] = labels;
    ReceiptParts {
        shop: "Biocoop – Lyon 8ᵉ".to_owned(),
        fund: "Caisse alimentaire commune de Lyon".to_owned(),
        helpline: Some("04 72 00 00 00".to_owned()),
        at: ReceiptTime { year: 2026, month: 7, day: 5, hour: 9, minute: 4 },
        terminal: TerminalId::new(12),
        stan: Stan::new(123).unwrap(),
        till_ref: Some("T2-88412".to_owned()),
        lines: vec![line(fruit, 123_450, 123_450), line(groceries, 1_250, 875)],
        duplicate: None,
        training: false,
        show_not_proven: true,
        language,
        texts: texts(language),
    }
}

#[derive(Clone, Copy, Debug)]
enum Undo {
    Reversal,
    Refund,
}

/// The words are those of `agent/locales`.
fn undone(language: Language, kind: Undo) -> Receipt {
    let mut parts = sample_parts(language);
    parts.show_not_proven = false;
    let (title, notes): (_, [&str; 2]) = match (kind, language) {
        (Undo::Reversal, Language::French) => {
            ("ANNULATION", ["Annule le paiement N° 000122.", "Le montant est de nouveau disponible."])
        }
        (Undo::Reversal, Language::English) => {
            ("REVERSAL", ["Reverses payment No. 000122.", "The amount is available again."])
        }
        (Undo::Refund, Language::French) => (
            "DEMANDE DE REMBOURSEMENT",
            ["Pour le paiement N° 000122.", "La part de la caisse sera créditée dès que le réseau revient."],
        ),
        (Undo::Refund, Language::English) => (
            "REFUND REQUEST",
            ["For payment No. 000122.", "The fund’s part will be credited when the network is back."],
        ),
    };
    parts.texts.title = title.to_owned();
    Receipt::new(parts).unwrap().with_notes(notes.map(str::to_owned).to_vec())
}

fn sample(language: Language) -> Receipt {
    Receipt::new(sample_parts(language)).unwrap()
}

#[test]
fn lines_break_between_words_after_hyphens_and_evenly() {
    for (text, columns, even) in [
        ("Caisse de l’alimentation, Lyon 8e", 32, &["Caisse de", "l’alimentation, Lyon 8e"][..]),
        ("one two three four", 14, &["one two", "three four"]),
        ("longestword ab cd", 14, &["longestword", "ab cd"]),
        ("short", 32, &["short"]),
        ("", 32, &[]),
    ] {
        assert_eq!(balanced(text, columns), even, "{text}");
    }
    assert_eq!(wrap("fromages-fermiers-au-lait", 20), ["fromages-fermiers-", "au-lait"]);
    assert_eq!(wrap("fromagesfermiers", 10), ["fromagesfe", "rmiers"]);
    assert_eq!(wrap("-----", 2), ["--", "--", "-"]);
}
