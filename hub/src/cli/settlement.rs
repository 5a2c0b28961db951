//! `settlement preview`, `prepare`, `approve`, `withdraw`, `close`, `list`, and what pays it (`payment-file`, `payouts`, `reject`).

use std::fmt::Write as _;
use std::path::PathBuf;

use cabas_protocol::Timestamp;
use clap::Subcommand;
use serde::Serialize;

use super::failure::Failure;
use super::fund::euros;
use super::{Context, payout, statement};
use crate::out::{plain, print};
use crate::store::{Db, OpenMode, PaymentOrder, PayoutRef, Prepared, Settlement as Closed, StoreError, Tx, WorkedOut};

/// Settlements that `list` shows.
const LISTED_MAX: u32 = 120;

#[derive(Debug, Subcommand)]
pub(super) enum Settlement {
    /// Show what each shop would be paid for the rows that the hub has at this moment
    Preview,
    /// Fix a settlement with the rows that the hub has at this moment; it is booked when another person approves it
    Prepare {
        /// Who prepares it
        #[arg(long, value_name = "NAME")]
        by: String,
        /// After a restore: the bank was asked, and no settlement later than those in the backup was paid
        #[arg(long)]
        payments_checked: bool,
    },
    /// Show what was prepared, and by whom
    Prepared,
    /// Approve what another person prepared, and book it
    Approve {
        /// The settlement's number
        #[arg(value_name = "N")]
        number: u32,
        /// Who approves it
        #[arg(long, value_name = "NAME")]
        by: String,
    },
    /// Take back what was prepared
    Withdraw {
        /// The settlement's number
        #[arg(value_name = "N")]
        number: u32,
        /// Who takes it back
        #[arg(long, value_name = "NAME")]
        by: String,
    },
    /// Prepare and approve in one step, where two people sit together; with nothing new it closes nothing
    Close {
        /// Who prepares it
        #[arg(long, value_name = "NAME")]
        by: String,
        /// Who approves it
        #[arg(long, value_name = "NAME")]
        approved_by: String,
        /// After a restore: the bank was asked, and no settlement later than those in the backup was paid
        #[arg(long)]
        payments_checked: bool,
    },
    /// List the settlements, newest first
    List,
    /// Write the payment file (pain.001) for the bank; asked again, the same bytes
    PaymentFile {
        /// The settlement's number
        #[arg(value_name = "N")]
        number: u32,
        /// The file to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// The day on which the bank is to pay, such as 2026-12-01; without it the day of making
        #[arg(long, value_name = "DAY", value_parser = day)]
        execute_on: Option<u32>,
        /// Who makes it
        #[arg(long, value_name = "NAME")]
        by: String,
    },
    /// Show how each payout of a settlement stands: due, ordered, paid, back
    Payouts {
        /// The settlement's number
        #[arg(value_name = "N")]
        number: u32,
    },
    /// Say, by two people, that the bank did not make a payment: the next settlement pays it
    Reject {
        /// The settlement's number
        #[arg(value_name = "N")]
        number: u32,
        /// The shop
        #[arg(long, value_name = "CODE")]
        shop: String,
        /// What the bank says
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Who says so
        #[arg(long, value_name = "NAME")]
        by: String,
        /// Who approves it
        #[arg(long, value_name = "NAME")]
        approved_by: String,
    },
    /// Write a shop's statement as a signed file, which the shop checks line by line against its own journal
    Statement(statement::Statement),
}

#[derive(Serialize)]
struct Shown {
    /// True where this run closed it.
    closed: bool,
    /// Who prepared it, where it waits for another person.
    prepared_by: Option<String>,
    /// Nothing where there is nothing new.
    settlement: Option<View>,
}

#[derive(Serialize)]
struct View {
    number: u32,
    closed_at: Option<u64>,
    payout_cents: u64,
    shops: Vec<ShopLine>,
}

