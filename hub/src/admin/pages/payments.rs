//! A settlement that was closed: its payouts, the payment file, what the bank did not pay.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use cabas_protocol::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::frame::{Fault, Frame, answer, page};
use super::super::sent::Sent;
use super::super::visit::{Done, Visit, Wrong};
use super::settlement_view::{self as view, ShopSums};
use crate::bank;
use crate::core::audit::Deed;
use crate::store::{PaymentFile, PaymentOrder, PayoutAccount, PayoutBack, PayoutRefusalView, Settlement, StoreError};

const SECONDS_OF_A_DAY: u64 = 86_400;
/// A payment is ordered at most so many days ahead.
const DAYS_AHEAD_MAX: u32 = 366;

/// A settlement that was closed.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Paid {
    settlement: u32,
    closed_at: Option<u64>,
    /// Nobody where it was closed before two people were needed.
    prepared_by: Option<String>,
    approved_by: Option<String>,
    payout_cents: u64,
    shops: Vec<PaidShop>,
    payment_file: Option<FileMade>,
    /// What came back, or was not paid: a later settlement pays it.
    back: Vec<Back>,
    /// What one person said the bank did not pay, and nobody approved yet.
    refusals: Vec<Said>,
    /// Payouts without an account: no payment file can be made.
    without_account: Vec<String>,
    /// True where the fund's own account is known.
    has_own_account: bool,
    /// True where something is to be paid and no file was made.
    may_order: bool,
}

/// A shop in it.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct PaidShop {
    sums: ShopSums,
    /// `due`, `ordered`, `paid` or `back`; nothing where nothing is paid.
    state: Option<&'static str>,
    /// Where it is paid to.
    account: Option<PaidTo>,
}

/// The account of a payout.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct PaidTo {
    /// Masked.
    iban: String,
    set_by: String,
    set_at: u64,
    /// True where no payment file of an earlier settlement went there: look twice.
    is_new: bool,
}

/// A payment file that was made.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub(super) struct FileMade {
    settlement: u32,
    /// `MsgId` and `PmtInfId`.
    message_id: String,
    /// YYYY-MM-DD.
    execute_on: String,
    payments: u32,
    total_cents: u64,
    made_by: String,
    made_at: u64,
}

/// What came back.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Back {
    shop: String,
    cents: u64,
    /// What the bank says.
    reason: String,
    /// The bank's entry that brought it; none where the bank did not pay.
    entry: Option<u64>,
    said_by: Option<String>,
    approved_by: Option<String>,
    booked_at: u64,
}

/// What one person said.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Said {
    number: u64,
    shop: String,
    reason: String,
    said_by: String,
    said_at: u64,
}

#[derive(Template)]
#[template(path = "settlement.html")]
struct OnePage {
    f: Frame,
    data: Paid,
    execute_on: String,
}

#[derive(Template)]
#[template(path = "payout_refusal.html")]
struct RefusalPage {
    f: Frame,
    settlement: u32,
    shop: String,
    shop_name: String,
    cents: u64,
    state: &'static str,
    said: Option<Said>,
    is_mine: bool,
    reason: String,
}

impl OnePage {
    fn new(mut f: Frame, data: Paid, execute_on: String) -> Self {
        f.title = f.tv("settlement-number", "number", data.settlement);
        Self { f, data, execute_on }
    }
}

impl PaidShop {
    /// True where its payout is still to be paid, so that its account is worth a look.
    fn is_open(&self) -> bool {
        matches!(self.state, Some("due" | "ordered"))
    }
}

impl Paid {
    fn is_refused(&self, shop: &str) -> bool {
        self.refusals.iter().any(|said| said.shop == shop)
    }
}

fn made(file: PaymentFile) -> FileMade {
    FileMade {
        settlement: file.settlement,
        message_id: file.message,
        execute_on: bank::day(file.execute_on),
        payments: file.payments,
        total_cents: file.total.get(),
        made_by: file.made_by,
        made_at: file.made_at.get(),
    }
}

fn said(view: PayoutRefusalView) -> Said {
    Said { number: view.id, shop: view.shop, reason: view.reason, said_by: view.said_by, said_at: view.said_at.get() }
}

