//! A try to sell: the journal decides, and where only the money here is too little the hub is asked once.

use super::{Counter, Service};
use crate::clock::Stopwatch;
use crate::journal::{Declined, JournalError, SaleAsk, SaleRecord, Sold};
use cabas_protocol::{Cents, RequestId};
use std::time::Duration;

/// What became of a try to sell, and what it took.
pub(super) struct Tried {
    pub(super) sold: Result<Sold, JournalError>,
    pub(super) commit: Duration,
    pub(super) hub: Duration,
}

impl Service {
    /// Asks the hub for a larger balance, where only that is missing; true where one lies here then.
    pub(super) async fn extend(&self, declined: &Declined, request: RequestId) -> bool {
        let (Some(purse), Some(level), true) =
            (declined.purse, declined.allowed_at_least, declined.reason.may_extend())
        else {
            return false;
        };
        match self.link.extend(purse, level, request, self.settings.extend_timeout).await {
            Ok(is_larger) => is_larger,
            Err(error) => {
                self.link.count_refused_unfunded();
                tracing::info!(%error, "the hub was not there to extend a balance");
                false
            }
        }
    }
}

impl Counter {
    pub(super) async fn try_sell(&self, ask: &SaleAsk, most: Option<Cents>) -> Tried {
        let (sold, commit) = self.sell_once(ask, most).await;
        let Ok(Sold::Declined(declined)) = &sold else { return Tried { sold, commit, hub: Duration::ZERO } };
        let asked = Stopwatch::start();
        let is_extended = self.service.extend(declined, ask.request).await;
        let hub = asked.elapsed();
        let (sold, commit) = if is_extended { self.sell_once(ask, most).await } else { (sold, commit) };
        Tried { sold, commit, hub }
    }

    async fn sell_once(&self, ask: &SaleAsk, most: Option<Cents>) -> (Result<Sold, JournalError>, Duration) {
        let (now, ask) = (self.service.clock.now(), ask.clone());
        let work = move |journal: &mut crate::journal::Journal| {
            let sold = match most {
                None => journal.sell(now, &ask)?,
                Some(most) => journal.sell_part(now, &ask, most)?,
            };
            Ok((sold, journal.last_commit()))
        };
        match self.service.journal.customer(work).await {
            Ok((sold, commit)) => (Ok(sold), commit),
            Err(error) => (Err(error), Duration::ZERO),
        }
    }

    /// After a failure the file alone tells whether the sale is in it, and only once the disk has taken it.
    pub(super) async fn find_durable(&self, id: RequestId) -> Option<SaleRecord> {
        let find = move |journal: &mut crate::journal::Journal| {
            let found = journal.find_sale(id)?;
            if found.is_some() {
                journal.make_durable()?;
            }
            Ok(found)
        };
        self.service.journal.customer(find).await.ok().flatten()
    }
}
