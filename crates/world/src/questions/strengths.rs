//! Measured tendencies of kinds; see the header of `balance`. Rows follow `ObjectKind::ALL`, `FixtureKind::ALL`,
//! then people.

use super::Strengths;

pub(crate) const NEARER: Strengths = [0; super::KINDS];
pub(crate) const LARGER: Strengths = [0; super::KINDS];
pub(crate) const HIGHER: Strengths = [0; super::KINDS];
