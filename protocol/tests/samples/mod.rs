//! One object of every type and one row of every kind, with fixed keys and values. `testdata/check_vectors.py` builds
//! the same objects from `wire.md` alone.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    unreachable_pub,
    dead_code,
    missing_docs,
    reason = "fixed values, shared by test programs that each use some"
)]

use cabas_protocol::card_session::{CardSessionAnswer, CardSessionRequest};
use cabas_protocol::e_receipt::{EReceipt, EReceiptKind, EReceiptLine};
use cabas_protocol::enrol::{Code, EnrolAnswer, EnrolRequest, TerminalSecrets};
use cabas_protocol::extend::{ExtendAnswer, ExtendRequest};
use cabas_protocol::head::HeadContext;
use cabas_protocol::hot_list::HotList;
use cabas_protocol::ids::BootId;
use cabas_protocol::keys::{KeyCert, SlotKey};
use cabas_protocol::objects::{Binding, Category, Grid, Policy, TerminalConfig};
use cabas_protocol::refusal::Refusal;
use cabas_protocol::release::{AboutAnswer, AboutRequest, PieceAnswer, PieceRequest, Release, UpgradePhase};
use cabas_protocol::row::{
    CardDebit, CardWritten, CashierChange, ClockQuality, ClockSet, Close, ClosePeriod, Configured, Courier,
    DoubtResolved, Line, ListApplied, Origin, RefundRequest, Return, Reversal, RowTime, Sale, Start, Tier, Training,
};
use cabas_protocol::sign::Payload;
use cabas_protocol::statement::{LineKind, Part, SettlementStatement, StatementLine};
use cabas_protocol::sync::{HeldList, Recall, RefundDecision, Standing, SyncAnswer, SyncRequest, TerminalStatus};
use cabas_protocol::*;
use minicbor::bytes::ByteVec;

pub const CONTEXT: HeadContext =
    HeadContext { fund: FundId::new(69_008), incarnation: Incarnation::new(1), time_epoch: TimeEpoch::new(0) };
pub const NOW: Timestamp = Timestamp::new(1_796_000_000);
pub const TERMINAL: TerminalId = TerminalId::new(7);
pub const EPOCH: Epoch = Epoch::new(2);
pub const PURSE: PurseRef = PurseRef::new([0xa1; 8]);
pub const CARD: CardRef = CardRef::new([0xc1; 8]);
pub const REQUEST: RequestId = RequestId::new([0x5e; 8]);
pub const HASH: Hash = Hash::new([0x11; 32]);

pub fn root() -> Signer {
    Signer::from_seed(&[1; 32]).unwrap()
}

pub fn hub() -> Signer {
    Signer::from_seed(&[2; 32]).unwrap()
}

pub fn terminal() -> Signer {
    Signer::from_seed(&[3; 32]).unwrap()
}

pub fn cents(cents: u64) -> Cents {
    Cents::new(cents).unwrap()
}

pub fn balance(scope: Scope) -> SignedBalance {
    SignedBalance {
        head: CONTEXT.head(ObjectType::Balance),
        purse: PURSE,
        scope,
        serial: Serial::new(12),
        allowed: cents(26_500),
        policy: PolicyId::new(3),
        issued_at: NOW,
        valid_for_s: 3_024_000,
    }
}

pub fn line() -> Line {
    Line { category: CategoryId::new(0), requested: cents(1250), fund: cents(875), member: cents(375) }
}

pub fn sale() -> Sale {
    Sale {
        stan: Stan::new(42).unwrap(),
        card: CARD,
        tier: Tier::Plain,
        purse: PURSE,
        spent_after: cents(4875),
        serial: Serial::new(12),
        lines: vec![line()],
        hot_list: Version::new(9),
        grid: Version::new(4),
        policy: PolicyId::new(3),
        request: Some(REQUEST),
        asked: None,
        intent: None,
        card_counter: None,
        card_mac: None,
    }
}

pub fn row_of(seq: u32, prev: Hash, body: RowBody) -> Row {
    Row {
        head: CONTEXT.head(ObjectType::Row),
        terminal: TERMINAL,
        epoch: EPOCH,
        seq: Seq::new(seq),
        prev,
        time: RowTime {
            boot: BootId::new([0xb0; 8]),
            monotonic_ms: 86_400_000,
            wall: NOW,
            quality: ClockQuality::Synced,
        },
        body,
    }
}

