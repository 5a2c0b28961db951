//! A bare terminal: speaks the protocol and does as it is told, right or wrong. The agent is tested by itself; this one
//! sends the hub what no agent would, and as fast as a benchmark wants.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use cabas_protocol::chain::ChainId;
use cabas_protocol::enrol::{Code, EnrolAnswer, EnrolRequest, TerminalSecrets};
use cabas_protocol::extend::{ExtendAnswer, ExtendRequest};
use cabas_protocol::head::HeadContext;
use cabas_protocol::ids::BootId;
use cabas_protocol::keys::{HubKeys, KeyCert, SlotKey};
use cabas_protocol::refusal::Refusal;
use cabas_protocol::row::{ClockQuality, Line, ListApplied, RowTime, Sale, Start, Tier};
use cabas_protocol::sign::{Payload, peek_type};
use cabas_protocol::sync::{ROWS_MAX, SyncAnswer, SyncRequest, TerminalStatus};
use cabas_protocol::{
    CardRef, CategoryId, Cents, ChainHead, Epoch, FundId, Hash, Head, Incarnation, ObjectType, PolicyId, PurseRef,
    RefusalCode, RequestId, Row, RowBody, Seq, Serial, Signed, SignedBalance, Signer, Stan, TerminalId, TimeEpoch,
    Timestamp, Version,
};
use ring::rand::{SecureRandom as _, SystemRandom};

/// Random bytes.
///
/// # Errors
/// Where the system has none.
pub fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow::anyhow!("no random bytes"))?;
    Ok(bytes)
}

/// What the hub says to a request: yes with an answer, or a signed no.
#[derive(Debug)]
pub enum Answer<T> {
    /// The answer.
    Yes(T),
    /// The refusal.
    No(RefusalCode, String),
}

impl<T> Answer<T> {
    /// The answer.
    ///
    /// # Errors
    /// The refusal.
    pub fn yes(self) -> anyhow::Result<T> {
        match self {
            Self::Yes(answer) => Ok(answer),
            Self::No(code, detail) => bail!("refused: {code:?} ({detail})"),
        }
    }
}

/// A terminal that is enrolled.
pub struct Terminal {
    http: reqwest::Client,
    hub: String,
    seed: [u8; 32],
    signer: Signer,
    keys: HubKeys,
    context: HeadContext,
    /// Its id.
    pub id: TerminalId,
    /// Its enrolment.
    pub epoch: Epoch,
    /// The newest row that it made.
    pub head: ChainHead,
    /// What the hub acknowledged.
    pub acked: ChainHead,
    /// Rows that the hub has not acknowledged.
    pub unsent: Vec<Signed<Row>>,
    /// The newest balance of each purse.
    pub balances: BTreeMap<PurseRef, SignedBalance>,
    /// Its counters.
    pub spent: BTreeMap<PurseRef, Cents>,
    /// Where the next pull goes on.
    pub cursor: u64,
    /// The balances as the hub signed them, for a hub that asks for them.
    pub held: BTreeMap<PurseRef, Vec<u8>>,
    /// True where it hands back what a restored hub asks for.
    pub hands_back: bool,
    /// Every row that it made since [`Self::keep_journal`]: what a restored hub has lost is sent again.
    journal: Option<Vec<Signed<Row>>>,
    pub(crate) stan: Stan,
    /// What the hub gave it at enrolment.
    pub(crate) secrets: TerminalSecrets,
    /// The newest key of each purse card.
    pub(crate) slot_keys: BTreeMap<CardRef, SlotKey>,
}

