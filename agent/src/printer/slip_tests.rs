//! Papers of closings in both widths and languages, held against what was read by eye.
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a failed unwrap is the test's failure")]

use super::tests::{config, show};
use super::*;
use crate::clock;
use crate::core::receipt::Language;
use crate::fixture::{Fund, HUB_TIME, cents};
use crate::journal::{CashierSum, CategorySum, Closing, Sums, Totals};
use crate::printer::PaperWidth;
use crate::service::closing_slip::{About, slip as compose};
use crate::service::closings::Figures;
use crate::texts::Texts;
use cabas_protocol::objects::{Category, Grid};
use cabas_protocol::row::{Close, ClosePeriod};
use cabas_protocol::{CategoryId, Hash, Seq, Timestamp, Version};
use proptest::prelude::*;

fn figures(cashiers: bool) -> Figures {
    let mut sums = Sums::default();
    for (id, sales, fund, member) in [(1, 31, 41_250, 0), (2, 18, 12_310, 5_276), (3, 2, 700, 1_300)] {
        sums.categories.insert(CategoryId::new(id), CategorySum { sales, fund: cents(fund), member: cents(member) });
    }
    if cashiers {
        sums.cashiers.insert(0, CashierSum { sales: 3, fund: cents(4_260) });
        sums.cashiers.insert(12, CashierSum { sales: 39, fund: cents(50_000) });
    }
    Figures {
        from: Seq::new(1_018),
        upto: Seq::new(1_083),
        totals: Totals {
            sales: 42,
            fund: cents(54_260),
            member: cents(6_576),
            reversed: cents(1_250),
            refunds: cents(990),
        },
        perpetual: cents(123_456_789),
        sums,
    }
}

fn closing(period: ClosePeriod, figures: &Figures) -> Closing {
    let Totals { sales, fund, member, reversed, refunds } = figures.totals;
    let (from, perpetual) = (figures.from, figures.perpetual);
    Closing {
        seq: figures.upto,
        hash: Hash::new([0xa5; 32]),
        at: Timestamp::new(HUB_TIME + 40_000),
        opened_at: Timestamp::new(HUB_TIME),
        close: Close { period, number: 12, from, sales, fund, member, reversed, refunds, perpetual },
    }
}

/// The times are the machine's zone's: they are replaced by others of the same length.
fn fixed(shown: String) -> String {
    let at = |seconds| date_time(clock::local(Timestamp::new(HUB_TIME + seconds)));
    shown.replace(&at(0), "28/11/2026 08:02").replace(&at(40_000), "28/11/2026 19:31")
}

/// `agent/testdata/closings.txt` was read by eye; a change of the layout is to be read there again.
#[test]
fn closings_look_as_they_were_read_by_eye() {
    let (folder, fund, texts) = (tempfile::tempdir().unwrap(), Fund::default(), Texts::default());
    let mut journal = fund.ready(folder.path(), 100);
    let category = |id, label_fr: &str, label_en: &str| Category {
        id: CategoryId::new(id),
        share_percent: 70,
        label_fr: label_fr.to_owned(),
        label_en: label_en.to_owned(),
    };
    let grid = Grid {
        head: fund.context().head(cabas_protocol::head::ObjectType::Grid),
        terminal: fund.terminal,
        version: Version::new(1),
        valid_from_day: 0,
        categories: vec![
            category(1, "Fruits et légumes bio", "Organic fruit and vegetables"),
            category(2, "Épicerie et œufs du marché couvert de la Croix-Rousse", "Groceries and eggs"),
        ],
    };
    fund.give(&mut journal, vec![fund.hub.sign(&grid).into_bytes()]);
    let state = journal.state();
    let mut pages = String::new();
    for language in [Language::French, Language::English] {
        for width in [PaperWidth::Mm58, PaperWidth::Mm80] {
            for (what, period, copies, cashiers) in [
                ("day, by cashier, printed again", Some(ClosePeriod::Day), 2, true),
                ("month", Some(ClosePeriod::Month), 0, false),
                ("year", Some(ClosePeriod::Year), 0, false),
                ("running", None, 0, true),
            ] {
                let figures = figures(cashiers);
                let closing = period.map(|period| closing(period, &figures));
                let about = About {
                    closing: closing.as_ref(),
                    figures: &figures,
                    opened_at: Some(Timestamp::new(HUB_TIME)),
                    at: Timestamp::new(HUB_TIME + 40_000),
                    copies,
                };
                let paper = compose(&state, &texts, language, &about).unwrap();
                let shown = fixed(show(&slip(&paper, &config(width))));
                pages.push_str(&format!("{language:?} {width:?} {what}\n{shown}\n"));
            }
        }
    }
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/closings.txt");
        std::fs::File::create(file).and_then(|mut to| std::io::Write::write_all(&mut to, pages.as_bytes())).unwrap();
    }
    assert_eq!(pages, include_str!("../../testdata/closings.txt"), "\n{pages}");
}

#[test]
fn what_does_not_add_up_is_not_printed() {
    let (folder, fund, texts) = (tempfile::tempdir().unwrap(), Fund::default(), Texts::default());
    let state = fund.ready(folder.path(), 100).state();
    let changes: [fn(&mut Figures); 4] = [
        |figures| figures.totals.fund = cents(54_261),
        |figures| figures.totals.member = cents(0),
        |figures| figures.sums.categories.retain(|id, _| *id != CategoryId::new(3)),
        |figures| figures.sums.cashiers.retain(|number, _| *number == 0),
    ];
    for (index, change) in changes.iter().enumerate() {
        let mut figures = figures(true);
        change(&mut figures);
        let about =
            About { closing: None, figures: &figures, opened_at: None, at: Timestamp::new(HUB_TIME), copies: 0 };
        assert!(compose(&state, &texts, Language::French, &about).is_err(), "{index}");
    }
}

#[test]
fn many_categories_are_summed_up_and_lose_nothing() {
    let (folder, fund, texts) = (tempfile::tempdir().unwrap(), Fund::default(), Texts::default());
    let state = fund.ready(folder.path(), 100).state();
    let mut figures = figures(false);
    figures.sums.categories.clear();
    for id in 0..5_000 {
        let sum = CategorySum { sales: 1, fund: cents(1), member: cents(0) };
        figures.sums.categories.insert(CategoryId::new(id), sum);
    }
    (figures.totals.fund, figures.totals.member) = (cents(5_000), cents(0));
    let about = About { closing: None, figures: &figures, opened_at: None, at: Timestamp::new(HUB_TIME), copies: 0 };
    let paper = slip(&compose(&state, &texts, Language::English, &about).unwrap(), &config(PaperWidth::Mm58));
    assert!(paper.len() < 200, "{}", paper.len());
    assert!(
        paper.iter().any(|line| line.text.starts_with("Others (4940)") && line.text.ends_with("49.40")),
        "{paper:?}"
    );
}

proptest! {
    #[test]
    fn no_line_of_a_slip_is_longer_than_the_paper_is_wide(label in any::<String>(), value in "[0-9 ,€]{0,20}", wide in any::<bool>()) {
        let config = config(if wide { PaperWidth::Mm80 } else { PaperWidth::Mm58 });
        let mut paper = Slip::default();
        paper.centred(label.clone(), true);
        paper.row(label, value.clone(), false);
        let lines = slip(&paper, &config);
        for line in &lines {
            prop_assert!(length(&line.text) <= config.width.columns() && !line.text.chars().any(char::is_control));
        }
        prop_assert!(lines.last().unwrap().text.ends_with(clean(&value, config.code_page).as_str()));
    }
}
