//! What agent and hub send each other, and what is kept of it.

use std::sync::LazyLock;

use cabas_agent::journal::keyfile::TerminalKeys;
use cabas_agent::sync::verify::verify_object;
use cabas_protocol::balance::SignedBalance;
use cabas_protocol::card_session::{CardSessionAnswer, CardSessionRequest};
use cabas_protocol::chain::{ChainId, verify_batch};
use cabas_protocol::codec;
use cabas_protocol::e_receipt::{EReceipt, of_text, to_text};
use cabas_protocol::enrol::{EnrolAnswer, EnrolRequest};
use cabas_protocol::extend::{ExtendAnswer, ExtendRequest};
use cabas_protocol::head::HeadContext;
use cabas_protocol::hot_list::HotList;
use cabas_protocol::keys::{HubKeys, KeyCert, SlotKey};
use cabas_protocol::objects::{Binding, Grid, Policy, TerminalConfig};
use cabas_protocol::refusal::Refusal;
use cabas_protocol::row::{RowBody, Sale};
use cabas_protocol::sign::{Payload, peek_type};
use cabas_protocol::statement::SettlementStatement;
use cabas_protocol::sync::{Recall, RefundDecision, SyncAnswer, SyncRequest};
use cabas_protocol::{
    CurrencyCode, Epoch, FundId, Head, Incarnation, ObjectType, Row, Signed, Signer, TerminalId, TimeEpoch, Timestamp,
};

/// Of the golden vectors.
const FUND: FundId = FundId::new(69_008);
const TERMINAL: TerminalId = TerminalId::new(7);
const EPOCH: Epoch = Epoch::new(2);
/// Bytes of a file of keys.
const KEYS_BYTES_MAX: usize = 4096;

macro_rules! each_payload {
    ($call:ident, $($argument:expr),+) => {
        each_payload!(@ $call, ($($argument),+), SignedBalance, Binding, HotList, Policy, Grid, TerminalConfig, KeyCert, SlotKey,
            Recall, RefundDecision, Row, EReceipt, Refusal, EnrolRequest, EnrolAnswer, SyncRequest, SyncAnswer, ExtendRequest,
            ExtendAnswer, CardSessionRequest, CardSessionAnswer, SettlementStatement)
    };
    (@ $call:ident, $arguments:tt, $($payload:ty),+) => {
        $( each_payload!(@@ $call, $arguments, $payload); )+
    };
    (@@ $call:ident, ($($argument:expr),+), $payload:ty) => { $call::<$payload>($($argument),+) };
}

/// The keys of the golden vectors: the root's, the hub's, the terminal's.
static SIGNERS: LazyLock<[Signer; 3]> = LazyLock::new(|| {
    [1, 2, 3].map(|seed| Signer::from_seed(&[seed; 32]).unwrap_or_else(|_| panic!("a seed makes a key")))
});

/// What a terminal believes that enrolled with the hub.
static HUB_KEYS: LazyLock<HubKeys> = LazyLock::new(|| {
    let [root, hub, _] = &*SIGNERS;
    let mut keys = HubKeys::new(FUND, *root.public());
    let context = HeadContext { fund: FUND, incarnation: Incarnation::new(1), time_epoch: TimeEpoch::new(0) };
    let head = context.head(ObjectType::KeyCert);
    let cert = KeyCert { head, key: *hub.public(), issued_at: Timestamp::new(0), revoked: false };
    assert!(keys.certify(&root.sign(&cert)).is_ok(), "the root's word counts");
    keys
});

/// Bytes that say of themselves that they are signed, as whatever they claim to be.
pub(super) fn signed(bytes: &[u8]) {
    let told = peek_type(bytes).ok();
    each_payload!(envelope, bytes, told);
    if let Ok(object) = verify_object(&mut HUB_KEYS.clone(), bytes) {
        assert!(told.is_some(), "taken without a type: {object:?}");
    }
}

