//! The accounting export of a year, from the transfers. What moves only among a household's own accounts (purse, slices,
//! cards) is one account of the books and is no entry.

use std::collections::BTreeMap;
use std::io::Write;

use cabas_protocol::Cents;
use rusqlite::Row;
use sepa::IsoDate;

use super::error::StoreError;
use super::sql::{col, col_opt};
use super::tx::Tx;
use crate::bank::{CONTRIBUTIONS_ACCOUNT, Ecriture, FecAccount, FecWriter, account_of};
use crate::core::ledger::{AccountId, TransferKind};

const SECONDS_OF_A_DAY: u64 = 86_400;
const JOURNAL: (&str, &str) = ("CA", "Cabas");
const OPENING: (&str, &str) = ("AN", "À-nouveaux");

/// What was exported.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FecReport {
    /// Entries, the opening one included.
    pub entries: u64,
    /// The sum of their debits, which is that of their credits.
    pub total: Cents,
}

/// A movement, and when.
struct Moved {
    id: u64,
    debit: AccountId,
    credit: AccountId,
    cents: Cents,
    kind: TransferKind,
    day: Option<u32>,
}

/// Debits and credits before the year, by account.
type Carried = BTreeMap<(&'static str, &'static str, Option<(String, String)>), (Cents, Cents)>;

impl Tx<'_> {
    /// Writes the export of a year. A transfer has the day of its cause; one that follows from another has its day.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Damaged`].
    pub fn fec(&self, year: u16, out: impl Write) -> Result<FecReport, StoreError> {
        let names = self.fec_names()?;
        let contributions = self.contributions_source()?.map(AccountId::source);
        let part = |account: AccountId| {
            let of_households = Some(account) == contributions;
            let (number, label) = if of_households { CONTRIBUTIONS_ACCOUNT } else { account_of(account.kind()) };
            FecAccount { number, label, part: names.get(&account).cloned() }
        };
        let (first, last) = (day_of(year, 1, 1)?, day_of(year, 12, 31)?);
        let mut writer = FecWriter::new(out)?;
        let (mut report, mut carried, mut opened) = (FecReport::default(), Carried::new(), false);
        let (mut day, mut number) = (0_u32, 0_u64);
        let mut read = self.conn.prepare(TRANSFERS)?;
        let mut rows = read.query([])?;
        while let Some(row) = rows.next()? {
            let moved = moved(row)?;
            day = day.max(moved.day.unwrap_or(0));
            if day > last {
                break;
            }
            let (debit, credit) = (part(moved.debit), part(moved.credit));
            if debit == credit {
                continue;
            }
            if day < first {
                carry(&mut carried, debit, (moved.cents, Cents::ZERO))?;
                carry(&mut carried, credit, (Cents::ZERO, moved.cents))?;
                continue;
            }
            if !opened {
                opened = true;
                open_year(&mut writer, &carried, first, &mut report)?;
            }
            number = number.saturating_add(1);
            let (cents, none) = (moved.cents, Cents::ZERO);
            writer.write(&Ecriture {
                journal: JOURNAL,
                number,
                day,
                piece: format!("T{}", moved.id),
                label: label(moved.kind),
                lines: vec![(debit, cents, none), (credit, none, cents)],
            })?;
            report.entries = report.entries.saturating_add(1);
            report.total = report.total.plus(cents)?;
        }
        if !opened {
            open_year(&mut writer, &carried, first, &mut report)?;
        }
        writer.end()?;
        Ok(report)
    }

    /// The parts of accounts that an accountant is to tell apart: shops and funders, no households.
    fn fec_names(&self) -> Result<BTreeMap<AccountId, (String, String)>, StoreError> {
        let mut names = BTreeMap::new();
        let mut read = self.conn.prepare("SELECT number, code, name FROM shops")?;
        for shop in read.query_map([], |row| Ok((col(row, 0)?, row.get(1)?, row.get(2)?)))? {
            let (number, code, name) = shop?;
            names.insert(AccountId::payable(number), (code, name));
        }
        let mut read = self.conn.prepare("SELECT number, name FROM sources")?;
        for source in read.query_map([], |row| Ok((row.get::<_, u32>(0)?, row.get(1)?)))? {
            let (number, name) = source?;
            names.insert(AccountId::source(number), (format!("F{number}"), name));
        }
        Ok(names)
    }
}

