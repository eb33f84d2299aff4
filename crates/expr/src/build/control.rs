//! Conditions and variables.

use super::{Builder, Kind, PLAIN_BYTES, Variable, require};
use crate::Invalid;
use crate::program::Op;
use crate::types::Type;

/// Compiled sizes in the original's arithmetic.
const COND_BYTES: usize = 12;
const VARIABLE_BYTES: usize = 16;
const LET_BYTES: usize = 20;

impl<'a> Builder<'a> {
    /// Builds `[condition, value, …, default]`.
    pub(super) fn cond(&mut self, arguments: usize) -> Result<Kind, Invalid> {
        require(arguments % 2 == 1)?;
        let cases = arguments / 2;
        let at = self.open(Op::Cond, COND_BYTES)?;
        let mut common = None;
        for _ in 0..cases {
            self.expression_of(Type::Bool)?;
            self.size_bytes += PLAIN_BYTES;
            self.branch(&mut common)?;
        }
        self.branch(&mut common)?;
        self.close(at);
        Ok(Kind::Of(common.unwrap_or(Type::Bool)))
    }

    /// Builds a value of a condition; all must be of one type, which is that of the first.
    fn branch(&mut self, common: &mut Option<Type>) -> Result<(), Invalid> {
        let kind = self.expression()?;
        if kind == Kind::Unknown {
            return Ok(());
        }
        let branch_type = kind.type_if_any().ok_or(Invalid)?;
        require(*common.get_or_insert(branch_type) == branch_type)
    }

    /// Builds the use of a variable.
    pub(super) fn variable(&mut self) -> Result<Kind, Invalid> {
        let name = self.raw_bytes()?;
        let Some(Variable::Defined { slot, kind }) = self.variables.get(name).copied() else {
            return Err(Invalid);
        };
        // A variable that is always unknown is a boolean like others.
        let variable_type = kind.type_if_any().ok_or(Invalid)?;
        self.leaf(Op::Variable(slot), VARIABLE_BYTES, Kind::Of(variable_type))
    }

    /// Builds `[name, definition, …, body]`.
    pub(super) fn define(&mut self, arguments: usize) -> Result<Kind, Invalid> {
        require(arguments % 2 == 1)?;
        let at = self.open(Op::Let, LET_BYTES)?;
        let mut names: Vec<&'a [u8]> = Vec::new();
        for _ in 0..arguments / 2 {
            let name = self.raw_bytes()?;
            require(is_variable_name(name))?;
            require(self.variables.insert(name, Variable::Undefined).is_none())?;
            names.push(name);
            let kind = self.expression()?;
            let slot = self.live_variables;
            self.variables.insert(name, Variable::Defined { slot, kind });
            self.live_variables += 1;
        }
        let kind = self.expression()?;
        for name in names {
            self.variables.remove(name);
            self.live_variables -= 1;
        }
        self.close(at);
        Ok(kind)
    }
}

fn is_variable_name(name: &[u8]) -> bool {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    name.iter().all(is_word) && name.first().is_some_and(|first| !first.is_ascii_digit())
}
