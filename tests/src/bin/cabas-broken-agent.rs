//! A program for terminals that is signed and does not work: what it does stands in its own bytes ([`PLAN`]), where a test
//! writes it. It never opens a journal but the copy that it is tried on.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use cabas_protocol::stamp::{STAMP_BYTES, Stamp, made};

/// As in `cabas_tests::release`, which is not linked here: it brings the real agent's stamp along, and a program has one.
const PLAN_BYTES: usize = 33;

#[used]
static STAMP: [u8; STAMP_BYTES] = made("0.0.1 x86_64-linux-gnu 9 1,2,3");
#[used]
static PLAN: [u8; PLAN_BYTES] = *b"\x01cabas-plan\x01crash               \x02";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    let text = std::hint::black_box(&PLAN).strip_prefix(b"\x01cabas-plan\x01").unwrap_or_default();
    let plan = String::from_utf8_lossy(text.strip_suffix(&[2]).unwrap_or_default()).trim_end().to_owned();
    let Some(stamp) = Stamp::read(std::hint::black_box(&STAMP)) else { return ExitCode::from(3) };
    let copy = words.iter().skip_while(|word| *word != "--journal").nth(1);
    if words.iter().any(|word| word == "self-test") {
        return self_test(&plan, &stamp, copy.map(Path::new));
    }
    eprintln!("a broken agent runs: {plan}");
    match plan.as_str() {
        // Neither ready nor dead, until somebody kills it.
        "hang" => hang(),
        // Ready, and from then on nothing: its watchdog is not fed.
        "mute" => {
            if let (Ok(socket), Some(path)) = (UnixDatagram::unbound(), std::env::var_os("NOTIFY_SOCKET")) {
                let told = socket.send_to(b"READY=1", path);
                eprintln!("it says that it is ready: {told:?}");
            }
            hang()
        }
        _ => ExitCode::FAILURE,
    }
}

fn hang() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

fn self_test(plan: &str, stamp: &Stamp<'_>, copy: Option<&Path>) -> ExitCode {
    let form = u32::from(stamp.journal_form);
    let before = form.saturating_sub(1);
    let migration = match plan {
        "self-test" => {
            eprintln!("cabas-agent: I do not like this journal");
            return ExitCode::FAILURE;
        }
        "no-way-back" => format!("PRAGMA user_version = {form}"),
        "additive" => format!(
            "INSERT INTO opens_from VALUES ({form}, {before}); \
             CREATE TABLE new (it INTEGER); PRAGMA user_version = {form}"
        ),
        _ => String::new(),
    };
    let migrated = copy.map(|copy| rusqlite::Connection::open(copy).and_then(|db| db.execute_batch(&migration)));
    if !matches!(migrated, Some(Ok(()))) {
        return ExitCode::from(4);
    }
    #[expect(clippy::print_stdout, reason = "what the agent reads of its trial")]
    {
        println!("{{\"version\":\"{}\",\"form\":{form},\"rows\":1}}", stamp.version_text);
    }
    ExitCode::SUCCESS
}
