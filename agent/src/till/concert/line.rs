//! The bytes' way to a till: a device file (a serial port, or USB as one) or a TCP connection. Reads wait in the kernel;
//! nothing here looks again by the clock.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, read, write};
use rustix::termios::{
    ControlModes, InputModes, OptionalActions, QueueSelector, Termios, ioctl_tiocexcl, tcflush, tcgetattr, tcsetattr,
};
use std::os::fd::OwnedFd;
use tokio::io::unix::AsyncFd;

/// How long a message may take to be taken: 83 characters at the slowest speed take less than one second.
const WRITE_TIMEOUT: Duration = Duration::from_secs(3);
/// Speeds of a till's line, bits per second.
const SPEEDS: [u32; 8] = [1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200];

/// How a serial line is set: speed, and eight bits or seven with a parity bit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LineSettings {
    speed: u32,
    /// 7E1: seven bits, even parity. Otherwise 8N1.
    has_parity: bool,
}

/// No settings of a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a line: write 9600 8N1 or 9600 7E1, with a speed of 1200 to 115200")]
pub struct LineError;

impl FromStr for LineSettings {
    type Err = LineError;

    fn from_str(text: &str) -> Result<Self, LineError> {
        let (speed, form) = text.split_once(' ').ok_or(LineError)?;
        let speed = speed.parse().ok().filter(|speed| SPEEDS.contains(speed)).ok_or(LineError)?;
        match form {
            "8N1" => Ok(Self { speed, has_parity: false }),
            "7E1" => Ok(Self { speed, has_parity: true }),
            _ => Err(LineError),
        }
    }
}

/// An open way to a till.
#[derive(Debug)]
pub struct Line(AsyncFd<OwnedFd>);

impl Line {
    /// Opens a device file, sets the line and throws away what another program left in it.
    ///
    /// # Errors
    /// What the system says: the file is not there, or is no line.
    pub fn open(path: &Path, settings: LineSettings) -> std::io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let device = open(path, flags, Mode::empty())?;
        let mut line = tcgetattr(&device)?;
        set(&mut line, settings)?;
        tcsetattr(&device, OptionalActions::Now, &line)?;
        // No other program is to read a part of what a till says.
        ioctl_tiocexcl(&device)?;
        tcflush(&device, QueueSelector::IFlush)?;
        Self::of(device)
    }

    /// Takes a connection.
    ///
    /// # Errors
    /// What the system says.
    pub fn of_connection(connection: tokio::net::TcpStream) -> std::io::Result<Self> {
        Self::of(OwnedFd::from(connection.into_std()?))
    }

    #[expect(deprecated, reason = "what is deprecated is a descriptor that may change; an OwnedFd keeps its own")]
    fn of(fd: OwnedFd) -> std::io::Result<Self> {
        Ok(Self(AsyncFd::new(fd)?))
    }

    /// Waits for bytes; nothing where the till's side is gone.
    pub async fn read(&self, buffer: &mut [u8]) -> Option<usize> {
        loop {
            let mut ready = self.0.readable().await.ok()?;
            match read(&self.0, &mut *buffer) {
                Ok(0) => return None,
                Ok(count) => return Some(count),
                Err(Errno::AGAIN) => ready.clear_ready(),
                Err(Errno::INTR) => {}
                Err(_) => return None,
            }
        }
    }

    /// Sends bytes; false where they did not all leave in time.
    pub async fn write(&self, bytes: &[u8]) -> bool {
        let work = async {
            let mut rest = bytes;
            while !rest.is_empty() {
                let Ok(mut ready) = self.0.writable().await else { return false };
                match write(&self.0, rest) {
                    Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                    Err(Errno::AGAIN) => ready.clear_ready(),
                    Err(Errno::INTR) => {}
                    Err(_) => return false,
                }
            }
            true
        };
        tokio::time::timeout(WRITE_TIMEOUT, work).await.unwrap_or(false)
    }
}

fn set(line: &mut Termios, settings: LineSettings) -> Result<(), Errno> {
    // No echo, no flow control by characters, nothing translated.
    line.make_raw();
    line.control_modes.remove(ControlModes::CSTOPB | ControlModes::CRTSCTS | ControlModes::HUPCL);
    line.control_modes.insert(ControlModes::CLOCAL | ControlModes::CREAD);
    if settings.has_parity {
        line.control_modes.remove(ControlModes::CSIZE | ControlModes::PARODD);
        line.control_modes.insert(ControlModes::CS7 | ControlModes::PARENB);
        // A byte with wrong parity is read as zero, which no message has.
        line.input_modes.insert(InputModes::INPCK | InputModes::ISTRIP);
    }
    line.set_speed(settings.speed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    #[test]
    fn a_line_is_named_as_serial_ports_are() {
        assert_eq!("9600 8N1".parse(), Ok(LineSettings { speed: 9600, has_parity: false }));
        assert_eq!("1200 7E1".parse(), Ok(LineSettings { speed: 1200, has_parity: true }));
        for text in ["", "9600", "9600 8E1", "9601 8N1", "9600  8N1", "9600 8n1", " 9600 8N1", "-1 8N1"] {
            assert_eq!(text.parse::<LineSettings>(), Err(LineError), "{text:?}");
        }
    }

    #[tokio::test]
    async fn a_line_carries_every_byte_as_it_is_and_parity_strips_the_eighth_bit() {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        let till = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&till).unwrap();
        unlockpt(&till).unwrap();
        let path = ptsname(&till, Vec::new()).unwrap().into_string().unwrap();
        let all: Vec<u8> = (0..=255).collect();
        let line = Line::open(Path::new(&path), "9600 8N1".parse().unwrap()).unwrap();
        write(&till, &all).unwrap();
        let (mut got, mut buffer) = (Vec::new(), [0; 64]);
        while got.len() < all.len() {
            let count = line.read(&mut buffer).await.unwrap();
            got.extend_from_slice(&buffer[..count]);
        }
        assert_eq!(got, all);
        assert!(line.write(&all).await);
        let mut back = vec![0; 256];
        assert_eq!(read(&till, &mut back), Ok(256));
        assert_eq!(back, all);
        drop(line);
        let line = Line::open(Path::new(&path), "9600 7E1".parse().unwrap()).unwrap();
        // A pseudo-terminal has no parity of its own; what is asked of a line has.
        let mut asked = tcgetattr(&line.0).unwrap();
        set(&mut asked, LineSettings { speed: 1200, has_parity: true }).unwrap();
        let seven = ControlModes::CS7 | ControlModes::PARENB;
        assert_eq!(asked.control_modes & (ControlModes::CSIZE | ControlModes::PARENB | ControlModes::PARODD), seven);
        assert_eq!(asked.input_speed(), 1200);
        write(&till, &[0x85]).unwrap();
        assert_eq!(line.read(&mut buffer).await, Some(1));
        assert_eq!(buffer[0], 0x05);
        // The till's side goes.
        drop(till);
        assert_eq!(line.read(&mut buffer).await, None);
        assert!(Line::open(Path::new("/dev/null"), "9600 8N1".parse().unwrap()).is_err(), "no line");
    }
}
