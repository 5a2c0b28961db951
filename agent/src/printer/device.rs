//! The bytes' way to the printer: a TCP connection or a device file, never waited for without an end.

use super::{PrinterFault, PrinterTarget};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use rustix::io::{Errno, read, write};
use rustix::termios::{ControlModes, OptionalActions, tcgetattr, tcsetattr};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

/// Time to connect, per address.
const CONNECT: Duration = Duration::from_secs(2);
/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 2;
/// Time for a whole job to be taken.
pub(super) const WRITE: Duration = Duration::from_secs(5);
/// Time for one answer about the state.
pub(super) const STATUS: Duration = Duration::from_secs(1);
/// Time for the printer to close its side after ours: it has then read everything.
const CLOSE: Duration = Duration::from_millis(300);
/// Bytes that are read away before a question, at the most.
const DRAIN_BYTES_MAX: usize = 4096;

/// Realtime status (`DLE EOT n`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Question {
    /// n = 1: on line or not.
    Printer,
    /// n = 2: why it is off line.
    OffLine,
    /// n = 4: the paper.
    Paper,
}

impl Question {
    const fn bytes(self) -> [u8; 3] {
        let n = match self {
            Self::Printer => 1,
            Self::OffLine => 2,
            Self::Paper => 4,
        };
        [0x10, 0x04, n]
    }
}

/// A job that was not taken whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Broken {
    /// True where not one byte left.
    pub(super) nothing_sent: bool,
    /// What happened.
    pub(super) fault: PrinterFault,
}

/// An open way to a printer.
#[derive(Debug)]
pub(super) enum Device {
    Tcp(TcpStream),
    File {
        fd: OwnedFd,
        /// False where the file cannot tell the printer's state.
        answers: bool,
    },
}

/// A moment at which waiting ends.
#[derive(Clone, Copy)]
struct Deadline(Instant);

impl Deadline {
    #[expect(clippy::disallowed_methods, reason = "a time-out on a device: no decision and no record depends on it")]
    fn now() -> Instant {
        Instant::now()
    }

    fn after(timeout: Duration) -> Self {
        let now = Self::now();
        Self(now.checked_add(timeout).unwrap_or(now))
    }

    fn left(self) -> Duration {
        self.0.saturating_duration_since(Self::now())
    }
}

impl Device {
    /// Reaches the printer.
    pub(super) fn open(target: &PrinterTarget) -> Result<Self, PrinterFault> {
        match target {
            PrinterTarget::Off => Err(PrinterFault::Off),
            PrinterTarget::Tcp { host, port } => Self::connect(host, *port),
            PrinterTarget::Device(path) => Self::file(path).map_err(|_| PrinterFault::Unreachable),
            PrinterTarget::Serial { path, baud } => Self::serial(path, *baud).map_err(|_| PrinterFault::Unreachable),
        }
    }

    fn connect(host: &str, port: u16) -> Result<Self, PrinterFault> {
        let addresses = (host, port).to_socket_addrs().map_err(|_| PrinterFault::Unreachable)?;
        let stream = addresses
            .take(ADDRESSES_MAX)
            .find_map(|address| TcpStream::connect_timeout(&address, CONNECT).ok())
            .ok_or(PrinterFault::Unreachable)?;
        let prepared = stream.set_nodelay(true).and_then(|()| stream.set_nonblocking(true));
        prepared.map_err(|_| PrinterFault::Unreachable)?;
        Ok(Self::Tcp(stream))
    }

    /// Only a character device is read from: a pipe would give our own questions back.
    fn file(path: &Path) -> Result<Self, Errno> {
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::APPEND;
        if let Ok(fd) = open(path, flags | OFlags::RDWR, Mode::empty())
            && FileType::from_raw_mode(fstat(&fd)?.st_mode) == FileType::CharacterDevice
        {
            return Ok(Self::File { fd, answers: true });
        }
        let fd = open(path, flags | OFlags::WRONLY, Mode::empty())?;
        Ok(Self::File { fd, answers: false })
    }

