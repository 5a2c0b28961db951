#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
use super::*;
use cabas_protocol::head::HeadContext;
use cabas_protocol::row::Origin;
use cabas_protocol::statement::Part;
use cabas_protocol::{FundId, Incarnation, ObjectType, TimeEpoch, Timestamp};

const OWN: Own = Own { terminal: TerminalId::new(7), epoch: Epoch::new(2) };
const HASH: Hash = Hash::new([0x11; 32]);

fn cents(cents: u64) -> Cents {
    Cents::new(cents).unwrap()
}

fn line(kind: LineKind, seq: u32, settled: u64, unpaid: u64, why: u16) -> StatementLine {
    let origin = Origin { terminal: OWN.terminal, epoch: OWN.epoch, seq: Seq::new(seq) };
    StatementLine { kind, origin, settled: cents(settled), unpaid: cents(unpaid), why }
}

/// Rows 2 to 5 and a sale above the cut.
fn journal() -> BTreeMap<Seq, OwnRow> {
    let row = |seq, kind, fund| (Seq::new(seq), OwnRow { kind, fund: cents(fund) });
    BTreeMap::from([
        row(2, LineKind::Sale, 800),
        row(3, LineKind::Sale, 500),
        row(4, LineKind::Reversal, 500),
        row(5, LineKind::Refund, 100),
        row(9, LineKind::Sale, 40),
    ])
}

/// Row 2 is paid in part, row 3 whole and undone by row 4, row 5 was granted.
fn statement() -> SettlementStatement {
    let context = HeadContext { fund: FundId::new(1), incarnation: Incarnation::new(1), time_epoch: TimeEpoch::new(0) };
    let (after, upto) = (Seq::new(1), Seq::new(8));
    SettlementStatement {
        head: context.head(ObjectType::SettlementStatement),
        settlement: 1,
        closed_at: Timestamp::new(1),
        shop: "A".to_owned(),
        parts: vec![Part { terminal: OWN.terminal, epoch: OWN.epoch, after, upto, hash: HASH }],
        lines: vec![
            line(LineKind::Sale, 2, 700, 100, 1),
            line(LineKind::Sale, 3, 500, 0, 0),
            line(LineKind::Reversal, 4, 500, 0, 0),
            line(LineKind::Refund, 5, 100, 0, 0),
        ],
        carried: cents(20),
        carry_on: Cents::ZERO,
        payout: cents(580),
        returned: Cents::ZERO,
    }
}

fn compared(statement: &SettlementStatement) -> Comparison {
    compare(OWN, &journal(), |_| Some(HASH), statement)
}

fn verdicts(found: &Comparison) -> Vec<(u32, Verdict)> {
    found.rows.iter().map(|row| (row.seq.get(), row.verdict)).collect()
}

#[test]
fn an_honest_statement_agrees_and_says_what_is_not_paid() {
    let found = compared(&statement());
    assert!(found.agrees(), "{found:?}");
    let same = Verdict::Same;
    assert_eq!(verdicts(&found), [(2, Verdict::Unpaid(1)), (3, same), (4, same), (5, same)]);
    assert_eq!((found.later_sales, found.later), (1, cents(40)));
}

#[test]
fn each_way_to_cheat_is_named_at_its_row() {
    type Bend = fn(&mut SettlementStatement);
    let cases: [(&str, Bend, u32, Verdict); 8] = [
        ("a sale left out", |s| s.lines.retain(|line| line.origin.seq != Seq::new(3)), 3, Verdict::Missing),
        ("a reversal left out", |s| s.lines.retain(|line| line.origin.seq != Seq::new(4)), 4, Verdict::Missing),
        ("a cent less", |s| s.lines[1].settled = cents(499), 3, Verdict::Differs),
        (
            "a cent moved to what is not paid is told",
            |s| s.lines[1] = line(LineKind::Sale, 3, 499, 1, 2),
            3,
            Verdict::Unpaid(2),
        ),
        ("a sale of nobody", |s| s.lines.push(line(LineKind::Sale, 6, 1, 0, 0)), 6, Verdict::Unknown),
        ("a refund nobody asked for", |s| s.lines.push(line(LineKind::Refund, 7, 1, 0, 0)), 7, Verdict::Unknown),
        ("a refund of more", |s| s.lines[3].settled = cents(101), 5, Verdict::Differs),
        ("a sale above the cut", |s| s.lines.push(line(LineKind::Sale, 9, 40, 0, 0)), 9, Verdict::Differs),
    ];
    for (what, bend, seq, verdict) in cases {
        let mut statement = statement();
        bend(&mut statement);
        let found = compared(&statement);
        assert!(verdicts(&found).contains(&(seq, verdict)), "{what}: {found:?}");
        assert_eq!(found.rows.iter().any(|row| row.verdict.is_wrong()), verdict.is_wrong(), "{what}");
    }
    let mut twice = statement();
    twice.lines.push(line(LineKind::Refund, 5, 100, 0, 0));
    assert!(verdicts(&compared(&twice)).contains(&(5, Verdict::Differs)), "the same refund taken back twice");
}

#[test]
fn sums_other_rows_and_other_terminals_are_told_apart() {
    let payout = SettlementStatement { payout: cents(579), ..statement() };
    assert!(!compared(&payout).adds_up && !compared(&payout).agrees());
    let found = compare(OWN, &journal(), |_| Some(Hash::new([0x22; 32])), &statement());
    assert_eq!((found.other_past, found.agrees()), (Some(Seq::new(8)), false), "the hub counted another journal");
    let found = compare(OWN, &journal(), |_| None, &statement());
    assert_eq!(found.other_past, Some(Seq::new(8)), "rows that the journal does not have");
    let other = Own { terminal: TerminalId::new(8), ..OWN };
    let found = compare(other, &journal(), |_| None, &statement());
    assert_eq!((found.rows.len(), found.lines_of_others, found.later_sales, found.agrees()), (0, 4, 3, true));
}
