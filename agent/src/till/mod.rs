//! What tills ask the terminal for, whatever protocol they speak: a sale, money back, a sale undone. One request becomes one
//! operation of the counter and waits for its end; a sale that was typed and one that a till asked for never mix, because
//! the counter has one sale at a time.
//!
//! A till's protocol may have no key: what was done is durable before it is told, and stands as *not confirmed by the till*
//! until the telling is. The same request again is then first asked about at the counter.

pub mod caisse_ap;
pub mod concert;
pub mod desk;
mod gate;
pub mod hw_proxy;
mod undo;

use std::pin::Pin;
use std::time::Duration;

use cabas_protocol::RequestId;
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Sleep;

use crate::core::amount;
use crate::core::authorize::DeclineReason;
use crate::core::sale::SaleState;
use crate::core::split::AskedLine;
use crate::journal::{TillAction, TillAsk, TillDone, TillKeyed};
use crate::service::{BeginAsk, By, Refusal, Service};

pub use desk::{Choice, Desk};

/// How long a till is kept waiting: less than any of them waits.
pub const DEADLINE: Duration = Duration::from_secs(80);
/// How long the cashier's answer is waited for; then the till is told again what was done.
const ANSWER_WITHIN: Duration = Duration::from_secs(70);
/// How long a card that came as the time ran out may take.
const LAST_CARD: Duration = Duration::from_secs(20);
/// Pause between two looks at whether a till read what it was told: it is known after ten seconds at the most.
const TELLING_AGAIN: Duration = Duration::from_millis(100);
/// Bytes of a sale's reference.
const REFERENCE_BYTES_MAX: usize = 64;

/// How a till ceased to wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Left {
    /// It closed its connection.
    Closed,
    /// It took its request back.
    TookBack,
    /// It sent more than one request.
    Garbled,
}

/// Why nothing was done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Why {
    /// The card cannot pay this amount.
    Refused,
    /// The card or the terminal may not pay at all.
    Forbidden,
    /// Something else is under way, or the cashier took it back.
    Operator,
    /// No card in time.
    TimedOut,
    /// There is nothing, or more than one thing, that it could mean.
    Selection,
    /// The till took it back, or went.
    Left(Left),
    /// Anything else.
    NotCompleted,
}

/// What became of a till's request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Ended {
    /// It is done, and durable; the till may have gone meanwhile.
    Done(Box<TillDone>, Option<Left>),
    /// It is not.
    Not(Why),
    /// What is in the journal cannot be read: the till must not be told anything.
    Unknown,
}

impl From<Why> for Ended {
    fn from(why: Why) -> Self {
        Self::Not(why)
    }
}

impl From<Refusal> for Ended {
    fn from(refusal: Refusal) -> Self {
        Self::Not(why_of(&refusal))
    }
}

/// What ends the waiting: the till, or the time.
struct Patience<G> {
    gone: Pin<Box<G>>,
    left: Option<Left>,
    over: Pin<Box<Sleep>>,
    is_over: bool,
}

impl<G: Future<Output = Left>> Patience<G> {
    fn new(gone: G) -> Self {
        let over = Box::pin(tokio::time::sleep(DEADLINE));
        Self { gone: Box::pin(gone), left: None, over, is_over: false }
    }

    /// Returns once, when nobody waits any more; then why.
    async fn ends(&mut self) -> Why {
        if self.left.is_some() || self.is_over {
            return std::future::pending().await;
        }
        tokio::select! {
            left = &mut self.gone => {
                self.left = Some(left);
                Why::Left(left)
            }
            () = &mut self.over => {
                self.is_over = true;
                Why::TimedOut
            }
        }
    }
}

/// How a till asks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Manner {
    /// What stands beside its sale in lists and exports.
    pub till_ref: Option<String>,
    /// It can be paid a part.
    pub takes_part: bool,
    /// Its reference is the key of one payment: what was paid under it is never paid again.
    pub is_keyed: bool,
}

impl Manner {
    /// Of a till whose protocol has no key and no part: its sale stands under its number and its own reference.
    #[must_use]
    pub fn of(ask: &TillAsk) -> Self {
        Self { till_ref: reference_of(ask), takes_part: false, is_keyed: false }
    }
}

/// Does what a till asks for. `gone` returns when the till waits no longer.
pub async fn operate(service: &Service, ask: TillAsk, gone: impl Future<Output = Left>) -> Ended {
    let manner = Manner::of(&ask);
    operate_as(service, ask, manner, gone).await
}

/// The same in a manner of its own.
pub async fn operate_as(service: &Service, ask: TillAsk, manner: Manner, gone: impl Future<Output = Left>) -> Ended {
    let takes_part = manner.takes_part;
    match operate_anyhow(service, ask, manner, gone).await {
        // What was paid in part before cannot be told to a till that only knows the whole.
        Ended::Done(done, _) if done.paid() != done.cents && !takes_part => Why::NotCompleted.into(),
        ended @ (Ended::Done(..) | Ended::Not(_) | Ended::Unknown) => ended,
    }
}

