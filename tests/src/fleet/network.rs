//! What is carried between terminals and the hub, and what networks make of it.
#![allow(clippy::arithmetic_side_effects, reason = "figures of a simulation, checked in this build")]

use cabas_agent::journal::{Applied, HeldKey, HeldPage};
use cabas_agent::sync::{CallError, Checked as CheckedObjects, read_answer, standing_of, sync_request};
use cabas_hub::store::StoreError;
use cabas_protocol::Verified;
use cabas_protocol::head::ObjectType;
use cabas_protocol::release::{AboutRequest, UpgradePhase, own_capabilities};
use cabas_protocol::sync::{Standing, SyncAnswer};

use super::auditor::{Broken, Checked, Enrolled};
use super::blocks::can_tell;
use super::event::Net;
use super::till::Till;
use super::world::World;

/// Exchanges until both sides have said all.
const EXCHANGES_MAX: u32 = 60;
/// Messages that the network holds back.
const LATE_MAX: usize = 16;

impl World {
    /// Exchanges until neither side has news.
    pub(super) fn sync(&mut self, till: &mut Till, net: Net) -> Checked {
        self.tell_about(till)?;
        let (mut held, mut want_list): (Option<Option<HeldKey>>, bool) = (None, false);
        for _ in 0..EXCHANGES_MAX {
            self.figures.exchanges += 1;
            let mut unsent = till.journal()?.unsent()?;
            let page = match held {
                Some(after) => Some(till.journal()?.held_after(after)?),
                None => None,
            };
            let page = page.map(|page| HeldPage { list: page.list.filter(|_| want_list), ..page });
            if page.is_some() {
                unsent.rows.clear();
            }
            let state = std::sync::Arc::clone(&unsent.state);
            let now = till.clocks.moment(self.now());
            let asked = sync_request(unsent, page.clone(), (now, self.nonce()));
            let request = till.signer()?.sign(&asked);
            let Some((status, body)) = self.carry(till, net, request.as_bytes())? else { return Ok(()) };
            let answer: Result<Verified<SyncAnswer>, CallError> = read_answer(&request, &state.keys, status, body);
            let answer = match answer {
                Ok(answer) => answer,
                Err(CallError::Refused(code)) => {
                    if let Some(standing) = standing_of(code) {
                        till.journal()?.set_standing(now, standing)?;
                    }
                    return Ok(());
                }
                Err(error) => {
                    let at = (till.terminal.get(), till.epoch.get());
                    // One that a restore forgot hears of no new key: the hub does not know it.
                    let is_out = self.audit.tainted.contains(&at) || self.audit.forgotten.contains(&at);
                    if matches!(net, Net::Fine | Net::Twice) && !is_out {
                        let detail = format!("shop {}: {error}", till.shop);
                        return Err(Broken::new("an answer that arrives is understood", detail));
                    }
                    return Ok(());
                }
            };
            let (more, want_held) = (answer.payload().more, answer.payload().want_held);
            want_list = answer.payload().want_list == Some(true);
            let mut objects = CheckedObjects::by(&state.keys);
            answer.payload().objects.iter().for_each(|bytes| objects.take(bytes));
            let inbound = objects.inbound(state.hub.cursor, answer);
            let applied = till.journal()?.apply(now, &inbound)?;
            self.no_alarm(till, &applied)?;
            self.not_quarantined(till)?;
            if let Some(page) = page.as_ref().filter(|page| page.is_end) {
                self.told_list(till, page.list.is_some())?;
            }
            held = match page {
                Some(page) if !page.is_end => Some(page.last),
                Some(_) => None,
                None if want_held => Some(None),
                None => None,
            };
            let is_done = !more && held.is_none() && till.journal()?.state().unsent_rows() == 0;
            if is_done {
                self.has_news_of.insert((till.terminal.get(), till.epoch.get()), self.at);
            }
            if is_done || !matches!(net, Net::Fine | Net::Twice) {
                return Ok(());
            }
        }
        self.comes_to_an_end(till, held)
    }

    /// A terminal says all and hears all, but one that may not sell, or where a restore still lasts.
    fn comes_to_an_end(&mut self, till: &mut Till, held: Option<Option<HeldKey>>) -> Checked {
        let state = till.journal()?.state();
        if state.hub.standing != Standing::Live || self.is_restoring()? {
            return Ok(());
        }
        let detail = format!(
            "shop {}: {} rows unsent, handing back {held:?}, at {:?}",
            till.shop,
            state.unsent_rows(),
            state.hub
        );
        Err(Broken::new("an exchange comes to an end", detail))
    }