fn back(view: PayoutBack) -> Back {
    Back {
        shop: view.shop,
        cents: view.cents.get(),
        reason: view.reason,
        entry: view.entry,
        said_by: view.said_by,
        approved_by: view.approved_by,
        booked_at: view.booked_at.get(),
    }
}

fn today(now: Timestamp) -> u32 {
    now.get().checked_div(SECONDS_OF_A_DAY).and_then(|day| u32::try_from(day).ok()).unwrap_or(0)
}

async fn read(visit: &Visit, number: u32) -> Result<Paid, Wrong> {
    let read = visit.store(move |tx| {
        let settlement = tx.settlement(number)?;
        let (people, payouts, accounts) =
            (tx.settlement_people(number)?, tx.payouts(number)?, tx.payout_accounts(number)?);
        let file = tx.payment_file_made(number)?.map(made);
        let (refusals, came) = (tx.payout_refusals(number)?, tx.payouts_back(number)?);
        let due: Vec<_> = payouts.iter().filter(|payout| payout.state == "due").map(|payout| &payout.shop).collect();
        let without = due.iter().filter(|shop| !accounts.iter().any(|account| account.shop == ***shop));
        let without_account: Vec<String> = without.map(|shop| (*shop).clone()).collect();
        Ok(Paid {
            settlement: number,
            closed_at: settlement.closed_at.map(Timestamp::get),
            prepared_by: people.prepared_by,
            approved_by: people.approved_by,
            payout_cents: settlement.payout.get(),
            may_order: file.is_none() && !due.is_empty(),
            shops: shops(settlement, &payouts, accounts),
            payment_file: file,
            back: came.into_iter().map(back).collect(),
            refusals: refusals.into_iter().map(said).collect(),
            without_account,
            has_own_account: tx.fund_account()?.is_some(),
        })
    });
    Ok(read.await?)
}

fn shops(
    settlement: Settlement,
    payouts: &[crate::store::PayoutView],
    mut accounts: Vec<PayoutAccount>,
) -> Vec<PaidShop> {
    let shops = settlement.shops.into_iter().map(|shop| {
        let place = accounts.iter().position(|account| account.shop == shop.shop_code);
        let account = place.map(|place| accounts.swap_remove(place)).map(|account| PaidTo {
            iban: bank::masked(&account.iban),
            set_by: account.set_by,
            set_at: account.set_at.get(),
            is_new: account.is_new,
        });
        let state = payouts.iter().find(|payout| payout.shop == shop.shop_code).map(|payout| payout.state);
        PaidShop { state, account, sums: shop.into() }
    });
    shops.collect()
}

pub(super) async fn one(visit: Visit, Path(number): Path<u32>) -> Result<Response, Wrong> {
    let data = read(&visit, number).await?;
    let execute_on = bank::day(today(visit.now));
    answer(&visit, "settlement-title", Vec::new(), data, |f, data| OnePage::new(f, data, execute_on))
}

/// When the bank is to pay.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(super) struct Order {
    /// YYYY-MM-DD; empty for today.
    #[serde(default)]
    execute_on: String,
}

/// Makes the payment file. What it pays was approved by two people; asked again, it is the same file.
pub(super) async fn order(visit: Visit, Path(number): Path<u32>, Sent(sent): Sent<Order>) -> Result<Response, Wrong> {
    let (first, typed) = (today(visit.now), sent.execute_on.trim().to_owned());
    let day = (!typed.is_empty()).then(|| view::day_typed(&typed));
    let fits = |day: &u32| (first..=first.saturating_add(DAYS_AHEAD_MAX)).contains(day);
    if day.is_some_and(|day| !day.as_ref().is_some_and(fits)) {
        return wrong_order(&visit, number, typed, "settlement-day-wrong").await;
    }
    let made = visit.deed(Deed::PaymentFileMade, move |tx, by| {
        let order = PaymentOrder { settlement: number, execute_on: day.flatten(), by: by.who.clone() };
        let file = made(tx.payment_file(&order, by.now)?);
        let detail = format!("{}: {} payments, {} cents", file.message_id, file.payments, file.total_cents);
        Ok(Done { given: file, subject: format!("settlement {number}"), detail })
    });
    match made.await {
        Err(StoreError::Bank(crate::store::BankRefusal::FileMade(_))) => {
            wrong_order(&visit, number, typed, "refusal-file-made").await
        }
        made => visit.done(&made?, &format!("/settlements/{number}")),
    }
}

