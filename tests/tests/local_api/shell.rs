//! `cabas-agent sell` as people and scripts use it: in a terminal, over SSH without one, on a dumb one.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cabas_tests::counter::FOREIGN;
use cabas_tests::example::Cards;
use cabas_tests::program::wait_for;
use cabas_tests::shop::Shop;
use serde_json::{Value, json};

use super::{World, world, world_with};

/// What begins a line anew, in a terminal.
const CLEAR: &str = "\r\u{1b}[K";

/// `sell` that runs, and what it said until now.
struct Selling {
    child: Child,
    said: Arc<Mutex<Vec<u8>>>,
}

impl Selling {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let said: Arc<Mutex<Vec<u8>>> = Arc::default();
        let pipes: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for mut pipe in pipes {
            let said = Arc::clone(&said);
            std::thread::spawn(move || {
                let mut bytes = [0; 512];
                while let Ok(count @ 1..) = pipe.read(&mut bytes) {
                    said.lock().unwrap().extend_from_slice(&bytes[..count]);
                }
            });
        }
        Self { child, said }
    }

    /// In a terminal of its own, as a login has one.
    fn in_terminal(shop: &Shop, term: &str, arguments: &str) -> Self {
        let inner = shop.command(&[]).unwrap();
        let mut command = Command::new("script");
        for (key, value) in inner.get_envs() {
            command.env(key, value.unwrap());
        }
        let program = inner.get_program().to_str().unwrap();
        command.env("TERM", term).args(["-qec", &format!("stty cols 100; exec {program} {arguments}"), "/dev/null"]);
        Self::start(command)
    }

    /// Without a terminal, as `ssh machine cabas-agent sell …` runs it.
    fn without_terminal(shop: &Shop, arguments: &[&str]) -> Self {
        let mut command = shop.command(arguments).unwrap();
        command.env("TERM", "xterm");
        Self::start(command)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.said.lock().unwrap()).into_owned()
    }

    fn wait_for(&self, part: &str) {
        wait_for(part, || Ok(self.text().contains(part).then_some(())))
            .unwrap_or_else(|_| panic!("{part}: {}", self.text()));
    }

    fn press_ctrl_c(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"\x03").unwrap();
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for its end: the exit code, and all that it said.
    fn end(mut self) -> (Option<i32>, String) {
        let status =
            wait_for("sell to end", || Ok(self.child.try_wait()?)).unwrap_or_else(|_| panic!("{}", self.text()));
        let mut last = String::new();
        // What is still in the pipes.
        for _ in 0..50 {
            std::thread::sleep(Duration::from_millis(10));
            if self.text() == last && !last.is_empty() {
                break;
            }
            last = self.text();
        }
        (status.code(), last)
    }
}

async fn under_way(world: &World) -> Value {
    world
        .shop
        .wait("the sale", |status| status["sale"]["id"].is_string().then(|| status["sale"].clone()))
        .await
        .unwrap()
}

