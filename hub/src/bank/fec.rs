//! The accounting export, *fichier des écritures comptables* (LPF art. A47 A-1): 18 columns, tab, CR LF, ISO 8859-15.

use std::io::{self, Write};

use cabas_protocol::Cents;
use sepa::{IsoDate, Transliteration, transliterate};

use crate::core::ledger::AccountKind;

/// The columns, in the order of the law.
const COLUMNS: [&str; 18] = [
    "JournalCode",
    "JournalLib",
    "EcritureNum",
    "EcritureDate",
    "CompteNum",
    "CompteLib",
    "CompAuxNum",
    "CompAuxLib",
    "PieceRef",
    "PieceDate",
    "EcritureLib",
    "Debit",
    "Credit",
    "EcritureLet",
    "DateLet",
    "ValidDate",
    "Montantdevise",
    "Idevise",
];

/// An account of the *plan comptable général*, with the part of it that belongs to one shop or funder.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FecAccount {
    /// `CompteNum`.
    pub number: &'static str,
    /// `CompteLib`.
    pub label: &'static str,
    /// `CompAuxNum` and `CompAuxLib`.
    pub part: Option<(String, String)>,
}

/// An entry: what is taken from one account is given to another; both sides have the same sum.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ecriture {
    /// `JournalCode` and `JournalLib`.
    pub journal: (&'static str, &'static str),
    /// Dense from 1 in its journal.
    pub number: u64,
    /// Days since 1970-01-01.
    pub day: u32,
    /// `PieceRef`.
    pub piece: String,
    /// `EcritureLib`.
    pub label: &'static str,
    /// Account, debit, credit: one of the two is nothing.
    pub lines: Vec<(FecAccount, Cents, Cents)>,
}

/// Writes entries as they come.
pub struct FecWriter<W: Write> {
    out: csv::Writer<W>,
}

impl<W: Write> FecWriter<W> {
    /// Begins with the line of columns.
    ///
    /// # Errors
    /// What the output gives.
    pub fn new(out: W) -> io::Result<Self> {
        let mut out = csv::WriterBuilder::new()
            .delimiter(b'\t')
            .terminator(csv::Terminator::CRLF)
            .quote_style(csv::QuoteStyle::Never)
            .from_writer(out);
        out.write_record(COLUMNS)?;
        Ok(Self { out })
    }

    /// Writes an entry.
    ///
    /// # Errors
    /// What the output gives; a day that is none.
    pub fn write(&mut self, entry: &Ecriture) -> io::Result<()> {
        let day = date(entry.day)?;
        for (account, debit, credit) in &entry.lines {
            let (part, part_label) = account.part.clone().unwrap_or_default();
            let fields = [
                entry.journal.0,
                entry.journal.1,
                &entry.number.to_string(),
                &day,
                account.number,
                account.label,
                &part,
                &part_label,
                &entry.piece,
                &day,
                entry.label,
                &amount(*debit),
                &amount(*credit),
                "",
                "",
                &day,
                "",
                "",
            ];
            self.out.write_record(fields.map(latin))?;
        }
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// What the output gives.
    pub fn end(mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// What households paid in and the fund is to hand out: apart from what funders owe.
pub const CONTRIBUTIONS_ACCOUNT: (&str, &str) = ("467300", "Cotisations des foyers, à répartir");

/// The account of a kind, and how it is called.
#[must_use]
pub const fn account_of(kind: AccountKind) -> (&'static str, &'static str) {
    match kind {
        AccountKind::Bank => ("512000", "Banque"),
        AccountKind::Source => ("468700", "Financeurs, sommes à recevoir"),
        AccountKind::Incoming => ("511000", "Encaissements à constater par la banque"),
        AccountKind::Purse | AccountKind::Slice | AccountKind::Card => ("467100", "Foyers, crédits à dépenser"),
        AccountKind::Payable => ("401000", "Lieux conventionnés"),
        AccountKind::Transit => ("580000", "Virements en attente"),
        AccountKind::Goodwill => ("658000", "Sommes avancées aux foyers"),
        AccountKind::Expired => ("758000", "Crédits expirés"),
        AccountKind::Restored => ("471000", "Attente, reprise après sauvegarde"),
        AccountKind::Withheld => ("467200", "Foyers, sommes à retenir"),
    }
}

fn date(day: u32) -> io::Result<String> {
    let date = IsoDate::from_epoch_days(i64::from(day)).map_err(io::Error::other)?;
    Ok(format!("{:04}{:02}{:02}", date.year(), date.month(), date.day()))
}

/// Euros with a decimal comma and nothing between thousands.
fn amount(cents: Cents) -> String {
    let cents = cents.get();
    format!("{},{:02}", cents.checked_div(100).unwrap_or(0), cents.checked_rem(100).unwrap_or(0))
}

/// A field in ISO 8859-15: what it does not have is written by what is nearest.
fn latin(text: &str) -> Vec<u8> {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let (bytes, _, unmappable) = encoding_rs::ISO_8859_15.encode(&text);
    if !unmappable {
        return bytes.into_owned();
    }
    transliterate(&text, Transliteration::default()).into_owned().into_bytes()
}
