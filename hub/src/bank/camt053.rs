//! A bank statement, camt.053 versions .02 to .08: read whole or refused whole, its balances checked against its entries.

use cabas_protocol::sign::sha256;
use cabas_protocol::{Cents, Hash, MoneyError};
use sepa::camt::{BalanceType, CashEntry, EntryDetail, EntryStatus, ReportedAmount};
use sepa::camt053::Camt053Statement;
use sepa::{Camt053ParseError, IsoDate, ParseLimits, XmlError, parse_camt053_with_limits};

/// Bytes of a statement file that are read.
pub const STATEMENT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Elements of a statement file that are read.
const NODES_MAX: usize = 1_000_000;
/// Characters of a text of the bank's that are kept.
const TEXT_CHARS_MAX: usize = 280;
/// Versions that are read as another one, which has the same elements where we look.
const READ_AS: [(&str, &str); 4] = [
    ("camt.053.001.03", "camt.053.001.02"),
    ("camt.053.001.04", "camt.053.001.06"),
    ("camt.053.001.05", "camt.053.001.06"),
    ("camt.053.001.07", "camt.053.001.08"),
];

/// What a file holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Statements {
    /// Of its bytes.
    pub sha256: Hash,
    /// One an account and period.
    pub statements: Vec<Statement>,
}

/// One statement.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Statement {
    /// The bank's name for it.
    pub name: String,
    /// The account.
    pub iban: String,
    /// Before, in cents; may be below nothing.
    pub opening: i64,
    /// After.
    pub closing: i64,
    /// What was booked.
    pub entries: Vec<Entry>,
    /// What is not booked yet: it comes again.
    pub pending: u32,
}

/// Something that the bank booked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Of all that the bank said of it: the same entry in another file has the same.
    pub key: Hash,
    /// True where money came in.
    pub is_credit: bool,
    /// How much.
    pub cents: Cents,
    /// Days since 1970-01-01.
    pub booked_on: Option<u32>,
    /// Days since 1970-01-01.
    pub valued_on: Option<u32>,
    /// The bank's own reference.
    pub servicer_ref: Option<String>,
    /// The payment file that the bank booked as one.
    pub message: Option<String>,
    /// What it consists of.
    pub parts: Vec<Part>,
}

/// A part of an entry.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Part {
    /// How much, where the bank says so.
    pub cents: Option<Cents>,
    /// The reference that the payer gave it.
    pub end_to_end: Option<String>,
    /// Why it came back, where it did.
    pub return_code: Option<String>,
    /// Who paid or was paid.
    pub counterparty: Option<String>,
    /// Their account.
    pub iban: Option<String>,
    /// What the payer wrote.
    pub remittance: Option<String>,
}

/// Why a statement is refused. Nothing of the file was kept. No text of the bank's is repeated.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// Too large.
    #[error("the file is over {STATEMENT_BYTES_MAX} bytes; ask the bank for shorter periods")]
    TooLarge,
    /// Not text.
    #[error("the file is not UTF-8 text; download it from the bank again as camt.053 XML")]
    NotText,
    /// Cut off, not XML, another kind of message, a document type.
    #[error("the file cannot be read as camt.053 (.02 to .08): {0}; download it from the bank again")]
    Xml(&'static str),
    /// There is nothing in it.
    #[error("the file has no statement in it")]
    Empty,
    /// No IBAN.
    #[error("statement {place} of the file names no IBAN")]
    NoAccount {
        /// From 1.
        place: usize,
    },
    /// No balance.
    #[error("statement {place} of the file has no booked {which} balance; ask the bank for end-of-day statements")]
    NoBalance {
        /// From 1.
        place: usize,
        /// `opening` or `closing`.
        which: &'static str,
    },
    /// Another currency.
    #[error("{what} {number} of statement {place} is not in euros; nothing of the file was imported")]
    Currency {
        /// From 1.
        place: usize,
        /// What.
        what: &'static str,
        /// From 1.
        number: usize,
    },
    /// An amount that is none.
    #[error("{what} {number} of statement {place} has no amount in whole cents with a direction")]
    Amount {
        /// From 1.
        place: usize,
        /// What.
        what: &'static str,
        /// From 1.
        number: usize,
    },
    /// The entries do not lead from one balance to the other.
    #[error(
        "statement {place} does not add up: {opening} cents and entries of {moved} are not {closing} cents; entries are \
         missing, ask the bank"
    )]
    Sum {
        /// From 1.
        place: usize,
        /// In cents.
        opening: i64,
        /// In cents.
        moved: i64,
        /// In cents.
        closing: i64,
    },
}

/// Reads a file.
///
/// # Errors
/// [`StatementError`].
pub fn read(bytes: &[u8]) -> Result<Statements, StatementError> {
    if bytes.len() > STATEMENT_BYTES_MAX {
        return Err(StatementError::TooLarge);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| StatementError::NotText)?;
    let mut text = std::borrow::Cow::Borrowed(text.trim_start_matches('\u{feff}'));
    for (version, read_as) in READ_AS {
        let (version, read_as) = (format!("xsd:{version}"), format!("xsd:{read_as}"));
        if text.contains(&version) {
            text = text.replacen(&version, &read_as, 1).into();
        }
    }
    let limits = ParseLimits { input_bytes: STATEMENT_BYTES_MAX, nodes: NODES_MAX, ..ParseLimits::default() };
    let document = parse_camt053_with_limits(&text, limits).map_err(|error| StatementError::Xml(why(&error)))?;
    if document.statements.is_empty() {
        return Err(StatementError::Empty);
    }
    let statements = document.statements.iter().zip(1..).map(|(found, place)| statement(found, place));
    Ok(Statements { sha256: sha256(&[bytes]), statements: statements.collect::<Result<_, _>>()? })
}

