//! How an operator's process stands.

use std::fmt;

/// How an operator's process stands, as `/readyz` says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Whether anybody leads is not known.
    Starting,
    /// Another leads, and this one takes over when that one is gone.
    StandingBy {
        /// Who leads.
        leader: String,
    },
    /// It leads since a moment ago, and does not know every job yet.
    TakingUp,
    /// It leads.
    Leading,
    /// It was asked to end.
    Stopping,
}

impl Health {
    /// Whether it does what it is there for.
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::StandingBy { .. } | Self::Leading)
    }

    /// Whether it leads.
    pub fn leads(&self) -> bool {
        matches!(self, Self::TakingUp | Self::Leading)
    }
}

impl fmt::Display for Health {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting => formatter.write_str("starting: whether anybody leads is not known yet"),
            Self::StandingBy { leader } => write!(formatter, "standing by: {leader} leads"),
            Self::TakingUp => formatter.write_str("leading, but not every job is known yet"),
            Self::Leading => formatter.write_str("leading"),
            Self::Stopping => formatter.write_str("stopping"),
        }
    }
}
