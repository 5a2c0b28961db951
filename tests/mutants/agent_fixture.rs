//! Of `agent/src/fixture.rs`, what the core's tests use: no journal, no enrolment.

use crate::core::ages::Moment;
use cabas_protocol::balance::{Scope, SignedBalance};
use cabas_protocol::head::{HeadContext, ObjectType};
use cabas_protocol::ids::BootId;
use cabas_protocol::objects::Policy;
use cabas_protocol::{
    Cents, Epoch, FundId, Incarnation, PolicyId, PurseRef, Serial, Signed, Signer, TerminalId, TimeEpoch, Timestamp,
};

const HUB_TIME: u64 = 1_800_000_000;

#[derive(Default)]
pub(crate) struct Fund;

pub(crate) fn cents(cents: u64) -> Cents {
    Cents::new(cents).unwrap()
}

pub(crate) fn purse(number: u8) -> PurseRef {
    PurseRef::new([number; 8])
}

pub(crate) fn moment(boot: u8, seconds: u64) -> Moment {
    let wall = Timestamp::new(HUB_TIME + seconds);
    Moment { boot: BootId::new([boot; 8]), monotonic_ms: seconds * 1000, wall }
}

fn context() -> HeadContext {
    HeadContext { fund: FundId::new(69), incarnation: Incarnation::new(1), time_epoch: TimeEpoch::new(1) }
}

impl Fund {
    pub(crate) fn balance(&self, of: u8, serial: u32, allowed: u64) -> Signed<SignedBalance> {
        balance_in(Scope::Terminal(TerminalId::new(7), Epoch::new(1)), of, serial, allowed)
    }

    pub(crate) fn card_balance(&self, of: u8, serial: u32, allowed: u64) -> Signed<SignedBalance> {
        balance_in(Scope::Card, of, serial, allowed)
    }

    pub(crate) fn policy(&self, id: u32) -> Signed<Policy> {
        policy(id, false)
    }

    pub(crate) fn policy_with_parts(&self, id: u32) -> Signed<Policy> {
        policy(id, true)
    }
}

fn signer() -> Signer {
    Signer::from_seed(&[2; 32]).unwrap()
}

fn balance_in(scope: Scope, of: u8, serial: u32, allowed: u64) -> Signed<SignedBalance> {
    signer().sign(&SignedBalance {
        head: context().head(ObjectType::Balance),
        purse: purse(of),
        scope,
        serial: Serial::new(serial),
        allowed: cents(allowed),
        policy: PolicyId::new(1),
        issued_at: Timestamp::new(HUB_TIME),
        valid_for_s: 35 * 86_400,
    })
}

fn policy(id: u32, part_payment: bool) -> Signed<Policy> {
    signer().sign(&Policy {
        head: context().head(ObjectType::Policy),
        id: PolicyId::new(id),
        sale_cents_max: cents(50_000),
        plain_sale_cents_max: cents(20_000),
        plain_day_cents_max: cents(50_000),
        plain_list_age_s_max: 7 * 86_400,
        part_payment,
    })
}
