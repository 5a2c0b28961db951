//! Money back for a till, which must never go to another household. A refund names its sale by the till's own reference, or by
//! the card that paid: an amount alone could be another member's. A cancellation is of the till's last operation alone.
//! Everything else is refused; the list on the cashier's page names each sale.

use cabas_protocol::RequestId;

use super::{Ended, Left, Patience, Why, why_of};
use crate::core::undo::UndoRefusal;
use crate::journal::{RefundAsk, SaleRef, TillAction, TillAsk, TillDone};
use crate::service::{By, Refusal, Service};
use cabas_protocol::CardRef;

/// Money back for a sale of this till with this amount: the only one of this day with its reference, or the newest of the card
/// that is held to the reader.
pub(super) async fn refund<G: Future<Output = Left>>(
    service: &Service,
    request: RequestId,
    ask: &TillAsk,
    mut patience: Patience<G>,
) -> Ended {
    let sales = match service.till_sales(ask.clone()).await {
        Ok(sales) => sales,
        Err(refusal) => return refusal.into(),
    };
    let named: Vec<_> =
        sales.iter().filter(|(_, reference)| !ask.reference.is_empty() && *reference == ask.reference).collect();
    if let [(sale, _)] = named.as_slice()
        && is_todays_only(service, ask, sale).await
    {
        return give_back(service, request, sale).await;
    }
    if sales.is_empty() {
        return Why::Selection.into();
    }
    let card = match card_of(service, ask, &mut patience).await {
        Ok(card) => card,
        Err(why) => return why.into(),
    };
    let is_meant = |sale: &&TillDone| sale.sale.sale.card == card;
    let meant = named.into_iter().map(|(sale, _)| sale).find(is_meant);
    match meant.or_else(|| sales.iter().map(|(sale, _)| sale).find(is_meant)) {
        Some(sale) => match give_back(service, request, sale).await {
            Ended::Done(done, None) => Ended::Done(done, patience.left),
            ended @ (Ended::Done(..) | Ended::Not(_) | Ended::Unknown) => ended,
        },
        None => Why::Selection.into(),
    }
}

/// Whether a sale is the only one of this day with the till's reference, whatever the amounts: some tills send the same words with
/// each sale.
async fn is_todays_only(service: &Service, ask: &TillAsk, sale: &TillDone) -> bool {
    let Ok(today) = service.till_today(ask.clone()).await else { return false };
    let of_it =
        |(done, reference): &&(TillDone, String)| done.action == TillAction::Debit && *reference == ask.reference;
    let mut named = today.iter().filter(of_it);
    named.next().is_some_and(|(done, _)| done.request == sale.request) && named.next().is_none()
}

/// The card that is held to the reader, for what the screens ask.
async fn card_of<G: Future<Output = Left>>(
    service: &Service,
    ask: &TillAsk,
    patience: &mut Patience<G>,
) -> Result<CardRef, Why> {
    let (id, taken_back) = service.till.ask_card(ask.cents).ok_or(Why::Operator)?;
    service.till_changed();
    let card = tokio::select! {
        biased;
        card = service.till_card() => card.map_err(|refusal| {
            if refusal == Refusal::NoCard { Why::TimedOut } else { why_of(&refusal) }
        }),
        _cancelled = taken_back => Err(Why::Operator),
        why = patience.ends() => Err(why),
    };
    service.till.withdraw(id);
    service.till_changed();
    card
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