fn envelope<T: Payload>(bytes: &[u8], told: Option<ObjectType>) {
    let Ok(signed) = Signed::<T>::from_bytes(bytes.to_vec()) else { return };
    assert_eq!(signed.as_bytes(), bytes);
    let (trusted, peeked) = (signed.read_trusted(FUND), signed.peek());
    if let Ok(value) = &peeked {
        assert_eq!(told, Some(T::TYPE), "two readers, two types");
        assert!(signed.kid().is_ok());
        let shorter = codec::encode(value).len();
        assert!(shorter < bytes.len(), "a payload of {shorter} bytes in {}", bytes.len());
    }
    assert!(trusted.is_err() || peeked.is_ok(), "trusted and not to be read");
    let verified = SIGNERS.iter().filter(|signer| signed.verify(signer.public(), FUND).is_ok()).count();
    assert!(verified <= 1, "one signature of {verified} keys");
    assert!(verified == 0 || trusted.is_ok(), "genuine and not to be read");
}

/// The bytes inside an envelope, as every type, and genuinely signed where they are one.
pub(super) fn payload(bytes: &[u8]) {
    each_payload!(object, bytes);
    canonical::<Sale>(bytes, KEYS_BYTES_MAX);
    canonical::<TerminalKeys>(bytes, KEYS_BYTES_MAX);
    if let Ok(row) = codec::decode::<Row>(bytes, Row::MAX_BYTES) {
        row_rules(&row);
    }
    if let Ok(statement) = codec::decode::<SettlementStatement>(bytes, SettlementStatement::MAX_BYTES)
        && statement.check().is_ok()
        && statement.adds_up().is_ok_and(|adds_up| adds_up)
    {
        assert!(statement.totals().is_ok(), "it adds up to nothing");
    }
}

/// One value has one encoding, extensions aside.
fn canonical<T: minicbor::Encode<()> + for<'b> minicbor::Decode<'b, ()>>(bytes: &[u8], max: usize) -> Option<T> {
    let value: T = codec::decode(bytes, max).ok()?;
    let again = codec::encode(&value);
    assert!(again == bytes || (has_extension(bytes) && again.len() < bytes.len()), "two encodings of one value");
    let twice: Result<T, _> = codec::decode(&again, max);
    assert!(twice.is_ok_and(|twice| codec::encode(&twice) == again), "not read back as it was written");
    Some(value)
}

fn has_extension(bytes: &[u8]) -> bool {
    let mut d = minicbor::Decoder::new(bytes);
    let Ok(Some(pairs)) = d.map() else { return false };
    (0..pairs).any(|_| {
        let is_negative = d.i64().is_ok_and(|key| key < 0);
        is_negative || d.skip().is_err()
    })
}

fn object<T: Payload>(bytes: &[u8]) {
    let Some(value) = canonical::<T>(bytes, T::MAX_BYTES) else { return };
    let head = *value.head();
    let is_ours = head.object_type == T::TYPE
        && head.version == Head::VERSION
        && head.fund == FUND
        && head.currency == CurrencyCode::EUR
        && value.check().is_ok();
    let [_, hub, terminal] = &*SIGNERS;
    let signed = hub.sign(&value);
    assert_eq!(signed.verify(hub.public(), FUND).is_ok(), is_ours, "{head:?}");
    assert!(signed.verify(terminal.public(), FUND).is_err(), "believed by another key");
    assert_eq!(peek_type(signed.as_bytes()).ok(), Some(head.object_type));
    if let Ok(taken) = verify_object(&mut HUB_KEYS.clone(), signed.as_bytes()) {
        assert!(is_ours, "taken: {taken:?}");
    }
}

fn row_rules(row: &Row) {
    let [.., terminal] = &*SIGNERS;
    let signed = terminal.sign(row);
    let id = ChainId { fund: FUND, terminal: TERMINAL, epoch: EPOCH };
    let genesis = id.genesis(terminal.public());
    if verify_batch(id, terminal.public(), genesis, &[signed]).is_ok() {
        assert_eq!((row.terminal, row.epoch, row.seq.get()), (TERMINAL, EPOCH, 1));
    }
    if row.check().is_err() {
        return;
    }
    if let RowBody::Sale(sale) = &row.body {
        let parts = (sale.fund_cents(), sale.member_cents());
        assert!(matches!(parts, (Ok(fund), Ok(_)) if fund <= sale.spent_after), "a sale of {parts:?}");
    }
    if let Some(receipt) = EReceipt::of_row(row, None) {
        assert!(receipt.fund().is_ok() && receipt.member().is_ok());
        let signed = terminal.sign(&receipt);
        let read = of_text(&to_text(&signed));
        assert!(read.is_ok_and(|read| read == signed), "a receipt that is not read back");
    }
}
