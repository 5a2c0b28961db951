//! What tests need of a fund: its keys, signed objects, an enrolled terminal.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed unwrap is the test's failure")]

use crate::card::UidClass;
use crate::core::ages::Moment;
use crate::core::split::AskedLine;
use crate::journal::keyfile::TerminalKeys;
use crate::journal::{self, Enrolment, FILE, HubObject, Inbound, Journal, PresentedBy, SaleAsk};
use cabas_protocol::balance::{Scope, SignedBalance};
use cabas_protocol::chain::ChainHead;
use cabas_protocol::enrol::{EnrolAnswer, EnrolRequest, TerminalSecrets};
use cabas_protocol::head::{HeadContext, ObjectType};
use cabas_protocol::hot_list::HotList;
use cabas_protocol::ids::BootId;
use cabas_protocol::keys::{HubKeys, KeyCert, SlotKey};
use cabas_protocol::objects::{Binding, Policy, TerminalConfig};
use cabas_protocol::row::Tier;
use cabas_protocol::sync::{Recall, RefundDecision, Standing, SyncAnswer};
use cabas_protocol::{
    CardRef, CategoryId, Cents, Epoch, FundId, Hash, Incarnation, PolicyId, PurseRef, RequestId, Seq, Serial, Signed,
    Signer, TerminalId, TimeEpoch, Timestamp, Version,
};
use minicbor::bytes::{ByteArray, ByteVec};
use std::path::Path;

/// Hub time at the enrolment.
pub(crate) const HUB_TIME: u64 = 1_800_000_000;
/// The card key of the fund.
pub(crate) const CARD_KEY: [u8; 32] = [8; 32];

/// The key of the terminal's records on cards.
pub(crate) const RECORD_KEY: [u8; 16] = [9; 16];

/// A fund with one terminal.
pub(crate) struct Fund {
    pub(crate) root: Signer,
    pub(crate) hub: Signer,
    pub(crate) terminal_seed: [u8; 32],
    pub(crate) id: FundId,
    pub(crate) terminal: TerminalId,
    pub(crate) epoch: Epoch,
    pub(crate) incarnation: Incarnation,
    pub(crate) time_epoch: TimeEpoch,
}

impl Default for Fund {
    fn default() -> Self {
        Self {
            root: Signer::from_seed(&[1; 32]).unwrap(),
            hub: Signer::from_seed(&[2; 32]).unwrap(),
            terminal_seed: [3; 32],
            id: FundId::new(69),
            terminal: TerminalId::new(7),
            epoch: Epoch::new(1),
            incarnation: Incarnation::new(1),
            time_epoch: TimeEpoch::new(1),
        }
    }
}

pub(crate) fn cents(cents: u64) -> Cents {
    Cents::new(cents).unwrap()
}

pub(crate) fn card(number: u8) -> CardRef {
    CardRef::new([number; 8])
}

pub(crate) fn purse(number: u8) -> PurseRef {
    PurseRef::new([number; 8])
}

pub(crate) fn request(number: u64) -> RequestId {
    RequestId::new(number.to_be_bytes())
}

/// A moment of run `boot`, so many seconds after the enrolment.
pub(crate) fn moment(boot: u8, seconds: u64) -> Moment {
    let wall = Timestamp::new(HUB_TIME.saturating_add(seconds));
    Moment { boot: BootId::new([boot; 8]), monotonic_ms: seconds.saturating_mul(1000), wall }
}

pub(crate) fn lines(amount: u64) -> Vec<AskedLine> {
    vec![AskedLine { category: CategoryId::new(0), requested: cents(amount) }]
}

pub(crate) fn presented(number: u8) -> PresentedBy {
    PresentedBy { card: card(number), proven: Tier::Plain, uid: UidClass::Unique, counter: None }
}

pub(crate) fn ask(number: u64, by: u8, amount: u64) -> SaleAsk {
    SaleAsk { request: request(number), till_ref: None, lines: lines(amount), card: presented(by) }
}

impl Fund {
    pub(crate) fn context(&self) -> HeadContext {
        HeadContext { fund: self.id, incarnation: self.incarnation, time_epoch: self.time_epoch }
    }

    pub(crate) fn keys(&self) -> HubKeys {
        let mut keys = HubKeys::new(self.id, *self.root.public());
        keys.certify(&self.cert(&self.hub)).unwrap();
        keys
    }

    pub(crate) fn cert(&self, of: &Signer) -> Signed<KeyCert> {
        let head = self.context().head(ObjectType::KeyCert);
        let cert = KeyCert { head, key: *of.public(), issued_at: Timestamp::new(HUB_TIME), revoked: false };
        self.root.sign(&cert)
    }

