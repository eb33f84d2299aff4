//! What a write request demands as a whole: checked before any record is looked at.

use wire::message::BIN_NAME_BYTES_MAX;
use wire::{Info1, Info2, Info3, Op, OpCode, ParticleType, Request, ResultCode};

/// Operations a write request has at most.
pub const WRITE_OPS_MAX: u16 = 32_768;

/// Demands of a write request whose flags and operations fit together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WritePolicy {
    /// The record must exist.
    pub must_exist: bool,
    /// The record must be absent.
    pub must_not_exist: bool,
    /// The record's old bins go.
    pub replace: bool,
    /// A delete leaves a tombstone.
    pub durable_delete: bool,
    /// One result for each operation, in order.
    pub respond_all: bool,
}

/// Whether a bin may have this name: at most 15 bytes, none of them zero.
pub fn is_valid_bin_name(name: &[u8]) -> bool {
    name.len() <= BIN_NAME_BYTES_MAX && !name.contains(&0)
}

/// Whether an operation reads the whole record.
pub fn is_read_all(op: &Op<'_>, header: Info1) -> bool {
    op.code == OpCode::READ && op.name.is_empty() && header.contains(Info1::GET_ALL)
}

impl WritePolicy {
    /// Checks flags and operations against each other (protocol reference, write-path op rules).
    ///
    /// # Errors
    /// `PARAMETER` or `BIN_NAME`, whichever operation shows it first.
    pub fn of(request: &Request<'_>) -> Result<Self, ResultCode> {
        let header = &request.header;
        if header.n_ops == 0 || header.n_ops > WRITE_OPS_MAX {
            return Err(ResultCode::PARAMETER);
        }
        let replace = header.info3.intersects(Info3::CREATE_OR_REPLACE | Info3::REPLACE_ONLY);
        let mut policy = Self {
            must_exist: header.info3.intersects(Info3::UPDATE_ONLY | Info3::REPLACE_ONLY),
            must_not_exist: header.info2.contains(Info2::CREATE_ONLY),
            replace,
            durable_delete: header.info2.contains(Info2::DURABLE_DELETE),
            respond_all: header.info2.contains(Info2::RESPOND_ALL_OPS),
        };
        let mut reads = ReadOps::default();
        for op in request.ops() {
            if op.code == OpCode::TOUCH {
                if replace {
                    return Err(ResultCode::PARAMETER);
                }
                policy.must_exist = true;
                continue;
            }
            if !is_valid_bin_name(op.name) {
                return Err(ResultCode::BIN_NAME);
            }
            if replace && needs_old_bins(&op) {
                return Err(ResultCode::PARAMETER);
            }
            reads.note(&op, header.info1, policy.respond_all)?;
        }
        reads.check(header.info1)?;
        Ok(policy)
    }
}

/// Whether an operation makes no sense on a record whose old bins go.
fn needs_old_bins(op: &Op<'_>) -> bool {
    match op.code {
        OpCode::WRITE => op.particle_type == ParticleType::NULL,
        OpCode::INCREMENT
        | OpCode::APPEND
        | OpCode::PREPEND
        | OpCode::DELETE_ALL
        | OpCode::BITS_MODIFY
        | OpCode::HLL_MODIFY
        | OpCode::CDT_MODIFY => true,
        _ => false,
    }
}

/// What the reading operations of a write request ask for.
#[derive(Clone, Copy, Default)]
struct ReadOps {
    any: bool,
    all: bool,
    yields_result: bool,
}

impl ReadOps {
    fn note(&mut self, op: &Op<'_>, info1: Info1, respond_all: bool) -> Result<(), ResultCode> {
        match op.code {
            OpCode::READ if is_read_all(op, info1) => {
                if respond_all || self.all {
                    return Err(ResultCode::PARAMETER);
                }
                self.any = true;
                self.all = true;
            }
            OpCode::READ
            | OpCode::BITS_READ
            | OpCode::HLL_READ
            | OpCode::CDT_READ
            | OpCode::EXPRESSION_READ => {
                self.any = true;
                self.yields_result = true;
            }
            OpCode::CDT_MODIFY | OpCode::HLL_MODIFY => self.yields_result = true,
            _ => {}
        }
        Ok(())
    }

