//! Faults planted straight into the file: verification finds each, and names it.

use super::world::{World, at};
use crate::store::FindingKind;

/// A fund in which everything has happened once.
fn lived_in() -> World {
    let mut world = World::credited();
    let (mut a, mut b) = (world.terminal("A"), world.terminal("B"));
    world.extend(&a, 1, 12_000);
    world.extend(&b, 2, 2_000);
    let mut thief = a.clone();
    a.start();
    a.sale(1, 1_000, 1_000, 1);
    a.sale(1, 500, 1_500, 2);
    a.sale(1, 500, 3_000, 2);
    a.hand_back(3, 4_000, 4_000, 1);
    b.sale(2, 2_500, 2_500, 1);
    world.sync(&mut a);
    world.sync(&mut b);
    let cut = world.db.read(|tx| tx.settlement_cut()).unwrap();
    world.db.write(|tx| tx.settlement_close(&cut, at(10))).unwrap().unwrap();
    thief.sale(1, 700, 700, 1);
    world.ingest(&thief.upload());
    a.sale(1, 100, 3_100, 2);
    world.sync(&mut a);
    world
}

#[test]
fn a_sound_file_has_no_findings() {
    let mut world = lived_in();
    let report = world.verify();
    assert_eq!(report.findings, []);
    assert_eq!((report.rows, report.found), (7, 0));
    assert!(report.transfers > 10 && report.accounts > 10);
}

/// What is wrong, where it shows, and how it was done.
const FAULTS: [(FindingKind, &str, &str); 35] = [
    (FindingKind::Account, "purse 1", "UPDATE accounts SET credits = credits + 1 WHERE id = (4 << 56) + 1"),
    (FindingKind::Account, "payable 1", "UPDATE accounts SET credits = credits + 1 WHERE id = (6 << 56) + 1"),
    (FindingKind::Overdrawn, "slice 2/2", "UPDATE accounts SET debits = 999999 WHERE id = (5 << 56) + (2 << 32) + 2"),
    (FindingKind::Transfer, "transfer 1", "UPDATE transfers SET cents = cents + 1 WHERE id = 1"),
    (FindingKind::Transfer, "transfer 5", "DELETE FROM transfers WHERE id = 4"),
    (FindingKind::Transfer, "transfer 9", "UPDATE transfers SET kind = 4 WHERE id = 9"),
    (
        FindingKind::Account,
        "all accounts",
        "INSERT INTO transfers SELECT id + 1, debit, credit, cents, kind, cause, debit_prev, credit_prev
             FROM transfers ORDER BY id DESC LIMIT 1",
    ),
    (
        FindingKind::Serial,
        "slice 1/1",
        "UPDATE serials SET allowed = allowed + 5 WHERE slice = (5 << 56) + (1 << 32) + 1 AND serial = 2",
    ),
    (
        FindingKind::Serial,
        "slice 1/1",
        "UPDATE serials SET allowed = 1 WHERE slice = (5 << 56) + (1 << 32) + 1 AND serial = 2",
    ),
    (FindingKind::Serial, "slice 1/1", "DELETE FROM serials WHERE slice = (5 << 56) + (1 << 32) + 1 AND serial = 1"),
    (FindingKind::Account, "slice 1/3", "UPDATE slices SET returned_cents = 3999 WHERE returned_cents = 4000"),
    (FindingKind::Credit, "credit 1", "UPDATE credits SET cents = cents + 100 WHERE id = 1"),
    (FindingKind::Credit, "credit 2", "UPDATE credits SET size = 2 WHERE id = 2"),
    (FindingKind::Conservation, "purse 1", "UPDATE credits SET cents = 1 WHERE id = 1"),
    (
        FindingKind::Claim,
        "terminal 1 epoch 1 row 2",
        "UPDATE rows SET settled = settled + 1 WHERE key = (SELECT min(key) FROM rows WHERE kind = 2)",
    ),
    (
        FindingKind::Claim,
        "terminal 1 epoch 1 row 2",
        "UPDATE rows SET settled = 0, over_right = 0 WHERE key = (SELECT min(key) FROM rows WHERE kind =
             2)",
    ),
    (FindingKind::Claim, "slice 1/1", "DELETE FROM holes"),
    (
        FindingKind::Row,
        "terminal 1 epoch 1 row 2",
        "UPDATE rows SET kind = 7 WHERE key = (SELECT min(key) FROM rows WHERE kind = 2)",
    ),
    (
        FindingKind::Signature,
        "terminal 1 epoch 1 row 2",
        "UPDATE rows SET envelope = CAST(substr(envelope, 1, length(envelope) - 1) || x'00' AS BLOB) WHERE key =
             (SELECT min(key) FROM rows WHERE kind = 2)",
    ),
    (
        FindingKind::Row,
        "terminal 1 epoch 1 row 2",
        "UPDATE rows SET envelope = x'00' WHERE key = (SELECT min(key) FROM rows WHERE kind = 2)",
    ),
    (
        FindingKind::Chain,
        "terminal 1 epoch 1 row 3",
        "DELETE FROM rows WHERE key = (SELECT min(key) FROM rows WHERE kind = 2)",
    ),
    (
        FindingKind::Chain,
        "terminal 1 epoch 1 row 5",
        "UPDATE epochs SET acked_seq = 5, settled_seq = 5 WHERE number = 1",
    ),
    (
        FindingKind::Signature,
        "terminal 1 epoch 1 row 1",
        "UPDATE epochs SET key = (SELECT key FROM epochs WHERE number = 2) WHERE number = 1",
    ),
    (FindingKind::Row, "all rows", "UPDATE rows SET key = key + (77 << 32) WHERE key & 0xffffffff = 6"),
    (
        FindingKind::Signature,
        "disputed row 1",
        "UPDATE disputed SET envelope = CAST(substr(envelope, 1, length(envelope) - 1) || x'00' AS BLOB)",
    ),
    (FindingKind::Row, "disputed row 1", "UPDATE disputed SET claimed = 1"),
    (FindingKind::Settlement, "settlement 1 shop 1", "UPDATE settlement_shops SET payout = payout + 1 WHERE shop = 1"),
    (FindingKind::Settlement, "settlement 1 shop 1", "DELETE FROM settlement_shops WHERE shop = 1"),
    (FindingKind::Settlement, "epoch 1", "UPDATE settlement_cuts SET to_seq = to_seq - 1 WHERE epoch = 1"),
    (FindingKind::Settlement, "settlement 3", "UPDATE settlements SET number = 3"),
    (FindingKind::Certificate, "signing key 1", "UPDATE signing_keys SET cert = x'd28440'"),
    (FindingKind::Joining, "shop A", "UPDATE joinings SET stage = 9 WHERE code = 'A'"),
    (FindingKind::Joining, "shop B", "DELETE FROM joining_steps WHERE joining = 2"),
    (FindingKind::Joining, "shop B", "DELETE FROM joinings WHERE code = 'B'"),
    (FindingKind::File, "cards", "UPDATE cards SET purse = 77 WHERE number = 1"),
];

