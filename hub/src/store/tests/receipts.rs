//! Receipts without paper: forged, copied, altered, of terminals that were closed.

use cabas_protocol::e_receipt::EReceipt;
use cabas_protocol::head::ObjectType;
use cabas_protocol::{Row, RowBody, Signed, Stan, TerminalId};

use super::world::{CONTEXT, NOW, Terminal, World, cents, sale, signer};
use crate::core::receipts::ReceiptVerdict;
use crate::store::{ReceiptCheck, SignedReceipt};

fn world() -> (World, Terminal) {
    let mut world = World::credited();
    let mut terminal = world.terminal("A");
    terminal.start();
    terminal.sale(1, 1_250, 1_250, 1);
    (world, terminal)
}

fn row(terminal: &Terminal, index: usize) -> Row {
    terminal.journal[index].read_trusted(CONTEXT.fund).unwrap().into_payload()
}

/// The receipt of the sale that stands second in a journal.
fn receipt(terminal: &Terminal) -> EReceipt {
    EReceipt::of_row(&row(terminal, 1), None).unwrap()
}

fn check(world: &mut World, signed: &Signed<EReceipt>) -> ReceiptCheck {
    world.db.read(|tx| tx.receipt_check(signed)).unwrap()
}

fn signed(world: &mut World, signed: &Signed<EReceipt>) -> SignedReceipt {
    let ReceiptCheck::Signed(found) = check(world, signed) else { panic!("{:?}", check(world, signed)) };
    *found
}

fn verdict(world: &mut World, receipt: &Signed<EReceipt>) -> ReceiptVerdict {
    signed(world, receipt).verdict
}

#[test]
fn a_receipt_is_authentic_before_its_row_comes_and_after() {
    let (mut world, mut terminal) = world();
    let paper = terminal.signer().sign(&receipt(&terminal));
    assert_eq!(verdict(&mut world, &paper), ReceiptVerdict::NotReceived);
    world.sync(&mut terminal);
    let found = signed(&mut world, &paper);
    assert_eq!((found.verdict, found.receipt.fund().unwrap()), (ReceiptVerdict::Received, cents(1_250)));
    assert_eq!(found.shop, "Shop A");
    assert_eq!(found.categories.len(), 1, "{:?}", found.categories);
    assert_eq!(verdict(&mut world, &paper), ReceiptVerdict::Received, "a copy is as good");
    world.audit();
}

#[test]
fn reversals_and_refunds_are_made_again_from_their_rows() {
    let (mut world, mut terminal) = world();
    terminal.reversal(1, 2, 1_250, 1_250);
    terminal.sale(1, 700, 1_950, 1);
    let place = terminal.place(4);
    terminal.refund(1, place, 300, 9);
    let undone = EReceipt::of_row(&row(&terminal, 2), Some(&row(&terminal, 1))).unwrap();
    let refund = EReceipt::of_row(&row(&terminal, 4), None).unwrap();
    let papers = [undone, refund].map(|paper| terminal.signer().sign(&paper));
    for after in [ReceiptVerdict::NotReceived, ReceiptVerdict::Received] {
        if after == ReceiptVerdict::Received {
            world.sync(&mut terminal);
        }
        for paper in &papers {
            assert_eq!(verdict(&mut world, paper), after);
        }
    }
}

#[test]
fn whoever_has_no_key_of_a_terminal_signs_nothing_that_counts() {
    let (mut world, terminal) = world();
    let good = receipt(&terminal);
    let unknown = EReceipt { terminal: TerminalId::new(999), ..good.clone() };
    let other_fund =
        EReceipt { head: cabas_protocol::Head { fund: cabas_protocol::FundId::new(1), ..good.head }, ..good.clone() };
    let other_terminal = world.terminal("B");
    for (key, paper) in [
        (signer(250), &good),
        (other_terminal.signer(), &good),
        (terminal.signer(), &unknown),
        (terminal.signer(), &other_fund),
    ] {
        assert_eq!(check(&mut world, &key.sign(paper)), ReceiptCheck::NotOurs, "{paper:?}");
    }
    let bytes = terminal.signer().sign(&good).into_bytes();
    for index in 0..bytes.len() {
        let mut bent = bytes.clone();
        bent[index] ^= 1;
        let bent = Signed::from_bytes(bent).unwrap();
        let found = check(&mut world, &bent);
        assert!(matches!(found, ReceiptCheck::NotOurs | ReceiptCheck::Unreadable), "byte {index}: {found:?}");
    }
    let cut = Signed::from_bytes(bytes[..bytes.len() - 1].to_vec()).unwrap();
    assert_eq!(check(&mut world, &cut), ReceiptCheck::Unreadable);
    // The row itself, which the same key signed, is none.
    let row = Signed::from_bytes(terminal.journal[1].as_bytes().to_vec()).unwrap();
    assert!(!matches!(check(&mut world, &row), ReceiptCheck::Signed(_)));
}

