//! Why the counter does not do what it was asked, with words for both sides.

use crate::core::amount::AmountError;
use crate::core::receipt::{Language, amount};
use crate::core::split::SplitError;
use crate::core::undo::UndoRefusal;
use crate::journal::{JournalError, Trouble};
use crate::texts::{Both, Texts};

/// Why the counter does not do what it was asked.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Something else is under way.
    #[error("busy")]
    Busy,
    /// The id was used for another sale.
    #[error("the request id was used for another sale")]
    RequestConflict,
    /// No such sale.
    #[error("no such sale")]
    NotFound,
    /// It cannot be cancelled any more.
    #[error("too late to cancel")]
    TooLate,
    /// The card may have paid.
    #[error("the card may have paid")]
    InDoubt,
    /// No card came.
    #[error("no card in time")]
    NoCard,
    /// No receipt of such a sale.
    #[error("not accepted")]
    NotAccepted,
    /// No printer.
    #[error("no printer")]
    PrinterOff,
    /// The printer's queue is full.
    #[error("the printer has too much to do")]
    PrinterBusy,
    /// The receipt's sums do not add up.
    #[error("the receipt could not be made")]
    Receipt,
    /// A card that cannot pay: the class only.
    #[error("the card cannot be used")]
    Card(crate::core::authorize::DeclineReason),
    /// The amount.
    #[error(transparent)]
    Amount(#[from] AmountError),
    /// The lines.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// The journal.
    #[error("the journal does not write: {}", .0.name())]
    Journal(Trouble),
    /// Too much waits.
    #[error("overloaded")]
    Overloaded,
    /// A sale or refund cannot be undone so.
    #[error(transparent)]
    Undo(#[from] UndoRefusal),
    /// No part is offered.
    #[error("no part is offered")]
    NoOffer,
    /// The fund pauses sales here.
    #[error("paused")]
    Paused,
    /// No such closing.
    #[error("no such closing")]
    NoClosing,
    /// What was given is no date.
    #[error("no date")]
    Day,
    /// What was given is no number of a receipt.
    #[error("no receipt's number")]
    Number,
    /// There is no enrolment.
    #[error("not enrolled")]
    NotEnrolled,
    /// A code has to be typed first.
    #[error("locked")]
    Locked,
    /// No cashier has this code.
    #[error("the code is wrong")]
    CodeWrong,
    /// Too many wrong codes.
    #[error("no code is looked at for {wait_s} s")]
    CodeWait {
        /// Seconds until one is.
        wait_s: u64,
    },
    /// No cashier has a code here.
    #[error("no cashiers are set up")]
    NoCashiers,
    /// It is not done while the terminal trains.
    #[error("the terminal trains")]
    Training,
    /// It is only played while the terminal trains.
    #[error("the terminal does not train")]
    NotTraining,
    /// There is no reader.
    #[error("no reader")]
    NoReader,
}

impl From<JournalError> for Refusal {
    fn from(error: JournalError) -> Self {
        if matches!(error, JournalError::RequestTaken) {
            return Self::RequestConflict;
        }
        error.trouble().map_or(Self::Overloaded, Self::Journal)
    }
}

impl Refusal {
    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Busy | Self::RequestConflict | Self::TooLate | Self::InDoubt | Self::NotAccepted => 409,
            Self::NotFound | Self::NoClosing => 404,
            Self::Day | Self::Number => 400,
            Self::NoCard => 408,
            Self::Card(_) | Self::Amount(_) | Self::Split(_) => 422,
            Self::Receipt => 500,
            Self::Undo(UndoRefusal::UnknownSale) => 404,
            Self::Undo(
                UndoRefusal::RequestTaken
                | UndoRefusal::Terminal(_)
                | UndoRefusal::Reversed
                | UndoRefusal::Refunded
                | UndoRefusal::TooLate
                | UndoRefusal::CardCounts,
            )
            | Self::NoOffer
            | Self::NoCashiers
            | Self::Training
            | Self::NotTraining
            | Self::Paused => 409,
            Self::CodeWrong => 403,
            Self::Locked => 423,
            Self::CodeWait { .. } => 429,
            Self::Undo(
                UndoRefusal::Lines
                | UndoRefusal::UnknownCategory(_)
                | UndoRefusal::TooMuch { .. }
                | UndoRefusal::NothingPaid
                | UndoRefusal::Money(_),
            ) => 422,
            Self::PrinterOff
            | Self::PrinterBusy
            | Self::Journal(_)
            | Self::Overloaded
            | Self::NotEnrolled
            | Self::NoReader => 503,
        }
    }

    /// The name of the message in `agent/locales`; with `_` for `-` the code in the local API.
    #[must_use]
    pub const fn message_id(&self) -> &'static str {
        match self {
            Self::Busy => "error-busy",
            Self::RequestConflict => "error-request-conflict",
            Self::NotFound => "error-not-found",
            Self::TooLate => "error-too-late",
            Self::InDoubt => "error-in-doubt",
            Self::NoCard => "error-no-card",
            Self::NotAccepted => "error-not-accepted",
            Self::PrinterOff => "error-printer-off",
            Self::PrinterBusy => "error-printer-busy",
            Self::Receipt => "error-receipt",
            Self::Card(reason) => reason.message_id(),
            Self::Amount(error) => error.message_id(),
            Self::Split(error) => error.message_id(),
            Self::Journal(trouble) => trouble.message_id(),
            Self::Overloaded => "error-overloaded",
            Self::Undo(error) => error.message_id(),
            Self::NoOffer => "error-no-offer",
            Self::Paused => "error-paused",
            Self::NoClosing => "error-no-closing",
            Self::Day => "error-bad-day",
            Self::Number => "error-bad-number",
            Self::NotEnrolled => "error-not-enrolled",
            Self::Locked => "error-locked",
            Self::CodeWrong => "error-code-wrong",
            Self::CodeWait { .. } => "error-code-wait",
            Self::NoCashiers => "error-no-cashiers",
            Self::Training => "error-training",
            Self::NotTraining => "error-not-training",
            Self::NoReader => "error-no-reader",
        }
    }

    /// The words.
    #[must_use]
    pub fn words(&self, texts: &Texts) -> Both {
        if let Self::CodeWait { wait_s } = self {
            let wait = wait_s.to_string();
            let say = |language| texts.with(language, self.message_id(), &[("wait", &wait)]);
            return Both { message_fr: say(Language::French), message_en: say(Language::English) };
        }
        let (Self::Amount(AmountError::OverLimit { max: most }) | Self::Undo(UndoRefusal::TooMuch { left: most, .. })) =
            self
        else {
            return texts.both(self.message_id());
        };
        let most = *most;
        let say = |language| texts.with(language, self.message_id(), &[("max", &amount(most, language))]);
        Both { message_fr: say(Language::French), message_en: say(Language::English) }
    }
}