async fn wrong_order(visit: &Visit, number: u32, typed: String, text: &'static str) -> Result<Response, Wrong> {
    let data = read(visit, number).await?;
    let faults = vec![Fault { field: "execute_on", text }];
    answer(visit, "settlement-title", faults, data, |f, data| OnePage::new(f, data, typed))
}

/// The payment file, the same bytes each time.
pub(super) async fn payment_file(visit: Visit, Path(number): Path<u32>) -> Result<Response, Wrong> {
    let made = visit.store(move |tx| tx.payment_file_made(number)).await?.ok_or(Wrong::NotFound)?;
    view::file(&visit, &format!("{}.xml", made.message), "application/xml", &made.bytes)
}

pub(super) async fn ask_refusal(visit: Visit, Path((number, shop)): Path<(u32, String)>) -> Result<Response, Wrong> {
    refusal_page(&visit, number, shop, String::new(), Vec::new()).await
}

async fn refusal_page(
    visit: &Visit,
    number: u32,
    shop: String,
    reason: String,
    faults: Vec<Fault>,
) -> Result<Response, Wrong> {
    let paid = read(visit, number).await?;
    let found = paid.shops.into_iter().find(|one| one.sums.shop == shop);
    let Some((found, state)) = found.and_then(|one| one.state.map(|state| (one.sums, state))) else {
        return Err(Wrong::NotFound);
    };
    let said = paid.refusals.into_iter().find(|said| said.shop == shop);
    let status = if faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let shown = RefusalPage {
        f: Frame::new(visit, "payout-refusal-title").with_faults(faults),
        settlement: number,
        shop,
        shop_name: found.shop_name,
        cents: found.payout_cents,
        state,
        is_mine: said.as_ref().is_some_and(|said| said.said_by == visit.standing.name()),
        said,
        reason,
    };
    page(status, &shown)
}

/// Why the bank did not pay.
#[derive(Deserialize)]
pub(super) struct Reason {
    #[serde(default)]
    reason: String,
}

/// One person says that the bank did not pay. No program does: it is the first of two people.
pub(super) async fn refuse(
    visit: Visit,
    Path((number, shop)): Path<(u32, String)>,
    Sent(sent): Sent<Reason>,
) -> Result<Response, Wrong> {
    let (reason, code) = (sent.reason.trim().to_owned(), shop.clone());
    let said = visit.deed(Deed::PayoutRefused, move |tx, by| {
        tx.payout_refusal_say((number, &code), &reason, &by.who, by.now)?;
        Ok(Done { given: (), subject: format!("settlement {number}"), detail: format!("{code}: {reason}") })
    });
    match said.await {
        Err(StoreError::Text("reason")) => {
            let fault = Fault { field: "reason", text: "payout-refusal-reason-wrong" };
            refusal_page(&visit, number, shop, sent.reason, vec![fault]).await
        }
        said => visit.done(&said?, &format!("/settlements/{number}")),
    }
}

/// What somebody who approves has seen.
#[derive(Deserialize)]
pub(super) struct SeenRefusal {
    #[serde(default)]
    said: u64,
}

/// Another person approves it, and the next settlement pays it. No program does.
pub(super) async fn approve_refusal(
    visit: Visit,
    Path((number, shop)): Path<(u32, String)>,
    Sent(seen): Sent<SeenRefusal>,
) -> Result<Response, Wrong> {
    let approved = visit.deed(Deed::PayoutRefusalApproved, move |tx, by| {
        tx.payout_refusal_approve((number, &shop), seen.said, &by.who, by.now)?;
        Ok(Done { given: (), subject: format!("settlement {number}"), detail: shop })
    });
    approved.await?;
    visit.done(&(), &format!("/settlements/{number}"))
}

/// Takes it back: nothing was booked. No program does.
pub(super) async fn withdraw_refusal(
    visit: Visit,
    Path((number, shop)): Path<(u32, String)>,
) -> Result<Response, Wrong> {
    let withdrawn = visit.deed(Deed::PayoutRefusalWithdrawn, move |tx, by| {
        tx.payout_refusal_withdraw((number, &shop), &by.who, by.now)?;
        Ok(Done { given: (), subject: format!("settlement {number}"), detail: shop })
    });
    withdrawn.await?;
    visit.done(&(), &format!("/settlements/{number}"))
}