async fn operate_anyhow(service: &Service, ask: TillAsk, manner: Manner, gone: impl Future<Output = Left>) -> Ended {
    let mut patience = Patience::new(gone);
    if let Err(error) = amount::check(ask.cents.get(), service.settings().sale_max) {
        return Refusal::from(error).into();
    }
    if service.till_is_busy() {
        return Why::Operator.into();
    }
    let mut taken_up = None;
    if manner.is_keyed {
        match service.till_keyed(ask.clone()).await {
            Ok(TillKeyed::Nothing) => {}
            Ok(TillKeyed::Done(done)) if done.cents == ask.cents && !done.is_undone => {
                return Ended::Done(done, None);
            }
            // Its key stands for something else.
            Ok(TillKeyed::Done(_)) => return Why::Selection.into(),
            Ok(TillKeyed::InDoubt(request)) => taken_up = Some(request),
            Err(refusal) => return refusal.into(),
        }
    }
    loop {
        match same_again(service, &ask, &manner).await {
            Ok(None) => {}
            Ok(Some(done)) => match ask_cashier(service, &done, &mut patience).await {
                Ok(Choice::Resend) => {
                    // Its page may ask under this key once more, and is to be told the same.
                    if manner.is_keyed
                        && let Err(refusal) = service.till_known_as(done.request, ask.reference.clone()).await
                    {
                        return refusal.into();
                    }
                    return Ended::Done(Box::new(done), patience.left);
                }
                Ok(Choice::Cancel) => return Why::Operator.into(),
                Ok(Choice::New) => drop(service.till_told(done.request, true).await),
                Err(why) => return why.into(),
            },
            Err(refusal) => return refusal.into(),
        }
        let is_taken_up = taken_up.is_some();
        let Some(request) = taken_up.take().or_else(new_request) else { return Why::NotCompleted.into() };
        if !is_taken_up && let Err(refusal) = service.till_asks(request, ask.clone()).await {
            return refusal.into();
        }
        return match ask.action {
            TillAction::Debit => match debit(service, request, (&ask, &manner), &mut patience).await {
                Some(ended) => ended,
                None => continue,
            },
            TillAction::Refund => undo::refund(service, request, &ask, patience).await,
            TillAction::Cancel => undo::cancel(service, request, &ask).await,
        };
    }
}

/// What was done before and may be what is asked again. One that its till is just being told is waited for. A till that
/// keys each payment makes a new key for a payment that it took off its order and put there again.
async fn same_again(service: &Service, ask: &TillAsk, manner: &Manner) -> Result<Option<TillDone>, Refusal> {
    let order = manner.till_ref.as_ref().filter(|_| manner.is_keyed);
    loop {
        let found = service.till_same_again(ask.clone(), order.cloned()).await?;
        match &found {
            Some(done) if service.till.is_telling(done.request) => tokio::time::sleep(TELLING_AGAIN).await,
            Some(_) | None => return Ok(found),
        }
    }
}

/// Asks whether a request is the one that was done before. No answer in time: it is.
async fn ask_cashier<G: Future<Output = Left>>(
    service: &Service,
    done: &TillDone,
    patience: &mut Patience<G>,
) -> Result<Choice, Why> {
    let (id, answer) = service.till.ask(done.clone()).ok_or(Why::Operator)?;
    service.till_changed();
    tracing::warn!(till.stan = %done.stan, "a till asks again for what was done: the cashier is asked");
    let chosen = tokio::select! {
        biased;
        answer = answer => Ok(answer.unwrap_or(Choice::Resend)),
        why = patience.ends() => match why {
            // What is durably paid is never told as not done, however late it is asked about.
            Why::TimedOut => Ok(Choice::Resend),
            why @ (Why::Refused | Why::Forbidden | Why::Operator | Why::Selection | Why::Left(_) | Why::NotCompleted) => {
                Err(why)
            }
        },
        () = tokio::time::sleep(service.till.answer_within()) => Ok(Choice::Resend),
    };
    service.till.withdraw(id);
    service.till_changed();
    chosen
}