impl Terminal {
    /// Enrols with a code.
    ///
    /// # Errors
    /// Where the hub refuses, or what it says does not hold.
    pub async fn enrol(http: reqwest::Client, hub: &str, code: &str) -> anyhow::Result<Self> {
        let seed = random()?;
        let signer = Signer::from_seed(&seed)?;
        let (code, nonce) = (Code::parse(code)?, RequestId::new(random()?));
        let code_keys = code.keys();
        let none = HeadContext {
            fund: EnrolRequest::NO_FUND,
            incarnation: Incarnation::new(0),
            time_epoch: TimeEpoch::new(0),
        };
        let request = signer.sign(&EnrolRequest {
            head: none.head(ObjectType::EnrolRequest),
            locator: code.locator().to_owned(),
            key: *signer.public(),
            nonce,
            proof: code_keys.prove_terminal(signer.public(), nonce),
            program: "cabas-tests".to_owned(),
        });
        let hash = request.hash();
        let (status, body) = post(&http, &format!("{hub}/v1/enrol"), request.into_bytes()).await?;
        if status != 200 {
            bail!("enrolment refused with status {status}: {:?}", refusal_unchecked(&body));
        }
        let signed = Signed::<EnrolAnswer>::from_bytes(body)?;
        let answer = signed.peek()?;
        code_keys.check_hub(&answer.request, answer.head.fund, &answer.root, &answer.proof)?;
        let mut keys = HubKeys::new(answer.head.fund, answer.root);
        for cert in &answer.certs {
            keys.certify(&Signed::<KeyCert>::from_bytes(cert.to_vec())?)?;
        }
        let answer = keys.verify(&signed)?.into_payload();
        if answer.request != hash {
            bail!("the answer belongs to another request");
        }
        let secrets = code_keys.open(&hash, &answer.sealed)?;
        let Head { fund, incarnation, time_epoch, .. } = answer.head;
        let genesis = ChainId { fund, terminal: answer.terminal, epoch: answer.epoch }.genesis(signer.public());
        Ok(Self {
            http,
            hub: hub.to_owned(),
            seed,
            signer,
            keys,
            context: HeadContext { fund, incarnation, time_epoch },
            id: answer.terminal,
            epoch: answer.epoch,
            head: genesis,
            acked: genesis,
            unsent: Vec::new(),
            balances: BTreeMap::new(),
            spent: BTreeMap::new(),
            cursor: 0,
            held: BTreeMap::new(),
            hands_back: true,
            journal: None,
            stan: Stan::FIRST,
            secrets,
            slot_keys: BTreeMap::new(),
        })
    }

    /// Keeps every row from here on, as an agent does until the hub says that it is backed up.
    pub fn keep_journal(&mut self) {
        self.journal = Some(self.unsent.clone());
    }

    /// The life of the hub that it has heard of.
    #[must_use]
    pub const fn incarnation(&self) -> Incarnation {
        self.context.incarnation
    }

