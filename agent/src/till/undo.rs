//! Money back for a till. Neither request names a sale or brings a card, and money must never go to another household: so a
//! refund is done only where one sale of that till and day alone can be meant, and a cancellation only of its last one.
//! Everything else is refused; the list on the cashier's page names each sale.

use cabas_protocol::RequestId;

use super::{Ended, Why};
use crate::core::undo::UndoRefusal;
use crate::journal::{RefundAsk, SaleRef, TillAction, TillAsk, TillDone};
use crate::service::{By, Refusal, Service};

/// Money back for the only sale of this till and day with this amount, and this reference where the till gives one.
pub(super) async fn refund(service: &Service, request: RequestId, ask: &TillAsk) -> Ended {
    let today = match service.till_today(ask.clone()).await {
        Ok(today) => today,
        Err(refusal) => return refusal.into(),
    };
    let is_meant = |done: &TillDone, reference: &str| {
        let same_reference = ask.reference.is_empty() || reference == ask.reference;
        done.action == TillAction::Debit && done.cents == ask.cents && !done.is_undone && same_reference
    };
    let mut meant = today.iter().filter(|(done, reference)| is_meant(done, reference));
    match (meant.next(), meant.next()) {
        (Some((sale, _)), None) => give_back(service, request, sale).await,
        (None, _) | (Some(_), Some(_)) => Why::Selection.into(),
    }
}

/// The till's last operation undone, where it is a sale of this amount.
pub(super) async fn cancel(service: &Service, request: RequestId, ask: &TillAsk) -> Ended {
    let today = match service.till_today(ask.clone()).await {
        Ok(today) => today,
        Err(refusal) => return refusal.into(),
    };
    let last = today.first().map(|(done, _)| done);
    let is_meant = |done: &&TillDone| done.action == TillAction::Debit && done.cents == ask.cents && !done.is_undone;
    let Some(sale) = last.filter(is_meant) else { return Why::Selection.into() };
    match service.reverse_by(By::Program, SaleRef::Request(sale.request), request).await {
        Ok(_) => found(service, request).await,
        // A card that counts for itself cannot go back: the fund gives back.
        Err(Refusal::Undo(UndoRefusal::CardCounts | UndoRefusal::TooLate)) => give_back(service, request, sale).await,
        Err(refusal) => refused(service, request, refusal).await,
    }
}

async fn give_back(service: &Service, request: RequestId, sale: &TillDone) -> Ended {
    let ask = RefundAsk { request, sale: SaleRef::Request(sale.request), lines: None };
    match service.refund_by(By::Program, ask).await {
        Ok(_) => found(service, request).await,
        Err(refusal) => refused(service, request, refusal).await,
    }
}

/// Whether a commit that failed is in the file is not known before it is read.
async fn refused(service: &Service, request: RequestId, refusal: Refusal) -> Ended {
    match service.till_done(request).await {
        Ok(Some(done)) => Ended::Done(Box::new(done), None),
        Ok(None) => refusal.into(),
        Err(_) => Ended::Unknown,
    }
}

async fn found(service: &Service, request: RequestId) -> Ended {
    match service.till_done(request).await {
        Ok(Some(done)) => Ended::Done(Box::new(done), None),
        Ok(None) | Err(_) => Ended::Unknown,
    }
}
