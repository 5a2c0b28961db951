//! The software cards against an independent host, the crate `ntag424`, and behind the real pcscd.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is the test's failure")]

use cabas_tests::pcscd::{Pcscd, in_own_process};
use cabas_tests::program::wait_for;
use cabas_tests::virtual_card::desfire::{DesfireChip, Edition};
use cabas_tests::virtual_card::ntag424::Ntag424Chip;
use cabas_tests::virtual_card::{InField, Reaction, Tear, VirtualCard};
use ntag424::types::file_settings::{
    Access, AccessRights, CommMode, CryptoMode, CtrRetAccess, FileSettingsUpdate, Offset, PiccData, PlainMirror,
    ReadCtrFeatures, ReadCtrMirror, Sdm,
};
use ntag424::types::{File, KeyNumber, NonMasterKeyNumber};
use ntag424::{AuthenticatedSession as _, Response, Session, Transport};
use std::ffi::CStr;
use std::time::Duration;

const UID: [u8; 7] = [0x04, 0x95, 0x8c, 0xaa, 0x5c, 0x5e, 0x80];
const ZERO: [u8; 16] = [0; 16];
const NEW: [u8; 16] = *b"sixteen new byte";
const RANDOM: [u8; 16] = [0x5a; 16];
const APP: u32 = 0x0000_cafe;
const APP_BYTES: [u8; 3] = [0xfe, 0xca, 0x00];
const SELECT_TAG: [u8; 13] = [0x00, 0xa4, 4, 0, 7, 0xd2, 0x76, 0, 0, 0x85, 1, 1, 0];

#[test]
fn an_independent_host_uses_the_tag() {
    let mut chip = Ntag424Chip::new(UID, 1);
    block_on(use_tag(&mut InProcess(chip.clone())));
    assert_eq!(chip.data(3).unwrap()[..6], [0, 0, 1, 2, 3, 0]);
    // What it changed outlives the power, and the factory's key does not.
    chip.power_off();
    let mut field = InProcess(chip);
    assert!(block_on(Session::new().authenticate_aes(&mut field, KeyNumber::Key0, &ZERO, RANDOM)).is_err());
    assert!(block_on(Session::new().authenticate_aes(&mut field, KeyNumber::Key0, &NEW, RANDOM)).is_ok());
}

/// What counts the reads is set up and asked by the other host, in both forms of the answer.
#[test]
fn an_independent_host_reads_how_often_the_tag_was_read() {
    for (ret_access, number) in
        [(CtrRetAccess::Free, KeyNumber::Key3), (CtrRetAccess::Key(KeyNumber::Key1), KeyNumber::Key1)]
    {
        let mut field = InProcess(Ntag424Chip::new(UID, 1));
        let features = ReadCtrFeatures { limit: None, ret_access };
        let read_ctr = ReadCtrMirror { offset: Offset::new(0x00ff_ffff).unwrap(), features };
        let counted = PiccData::Plain(PlainMirror::RCtr { read_ctr });
        let sdm = Sdm::try_new(counted, None, None, CryptoMode::Aes).unwrap();
        let hub = Access::Key(KeyNumber::Key0);
        let rights = AccessRights { read: Access::Free, write: hub, read_write: hub, change: hub };
        let settings = FileSettingsUpdate::new(CommMode::Plain, rights).with_sdm(sdm);
        block_on(async {
            let session = Session::new().authenticate_aes(&mut field, KeyNumber::Key0, &ZERO, RANDOM).await.unwrap();
            let session = session.change_file_settings(&mut field, File::Ndef, &settings).await.unwrap();
            let (told, _) = session.get_file_settings(&mut field, File::Ndef).await.unwrap();
            assert_eq!((told.access_rights, told.sdm), (rights, Some(sdm)));
        });
        let read = native(0xad, &[2, 0, 0, 0, 1, 0, 0]);
        for times in [1, 2] {
            assert_eq!(field.0.react(&SELECT_TAG), Reaction::Answer(vec![0x90, 0]));
            // Twice in a row is once.
            for _ in 0..2 {
                assert_eq!(field.0.react(&read), Reaction::Answer(vec![0, 0x91, 0]));
            }
            block_on(async {
                let session = Session::new().authenticate_aes(&mut field, number, &ZERO, RANDOM).await.unwrap();
                let (reads, _) = session.get_file_counters(&mut field, File::Ndef).await.unwrap();
                assert_eq!(reads, times);
            });
        }
    }
}