#[derive(Serialize)]
struct ShopLine {
    shop: String,
    shop_name: String,
    sales: u32,
    settled_cents: u64,
    late_sales: u32,
    late_cents: u64,
    over_right_sales: u32,
    over_right_cents: u64,
    disputed_sales: u32,
    disputed_cents: u64,
    reversals: u32,
    reversed_cents: u64,
    refunds: u32,
    refunded_cents: u64,
    /// Payouts of settlements before that came back, or were never made: paid here.
    returned_payouts: u32,
    returned_cents: u64,
    /// Paid without the terminal's own row: only cards told of them.
    brought_by_card_sales: u32,
    brought_by_card_cents: u64,
    carried_cents: u64,
    carry_on_cents: u64,
    payout_cents: u64,
}

pub(super) fn run(context: &Context, command: &Settlement) -> Result<(), Failure> {
    let mut db = context.open(OpenMode::Existing)?;
    let now = context.clock.now();
    let shown = match command {
        Settlement::Preview => {
            let settlement = db.read(|tx| tx.settlement_preview(&tx.settlement_cut()?))?;
            Shown { closed: false, prepared_by: None, settlement: settlement.map(view) }
        }
        Settlement::Prepare { by, payments_checked } => {
            let worked = worked_out(&mut db)?;
            prepared(db.write(|tx| prepare(tx, &worked, by, *payments_checked, now))?)
        }
        Settlement::Prepared => prepared(db.read(|tx| tx.settlement_prepared())?),
        Settlement::Approve { number, by } => {
            let worked = db.read(|tx| {
                let open = tx.settlement_may_approve((*number, None), by)?;
                tx.settlement_work_out(&open.cut, &mut |_, _| {})
            })?;
            let settlement = db.write(|tx| tx.settlement_approve_worked((*number, None), &worked, by, now))?;
            Shown { closed: true, prepared_by: None, settlement: Some(view(settlement)) }
        }
        Settlement::Withdraw { number, by } => {
            db.write(|tx| tx.settlement_withdraw(*number, by, now))?;
            prepared(None)
        }
        Settlement::Close { by, approved_by, payments_checked } => {
            let worked = worked_out(&mut db)?;
            let settlement = db.write(|tx| {
                let Some(prepared) = prepare(tx, &worked, by, *payments_checked, now)? else { return Ok(None) };
                let meant = (prepared.settlement.number, None);
                tx.settlement_approve_worked(meant, &worked, approved_by, now).map(Some)
            })?;
            Shown { closed: settlement.is_some(), prepared_by: None, settlement: settlement.map(view) }
        }
        Settlement::PaymentFile { number, out, execute_on, by } => {
            let order = PaymentOrder { settlement: *number, execute_on: *execute_on, by: by.clone() };
            return payout::payment_file(context, &order, out);
        }
        Settlement::Payouts { number } => return payout::payouts(context, *number),
        Settlement::Reject { number, shop, reason, by, approved_by } => {
            let meant = PayoutRef { settlement: *number, shop: Some(shop.clone()) };
            return payout::reject(context, &meant, reason, (by, approved_by));
        }
        Settlement::List => {
            let settlements: Vec<_> = db.read(|tx| tx.settlements(LISTED_MAX))?.into_iter().map(view).collect();
            return print(context.format, &Listed { settlements }, list_text).map_err(Failure::Print);
        }
        Settlement::Statement(arguments) => return statement::write(context, arguments),
    };
    print(context.format, &shown, |shown| text(shown).unwrap_or_default()).map_err(Failure::Print)
}

/// Reads the rows without holding up who writes.
fn worked_out(db: &mut Db) -> Result<WorkedOut, StoreError> {
    db.read(|tx| tx.settlement_work_out(&tx.settlement_cut()?, &mut |_, _| {}))
}

fn prepare(
    tx: &mut Tx<'_>,
    worked: &WorkedOut,
    by: &str,
    payments_checked: bool,
    now: Timestamp,
) -> Result<Option<Prepared>, StoreError> {
    if payments_checked {
        tx.payments_checked()?;
    }
    tx.settlement_prepare_worked(worked, by, now)
}

fn prepared(prepared: Option<Prepared>) -> Shown {
    let (prepared_by, settlement) = prepared.map(|prepared| (prepared.by, view(prepared.settlement))).unzip();
    Shown { closed: false, prepared_by, settlement }
}

fn day(text: &str) -> Result<u32, &'static str> {
    let day = sepa::IsoDate::parse(text).ok().and_then(|date| u32::try_from(date.epoch_days()).ok());
    day.ok_or("not a day such as 2026-12-01")
}

