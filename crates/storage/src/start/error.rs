//! Why devices cannot be used, as sentences for the operator.

use std::io;

use thiserror::Error;

use crate::cipher::KeyError;
use crate::device::Device;
use crate::format::header::DeviceHeader;

/// See the module.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Too few or too many devices.
    #[error("a namespace has 1 to 128 devices, not {0}")]
    TooMany(usize),
    /// No room for a header and enough blocks.
    #[error("{device} is too small: give it at least 128 MiB")]
    TooSmall {
        /// Which.
        device: String,
    },
    /// It holds something that is not ours.
    #[error(
        "{device} holds something that is no device of a Bolide namespace, or both copies of its header \
         are damaged: if nothing on it is needed, write zeros over its first 8 MiB or use \
         cold-start-empty"
    )]
    Foreign {
        /// Which.
        device: String,
    },
    /// It belongs to another namespace.
    #[error("{device} belongs to namespace {owner}, not to {namespace}: check the paths")]
    OtherNamespace {
        /// Which.
        device: String,
        /// Whose it is.
        owner: String,
        /// Whose it should be.
        namespace: String,
    },
    /// It was made with other devices.
    #[error("{device} and {other} were not made together: check the paths")]
    OtherSet {
        /// Which.
        device: String,
        /// One of the others.
        other: String,
    },
    /// One is missing, or one too many was given.
    #[error(
        "the namespace was made with {expected} devices, and {given} are given; records are spread \
         over all of them: give exactly those, or start over with cold-start-empty"
    )]
    OtherCount {
        /// How many there were.
        expected: u16,
        /// How many are given.
        given: usize,
    },
    /// They are given in another order.
    #[error(
        "{device} was device {expected} of the namespace and is given as device {given} (counted from \
         1): give the devices in their old order"
    )]
    OtherOrder {
        /// Which.
        device: String,
        /// Its place.
        expected: u16,
        /// Where it stands.
        given: u16,
    },
    /// It is blank, the others are not.
    #[error(
        "{device} is blank, but {other} is not: was it replaced? Its records are gone; start over with \
         cold-start-empty and restore them"
    )]
    Blank {
        /// Which.
        device: String,
        /// One of the others.
        other: String,
    },
    /// It has become smaller.
    #[error("{device} is smaller than when it was made: give it back its size")]
    Shrunk {
        /// Which.
        device: String,
    },
    /// It cannot be read or written.
    #[error("{device}: {error}; check the device")]
    Io {
        /// Which.
        device: String,
        /// What the system says.
        error: io::Error,
    },
    /// A header cannot be written.
    #[error("cannot write the header of a device: {0}; check the device and its file system")]
    Header(io::Error),
    /// Its records are encrypted, and the key is not there.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// No memory for the index.
    #[error("the index does not fit into memory: give the machine more, or the namespace less")]
    OutOfMemory,
}

impl OpenError {
    pub(crate) fn io(device: &dyn Device, error: io::Error) -> Self {
        Self::Io { device: device.name().to_owned(), error }
    }
}

/// Whether devices with these headers are those of a namespace, all of them and in order.
pub(super) fn check_set(
    namespace: &str,
    headers: &[(String, Option<DeviceHeader>)],
) -> Result<(), OpenError> {
    let known = headers.iter().find_map(|(name, header)| Some((name, header.as_ref()?)));
    let Some((first_name, first)) = known else { return Ok(()) };
    for (at, (name, header)) in headers.iter().enumerate() {
        let device = name.clone();
        let Some(header) = header else {
            return Err(OpenError::Blank { device, other: first_name.clone() });
        };
        if header.namespace != namespace {
            let (owner, namespace) = (header.namespace.clone(), namespace.to_owned());
            return Err(OpenError::OtherNamespace { device, owner, namespace });
        }
        if header.device_set != first.device_set {
            return Err(OpenError::OtherSet { device, other: first_name.clone() });
        }
        let (place, count) = header.place;
        if usize::from(count) != headers.len() {
            return Err(OpenError::OtherCount { expected: count, given: headers.len() });
        }
        if usize::from(place) != at {
            let (expected, given) = (place + 1, at as u16 + 1);
            return Err(OpenError::OtherOrder { device, expected, given });
        }
    }
    Ok(())
}