    pub(crate) fn balance(&self, of: u8, serial: u32, allowed: u64) -> Signed<SignedBalance> {
        self.balance_in(Scope::Terminal(self.terminal, self.epoch), of, serial, allowed)
    }

    /// What a purse's own card may spend.
    pub(crate) fn card_balance(&self, of: u8, serial: u32, allowed: u64) -> Signed<SignedBalance> {
        self.balance_in(Scope::Card, of, serial, allowed)
    }

    fn balance_in(&self, scope: Scope, of: u8, serial: u32, allowed: u64) -> Signed<SignedBalance> {
        self.hub.sign(&SignedBalance {
            head: self.context().head(ObjectType::Balance),
            purse: purse(of),
            scope,
            serial: Serial::new(serial),
            allowed: cents(allowed),
            policy: PolicyId::new(1),
            issued_at: Timestamp::new(HUB_TIME),
            valid_for_s: 35 * 86_400,
        })
    }

    pub(crate) fn binding(&self, of: CardRef, to: u8, version: u32) -> Signed<Binding> {
        self.binding_as(Tier::Plain, of, to, version)
    }

    pub(crate) fn binding_as(&self, tier: Tier, of: CardRef, to: u8, version: u32) -> Signed<Binding> {
        self.hub.sign(&Binding {
            head: self.context().head(ObjectType::Binding),
            card: of,
            tier,
            purse: purse(to),
            version: Version::new(version),
        })
    }

    pub(crate) fn slot_key(&self, of: CardRef, version: u8, key: [u8; 16]) -> Signed<SlotKey> {
        self.slot_key_since(of, (0, version), key)
    }

    /// A key of a card that has an older one.
    pub(crate) fn slot_key_since(&self, of: CardRef, (oldest, version): (u8, u8), key: [u8; 16]) -> Signed<SlotKey> {
        self.hub.sign(&SlotKey {
            head: self.context().head(ObjectType::SlotKey),
            terminal: self.terminal,
            epoch: self.epoch,
            card: of,
            slot: 3,
            version,
            key: ByteArray::from(key),
            oldest,
        })
    }

    pub(crate) fn hot_list(&self, version: u32, base: u32, cards: &[u8]) -> Signed<HotList> {
        self.hub.sign(&HotList {
            head: self.context().head(ObjectType::HotList),
            version: Version::new(version),
            base: Version::new(base),
            issued_at: Timestamp::new(HUB_TIME),
            cards: cards.iter().map(|number| card(*number)).collect(),
            purses: vec![],
            cards_removed: vec![],
            purses_removed: vec![],
        })
    }

    pub(crate) fn policy(&self, id: u32) -> Signed<Policy> {
        self.hub.sign(&self.limits(id, false))
    }

    /// Limits that let a part of an amount be offered.
    pub(crate) fn policy_with_parts(&self, id: u32) -> Signed<Policy> {
        self.hub.sign(&self.limits(id, true))
    }

    fn limits(&self, id: u32, part_payment: bool) -> Policy {
        Policy {
            head: self.context().head(ObjectType::Policy),
            id: PolicyId::new(id),
            sale_cents_max: cents(50_000),
            plain_sale_cents_max: cents(20_000),
            plain_day_cents_max: cents(50_000),
            plain_list_age_s_max: 7 * 86_400,
            part_payment,
        }
    }

    pub(crate) fn recall(&self, number: u64, of: u8, keep: u64) -> Signed<Recall> {
        self.hub.sign(&Recall {
            head: self.context().head(ObjectType::Recall),
            terminal: self.terminal,
            epoch: self.epoch,
            purse: purse(of),
            keep: cents(keep),
            request: request(number),
        })
    }

    pub(crate) fn refund_decision(&self, seq: Seq, granted: bool) -> Signed<RefundDecision> {
        self.hub.sign(&RefundDecision {
            head: self.context().head(ObjectType::RefundDecision),
            terminal: self.terminal,
            epoch: self.epoch,
            seq,
            granted,
        })
    }

    pub(crate) fn config(&self, version: u32) -> Signed<TerminalConfig> {
        self.hub.sign(&TerminalConfig {
            head: self.context().head(ObjectType::TerminalConfig),
            terminal: self.terminal,
            epoch: self.epoch,
            version: Version::new(version),
            shop_name: String::from("Épicerie <b>du</b> Cœur"),
            fund_name: String::from("Caisse de Lyon 8e"),
            helpline: String::from("04 00 00 00 00"),
            paused: false,
        })
    }

