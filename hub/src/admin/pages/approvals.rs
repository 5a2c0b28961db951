//! What waits for a second person: each with who asked, to be approved or refused by another login. No token approves.

use askama::Template;
use axum::extract::Path;
use axum::response::{IntoResponse as _, Redirect, Response};
use cabas_protocol::{Cents, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::frame::{Frame, answer};
use super::super::sent::Sent;
use super::super::visit::{By, Done, Visit, Wrong};
use super::closings::meant;
use super::goodwill::{Switch, detail};
use crate::core::audit::Deed;
use crate::store::{CloseOrder, ClosingRefusal, ClosingView, GoodwillRefusal, StoreError, Tx, same_person};

/// What waits of one matter, at the most, on the page.
const WAITING_SHOWN_MAX: u32 = 200;

/// What two people decide.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Matter {
    Correction,
    Repayment,
    Closing,
    Goodwill,
    Return,
}

impl Matter {
    const ALL: [Self; 5] = [Self::Correction, Self::Repayment, Self::Closing, Self::Goodwill, Self::Return];

    const fn name(self) -> &'static str {
        match self {
            Self::Correction => "correction",
            Self::Repayment => "repayment",
            Self::Closing => "closing",
            Self::Goodwill => "goodwill",
            Self::Return => "return",
        }
    }

    /// Approved, and refused or taken back.
    const fn deeds(self) -> (Deed, Deed) {
        match self {
            Self::Correction => (Deed::CorrectionBooked, Deed::CorrectionWithdrawn),
            Self::Repayment => (Deed::RepaymentBooked, Deed::RepaymentWithdrawn),
            Self::Closing => (Deed::ClosingDone, Deed::ClosingWithdrawn),
            Self::Goodwill => (Deed::GoodwillApproved, Deed::GoodwillWithdrawn),
            Self::Return => (Deed::ReturnBooked, Deed::ReturnWithdrawn),
        }
    }
}

/// Something that waits for a second person.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Waiting {
    /// Its number, among those of its matter.
    number: u64,
    /// Who proposed it, and when.
    proposed_by: String,
    proposed_at: u64,
    /// True where the one who asks proposed it: another person must approve.
    is_own: bool,
    /// What it is about.
    about: About,
}

/// What it is about.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(tag = "matter", rename_all = "kebab-case")]
enum About {
    /// A household gets more or less.
    Correction { household: String, cents: u64, is_more: bool, source: String, reason: String },
    /// What a card counted as spent without goods is given back.
    Repayment { card_number: u32, cents: u64, reason: String },
    /// The enrolment of a terminal is closed: what lies there goes back, and later rows are not paid.
    Closing { terminal: u32, epoch: u32, at_seq: u32, at_hash: String, left_cents: u64 },
    /// What shops are owed is booked and paid: approved on the page that shows every shop, `/settlements/next/approve`.
    Settlement { payout_cents: u64 },
    /// Goodwill is switched.
    Goodwill { switch: Switch, expires_at: u64 },
    /// What came in is a payout that came back, of one shop or all that were paid of the settlement: it is owed again.
    Return { entry: u64, cents: u64, settlement: u32, shop: Option<String> },
    /// The bank did not make a payment: it is owed again. Approved on a page of its own, which says what that does.
    Refusal { settlement: u32, shop: String, cents: u64, reason: String },
}

impl Waiting {
    /// Where it is approved or refused: here, or on a page of its own.
    fn path(&self) -> String {
        let matter = match &self.about {
            About::Correction { .. } => Matter::Correction,
            About::Repayment { .. } => Matter::Repayment,
            About::Closing { .. } => Matter::Closing,
            About::Goodwill { .. } => Matter::Goodwill,
            About::Return { .. } => Matter::Return,
            About::Settlement { .. } => return "/settlements/next".to_owned(),
            About::Refusal { settlement, shop, .. } => {
                return format!("/settlements/{settlement}/shops/{shop}/refusal");
            }
        };
        format!("/approvals/{}/{}", matter.name(), self.number)
    }

    const fn title(&self) -> &'static str {
        match self.about {
            About::Correction { .. } => "approvals-correction",
            About::Repayment { .. } => "approvals-repayment",
            About::Closing { .. } => "approvals-closing",
            About::Goodwill { .. } => "approvals-goodwill",
            About::Settlement { .. } => "approvals-settlement",
            About::Return { .. } => "approvals-return",
            About::Refusal { .. } => "payout-refusal-title",
        }
    }
}

/// What waits.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Approvals {
    /// Oldest first.
    waiting: Vec<Waiting>,
}

/// The row at which a closing was shown, where it is one.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Meant {
    #[serde(default)]
    at_seq: u32,
    #[serde(default)]
    at_hash: String,
}

#[derive(Template)]
#[template(path = "approvals.html")]
struct ApprovalsPage {
    f: Frame,
    data: Approvals,
}

pub(super) async fn list(visit: Visit) -> Result<Response, Wrong> {
    let (who, now) = (visit.who(), visit.now);
    let data = visit.store(move |tx| Ok(Approvals { waiting: waiting(tx, &who, now)? })).await?;
    answer(&visit, "approvals-title", Vec::new(), data, |f, data| ApprovalsPage { f, data })
}

