//! The process's limit of open files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that the process needs besides client connections.
const RESERVE: u64 = 128;

/// Makes room for this many connections: raises the limit of open files if it may, and returns how
/// many connections there is room for.
pub fn make_room_for(connections: u32) -> u32 {
    let wanted = u64::from(connections) + RESERVE;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return connections;
    }
    let most = limit.maximum.map_or(wanted, |maximum| maximum.max(wanted));
    for (current, maximum) in [(wanted, most), (limit.maximum.unwrap_or(wanted), most)] {
        let raised = Rlimit { current: Some(current), maximum: limit.maximum.or(Some(maximum)) };
        let raised = Rlimit { current: raised.current.min(raised.maximum), ..raised };
        if setrlimit(Resource::Nofile, raised).is_ok() {
            break;
        }
    }
    let now = getrlimit(Resource::Nofile).current.unwrap_or(wanted);
    connections.min(u32::try_from(now.saturating_sub(RESERVE)).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_granted() {
        assert_eq!(make_room_for(16), 16);
    }

    #[test]
    fn what_cannot_fit_is_clamped() {
        assert!(make_room_for(u32::MAX) < u32::MAX);
    }
}
