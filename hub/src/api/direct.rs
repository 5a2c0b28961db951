//! The hub's answers without sockets, threads and waiting: the same functions on one connection, one call after another.
//! For who drives a hub by hand, with a clock of his own: the simulation of a fleet.

use cabas_card::Exchange;
use cabas_protocol::enrol::EnrolRequest;
use cabas_protocol::extend::ExtendRequest;
use cabas_protocol::head::HeadContext;
use cabas_protocol::sign::{Payload, sha256};
use cabas_protocol::sync::SyncRequest;
use cabas_protocol::{Epoch, PublicKey, PurseRef, RefusalCode, Signed, TerminalId, Timestamp, Verified};

use super::card_session::{Dialogue, command};
use super::enrol::Outcome;
use super::{enrol, extend, message, sync};
use crate::error::Refused;
use crate::keys::HubSecrets;
use crate::store::{Db, StoreError};

/// A hub that does one thing after another.
#[derive(Debug)]
pub struct DirectHub {
    /// Its file.
    pub db: Db,
    /// Its keys.
    pub secrets: HubSecrets,
    context: HeadContext,
    root: PublicKey,
}

/// A status and a body, as a terminal gets them.
pub type Said = (u16, Vec<u8>);

impl DirectHub {
    /// Takes a fund's file and its keys.
    ///
    /// # Errors
    /// [`StoreError`] where the file holds no fund.
    pub fn new(mut db: Db, secrets: HubSecrets) -> Result<Self, StoreError> {
        let (fund, keys) = db.read(|tx| Ok((tx.fund()?, tx.signing_keys()?)))?;
        secrets.signers.update(&keys);
        Ok(Self { context: fund.context(), root: fund.root, db, secrets })
    }

    /// `POST /v1/sync`, answered at once.
    pub fn sync(&mut self, body: Vec<u8>, now: Timestamp) -> Said {
        self.answer(body, |hub, request: Signed<SyncRequest>| {
            let (request, key) = hub.verified(request, |asked| (asked.terminal, asked.epoch))?;
            let (asked, upload) = sync::read(hub.context, request, key)?;
            let DirectHub { db, secrets, context, .. } = hub;
            let sent = (&asked.contact, asked.handed.as_ref(), upload.as_ref());
            let (found, _) = db.write(|tx| sync::take(tx, sent, secrets, now))?;
            secrets.signers.update(&found.keys);
            let signer = secrets.signers.of_terminal(found.keys_confirmed)?;
            let (answer, cards) = sync::make((secrets, *context), &signer, (asked.hash, now), found);
            if !cards.is_empty() {
                db.write(|tx| cards.iter().try_for_each(|balance| tx.card_envelope(balance)))?;
            }
            Ok(answer)
        })
    }

    /// `POST /v1/extend`, answered at once; and how many of those that are connected were asked for money. Once they have
    /// answered, the same request finds it.
    pub fn extend(&mut self, body: Vec<u8>, connected: &[TerminalId], now: Timestamp) -> (Said, u32) {
        let mut recalled = 0;
        let said = self.answer(body, |hub, request: Signed<ExtendRequest>| {
            let (request, _) = hub.verified(request, |asked| (asked.terminal, asked.epoch))?;
            let extended = hub.db.write(|tx| extend::raise(tx, request.payload(), connected, now))?;
            recalled = extended.shortfall.recalled;
            let (answer, of_card) = extend::say((&hub.secrets, hub.context), (request.hash(), now), extended)?;
            of_card.map_or(Ok(()), |signed| hub.db.write(|tx| tx.card_envelope(&signed)))?;
            Ok(answer)
        });
        (said, recalled)
    }

    /// `POST /v1/enrol`.
    pub fn enrol(&mut self, body: Vec<u8>, now: Timestamp) -> Said {
        self.answer(body, |hub, request: Signed<EnrolRequest>| {
            let key = request.peek()?.key;
            let request = request.verify(&key, EnrolRequest::NO_FUND)?;
            match hub.db.write(|tx| enrol::try_code(tx, request.payload(), now))? {
                Outcome::Enrolled { enrolled, keys, certs, signing } => {
                    hub.secrets.signers.update(&signing);
                    let hub = (&hub.secrets, hub.context, hub.root);
                    enrol::answer(hub, &request, enrolled, (&keys, certs), now)
                }
                Outcome::Refused(refusal) => Err(refusal.into()),
                Outcome::UnknownCode => Err(RefusalCode::WrongCode.into()),
            }
        })
    }

    /// What a terminal's card session does, the card in the hub's own hand: `words` is the command, `purse` what a new
    /// purse card is called, `seed` what its numbers are drawn from. True where it was done.
    ///
    /// # Errors
    /// [`StoreError`] where it is not allowed.
    pub fn card(
        &mut self,
        card: &mut dyn Exchange,
        (uid, words): ([u8; cabas_card::tmac::UID_BYTES], &str),
        terminal: TerminalId,
        (purse, seed): (PurseRef, [u8; 32]),
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let Some((verb, number)) = command(words) else { return Ok(false) };
        let what = (terminal, verb, number);
        let name = self.secrets.card_key.card_ref(&uid);
        let plan = self.db.write(|tx| tx.card_plan(what, name, purse, now))?;
        let Ok(signer) = self.secrets.signers.of_anybody() else { return Ok(false) };
        let balance = plan.balance.as_ref().map(|balance| signer.sign(balance));
        if let Some(signed) = &balance {
            self.db.write(|tx| tx.card_envelope(signed))?;
        }
        let balance = balance.map(Signed::into_bytes).unwrap_or_default();
        let talk = Dialogue { master: self.secrets.purse_master(), uid, plan, balance };
        let (Ok(renewed), Ok(sealed)) = (talk.talk(card, verb, seed), self.secrets.seal_uid(&uid)) else {
            return Ok(false);
        };
        self.db.write(|tx| tx.card_done(what, &sealed, &renewed, now))?;
        Ok(true)
    }

    fn verified<T: Payload>(
        &mut self,
        request: Signed<T>,
        of: fn(&T) -> (TerminalId, Epoch),
    ) -> Result<(Verified<T>, PublicKey), Refused> {
        let (terminal, epoch) = of(&request.peek()?);
        let key = self.db.read(|tx| tx.terminal_key(terminal, epoch))?.key;
        Ok((request.verify(&key, self.context.fund)?, key))
    }

    fn answer<T: Payload, U: Payload>(
        &mut self,
        body: Vec<u8>,
        work: impl FnOnce(&mut Self, Signed<T>) -> Result<Signed<U>, Refused>,
    ) -> Said {
        let hash = sha256(&[&body]);
        let done = Signed::from_bytes(body).map_err(Refused::from).and_then(|request| work(self, request));
        match done {
            Ok(answer) => (200, answer.into_bytes()),
            Err(refused) => message::signed_refusal((&self.secrets, self.context), hash, &refused),
        }
    }
}