/// Why it is none, in words of ours: the parser's own repeat what stands in the file.
#[expect(clippy::wildcard_enum_match_arm, reason = "a library's enum: what is not named is not such a message")]
const fn why(error: &Camt053ParseError) -> &'static str {
    match error {
        Camt053ParseError::Xml(XmlError::Malformed(_)) => "it is cut off or no well-formed XML",
        Camt053ParseError::Xml(XmlError::DoctypeNotAllowed) => "it declares a document type",
        Camt053ParseError::Xml(XmlError::LimitExceeded { .. } | XmlError::TooDeep) => {
            "it has too many or too deep elements"
        }
        _ => "it is no message of this kind",
    }
}

fn statement(found: &Camt053Statement, place: usize) -> Result<Statement, StatementError> {
    let iban = found.account.iban.as_deref().ok_or(StatementError::NoAccount { place })?;
    let iban: String = iban.chars().filter(|c| !c.is_whitespace()).collect();
    if found.account.currency.as_deref().is_some_and(|currency| currency != "EUR") {
        return Err(StatementError::Currency { place, what: "account", number: 1 });
    }
    let opening = balance(found, place, "opening", &["OPBD", "PRCD"])?;
    let closing = balance(found, place, "closing", &["CLBD"])?;
    let mut entries: Vec<Entry> = Vec::new();
    let (mut pending, mut moved) = (0_u32, 0_i64);
    let mut seen = std::collections::BTreeMap::new();
    for (entry, number) in found.entries.iter().zip(1..) {
        if entry.status != EntryStatus::Booked {
            pending = pending.saturating_add(1);
            continue;
        }
        let signed = signed(&entry.amount, place, "entry", number)?;
        moved = moved.checked_add(signed).ok_or(StatementError::Amount { place, what: "entry", number })?;
        if signed == 0 {
            continue;
        }
        let cents = cents(signed).map_err(|_| StatementError::Amount { place, what: "entry", number })?;
        let said = said(&iban, entry, signed);
        let times: &mut u32 = seen.entry(said.clone()).or_insert(0);
        *times = times.saturating_add(1);
        entries.push(Entry {
            key: sha256(&[said.as_bytes(), times.to_string().as_bytes()]),
            is_credit: signed > 0,
            cents,
            booked_on: entry.booking_date().and_then(days),
            valued_on: entry.value_date().and_then(days),
            servicer_ref: entry.account_servicer_ref.as_deref().map(short),
            message: entry
                .batch
                .as_ref()
                .and_then(|batch| batch.payment_info_id.as_deref().or(batch.message_id.as_deref()).map(short)),
            parts: entry.details.iter().map(part).collect(),
        });
    }
    if opening.checked_add(moved) != Some(closing) {
        return Err(StatementError::Sum { place, opening, moved, closing });
    }
    Ok(Statement { name: short(&found.stmt_id), iban, opening, closing, entries, pending })
}

/// The first balance of one of the types, by preference.
fn balance(found: &Camt053Statement, place: usize, which: &'static str, types: &[&str]) -> Result<i64, StatementError> {
    let is = |wanted: &str, found: &BalanceType| found.as_code() == wanted;
    let balance = types.iter().find_map(|wanted| found.balances.iter().find(|b| is(wanted, &b.balance_type)));
    signed(&balance.ok_or(StatementError::NoBalance { place, which })?.amount, place, which, 1)
}

fn signed(amount: &ReportedAmount, place: usize, what: &'static str, number: usize) -> Result<i64, StatementError> {
    if amount.currency.as_deref() != Some("EUR") {
        return Err(StatementError::Currency { place, what, number });
    }
    amount.signed_ct().ok_or(StatementError::Amount { place, what, number })
}

fn cents(signed: i64) -> Result<Cents, MoneyError> {
    Cents::new(signed.unsigned_abs())
}

fn days(date: IsoDate) -> Option<u32> {
    u32::try_from(date.epoch_days()).ok()
}

/// Everything that the bank said, in an order of ours; fields are kept apart by a character that XML cannot hold.
fn said(iban: &str, entry: &CashEntry, signed: i64) -> String {
    let mut fields = vec![
        iban.to_owned(),
        signed.to_string(),
        entry.booking_date_raw.clone().unwrap_or_default(),
        entry.value_date_raw.clone().unwrap_or_default(),
        entry.account_servicer_ref.clone().unwrap_or_default(),
        entry.batch.as_ref().and_then(|batch| batch.payment_info_id.clone()).unwrap_or_default(),
    ];
    for detail in &entry.details {
        for text in [&detail.end_to_end_id, &detail.reference, &detail.counterparty_iban, &detail.return_reason_code] {
            fields.push(text.clone().unwrap_or_default());
        }
        fields.push(detail.signed_ct().map_or_else(String::new, |cents| cents.to_string()));
    }
    fields.join("\u{1f}")
}

fn part(detail: &EntryDetail) -> Part {
    let text = |text: &Option<String>| text.as_deref().map(short);
    Part {
        cents: detail.signed_ct().and_then(|signed| cents(signed).ok()),
        end_to_end: text(&detail.end_to_end_id),
        return_code: text(&detail.return_reason_code),
        counterparty: text(&detail.counterparty_name),
        iban: text(&detail.counterparty_iban),
        remittance: text(&detail.reference),
    }
}

/// A text as long as it is kept, without control characters.
fn short(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(TEXT_CHARS_MAX).collect()
}