    /// Sets the line as well: what another program left is not to be guessed.
    fn serial(path: &Path, baud: u32) -> Result<Self, Errno> {
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let fd = open(path, flags | OFlags::RDWR, Mode::empty())?;
        let mut line = tcgetattr(&fd)?;
        // Eight bits, no parity, no echo, no flow control by characters, nothing translated.
        line.make_raw();
        line.control_modes.remove(ControlModes::CSTOPB | ControlModes::CRTSCTS);
        line.control_modes.insert(ControlModes::CLOCAL | ControlModes::CREAD);
        line.set_speed(baud)?;
        tcsetattr(&fd, OptionalActions::Now, &line)?;
        Ok(Self::File { fd, answers: true })
    }

    /// Sends a whole job.
    pub(super) fn send(&mut self, mut bytes: &[u8], timeout: Duration) -> Result<(), Broken> {
        let deadline = Deadline::after(timeout);
        let mut nothing_sent = true;
        while !bytes.is_empty() {
            let broken = |fault| Broken { nothing_sent, fault };
            self.wait(PollFlags::OUT, deadline).map_err(broken)?;
            match write(&*self, bytes) {
                Ok(count) => {
                    nothing_sent = nothing_sent && count == 0;
                    bytes = bytes.get(count..).unwrap_or_default();
                }
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(_) => return Err(broken(PrinterFault::Closed)),
            }
        }
        Ok(())
    }

    /// Asks for a part of the state; nothing where the printer does not tell.
    pub(super) fn ask(&mut self, question: Question) -> Result<Option<u8>, PrinterFault> {
        if matches!(self, Self::File { answers: false, .. }) {
            return Ok(None);
        }
        // A late answer to an older question would be taken for this one.
        self.drain()?;
        self.send(&question.bytes(), STATUS).map_err(|broken| broken.fault)?;
        let deadline = Deadline::after(STATUS);
        for _ in 0..DRAIN_BYTES_MAX {
            if self.wait(PollFlags::IN, deadline).is_err() {
                return Ok(None);
            }
            let mut byte = [0];
            match read(&*self, byte.as_mut_slice()) {
                Ok(0) => return Err(PrinterFault::Closed),
                // The fixed bits of such an answer; flow control and automatic status have others.
                Ok(_) => {
                    let [byte] = byte;
                    if byte & 0b1001_0011 == 0b0001_0010 {
                        return Ok(Some(byte));
                    }
                }
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(_) => return Err(PrinterFault::Closed),
            }
        }
        Ok(None)
    }

    fn drain(&mut self) -> Result<(), PrinterFault> {
        let mut buffer = [0; DRAIN_BYTES_MAX];
        match read(&*self, buffer.as_mut_slice()) {
            Ok(0) if matches!(self, Self::Tcp(_)) => Err(PrinterFault::Closed),
            Ok(_) | Err(Errno::AGAIN | Errno::INTR) => Ok(()),
            Err(_) => Err(PrinterFault::Closed),
        }
    }

