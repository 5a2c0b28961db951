//! What happens in a simulation. A run is a list of these and nothing else: what a list shows it shows each time.

/// An event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Event {
    /// Seconds since the simulation began.
    pub at: u32,
    /// What happens.
    pub what: What,
}

/// What goes wrong with a tap.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Mishap {
    /// Nothing.
    #[default]
    None,
    /// The card leaves at this APDU, having run the command or not.
    Torn {
        /// Which.
        apdu: u8,
        /// True where the card had done what it was asked to.
        has_run: bool,
    },
    /// The power goes at this piece of work of the journal. What of the log was not synced is there or not, sector by sector.
    Cut {
        /// Which.
        work: u8,
        /// Draws the sectors.
        sectors: u16,
    },
}

/// What the network does with an exchange.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Net {
    /// It carries it.
    Fine,
    /// The request never arrives.
    RequestLost,
    /// The answer never arrives.
    AnswerLost,
    /// The request arrives, and again later.
    Twice,
    /// The request arrives only later, and its answer never.
    Late,
    /// A captive portal answers, and the hub hears nothing.
    Portal,
    /// The hub hears it, and a proxy answers in its place.
    Proxy,
    /// The answer to an earlier exchange comes in the place of this one's.
    OldAnswer,
}

/// What a clock does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClockFault {
    /// It is right.
    Right,
    /// It stands at 1970.
    At1970,
    /// It stands in 2099, and goes on.
    At2099,
    /// It jumps by so many hours.
    Jump(i16),
    /// It stands still.
    Frozen,
}

/// What happens. Terminals, cards and sales are named by their places: a shop's first terminal by the shop's own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum What {
    /// A card is presented for a purchase.
    Sale {
        /// At which shop.
        shop: u8,
        /// Which card.
        card: u16,
        /// For how much.
        cents: u32,
        /// Its request.
        id: u32,
        /// What goes wrong.
        mishap: Mishap,
        /// True where the hub can be asked for more.
        is_online: bool,
    },
    /// The same request again, by the same card at the same shop.
    Again {
        /// Of which sale.
        id: u32,
    },
    /// The member takes what the fund can pay of a sale that was declined, and pays the rest.
    Part {
        /// Of which sale.
        id: u32,
        /// What goes wrong, with a card that counts for itself.
        mishap: Mishap,
    },
    /// A card's UID is copied onto a plain one, and presented. Where the card is plain itself, nobody can tell.
    Fake {
        /// At which shop.
        shop: u8,
        /// Whose UID.
        card: u16,
        /// For how much.
        cents: u32,
        /// Its request.
        id: u32,
    },
    /// A sale is reversed at its shop.
    Reverse {
        /// Which.
        id: u32,
        /// The reversal's own request.
        request: u32,
    },
    /// A refund of a sale is asked for at its shop.
    Refund {
        /// Which.
        id: u32,
        /// So many percent of it.
        percent: u8,
        /// The refund's own request.
        request: u32,
    },
    /// A shop exchanges with the hub until neither has news.
    Sync {
        /// Which.
        shop: u8,
        /// What the network does.
        net: Net,
    },
    /// What the network held back longest arrives at the hub.
    Arrives,
    /// A shop's clock changes.
    Clock {
        /// Which shop.
        shop: u8,
        /// How.
        fault: ClockFault,
    },
    /// A shop's machine is started again.
    Reboot {
        /// Which.
        shop: u8,
    },
    /// Somebody copies a shop's disk.
    Image {
        /// Which.
        shop: u8,
    },
    /// A shop's disk becomes what it was when it was copied.
    OldImage {
        /// Which.
        shop: u8,
    },
    /// A machine is made of the copy of a shop's disk, and sells.
    Twin {
        /// Of which shop.
        shop: u8,
        /// With which card.
        card: u16,
        /// For how much.
        cents: u32,
        /// Its request.
        id: u32,
    },
    /// A terminal is stolen or destroyed with all that is in it.
    Destroyed {
        /// Which shop's.
        shop: u8,
    },
    /// People at the fund look at a shop: where it is dead or may not sell, two close its epoch, and it is enrolled again.
    Repair {
        /// Which.
        shop: u8,
        /// True where they back the hub up after an enrolment.
        is_backed_up: bool,
    },
    /// A month is credited.
    Credit {
        /// Counted from the first.
        month: u8,
    },
    /// The hub's own jobs.
    Jobs,
    /// A card is lost.
    Block {
        /// Which.
        card: u16,
    },
    /// It was found again.
    Unblock {
        /// Which.
        card: u16,
    },
    /// A card is replaced by a plain one.
    Replace {
        /// Which.
        card: u16,
    },
    /// A card with keys is given the keys that are due, and its newest balance, at a shop's reader.
    Renew {
        /// At which shop.
        shop: u8,
        /// Which card.
        card: u16,
        /// What goes wrong.
        mishap: Mishap,
    },
    /// A card is replaced by a new one with keys, issued at a shop's reader.
    Issue {
        /// At which shop.
        shop: u8,
        /// Which card.
        card: u16,
        /// True for one that counts for itself.
        is_purse: bool,
        /// True where the hub is backed up after it.
        is_backed_up: bool,
        /// What goes wrong.
        mishap: Mishap,
    },
    /// The key of a shop's slot is renewed.
    Rotate {
        /// Which shop's.
        shop: u8,
    },
    /// Goodwill is switched on or off.
    Goodwill {
        /// Which.
        is_on: bool,
    },
    /// What is too old expires.
    Expire {
        /// At the end of which month, counted from the first that was credited.
        month: u8,
    },
    /// Two people give a household more, or take back what it has too much.
    Correct {
        /// Which.
        household: u16,
        /// How much.
        cents: u32,
        /// True where it gets more.
        is_up: bool,
    },
    /// The hub gets a new signing key.
    NewKey,
    /// The oldest signing key in force is taken back, where another one is.
    KeyBack,
    /// A household leaves the fund.
    Leave {
        /// Which.
        household: u16,
    },
    /// It comes back, and its cards are unblocked.
    Return {
        /// Which.
        household: u16,
    },
    /// The hub is backed up.
    Backup,
    /// The hub is restored from its newest backup.
    Restore,
    /// Two people settle.
    Settle,
}
