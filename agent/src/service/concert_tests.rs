//! Tills by Concert at a counter with a real journal: real sockets and pseudo-terminals, cards that a test presents.

use super::till_double::{Till, free_address, opened};
use super::*;
use crate::till::Choice;
use crate::till::concert::message::{ACK, ENQ, EOT, ETX, NAK, Request, Status, debit, frame};
use crate::till::concert::server::{ADDRESS, DEVICE, Device, Door, serve_address, serve_device};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A till's side of the line.
struct Cable(TcpStream);

impl Cable {
    async fn sends(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    async fn hears(&mut self) -> u8 {
        tokio::time::timeout(Duration::from_secs(20), self.0.read_u8()).await.unwrap().unwrap()
    }

    /// The till's half of the dialogue.
    async fn asks(&mut self, request: &[u8]) {
        self.sends(&[ENQ]).await;
        assert_eq!(self.hears().await, ACK);
        self.sends(request).await;
        assert_eq!(self.hears().await, ACK);
        self.sends(&[EOT]).await;
    }

    /// The terminal's half, acknowledged: the status.
    async fn reads(&mut self) -> u8 {
        assert_eq!(self.hears().await, ENQ);
        self.sends(&[ACK]).await;
        let mut message = Vec::new();
        while message.last() != Some(&ETX) {
            message.push(self.hears().await);
        }
        message.push(self.hears().await);
        let end = message.len().checked_sub(2).unwrap();
        assert_eq!(frame(&message[1..end]), message);
        self.sends(&[ACK]).await;
        assert_eq!(self.hears().await, EOT);
        message[3]
    }
}

async fn till_shop(allowed: u64) -> Till {
    let shop = shop(allowed, settings());
    let address = free_address();
    let door = Door { address, peers: [address.ip()].into() };
    shop.service.till.opens(ADDRESS, &address.to_string(), "");
    tokio::spawn(serve_address(door, Arc::clone(&shop.service), shop.stop.subscribe()));
    opened(shop, address).await
}

impl Till {
    async fn cable(&self) -> Cable {
        Cable(TcpStream::connect(self.address).await.unwrap())
    }

    async fn pays(&self, amount: u64, uid: &[u8]) -> u8 {
        let mut cable = self.cable().await;
        cable.asks(&debit(amount, false)).await;
        self.waits().await;
        self.shop.present(uid).await;
        cable.reads().await
    }