#[test]
fn a_stolen_key_cannot_rewrite_what_the_fund_has() {
    let (mut world, mut terminal) = world();
    world.sync(&mut terminal);
    let good = receipt(&terminal);
    let mut more = good.clone();
    more.lines[0].fund = cents(9_999);
    let later = EReceipt { at: good.at.after_s(86_400), ..good.clone() };
    let other_number = EReceipt { stan: Stan::new(77).unwrap(), ..good.clone() };
    // The first row is a start: no receipt is of it.
    let of_a_start = EReceipt { seq: cabas_protocol::Seq::FIRST, ..good };
    for forged in [more, later, other_number, of_a_start] {
        let paper = terminal.signer().sign(&forged);
        assert_eq!(verdict(&mut world, &paper), ReceiptVerdict::Contradicted, "{forged:?}");
    }
}

#[test]
fn beyond_the_end_of_a_closed_enrolment_nothing_is_confirmed_and_before_it_all_is() {
    let (mut world, mut terminal) = world();
    world.sync(&mut terminal);
    let before = terminal.signer().sign(&receipt(&terminal));
    world.close(&terminal, "claire", "paul");
    terminal.sale(1, 500, 1_750, 1);
    let after = EReceipt::of_row(&row(&terminal, 2), None).unwrap();
    let after = terminal.signer().sign(&after);
    let closed = ReceiptVerdict::Closed { since: NOW };
    assert_eq!([verdict(&mut world, &before), verdict(&mut world, &after)], [ReceiptVerdict::Received, closed]);
    // The row comes all the same, and is kept as over-right.
    world.sync(&mut terminal);
    assert_eq!(verdict(&mut world, &after), closed);
    let again = world.enrol_again(terminal.id);
    assert_eq!(
        check(&mut world, &again.signer().sign(&receipt(&terminal))),
        ReceiptCheck::NotOurs,
        "another enrolment's key"
    );
}

#[test]
fn a_revoked_terminal_is_believed_only_for_what_came() {
    let (mut world, mut terminal) = world();
    world.sync(&mut terminal);
    terminal.sale(1, 500, 1_750, 1);
    let papers = [1, 2].map(|index| {
        let paper = EReceipt::of_row(&row(&terminal, index), None).unwrap();
        terminal.signer().sign(&paper)
    });
    let id = terminal.id;
    world.db.write(|tx| tx.terminal_revoke(id, NOW)).unwrap();
    let verdicts = papers.each_ref().map(|paper| verdict(&mut world, paper));
    assert_eq!(verdicts, [ReceiptVerdict::Received, ReceiptVerdict::Revoked]);
    // It was off line, and hands in what it sold before.
    world.sync(&mut terminal);
    assert_eq!(verdict(&mut world, &papers[1]), ReceiptVerdict::Received);
}

#[test]
fn a_row_that_does_not_fit_its_journal_keeps_its_receipt() {
    let (mut world, mut terminal) = world();
    let mut fork = terminal.clone();
    world.sync(&mut terminal);
    // The other future of the same terminal sold something else in the same place.
    (fork.head, fork.journal) = (fork.head_at(1), fork.journal[..1].to_vec());
    fork.write(RowBody::Sale(sale(1, 3_000, 3_000, 1)));
    let paper = fork.signer().sign(&receipt(&fork));
    assert_eq!(verdict(&mut world, &paper), ReceiptVerdict::Contradicted);
    let upload = fork.upload();
    world.ingest(&upload);
    assert_eq!(verdict(&mut world, &paper), ReceiptVerdict::Disputed);
}

#[test]
fn a_category_that_the_grid_of_the_day_did_not_have_has_no_name_and_no_day_is_too_late() {
    let (mut world, mut terminal) = world();
    let (mut odd, mut ancient) = (receipt(&terminal), receipt(&terminal));
    odd.at = cabas_protocol::Timestamp::new(u64::MAX);
    odd.lines[0].category = cabas_protocol::CategoryId::new(400);
    let found = signed(&mut world, &terminal.signer().sign(&odd));
    assert!(found.categories.iter().all(|category| category.id != odd.lines[0].category));
    ancient.head.object_type = ObjectType::Row;
    assert_eq!(check(&mut world, &terminal.signer().sign(&ancient)), ReceiptCheck::NotOurs);
    world.sync(&mut terminal);
}
