//! One CSV file: its encoding, its separator, its header, its lines.

use cabas_protocol::codec;
use csv::{ByteRecord, ReaderBuilder};

use super::fields::{Fields, Wrong};

/// Bytes of one file, at the most.
pub const FILE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Rows of one file, at the most.
pub const ROWS_MAX: usize = 1_000_000;
/// Bytes of one field, at the most.
pub(super) const FIELD_BYTES_MAX: usize = 128;
/// What Excel writes in front of UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// What a file holds.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Households.
    Households,
    /// Cards.
    Cards,
    /// Shops.
    Shops,
    /// Members of households, by name.
    Members,
    /// Contributions: money that came in, imported by a command of its own.
    Contributions,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Households, Self::Cards, Self::Shops, Self::Members, Self::Contributions];

    /// Its columns.
    #[must_use]
    pub const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Households => &["household", "size", "children_under_14", "contribution_cents"],
            Self::Cards => &["card_number", "uid_hex", "household"],
            Self::Shops => &["shop", "name", "kind", "expected_share_permille"],
            Self::Members => &["household", "member"],
            Self::Contributions => &["household", "paid_on", "cents", "reference"],
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Households => "households",
            Self::Cards => "cards",
            Self::Shops => "shops",
            Self::Members => "members",
            Self::Contributions => "contributions",
        }
    }

    /// The kind whose columns these are, in any order.
    fn of_header(header: &[String]) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| {
            kind.columns().len() == header.len() && kind.columns().iter().all(|name| header.iter().any(|h| h == name))
        })
    }
}

/// One line: its number, and its fields or what is wrong with it.
pub(super) struct Line {
    pub(super) line: u64,
    pub(super) fields: Result<Fields, Wrong>,
}

/// A file whose header is known.
pub(super) struct Table<'b> {
    kind: Kind,
    /// The name of each column, in the file's order.
    columns: Vec<&'static str>,
    records: csv::ByteRecordsIntoIter<&'b [u8]>,
    rows: usize,
}

impl<'b> Table<'b> {
    pub(super) fn open(bytes: &'b [u8]) -> Result<Self, Wrong> {
        if bytes.len() > FILE_BYTES_MAX {
            return Err(Wrong::FileTooLarge);
        }
        let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
        let first_line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let separator = if first_line.contains(&b';') { b';' } else { b',' };
        let mut reader =
            ReaderBuilder::new().delimiter(separator).flexible(true).trim(csv::Trim::All).from_reader(bytes);
        let header: Vec<String> = reader
            .byte_headers()
            .map_err(|_| Wrong::UnknownHeader)?
            .iter()
            .map(|name| String::from_utf8_lossy(name).to_lowercase())
            .collect();
        let kind = Kind::of_header(&header).ok_or(Wrong::UnknownHeader)?;
        let name_of = |found: &String| kind.columns().iter().copied().find(|name| name == found);
        let columns = header.iter().filter_map(name_of).collect();
        Ok(Self { kind, columns, records: reader.into_byte_records(), rows: 0 })
    }

    pub(super) const fn kind(&self) -> Kind {
        self.kind
    }

    fn fields(&self, record: &ByteRecord) -> Result<Fields, Wrong> {
        if record.len() != self.columns.len() {
            return Err(Wrong::FieldCount { found: record.len(), expected: self.columns.len() });
        }
        let named = self.columns.iter().copied().zip(record.iter());
        let read = named.map(|(name, bytes)| {
            let text = std::str::from_utf8(bytes).map_err(|_| Wrong::NotUtf8(name))?;
            codec::text(name, text, FIELD_BYTES_MAX).map_err(|_| Wrong::FieldText(name))?;
            Ok((name, text.to_owned()))
        });
        Ok(Fields(read.collect::<Result<_, Wrong>>()?))
    }
}

impl Iterator for Table<'_> {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        if self.rows > ROWS_MAX {
            return None;
        }
        let record = self.records.next()?;
        self.rows = self.rows.saturating_add(1);
        let position = |position: Option<&csv::Position>| position.map_or(0, csv::Position::line);
        Some(match record {
            Ok(record) => {
                let fields = if self.rows > ROWS_MAX { Err(Wrong::TooManyRows) } else { self.fields(&record) };
                Line { line: position(record.position()), fields }
            }
            Err(error) => Line { line: position(error.position()), fields: Err(Wrong::NotCsv) },
        })
    }
}
