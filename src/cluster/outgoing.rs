//! The operator's way to the outside. Who names an address in a credential or a notification must not reach by it what
//! only the operator can: the node, the metadata service, the inside of the cluster.

use std::{
    error::Error,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use reqwest::{
    Client, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use url::Host;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// The service sends something every few seconds; so long without a byte is a dead connection.
const SILENCE_TIMEOUT: Duration = Duration::from_mins(5);

/// A range of addresses: `10.96.0.0/12`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Why a text is no [`Network`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no range of addresses, such as 10.96.0.0/12 or fd00::/8")]
pub struct InvalidNetwork(String);

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let invalid = || InvalidNetwork(text.to_owned());
        let (address, prefix) =
            text.split_once('/').map_or((text, None), |(address, rest)| (address, Some(rest)));
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().ok().filter(|prefix| *prefix <= longest).ok_or_else(invalid)?,
            None => longest,
        };
        Ok(Self { address, prefix })
    }
}

/// Its first address and how long its prefix is, as Kubernetes wants it.
impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", first(self.address, self.prefix), self.prefix)
    }
}

impl Network {
    pub(super) fn holds(self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4()
            && first(address, self.prefix) == first(self.address, self.prefix)
    }
}

/// The first address of the range of an address, by the length of its prefix.
fn first(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            Ipv4Addr::from(u32::from(address) & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            Ipv6Addr::from(u128::from(address) & mask).into()
        }
    }
}

/// Why the outside is not asked.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It is not outside.
    #[error(
        "{0} is an address of the inside, which the operator asks for nobody: `mozart operator --allow-address` lets it"
    )]
    Inner(String),
    /// The address has no host.
    #[error("the address has no host")]
    NoHost,
}

/// The one way out. Clones share their connections.
#[derive(Clone)]
pub struct Outgoing {
    client: Client,
    allowed: Arc<[Network]>,
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Outgoing").field("allowed", &self.allowed).finish_non_exhaustive()
    }
}

impl Outgoing {
    /// One that asks inner addresses only in these ranges.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(allowed: Vec<Network>) -> reqwest::Result<Self> {
        let allowed: Arc<[Network]> = allowed.into();
        // Fails only when somebody has installed one before, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(SILENCE_TIMEOUT)
            // A redirect would carry the key to another host.
            .redirect(Policy::none())
            // What a proxy connects to is not seen from here.
            .no_proxy()
            .dns_resolver(Arc::new(Guard { allowed: Arc::clone(&allowed) }))
            .user_agent(concat!("mozart/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client, allowed })
    }

    /// The connections for requests to `url`. Names are looked at when they are resolved for a connection, and again
    /// for the next.
    ///
    /// # Errors
    /// The address is written as a number, and is not to be asked.
    pub fn to(&self, url: &Url) -> Result<Client, Refused> {
        let literal = match url.host().ok_or(Refused::NoHost)? {
            Host::Ipv4(address) => Some(IpAddr::V4(address)),
            Host::Ipv6(address) => Some(IpAddr::V6(address)),
            Host::Domain(_) => None,
        };
        match literal {
            Some(address) if !may_ask(address, &self.allowed) => Err(Refused::Inner(address.to_string())),
            _ => Ok(self.client.clone()),
        }
    }
}

/// Resolves names, and leaves out what is not to be asked.
struct Guard {
    allowed: Arc<[Network]>,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = Arc::clone(&self.allowed);
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found = tokio::task::spawn_blocking(move || (host.as_str(), 0).to_socket_addrs()).await??;
            let found: Vec<SocketAddr> = found.collect();
            let outside: Vec<SocketAddr> =
                found.iter().copied().filter(|address| may_ask(address.ip(), &allowed)).collect();
            match found.first() {
                Some(_) if outside.is_empty() => {
                    Err(Box::new(Refused::Inner(name.as_str().to_owned())) as Box<dyn Error + Send + Sync>)
                }
                _ => Ok(Box::new(outside.into_iter()) as Addrs),
            }
        })
    }
}

fn may_ask(address: IpAddr, allowed: &[Network]) -> bool {
    !is_inner(address) || allowed.iter().any(|network| network.holds(address))
}

/// Whether an address is of a machine, a network or a cluster, and not of the Internet.
fn is_inner(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_inner_v4(address),
        IpAddr::V6(address) => embedded(address).map_or_else(|| is_inner_v6(address), is_inner_v4),
    }
}

fn is_inner_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    first == 0
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || first >= 240
        // Carrier-grade NAT, protocol assignments, benchmarks.
        || first == 100 && second & 0xc0 == 64
        || (first, second, third) == (192, 0, 0)
        || first == 198 && second & 0xfe == 18
}

fn is_inner_v6(address: Ipv6Addr) -> bool {
    // Only this eighth of all addresses is of the Internet.
    let global = address.segments()[0] & 0xe000 == 0x2000;
    let documentation = address.segments()[..2] == [0x2001, 0xdb8];
    !global || documentation
}

/// The address of version 4 that a gateway would make of this one.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_of_the_internet_is_not_asked() {
        let inner = [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "192.0.0.1",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "::127.0.0.1",
            "64:ff9b:1::a00:1",
            "fec0::1",
            "2001:db8::1",
        ];
        for address in inner {
            assert!(is_inner(address.parse().unwrap()), "{address}");
        }
        for address in ["1.1.1.1", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "64:ff9b::101:101"] {
            assert!(!is_inner(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn a_range_holds_its_addresses_and_no_others() {
        let holds =
            |range: &str, address: &str| range.parse::<Network>().unwrap().holds(address.parse().unwrap());
        assert!(holds("10.96.0.0/12", "10.111.255.255") && !holds("10.96.0.0/12", "10.112.0.0"));
        assert!(holds("127.0.0.1", "127.0.0.1") && !holds("127.0.0.1", "127.0.0.2"));
        assert!(holds("fd00::/8", "fdff::1") && !holds("fd00::/8", "fe00::1"));
        assert!(holds("0.0.0.0/0", "9.9.9.9") && !holds("0.0.0.0/0", "::1"));
        for wrong in ["10.0.0.0/33", "ten", "10.0.0.0/", "fd00::/129"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_number_is_refused_before_anything_is_sent() {
        let outgoing = Outgoing::new(vec!["127.0.0.1".parse().unwrap()]).unwrap();
        let to = |url: &str| outgoing.to(&url.parse().unwrap());
        for url in
            ["http://169.254.169.254/latest", "http://0x7f000002/", "http://[::1]:80/", "http://2130706434/"]
        {
            assert!(matches!(to(url), Err(Refused::Inner(_))), "{url}");
        }
        assert!(to("http://127.0.0.1:8080/").is_ok());
        assert!(to("https://api.anthropic.com").is_ok());
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_refused_when_it_is_resolved() {
        let outgoing = Outgoing::new(Vec::new()).unwrap();
        let url: Url = "http://localhost:9/".parse().unwrap();
        let error = outgoing.to(&url).unwrap().get(url).send().await.unwrap_err();
        let mut cause: Option<&dyn Error> = Some(&error);
        let mut texts = Vec::new();
        while let Some(error) = cause {
            texts.push(error.to_string());
            cause = error.source();
        }
        assert!(texts.iter().any(|text| text.contains("address of the inside")), "{texts:?}");
    }
}