    /// What a terminal has after its first sync: one card with so much.
    pub(crate) fn first_objects(&self, allowed: u64) -> Vec<Vec<u8>> {
        vec![
            self.policy(1).into_bytes(),
            self.config(1).into_bytes(),
            self.hot_list(1, 0, &[]).into_bytes(),
            self.binding(card(1), 1, 1).into_bytes(),
            self.balance(1, 1, allowed).into_bytes(),
        ]
    }

    pub(crate) fn answer(&self, acked: ChainHead, objects: Vec<Vec<u8>>, time: u64, cursor: u64) -> SyncAnswer {
        SyncAnswer {
            head: self.context().head(ObjectType::SyncAnswer),
            request: Hash::new([0; 32]),
            time: Timestamp::new(time),
            standing: Standing::Live,
            acked,
            backed_up: Seq::NONE,
            cursor,
            more: false,
            objects: objects.into_iter().map(ByteVec::from).collect(),
            want_held: false,
            want_list: None,
        }
    }

    /// An answer as the sync client hands it to the journal.
    pub(crate) fn inbound(&self, asked_cursor: u64, answer: &SyncAnswer) -> Inbound {
        let mut keys = self.keys();
        let objects: Vec<HubObject> =
            answer.objects.iter().map(|bytes| crate::sync::verify_object(&mut keys, bytes).unwrap()).collect();
        let answer = self.hub.sign(answer).verify(self.hub.public(), self.id).unwrap();
        Inbound { asked_cursor, answer, objects, alarms: vec![] }
    }

    pub(crate) fn enrolment(&self) -> Enrolment {
        let terminal = Signer::from_seed(&self.terminal_seed).unwrap();
        let nobody = HeadContext {
            fund: EnrolRequest::NO_FUND,
            incarnation: Incarnation::new(0),
            time_epoch: TimeEpoch::new(0),
        };
        let request = terminal.sign(&EnrolRequest {
            head: nobody.head(ObjectType::EnrolRequest),
            locator: String::from("ABCD"),
            key: *terminal.public(),
            nonce: RequestId::new([9; 8]),
            proof: Hash::new([0; 32]),
            program: String::from("0.1.0"),
        });
        let answer = self.hub.sign(&EnrolAnswer {
            head: self.context().head(ObjectType::EnrolAnswer),
            request: request.hash(),
            terminal: self.terminal,
            epoch: self.epoch,
            root: *self.root.public(),
            certs: vec![ByteVec::from(self.cert(&self.hub).into_bytes())],
            proof: Hash::new([0; 32]),
            sealed: ByteVec::from(vec![]),
            time: Timestamp::new(HUB_TIME),
        });
        let keys = self.terminal_keys();
        Enrolment { request, answer, keys, hub_url: String::from("http://127.0.0.1:7400") }
    }

    pub(crate) fn terminal_keys(&self) -> TerminalKeys {
        let secrets = TerminalSecrets { card_key: CARD_KEY, record_key: RECORD_KEY };
        TerminalKeys::new(&self.terminal_seed, secrets)
    }

    pub(crate) fn signer(&self) -> Signer {
        Signer::from_seed(&self.terminal_seed).unwrap()
    }

    pub(crate) fn open(&self, folder: &Path, now: Moment) -> Journal {
        let journal = Journal::open(&folder.join(FILE), self.signer(), now, "0.1.0").unwrap();
        journal.with_secrets(&self.terminal_keys())
    }

    /// An enrolled terminal with nothing but its enrolment.
    pub(crate) fn enrolled(&self, folder: &Path) -> Journal {
        journal::create(folder, &self.enrolment(), moment(1, 0)).unwrap();
        self.open(folder, moment(1, 0))
    }

    /// A terminal that can sell to card 1.
    pub(crate) fn ready(&self, folder: &Path, allowed: u64) -> Journal {
        let mut journal = self.enrolled(folder);
        self.give(&mut journal, self.first_objects(allowed));
        journal
    }

    /// Hands objects to a journal, in an answer that acknowledges nothing new.
    pub(crate) fn give(&self, journal: &mut Journal, objects: Vec<Vec<u8>>) -> journal::Applied {
        let state = journal.state();
        let answer = self.answer(state.hub.acked, objects, HUB_TIME, state.hub.cursor.saturating_add(1));
        journal.apply(moment(1, 0), &self.inbound(state.hub.cursor, &answer)).unwrap()
    }
}
