//! What a run came to, in figures.

/// What a run came to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Figures {
    /// Events.
    pub events: u64,
    /// Purchases tried.
    pub tried: u64,
    /// Accepted.
    pub accepted: u64,
    /// Cents accepted.
    pub accepted_cents: u64,
    /// Refused for lack of money, though the household had it.
    pub refused_funded: u64,
    /// What they were to cost, in cents.
    pub refused_cents: u64,
    /// Accepted in part.
    pub parts: u64,
    /// Times a card's number on a plain card was presented.
    pub copies: u64,
    /// In doubt.
    pub doubts: u64,
    /// Power cuts.
    pub cuts: u64,
    /// Exchanges.
    pub exchanges: u64,
    /// Cents over the right, that shops asked for and the hub did not pay.
    pub over_right_cents: u64,
    /// Days of terminals.
    pub terminal_days: u64,
    /// Cards that were issued or renewed at a reader, to their end.
    pub sessions: u64,
    /// Cards that left while that was done.
    pub torn_sessions: u64,
    /// Keys of slots that were renewed.
    pub rotations: u64,
    /// Cents that expired.
    pub expired_cents: u64,
    /// Cents of goodwill that were advanced.
    pub advanced_cents: u64,
    /// Enrolments that a restore forgot.
    pub forgotten: u64,
    /// Cards that a restore forgot.
    pub forgotten_cards: u64,
    /// Signing keys that were made, and taken back.
    pub signing_keys: u64,
    /// Households that left.
    pub left: u64,
    /// Cards that a restore forgot as blocked, and that were blocked again before people did.
    pub told_blocks: u64,
}

impl Figures {
    /// Takes another run's into the sum.
    pub const fn add(&mut self, other: &Self) {
        self.events = self.events.saturating_add(other.events);
        self.tried = self.tried.saturating_add(other.tried);
        self.accepted = self.accepted.saturating_add(other.accepted);
        self.accepted_cents = self.accepted_cents.saturating_add(other.accepted_cents);
        self.refused_funded = self.refused_funded.saturating_add(other.refused_funded);
        self.refused_cents = self.refused_cents.saturating_add(other.refused_cents);
        self.parts = self.parts.saturating_add(other.parts);
        self.copies = self.copies.saturating_add(other.copies);
        self.doubts = self.doubts.saturating_add(other.doubts);
        self.cuts = self.cuts.saturating_add(other.cuts);
        self.exchanges = self.exchanges.saturating_add(other.exchanges);
        self.over_right_cents = self.over_right_cents.saturating_add(other.over_right_cents);
        self.terminal_days = self.terminal_days.saturating_add(other.terminal_days);
        self.sessions = self.sessions.saturating_add(other.sessions);
        self.torn_sessions = self.torn_sessions.saturating_add(other.torn_sessions);
        self.rotations = self.rotations.saturating_add(other.rotations);
        self.expired_cents = self.expired_cents.saturating_add(other.expired_cents);
        self.advanced_cents = self.advanced_cents.saturating_add(other.advanced_cents);
        self.forgotten = self.forgotten.saturating_add(other.forgotten);
        self.forgotten_cards = self.forgotten_cards.saturating_add(other.forgotten_cards);
        self.signing_keys = self.signing_keys.saturating_add(other.signing_keys);
        self.left = self.left.saturating_add(other.left);
        self.told_blocks = self.told_blocks.saturating_add(other.told_blocks);
    }
}
