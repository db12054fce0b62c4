//! What addresses call a job of a cluster.

use std::fmt;

use uuid::Uuid;

/// `team~night`, the job of that name as it is now or was last; `team~night~0aaa106e`, an earlier one that was deleted.
/// Neither a namespace nor a name has a tilde.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) namespace: String,
    pub(super) name: String,
    /// How the UID of the one begins that is meant.
    pub(super) uid: Option<String>,
}

/// So much of a UID tells two jobs of one name apart.
const SHORT: usize = 8;

impl Key {
    pub(super) fn now(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned(), uid: None }
    }

    pub(super) fn earlier(namespace: &str, name: &str, uid: Uuid) -> Self {
        let uid = Some(uid.to_string()[..SHORT].to_owned());
        Self { uid, ..Self::now(namespace, name) }
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('~');
        let (namespace, name) = (parts.next()?, parts.next()?);
        let uid = parts.next().map(str::to_owned);
        let fits = !namespace.is_empty()
            && !name.is_empty()
            && uid.as_ref().is_none_or(|uid| uid.len() == SHORT)
            && parts.next().is_none();
        fits.then(|| Self { uid, ..Self::now(namespace, name) })
    }

    /// Whether the job of this UID is meant, among those of the name.
    pub(super) fn means(&self, uid: Uuid) -> bool {
        self.uid.as_ref().is_none_or(|wanted| uid.to_string().starts_with(wanted.as_str()))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}~{}", self.namespace, self.name)?;
        self.uid.as_ref().map_or(Ok(()), |uid| write!(formatter, "~{uid}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_the_job_of_now_or_one_that_was() {
        let uid = Uuid::from_u128(0x0aaa_106e << 96);
        let earlier = Key::earlier("team", "night.v2", uid);
        assert_eq!(earlier.to_string(), "team~night.v2~0aaa106e");
        assert_eq!(Key::read("team~night.v2~0aaa106e"), Some(earlier.clone()));
        assert!(earlier.means(uid) && !earlier.means(Uuid::nil()));
        let now = Key::now("team", "night");
        assert_eq!(Key::read("team~night"), Some(now.clone()));
        assert!(now.means(uid));
        for text in ["", "night", "~night", "team~", "team~night~1", "team~night~0aaa106e~x"] {
            assert_eq!(Key::read(text), None, "{text}");
        }
    }
}
