//! The payment file of a settlement: made once, kept, and given out again byte by byte.

use cabas_protocol::sign::sha256;
use cabas_protocol::{Cents, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::bank_accounts::{bic, checked};
use super::bank_refusal::BankRefusal;
use super::closing::{person, same_person};
use super::error::StoreError;
use super::model::{PaymentFile, PaymentOrder, PayoutView};
use super::sql::{Sql, col};
use super::tx::Tx;
use crate::bank::{self, Payment};
use crate::core::ledger::ShopNo;

const SECONDS_OF_A_DAY: u64 = 86_400;

/// A payout that a file is to pay.
struct Due {
    shop: ShopNo,
    code: String,
    cents: Cents,
    /// The account that holds: its number, name, IBAN.
    account: Option<(u64, String, String)>,
}

impl Tx<'_> {
    /// Makes the payment file of a settlement, or gives the one that was made.
    ///
    /// # Errors
    /// [`BankRefusal`]: no such settlement, nothing to pay, shops without an account (all of them are named), another
    /// day than the file that was made has.
    pub fn payment_file(&mut self, order: &PaymentOrder, now: Timestamp) -> Result<PaymentFile, StoreError> {
        let by = person(&order.by)?;
        if let Some(made) = self.payment_file_made(order.settlement)? {
            return match order.execute_on {
                Some(day) if day != made.execute_on => Err(BankRefusal::FileMade(order.settlement).into()),
                Some(_) | None => Ok(made),
            };
        }
        self.may_settle()?;
        let due = self.due(order.settlement)?;
        let own = self.fund_account()?.ok_or(BankRefusal::NoOwnAccount)?;
        let without: Vec<_> = due.iter().filter(|due| due.account.is_none()).map(|due| due.code.as_str()).collect();
        if !without.is_empty() {
            return Err(BankRefusal::NoAccount(without.join(", ")).into());
        }
        self.may_be_ordered(order.settlement, &due, by)?;
        let fund = self.fund()?;
        let number = order.settlement;
        let message = format!("CABAS{}-{}-{number}", fund.fund, fund.incarnation);
        let mut payments = Vec::new();
        for due in &due {
            let Some((account, name, iban)) = &due.account else { continue };
            let end_to_end = format!("{message}-{}", due.shop.get());
            payments.push((
                due,
                *account,
                Payment {
                    name: name.clone(),
                    iban: checked(iban)?,
                    cents: due.cents,
                    end_to_end,
                    text: format!("Reglement {number}"),
                },
            ));
        }
        let today = now.get().checked_div(SECONDS_OF_A_DAY).and_then(|day| u32::try_from(day).ok());
        let today = today.ok_or(StoreError::Damaged("the clock"))?;
        let execute_on = order.execute_on.unwrap_or(today);
        let head = bank::Head {
            name: own.name.clone(),
            iban: checked(&own.iban)?,
            bic: own.bic.as_deref().map(bic).transpose()?,
            message: message.clone(),
            made_at: now,
            execute_on,
            version: own.pain,
        };
        let all: Vec<_> = payments.iter().map(|(_, _, payment)| payment.clone()).collect();
        let bytes = bank::pain001(&head, &all).map_err(|error| BankRefusal::Build(Box::new(error)))?.into_bytes();
        self.conn.execute(
            "INSERT INTO payment_files (settlement, message, account, execute_on, made_by, made_at, sha256, bytes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![number, message, Sql(own.id), execute_on, by, Sql(now), Sql(sha256(&[&bytes])), bytes],
        )?;
        for (due, account, payment) in &payments {
            self.conn
                .prepare_cached(
                    "INSERT INTO payments (settlement, shop, account, cents, end_to_end) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![number, Sql(due.shop), Sql(*account), Sql(due.cents), payment.end_to_end])?;
        }
        let made = self.payment_file_made(number)?.ok_or(StoreError::Damaged("a payment file"))?;
        Ok(PaymentFile { is_new: true, ..made })
    }

    /// Nobody said that one of them was not paid, and no account was changed since two people closed the settlement by the
    /// one who now pays to it. A program is nobody's second person: its token may be in the same hands.
    fn may_be_ordered(&self, settlement: u32, due: &[Due], by: &str) -> Result<(), StoreError> {
        let mut said = self
            .conn
            .prepare_cached("SELECT 1 FROM payout_refusals WHERE state = 0 AND settlement = ?1 AND shop = ?2")?;
        let mut changed = self.conn.prepare_cached(
            "SELECT set_by FROM shop_accounts WHERE id = ?2 AND set_at > (SELECT closed_at FROM settlements WHERE number = ?1)",
        )?;
        let mut token = self.conn.prepare_cached("SELECT 1 FROM api_tokens WHERE name = ?1")?;
        for due in due {
            if said.exists(params![settlement, Sql(due.shop)])? {
                return Err(BankRefusal::RefusalOpen(settlement, due.code.clone()).into());
            }
            let Some((account, ..)) = &due.account else { continue };
            let set_by: Option<String> =
                changed.query_row(params![settlement, Sql(*account)], |row| row.get(0)).optional()?;
            let Some(set_by) = set_by else { continue };
            if same_person(&set_by, by) || token.exists([&set_by])? || token.exists([by])? {
                return Err(BankRefusal::OwnAccountChange { shop: due.code.clone(), by: set_by }.into());
            }
        }
        Ok(())
    }

    /// The payouts of a settlement, each with the account that holds, in the order of the shops' codes.
    fn due(&self, settlement: u32) -> Result<Vec<Due>, StoreError> {
        let known = "SELECT count(*) FROM settlements WHERE number = ?1";
        if self.conn.query_row(known, [settlement], |row| row.get::<_, u32>(0))? == 0 {
            return Err(BankRefusal::NoSettlement(settlement).into());
        }
        let mut read = self.conn.prepare_cached(
            "SELECT s.shop, shops.code, s.payout, accounts.id, accounts.name, accounts.iban FROM settlement_shops AS s
             JOIN shops ON shops.number = s.shop LEFT JOIN shop_accounts AS accounts
                ON accounts.id = (SELECT max(id) FROM shop_accounts AS a WHERE a.shop = s.shop)
             WHERE s.settlement = ?1 AND s.payout > 0
                AND s.shop NOT IN (SELECT shop FROM payouts_back WHERE settlement = ?1)
                AND s.shop NOT IN (SELECT shop FROM payouts_paid WHERE settlement = ?1) ORDER BY shops.code",
        )?;
        let due = read.query_map([settlement], |row| {
            let id: Option<i64> = row.get(3)?;
            let account = match id {
                Some(_) => Some((col(row, 3)?, row.get(4)?, row.get(5)?)),
                None => None,
            };
            Ok(Due { shop: col(row, 0)?, code: row.get(1)?, cents: col(row, 2)?, account })
        })?;
        let due = due.collect::<Result<Vec<_>, _>>()?;
        if due.is_empty() { Err(BankRefusal::NothingToPay(settlement).into()) } else { Ok(due) }
    }

    /// The file that was made for a settlement.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Money`].
    pub fn payment_file_made(&self, settlement: u32) -> Result<Option<PaymentFile>, StoreError> {
        let read = "SELECT message, execute_on, made_by, made_at, bytes,
                (SELECT count(*) FROM payments WHERE payments.settlement = payment_files.settlement),
                (SELECT ifnull(sum(cents), 0) FROM payments WHERE payments.settlement = payment_files.settlement)
             FROM payment_files WHERE settlement = ?1";
        let made = self.conn.query_row(read, [settlement], |row| {
            Ok(PaymentFile {
                settlement,
                message: row.get(0)?,
                execute_on: row.get(1)?,
                made_by: row.get(2)?,
                made_at: col(row, 3)?,
                bytes: row.get(4)?,
                payments: row.get(5)?,
                total: col(row, 6)?,
                is_new: false,
            })
        });
        Ok(made.optional()?)
    }

    /// How each payout of a settlement stands, by shop.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn payouts(&self, settlement: u32) -> Result<Vec<PayoutView>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT shops.code, s.payout, CASE
                WHEN EXISTS (SELECT 1 FROM payouts_back b WHERE b.settlement = s.settlement AND b.shop = s.shop) THEN 3
                WHEN EXISTS (SELECT 1 FROM payouts_paid p WHERE p.settlement = s.settlement AND p.shop = s.shop) THEN 2
                WHEN EXISTS (SELECT 1 FROM payments o WHERE o.settlement = s.settlement AND o.shop = s.shop) THEN 1
                ELSE 0 END
             FROM settlement_shops AS s JOIN shops ON shops.number = s.shop WHERE s.settlement = ?1 AND s.payout > 0
             ORDER BY shops.code",
        )?;
        let views = read.query_map([settlement], |row| {
            let state = match row.get::<_, u8>(2)? {
                3 => "back",
                2 => "paid",
                1 => "ordered",
                _ => "due",
            };
            Ok(PayoutView { settlement, shop: row.get(0)?, cents: col(row, 1)?, state })
        })?;
        Ok(views.collect::<Result<_, _>>()?)
    }
}
