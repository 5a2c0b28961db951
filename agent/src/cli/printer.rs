//! `printer test`: a page with every character that receipts need, straight to the printer.

use clap::Subcommand;
use serde_json::json;

use super::Context;
use super::failure::Failure;
use crate::out::print;
use crate::printer::{self, JobOutcome, PrinterTarget};
use crate::texts::Texts;

#[derive(Debug, Subcommand)]
pub(super) enum Printer {
    /// Print a page that shows é è ç œ € and the paper's width
    Test,
}

pub(super) async fn test(context: &Context) -> Result<(), Failure> {
    let config = context.config.printer()?;
    if config.target == PrinterTarget::Off {
        return Err(Failure::NoPrinter);
    }
    let texts = Texts::default().test_page(context.config.language()?);
    let start = |source| Failure::Start { what: "the printer's thread", source };
    let handle = printer::start(config).map_err(start)?;
    let (_, outcome) = handle.test_page(texts).map_err(|error| Failure::Printer(error.to_string()))?;
    let outcome = outcome.await.map_err(|_| Failure::Printer(String::from("its thread ended")))?;
    let (printed, what) = match outcome {
        JobOutcome::Printed => (true, String::from("printed")),
        JobOutcome::SentToMute => (true, String::from("sent; this printer does not tell whether it printed")),
        JobOutcome::NotSent(fault) => (false, format!("nothing was sent: {fault:?}; see to it and try again")),
        JobOutcome::Unsure(fault) => (false, format!("it broke off: {fault:?}; look at the paper")),
    };
    if !printed {
        return Err(Failure::Printer(what));
    }
    print(context.format, &json!({ "outcome": what }), |_| what.clone()).map_err(Failure::Print)
}