#[derive(Serialize)]
struct Listed {
    settlements: Vec<View>,
}

fn list_text(listed: &Listed) -> String {
    let lines = listed.settlements.iter().map(|view| view_text(view).unwrap_or_default());
    let all: String = lines.collect();
    if all.is_empty() { "No settlement yet.\n".to_owned() } else { all }
}

fn view(settlement: Closed) -> View {
    let shops = settlement.shops.into_iter().map(|shop| ShopLine {
        shop: shop.shop_code,
        shop_name: shop.shop_name,
        sales: shop.sums.sales,
        settled_cents: shop.sums.settled.get(),
        late_sales: shop.sums.late_sales,
        late_cents: shop.sums.late.get(),
        over_right_sales: shop.sums.over_right_sales,
        over_right_cents: shop.sums.over_right.get(),
        disputed_sales: shop.sums.disputed_sales,
        disputed_cents: shop.sums.disputed.get(),
        reversals: shop.sums.reversals,
        reversed_cents: shop.sums.reversed.get(),
        refunds: shop.sums.refunds,
        refunded_cents: shop.sums.refunded.get(),
        returned_payouts: shop.sums.returns,
        returned_cents: shop.sums.returned.get(),
        brought_by_card_sales: shop.sums.brought_sales,
        brought_by_card_cents: shop.sums.brought.get(),
        carried_cents: shop.carried.get(),
        carry_on_cents: shop.carry_on.get(),
        payout_cents: shop.payout.get(),
    });
    View {
        number: settlement.number,
        closed_at: settlement.closed_at.map(Timestamp::get),
        payout_cents: settlement.payout.get(),
        shops: shops.collect(),
    }
}

fn text(shown: &Shown) -> Result<String, std::fmt::Error> {
    let Some(settlement) = &shown.settlement else { return Ok("Nothing new to settle.\n".to_owned()) };
    let mut text = view_text(settlement)?;
    let number = settlement.number;
    if let Some(by) = &shown.prepared_by {
        let by = plain(by);
        writeln!(
            text,
            "Prepared by {by}. Another person approves it: cabas-hub settlement approve {number} --by NAME"
        )?;
    } else if !shown.closed {
        text.push_str("Nothing was closed. To prepare it: cabas-hub settlement prepare --by NAME\n");
    }
    Ok(text)
}

fn view_text(settlement: &View) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(text, "Settlement {}: {} €", settlement.number, euros(settlement.payout_cents))?;
    for shop in &settlement.shops {
        write!(
            text,
            "  {:>10} €  {} ({}), {} sales",
            euros(shop.payout_cents),
            plain(&shop.shop_name),
            shop.shop,
            shop.sales
        )?;
        if shop.late_sales > 0 {
            write!(text, ", of them {} late ({} €)", shop.late_sales, euros(shop.late_cents))?;
        }
        if shop.brought_by_card_sales > 0 {
            let (sales, cents) = (shop.brought_by_card_sales, euros(shop.brought_by_card_cents));
            write!(text, "; {sales} that only cards told of ({cents} €)")?;
        }
        if shop.reversals > 0 {
            write!(text, "; {} reversed ({} € taken off)", shop.reversals, euros(shop.reversed_cents))?;
        }
        if shop.refunds > 0 {
            write!(text, "; {} refunded ({} € taken off)", shop.refunds, euros(shop.refunded_cents))?;
        }
        if shop.returned_payouts > 0 {
            write!(text, "; {} payouts that came back ({} €)", shop.returned_payouts, euros(shop.returned_cents))?;
        }
        if shop.over_right_sales > 0 {
            write!(text, "; not paid: {} over-right ({} €)", shop.over_right_sales, euros(shop.over_right_cents))?;
        }
        if shop.disputed_sales > 0 {
            write!(text, "; not paid: {} disputed ({} €)", shop.disputed_sales, euros(shop.disputed_cents))?;
        }
        if shop.carried_cents > 0 {
            write!(text, "; {} € taken off from before", euros(shop.carried_cents))?;
        }
        if shop.carry_on_cents > 0 {
            write!(text, "; {} € to take off next time", euros(shop.carry_on_cents))?;
        }
        text.push('\n');
    }
    Ok(text)
}