/// Every transfer in order, and when its cause was booked, where that has a time of its own.
macro_rules! transfers {
    () => {
        "SELECT id, debit, credit, cents, kind, CASE
    WHEN kind = 1 THEN (SELECT booked_at FROM credits WHERE credits.id = cause)
    WHEN kind IN (3, 6, 7, 12) THEN (SELECT received_at FROM rows WHERE rows.key = cause)
    WHEN kind = 5 THEN (SELECT closed_at FROM settlements WHERE number = cause)
    WHEN kind = 8 THEN (SELECT booked_at FROM expiries WHERE expiries.id = cause)
    WHEN kind IN (9, 10) THEN (SELECT ended_at FROM corrections WHERE corrections.id = cause)
    WHEN kind = 14 THEN (SELECT booked_at FROM carried_sales WHERE place = cause)
    WHEN kind = 23 THEN (SELECT advanced_at FROM goodwill_advances WHERE goodwill_advances.id = cause)
    WHEN kind = 30 THEN (SELECT matched_at FROM payouts_paid WHERE payouts_paid.id = cause)
    WHEN kind IN (40, 41) THEN (SELECT said_at FROM money_in WHERE money_in.id = cause)
    WHEN kind IN (42, 43) THEN (SELECT matched_at FROM banked WHERE banked.money_in = cause)
    WHEN kind IN (31, 32) THEN (SELECT booked_at FROM payouts_back WHERE place = cause)
    END AS at FROM transfers ORDER BY id"
    };
}
pub(super) use transfers;

pub(super) const TRANSFERS: &str = transfers!();

fn moved(row: &Row<'_>) -> Result<Moved, StoreError> {
    let kind = TransferKind::of_number(row.get(4)?).ok_or(StoreError::Damaged("a transfer's kind"))?;
    let at: Option<u64> = col_opt(row, 5)?;
    let day = at.and_then(|at| at.checked_div(SECONDS_OF_A_DAY)).map(u32::try_from).transpose();
    let day = day.map_err(|_| StoreError::Damaged("a time"))?;
    Ok(Moved { id: col(row, 0)?, debit: col(row, 1)?, credit: col(row, 2)?, cents: col(row, 3)?, kind, day })
}

fn carry(carried: &mut Carried, account: FecAccount, (debit, credit): (Cents, Cents)) -> Result<(), StoreError> {
    // What was earned or spent in years before is the result of those years.
    let is_result = account.number.starts_with(['6', '7']);
    let key =
        if is_result { ("110000", "Report à nouveau", None) } else { (account.number, account.label, account.part) };
    let sums = carried.entry(key).or_default();
    *sums = (sums.0.plus(debit)?, sums.1.plus(credit)?);
    Ok(())
}

fn open_year<W: Write>(
    writer: &mut FecWriter<W>,
    carried: &Carried,
    day: u32,
    report: &mut FecReport,
) -> Result<(), StoreError> {
    let mut lines = Vec::new();
    for ((number, label, part), (debits, credits)) in carried {
        let (debit, credit) = (debits.minus_or_zero(*credits), credits.minus_or_zero(*debits));
        if debit != credit {
            report.total = report.total.plus(debit)?;
            lines.push((FecAccount { number, label, part: part.clone() }, debit, credit));
        }
    }
    if !lines.is_empty() {
        let piece = "AN".to_owned();
        writer.write(&Ecriture { journal: OPENING, number: 1, day, piece, label: "Reprise des soldes", lines })?;
        report.entries = report.entries.saturating_add(1);
    }
    Ok(())
}

fn day_of(year: u16, month: u8, day: u8) -> Result<u32, StoreError> {
    let date = IsoDate::new(year, month, day).ok().and_then(|date| u32::try_from(date.epoch_days()).ok());
    date.ok_or(StoreError::Text("year"))
}

const fn label(kind: TransferKind) -> &'static str {
    match kind {
        TransferKind::Credit => "Crédit mensuel d'un foyer",
        TransferKind::Sale | TransferKind::CardSale | TransferKind::CarriedSale => "Achat réglé par la caisse",
        TransferKind::Settlement => "Règlement arrêté",
        TransferKind::Reversal => "Achat annulé",
        TransferKind::Refund => "Remboursement d'un achat",
        TransferKind::Expire => "Crédit expiré",
        TransferKind::CorrectUp | TransferKind::CorrectDown => "Correction à deux personnes",
        TransferKind::Recover | TransferKind::CardRecover | TransferKind::Repay => "Reprise après sauvegarde",
        TransferKind::Advance | TransferKind::Regain => "Montant avancé à un foyer",
        TransferKind::Withhold => "Montant retenu",
        TransferKind::PayoutPaid => "Virement constaté par la banque",
        TransferKind::PayoutRejected => "Virement non exécuté",
        TransferKind::PayoutReturned => "Virement retourné",
        TransferKind::MoneyIn => "Encaissement",
        TransferKind::MoneyBack => "Encaissement repris",
        TransferKind::Banked => "Encaissement constaté par la banque",
        TransferKind::Unbanked => "Encaissement rendu par la banque",
        TransferKind::Raise
        | TransferKind::Return
        | TransferKind::Load
        | TransferKind::Unload
        | TransferKind::Void
        | TransferKind::CardRepay => "Crédit d'un foyer déplacé",
    }
}

/// The accounts that households have among themselves are one; nothing else is.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ledger::AccountKind;

    #[test]
    fn only_a_households_own_accounts_share_a_number() {
        for one in AccountKind::ALL {
            for other in AccountKind::ALL {
                let household = |kind| matches!(kind, AccountKind::Purse | AccountKind::Slice | AccountKind::Card);
                let same = account_of(one).0 == account_of(other).0;
                assert_eq!(same, one == other || (household(one) && household(other)), "{one:?} {other:?}");
            }
        }
    }
}
