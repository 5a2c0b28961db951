//! The accounting export of a year, and the text that describes it. It names shops and funders, no household.

use std::io::{self, Write};

use askama::Template;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::frame::{Fault, Frame, answer};
use super::super::sent::Sent;
use super::super::visit::{Done, Visit, Wrong};
use super::settlement_view as view;
use crate::bank;
use crate::core::audit::Deed;
use crate::store::{Db, OpenMode, StoreError};

/// Bytes of an export that the site gives; the command line writes larger ones.
const FEC_BYTES_MAX: usize = 64 * 1024 * 1024;
const SECONDS_OF_A_DAY: u64 = 86_400;
const YEARS: std::ops::RangeInclusive<u16> = 2000..=2999;

/// The description of the file that the law asks for (LPF art. A47 A-1), in the language of the accountant.
const DESCRIPTION: &str = include_str!("../../../assets/fec-description.txt");

/// What can be exported.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Fec {
    /// The fund's number by which the file is named; without it there is no export.
    siren: Option<String>,
}

/// The year to export.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(super) struct Year {
    /// Four digits.
    #[serde(default)]
    year: String,
}

#[derive(Template)]
#[template(path = "fec.html")]
struct FecPage {
    f: Frame,
    data: Fec,
    year: String,
}

/// Keeps what is written, up to [`FEC_BYTES_MAX`].
#[derive(Default)]
struct Kept(Vec<u8>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len().saturating_add(bytes.len()) > FEC_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn show(visit: &Visit, year: String, faults: Vec<Fault>) -> Result<Response, Wrong> {
    let data = Fec { siren: visit.app.siren.clone() };
    answer(visit, "fec-title", faults, data, |f, data| FecPage { f, data, year })
}

pub(super) async fn form(visit: Visit) -> Result<Response, Wrong> {
    let days = visit.now.get().checked_div(SECONDS_OF_A_DAY).and_then(|days| u32::try_from(days).ok());
    let year = bank::day(days.unwrap_or(0)).split('-').next().unwrap_or_default().to_owned();
    show(&visit, year, Vec::new())
}

/// Makes the export. It is read beside the ledger's thread; the log says who made it.
pub(super) async fn export(visit: Visit, Sent(sent): Sent<Year>) -> Result<Response, Wrong> {
    let Some(siren) = visit.app.siren.clone() else {
        return show(&visit, sent.year, vec![Fault { field: "year", text: "fec-no-siren" }]);
    };
    let Some(year) = sent.year.trim().parse::<u16>().ok().filter(|year| YEARS.contains(year)) else {
        return show(&visit, sent.year, vec![Fault { field: "year", text: "fec-year-wrong" }]);
    };
    let database = visit.app.database.clone();
    let made = tokio::task::spawn_blocking(move || {
        let mut kept = Kept::default();
        let report = Db::open(&database, OpenMode::ReadOnly)?.read(|tx| tx.fec(year, &mut kept))?;
        Ok::<_, StoreError>((report, kept.0))
    });
    let (report, bytes) = match made.await.map_err(|error| Wrong::Work(error.to_string()))? {
        Err(StoreError::Io(error)) if error.kind() == io::ErrorKind::FileTooLarge => {
            return show(&visit, sent.year, vec![Fault { field: "year", text: "fec-too-large" }]);
        }
        made => made?,
    };
    let noted = visit.deed(Deed::FecMade, move |_, _| {
        let detail = format!("{} entries, {} cents", report.entries, report.total.get());
        Ok(Done { given: (), subject: format!("year {year}"), detail })
    });
    noted.await?;
    view::file(&visit, &format!("{siren}FEC{year}1231.txt"), "text/plain; charset=iso-8859-15", &bytes)
}

pub(super) async fn description(visit: Visit) -> Result<Response, Wrong> {
    view::file(&visit, "FEC-description.txt", "text/plain; charset=utf-8", DESCRIPTION.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::DESCRIPTION;
    use crate::bank::account_of;
    use crate::core::ledger::AccountKind;

    #[test]
    fn every_account_of_the_export_is_described() {
        for kind in AccountKind::ALL {
            let (number, label) = account_of(kind);
            assert!(DESCRIPTION.contains(&format!("\n {number}  {label}")), "{number} {label}");
        }
    }
}