    /// Ends the connection in order: closing with unread answers would make some printers forget the job.
    pub(super) fn close(self) {
        let Self::Tcp(stream) = &self else { return };
        if stream.shutdown(Shutdown::Write).is_err() {
            return;
        }
        let deadline = Deadline::after(CLOSE);
        let mut buffer = [0; DRAIN_BYTES_MAX];
        while self.wait(PollFlags::IN, deadline).is_ok() {
            match read(&self, buffer.as_mut_slice()) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }

    /// Waits until the device can be written to or read from.
    fn wait(&self, ready: PollFlags, deadline: Deadline) -> Result<(), PrinterFault> {
        loop {
            let left = Timespec::try_from(deadline.left()).map_err(|_| PrinterFault::Hanging)?;
            let mut fds = [PollFd::new(self, ready)];
            match poll(&mut fds, Some(&left)) {
                Ok(0) => return Err(PrinterFault::Hanging),
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(_) => return Err(PrinterFault::Closed),
            }
        }
    }
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::File { fd, .. } => fd.as_fd(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_printer_that_takes_no_bytes_is_left_in_time() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = PrinterTarget::Tcp { host: "localhost".to_owned(), port: listener.local_addr().unwrap().port() };
        let mut device = Device::open(&target).unwrap();
        let more_than_any_buffer = vec![b'x'; 64 * 1024 * 1024];
        let broken = device.send(&more_than_any_buffer, Duration::from_millis(200)).unwrap_err();
        assert_eq!(broken, Broken { nothing_sent: false, fault: PrinterFault::Hanging });
    }

    #[test]
    fn what_is_not_there_is_unreachable() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        for target in [
            PrinterTarget::Tcp { host: "127.0.0.1".to_owned(), port },
            PrinterTarget::Device("/dev/cabas-no-such-printer".into()),
            PrinterTarget::Device("/".into()),
        ] {
            assert_eq!(Device::open(&target).unwrap_err(), PrinterFault::Unreachable, "{target:?}");
        }
        assert_eq!(Device::open(&PrinterTarget::Off).unwrap_err(), PrinterFault::Off);
    }

    #[test]
    fn a_serial_port_is_set_and_takes_every_byte_as_it_is() {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).and_then(|()| unlockpt(&ours)).unwrap();
        let path = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
        let target = PrinterTarget::Serial { path: path.clone().into(), baud: 19_200 };
        let mut device = Device::open(&target).unwrap();
        let line = tcgetattr(&device).unwrap();
        assert_eq!((line.output_speed(), line.input_speed()), (19_200, 19_200));
        assert_eq!(line.control_modes & ControlModes::CSIZE, ControlModes::CS8);
        assert!(!line.control_modes.intersects(ControlModes::PARENB | ControlModes::CSTOPB | ControlModes::CRTSCTS));
        // Line feeds, XON, XOFF, end of file: all of it arrives, and nothing is echoed or translated.
        let bytes: Vec<u8> = (0..=255).collect();
        device.send(&bytes, WRITE).unwrap();
        let mut taken = Vec::new();
        let mut buffer = [0; 512];
        while taken.len() < bytes.len() {
            let count = read(&ours, buffer.as_mut_slice()).unwrap();
            taken.extend_from_slice(&buffer[..count]);
        }
        assert_eq!(taken, bytes);
        write(&ours, &[0x12]).unwrap();
        assert_eq!(device.wait(PollFlags::IN, Deadline::after(STATUS)), Ok(()), "answers come back");
        let pipe = tempfile::tempdir().unwrap().path().join("no-tty");
        assert_eq!(
            Device::open(&PrinterTarget::Serial { path: pipe, baud: 9600 }).unwrap_err(),
            PrinterFault::Unreachable
        );
        assert_eq!(
            Device::open(&PrinterTarget::Serial { path: "/dev/null".into(), baud: 9600 }).unwrap_err(),
            PrinterFault::Unreachable,
            "a file that is no line"
        );
    }

    #[test]
    fn a_pipe_is_written_to_and_never_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &path, FileType::Fifo, Mode::RWXU, 0).unwrap();
        let target = PrinterTarget::Device(path.clone());
        assert_eq!(Device::open(&target).unwrap_err(), PrinterFault::Unreachable, "nobody reads it");
        let reader = open(&path, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).unwrap();
        let mut device = Device::open(&target).unwrap();
        assert_eq!(device.ask(Question::Printer), Ok(None));
        device.send(b"abc", WRITE).unwrap();
        let mut buffer = [0; 8];
        assert_eq!(read(&reader, buffer.as_mut_slice()).unwrap(), 3);
        let broken = device.send(&vec![b'x'; 1024 * 1024], Duration::from_millis(50)).unwrap_err();
        assert_eq!(broken, Broken { nothing_sent: false, fault: PrinterFault::Hanging });
        drop(reader);
        let broken = device.send(b"abc", WRITE).unwrap_err();
        assert_eq!(broken, Broken { nothing_sent: true, fault: PrinterFault::Closed });
    }
}
