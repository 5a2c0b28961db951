//! The paper of a closing, or of where the day stands: composed from the journal's sums, which must add up.

use super::closings::{Figures, category_label};
use crate::clock;
use crate::core::closing::Slip;
use crate::core::receipt::{Language, ReceiptError, amount, date_time};
use crate::journal::{CashierSum, CategorySum, Closing, State, Sums};
use crate::texts::Texts;
use cabas_protocol::row::ClosePeriod;
use cabas_protocol::{Cents, Timestamp};

/// Categories, and cashiers, that are printed one by one; the others stand in one line.
const GROUPS_MAX: usize = 60;
/// Digits of a row's hash that are printed.
const HASH_DIGITS: usize = 16;

/// What a paper is about.
pub(crate) struct About<'a> {
    /// The closing; nothing for where the day stands.
    pub(crate) closing: Option<&'a Closing>,
    /// The figures.
    pub(crate) figures: &'a Figures,
    /// When the first row was written.
    pub(crate) opened_at: Option<Timestamp>,
    /// When it was closed, or now.
    pub(crate) at: Timestamp,
    /// How often it was printed before.
    pub(crate) copies: u32,
}

/// Composes it.
///
/// # Errors
/// [`ReceiptError`] where the categories do not add up to the period's sums.
pub(crate) fn slip(state: &State, texts: &Texts, language: Language, about: &About<'_>) -> Result<Slip, ReceiptError> {
    let Figures { totals, perpetual, sums, .. } = about.figures;
    check(about.figures)?;
    let get = |id| texts.get(language, id);
    let money = |cents| amount(cents, language);
    let mut slip = Slip::default();
    head(&mut slip, state, texts, language, about);
    slip.row(get("closing-sales"), totals.sales.to_string(), true);
    slip.row(get("closing-requested"), money(totals.fund.plus(totals.member)?), false);
    slip.row(get("closing-fund-part"), money(totals.fund), true);
    slip.row(get("closing-member-part"), money(totals.member), false);
    slip.row(get("closing-reversed"), money(totals.reversed), false);
    slip.row(get("closing-refunds"), money(totals.refunds), false);
    groups(&mut slip, state, texts, language, sums)?;
    slip.rule();
    slip.row(get("closing-perpetual"), money(*perpetual), true);
    slip.rule();
    if let Some(closing) = about.closing {
        let hash: String = closing.hash.to_string().chars().take(HASH_DIGITS).collect();
        slip.row(get("closing-hash"), hash, false);
    }
    marks(&mut slip, texts, language, about);
    Ok(slip)
}

fn head(slip: &mut Slip, state: &State, texts: &Texts, language: Language, about: &About<'_>) {
    let get = |id| texts.get(language, id);
    let config = state.config.as_deref();
    slip.centred(config.map(|config| config.shop_name.as_str()).unwrap_or_default(), true);
    slip.centred(config.map(|config| config.fund_name.as_str()).unwrap_or_default(), false);
    slip.centred(
        match about.closing {
            Some(closing) => {
                let id = match closing.close.period {
                    ClosePeriod::Day => "closing-title-day",
                    ClosePeriod::Month => "closing-title-month",
                    ClosePeriod::Year => "closing-title-year",
                };
                texts.with(language, id, &[("number", &closing.close.number.to_string())])
            }
            None => get("closing-title-running"),
        },
        true,
    );
    marks(slip, texts, language, about);
    slip.rule();
    let terminal = format!("{} {}", get("receipt-terminal"), state.id.terminal);
    slip.row(terminal, format!("{} {}", get("closing-enrolment"), state.id.epoch), false);
    if let Some(opened_at) = about.opened_at {
        slip.row(get("closing-from"), date_time(clock::local(opened_at)), false);
    }
    slip.row(get("closing-to"), date_time(clock::local(about.at)), false);
    slip.row(get("closing-rows"), format!("{} - {}", about.figures.from, about.figures.upto), false);
    slip.rule();
}

/// What keeps a paper from being taken for another one; it stands above and below the amounts.
fn marks(slip: &mut Slip, texts: &Texts, language: Language, about: &About<'_>) {
    if about.closing.is_none() {
        slip.centred(texts.get(language, "closing-not-a-closing"), true);
    }
    if about.copies > 0 {
        slip.centred(format!("*** {} {} ***", texts.get(language, "receipt-duplicate"), about.copies), true);
    }
}

fn groups(slip: &mut Slip, state: &State, texts: &Texts, language: Language, sums: &Sums) -> Result<(), ReceiptError> {
    let get = |id| texts.get(language, id);
    let money = |cents| amount(cents, language);
    let mut others = CategorySum::default();
    let category = |slip: &mut Slip, label: String, sum: &CategorySum| -> Result<(), ReceiptError> {
        slip.row(format!("{label} ({})", sum.sales), money(sum.fund.plus(sum.member)?), false);
        slip.row(format!("\u{a0}\u{a0}{}", get("closing-fund-part")), money(sum.fund), false);
        if !sum.member.is_zero() {
            slip.row(format!("\u{a0}\u{a0}{}", get("closing-member-part")), money(sum.member), false);
        }
        Ok(())
    };
    if !sums.categories.is_empty() {
        slip.rule();
        slip.centred(get("closing-by-category"), false);
    }
    for (index, (id, sum)) in sums.categories.iter().enumerate() {
        if index < GROUPS_MAX {
            category(slip, category_label(state, *id, language).unwrap_or_else(|| id.to_string()), sum)?;
        } else {
            others.sales = others.sales.saturating_add(sum.sales);
            (others.fund, others.member) = (others.fund.plus(sum.fund)?, others.member.plus(sum.member)?);
        }
    }
    if others.sales > 0 {
        category(slip, get("closing-others"), &others)?;
    }
    if !sums.cashiers.is_empty() {
        slip.rule();
        slip.centred(get("closing-by-cashier"), false);
    }
    let mut others = CashierSum::default();
    for (index, (number, sum)) in sums.cashiers.iter().enumerate() {
        if index < GROUPS_MAX {
            // The number alone: names stay off paper.
            let label =
                if *number == 0 { get("closing-no-cashier") } else { format!("{} {number}", get("closing-cashier")) };
            slip.row(format!("{label} ({})", sum.sales), money(sum.fund), false);
        } else {
            others.sales = others.sales.saturating_add(sum.sales);
            others.fund = others.fund.plus(sum.fund)?;
        }
    }
    if others.sales > 0 {
        slip.row(format!("{} ({})", get("closing-others"), others.sales), money(others.fund), false);
    }
    Ok(())
}

/// The categories, and the cashiers where there are any, add up to the period.
fn check(figures: &Figures) -> Result<(), ReceiptError> {
    let Figures { totals, sums, .. } = figures;
    let fund = Cents::sum(sums.categories.values().map(|sum| sum.fund))?;
    let member = Cents::sum(sums.categories.values().map(|sum| sum.member))?;
    let by_cashier = Cents::sum(sums.cashiers.values().map(|sum| sum.fund))?;
    let fits =
        (fund, member) == (totals.fund, totals.member) && (sums.cashiers.is_empty() || by_cashier == totals.fund);
    if fits { Ok(()) } else { Err(ReceiptError::Parts(0)) }
}
