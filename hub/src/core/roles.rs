//! Who works with the web site.

/// What somebody is to the fund.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Runs the fund from day to day.
    Admin,
    /// Pays and reconciles.
    Treasurer,
    /// Looks at figures, never at a person.
    Evaluator,
    /// Sees its own figures and nothing else.
    Shop,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Admin, Self::Treasurer, Self::Evaluator, Self::Shop];

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Treasurer => "treasurer",
            Self::Evaluator => "evaluator",
            Self::Shop => "shop",
        }
    }

    /// Its number in the file.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Admin => 1,
            Self::Treasurer => 2,
            Self::Evaluator => 3,
            Self::Shop => 4,
        }
    }

    /// The role of a number.
    #[must_use]
    pub fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.number() == number)
    }

    /// The role of a name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_lead_back() {
        for role in Role::ALL {
            assert_eq!(Role::of_number(role.number()), Some(role));
            assert_eq!(Role::of_name(role.name()), Some(role));
        }
        assert_eq!((Role::of_number(0), Role::of_name("root")), (None, None));
    }
}