    fn check(self, info1: Info1) -> Result<(), ResultCode> {
        let fits = (!self.any || info1.contains(Info1::READ))
            && !(self.all && self.yields_result)
            && (self.all || !info1.contains(Info1::GET_ALL));
        if fits { Ok(()) } else { Err(ResultCode::PARAMETER) }
    }
}

#[cfg(test)]
mod tests {
    use wire::client::RequestBuilder;

    use super::*;

    type OpSpec = (OpCode, ParticleType, &'static [u8]);

    fn policy(
        info1: Info1,
        info2: Info2,
        info3: Info3,
        ops: &[OpSpec],
    ) -> Result<WritePolicy, ResultCode> {
        let mut builder = RequestBuilder::new().info1(info1).info2(info2).info3(info3);
        for (code, particle_type, name) in ops {
            builder = builder.op(*code, *particle_type, name, b"");
        }
        WritePolicy::of(&Request::parse(&builder.into_body()).unwrap())
    }

    const WRITE: OpSpec = (OpCode::WRITE, ParticleType::BLOB, b"a");
    const READ: OpSpec = (OpCode::READ, ParticleType::NULL, b"a");
    const READ_ALL: OpSpec = (OpCode::READ, ParticleType::NULL, b"");

    #[test]
    fn flags_become_demands() {
        let none = Info1::empty();
        let plain = policy(none, Info2::WRITE, Info3::empty(), &[WRITE]).unwrap();
        assert!(!plain.must_exist && !plain.replace && !plain.must_not_exist);
        assert!(policy(none, Info2::WRITE, Info3::UPDATE_ONLY, &[WRITE]).unwrap().must_exist);
        let replace = policy(none, Info2::WRITE, Info3::REPLACE_ONLY, &[WRITE]).unwrap();
        assert!(replace.must_exist && replace.replace);
        let touch = (OpCode::TOUCH, ParticleType::NULL, &b""[..]);
        assert!(policy(none, Info2::WRITE, Info3::empty(), &[touch]).unwrap().must_exist);
        let create = policy(none, Info2::CREATE_ONLY, Info3::empty(), &[WRITE]).unwrap();
        assert!(create.must_not_exist);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let parameter = Err(ResultCode::PARAMETER);
        let all = Info1::READ | Info1::GET_ALL;
        let none = Info3::empty();
        let write = Info2::WRITE;
        for (what, result, expected) in [
            ("no operations", policy(Info1::empty(), write, none, &[]), parameter),
            ("read without flag", policy(Info1::empty(), write, none, &[READ]), parameter),
            ("get-all without its operation", policy(all, write, none, &[WRITE]), parameter),
            ("read-all twice", policy(all, write, none, &[READ_ALL, READ_ALL]), parameter),
            ("read-all and read", policy(all, write, none, &[READ_ALL, READ]), parameter),
            (
                "read-all with a result each",
                policy(all, write | Info2::RESPOND_ALL_OPS, none, &[READ_ALL]),
                parameter,
            ),
            (
                "long name",
                policy(
                    Info1::empty(),
                    write,
                    none,
                    &[(OpCode::WRITE, ParticleType::BLOB, b"0123456789abcdef")],
                ),
                Err(ResultCode::BIN_NAME),
            ),
        ] {
            assert_eq!(result, expected, "{what}");
        }
    }

    #[test]
    fn replace_admits_no_operation_on_old_bins() {
        let codes = [OpCode::INCREMENT, OpCode::APPEND, OpCode::PREPEND, OpCode::DELETE_ALL];
        let null_write = (OpCode::WRITE, ParticleType::NULL, &b"a"[..]);
        let touch = (OpCode::TOUCH, ParticleType::NULL, &b""[..]);
        let ops = codes.map(|code| (code, ParticleType::BLOB, &b"a"[..]));
        for op in ops.into_iter().chain([null_write, touch]) {
            let result = policy(Info1::empty(), Info2::WRITE, Info3::CREATE_OR_REPLACE, &[op]);
            assert_eq!(result, Err(ResultCode::PARAMETER), "{op:?}");
        }
    }

    #[test]
    fn a_write_has_a_greatest_number_of_operations() {
        let ops = vec![WRITE; usize::from(WRITE_OPS_MAX) + 1];
        let of = |ops: &[OpSpec]| policy(Info1::empty(), Info2::WRITE, Info3::empty(), ops);
        assert!(of(&ops[1..]).is_ok());
        assert_eq!(of(&ops), Err(ResultCode::PARAMETER));
    }
}