/// One body of every kind; the last is of no kind that is known.
#[allow(clippy::too_many_lines, reason = "one of each kind")]
pub fn bodies() -> Vec<RowBody> {
    let origin = Origin { terminal: TerminalId::new(8), epoch: Epoch::new(1), seq: Seq::new(77) };
    let debit = CardDebit {
        stan: Stan::new(43).unwrap(),
        card: CARD,
        purse: PURSE,
        cents: cents(875),
        spent_before: cents(4000),
        card_counter: 5,
    };
    let purse_sale = Sale {
        tier: Tier::Purse,
        request: None,
        asked: Some(cents(2000)),
        intent: Some(Seq::new(6)),
        card_counter: Some(6),
        card_mac: Some(ByteVec::from(vec![0xcc; 8])),
        lines: vec![line(), Line { category: CategoryId::new(300), ..line() }],
        ..sale()
    };
    let refund = RefundRequest {
        stan: Stan::new(44).unwrap(),
        original: origin,
        purse: PURSE,
        lines: vec![line()],
        request: REQUEST,
    };
    let close = Close {
        period: ClosePeriod::Day,
        number: 1,
        from: Seq::FIRST,
        sales: 2,
        fund: cents(1750),
        member: cents(750),
        reversed: cents(875),
        refunds: Cents::ZERO,
        perpetual: cents(1_234_567_890),
    };
    let unknown = codec::RawItem::of(&vec![1_u8, 2]);
    vec![
        RowBody::Start(Start { program: "cabas-agent 0.1.0".to_owned() }),
        RowBody::Sale(sale()),
        RowBody::Sale(purse_sale),
        RowBody::RefundRequest(refund),
        RowBody::Reversal(Reversal {
            stan: Stan::new(45).unwrap(),
            sale: Seq::new(2),
            purse: PURSE,
            cents: cents(875),
            reversed_after: cents(875),
        }),
        RowBody::Return(Return {
            purse: PURSE,
            cents: cents(1000),
            spent_after: cents(5875),
            serial: Serial::new(12),
            request: Some(REQUEST),
        }),
        RowBody::ListApplied(ListApplied { version: Version::new(9) }),
        RowBody::Intent(debit.clone()),
        RowBody::InDoubt(debit),
        RowBody::DoubtResolved(DoubtResolved { doubt: origin, debited: true }),
        RowBody::Courier(Courier { origin, card: CARD, purse: PURSE, record: ByteVec::from(vec![0xdd; 48]) }),
        RowBody::Close(close),
        RowBody::CashierChange(CashierChange { cashier: 3 }),
        RowBody::Training(Training { on: true }),
        RowBody::ClockSet(ClockSet { before: Timestamp::new(0), after: NOW }),
        RowBody::Configured(Configured { config: Version::new(2), grid: Version::new(4), policy: PolicyId::new(3) }),
        RowBody::CardWritten(CardWritten {
            card: CARD,
            purse: PURSE,
            serial: Serial::new(12),
            card_counter: 78,
            card_mac: ByteVec::from(vec![0xcc; 8]),
        }),
        RowBody::Unknown { kind: 999, body: unknown },
    ]
}

pub fn head(object_type: ObjectType) -> Head {
    CONTEXT.head(object_type)
}

fn bytes<T>(signed: Signed<T>) -> ByteVec
where
    T: Payload,
{
    ByteVec::from(signed.into_bytes())
}

fn signed<T: Payload>(name: &str, signer: &Signer, payload: &T) -> (String, Vec<u8>) {
    (name.to_owned(), signer.sign(payload).into_bytes())
}

pub fn cert() -> KeyCert {
    KeyCert { head: head(ObjectType::KeyCert), key: *hub().public(), issued_at: NOW, revoked: false }
}

pub fn enrol_request(code: &Code) -> EnrolRequest {
    let none =
        HeadContext { fund: EnrolRequest::NO_FUND, incarnation: Incarnation::new(0), time_epoch: TimeEpoch::new(0) };
    EnrolRequest {
        head: none.head(ObjectType::EnrolRequest),
        locator: code.locator().to_owned(),
        key: *terminal().public(),
        nonce: REQUEST,
        proof: code.keys().prove_terminal(terminal().public(), REQUEST),
        program: "cabas-agent 0.1.0".to_owned(),
    }
}