/// One sale until its end. Nothing where it was taken back because its card had paid before, unknown to the till, what may be
/// the same: that is asked about first.
async fn debit<G: Future<Output = Left>>(
    service: &Service,
    request: RequestId,
    (ask, manner): (&TillAsk, &Manner),
    patience: &mut Patience<G>,
) -> Option<Ended> {
    let Some(category) = service.categories().named(&service.till.category()) else {
        tracing::error!("a till's sale falls in a category that the shop does not have");
        return Some(Why::NotCompleted.into());
    };
    let lines = vec![AskedLine { category, requested: ask.cents }];
    let mut events = service.events();
    let Manner { till_ref, takes_part, .. } = manner.clone();
    let begin = BeginAsk { request, till_ref, lines, training: false, from_till: true, takes_part };
    if let Err(refusal) = service.begin_by(By::Program, begin).await {
        return Some(refusal.into());
    }
    let mut taken_back = None;
    let mut last_card = Box::pin(tokio::time::sleep(DEADLINE.saturating_add(LAST_CARD)));
    loop {
        match service.till_state(request) {
            Some(SaleState::Waiting | SaleState::Authorizing | SaleState::Offered) => {}
            // Its card may come again until the time is over.
            Some(SaleState::InDoubt) if taken_back.is_none() => {}
            state => return Some(end(service, request, (state, taken_back), patience.left).await),
        }
        if taken_back.is_none()
            && service.till_paid_before(request)
            && let Ok(Some(_)) = same_again(service, ask, manner).await
            && service.cancel(request).await.is_ok()
        {
            return None;
        }
        tokio::select! {
            event = events.recv() => if let Err(RecvError::Closed) = event {
                return Some(Ended::Unknown);
            },
            why = patience.ends() => {
                taken_back = Some(why);
                last_card = Box::pin(tokio::time::sleep(LAST_CARD));
                // Too late where its card is being read: then its end is waited for.
                drop(service.cancel(request).await);
            }
            () = &mut last_card => {
                let state = service.till_state(request);
                return Some(end(service, request, (state, taken_back.or(Some(Why::TimedOut))), patience.left).await);
            }
        }
    }
}

/// What the till is to be told of a sale that is over. The journal has the last word: what stands in it is paid.
async fn end(
    service: &Service,
    request: RequestId,
    (state, taken_back): (Option<SaleState>, Option<Why>),
    left: Option<Left>,
) -> Ended {
    match service.till_done(request).await {
        Ok(Some(done)) => return Ended::Done(Box::new(done), left),
        Ok(None) => {}
        Err(_) => return Ended::Unknown,
    }
    match state {
        Some(SaleState::Declined(reason)) => why_declined(reason).into(),
        Some(SaleState::Cancelled) => taken_back.unwrap_or(Why::Operator).into(),
        Some(SaleState::TimedOut) => Why::TimedOut.into(),
        Some(
            SaleState::Waiting
            | SaleState::Authorizing
            | SaleState::Offered
            | SaleState::InDoubt
            | SaleState::Failed
            | SaleState::Accepted,
        )
        | None => Why::NotCompleted.into(),
    }
}

const fn why_declined(reason: DeclineReason) -> Why {
    match reason {
        DeclineReason::InsufficientFunds => Why::Refused,
        DeclineReason::NotEnrolled
        | DeclineReason::TerminalRevoked
        | DeclineReason::EpochClosed
        | DeclineReason::Quarantined
        | DeclineReason::Paused
        | DeclineReason::UnknownCard
        | DeclineReason::Blocked
        | DeclineReason::TierTooLow
        | DeclineReason::RandomUid
        | DeclineReason::NonUniqueUid => Why::Forbidden,
        DeclineReason::NoPolicy
        | DeclineReason::NoBalance
        | DeclineReason::BalanceExpired
        | DeclineReason::ListTooOld
        | DeclineReason::AboveSaleLimit
        | DeclineReason::AbovePlainSaleLimit
        | DeclineReason::AbovePlainDayLimit => Why::NotCompleted,
    }
}

const fn why_of(refusal: &Refusal) -> Why {
    match refusal {
        Refusal::Busy => Why::Operator,
        Refusal::Amount(_) | Refusal::Split(_) => Why::Refused,
        Refusal::Paused | Refusal::NotEnrolled | Refusal::Card(_) => Why::Forbidden,
        Refusal::Undo(_) | Refusal::NotFound => Why::Selection,
        Refusal::RequestConflict
        | Refusal::TooLate
        | Refusal::InDoubt
        | Refusal::NoCard
        | Refusal::NotAccepted
        | Refusal::PrinterOff
        | Refusal::PrinterBusy
        | Refusal::Receipt
        | Refusal::Journal(_)
        | Refusal::Overloaded
        | Refusal::NoOffer
        | Refusal::NoClosing
        | Refusal::Day
        | Refusal::Number
        | Refusal::Locked
        | Refusal::CodeWrong
        | Refusal::CodeWait { .. }
        | Refusal::NoCashiers
        | Refusal::Training
        | Refusal::NotTraining
        | Refusal::NoReader => Why::NotCompleted,
    }
}

/// What stands beside a till's sale in lists and exports: its number and its own reference.
fn reference_of(ask: &TillAsk) -> Option<String> {
    let mut text = format!("{} {}", ask.till, ask.reference).trim().to_owned();
    text.truncate(text.floor_char_boundary(REFERENCE_BYTES_MAX));
    (!text.is_empty()).then_some(text)
}

/// Nothing where the system gives no random bytes.
pub(crate) fn new_request() -> Option<RequestId> {
    let mut bytes = [0; 8];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(RequestId::new(bytes))
}
