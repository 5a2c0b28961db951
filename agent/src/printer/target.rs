//! Where the printer is, as it is written in the configuration.

use std::path::PathBuf;
use std::str::FromStr;

/// Speeds of a serial printer.
pub const BAUD_RATES: [u32; 8] = [1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200];
/// The speed where none is written.
const DEFAULT_BAUD: u32 = 9600;

/// Where the printer is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum PrinterTarget {
    /// There is none.
    #[default]
    Off,
    /// In the network, usually at port 9100.
    Tcp {
        /// Its name or address.
        host: String,
        /// Its port.
        port: u16,
    },
    /// A device file, as `/dev/usb/lp0`.
    Device(PathBuf),
    /// A serial port, eight bits, no parity, one stop bit, no flow control.
    Serial {
        /// Its device file, as `/dev/ttyUSB0`.
        path: PathBuf,
        /// Its speed, one of [`BAUD_RATES`].
        baud: u32,
    },
}

/// Why a text names no printer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a printer: write off, tcp://HOST:PORT, serial:/dev/ttyUSB0:9600 or the path of a device file")]
pub struct TargetError;

/// `off` (or nothing), `tcp://HOST[:PORT]`, `serial:PATH[:BAUD]`, or an absolute path.
impl FromStr for PrinterTarget {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.is_empty() || text == "off" {
            return Ok(Self::Off);
        }
        if text.starts_with('/') {
            return Ok(Self::Device(PathBuf::from(text)));
        }
        if let Some(port) = text.strip_prefix("serial:") {
            return serial(port);
        }
        let address = text.strip_prefix("tcp://").ok_or(TargetError)?;
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if !host.ends_with(':') && (!host.contains(':') || host.ends_with(']')) => {
                (host, port.parse().map_err(|_| TargetError)?)
            }
            _ => (address, 9100),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() || port == 0 || host.contains(|c: char| c.is_whitespace() || c == '/') {
            return Err(TargetError);
        }
        Ok(Self::Tcp { host: host.to_owned(), port })
    }
}

fn serial(port: &str) -> Result<PrinterTarget, TargetError> {
    let (path, baud) = match port.rsplit_once(':') {
        Some((path, baud)) => (path, baud.parse().map_err(|_| TargetError)?),
        None => (port, DEFAULT_BAUD),
    };
    if !path.starts_with('/') || !BAUD_RATES.contains(&baud) {
        return Err(TargetError);
    }
    Ok(PrinterTarget::Serial { path: PathBuf::from(path), baud })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printer_is_named_in_one_line() {
        let tcp = |host: &str, port| Ok(PrinterTarget::Tcp { host: host.to_owned(), port });
        for (text, target) in [
            ("", Ok(PrinterTarget::Off)),
            (" off ", Ok(PrinterTarget::Off)),
            ("/dev/usb/lp0", Ok(PrinterTarget::Device("/dev/usb/lp0".into()))),
            ("tcp://192.168.1.50", tcp("192.168.1.50", 9100)),
            ("tcp://192.168.1.50:9101", tcp("192.168.1.50", 9101)),
            ("tcp://printer.shop.example:9100", tcp("printer.shop.example", 9100)),
            ("tcp://[fd00::1]:9102", tcp("fd00::1", 9102)),
            ("tcp://[fd00::1]", tcp("fd00::1", 9100)),
            ("tcp://fd00::1", tcp("fd00::1", 9100)),
            ("tcp://", Err(TargetError)),
            ("tcp://:9100", Err(TargetError)),
            ("tcp://host:0", Err(TargetError)),
            ("tcp://host:99999", Err(TargetError)),
            ("tcp://ho st", Err(TargetError)),
            ("http://host", Err(TargetError)),
            ("192.168.1.50:9100", Err(TargetError)),
            ("lp0", Err(TargetError)),
            ("serial:/dev/ttyUSB0:9600", Ok(PrinterTarget::Serial { path: "/dev/ttyUSB0".into(), baud: 9600 })),
            ("serial:/dev/ttyS0", Ok(PrinterTarget::Serial { path: "/dev/ttyS0".into(), baud: 9600 })),
            (
                "serial:/dev/serial/by-path/a:b:115200",
                Ok(PrinterTarget::Serial { path: "/dev/serial/by-path/a:b".into(), baud: 115_200 }),
            ),
            ("serial:/dev/ttyUSB0:9601", Err(TargetError)),
            ("serial:/dev/ttyUSB0:", Err(TargetError)),
            ("serial:ttyUSB0:9600", Err(TargetError)),
            ("serial:", Err(TargetError)),
        ] {
            assert_eq!(text.parse(), target, "{text:?}");
        }
    }
}