pub fn code() -> Code {
    Code::parse("ABCD-EFGH-JKMN").unwrap()
}

pub fn secrets() -> TerminalSecrets {
    TerminalSecrets { card_key: [0x0c; 32], record_key: [0x0d; 16] }
}

pub fn enrol_answer(request: Hash) -> EnrolAnswer {
    let keys = code().keys();
    EnrolAnswer {
        head: head(ObjectType::EnrolAnswer),
        request,
        terminal: TERMINAL,
        epoch: EPOCH,
        root: *root().public(),
        certs: vec![bytes(root().sign(&cert()))],
        proof: keys.prove_hub(&request, CONTEXT.fund, root().public()),
        sealed: ByteVec::from(keys.seal(&request, &secrets())),
        time: NOW,
    }
}

/// A settlement of one enrolment: a sale of which a part is over-right, a reversal, a refund, a dispute, a card's word.
pub fn statement() -> SettlementStatement {
    let line = |kind, seq, settled, unpaid, why| StatementLine {
        kind,
        origin: Origin { terminal: TERMINAL, epoch: EPOCH, seq: Seq::new(seq) },
        settled: cents(settled),
        unpaid: cents(unpaid),
        why,
    };
    SettlementStatement {
        head: head(ObjectType::SettlementStatement),
        settlement: 3,
        closed_at: NOW,
        shop: "epicerie-oeillets".to_owned(),
        parts: vec![Part { terminal: TERMINAL, epoch: EPOCH, after: Seq::new(1), upto: Seq::new(40), hash: HASH }],
        lines: vec![
            line(LineKind::Sale, 2, 800, 75, 1),
            line(LineKind::Reversal, 3, 100, 0, 0),
            line(LineKind::Refund, 9, 50, 0, 0),
            line(LineKind::Disputed, 4, 0, 300, 7),
            line(LineKind::Brought, 41, 200, 0, 0),
        ],
        carried: cents(50),
        carry_on: Cents::ZERO,
        payout: cents(1000),
        returned: cents(200),
    }
}

pub fn e_receipt() -> EReceipt {
    EReceipt::of_row(&row_of(2, HASH, RowBody::Sale(sale())), None).unwrap()
}

pub fn e_receipt_refund() -> EReceipt {
    let line = |category, fund, member| EReceiptLine {
        category: CategoryId::new(category),
        fund: cents(fund),
        member: cents(member),
    };
    EReceipt {
        head: head(ObjectType::EReceipt),
        terminal: TERMINAL,
        epoch: EPOCH,
        seq: Seq::new(70_000),
        stan: Stan::new(999_999).unwrap(),
        kind: EReceiptKind::Refund,
        at: NOW,
        lines: vec![line(0, 1250, 0), line(1, 700, 300), line(300, 0, 99)],
    }
}

/// What is said of programs. The root's key stands for the release key, which is as little the hub's.
fn releases() -> Vec<(String, Vec<u8>)> {
    let release = Release {
        head: Head {
            fund: Release::NO_FUND,
            incarnation: Incarnation::new(0),
            time_epoch: TimeEpoch::new(0),
            ..head(ObjectType::Release)
        },
        version: "0.2.0".to_owned(),
        target: "aarch64-linux-gnu".to_owned(),
        size: 6_770_000,
        hash: HASH,
        journal_form: 8,
        capabilities: vec![1, 300],
        signed_at: NOW,
    };
    let about = AboutRequest {
        head: head(ObjectType::AboutRequest),
        terminal: TERMINAL,
        epoch: EPOCH,
        nonce: REQUEST,
        program: "0.1.0".to_owned(),
        target: "aarch64-linux-gnu".to_owned(),
        capabilities: vec![1],
        phase: UpgradePhase::Refused,
        release: Some(HASH),
        note: "0.2.0: it failed".to_owned(),
        troubles: None,
    };
    let troubled = AboutRequest { troubles: Some(vec![1, 300]), ..about.clone() };
    let answer = AboutAnswer {
        head: head(ObjectType::AboutAnswer),
        request: HASH,
        time: NOW,
        program: "0.1.0".to_owned(),
        capabilities: vec![1],
        release: Some(bytes(root().sign(&release))),
    };
    let piece = PieceRequest {
        head: head(ObjectType::PieceRequest),
        terminal: TERMINAL,
        epoch: EPOCH,
        nonce: REQUEST,
        release: HASH,
        from: 65_536,
        length: 65_536,
    };
    let given = PieceAnswer { head: head(ObjectType::PieceAnswer), request: HASH, bytes: vec![0x7f, 0x45].into() };
    vec![
        signed("release", &root(), &release),
        signed("about_request", &terminal(), &about),
        signed("about_request_troubles", &terminal(), &troubled),
        signed("about_request_none", &terminal(), &AboutRequest { phase: UpgradePhase::None, release: None, ..about }),
        signed("about_answer", &hub(), &answer),
        signed("about_answer_none", &hub(), &AboutAnswer { release: None, ..answer }),
        signed("piece_request", &terminal(), &piece),
        signed("piece_answer", &hub(), &given),
    ]
}