#[test]
fn each_planted_fault_is_found_and_named() {
    for (kind, subject, sql) in FAULTS {
        let mut world = lived_in();
        world.tamper(sql);
        let report = world.verify();
        let found = report.findings.iter().any(|finding| finding.kind == kind && finding.subject.starts_with(subject));
        let all: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
        assert!(found, "{kind:?} of {subject} by {sql}\nfound: {all:#?}");
    }
}

#[test]
fn a_row_booked_twice_is_found() {
    let mut world = lived_in();
    // A second sale transfer for the same row, with all totals and chains made to fit.
    world.tamper(
        "INSERT INTO transfers SELECT (SELECT max(id) + 1 FROM transfers), debit, credit, cents, kind, cause,
            (SELECT newest FROM accounts WHERE id = debit), (SELECT newest FROM accounts WHERE id = credit)
            FROM transfers WHERE kind = 3 ORDER BY id LIMIT 1;
         UPDATE accounts SET debits = debits + 1000, newest = (SELECT max(id) FROM transfers)
            WHERE id = (SELECT debit FROM transfers ORDER BY id DESC LIMIT 1);
         UPDATE accounts SET credits = credits + 1000, newest = (SELECT max(id) FROM transfers)
            WHERE id = (SELECT credit FROM transfers ORDER BY id DESC LIMIT 1);",
    );
    let report = world.verify();
    let texts: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
    assert!(texts.iter().any(|text| text.contains("its cause was booked before")), "{texts:#?}");
    assert!(texts.iter().any(|text| text.starts_with("claim: slice 1/1")), "{texts:#?}");
}

#[test]
fn findings_are_counted_past_their_limit() {
    let mut report = crate::store::VerifyReport::default();
    for number in 0..crate::store::FINDINGS_MAX + 10 {
        report.add(FindingKind::Row, number.to_string(), "wrong");
    }
    assert_eq!(report.findings.len(), crate::store::FINDINGS_MAX);
    assert_eq!(report.found, 1_010);
    assert_eq!(report.findings[0].to_string(), "row: 0: wrong");
}