fn waiting(tx: &Tx<'_>, who: &str, now: Timestamp) -> Result<Vec<Waiting>, StoreError> {
    let item = |number, proposed_by: String, at: Timestamp, about| Waiting {
        number,
        is_own: same_person(who, &proposed_by),
        proposed_by,
        proposed_at: at.get(),
        about,
    };
    let mut all = Vec::new();
    for view in tx.corrections_waiting(WAITING_SHOWN_MAX)? {
        let (household, cents, source) = (view.household, view.cents.get(), view.source);
        let about = About::Correction { household, cents, is_more: view.is_up, source, reason: view.reason };
        all.push(item(view.id, view.proposed_by, view.proposed_at, about));
    }
    for view in tx.repayments_waiting(WAITING_SHOWN_MAX)? {
        let (card_number, cents) = (view.card, view.to.minus_or_zero(view.from).get());
        let about = About::Repayment { card_number, cents, reason: view.reason };
        all.push(item(view.id, view.proposed_by, view.proposed_at, about));
    }
    for view in tx.closings_waiting(WAITING_SHOWN_MAX)? {
        let open = tx.closable(view.terminal)?.into_iter().find(|open| open.epoch == view.epoch);
        let about = About::Closing {
            terminal: view.terminal.get(),
            epoch: view.epoch.get(),
            at_seq: view.at.seq.get(),
            at_hash: view.at.hash.to_string(),
            left_cents: open.map_or(Cents::ZERO, |open| open.left).get(),
        };
        all.push(item(view.id, view.proposed_by, view.proposed_at, about));
    }
    if let Some(view) = tx.goodwill_open(now)? {
        let about = About::Goodwill { switch: Switch::of(view.rule), expires_at: view.expires_at().get() };
        all.push(item(view.id, view.proposed_by, view.proposed_at, about));
    }
    for view in tx.payout_returns_waiting(WAITING_SHOWN_MAX)? {
        let (settlement, shop) = (view.meant.settlement, view.meant.shop);
        let about = About::Return { entry: view.entry, cents: view.cents.get(), settlement, shop };
        all.push(item(view.id, view.said_by, view.said_at, about));
    }
    for (view, cents) in tx.payout_refusals_waiting(WAITING_SHOWN_MAX)? {
        let (settlement, shop) = (view.settlement, view.shop);
        let about = About::Refusal { settlement, shop, cents: cents.get(), reason: view.reason };
        all.push(item(view.id, view.said_by, view.said_at, about));
    }
    if let Some(open) = tx.settlement_open()? {
        let about = About::Settlement { payout_cents: open.payout.get() };
        all.push(item(open.number.into(), open.by, open.at, about));
    }
    all.sort_by_key(|waiting| waiting.proposed_at);
    Ok(all)
}

/// Approved by another login. Closings are approved at the row that was shown.
pub(super) async fn approve(
    visit: Visit,
    Path((matter, number)): Path<(String, u64)>,
    Sent(sent): Sent<Meant>,
) -> Result<Response, Wrong> {
    end(&visit, &matter, number, Some(sent)).await
}

/// Refused by another login, or taken back by the same.
pub(super) async fn refuse(visit: Visit, Path((matter, number)): Path<(String, u64)>) -> Result<Response, Wrong> {
    end(&visit, &matter, number, None).await
}

async fn end(visit: &Visit, matter: &str, number: u64, approved: Option<Meant>) -> Result<Response, Wrong> {
    let matter = Matter::ALL.into_iter().find(|known| known.name() == matter).ok_or(Wrong::NotFound)?;
    let (approve, refuse) = matter.deeds();
    let deed = if approved.is_some() { approve } else { refuse };
    let app = std::sync::Arc::clone(&visit.app);
    let ended = visit.deed(deed, move |tx, by| {
        let detail = match matter {
            Matter::Correction => {
                tx.correction_end(number, &by.who, approved.is_some(), by.now)?;
                String::new()
            }
            Matter::Repayment => {
                format!("cents {}", tx.repayment_end(number, &by.who, approved.is_some(), by.now)?.get())
            }
            Matter::Closing => end_closing(tx, number, by, approved.as_ref())?,
            Matter::Goodwill => end_goodwill(tx, number, by, approved.is_some())?,
            Matter::Return => {
                let view = tx.payout_return_end(number, &by.who, approved.is_some(), (&app.secrets, by.now))?;
                format!("bank entry {}, settlement {}", view.entry, view.meant.settlement)
            }
        };
        Ok(Done { given: (), subject: format!("{} {number}", matter.name()), detail })
    });
    ended.await?;
    Ok(Redirect::to("/approvals").into_response())
}

fn end_closing(tx: &mut Tx<'_>, number: u64, by: &By, approved: Option<&Meant>) -> Result<String, StoreError> {
    let found = tx.closings_waiting(u32::MAX)?.into_iter().find(|view| view.id == number);
    let ClosingView { terminal, epoch, .. } = found.ok_or(ClosingRefusal::Ended(number))?;
    let at = approved.map(|sent| meant(sent.at_seq, &sent.at_hash)).transpose()?;
    let order = CloseOrder { terminal, epoch: Some(epoch), at, by: by.who.clone() };
    let closed = match approved {
        Some(_) => tx.terminal_close(&order, by.now)?,
        None => tx.terminal_close_withdraw(&order, by.now)?,
    };
    let (seq, voided) = (closed.at.seq, closed.voided.get());
    Ok(format!("terminal {terminal} epoch {epoch} row {seq}, cents {voided} went back"))
}

fn end_goodwill(tx: &mut Tx<'_>, number: u64, by: &By, is_approved: bool) -> Result<String, StoreError> {
    if !is_approved {
        tx.goodwill_withdraw(number, &by.who, by.now)?;
        return Ok(String::new());
    }
    let open = tx.goodwill_open(by.now)?.filter(|open| open.id == number);
    let advanced = tx.goodwill_approve(number, &by.who, by.now)?;
    let rule = open.ok_or(GoodwillRefusal::Unknown(number))?.rule;
    Ok(format!("{}; cents {} advanced", detail(&rule), advanced.get()))
}
