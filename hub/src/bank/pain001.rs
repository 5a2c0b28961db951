//! A SEPA credit-transfer file, pain.001. The same values give the same bytes. No postal address is sent: none is needed
//! within the EEA, and unstructured ones are refused from November 2026 on.

use cabas_protocol::{Cents, Timestamp};
use sepa::validate::{BuildError, ValidationError};
use sepa::{
    Bic, CreditTransferEntry, CreditTransferGroup, CreditTransferSchema, Iban, IsoDate, IsoDateTime, Pain001Builder,
};

use crate::store::PainVersion;

/// Who pays, and when.
#[derive(Clone, Debug)]
pub struct Head {
    /// The name on the account.
    pub name: String,
    /// The account.
    pub iban: Iban,
    /// Its bank, where it is known.
    pub bic: Option<Bic>,
    /// `MsgId` and `PmtInfId`.
    pub message: String,
    /// When the file was made.
    pub made_at: Timestamp,
    /// The day on which the bank is to pay, in days since 1970-01-01.
    pub execute_on: u32,
    /// What the bank takes.
    pub version: PainVersion,
}

/// One transfer.
#[derive(Clone, Debug)]
pub struct Payment {
    /// The legal name of who is paid.
    pub name: String,
    /// The account.
    pub iban: Iban,
    /// How much.
    pub cents: Cents,
    /// Comes back on statements.
    pub end_to_end: String,
    /// What the payee reads.
    pub text: String,
}

/// Writes the file.
///
/// # Errors
/// What the scheme does not allow: a text without a letter, a sum that cannot be held, a day that is none.
pub fn pain001(head: &Head, payments: &[Payment]) -> Result<String, BuildError> {
    let seconds = i64::try_from(head.made_at.get()).unwrap_or(i64::MAX);
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let part = |seconds: i64, each: i64, modulo: i64| {
        let part = seconds.checked_div(each).and_then(|part| part.checked_rem(modulo));
        part.and_then(|part| u8::try_from(part).ok()).unwrap_or(0)
    };
    let no_day = |_| BuildError::message(ValidationError::EmptyBatch);
    let made_on = IsoDate::from_epoch_days(days).map_err(no_day)?;
    let made_at = IsoDateTime::new(made_on, part(rest, 3_600, 24), part(rest, 60, 60), part(rest, 1, 60))
        .map_err(|_| BuildError::message(ValidationError::EmptyBatch))?
        .in_utc();
    let execute_on = IsoDate::from_epoch_days(i64::from(head.execute_on)).map_err(no_day)?;
    let mut group = CreditTransferGroup::new(head.name.clone(), &head.iban, execute_on)
        .payment_info_id(head.message.clone())
        .batch_booking(true);
    if let Some(bic) = &head.bic {
        group = group.debtor_bic(bic.clone());
    }
    for payment in payments {
        let cents = i64::try_from(payment.cents.get()).unwrap_or(i64::MAX);
        let entry =
            CreditTransferEntry::new(payment.name.clone(), payment.iban.clone(), cents, payment.end_to_end.clone());
        group = group.add_entry(entry.with_description(payment.text.clone()));
    }
    let schema = match head.version {
        PainVersion::V03 => CreditTransferSchema::IsoV3,
        PainVersion::V09 => CreditTransferSchema::IsoV9,
    };
    Pain001Builder::new(head.name.clone(), head.message.clone())
        .created_at(made_at)
        .schema(schema)
        .add_group(group)
        .build()
}
