//! A receipt of what the journal says.

use super::board::SaleView;
use super::training::PlayedSale;
use crate::clock;
use crate::core::receipt::{Language, Receipt, ReceiptError, ReceiptLine, ReceiptParts};
use crate::core::split::Categories;
use crate::journal::{Entry, RefundProgress, SaleRecord, State};
use crate::texts::{ReceiptKind, Texts};
use cabas_protocol::row::{Line, Tier};
use cabas_protocol::{Stan, Timestamp};

/// Makes the receipt of a sale or of what undoes one; `copies` were printed before, `online` says whether the hub is there.
///
/// # Errors
/// [`ReceiptError`] where the amounts do not add up.
pub fn receipt(
    state: &State,
    texts: &Texts,
    language: Language,
    entry: &Entry,
    copies: u32,
    online: bool,
) -> Result<Receipt, ReceiptError> {
    let of = Subject::of(entry);
    let record = of.sale;
    let categories = categories_of(state, entry);
    let label = |id| match (categories.get(id), language) {
        (Some(category), Language::French) => category.label_fr.clone(),
        (Some(category), Language::English) => category.label_en.clone(),
        (None, Language::French | Language::English) => id.to_string(),
    };
    let config = state.config.as_deref();
    let lines = of.lines.iter().map(|line| ReceiptLine {
        label: label(line.category),
        requested: line.requested,
        fund: line.fund,
        member: line.member,
    });
    let receipt = Receipt::new(ReceiptParts {
        shop: config.map(|config| config.shop_name.clone()).unwrap_or_default(),
        fund: config.map(|config| config.fund_name.clone()).unwrap_or_default(),
        helpline: config.map(|config| config.helpline.clone()).filter(|helpline| !helpline.is_empty()),
        at: clock::local(of.at),
        terminal: state.id.terminal,
        stan: of.stan,
        till_ref: record.till_ref.clone(),
        lines: lines.collect(),
        duplicate: (copies > 0).then_some(copies),
        training: false,
        show_not_proven: of.kind == ReceiptKind::Sale && record.sale.tier == Tier::Plain,
        language,
        texts: texts.receipt(language, of.kind),
    })?;
    let stan = record.sale.stan.to_string();
    let note = |id| texts.with(language, id, &[("stan", &stan)]);
    Ok(match (of.kind, of.progress) {
        (ReceiptKind::Sale, _) => receipt,
        (ReceiptKind::Reversal, _) => {
            receipt.with_notes(vec![note("receipt-note-reverses"), note("receipt-note-available-again")])
        }
        (ReceiptKind::Refund, Some(RefundProgress::Credited)) => {
            receipt.with_notes(vec![note("receipt-note-refunds"), note("receipt-note-credited")])
        }
        (ReceiptKind::Refund, Some(RefundProgress::Refused)) => {
            receipt.with_notes(vec![note("receipt-note-refunds"), note("receipt-note-refused")])
        }
        (ReceiptKind::Refund, _) => {
            let when = if online { "receipt-note-refund-online" } else { "receipt-note-refund-offline" };
            receipt.with_notes(vec![note("receipt-note-refunds"), note(when)])
        }
    })
}

/// The receipt of a sale that was only played: it says above and below the amounts that it has no value.
pub(super) fn played(
    state: &State,
    texts: &Texts,
    language: Language,
    sale: &SaleView,
    played: PlayedSale,
    categories: &Categories,
) -> Result<Receipt, ReceiptError> {
    let label = |id| match (categories.get(id), language) {
        (Some(category), Language::French) => category.label_fr.clone(),
        (Some(category), Language::English) => category.label_en.clone(),
        (None, Language::French | Language::English) => id.to_string(),
    };
    let config = state.config.as_deref();
    let lines = sale.lines.iter().map(|line| ReceiptLine {
        label: label(line.category),
        requested: line.requested,
        fund: line.fund,
        member: line.member,
    });
    Receipt::new(ReceiptParts {
        shop: config.map(|config| config.shop_name.clone()).unwrap_or_default(),
        fund: config.map(|config| config.fund_name.clone()).unwrap_or_default(),
        helpline: config.map(|config| config.helpline.clone()).filter(|helpline| !helpline.is_empty()),
        at: clock::local(played.at),
        terminal: state.id.terminal,
        stan: played.stan,
        till_ref: sale.till_ref.clone(),
        lines: lines.collect(),
        duplicate: (played.copies > 0).then_some(played.copies),
        training: true,
        show_not_proven: played.tier == Tier::Plain,
        language,
        texts: texts.receipt(language, ReceiptKind::Sale),
    })
}

/// The names of the grid by which a sale was split, where it is still here.
pub(super) fn categories_of(state: &State, entry: &Entry) -> Categories {
    let version = Subject::of(entry).sale.sale.grid;
    let grid = state.grids.iter().find(|grid| grid.version == version);
    grid.map_or_else(Categories::default, |grid| Categories {
        version: grid.version,
        categories: grid.categories.clone(),
    })
}

/// What a receipt is about.
struct Subject<'a> {
    kind: ReceiptKind,
    /// The sale, also where the receipt is of what undoes it.
    sale: &'a SaleRecord,
    stan: Stan,
    at: Timestamp,
    lines: &'a [Line],
    progress: Option<RefundProgress>,
}

impl<'a> Subject<'a> {
    fn of(entry: &'a Entry) -> Self {
        match entry {
            Entry::Sale { record, .. } => Self {
                kind: ReceiptKind::Sale,
                sale: record,
                stan: record.sale.stan,
                at: record.at,
                lines: &record.sale.lines,
                progress: None,
            },
            Entry::Reversal(reversal) => Self {
                kind: ReceiptKind::Reversal,
                sale: &reversal.sale,
                stan: reversal.reversal.stan,
                at: reversal.at,
                lines: &reversal.sale.sale.lines,
                progress: None,
            },
            Entry::Refund(refund) => Self {
                kind: ReceiptKind::Refund,
                sale: &refund.sale,
                stan: refund.refund.stan,
                at: refund.at,
                lines: &refund.refund.lines,
                progress: Some(refund.progress),
            },
        }
    }
}
