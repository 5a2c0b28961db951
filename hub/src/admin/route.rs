//! A route of the site: who may ask for it, what it takes, where the menu has it, what programs are told of it.

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::Method;
use axum::routing::MethodRouter;

use super::document::Told;
use super::visit::Step;
use crate::app::App;
use crate::core::roles::Role;

/// Who may ask for a route.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// Everybody.
    Anyone,
    /// Who has shown a password, and has this step before them.
    Step(Step),
    /// Who has shown both factors, in whatever role; a password to be changed is no hindrance.
    Own,
    /// Who is logged in, in one of these roles.
    Roles(&'static [Role]),
    /// A program with a token of one of these roles.
    Token(&'static [Role]),
}

/// What a route takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Takes {
    /// A form, or JSON.
    Form,
    /// A file with a form's fields.
    File,
    /// A question of whoever comes by, with no page of ours before it and no cookie: it changes nothing.
    Question,
}

/// Where in the menu a page stands, in this order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Group {
    /// What is looked at first.
    Home,
    /// Households, members, cards.
    People,
    /// Money in, credits.
    Money,
    /// Shops and their terminals.
    Shops,
    /// Settlements and the bank.
    Bank,
    /// What the fund does, in figures.
    Figures,
    /// Users, the audit log, long work.
    Office,
}

impl Group {
    /// Every group.
    pub const ALL: [Self; 7] =
        [Self::Home, Self::People, Self::Money, Self::Shops, Self::Bank, Self::Figures, Self::Office];

    /// The text of its name.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Home => "group-home",
            Self::People => "group-people",
            Self::Money => "group-money",
            Self::Shops => "group-shops",
            Self::Bank => "group-bank",
            Self::Figures => "group-figures",
            Self::Office => "group-office",
        }
    }
}

/// An entry of the menu.
#[derive(Clone, Debug)]
pub struct MenuEntry {
    /// Where it leads.
    pub path: String,
    /// Its group.
    pub group: Group,
    /// The name of its text; empty where it only says to which group its pages belong.
    pub text: &'static str,
    /// Who sees it.
    pub roles: &'static [Role],
}

/// A route of the site.
#[derive(Clone, Debug)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, as axum writes it.
    pub path: Cow<'static, str>,
    /// Who may ask.
    pub access: Access,
    /// Group and text of its entry in the menu; none where it has no entry.
    pub menu: Option<(Group, &'static str)>,
    /// What it takes.
    pub takes: Takes,
    /// True where only a login does this that does not wait for a confirmation.
    pub needs_vouched: bool,
    /// What programs are told of it; none where it is not for programs.
    pub told: Option<Told>,
    pub(super) handler: MethodRouter<Arc<App>>,
}

impl Route {
    /// A page that is shown.
    #[must_use]
    pub const fn get(path: &'static str, access: Access, handler: MethodRouter<Arc<App>>) -> Self {
        Self::of(Method::GET, path, access, handler)
    }

    /// A form that is sent.
    #[must_use]
    pub const fn post(path: &'static str, access: Access, handler: MethodRouter<Arc<App>>) -> Self {
        Self::of(Method::POST, path, access, handler)
    }

    const fn of(method: Method, path: &'static str, access: Access, handler: MethodRouter<Arc<App>>) -> Self {
        Self {
            method,
            path: Cow::Borrowed(path),
            access,
            menu: None,
            takes: Takes::Form,
            needs_vouched: false,
            told: None,
            handler,
        }
    }

    /// A form with a file.
    #[must_use]
    pub fn file(self) -> Self {
        Self { takes: Takes::File, ..self }
    }

    /// A form that only asks something.
    #[must_use]
    pub fn question(self) -> Self {
        Self { takes: Takes::Question, ..self }
    }

    /// Keeps it for logins that do not wait for a confirmation: a part of what two people decide, or a change of users.
    #[must_use]
    pub fn vouched(self) -> Self {
        Self { needs_vouched: true, ..self }
    }

    /// Gives it an entry in the menu, for those who may see it.
    #[must_use]
    pub fn menu(self, group: Group, text: &'static str) -> Self {
        Self { menu: Some((group, text)), ..self }
    }

    /// Puts it, and what lies below it, under a group of the menu without an entry of its own.
    #[must_use]
    pub fn under(self, group: Group) -> Self {
        Self { menu: Some((group, "")), ..self }
    }

    /// Gives it to programs, too, as JSON at `/api` and the same path: see [`with_twins`].
    #[must_use]
    pub fn api(self, told: Told) -> Self {
        Self { told: Some(told), ..self }
    }

    /// The same for programs with a token of the same roles.
    fn twin(&self) -> Option<Self> {
        let (Some(_), Access::Roles(roles)) = (self.told, self.access) else { return None };
        let path = Cow::Owned(format!("/api{}", self.path));
        Some(Self { path, access: Access::Token(roles), menu: None, ..self.clone() })
    }
}

/// Every route, and beside each that programs may ask for its twin.
#[must_use]
pub fn with_twins(routes: Vec<Route>) -> Vec<Route> {
    let twins: Vec<_> = routes.iter().filter_map(Route::twin).collect();
    routes.into_iter().chain(twins).collect()
}
