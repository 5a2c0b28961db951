//! The hub's signing keys: new ones, and those that are taken back.

use cabas_agent::journal::keyfile::write_private;
use cabas_hub::keys::keep_cert;
use cabas_protocol::keys::{KeyCert, SIGNING_KEYS_MAX};
use cabas_protocol::{KeyId, ObjectType, PublicKey, Signer, Timestamp};

use super::auditor::{Broken, Checked};
use super::hub::Hub;
use super::world::World;

/// Seeds of signing keys that are made later begin here.
const SEEDS: u8 = 0x40;

impl Hub {
    /// Makes a signing key, as many as there may be. True where one was made.
    fn key_new(&mut self, now: Timestamp) -> anyhow::Result<bool> {
        let known = self.direct()?.db.read(|tx| tx.signing_keys())?.len();
        if known >= SIGNING_KEYS_MAX {
            return Ok(false);
        }
        let byte = SEEDS.saturating_add(u8::try_from(known)?);
        let signer = Signer::from_seed(&[byte; 32])?;
        let file = self.dir.join("keys").join(format!("signing-{}.key", signer.public().id()));
        write_private(&file, format!("{}\n", format!("{byte:02x}").repeat(32)).as_bytes())?;
        self.certify(*signer.public(), false, now)?;
        Ok(true)
    }

    /// Takes the oldest key in force back, where another one is.
    fn key_back(&mut self, now: Timestamp) -> anyhow::Result<Option<KeyId>> {
        let views = self.direct()?.db.read(|tx| tx.key_views())?.0;
        let mut in_force = views.iter().filter(|view| !view.revoked);
        let (Some(oldest), Some(_)) = (in_force.next(), in_force.next()) else { return Ok(None) };
        self.certify(oldest.key, true, now)?;
        while self.write(|tx| tx.balances_anew(now))? {}
        Ok(Some(oldest.id))
    }

    fn certify(&mut self, key: PublicKey, revoked: bool, now: Timestamp) -> anyhow::Result<()> {
        let root = Signer::from_seed(&[1; 32])?;
        let head = self.direct()?.db.read(|tx| tx.fund())?.context().head(ObjectType::KeyCert);
        let cert = root.sign(&KeyCert { head, key, issued_at: now, revoked });
        // Beside the keys first: what the root said must outlive the database.
        keep_cert(&self.dir.join("keys"), key.id(), &cert)?;
        self.write(|tx| tx.key_certify(&cert))
    }

    /// The newest key in force.
    fn newest_key(&mut self) -> anyhow::Result<Option<KeyId>> {
        let keys = self.direct()?.db.read(|tx| tx.signing_keys())?;
        let in_force = keys.iter().filter(|key| !key.revoked);
        Ok(in_force.max_by_key(|key| key.change).map(|key| key.id))
    }
}

impl World {
    /// The hub gets a new signing key.
    pub(super) fn new_key(&mut self) -> Checked {
        let time = self.time();
        if self.hub.key_new(time)? {
            self.figures.signing_keys = self.figures.signing_keys.saturating_add(1);
        }
        Ok(())
    }

    /// The oldest signing key is taken back: it may be in a thief's hands.
    pub(super) fn key_back(&mut self) -> Checked {
        let time = self.time();
        if let Some(key) = self.hub.key_back(time)? {
            self.audit.taken_back.insert(key);
            self.figures.signing_keys = self.figures.signing_keys.saturating_add(1);
        }
        Ok(())
    }

    /// A terminal that has all news is answered by the newest key.
    pub(super) fn newest_key_signs(&mut self) -> Checked {
        let newest = self.hub.newest_key()?;
        for till in self.tills.iter().flatten() {
            let at = (till.terminal.get(), till.epoch.get());
            let is_told = self.has_news_of.get(&at) == Some(&self.at) && !self.audit.tainted.contains(&at);
            let by = self.audit.answered_by.get(&at).copied();
            if is_told && by != newest {
                let detail = format!("shop {}: {by:?}, not {newest:?}", till.shop);
                return Err(Broken::new("the newest key signs for who knows it", detail));
            }
        }
        Ok(())
    }
}