    /// A row that says that a hot list was applied.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn apply_list(&mut self, version: Version) -> anyhow::Result<Signed<Row>> {
        self.append(RowBody::ListApplied(ListApplied { version }))
    }

    /// The fund.
    #[must_use]
    pub const fn fund(&self) -> FundId {
        self.context.fund
    }

    /// Adds a row to the journal.
    ///
    /// # Errors
    /// Where the numbers are at their end.
    pub fn append(&mut self, body: RowBody) -> anyhow::Result<Signed<Row>> {
        let row = Row {
            head: self.context.head(ObjectType::Row),
            terminal: self.id,
            epoch: self.epoch,
            seq: self.head.seq.next().context("no seq left")?,
            prev: self.head.hash,
            time: RowTime {
                boot: BootId::new([1; 8]),
                monotonic_ms: u64::from(self.head.seq.get()).saturating_mul(1000),
                wall: Timestamp::new(1_796_000_000),
                quality: ClockQuality::Synced,
            },
            body,
        };
        let signed = self.signer.sign(&row);
        self.head = ChainHead { seq: row.seq, hash: signed.hash() };
        self.unsent.push(signed.clone());
        if let Some(journal) = &mut self.journal {
            journal.push(signed.clone());
        }
        Ok(signed)
    }

    /// Adds a start row.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn start(&mut self) -> anyhow::Result<Signed<Row>> {
        self.append(RowBody::Start(Start { program: "cabas-tests".to_owned() }))
    }

    /// Sells, whether or not a balance allows it.
    ///
    /// # Errors
    /// Where the amount is none.
    pub fn sell(&mut self, purse: PurseRef, amount: Cents) -> anyhow::Result<Signed<Row>> {
        let spent_after = self.spent.get(&purse).copied().unwrap_or_default().plus(amount)?;
        let serial = self.balances.get(&purse).map_or(Serial::new(0), |balance| balance.serial);
        self.spent.insert(purse, spent_after);
        self.stan = self.stan.next();
        let line = Line { category: CategoryId::new(0), requested: amount, fund: amount, member: Cents::ZERO };
        self.append(RowBody::Sale(Sale {
            stan: self.stan,
            card: CardRef::new(*purse.as_bytes()),
            tier: Tier::Plain,
            purse,
            spent_after,
            serial,
            lines: vec![line],
            hot_list: Version::new(0),
            grid: Version::new(1),
            policy: PolicyId::new(1),
            request: None,
            asked: None,
            intent: None,
            card_counter: None,
            card_mac: None,
        }))
    }

    /// What is left under the newest balance of a purse.
    #[must_use]
    pub fn available(&self, purse: PurseRef) -> Cents {
        let allowed = self.balances.get(&purse).map_or(Cents::ZERO, |balance| balance.allowed);
        allowed.minus_or_zero(self.spent.get(&purse).copied().unwrap_or_default())
    }

    /// Makes a request that carries `rows`, which build on `base`.
    ///
    /// # Errors
    /// Where the system has no random bytes.
    pub fn request(&self, base: ChainHead, rows: &[Signed<Row>], wait_ms: u32) -> anyhow::Result<Signed<SyncRequest>> {
        self.request_with(base, rows, wait_ms, None)
    }

    /// The same with balances that are handed back.
    ///
    /// # Errors
    /// Where the system has no random bytes.
    pub fn request_with(
        &self,
        base: ChainHead,
        rows: &[Signed<Row>],
        wait_ms: u32,
        held: Option<&BTreeMap<PurseRef, Vec<u8>>>,
    ) -> anyhow::Result<Signed<SyncRequest>> {
        Ok(self.signer.sign(&SyncRequest {
            head: self.context.head(ObjectType::SyncRequest),
            terminal: self.id,
            epoch: self.epoch,
            nonce: RequestId::new(random()?),
            base,
            rows: rows.iter().map(|row| row.as_bytes().to_vec().into()).collect(),
            cursor: self.cursor,
            wait_ms,
            status: TerminalStatus {
                program: "cabas-tests".to_owned(),
                wall: Timestamp::new(1_796_000_000),
                clock: ClockQuality::Synced,
                hot_list: Version::new(0),
                newest: self.head.seq,
                refused_unfunded: 0,
            },
            held: held.into_iter().flat_map(|held| held.values().cloned().map(Into::into)).collect(),
            held_end: held.is_some(),
            held_list: None,
        }))
    }

    /// Makes a request for a larger slice.
    ///
    /// # Errors
    /// Where the system has no random bytes.
    pub fn extend_request(&self, purse: PurseRef, allowed_at_least: Cents) -> anyhow::Result<Signed<ExtendRequest>> {
        Ok(self.signer.sign(&ExtendRequest {
            head: self.context.head(ObjectType::ExtendRequest),
            terminal: self.id,
            epoch: self.epoch,
            request: RequestId::new(random()?),
            purse,
            allowed_at_least,
        }))
    }

    /// Asks the hub for more of a purse, as at a counter, and keeps the balance that comes.
    ///
    /// # Errors
    /// Where the hub refuses, or what it says does not hold.
    pub async fn extend(&mut self, purse: PurseRef, allowed_at_least: Cents) -> anyhow::Result<()> {
        let request = self.extend_request(purse, allowed_at_least)?;
        let answer: ExtendAnswer = self.send("/v1/extend", request).await?.yes()?;
        if let Some(balance) = answer.balance {
            let signed = Signed::<SignedBalance>::from_bytes(balance.to_vec())?;
            let balance = self.keys.verify(&signed)?.into_payload();
            self.held.insert(balance.purse, signed.into_bytes());
            self.balances.insert(balance.purse, balance);
        }
        Ok(())
    }

    /// Sends a request of any type and checks that the answer is the hub's, to this request.
    ///
    /// # Errors
    /// Where the hub is not reached or what it says does not hold.
    pub async fn send<Q: Payload, A: Payload>(&self, path: &str, request: Signed<Q>) -> anyhow::Result<Answer<A>> {
        let (status, body) = post(&self.http, &format!("{}{path}", self.hub), request.into_bytes()).await?;
        self.read(status, body)
    }

    fn read<A: Payload>(&self, status: u16, body: Vec<u8>) -> anyhow::Result<Answer<A>> {
        if status == 200 {
            return Ok(Answer::Yes(self.keys.verify(&Signed::<A>::from_bytes(body)?)?.into_payload()));
        }
        let refusal = self.keys.verify(&Signed::<Refusal>::from_bytes(body)?)?.into_payload();
        Ok(Answer::No(refusal.code, refusal.detail))
    }

    /// Pushes what is unsent and pulls what is new, until there is no more of either.
    ///
    /// # Errors
    /// Where the hub refuses, or what it says does not hold.
    pub async fn sync(&mut self) -> anyhow::Result<SyncAnswer> {
        let mut wanted = false;
        loop {
            let batch: Vec<_> = self.unsent.iter().take(ROWS_MAX).cloned().collect();
            let held = if wanted && self.hands_back { Some(&self.held) } else { None };
            let request = self.request_with(self.acked, &batch, 0, held)?;
            let hash = request.hash();
            let (status, body) = post(&self.http, &format!("{}/v1/sync", self.hub), request.into_bytes()).await?;
            if status == 200 {
                self.learn_keys(&body)?;
            }
            let answer: SyncAnswer = self.read(status, body)?.yes()?;
            self.take(&answer, hash)?;
            if answer.want_held && self.hands_back && !wanted {
                wanted = true;
                continue;
            }
            if self.unsent.is_empty() && !answer.more || self.unsent.len() == batch.len() && !batch.is_empty() {
                return Ok(answer);
            }
        }
    }

    /// Takes the root's certificates out of an answer, be the answer's own signature known or not.
    fn learn_keys(&mut self, body: &[u8]) -> anyhow::Result<()> {
        for object in Signed::<SyncAnswer>::from_bytes(body.to_vec())?.peek()?.objects {
            if peek_type(&object)? == ObjectType::KeyCert {
                self.keys.certify(&Signed::from_bytes(object.to_vec())?)?;
            }
        }
        Ok(())
    }

    /// Syncs until the hub has reserved money here for every household of the example fund.
    ///
    /// # Errors
    /// Where it never does.
    pub async fn wait_for_balances(&mut self) -> anyhow::Result<()> {
        for _ in 0..100 {
            self.sync().await?;
            if self.balances.len() >= 108 {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        bail!("only {} balances came", self.balances.len())
    }

    /// Drops the connections and makes new ones.
    pub fn reconnect(&mut self, http: reqwest::Client) {
        self.http = http;
    }

    /// Takes over what an answer brings.
    ///
    /// # Errors
    /// Where it is none to this request.
    pub fn take(&mut self, answer: &SyncAnswer, request: Hash) -> anyhow::Result<()> {
        if answer.request != request {
            bail!("the answer belongs to another request");
        }
        self.unsent
            .retain(|row| row.read_trusted(self.context.fund).is_ok_and(|row| row.payload().seq > answer.acked.seq));
        if let Some(journal) = self.journal.as_ref().filter(|_| answer.acked.seq < self.acked.seq) {
            // A restored hub lost what it had acknowledged.
            let fund = self.context.fund;
            let lost =
                |row: &&Signed<Row>| row.read_trusted(fund).is_ok_and(|row| row.payload().seq > answer.acked.seq);
            self.unsent = journal.iter().filter(lost).cloned().collect();
        }
        let Head { fund, incarnation, time_epoch, .. } = answer.head;
        self.context = HeadContext { fund, incarnation, time_epoch };
        self.acked = answer.acked;
        self.cursor = answer.cursor;
        for object in &answer.objects {
            if peek_type(object)? == ObjectType::Balance {
                let balance = self.keys.verify(&Signed::<SignedBalance>::from_bytes(object.to_vec())?)?.into_payload();
                self.held.insert(balance.purse, object.to_vec());
                self.balances.insert(balance.purse, balance);
            }
            if peek_type(object)? == ObjectType::SlotKey {
                let key = self.keys.verify(&Signed::<SlotKey>::from_bytes(object.to_vec())?)?.into_payload();
                self.slot_keys.insert(key.card, key);
            }
        }
        Ok(())
    }

    /// A copy with the same key and the same past: what a copied disk is.
    ///
    /// # Errors
    /// Never for a key that was made once.
    pub fn cloned(&self) -> anyhow::Result<Self> {
        Ok(Self {
            http: self.http.clone(),
            hub: self.hub.clone(),
            seed: self.seed,
            signer: Signer::from_seed(&self.seed)?,
            keys: self.keys.clone(),
            context: self.context,
            id: self.id,
            epoch: self.epoch,
            head: self.head,
            acked: self.acked,
            unsent: self.unsent.clone(),
            balances: self.balances.clone(),
            spent: self.spent.clone(),
            cursor: self.cursor,
            held: self.held.clone(),
            hands_back: self.hands_back,
            journal: self.journal.clone(),
            stan: self.stan,
            secrets: self.secrets.clone(),
            slot_keys: self.slot_keys.clone(),
        })
    }

    /// The seq of the newest row.
    #[must_use]
    pub const fn newest(&self) -> Seq {
        self.head.seq
    }
}

/// Posts a body; gives status and body.
///
/// # Errors
/// Where nobody answers.
pub async fn post(http: &reqwest::Client, url: &str, body: Vec<u8>) -> anyhow::Result<(u16, Vec<u8>)> {
    let answer = http.post(url).header("content-type", "application/cose").body(body).send().await?;
    let status = answer.status().as_u16();
    Ok((status, answer.bytes().await?.to_vec()))
}

fn refusal_unchecked(body: &[u8]) -> Option<Refusal> {
    Signed::<Refusal>::from_bytes(body.to_vec()).ok()?.peek().ok()
}
