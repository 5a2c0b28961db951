//! A terminal as the protocol knows it: its key, its journal, what it was told.

use cabas_protocol::chain::{ChainHead, ChainId};
use cabas_protocol::enrol::{Code, EnrolAnswer, EnrolRequest, TerminalSecrets};
use cabas_protocol::extend::{ExtendAnswer, ExtendRequest};
use cabas_protocol::head::{Head, HeadContext, ObjectType};
use cabas_protocol::ids::BootId;
use cabas_protocol::keys::{HubKeys, KeyCert};
use cabas_protocol::refusal::Refusal;
use cabas_protocol::row::{ClockQuality, Line, ListApplied, Row, RowBody, RowTime, Sale, Tier};
use cabas_protocol::sign::{Payload, peek_type, sha256};
use cabas_protocol::sync::{SyncAnswer, SyncRequest, TerminalStatus};
use cabas_protocol::{
    CardRef, CategoryId, Cents, Epoch, Hash, Incarnation, PurseRef, RefusalCode, RequestId, Signed, SignedBalance,
    Signer, Stan, TerminalId, TimeEpoch, Timestamp, Version,
};

use super::http::{self, Answer};
use super::{Fund, Hub};

/// A terminal that was enrolled.
pub struct Terminal {
    pub signer: Signer,
    pub keys: HubKeys,
    pub context: HeadContext,
    pub terminal: TerminalId,
    pub epoch: Epoch,
    pub secrets: TerminalSecrets,
    pub head: ChainHead,
    pub acked: ChainHead,
    pub rows: Vec<Signed<Row>>,
    pub cursor: u64,
    pub nonce: u8,
}

pub fn enrol_request(code: &Code, signer: &Signer) -> EnrolRequest {
    let nonce = RequestId::new([9; 8]);
    EnrolRequest {
        head: no_fund().head(ObjectType::EnrolRequest),
        locator: code.locator().to_owned(),
        key: *signer.public(),
        nonce,
        proof: code.keys().prove_terminal(signer.public(), nonce),
        program: "0.1.0".to_owned(),
    }
}

fn no_fund() -> HeadContext {
    HeadContext { fund: EnrolRequest::NO_FUND, incarnation: Incarnation::new(0), time_epoch: TimeEpoch::new(0) }
}

/// Sends an enrolment, and gives the answer as it came.
pub fn send_enrol(hub: &Hub, request: &EnrolRequest, signer: &Signer) -> (Hash, Answer) {
    let signed = signer.sign(request);
    (signed.hash(), http::post(hub.address, "/v1/enrol", signed.as_bytes()))
}

/// Reads a refusal: bound to the request, with the status of its code, signed by a key that the root certified.
pub fn refusal(hub: &Hub, request: Hash, answer: &Answer) -> RefusalCode {
    let refusal = unbound_refusal(hub, answer);
    assert_eq!(refusal.request, request);
    assert_eq!(answer.status, refusal.code.http_status());
    refusal.code
}

pub fn unbound_refusal(hub: &Hub, answer: &Answer) -> Refusal {
    assert_eq!(answer.header("content-type").as_deref(), Some("application/cose"), "{}", answer.head);
    assert_eq!(peek_type(&answer.body).unwrap(), ObjectType::Refusal);
    let signed: Signed<Refusal> = Signed::from_bytes(answer.body.clone()).unwrap();
    signed.verify(hub.app.secrets.signers.of_anybody().unwrap().public(), Fund::ID).unwrap().into_payload()
}

impl Terminal {
    /// Enrols as an agent does: proves the code, and believes the hub only by it.
    pub fn enrol(hub: &Hub, code: &str, seed: u8) -> Self {
        let code = Code::parse(code).unwrap();
        let signer = Signer::from_seed(&[seed; 32]).unwrap();
        let (request, answer) = send_enrol(hub, &enrol_request(&code, &signer), &signer);
        assert_eq!(answer.status, 200, "{:?}", peek_type(&answer.body));
        let signed: Signed<EnrolAnswer> = Signed::from_bytes(answer.body).unwrap();
        let peeked = signed.peek().unwrap();
        code.keys().check_hub(&request, peeked.head.fund, &peeked.root, &peeked.proof).unwrap();
        let mut keys = HubKeys::new(peeked.head.fund, peeked.root);
        for cert in &peeked.certs {
            keys.certify(&Signed::<KeyCert>::from_bytes(cert.to_vec()).unwrap()).unwrap();
        }
        let answer = keys.verify(&signed).unwrap().into_payload();
        assert_eq!(answer.request, request);
        let secrets = code.keys().open(&request, &answer.sealed).unwrap();
        let Head { fund, incarnation, time_epoch, .. } = answer.head;
        let genesis = ChainId { fund, terminal: answer.terminal, epoch: answer.epoch }.genesis(signer.public());
        Self {
            signer,
            keys,
            context: HeadContext { fund, incarnation, time_epoch },
            terminal: answer.terminal,
            epoch: answer.epoch,
            secrets,
            head: genesis,
            acked: genesis,
            rows: Vec::new(),
            cursor: 0,
            nonce: 0,
        }
    }

    /// Writes a row.
    pub fn write(&mut self, body: RowBody) {
        let seq = self.head.seq.next().unwrap();
        let row = Row {
            head: self.context.head(ObjectType::Row),
            terminal: self.terminal,
            epoch: self.epoch,
            seq,
            prev: self.head.hash,
            time: RowTime {
                boot: BootId::new([1; 8]),
                monotonic_ms: u64::from(seq.get()),
                wall: Timestamp::new(super::NOW),
                quality: ClockQuality::Synced,
            },
            body,
        };
        let signed = self.signer.sign(&row);
        self.head = ChainHead { seq, hash: signed.hash() };
        self.rows.push(signed);
    }

