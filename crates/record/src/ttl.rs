//! Time to live: special values, defaults, renewal by reads (protocol reference, record TTL values).

use wire::ResultCode;

use crate::meta::{LastUpdateTime, SecondsSince2010, VoidTime};

/// Use the default of set or namespace.
pub const TTL_DEFAULT: u32 = 0;
/// Never expire.
pub const TTL_NEVER: u32 = 0xFFFF_FFFF;
/// Leave the void-time as it is.
pub const TTL_DONT_UPDATE: u32 = 0xFFFF_FFFE;
/// Longest time to live in seconds: ten years of 365 days.
pub const TTL_SECONDS_MAX: u32 = 315_360_000;

/// What namespace and set say about time to live.
#[derive(Clone, Copy, Debug, Default)]
pub struct TtlRules {
    /// Default in seconds; zero means never.
    pub default_ttl_seconds: u32,
    /// Whether records may expire at all: the supervisor runs, or it is explicitly allowed.
    pub expiry_allowed: bool,
}

impl TtlRules {
    /// Void-time of a write with this time to live.
    ///
    /// `current` is the void-time of the live record, or `None` when it is being created.
    ///
    /// # Errors
    /// `PARAMETER` for a value that means nothing, `FORBIDDEN` if the record would expire where
    /// nothing removes expired records.
    pub fn void_time(
        &self,
        ttl: u32,
        now: SecondsSince2010,
        current: Option<VoidTime>,
    ) -> Result<VoidTime, ResultCode> {
        let seconds = match (ttl, current) {
            (TTL_NEVER, _) => return Ok(VoidTime::NEVER),
            (TTL_DONT_UPDATE, Some(current)) => return Ok(current),
            (TTL_DEFAULT | TTL_DONT_UPDATE, _) => self.default_ttl_seconds,
            (1..=TTL_SECONDS_MAX, _) => ttl,
            _ => return Err(ResultCode::PARAMETER),
        };
        match seconds {
            0 => Ok(VoidTime::NEVER),
            _ if !self.expiry_allowed => Err(ResultCode::FORBIDDEN),
            _ => Ok(VoidTime(now.0.saturating_add(seconds))),
        }
    }
}

/// When a read renews a record's time to live.
///
/// `percent` is the request's value: 0 takes `default_percent`, -1 never renews, 1 to 100 renew in
/// the last so many percent of the record's life. Returns the void-time to set, if any.
///
/// # Errors
/// `PARAMETER` for any other percentage; only records that expire are checked.
pub fn read_touch(
    percent: u32,
    default_percent: u32,
    void_time: VoidTime,
    last_update_time: LastUpdateTime,
    now: SecondsSince2010,
) -> Result<Option<VoidTime>, ResultCode> {
    const NEVER_TOUCH: u32 = 0xFFFF_FFFF;
    if void_time == VoidTime::NEVER || percent == NEVER_TOUCH {
        return Ok(None);
    }
    let percent = match percent {
        0 => default_percent,
        1..=100 => percent,
        _ => return Err(ResultCode::PARAMETER),
    };
    if percent == 0 {
        return Ok(None);
    }
    let ttl = void_time.0.saturating_sub(last_update_time.seconds().0);
    let threshold = void_time.0 - (u64::from(ttl) * u64::from(percent) / 100) as u32;
    Ok((now.0 >= threshold).then(|| VoidTime(now.0.saturating_add(ttl))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: SecondsSince2010 = SecondsSince2010(1000);

    #[test]
    fn special_values() {
        let rules = TtlRules { default_ttl_seconds: 50, expiry_allowed: true };
        let current = Some(VoidTime(7));
        for (ttl, current, expected) in [
            (0, current, Ok(VoidTime(1050))),
            (60, None, Ok(VoidTime(1060))),
            (TTL_NEVER, current, Ok(VoidTime::NEVER)),
            (TTL_DONT_UPDATE, current, Ok(VoidTime(7))),
            (TTL_DONT_UPDATE, None, Ok(VoidTime(1050))),
            (TTL_SECONDS_MAX, None, Ok(VoidTime(1000 + TTL_SECONDS_MAX))),
            (TTL_SECONDS_MAX + 1, None, Err(ResultCode::PARAMETER)),
            (0xFFFF_FFFD, None, Err(ResultCode::PARAMETER)),
        ] {
            assert_eq!(rules.void_time(ttl, NOW, current), expected, "{ttl}");
        }
    }

    #[test]
    fn nothing_may_expire_where_nothing_removes_it() {
        let rules = TtlRules { default_ttl_seconds: 0, expiry_allowed: false };
        assert_eq!(rules.void_time(5, NOW, None), Err(ResultCode::FORBIDDEN));
        assert_eq!(rules.void_time(0, NOW, None), Ok(VoidTime::NEVER));
        let rules = TtlRules { default_ttl_seconds: 9, ..rules };
        assert_eq!(rules.void_time(0, NOW, None), Err(ResultCode::FORBIDDEN));
        assert_eq!(rules.void_time(TTL_NEVER, NOW, None), Ok(VoidTime::NEVER));
    }

    #[test]
    fn reads_renew_late_in_life() {
        // Written at 900 with 200 seconds to live: the last half begins at 1000.
        let touch = |percent, default, now| {
            read_touch(
                percent,
                default,
                VoidTime(1100),
                LastUpdateTime(900_000),
                SecondsSince2010(now),
            )
        };
        assert_eq!(touch(50, 0, 999), Ok(None));
        assert_eq!(touch(50, 0, 1000), Ok(Some(VoidTime(1200))));
        assert_eq!(touch(0, 50, 1000), Ok(Some(VoidTime(1200))));
        assert_eq!(touch(0, 0, 1100), Ok(None));
        assert_eq!(touch(u32::MAX, 50, 1100), Ok(None));
        assert_eq!(touch(101, 0, 1000), Err(ResultCode::PARAMETER));
        let never = read_touch(101, 0, VoidTime::NEVER, LastUpdateTime(0), NOW);
        assert_eq!(never, Ok(None), "the percentage is not looked at when nothing expires");
    }
}
