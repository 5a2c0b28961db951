//! The hub's word on what a card must have answered: it has the masters, so it makes every key again.

use cabas_card::Key;
use cabas_card::layout::{Purpose, RECORD_BYTES, Record, card_key};
use cabas_card::tmac::{TransactionInput, transaction_mac};
use cabas_protocol::{Epoch, TerminalId};

use crate::core::card_proof::CardWitness;
use crate::keys::HubSecrets;

/// The version of the transaction MAC's key on every card: it is never changed.
pub const MAC_KEY_VERSION: u8 = 1;

impl CardWitness for HubSecrets {
    fn transaction_mac(&self, uid_sealed: &[u8], counter: u32, input: &TransactionInput) -> Option<[u8; 8]> {
        let uid = self.open_uid(uid_sealed)?;
        let key = card_key(&self.purse_master(), &uid, Purpose::TransactionMac, MAC_KEY_VERSION).ok()?;
        Some(transaction_mac(&key, &uid, counter, input))
    }

    fn record(&self, uid_sealed: &[u8], record: Record) -> Option<[u8; RECORD_BYTES]> {
        let uid = self.open_uid(uid_sealed)?;
        let terminal = self.of_terminal(TerminalId::new(record.terminal), Epoch::new(record.epoch));
        Some(record.to_bytes(&Key::new(terminal.record_key), &uid))
    }
}