/// Every object by name, signed.
#[allow(clippy::too_many_lines, reason = "a list, one object after the other")]
pub fn all() -> Vec<(String, Vec<u8>)> {
    let (root, hub, terminal) = (root(), hub(), terminal());
    let genesis = chain::ChainId { fund: CONTEXT.fund, terminal: TERMINAL, epoch: EPOCH }.genesis(terminal.public());
    let binding = Binding {
        head: head(ObjectType::Binding),
        card: CARD,
        tier: Tier::Plain,
        purse: PURSE,
        version: Version::new(1),
    };
    let hot_list = HotList {
        head: head(ObjectType::HotList),
        version: Version::new(9),
        base: Version::new(8),
        issued_at: NOW,
        cards: vec![CARD],
        purses: vec![],
        cards_removed: vec![CardRef::new([0xc2; 8])],
        purses_removed: vec![PURSE],
    };
    let policy = Policy {
        head: head(ObjectType::Policy),
        id: PolicyId::new(3),
        sale_cents_max: cents(30_000),
        plain_sale_cents_max: cents(15_000),
        plain_day_cents_max: cents(20_000),
        plain_list_age_s_max: 1_209_600,
        part_payment: true,
    };
    let category = |id, share_percent, fr: &str, en: &str| Category {
        id: CategoryId::new(id),
        share_percent,
        label_fr: fr.to_owned(),
        label_en: en.to_owned(),
    };
    let grid = Grid {
        head: head(ObjectType::Grid),
        terminal: TERMINAL,
        version: Version::new(4),
        valid_from_day: 20_785,
        categories: vec![category(0, 100, "Légumes", "Vegetables"), category(1, 70, "Épicerie", "Groceries")],
    };
    let config = TerminalConfig {
        head: head(ObjectType::TerminalConfig),
        terminal: TERMINAL,
        epoch: EPOCH,
        version: Version::new(2),
        shop_name: "Épicerie des Œillets".to_owned(),
        fund_name: "Caisse de l’alimentation, Lyon 8e".to_owned(),
        helpline: "04 00 00 00 00".to_owned(),
        paused: false,
    };
    let first = terminal.sign(&row_of(1, genesis.hash, bodies().remove(0)));
    let second = terminal.sign(&row_of(2, first.hash(), RowBody::Sale(sale())));
    let sync_request = SyncRequest {
        head: head(ObjectType::SyncRequest),
        terminal: TERMINAL,
        epoch: EPOCH,
        nonce: REQUEST,
        base: genesis,
        rows: vec![bytes(first), bytes(second)],
        cursor: 1234,
        wait_ms: 25_000,
        status: TerminalStatus {
            program: "cabas-agent 0.1.0".to_owned(),
            wall: NOW,
            clock: ClockQuality::Carried,
            hot_list: Version::new(9),
            newest: Seq::new(2),
            refused_unfunded: 1,
        },
        held: vec![],
        held_end: false,
        held_list: None,
    };
    let sync_answer = SyncAnswer {
        head: head(ObjectType::SyncAnswer),
        request: HASH,
        time: NOW,
        standing: Standing::Live,
        acked: ChainHead { seq: Seq::new(2), hash: HASH },
        backed_up: Seq::new(1),
        cursor: 1240,
        more: false,
        objects: vec![bytes(hub.sign(&balance(Scope::Terminal(TERMINAL, EPOCH))))],
        want_held: false,
        want_list: None,
    };
    let handed_back = SyncRequest {
        rows: vec![],
        held_end: true,
        held_list: Some(HeldList { version: Version::new(9), cards: vec![CARD] }),
        ..sync_request.clone()
    };
    let asks_for_list = SyncAnswer { objects: vec![], want_held: true, want_list: Some(true), ..sync_answer.clone() };
    let extend_request = ExtendRequest {
        head: head(ObjectType::ExtendRequest),
        terminal: TERMINAL,
        epoch: EPOCH,
        request: REQUEST,
        purse: PURSE,
        allowed_at_least: cents(5000),
    };
    let extend_answer = ExtendAnswer {
        head: head(ObjectType::ExtendAnswer),
        request: HASH,
        time: NOW,
        balance: Some(bytes(hub.sign(&balance(Scope::Terminal(TERMINAL, EPOCH))))),
    };
    let card_request = CardSessionRequest {
        head: head(ObjectType::CardSessionRequest),
        terminal: TERMINAL,
        epoch: EPOCH,
        session: REQUEST,
        step: 1,
        answers: vec![ByteVec::from(vec![0x91, 0x00])],
    };
    let card_answer = CardSessionAnswer {
        head: head(ObjectType::CardSessionAnswer),
        request: HASH,
        session: REQUEST,
        step: 1,
        apdus: vec![ByteVec::from(vec![0x90, 0x5a, 0, 0, 3, 1, 2, 3, 0])],
        done: true,
        note: Some("card 12 is issued".to_owned()),
    };
    let recall = Recall {
        head: head(ObjectType::Recall),
        terminal: TERMINAL,
        epoch: EPOCH,
        purse: PURSE,
        keep: Cents::ZERO,
        request: REQUEST,
    };
    let decision = RefundDecision {
        head: head(ObjectType::RefundDecision),
        terminal: TERMINAL,
        epoch: EPOCH,
        seq: Seq::new(7),
        granted: true,
    };
    let slot_key = SlotKey {
        head: head(ObjectType::SlotKey),
        terminal: TERMINAL,
        epoch: EPOCH,
        card: CARD,
        slot: 5,
        version: 2,
        key: [0x55; 16].into(),
        oldest: 1,
    };
    let refusal = Refusal {
        head: head(ObjectType::Refusal),
        request: HASH,
        code: RefusalCode::WrongCode,
        detail: "4 tries left".to_owned(),
    };
    let request = terminal.sign(&enrol_request(&code()));
    let mut all = vec![
        signed("balance_card", &hub, &balance(Scope::Card)),
        signed("balance_terminal", &hub, &balance(Scope::Terminal(TERMINAL, EPOCH))),
        signed("binding", &hub, &binding),
        signed("hot_list", &hub, &hot_list),
        signed("policy", &hub, &policy),
        signed("grid", &hub, &grid),
        signed("terminal_config", &hub, &config),
        signed("key_cert", &root, &cert()),
        ("enrol_request".to_owned(), request.as_bytes().to_vec()),
        signed("enrol_answer", &hub, &enrol_answer(request.hash())),
        signed("sync_request", &terminal, &sync_request),
        signed("sync_request_list", &terminal, &handed_back),
        signed("sync_answer", &hub, &sync_answer),
        signed("sync_answer_list", &hub, &asks_for_list),
        signed("extend_request", &terminal, &extend_request),
        signed("extend_answer", &hub, &extend_answer),
        signed("card_session_request", &terminal, &card_request),
        signed("card_session_answer", &hub, &card_answer),
        signed("recall", &hub, &recall),
        signed("refund_decision", &hub, &decision),
        signed("slot_key", &hub, &slot_key),
        signed("settlement_statement", &hub, &statement()),
        signed("refusal", &hub, &refusal),
        signed("e_receipt_sale", &terminal, &e_receipt()),
        signed("e_receipt_refund", &terminal, &e_receipt_refund()),
    ];
    let rows = bodies().into_iter().enumerate().map(|(index, body)| {
        let name = format!("row_{index:02}_{}", body.name());
        signed(&name, &terminal, &row_of(u32::try_from(index).unwrap() + 1, HASH, body))
    });
    all.extend(rows);
    all.extend(releases());
    all
}
