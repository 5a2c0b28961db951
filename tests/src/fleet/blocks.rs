//! Cards that people blocked after the backup: terminals that know them hand them back, and people do not block them again by themselves.

use std::collections::BTreeSet;

use super::auditor::{Broken, Checked, Enrolled};
use super::hub_people::Done;
use super::look::{enrolments, open};
use super::till::Till;
use super::world::World;

/// True where a terminal's program can say what it knows as blocked; some run one from before.
pub(super) const fn can_tell(till: &Till) -> bool {
    till.shop % 4 != 3
}

impl World {
    /// After a restore: numbers of cards that it forgot as blocked, and that a terminal which is left can tell of.
    pub(super) fn blocks_to_be_told(&mut self) -> Checked<BTreeSet<u32>> {
        self.heard.clear();
        let database = self.hub.database();
        let known = enrolments(&database)?;
        let mut newly = Vec::new();
        for (place, card) in (0_u16..).zip(&self.cards) {
            let of_card =
                |done: &&Done| matches!(done, Done::Block(number) | Done::Unblock(number) if *number == card.number);
            let said: Vec<_> = self.hub.done.iter().filter(of_card).collect();
            if let ([Done::Block(_)], Some(blocked)) = (said.as_slice(), self.blocked.get(&place))
                && !is_blocked(&database, card.number)?
            {
                newly.push((place, *blocked));
            }
        }
        for (place, blocked) in newly {
            let heard = |at: &Enrolled| self.has_news_of.get(at).is_some_and(|news| *news > blocked);
            let who: BTreeSet<_> =
                self.tills.iter().flatten().filter(|till| can_tell(till)).map(enrolled).filter(heard).collect();
            self.lost_blocks.entry(place).or_insert(who);
        }
        let honest = |at: &Enrolled| known.contains(at) && !self.audit.tainted.contains(at);
        self.lost_blocks.values_mut().for_each(|who| who.retain(honest));
        self.lost_blocks.retain(|_, who| !who.is_empty());
        let of_place = |place: &u16| self.cards.get(usize::from(*place)).map(|card| card.number);
        Ok(self.lost_blocks.keys().filter_map(of_place).collect())
    }

    /// Whether a card may not buy at a terminal: it has heard so, in this life of the hub or in the one that was lost.
    pub(super) fn knows_as_blocked(&self, at: Enrolled, place: u16) -> bool {
        if let Some(who) = self.lost_blocks.get(&place) {
            return who.contains(&at);
        }
        matches!((self.blocked.get(&place), self.has_news_of.get(&at)), (Some(blocked), Some(news)) if news > blocked)
    }

    /// A terminal has handed back, with its list or without: what stood on it is blocked. It is asked for it where its first answer came through.
    pub(super) fn told_list(&mut self, till: &Till, has_told: bool) -> Checked {
        let at = enrolled(till);
        if self.audit.tainted.contains(&at) {
            return Ok(());
        }
        // Eight beginnings are asked for it, and this page and its beginning were heard.
        let heard = self.heard.get(&at).copied().unwrap_or_default();
        if !has_told && can_tell(till) && heard < 10 {
            return Err(Broken::new("who hands back is asked for the hot list", format!("{at:?}")));
        }
        let database = self.hub.database();
        for (place, who) in &mut self.lost_blocks {
            let Some(card) = self.cards.get(usize::from(*place)) else { continue };
            if who.contains(&at) && has_told && !is_blocked(&database, card.number)? {
                let detail = format!("{at:?} told of card {}", card.number);
                return Err(Broken::new("a card that a terminal tells as blocked is blocked", detail));
            }
            if !has_told {
                who.remove(&at);
            }
        }
        self.blocked_again()
    }

    /// Cards that are blocked again since a restore, before people looked: by a terminal's word, or because their household left.
    fn blocked_again(&mut self) -> Checked {
        let database = self.hub.database();
        let mut again = Vec::new();
        for place in self.lost_blocks.keys() {
            if let Some(card) = self.cards.get(usize::from(*place))
                && is_blocked(&database, card.number)?
            {
                again.push(*place);
            }
        }
        for place in again {
            self.lost_blocks.remove(&place);
            self.blocked.insert(place, self.at);
            // People know of it as of any other block.
            if let Some(card) = self.cards.get(usize::from(place))
                && !self.hub.done.iter().any(|done| matches!(done, Done::Block(number) if *number == card.number))
            {
                self.hub.done.push(Done::Block(card.number));
            }
            self.figures.told_blocks = self.figures.told_blocks.saturating_add(1);
        }
        Ok(())
    }

    /// People block again what nobody is left to tell of.
    pub(super) fn block_at_last(&mut self) -> Checked {
        if self.lost_blocks.is_empty() {
            return Ok(());
        }
        self.blocked_again()?;
        let open: BTreeSet<_> = self.tills.iter().flatten().map(enrolled).collect();
        let tells =
            |at: &Enrolled| open.contains(at) && !self.audit.tainted.contains(at) && !self.audit.closed.contains(at);
        self.lost_blocks.values_mut().for_each(|who| who.retain(tells));
        let nobody = self.lost_blocks.iter().filter(|(_, who)| who.is_empty()).map(|(place, _)| *place);
        for place in nobody.collect::<Vec<_>>() {
            self.lost_blocks.remove(&place);
            self.blocked.remove(&place);
            self.people(place, Done::Block)?;
        }
        Ok(())
    }

    /// In the end nothing waits for a terminal's word, and what people unblocked is free.
    pub(super) fn all_blocked_again(&mut self) -> Checked {
        self.block_at_last()?;
        let database = self.hub.database();
        for place in &self.unblocked {
            let Some(card) = self.cards.get(usize::from(*place)) else { continue };
            let is_out = self.gone.contains(&card.household) || self.forgotten_cards.contains(&card.number);
            if !is_out && is_blocked(&database, card.number)? {
                return Err(Broken::new("what people unblocked stays so", format!("card {} at {place}", card.number)));
            }
        }
        let still_lasts = self.is_restoring()?;
        match self.lost_blocks.first_key_value() {
            Some((place, who)) if !still_lasts => {
                let detail = format!("card at {place}, which {who:?} know as blocked");
                Err(Broken::new("a card that a terminal tells as blocked is blocked", detail))
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn enrolled(till: &Till) -> Enrolled {
    (till.terminal.get(), till.epoch.get())
}

/// Whether the hub has a card as blocked. One that it does not know cannot be: true, for nobody can do more.
fn is_blocked(database: &std::path::Path, number: u32) -> Checked<bool> {
    let read = "SELECT NOT EXISTS (SELECT 1 FROM cards WHERE number = ?1 AND blocked_at IS NULL)";
    Ok(open(database)?.query_row(read, [number], |row| row.get(0))?)
}