#[test]
fn an_independent_host_uses_the_tag_behind_pcscd() {
    in_own_process("virtual_card::an_independent_host_uses_the_tag_behind_pcscd", |folder| {
        let service = Pcscd::start(folder, &["Cabas PICC"])?;
        let chip = Ntag424Chip::new(UID, 2);
        let card = VirtualCard::insert(service.port(0, 0)?, chip.clone())?;
        let mut reader = Reader::connect()?;
        block_on(use_tag(&mut reader));
        reader.leave();
        card.remove();
        assert_eq!(chip.data(3).unwrap()[..6], [0, 0, 1, 2, 3, 0]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_independent_host_shares_the_messaging_of_the_purse_card() {
    let mut chip = DesfireChip::new(UID, Edition::Ev2K2, 3);
    assert_eq!(ask(&mut chip, 0xca, &[&APP_BYTES[..], &[0x0f, 0x85]].concat()), [0x91, 0]);
    assert_eq!(ask(&mut chip, 0x5a, &APP_BYTES), [0x91, 0]);
    // Files as that host expects them: plain for all, for all within a session, and for keys 2 and 3.
    assert_eq!(ask(&mut chip, 0xcd, &[2, 1, 0x20, 0x22, 0, 1, 0]), [0x91, 0]);
    assert_eq!(ask(&mut chip, 0xcd, &[3, 3, 0x30, 0x23, 128, 0, 0]), [0x91, 0]);
    let mut field = AsTag(chip.clone());
    block_on(async {
        let session = Session::new().authenticate_aes(&mut field, KeyNumber::Key2, &ZERO, RANDOM).await.unwrap();
        let session =
            session.write_file_with_mode(&mut field, File::Ndef, 7, b"with a MAC", CommMode::Mac).await.unwrap();
        let mut read = [0; 10];
        let (count, session) =
            session.read_file_with_mode(&mut field, File::Ndef, 7, 10, CommMode::Mac, &mut read).await.unwrap();
        assert_eq!((count, &read), (10, b"with a MAC"));
        let session = session.authenticate(&mut field, KeyNumber::Key3, &ZERO, RANDOM).await.unwrap();
        session.write_file_with_mode(&mut field, File::Proprietary, 0, b"encrypted", CommMode::Full).await.unwrap();
    });
    assert_eq!(chip.data(APP, 2).unwrap()[7..17], *b"with a MAC");
    assert_eq!(chip.data(APP, 3).unwrap()[..9], *b"encrypted");
    block_on(change_keys(&mut field));
}

#[test]
fn a_torn_purse_is_presented_again_behind_pcscd() {
    in_own_process("virtual_card::a_torn_purse_is_presented_again_behind_pcscd", |folder| {
        let service = Pcscd::start(folder, &["Cabas PICC"])?;
        let mut chip = DesfireChip::new(UID, Edition::Ev2K4, 4);
        assert_eq!(ask(&mut chip, 0xca, &[&APP_BYTES[..], &[0x0f, 0x81]].concat()), [0x91, 0]);
        assert_eq!(ask(&mut chip, 0x5a, &APP_BYTES), [0x91, 0]);
        // Everything is free, so that no host is needed who can authenticate.
        let limits = [0_i32, 1000, 1000].map(i32::to_le_bytes).concat();
        assert_eq!(ask(&mut chip, 0xcc, &[&[1, 0, 0xee, 0xee][..], &limits, &[0]].concat()), [0x91, 0]);
        for (tear, left) in [(Tear::BeforeItRan, 1000), (Tear::AnswerLost, 900), (Tear::EndlessWait, 900)] {
            // Of the three commands below, the last.
            chip.tear_at(3, tear);
            let mut card = VirtualCard::insert(service.port(0, 0)?, chip.clone())?;
            let mut reader = Reader::connect()?;
            assert_eq!(reader.ask(0x5a, &APP_BYTES), Ok(vec![0x91, 0]));
            assert_eq!(reader.ask(0xdc, &[1, 100, 0, 0, 0]), Ok(vec![0x91, 0]));
            // The reader's words for a card that left differ; none of them is an answer.
            assert!(reader.ask(0xc7, &[]).is_ok_and(|answer| answer.len() < 2), "{tear:?}");
            card.wait_until_gone()?;
            reader.leave_until_empty()?;
            assert_eq!(chip.value(APP, 1), Some(left), "{tear:?}");
        }
        let _card = VirtualCard::insert(service.port(0, 0)?, chip.clone())?;
        let mut reader = Reader::connect()?;
        assert_eq!(reader.ask(0x60, &[]), Ok(vec![4, 1, 1, 0x12, 0, 0x18, 5, 0x91, 0xaf]));
        assert_eq!(reader.ask(0xaf, &[]), Ok(vec![4, 1, 1, 2, 1, 0x18, 5, 0x91, 0xaf]));
        assert!(reader.ask(0xaf, &[]).is_ok_and(|answer| answer.starts_with(&UID)));
        assert_eq!(reader.ask(0x5a, &APP_BYTES), Ok(vec![0x91, 0]));
        assert_eq!(reader.ask(0xc7, &[]), Ok(vec![0x91, 0x0c]), "what was debited before is not committed by this");
        reader.leave();
        Ok(())
    })
    .unwrap();
}

/// All that the tag can do.
async fn use_tag<T: Transport>(field: &mut T) {
    let session = Session::new();
    let version = session.get_version(field).await.unwrap();
    assert_eq!((version.uid(), version.hw_type()), (&UID, 4));
    let session = session.authenticate_aes(field, KeyNumber::Key3, &ZERO, RANDOM).await.unwrap();
    let (uid, session) = session.get_uid(field).await.unwrap();
    assert_eq!(uid, UID);
    let (version, session) = session.get_version(field).await.unwrap();
    assert_eq!(version.uid(), &UID);
    let session = session.write_file_with_mode(field, File::Proprietary, 2, &[1, 2, 3], CommMode::Full).await.unwrap();
    let mut read = [0; 128];
    let (count, session) =
        session.read_file_with_mode(field, File::Proprietary, 0, 128, CommMode::Full, &mut read).await.unwrap();
    assert_eq!((count, &read[..6]), (128, &[0, 0, 1, 2, 3, 0][..]));
    let (settings, mut session) = session.get_file_settings(field, File::Proprietary).await.unwrap();
    assert_eq!(settings.comm_mode, CommMode::Full);
    // A file for all is plain within a session, and its commands are counted like all others.
    let mut read = [0; 16];
    assert_eq!(session.read_file_plain(field, File::Ndef, 0, 16, &mut read).await.unwrap(), 16);
    let (uid, session) = session.get_uid(field).await.unwrap();
    assert_eq!((uid, session.cmd_counter()), (UID, 7));
    let session = session.authenticate(field, KeyNumber::Key2, &ZERO, RANDOM).await.unwrap();
    let (count, session) =
        session.read_file_with_mode(field, File::Proprietary, 2, 3, CommMode::Full, &mut read).await.unwrap();
    assert_eq!((count, &read[..3]), (3, &[1, 2, 3][..]));
    // Key 2 may read that file and not write it, and the session ends with the refusal.
    let refused = session.write_file_with_mode(field, File::Proprietary, 0, &[9], CommMode::Full).await;
    assert!(refused.is_err());
    change_keys(field).await;
}

/// Gives keys 0 and 1 a new value.
async fn change_keys<T: Transport>(field: &mut T) {
    let session = Session::new().authenticate_aes(field, KeyNumber::Key0, &ZERO, RANDOM).await.unwrap();
    let session = session.change_key(field, NonMasterKeyNumber::Key1, &NEW, 4, &ZERO).await.unwrap();
    let (version, session) = session.get_key_version(field, KeyNumber::Key1).await.unwrap();
    assert_eq!(version, 4);
    let _ended = session.change_master_key(field, &NEW, 1).await.unwrap();
    let session = Session::new().authenticate_aes(field, KeyNumber::Key1, &NEW, RANDOM).await.unwrap();
    let session = session.authenticate(field, KeyNumber::Key0, &NEW, RANDOM).await.unwrap();
    assert_eq!(session.get_key_version(field, KeyNumber::Key0).await.unwrap().0, 1);
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn native(instruction: u8, data: &[u8]) -> Vec<u8> {
    let length = u8::try_from(data.len()).unwrap();
    let head = [0x90, instruction, 0, 0];
    if data.is_empty() { [&head[..], &[0]].concat() } else { [&head[..], &[length], data, &[0]].concat() }
}

/// Asks a card that lies in no reader.
fn ask(chip: &mut impl InField, instruction: u8, data: &[u8]) -> Vec<u8> {
    match chip.react(&native(instruction, data)) {
        Reaction::Answer(answer) => answer,
        other @ (Reaction::Leave | Reaction::Silence) => panic!("{other:?} to {instruction:02x}"),
    }
}

/// What the independent host takes for an answer.
fn response(mut answer: Vec<u8>) -> Response<Vec<u8>> {
    let (Some(sw2), Some(sw1)) = (answer.pop(), answer.pop()) else { panic!("no answer") };
    Response { data: answer, sw1, sw2 }
}

/// A card in the hand.
struct InProcess<C>(C);

impl<C: InField> Transport for InProcess<C> {
    type Error = std::convert::Infallible;
    type Data = Vec<u8>;

    async fn transmit(&mut self, apdu: &[u8]) -> Result<Response<Vec<u8>>, Self::Error> {
        match self.0.react(apdu) {
            Reaction::Answer(answer) => Ok(response(answer)),
            other @ (Reaction::Leave | Reaction::Silence) => panic!("{other:?} to {apdu:02x?}"),
        }
    }

    async fn get_uid(&mut self) -> Result<Vec<u8>, Self::Error> {
        self.transmit(&[0xff, 0xca, 0, 0, 0]).await.map(|response| response.data)
    }
}

/// A purse card of which one application stands for that of a tag: only the selection differs.
struct AsTag(DesfireChip);

impl Transport for AsTag {
    type Error = std::convert::Infallible;
    type Data = Vec<u8>;

    async fn transmit(&mut self, apdu: &[u8]) -> Result<Response<Vec<u8>>, Self::Error> {
        if apdu == SELECT_TAG {
            assert_eq!(ask(&mut self.0, 0x5a, &APP_BYTES), [0x91, 0]);
            return Ok(response(vec![0x90, 0]));
        }
        InProcess(self.0.clone()).transmit(apdu).await
    }

    async fn get_uid(&mut self) -> Result<Vec<u8>, Self::Error> {
        Ok(UID.to_vec())
    }
}

/// A card in a reader of the real pcscd.
struct Reader {
    context: pcsc::Context,
    card: pcsc::Card,
}

const READER: &CStr = c"Cabas PICC 00 00";

impl Reader {
    /// Waits for the card.
    fn connect() -> anyhow::Result<Self> {
        let context = pcsc::Context::establish(pcsc::Scope::User)?;
        let card = wait_for("the card in the reader", || {
            Ok(context.connect(READER, pcsc::ShareMode::Exclusive, pcsc::Protocols::ANY).ok())
        })?;
        Ok(Self { context, card })
    }

    fn ask(&mut self, instruction: u8, data: &[u8]) -> Result<Vec<u8>, pcsc::Error> {
        let mut buffer = [0; pcsc::MAX_BUFFER_SIZE];
        self.card.transmit(&native(instruction, data), &mut buffer).map(<[u8]>::to_vec)
    }

    /// A card that is reset on leaving costs seconds where it has left already.
    fn leave(self) {
        drop(self.card.disconnect(pcsc::Disposition::LeaveCard));
    }

    /// As [`Self::leave`], from a card that has left; pcscd notices that late.
    fn leave_until_empty(self) -> anyhow::Result<()> {
        let context = self.context.clone();
        self.leave();
        wait_for("the reader to be empty", || {
            let mut states = [pcsc::ReaderState::new(READER, pcsc::State::UNAWARE)];
            context.get_status_change(Duration::ZERO, &mut states)?;
            Ok(states.iter().all(|state| state.event_state().contains(pcsc::State::EMPTY)).then_some(()))
        })
    }
}

impl Transport for Reader {
    type Error = pcsc::Error;
    type Data = Vec<u8>;

    async fn transmit(&mut self, apdu: &[u8]) -> Result<Response<Vec<u8>>, Self::Error> {
        let mut buffer = [0; pcsc::MAX_BUFFER_SIZE];
        self.card.transmit(apdu, &mut buffer).map(|answer| response(answer.to_vec()))
    }

    async fn get_uid(&mut self) -> Result<Vec<u8>, Self::Error> {
        self.transmit(&[0xff, 0xca, 0, 0, 0]).await.map(|response| response.data)
    }
}