    /// What the screens say of operations that a till is told no end of.
    async fn blind(&self, expected: &[(u64, &str)]) {
        let is_so = |status: &Value| {
            let blind = status["till"]["blind"].as_array().unwrap();
            let found = blind.iter().map(|one| (one["cents"].as_u64().unwrap(), one["state"].as_str().unwrap()));
            found.eq(expected.iter().copied())
        };
        self.until(is_so).await;
    }
}

#[tokio::test]
async fn a_till_is_told_at_the_end_once_its_sale_is_durable() {
    let till = till_shop(10_000).await;
    for amount in 101..=106 {
        assert_eq!(till.pays(amount, &OURS).await, b'0');
        let sold = till.shop.service.last_sale().await.unwrap();
        assert_eq!((sold["cents"].as_u64(), sold["till_ref"].as_str()), (Some(amount), Some("01")));
    }
    // One line carries one sale after another.
    let mut cable = till.cable().await;
    for amount in [300, 400] {
        cable.asks(&debit(amount, false)).await;
        till.waits().await;
        till.shop.present(&OURS).await;
        assert_eq!(cable.reads().await, b'0');
    }
    till.unconfirmed(0).await;
    till.blind(&[]).await;
    assert_eq!(till.closed().await, (8, 101 + 102 + 103 + 104 + 105 + 106 + 700));
}

#[tokio::test]
async fn what_is_not_paid_is_answered_with_seven_whatever_the_reason() {
    let till = till_shop(1000).await;
    assert_eq!(till.pays(1001, &OURS).await, b'7');
    assert_eq!(till.pays(500, &[4, 9, 9, 9, 9, 9, 9]).await, b'7');
    let mut cable = till.cable().await;
    let asked = |kind: char, mode: char, currency: &str| {
        frame(format!("01000007001{mode}{kind}{currency}{:10}A010B010", "").as_bytes())
    };
    // Nothing that could be meant; another type, mode, currency; nothing; too much.
    for request in [
        asked('1', '1', "978"),
        asked('2', '1', "978"),
        asked('4', '1', "978"),
        asked('0', 'C', "978"),
        asked('0', '1', "840"),
        debit(0, false),
        debit(100_001, false),
    ] {
        cable.asks(&request).await;
        assert_eq!(cable.reads().await, b'7');
    }
    // The cashier takes it back; meanwhile this line is busy, and another one is refused.
    cable.asks(&debit(700, false)).await;
    let id = till.waits().await;
    cable.sends(&[ENQ]).await;
    assert_eq!(cable.hears().await, NAK);
    let mut other = till.cable().await;
    other.sends(&[ENQ]).await;
    assert_eq!(other.hears().await, NAK);
    till.shop.service.cancel(id).await.unwrap();
    assert_eq!(cable.reads().await, b'7');
    till.blind(&[]).await;
    assert_eq!(till.closed().await, (0, 0));
}

#[tokio::test]
async fn money_goes_back_by_the_card_that_paid_or_for_the_last_sale() {
    let till = till_shop(10_000).await;
    let mut cable = till.cable().await;
    let asked = |kind: char, cents: u64| frame(format!("01{cents:08}11{kind}978{:10}A010B010", "").as_bytes());
    for amount in [700, 800, 800, 900] {
        assert_eq!(till.pays(amount, &OURS).await, b'0');
    }
    for (kind, amount, card, expected) in [
        ('2', 800, None, b'7'),
        ('2', 900, None, b'0'),
        ('2', 900, None, b'7'),
        ('1', 700, Some([4, 9, 9, 9, 9, 9, 9]), b'7'),
        ('1', 700, Some(OURS), b'0'),
        ('1', 700, None, b'7'),
        ('1', 800, Some(OURS), b'0'),
    ] {
        cable.asks(&asked(kind, amount)).await;
        if let Some(uid) = card {
            till.until(|status| status["till"]["question"]["kind"] == "card").await;
            till.shop.present(&uid).await;
        }
        assert_eq!(cable.reads().await, expected, "{kind} {amount}");
    }
    assert_eq!(till.closed().await, (4, 3200));
}

#[tokio::test]
async fn a_till_that_is_answered_at_once_leaves_the_end_to_the_screen() {
    let till = till_shop(1000).await;
    let mut cable = till.cable().await;
    cable.asks(&debit(700, true)).await;
    assert_eq!(cable.reads().await, b'9');
    drop(cable);
    till.waits().await;
    till.blind(&[(700, "asked")]).await;
    till.shop.present(&OURS).await;
    till.blind(&[(700, "paid")]).await;
    till.unconfirmed(0).await;
    // More than there is; and what cannot begin is refused at once, and said too: some tills read no status.
    let mut cable = till.cable().await;
    cable.asks(&debit(301, true)).await;
    assert_eq!(cable.reads().await, b'9');
    till.waits().await;
    cable.sends(&[ENQ]).await;
    assert_eq!(cable.hears().await, NAK);
    till.shop.present(&OURS).await;
    till.blind(&[(700, "paid"), (301, "not_paid")]).await;
    cable.asks(&debit(100_001, true)).await;
    assert_eq!(cable.reads().await, b'7');
    till.blind(&[(700, "paid"), (301, "not_paid"), (100_001, "not_paid")]).await;
    assert_eq!(till.closed().await, (1, 700));
}

#[tokio::test]
async fn a_till_that_does_not_listen_at_the_end_is_seen_on_the_screen_and_asked_about_when_it_comes_again() {
    let till = till_shop(10_000).await;
    // As odoo-driver does: the line is free, and nobody listens any more. The line itself stays.
    let mut cable = till.cable().await;
    cable.asks(&debit(1245, false)).await;
    till.waits().await;
    till.shop.present(&OURS).await;
    for _ in 0..3 {
        assert_eq!(cable.hears().await, ENQ);
    }
    assert_eq!(cable.hears().await, EOT);
    till.unconfirmed(1).await;
    cable.asks(&debit(1245, false)).await;
    let status = till.until(|status| status["till"]["question"].is_object()).await;
    let question = status["till"]["question"]["question"].as_u64().unwrap();
    till.shop.service.till_answer(question, Choice::Resend).unwrap();
    assert_eq!(cable.reads().await, b'0');
    till.unconfirmed(0).await;
    // A refusal that nobody hears is said on the screen.
    cable.asks(&debit(300, false)).await;
    let id = till.waits().await;
    till.shop.service.cancel(id).await.unwrap();
    for _ in 0..3 {
        assert_eq!(cable.hears().await, ENQ);
    }
    till.blind(&[(300, "not_paid")]).await;
    assert_eq!(till.closed().await, (1, 1245));
}

#[tokio::test]
async fn a_line_cut_at_any_byte_is_one_debit_or_none_and_the_terminal_knows_which() {
    let till = till_shop(100_000).await;
    let request = debit(100, false);
    for end in 0..=request.len() {
        let mut cable = till.cable().await;
        cable.sends(&[ENQ]).await;
        assert_eq!(cable.hears().await, ACK);
        cable.sends(&request[..end]).await;
        if end == request.len() {
            assert_eq!(cable.hears().await, ACK);
        }
    }
    assert!(till.shop.service.status()["sale"].is_null(), "no line was freed");
    // Free, and cut before the card: taken back.
    let mut cable = till.cable().await;
    cable.asks(&request).await;
    till.waits().await;
    drop(cable);
    till.until(|status| status["sale"].is_null()).await;
    till.shop.present(&OURS).await;
    till.blind(&[(100, "not_paid")]).await;
    // At once, and cut before the answer was acknowledged: nothing is asked for.
    for heard in 0..=1 {
        let mut cable = till.cable().await;
        cable.asks(&debit(150, true)).await;
        if heard == 1 {
            assert_eq!(cable.hears().await, ENQ);
            cable.sends(&[ACK]).await;
            cable.0.readable().await.unwrap();
        }
    }
    till.blind(&[(100, "not_paid"), (150, "not_paid"), (150, "not_paid")]).await;
    // At every byte of the answer. Each amount is its own, so that none is taken for one before.
    let whole = Request::read(&request[1..35]).unwrap().answer(Status::Accepted).len();
    let mut sold = 0;
    for end in 0..=whole {
        let amount = 200 + u64::try_from(end).unwrap();
        let mut cable = till.cable().await;
        cable.asks(&debit(amount, false)).await;
        till.waits().await;
        till.shop.present(&OURS).await;
        assert_eq!(cable.hears().await, ENQ);
        cable.sends(&[ACK]).await;
        for _ in 0..end {
            cable.hears().await;
        }
        sold += amount;
    }
    let lost = whole + 1;
    // All of it was read, and acknowledged as the last thing: the end of the line may be lost.
    let mut cable = till.cable().await;
    cable.asks(&debit(990, false)).await;
    till.waits().await;
    till.shop.present(&OURS).await;
    assert_eq!(cable.hears().await, ENQ);
    cable.sends(&[ACK]).await;
    for _ in 0..whole {
        cable.hears().await;
    }
    cable.sends(&[ACK]).await;
    drop(cable);
    till.unconfirmed(20).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(till.shop.service.till_unconfirmed_all().await, lost);
    assert_eq!(till.closed().await, (u32::try_from(lost).unwrap() + 1, sold + 990));
}

#[tokio::test]
async fn ten_thousand_messages_of_nonsense_sell_nothing_and_stop_nothing() {
    let till = till_shop(10_000).await;
    let mut state = 0x1234_5678_9abc_def1_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    let mut cable = till.cable().await;
    for number in 0..10_000 {
        if number % 500 == 0 {
            cable = till.cable().await;
        }
        let mut bytes = debit(700, random(2) == 0);
        match random(6) {
            0 => bytes = (0..random(120)).map(|_| u8::try_from(random(256)).unwrap()).collect(),
            1 => bytes.truncate(random(bytes.len())),
            // Two without an end between them: only one was called for, and no line is free.
            2 => bytes.extend_from_slice(&debit(300, false)),
            3 => {
                let at = 1 + random(bytes.len() - 2);
                bytes[at] ^= u8::try_from(1 + random(255)).unwrap();
            }
            4 => bytes = [vec![ENQ], bytes].concat(),
            _ => bytes = frame(&bytes),
        }
        // A request that is good ends with no EOT here, so nothing may be asked: none of ours may be in the noise.
        bytes.retain(|byte| *byte != EOT);
        let cut = random(bytes.len() + 1);
        cable.sends(&bytes[..cut]).await;
        if number % 7 == 0 {
            tokio::task::yield_now().await;
        }
        cable.sends(&bytes[cut..]).await;
        let mut buffer = [0; 4096];
        drop(cable.0.try_read(&mut buffer));
    }
    assert!(till.shop.service.status()["sale"].is_null());
    assert_eq!(till.pays(700, &OURS).await, b'0');
    assert_eq!(till.closed().await, (1, 700));
}

#[tokio::test]
async fn a_device_that_is_unplugged_and_comes_back_is_served_again() {
    let shop = shop(10_000, settings());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("till");
    let device = Device { path: path.clone(), settings: "9600 7E1".parse().unwrap() };
    shop.service.till.opens(DEVICE, "till", "");
    tokio::spawn(serve_device(device, Arc::clone(&shop.service), shop.stop.subscribe()));
    tokio::spawn(Arc::clone(&shop.service).till_watch());
    let till = Till { shop, address: SocketAddr::from(([127, 0, 0, 1], 1)) };
    let shut = till.until(|status| status["advice"].to_string().contains("till_shut")).await;
    assert_eq!(shut["till"]["listening"], false);
    for round in 0..2 {
        let end = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&end).unwrap();
        unlockpt(&end).unwrap();
        drop(std::fs::remove_file(&path));
        std::os::unix::fs::symlink(ptsname(&end, Vec::new()).unwrap().into_string().unwrap(), &path).unwrap();
        till.until(|status| status["till"]["listening"] == true).await;
        let hears = |count: usize| {
            let end = end.try_clone().unwrap();
            tokio::task::spawn_blocking(move || {
                let mut bytes = vec![0; count];
                let mut got = 0;
                while got < count {
                    got += rustix::io::read(&end, &mut bytes[got..]).unwrap();
                }
                bytes
            })
        };
        let sends = |bytes: &[u8]| assert_eq!(rustix::io::write(&end, bytes), Ok(bytes.len()));
        sends(&[ENQ]);
        assert_eq!(hears(1).await.unwrap(), [ACK]);
        sends(&debit(101 + round, false));
        assert_eq!(hears(1).await.unwrap(), [ACK]);
        sends(&[EOT]);
        till.waits().await;
        if round == 0 {
            // Unplugged while the member looks for the card: taken back.
            drop(end);
            till.until(|status| status["sale"].is_null() && status["till"]["listening"] == false).await;
            till.blind(&[(101, "not_paid")]).await;
            continue;
        }
        till.shop.present(&OURS).await;
        assert_eq!(hears(1).await.unwrap(), [ENQ]);
        sends(&[ACK]);
        assert_eq!(hears(83).await.unwrap()[3], b'0');
        sends(&[ACK]);
        assert_eq!(hears(1).await.unwrap(), [EOT]);
    }
    till.unconfirmed(0).await;
    assert_eq!(till.closed().await, (1, 102));
}
