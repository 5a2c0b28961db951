//! Bank entries that are money in: whose payment it may be, and a person's word that it is. An entry is explained once, and
//! money in is confirmed once.

use std::collections::{BTreeMap, BTreeSet};

use cabas_protocol::{Cents, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::bank_refusal::BankRefusal;
use super::bank_texts::Texts;
use super::closing::person;
use super::error::StoreError;
use super::model::{BankEntryView, MoneyInProposal, MoneyInRef, Payer};
use super::money_in::{MoneyInRefusal, Paid};
use super::sources::CONTRIBUTIONS;
use super::sql::{Sql, col, col_opt};
use super::tx::Tx;
use crate::core::bank_text::BankKeys;
use crate::core::ledger::{AccountId, Entry, TransferKind};

/// The state of an entry that money in explains.
const MONEY_IN: u8 = 2;
/// Proposals for an entry, at the most.
const PROPOSALS_MAX: usize = 5;
/// Entries whose senders are known again, the newest.
const SENDERS_KNOWN_MAX: u32 = 10_000;
const SECONDS_OF_A_DAY: u64 = 86_400;

/// Who was said to have paid what came from an account: a household's code, or the name of a source.
pub(super) type Senders = BTreeMap<String, BTreeSet<(Option<String>, String)>>;

impl Tx<'_> {
    /// A person says which payment an open entry is: a new one, or what was noted before. Gives the numbers of the money in.
    ///
    /// # Errors
    /// [`BankRefusal`], [`MoneyInRefusal`].
    pub fn bank_match_money_in(
        &mut self,
        entry: u64,
        meant: &MoneyInRef,
        (by, again): (&str, bool),
        now: Timestamp,
    ) -> Result<Vec<u64>, StoreError> {
        let by = person(by)?;
        let read = "SELECT is_credit, cents, state, booked_on FROM bank_entries WHERE id = ?1";
        let found = self
            .conn
            .query_row(read, [Sql(entry)], |row| Ok((row.get(0)?, col(row, 1)?, row.get::<_, u8>(2)?, row.get(3)?)));
        let found: Option<(bool, Cents, u8, Option<u32>)> = found.optional()?;
        let (is_credit, cents, state, booked_on) = found.ok_or(BankRefusal::NoEntry(entry))?;
        if state != 0 {
            return Err(BankRefusal::EntryExplained(entry).into());
        }
        let parts = match meant {
            MoneyInRef::New(payer) => {
                if !is_credit {
                    return Err(MoneyInRefusal::EntryIsDebit(entry).into());
                }
                let paid = self.payer(payer)?;
                if let Some(id) = self.waits_for_bank(paid, cents)?.filter(|_| !again) {
                    return Err(MoneyInRefusal::WaitsForBank(id).into());
                }
                let today = u32::try_from(now.get().checked_div(SECONDS_OF_A_DAY).unwrap_or(0)).unwrap_or(u32::MAX);
                let day = booked_on.unwrap_or(today);
                vec![(self.keep_money_in(paid, cents, (day, None), None, by, now)?, cents)]
            }
            MoneyInRef::Noted(ids) => {
                let ids: BTreeSet<u64> = ids.iter().copied().collect();
                ids.into_iter()
                    .map(|id| Ok((id, self.noted(id, is_credit)?)))
                    .collect::<Result<Vec<_>, StoreError>>()?
            }
        };
        let noted = Cents::sum(parts.iter().map(|(_, cents)| *cents))?;
        if noted != cents {
            return Err(MoneyInRefusal::OtherSum { entry: cents, noted }.into());
        }
        for (id, cents) in &parts {
            self.bank(*id, *cents, (entry, is_credit), by, now)?;
        }
        let set = "UPDATE bank_entries SET state = ?2 WHERE id = ?1 AND state = 0";
        self.conn.prepare_cached(set)?.execute(params![Sql(entry), MONEY_IN])?;
        Ok(parts.into_iter().map(|(id, _)| id).collect())
    }

    /// An open entry with whose payment it may be.
    ///
    /// # Errors
    /// [`BankRefusal::NoEntry`], [`BankRefusal::EntryExplained`].
    pub fn bank_entry_open(&self, keys: &dyn BankKeys, id: u64) -> Result<BankEntryView, StoreError> {
        let read = "SELECT is_credit, cents, booked_on, state FROM bank_entries WHERE id = ?1";
        let found = self.conn.query_row(read, [Sql(id)], |row| {
            let (is_credit, cents, booked_on, state) = (row.get(0)?, col(row, 1)?, row.get(2)?, row.get(3)?);
            let (proposals, money_in) = (Vec::new(), Vec::new());
            Ok(BankEntryView { id, is_credit, cents, booked_on, state, proposals, money_in })
        });
        let mut found = found.optional()?.ok_or(BankRefusal::NoEntry(id))?;
        if found.state != 0 {
            return Err(BankRefusal::EntryExplained(id).into());
        }
        found.money_in = self.money_in_proposals(&found, keys, &self.senders(keys)?)?;
        Ok(found)
    }

    fn bank(
        &self,
        id: u64,
        cents: Cents,
        (entry, is_credit): (u64, bool),
        by: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.conn
            .prepare_cached("INSERT INTO banked (money_in, entry, matched_by, matched_at) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![Sql(id), Sql(entry), by, Sql(now)])?;
        let (debit, credit, kind) = if is_credit {
            (AccountId::BANK, AccountId::INCOMING, TransferKind::Banked)
        } else {
            (AccountId::INCOMING, AccountId::BANK, TransferKind::Unbanked)
        };
        self.with_books(|books| books.post(Entry { debit, credit, cents, kind, cause: id }).map(drop))
    }

    /// What was noted and may be matched with an entry: a payment that stands with money that came, a counter-entry of what
    /// the bank had confirmed with money that went.
    fn noted(&self, id: u64, is_credit: bool) -> Result<Cents, StoreError> {
        let read = "SELECT cents, takes_back IS NULL, EXISTS (SELECT 1 FROM banked WHERE money_in = m.id),
                EXISTS (SELECT 1 FROM money_in AS back WHERE back.takes_back = m.id),
                EXISTS (SELECT 1 FROM banked WHERE money_in = m.takes_back)
             FROM money_in AS m WHERE id = ?1";
        let found = self.conn.prepare_cached(read)?.query_row([Sql(id)], |row| {
            let (is_payment, is_banked): (bool, bool) = (row.get(1)?, row.get(2)?);
            let (is_taken_back, was_banked): (bool, bool) = (row.get(3)?, row.get(4)?);
            Ok((col(row, 0)?, is_payment, is_banked, if is_payment { !is_taken_back } else { was_banked }))
        });
        let found: Option<(Cents, bool, bool, bool)> = found.optional()?;
        let (cents, is_payment, is_banked, fits) = found.ok_or(MoneyInRefusal::Unknown(id))?;
        if is_banked {
            return Err(MoneyInRefusal::BankedBefore(id).into());
        }
        if is_payment != is_credit || !fits {
            return Err(MoneyInRefusal::NotForEntry(id).into());
        }
        Ok(cents)
    }

    /// A payment of this payer and amount that stands and that the bank did not confirm.
    fn waits_for_bank(&self, paid: Paid, cents: Cents) -> Result<Option<u64>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT min(id) FROM money_in AS m WHERE household IS ?1 AND source = ?2 AND cents = ?3 AND takes_back IS NULL
             AND NOT EXISTS (SELECT 1 FROM money_in AS back WHERE back.takes_back = m.id)
             AND NOT EXISTS (SELECT 1 FROM banked WHERE money_in = m.id)",
        )?;
        Ok(read.query_row(params![paid.household, paid.source, Sql(cents)], |row| col_opt(row, 0))?)
    }

    /// Whose payment an open entry may be, the likeliest first: a household's code in the text, a sender that paid before, a
    /// funder by its name, what was noted and waits, a household that has agreed on just that.
    pub(super) fn money_in_proposals(
        &self,
        view: &BankEntryView,
        keys: &dyn BankKeys,
        senders: &Senders,
    ) -> Result<Vec<MoneyInProposal>, StoreError> {
        let noted = self.noted_of_amount(view)?;
        if !view.is_credit {
            return Ok(noted);
        }
        let texts = self.texts(keys, view.id)?;
        let mut found = self.by_code(view, &texts)?;
        found.extend(by_sender(&texts, senders));
        found.extend(self.by_funder(&texts)?);
        found.extend(noted);
        found.extend(self.by_amount(view)?);
        let mut seen: Vec<MoneyInRef> = Vec::new();
        found.retain(|proposal| {
            let is_new = !seen.contains(&proposal.meant);
            seen.push(proposal.meant.clone());
            is_new
        });
        found.truncate(PROPOSALS_MAX);
        Ok(found)
    }

    fn by_code(&self, view: &BankEntryView, texts: &Texts) -> Result<Vec<MoneyInProposal>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT code, contribution_cents IS ?2 FROM households WHERE code = ?1 COLLATE NOCASE ORDER BY number",
        )?;
        let mut found = Vec::new();
        for word in texts.words() {
            for household in read.query_map(params![word, Sql(view.cents)], |row| Ok((row.get(0)?, row.get(1)?)))? {
                let (code, is_agreed): (String, bool) = household?;
                let why = if is_agreed { "code and amount" } else { "code" };
                found.push(MoneyInProposal { meant: MoneyInRef::New(Payer::Household(code)), why });
            }
        }
        found.sort_by_key(|proposal| proposal.why == "code");
        Ok(found)
    }

    /// Who was said to have paid from which account. Texts are opened one by one: the file tells nobody that two are alike.
    pub(super) fn senders(&self, keys: &dyn BankKeys) -> Result<Senders, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT banked.entry, code, name FROM banked JOIN money_in ON money_in.id = banked.money_in
             JOIN sources ON sources.number = money_in.source LEFT JOIN households ON households.number = household
             WHERE takes_back IS NULL ORDER BY banked.entry DESC LIMIT ?1",
        )?;
        let banked = read.query_map([SENDERS_KNOWN_MAX], |row| Ok((col(row, 0)?, row.get(1)?, row.get(2)?)))?;
        let mut senders = Senders::new();
        for banked in banked {
            let (entry, code, name): (u64, Option<String>, String) = banked?;
            for iban in self.texts(keys, entry)?.parts.into_iter().filter_map(|part| part.iban) {
                senders.entry(iban).or_default().insert((code.clone(), name.clone()));
            }
        }
        Ok(senders)
    }

    fn by_funder(&self, texts: &Texts) -> Result<Vec<MoneyInProposal>, StoreError> {
        let told = texts.parts.iter().flat_map(|part| [part.counterparty.as_deref(), part.remittance.as_deref()]);
        let told: Vec<_> = told.flatten().map(str::to_lowercase).collect();
        let mut read = self.conn.prepare_cached("SELECT name FROM sources WHERE name <> ?1 ORDER BY name")?;
        let mut found = Vec::new();
        for name in read.query_map([CONTRIBUTIONS], |row| row.get(0))? {
            let name: String = name?;
            let lower = name.to_lowercase();
            if told.iter().any(|told| told.contains(&lower)) {
                found.push(MoneyInProposal { meant: MoneyInRef::New(Payer::Source(name)), why: "funder" });
            }
        }
        Ok(found)
    }

    fn noted_of_amount(&self, view: &BankEntryView) -> Result<Vec<MoneyInProposal>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT id FROM money_in AS m WHERE cents = ?1 AND (takes_back IS NULL) = ?2
             AND NOT EXISTS (SELECT 1 FROM banked WHERE money_in = m.id)
             AND iif(?2, NOT EXISTS (SELECT 1 FROM money_in AS back WHERE back.takes_back = m.id),
                EXISTS (SELECT 1 FROM banked WHERE money_in = m.takes_back)) ORDER BY id LIMIT ?3",
        )?;
        let limit = u32::try_from(PROPOSALS_MAX).unwrap_or(u32::MAX);
        let found = read.query_map(params![Sql(view.cents), view.is_credit, limit], |row| {
            Ok(MoneyInProposal { meant: MoneyInRef::Noted(vec![col(row, 0)?]), why: "noted" })
        })?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// Households that have agreed on just this amount, where they are few enough to choose from.
    fn by_amount(&self, view: &BankEntryView) -> Result<Vec<MoneyInProposal>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT code FROM households WHERE contribution_cents = ?1 AND left_at IS NULL ORDER BY code LIMIT ?2",
        )?;
        let limit = u32::try_from(PROPOSALS_MAX.saturating_add(1)).unwrap_or(u32::MAX);
        let found = read.query_map(params![Sql(view.cents), limit], |row| {
            Ok(MoneyInProposal { meant: MoneyInRef::New(Payer::Household(row.get(0)?)), why: "amount" })
        })?;
        let found = found.collect::<Result<Vec<_>, _>>()?;
        Ok(if found.len() > PROPOSALS_MAX { Vec::new() } else { found })
    }
}

/// Who was said to have paid what came from the same account.
fn by_sender(texts: &Texts, senders: &Senders) -> Vec<MoneyInProposal> {
    let known: BTreeSet<_> =
        texts.parts.iter().filter_map(|part| senders.get(part.iban.as_deref()?)).flatten().collect();
    let proposal = |(code, name): &(Option<String>, String)| {
        let payer = code.clone().map_or_else(|| Payer::Source(name.clone()), Payer::Household);
        MoneyInProposal { meant: MoneyInRef::New(payer), why: "sender" }
    };
    known.into_iter().take(PROPOSALS_MAX).map(proposal).collect()
}