    /// Most terminals say what they can; some run a program from before there was anything to say.
    fn tell_about(&mut self, till: &mut Till) -> Checked {
        if !can_tell(till) {
            return Ok(());
        }
        let state = till.journal()?.state();
        let about = AboutRequest {
            head: state.context().head(ObjectType::AboutRequest),
            terminal: till.terminal,
            epoch: till.epoch,
            nonce: self.nonce(),
            program: String::from("0.1.0"),
            target: String::from("x86_64-linux-gnu"),
            capabilities: own_capabilities(),
            phase: UpgradePhase::None,
            release: None,
            note: String::new(),
            troubles: None,
        };
        let time = self.time();
        match self.hub.direct()?.db.write(|tx| tx.about(&about, time)) {
            Ok(_) | Err(StoreError::UnknownEpoch { .. } | StoreError::UnknownTerminal(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Carries a request to the hub and its answer back, or what the network makes of it.
    fn carry(&mut self, till: &Till, net: Net, request: &[u8]) -> Checked<Option<(u16, Vec<u8>)>> {
        let at = (till.terminal.get(), till.epoch.get());
        let portal = || Some((200, b"<html><body>Bienvenue sur notre Wi-Fi</body></html>".to_vec()));
        if matches!(net, Net::Twice | Net::Late) && self.late.len() < LATE_MAX {
            self.late.push_back((at, request.to_vec()));
        }
        match net {
            Net::RequestLost | Net::Late => return Ok(None),
            Net::Portal => return Ok(portal()),
            Net::Fine | Net::AnswerLost | Net::Twice | Net::Proxy | Net::OldAnswer => {}
        }
        let said = self.hear((at, request), matches!(net, Net::Fine | Net::Twice))?;
        let old = self.old_answers.insert(till.shop, said.clone());
        Ok(match net {
            Net::AnswerLost => None,
            Net::Proxy => Some((502, b"<html><body>Bad Gateway</body></html>".to_vec())),
            Net::OldAnswer => old.or_else(portal),
            Net::Fine | Net::Twice | Net::RequestLost | Net::Late | Net::Portal => Some(said),
        })
    }

    /// The hub hears a request.
    fn hear(&mut self, (at, request): (Enrolled, &[u8]), arrives: bool) -> Checked<(u16, Vec<u8>)> {
        self.audit.arrived(request)?;
        let heard = self.heard.entry(at).or_default();
        *heard = heard.saturating_add(1);
        let time = self.time();
        let said = self.hub.direct()?.sync(request.to_vec(), time);
        if said.0 == 200 {
            self.audit.said(at, &said.1, arrives)?;
        } else if said.0 >= 500 {
            return Err(Broken::new("no row is refused", format!("{at:?}: status {}", said.0)));
        }
        Ok(said)
    }

    pub(super) fn arrives(&mut self) -> Checked {
        let Some((at, request)) = self.late.pop_front() else { return Ok(()) };
        self.hear((at, &request), false).map(drop)
    }

    /// A terminal that nothing was done to is never taken for a forked one.
    fn not_quarantined(&self, till: &mut Till) -> Checked {
        let at = (till.terminal.get(), till.epoch.get());
        if till.journal()?.state().hub.standing == Standing::Quarantined && !self.audit.tainted.contains(&at) {
            return Err(Broken::new("an honest terminal is not quarantined", format!("shop {}", till.shop)));
        }
        Ok(())
    }

    /// A terminal that nothing was done to has nothing to complain of.
    fn no_alarm(&self, till: &Till, applied: &Applied) -> Checked {
        let at = (till.terminal.get(), till.epoch.get());
        if applied.alarms.is_empty() || self.audit.tainted.contains(&at) {
            return Ok(());
        }
        Err(Broken::new("an honest terminal hears no alarm", format!("shop {}: {:?}", till.shop, applied.alarms)))
    }

    pub(super) fn forget_late(&mut self) -> Option<(Enrolled, Vec<u8>)> {
        self.late.pop_front()
    }

    pub(super) fn hear_late(&mut self, (at, request): (Enrolled, Vec<u8>)) -> Checked {
        self.hear((at, &request), false).map(drop)
    }
}