async fn quiet(world: &World) {
    let gone = |status: &Value| (status["sale"].is_null() && status["reader"]["card_present"] != true).then_some(());
    world.shop.wait("a quiet counter", gone).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_terminal_one_line_moves_and_what_stays_is_the_end() {
    let world = world().await;
    let selling = Selling::in_terminal(&world.shop, "xterm-256color", "sell --amount 12,50");
    under_way(&world).await;
    selling.wait_for("encore 11");
    let card = world.shop.tap(Cards::read().unwrap().uid(1)).unwrap();
    let (code, said) = selling.end();
    card.remove();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(CLEAR) && said.contains("12,50\u{a0}€ - Présentez la carte"), "{said:?}");
    assert!(
        said.contains("Accepté, carte non vérifiée - 12,50 € - n° 000001") || said.contains("- n° 000001"),
        "{said:?}"
    );
    // The line is taken away before what stays, and no other sequence is sent.
    let sequences = said.matches('\u{1b}').count();
    assert_eq!(sequences, said.matches(CLEAR).count(), "{said:?}");
    assert!(said.contains("n'importe qui peut copier"), "a plain card proves nothing: {said:?}");
    quiet(&world).await;

    // No card in time, cancelled by the key: nothing was paid, and so it says.
    let mut selling = Selling::in_terminal(&world.shop, "xterm", "sell --line 0=7,5 --line 0=2");
    let sale = under_way(&world).await;
    assert_eq!(sale["cents"], 950, "{sale}");
    selling.wait_for("Présentez la carte");
    selling.press_ctrl_c();
    let (code, said) = selling.end();
    assert!(
        code == Some(1) && said.contains("Vente annulée") && said.contains("Rien n'a été payé."),
        "{code:?} {said:?}"
    );
    quiet(&world).await;

    // A terminal that can do nothing gets plain lines.
    let mut selling = Selling::in_terminal(&world.shop, "dumb", "sell --cents 100");
    selling.wait_for("Présentez la carte");
    selling.press_ctrl_c();
    let (code, said) = selling.end();
    assert!(code == Some(1) && !said.contains('\u{1b}') && said.contains("Vente annulée"), "{code:?} {said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_lines_are_plain_and_the_end_of_the_session_takes_the_sale_back() {
    let world = world_with(vec![("CABAS_AGENT_LANGUAGE".to_owned(), "en".to_owned())]).await;
    let selling = Selling::without_terminal(&world.shop, &["sell", "--amount", "3"]);
    selling.wait_for("Present the card");
    let card = world.shop.tap(&FOREIGN).unwrap();
    let (code, said) = selling.end();
    card.remove();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("Payment not completed") && said.contains("Offer another means of payment"), "{said}");
    assert!(!said.contains('\u{1b}') && !said.contains('\r'), "{said:?}");
    quiet(&world).await;
    for signal in [rustix::process::Signal::HUP, rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        let selling = Selling::without_terminal(&world.shop, &["sell", "--amount", "3"]);
        let sale = under_way(&world).await;
        selling.wait_for("Present the card");
        selling.signal(signal);
        let (code, said) = selling.end();
        assert!(code == Some(1) && said.contains("Nothing was paid."), "{said}");
        let path = format!("/api/sales/{}", sale["id"].as_str().unwrap());
        assert_eq!(world.shop.get(&path).await.unwrap()["state"], "cancelled", "{signal:?}");
    }
    // For programs: the sale alone on standard output, whatever its end.
    let selling = Selling::without_terminal(&world.shop, &["--json", "sell", "--amount", "3", "--request-id", "a"]);
    under_way(&world).await;
    let card = world.shop.tap(Cards::read().unwrap().uid(1)).unwrap();
    let (code, said) = selling.end();
    card.remove();
    let sale: Value = serde_json::from_str(&said).unwrap();
    assert!(code == Some(0) && sale["state"] == "accepted", "{said}");
    let again = world.shop.said(&["sell", "--amount", "3", "--request-id", "a"]).unwrap();
    assert!(again.code == Some(0) && again.out.contains("000001"), "the same one: {again:?}");
    for (arguments, code, part) in [
        (vec!["sell"], 2, "--amount"),
        (vec!["sell", "--amount", "1", "--cents", "1"], 2, "cannot be used"),
        (vec!["sell", "--line", "12,50"], 2, "CATEGORY=AMOUNT"),
        (vec!["sell", "--amount", "1e9"], 1, "422"),
        (vec!["sell", "--line", "77=1"], 1, "no such category"),
        (vec!["sell", "--amount", "4", "--request-id", "a"], 1, "another amount"),
    ] {
        let said = world.shop.said(&arguments).unwrap();
        assert!(said.code == Some(code) && said.err.contains(part), "{arguments:?}: {said:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_a_doubt_a_training_and_a_terminal_that_is_gone_are_told_with_what_to_do() {
    let mut world = world_with(vec![("CABAS_AGENT_LANGUAGE".to_owned(), "en".to_owned())]).await;
    assert_eq!(world.shop.post("/api/training", &json!({ "on": true })).await.unwrap().0, 200);
    for (outcome, parts, code) in [
        ("accepted", ["TRAINING - Accepted", "no money moves"], 0),
        ("offer", ["A part is offered to the member", "(fund €2.00, member €2.00)"], 0),
        ("in_doubt", ["present the same card again", "--request-id in_doubt"], 1),
    ] {
        let selling = Selling::without_terminal(
            &world.shop,
            &[&["sell", "--amount", "4", "--request-id", outcome], TRAINING].concat(),
        );
        let sale = under_way(&world).await;
        let path = format!("/api/sales/{}", sale["id"].as_str().unwrap());
        let played = world.shop.post(&format!("{path}/play"), &json!({ "outcome": outcome })).await.unwrap();
        assert_eq!(played.0, 200, "{}", played.1);
        match outcome {
            "offer" => {
                selling.wait_for(parts[0]);
                assert_eq!(world.shop.post(&format!("{path}/accept-part"), &json!({})).await.unwrap().0, 200);
            }
            "in_doubt" => {
                selling.wait_for(parts[0]);
                selling.signal(rustix::process::Signal::INT);
            }
            _ => {}
        }
        let (got, said) = selling.end();
        assert!(got == Some(code) && parts.iter().all(|part| said.contains(part)), "{outcome}: {got:?} {said}");
        quiet(&world).await;
    }
    assert_eq!(world.shop.post("/api/training", &json!({ "on": false })).await.unwrap().0, 200);
    let selling = Selling::without_terminal(&world.shop, &["sell", "--amount", "4", "--request-id", "gone"]);
    under_way(&world).await;
    selling.wait_for("Present the card");
    world.shop.kill_9().unwrap();
    let (code, said) = selling.end();
    assert!(code == Some(1) && said.contains("--request-id gone") && said.contains("no sale is made twice"), "{said}");
    world.shop.start().await.unwrap();
    // A program that let the command name the request needs that name as much.
    let selling = Selling::without_terminal(&world.shop, &["--json", "sell", "--amount", "4"]);
    under_way(&world).await;
    world.shop.kill_9().unwrap();
    let (code, said) = selling.end();
    assert!(code == Some(1) && said.contains("--request-id ") && said.contains("no sale is made twice"), "{said}");
    world.shop.start().await.unwrap();
    let refused = world.shop.said(&["sell", "--help"]).unwrap();
    assert!(refused.out.contains("Exit code: 0 accepted"), "{refused:?}");
}

/// What a sale in training needs beside.
const TRAINING: &[&str] = &["--training"];
