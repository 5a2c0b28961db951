//! A receipt of what the journal says.

use crate::clock;
use crate::core::receipt::{Language, Receipt, ReceiptError, ReceiptLine, ReceiptParts};
use crate::core::split::Categories;
use crate::journal::{SaleRecord, State};
use crate::texts::{ReceiptKind, Texts};
use cabas_protocol::row::Tier;

/// Makes the receipt of a sale; `copies` were printed before.
///
/// # Errors
/// [`ReceiptError`] where the amounts do not add up.
pub fn receipt(
    state: &State,
    texts: &Texts,
    language: Language,
    record: &SaleRecord,
    copies: u32,
) -> Result<Receipt, ReceiptError> {
    // The names of the grid by which the sale was split, where it is still here.
    let grid = state.grids.iter().find(|grid| grid.version == record.sale.grid);
    let categories = grid.map_or_else(Categories::default, |grid| Categories {
        version: grid.version,
        categories: grid.categories.clone(),
    });
    let label = |id| match (categories.get(id), language) {
        (Some(category), Language::French) => category.label_fr.clone(),
        (Some(category), Language::English) => category.label_en.clone(),
        (None, Language::French | Language::English) => id.to_string(),
    };
    let config = state.config.as_deref();
    let lines = record.sale.lines.iter().map(|line| ReceiptLine {
        label: label(line.category),
        requested: line.requested,
        fund: line.fund,
        member: line.member,
    });
    Receipt::new(ReceiptParts {
        shop: config.map(|config| config.shop_name.clone()).unwrap_or_default(),
        fund: config.map(|config| config.fund_name.clone()).unwrap_or_default(),
        helpline: config.map(|config| config.helpline.clone()).filter(|helpline| !helpline.is_empty()),
        at: clock::local(record.at),
        terminal: state.id.terminal,
        stan: record.sale.stan,
        till_ref: record.till_ref.clone(),
        lines: lines.collect(),
        duplicate: (copies > 0).then_some(copies),
        training: false,
        show_not_proven: record.sale.tier == Tier::Plain,
        language,
        texts: texts.receipt(language, ReceiptKind::Sale),
    })
}