    pub fn write_list_applied(&mut self) {
        self.write(RowBody::ListApplied(ListApplied { version: Version::new(1) }));
    }

    /// Writes a sale under a balance.
    pub fn write_sale(&mut self, card: CardRef, balance: &SignedBalance, cents: u64, spent_after: u64) {
        let fund = Cents::new(cents).unwrap();
        self.write(RowBody::Sale(Sale {
            stan: Stan::FIRST,
            card,
            tier: Tier::Plain,
            purse: balance.purse,
            spent_after: Cents::new(spent_after).unwrap(),
            serial: balance.serial,
            lines: vec![Line { category: CategoryId::new(0), requested: fund, fund, member: Cents::ZERO }],
            hot_list: Version::new(1),
            grid: Version::new(1),
            policy: balance.policy,
            request: None,
            asked: None,
            intent: None,
            card_counter: None,
            card_mac: None,
        }));
    }

    /// The rows that the hub has not acknowledged.
    pub fn unsent(&self) -> Vec<minicbor::bytes::ByteVec> {
        let from = usize::try_from(self.acked.seq.get()).unwrap();
        self.rows[from..].iter().map(|row| row.as_bytes().to_vec().into()).collect()
    }

    pub fn sync_request(&mut self, wait_ms: u32) -> SyncRequest {
        self.nonce += 1;
        SyncRequest {
            head: self.context.head(ObjectType::SyncRequest),
            terminal: self.terminal,
            epoch: self.epoch,
            nonce: RequestId::new([self.nonce; 8]),
            base: self.acked,
            rows: self.unsent(),
            cursor: self.cursor,
            wait_ms,
            status: TerminalStatus {
                program: "0.1.0".to_owned(),
                wall: Timestamp::new(super::NOW),
                clock: ClockQuality::Synced,
                hot_list: Version::new(0),
                newest: self.head.seq,
                refused_unfunded: 3,
            },
            held: Vec::new(),
            held_end: false,
            held_list: None,
        }
    }

    pub fn signed_sync(&mut self, wait_ms: u32) -> Vec<u8> {
        let request = self.sync_request(wait_ms);
        self.signer.sign(&request).into_bytes()
    }

    /// Syncs once, and takes over what the hub says.
    pub fn sync(&mut self, hub: &Hub, wait_ms: u32) -> SyncAnswer {
        let request = self.sync_request(wait_ms);
        let answer: SyncAnswer = self.call(hub, "/v1/sync", &request).unwrap();
        self.acked = answer.acked;
        self.cursor = answer.cursor;
        answer
    }

    /// Syncs until nothing more waits, and gives all objects.
    pub fn sync_all(&mut self, hub: &Hub) -> Vec<Vec<u8>> {
        let mut objects = Vec::new();
        loop {
            let answer = self.sync(hub, 0);
            objects.extend(answer.objects.iter().map(|object| object.to_vec()));
            if !answer.more {
                return objects;
            }
        }
    }

    pub fn extend(&mut self, hub: &Hub, purse: PurseRef, allowed_at_least: u64) -> Result<ExtendAnswer, RefusalCode> {
        let request = ExtendRequest {
            head: self.context.head(ObjectType::ExtendRequest),
            terminal: self.terminal,
            epoch: self.epoch,
            request: RequestId::new([5; 8]),
            purse,
            allowed_at_least: Cents::new(allowed_at_least).unwrap(),
        };
        self.call(hub, "/v1/extend", &request)
    }

    /// Calls the hub, and believes only what is signed by a certified key and bound to the request.
    pub fn call<T: Payload, U: Payload + Bound>(&self, hub: &Hub, path: &str, request: &T) -> Result<U, RefusalCode> {
        let signed = self.signer.sign(request);
        let answer = http::post(hub.address, path, signed.as_bytes());
        if answer.status != 200 {
            return Err(refusal(hub, signed.hash(), &answer));
        }
        assert_eq!(answer.header("content-type").as_deref(), Some("application/cose"));
        let object: Signed<U> = Signed::from_bytes(answer.body).unwrap();
        let payload = self.keys.verify(&object).unwrap().into_payload();
        assert_eq!(payload.request(), signed.hash());
        Ok(payload)
    }

    /// The objects of one type, each checked.
    pub fn of_type<T: Payload>(&self, objects: &[Vec<u8>]) -> Vec<T> {
        let of_type = objects.iter().filter(|object| peek_type(object).unwrap() == T::TYPE);
        let signed = of_type.map(|object| Signed::<T>::from_bytes(object.clone()).unwrap());
        signed.map(|signed| self.keys.verify(&signed).unwrap().into_payload()).collect()
    }
}

/// An answer that names its request.
pub trait Bound {
    fn request(&self) -> Hash;
}

impl Bound for SyncAnswer {
    fn request(&self) -> Hash {
        self.request
    }
}

impl Bound for ExtendAnswer {
    fn request(&self) -> Hash {
        self.request
    }
}

impl Bound for cabas_protocol::card_session::CardSessionAnswer {
    fn request(&self) -> Hash {
        self.request
    }
}

/// The hash that an answer to these bytes names.
pub fn hash_of(body: &[u8]) -> Hash {
    sha256(&[body])
}

pub fn weak_key_request(code: &Code, signer: &Signer) -> Vec<u8> {
    // The payload of an enrolment whose key is the identity point: no library of ours would make one.
    let good = signer.sign(&enrol_request(code, signer)).into_bytes();
    let key = signer.public().as_bytes();
    let mut weak = [0; 32];
    weak[0] = 1;
    let at = good.windows(32).position(|window| window == key).unwrap();
    [&good[..at], &weak, &good[at + 32..]].concat()
}
