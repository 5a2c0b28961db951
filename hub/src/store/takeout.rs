//! All that the fund's books hold, as tables that another program or a person can read: for who leaves this software, or
//! keeps its data elsewhere. Columns are named in each table; amounts are whole cents, times UTC.

use std::io::Write;

use cabas_protocol::{Cents, FundId, Row, RowBody, Signed};
use rusqlite::OptionalExtension as _;
use rusqlite::types::ValueRef;

use super::db::Db;
use super::error::StoreError;
use super::fec::transfers;
use super::sql::col;
use super::tx::Tx;
use crate::core::ledger::{RowKey, TransferKind};

/// A table of the export.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its file, without `.csv`.
    pub name: &'static str,
    /// What it holds, for who reads it.
    pub about: &'static str,
    query: &'static str,
}

/// A time as it is written.
macro_rules! time {
    ($seconds:literal) => {
        concat!("strftime('%Y-%m-%dT%H:%M:%SZ', ", $seconds, ", 'unixepoch')")
    };
}

/// An account by what it is of.
macro_rules! account {
    ($id:literal) => {
        concat!(
            "CASE ",
            $id,
            " >> 56
             WHEN 1 THEN 'bank'
             WHEN 2 THEN 'source ' || (SELECT name FROM sources WHERE number = ",
            $id,
            " & 4294967295)
             WHEN 3 THEN 'incoming'
             WHEN 6 THEN 'payable ' || (SELECT code FROM shops WHERE number = ",
            $id,
            " & 4294967295)
             WHEN 7 THEN 'transit'
             WHEN 9 THEN 'expired'
             ELSE trim(CASE ",
            $id,
            " >> 56 WHEN 4 THEN 'purse ' WHEN 5 THEN 'slice ' WHEN 8 THEN 'goodwill '
                 WHEN 10 THEN 'restored ' WHEN 11 THEN 'withheld ' WHEN 12 THEN 'card ' END
                 || ifnull((SELECT code FROM purses JOIN households ON households.number = purses.household
                     WHERE purses.number = ",
            $id,
            " & 4294967295), '')
                 || CASE ",
            $id,
            " >> 56
                     WHEN 5 THEN (SELECT ' at ' || terminal || '/' || epoch FROM epochs
                         WHERE epochs.number = (",
            $id,
            " >> 32) & 16777215)
                     WHEN 12 THEN ' no. ' || ifnull((SELECT min(number) FROM cards WHERE purse = ",
            $id,
            " & 4294967295), '?')
                     ELSE '' END)
             END"
        )
    };
}

/// The tables that SQL alone makes. A column that ends with `:transfer` is a kind of transfer by its number.
pub const TABLES: &[Table] = &[
    Table {
        name: "households",
        about: "households that have not left, as `cabas-hub import` reads them",
        query: "SELECT code AS household, size, children_under_14, contribution_cents FROM households
            WHERE left_at IS NULL ORDER BY code",
    },
    Table {
        name: "household_dates",
        about: "when each household came, and left",
        query: concat!(
            "SELECT code AS household, ", time!("created_at"), " AS since, ", time!("left_at"), " AS left_at
             FROM households ORDER BY code"
        ),
    },
    Table {
        name: "shops",
        about: "shops, as `cabas-hub import` reads them",
        query: "SELECT code AS shop, name, kind, weight_permille AS expected_share_permille FROM shops ORDER BY code",
    },
    Table {
        name: "shop_accounts",
        about: "bank accounts of shops; the newest of a shop is the one that is paid",
        query: concat!(
            "SELECT code AS shop, shop_accounts.name AS account_name, iban, set_by, ", time!("set_at"), " AS set_at
             FROM shop_accounts JOIN shops ON shops.number = shop_accounts.shop ORDER BY id"
        ),
    },
    Table {
        name: "cards",
        about: "cards and whose they are; of a plain card's UID the fund has a fingerprint only (`ref`), so another \
                program has to read each card once. Tier 1: purse, 2: identity, 3: plain",
        query: concat!(
            "SELECT cards.number AS card_number, code AS household, tier, lower(hex(cards.ref)) AS ref, ",
            time!("blocked_at"), " AS blocked_at FROM cards JOIN purses ON purses.number = cards.purse
             JOIN households ON households.number = purses.household ORDER BY cards.number"
        ),
    },
    Table {
        name: "terminals",
        about: "each enrolment of each terminal, and the newest row that the fund has of it",
        query: concat!(
            "SELECT epochs.number AS number, terminals.number AS terminal, epochs.epoch AS epoch, code AS shop, ", time!("opened_at"), " AS opened_at,
             CASE standing WHEN 0 THEN 'live' WHEN 1 THEN 'quarantined' WHEN 2 THEN 'revoked' ELSE 'closed' END AS standing,
             lower(hex(key)) AS public_key, acked_seq AS newest_row
             FROM epochs JOIN terminals ON terminals.number = epochs.terminal JOIN shops ON shops.number = terminals.shop
             ORDER BY terminals.number, epochs.epoch"
        ),
    },
    Table {
        name: "rules",
        about: "what a household is credited a month, from which month on",
        query: concat!(
            "SELECT from_period AS from_month, first_person AS first_person_cents, further_person AS further_person_cents,
             child_under_14 AS child_under_14_cents, expire_months, set_by, ", time!("set_at"), " AS set_at
             FROM credit_rules ORDER BY from_period"
        ),
    },
    Table {
        name: "budgets",
        about: "what each funder gives a year; the newest of a funder and year holds",
        query: concat!(
            "SELECT sources.name AS source, year, cents, set_by, ", time!("set_at"), " AS set_at
             FROM budgets JOIN sources ON sources.number = budgets.source ORDER BY id"
        ),
    },
    Table {
        name: "credits",
        about: "what each household was credited, for which month, by which funder",
        query: concat!(
            "SELECT credits.id AS credit, code AS household, period AS month, sources.name AS source,
             credits.size AS size, credits.children_under_14 AS children_under_14, cents, ", time!("booked_at"), " AS booked_at
             FROM credits JOIN households ON households.number = credits.household
             JOIN sources ON sources.number = credits.source ORDER BY credits.id"
        ),
    },
    Table {
        name: "corrections",
        about: "what a household was given more or less, proposed by one and ended by another",
        query: concat!(
            "SELECT id AS correction, code AS household, sources.name AS source, cents,
             CASE is_up WHEN 1 THEN 'more' ELSE 'less' END AS direction, reason, period AS month, proposed_by, ",
            time!("proposed_at"), " AS proposed_at,
             CASE state WHEN 0 THEN 'waiting' WHEN 1 THEN 'booked' ELSE 'withdrawn' END AS state, ended_by, ",
            time!("ended_at"), " AS ended_at
             FROM corrections JOIN purses ON purses.number = corrections.purse
             JOIN households ON households.number = purses.household
             JOIN sources ON sources.number = corrections.source ORDER BY id"
        ),
    },
    Table {
        name: "expiries",
        about: "what of a household's money expired",
        query: concat!(
            "SELECT id AS expiry, code AS household, period AS month, cents, ", time!("booked_at"), " AS booked_at
             FROM expiries JOIN purses ON purses.number = expiries.purse
             JOIN households ON households.number = purses.household ORDER BY id"
        ),
    },
    Table {
        name: "money_in",
        about: "contributions of households and payments of funders; `takes_back` names the one that a counter-entry undoes",
        query: concat!(
            "SELECT money_in.id AS entry, code AS household, sources.name AS source, cents,
             date(day * 86400, 'unixepoch') AS day, reference, takes_back, reason, said_by, ", time!("said_at"), " AS said_at,
             ", time!("matched_at"), " AS on_bank_statement_at
             FROM money_in LEFT JOIN households ON households.number = money_in.household
             LEFT JOIN sources ON sources.number = money_in.source
             LEFT JOIN banked ON banked.money_in = money_in.id ORDER BY money_in.id"
        ),
    },
    Table {
        name: "settlements",
        about: "what each settlement came to for each shop",
        query: concat!(
            "SELECT settlement, code AS shop, ", time!("closed_at"), " AS closed_at, sales, settled AS settled_cents,
             late AS late_cents, over_right AS over_right_cents, disputed AS disputed_cents, reversed AS reversed_cents, refunded AS refunded_cents,
             brought AS brought_by_cards_cents, returned AS returned_payouts_cents, carried AS carried_cents,
             carry_on AS carried_on_cents, payout AS payout_cents
             FROM settlement_shops JOIN settlements ON settlements.number = settlement
             JOIN shops ON shops.number = settlement_shops.shop ORDER BY settlement, code"
        ),
    },
    Table {
        name: "payouts",
        about: "what the bank said of payouts: paid, or back",
        query: concat!(
            "SELECT booked.number AS number, settlement, code AS shop, cents, state, by, at FROM (
                 SELECT id AS number, settlement, shop, cents, 'paid' AS state, matched_by AS by, ", time!("matched_at"), " AS at
                 FROM payouts_paid UNION ALL
                 SELECT place, settlement, shop, cents, 'back', said_by, ", time!("booked_at"), " FROM payouts_back) AS booked
             JOIN shops ON shops.number = shop ORDER BY settlement, code, at"
        ),
    },
    Table {
        name: "brought_sales",
        about: "sales with purse cards that their terminal did not tell of and that cards told elsewhere (kind CarriedSale)",
        query: concat!(
            "SELECT place AS number, terminal, epoch, seq AS row, code AS shop,
             (SELECT min(cards.number) FROM cards WHERE cards.purse = card_records.account & 4294967295) AS card_number,
             settled AS settled_cents, over_right AS not_paid_cents, why, ",
            time!("booked_at"),
            " AS booked_at FROM carried_sales JOIN card_records ON card_records.id = carried_sales.record
             JOIN shops ON shops.number = carried_sales.shop ORDER BY place"
        ),
    },
    Table {
        name: "disputed",
        about: "rows that are authentic and do not fit their journal: kept as evidence, never paid",
        query: concat!(
            "SELECT disputed.id AS number, terminal, epochs.epoch AS epoch, seq AS row, kind, claimed AS claimed_cents, ",
            time!("received_at"),
            " AS received_at FROM disputed JOIN epochs ON epochs.number = disputed.epoch ORDER BY disputed.id"
        ),
    },
    Table {
        name: "closings",
        about: "enrolments that two people closed (kind Void)",
        query: concat!(
            "SELECT id AS number, terminal, epochs.epoch AS epoch, at_seq AS up_to_row, proposed_by, ",
            time!("proposed_at"),
            " AS proposed_at, CASE state WHEN 0 THEN 'waiting' WHEN 1 THEN 'closed' ELSE 'withdrawn' END AS state, ended_by, ",
            time!("ended_at"),
            " AS ended_at FROM closings JOIN epochs ON epochs.number = closings.epoch ORDER BY id"
        ),
    },
    Table {
        name: "card_releases",
        about: "what went back from purse cards that were lost (kind Unload)",
        query: concat!(
            "SELECT id AS number, (SELECT min(cards.number) FROM cards WHERE cards.purse = account & 4294967295) AS card_number,
             cents, ",
            time!("released_at"),
            " AS released_at FROM card_releases ORDER BY id"
        ),
    },
    Table {
        name: "card_repayments",
        about: "what purse cards counted as spent without goods, given back by two people (kind CardRepay)",
        query: concat!(
            "SELECT id AS number, (SELECT min(cards.number) FROM cards WHERE cards.purse = account & 4294967295) AS card_number,
             from_cents, to_cents, settled AS given_back_cents, reason, proposed_by, ",
            time!("proposed_at"),
            " AS proposed_at, CASE state WHEN 0 THEN 'waiting' WHEN 1 THEN 'booked' ELSE 'withdrawn' END AS state, ended_by, ",
            time!("ended_at"),
            " AS ended_at FROM card_repayments ORDER BY id"
        ),
    },
    Table {
        name: "goodwill_advances",
        about: "goodwill that was advanced to households (kind Advance)",
        query: concat!(
            "SELECT id AS number, code AS household, cents, ",
            time!("advanced_at"),
            " AS advanced_at FROM goodwill_advances JOIN purses ON purses.number = goodwill_advances.purse
             JOIN households ON households.number = purses.household ORDER BY id"
        ),
    },
    Table {
        name: "categories",
        about: "categories of goods and what part of them the fund covers, by version and from which day on; for one shop or, where it \
                is empty, for all",
        query: "SELECT grids.version AS version, date(valid_from_day * 86400, 'unixepoch') AS valid_from, code AS shop, category,
             share_percent, label_fr, label_en FROM grids JOIN grid_categories ON grid_categories.version = grids.version
             LEFT JOIN shops ON shops.number = grids.shop ORDER BY grids.version, place",
    },
    Table {
        name: "bank_entries",
        about: "entries of the bank's statements, without its texts, which name people and stay sealed in hub.db",
        query: "SELECT id AS entry, CASE is_credit WHEN 1 THEN 'in' ELSE 'out' END AS direction, cents,
             date(booked_on * 86400, 'unixepoch') AS booked_on, date(valued_on * 86400, 'unixepoch') AS valued_on,
             servicer_ref AS bank_reference FROM bank_entries ORDER BY id",
    },
    Table {
        name: "joinings",
        about: "how shops joined: each step, by whom and in which words; documents lie in documents/ under `sha256`",
        query: concat!(
            "SELECT joining_steps.id AS number, joinings.code AS code, joinings.name AS name, joinings.kind AS kind,
             CASE joining_steps.step WHEN 1 THEN 'propose' WHEN 2 THEN 'pair' WHEN 3 THEN 'visit' WHEN 4 THEN 'present'
                WHEN 5 THEN 'consent' WHEN 6 THEN 'object' WHEN 7 THEN 'amend' WHEN 8 THEN 'sign' WHEN 9 THEN 'open'
                WHEN 10 THEN 'suspend' ELSE 'close' END AS step,
             date(day * 86400, 'unixepoch') AS day, by, words, ", time!("recorded_at"), " AS recorded_at,
             joining_documents.name AS document, lower(hex(hash)) AS sha256
             FROM joining_steps JOIN joinings ON joinings.id = joining_steps.joining
             LEFT JOIN joining_documents ON joining_documents.step = joining_steps.id ORDER BY joining_steps.id"
        ),
    },
    Table {
        name: "logins",
        about: "who worked with the web site",
        query: concat!(
            "SELECT users.name AS name, CASE role WHEN 1 THEN 'admin' WHEN 2 THEN 'treasurer' WHEN 3 THEN 'evaluator'
                ELSE 'shop' END AS role, shops.code AS shop, ", time!("users.created_at"), " AS since, ",
            time!("disabled_at"), " AS disabled_at FROM users LEFT JOIN shops ON shops.number = users.shop ORDER BY users.number"
        ),
    },
    Table {
        name: "audit",
        about: "what was done on the web site, each line bound to all before it",
        query: concat!(
            "SELECT seq, ", time!("at"), " AS at, who, what, subject, detail, lower(hex(hash)) AS hash FROM audit ORDER BY seq"
        ),
    },
    Table {
        name: "accounts",
        about: "accounts of the double entry: all that was ever taken (`debits`) and given (`credits`)",
        query: concat!(
            "SELECT id AS account, ", account!("id"), " AS name, debits AS debits_cents, credits AS credits_cents
             FROM accounts ORDER BY id"
        ),
    },
    Table {
        name: "movements",
        about: "every movement of money, in order: so many cents from one account to another; `cause` is the number, in the \
                table that the kind names (hub/ledger.md)",
        query: concat!(
            "SELECT id AS movement, kind AS 'kind:transfer', debit AS from_account, ", account!("debit"), " AS from_name,
             credit AS to_account, ", account!("credit"), " AS to_name, cents,
             (SELECT cause FROM transfers AS own WHERE own.id = booked.id) AS cause, ",
            time!("at"),
            " AS at FROM (",
            transfers!(),
            ") AS booked"
        ),
    },
];

/// What terminals told of purchases: made from the signed rows.
pub const PURCHASES: Table = Table {
    name: "purchases",
    about: "every sale, reversal and refund that terminals told of and that fits their journal: what was asked, what of it the fund \
            pays, and what was settled (of a sale for the shop, of the two others back from it); `why` says by which rule of \
            hub/ledger.md something was not. A refund is decided by the hub: `state`",
    query: "SELECT key, (SELECT terminal FROM epochs WHERE number = key >> 32),
        (SELECT epoch FROM epochs WHERE number = key >> 32), strftime('%Y-%m-%dT%H:%M:%SZ', happened_at, 'unixepoch'),
        strftime('%Y-%m-%dT%H:%M:%SZ', received_at, 'unixepoch'),
        CASE WHEN refunds.row IS NULL THEN settled WHEN refunds.state = 1 THEN refunds.cents ELSE 0 END,
        CASE WHEN refunds.row IS NULL THEN over_right WHEN refunds.state = 2 THEN refunds.cents ELSE 0 END,
        max(rows.why, ifnull(refunds.why, 0)),
        CASE refunds.state WHEN 0 THEN 'waiting' WHEN 1 THEN 'granted' WHEN 2 THEN 'refused' ELSE 'booked' END,
        CASE WHEN refunds.row IS NULL THEN (SELECT settlement FROM settlement_cuts
                WHERE epoch = key >> 32 AND from_seq < (key & 4294967295) AND to_seq >= (key & 4294967295))
            ELSE (SELECT min(number) FROM settlements WHERE refunded_upto >= refunds.place) END,
        envelope FROM rows LEFT JOIN refunds ON refunds.row = rows.key WHERE kind IN (2, 3, 4) ORDER BY key",
};

/// The amounts of purchases by category.
pub const LINES: Table = Table {
    name: "purchase_lines",
    about: "the amounts of each purchase by category of goods (`categories`)",
    query: PURCHASES.query,
};

const PURCHASE_COLUMNS: [&str; 17] = [
    "number",
    "terminal",
    "epoch",
    "row",
    "kind",
    "household",
    "card_number",
    "undoes",
    "happened_at",
    "received_at",
    "asked_cents",
    "fund_cents",
    "settled_cents",
    "not_paid_cents",
    "why",
    "state",
    "settlement",
];
const LINE_COLUMNS: [&str; 7] = ["terminal", "epoch", "row", "category", "asked_cents", "fund_cents", "member_cents"];

impl Db {
    /// Writes a copy of the whole file, read through; unlike a backup it is not counted on to be there later.
    ///
    /// # Errors
    /// [`StoreError::BackupExists`], [`StoreError::BadCopy`], [`StoreError::Io`], [`StoreError::Sqlite`].
    pub fn take_copy(&self, path: &std::path::Path) -> Result<(), StoreError> {
        if path.exists() {
            return Err(StoreError::BackupExists);
        }
        self.copy(path).map(drop)
    }
}

impl Tx<'_> {
    /// Writes a table of [`TABLES`] as CSV; gives how many lines it has.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Damaged`].
    pub fn take_out(&self, table: &Table, out: impl Write) -> Result<u64, StoreError> {
        let mut out = csv::Writer::from_writer(out);
        let mut read = self.conn.prepare(table.query)?;
        let columns: Vec<String> = read.column_names().map(str::to_owned).collect();
        out.write_record(columns.iter().map(|column| column.split(':').next().unwrap_or(column))).map_err(written)?;
        let kinds: Vec<bool> = columns.iter().map(|column| column.ends_with(":transfer")).collect();
        // What is read back by `import` stays as it is.
        let is_imported = ["households", "shops"].contains(&table.name);
        let mut rows = read.query([])?;
        let mut lines = 0_u64;
        while let Some(row) = rows.next()? {
            for (place, is_kind) in kinds.iter().enumerate() {
                let field = row.get_ref(place)?;
                let text = if *is_kind { kind_name(field)? } else { text_of(field)? };
                let text = if is_imported { text } else { no_formula(text) };
                out.write_field(text).map_err(written)?;
            }
            out.write_record(None::<&[u8]>).map_err(written)?;
            lines = lines.saturating_add(1);
        }
        out.flush()?;
        Ok(lines)
    }

    /// Writes [`PURCHASES`] and [`LINES`] as CSV; gives how many lines each has.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Damaged`].
    pub fn take_out_purchases(&self, purchases: impl Write, lines: impl Write) -> Result<(u64, u64), StoreError> {
        let fund = self.fund()?.fund;
        let (mut purchases, mut lines) = (csv::Writer::from_writer(purchases), csv::Writer::from_writer(lines));
        purchases.write_record(PURCHASE_COLUMNS).map_err(written)?;
        lines.write_record(LINE_COLUMNS).map_err(written)?;
        let mut households = self.conn.prepare(
            "SELECT code FROM purses JOIN households ON households.number = purses.household WHERE ref = ?1",
        )?;
        let mut cards = self.conn.prepare("SELECT number FROM cards WHERE ref = ?1")?;
        let mut read = self.conn.prepare(PURCHASES.query)?;
        let mut rows = read.query([])?;
        let mut count = (0_u64, 0_u64);
        while let Some(row) = rows.next()? {
            let key = [text_of(row.get_ref(1)?)?, text_of(row.get_ref(2)?)?, seq_of(row)?];
            let told = Told::read(fund, row.get_ref(10)?.as_blob().unwrap_or_default())?;
            let household: Option<String> =
                households.query_row([told.purse.as_slice()], |row| row.get(0)).optional()?;
            let card: Option<u32> = match &told.card {
                Some(card) => cards.query_row([card.as_slice()], |row| row.get(0)).optional()?,
                None => None,
            };
            let [terminal, epoch, seq] = &key;
            let asked = told.whole.map_or_else(|| told.sum(|line| line.asked), Ok)?;
            let from_fund = told.whole.map_or_else(|| told.sum(|line| line.fund), Ok)?;
            let mut fields = vec![
                text_of(row.get_ref(0)?)?,
                terminal.clone(),
                epoch.clone(),
                seq.clone(),
                told.kind.to_owned(),
                household.unwrap_or_default(),
                card.map(|number| number.to_string()).unwrap_or_default(),
                told.undoes.clone(),
            ];
            for place in 3..=4 {
                fields.push(text_of(row.get_ref(place)?)?);
            }
            fields.extend([asked.get().to_string(), from_fund.get().to_string()]);
            for place in 5..=9 {
                fields.push(text_of(row.get_ref(place)?)?);
            }
            purchases.write_record(&fields).map_err(written)?;
            count.0 = count.0.saturating_add(1);
            for line in &told.lines {
                let cents = [line.asked, line.fund, line.member].map(|cents| cents.get().to_string());
                let fields = key.iter().cloned().chain([line.category.to_string()]).chain(cents);
                lines.write_record(fields).map_err(written)?;
                count.1 = count.1.saturating_add(1);
            }
        }
        purchases.flush()?;
        lines.flush()?;
        Ok(count)
    }
}

/// What a row tells of a purchase.
struct Told {
    kind: &'static str,
    purse: Vec<u8>,
    card: Option<Vec<u8>>,
    /// The sale that is undone or refunded: terminal/epoch/row, or the row of the same enrolment.
    undoes: String,
    /// What a reversal undoes, which has no lines.
    whole: Option<Cents>,
    lines: Vec<ToldLine>,
}

struct ToldLine {
    category: String,
    asked: Cents,
    fund: Cents,
    member: Cents,
}

impl Told {
    fn read(fund: FundId, envelope: &[u8]) -> Result<Self, StoreError> {
        let row = Signed::<Row>::from_bytes(envelope.to_vec()).map_err(|_| StoreError::Damaged("a row"))?;
        let lines = |lines: Vec<cabas_protocol::row::Line>| {
            let line = |line: cabas_protocol::row::Line| ToldLine {
                category: line.category.get().to_string(),
                asked: line.requested,
                fund: line.fund,
                member: line.member,
            };
            lines.into_iter().map(line).collect()
        };
        match row.read_trusted(fund).map_err(|_| StoreError::Damaged("a row"))?.into_payload().body {
            RowBody::Sale(sale) => Ok(Self {
                kind: "sale",
                purse: sale.purse.as_bytes().to_vec(),
                card: Some(sale.card.as_bytes().to_vec()),
                undoes: String::new(),
                whole: None,
                lines: lines(sale.lines),
            }),
            RowBody::RefundRequest(refund) => {
                let of = refund.original;
                Ok(Self {
                    kind: "refund",
                    purse: refund.purse.as_bytes().to_vec(),
                    card: None,
                    undoes: format!("{}/{}/{}", of.terminal, of.epoch, of.seq),
                    whole: None,
                    lines: lines(refund.lines),
                })
            }
            RowBody::Reversal(reversal) => Ok(Self {
                kind: "reversal",
                purse: reversal.purse.as_bytes().to_vec(),
                card: None,
                undoes: reversal.sale.to_string(),
                whole: Some(reversal.cents),
                lines: Vec::new(),
            }),
            RowBody::Start(_)
            | RowBody::Return(_)
            | RowBody::ListApplied(_)
            | RowBody::Intent(_)
            | RowBody::InDoubt(_)
            | RowBody::DoubtResolved(_)
            | RowBody::Courier(_)
            | RowBody::Close(_)
            | RowBody::CashierChange(_)
            | RowBody::Training(_)
            | RowBody::ClockSet(_)
            | RowBody::Configured(_)
            | RowBody::CardWritten(_)
            | RowBody::Unknown { .. } => Err(StoreError::Damaged("a row's kind")),
        }
    }

    fn sum(&self, of: impl Fn(&ToldLine) -> Cents) -> Result<Cents, StoreError> {
        Ok(Cents::sum(self.lines.iter().map(of))?)
    }
}

fn seq_of(row: &rusqlite::Row<'_>) -> Result<String, StoreError> {
    Ok(col::<RowKey>(row, 0)?.seq().to_string())
}

fn kind_name(field: ValueRef<'_>) -> Result<String, StoreError> {
    let number = field.as_i64().ok().and_then(|number| u8::try_from(number).ok());
    let kind = number.and_then(TransferKind::of_number).ok_or(StoreError::Damaged("a transfer's kind"))?;
    Ok(format!("{kind:?}"))
}

fn text_of(field: ValueRef<'_>) -> Result<String, StoreError> {
    match field {
        ValueRef::Null => Ok(String::new()),
        ValueRef::Integer(number) => Ok(number.to_string()),
        ValueRef::Text(text) => Ok(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Real(_) | ValueRef::Blob(_) => Err(StoreError::Damaged("a value that is to be text")),
    }
}

/// A text that a spreadsheet would run is none any more.
fn no_formula(text: String) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text }
}

fn written(error: csv::Error) -> StoreError {
    StoreError::Io(error.into())
}
