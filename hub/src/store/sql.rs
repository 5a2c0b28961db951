//! Values of ours as SQLite holds them: numbers as signed integers, references as blobs; back out only if in range.

use cabas_protocol::{
    CardRef, Cents, Epoch, FundId, Hash, Incarnation, PolicyId, PublicKey, PurseRef, Seq, Serial, TerminalId,
    TimeEpoch, Timestamp, Version,
};
use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};

use crate::core::ledger::{AccountId, EpochNo, PurseNo, RowKey, ShopNo};

/// A value on its way into or out of the file.
pub(super) struct Sql<T>(pub(super) T);

fn number_in(number: u64) -> rusqlite::Result<ToSqlOutput<'static>> {
    let number = i64::try_from(number).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    Ok(number.into())
}

fn number_out(value: ValueRef<'_>) -> FromSqlResult<u64> {
    let number = value.as_i64()?;
    u64::try_from(number).map_err(|_| FromSqlError::OutOfRange(number))
}

fn small_out(value: ValueRef<'_>) -> FromSqlResult<u32> {
    let number = value.as_i64()?;
    u32::try_from(number).map_err(|_| FromSqlError::OutOfRange(number))
}

macro_rules! numbers {
    ($read:ident: $($name:ident),* $(,)?) => {$(
        impl ToSql for Sql<$name> {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                number_in(self.0.get().into())
            }
        }

        impl FromSql for Sql<$name> {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                Ok(Self($name::new($read(value)?)))
            }
        }
    )*};
}

macro_rules! checked_numbers {
    ($read:ident, $make:ident: $($name:ident),* $(,)?) => {$(
        impl ToSql for Sql<$name> {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                number_in(self.0.get().into())
            }
        }

        impl FromSql for Sql<$name> {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let number = $read(value)?;
                Option::from($name::$make(number)).map(Self).ok_or(FromSqlError::OutOfRange(number.into_i64()))
            }
        }
    )*};
}

macro_rules! blobs {
    ($($name:ident),* $(,)?) => {$(
        impl ToSql for Sql<$name> {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.0.as_bytes().as_slice().into())
            }
        }

        impl FromSql for Sql<$name> {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let bytes = value.as_blob()?;
                let wrong = FromSqlError::InvalidBlobSize { expected_size: $name::LEN, blob_size: bytes.len() };
                $name::from_slice(bytes).map(Self).ok_or(wrong)
            }
        }
    )*};
}

/// A number for an error's text; what does not fit is the largest.
trait IntoI64 {
    fn into_i64(self) -> i64;
}

impl IntoI64 for u64 {
    fn into_i64(self) -> i64 {
        i64::try_from(self).unwrap_or(i64::MAX)
    }
}

impl IntoI64 for u32 {
    fn into_i64(self) -> i64 {
        i64::from(self)
    }
}

numbers!(small_out: Epoch, FundId, Incarnation, PolicyId, PurseNo, Seq, Serial, ShopNo, TerminalId, TimeEpoch, Version);
numbers!(number_out: Timestamp);
checked_numbers!(small_out, new: EpochNo);
checked_numbers!(number_out, of_number: AccountId, RowKey);
blobs!(CardRef, Hash, PurseRef);

impl ToSql for Sql<Cents> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        number_in(self.0.get())
    }
}

impl FromSql for Sql<Cents> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = number_out(value)?;
        Cents::new(number).map(Self).map_err(|_| FromSqlError::OutOfRange(number.into_i64()))
    }
}

/// A plain count.
impl ToSql for Sql<u64> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        number_in(self.0)
    }
}

impl FromSql for Sql<u64> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        number_out(value).map(Self)
    }
}

impl ToSql for Sql<PublicKey> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.as_bytes().as_slice().into())
    }
}

impl FromSql for Sql<PublicKey> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let bytes = <[u8; 32]>::column_result(value)?;
        PublicKey::new(bytes).map(Self).map_err(|error| FromSqlError::Other(Box::new(error)))
    }
}

/// A column's value.
pub(super) fn col<T>(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<T>
where
    Sql<T>: FromSql,
{
    row.get::<_, Sql<T>>(index).map(|value| value.0)
}

/// A column's value where it has one.
pub(super) fn col_opt<T>(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Option<T>>
where
    Sql<T>: FromSql,
{
    row.get::<_, Option<Sql<T>>>(index).map(|value| value.map(|value| value.0))
}
