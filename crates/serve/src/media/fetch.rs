//! Media from other servers, of hosts that the operator named and of no others. An address is read once; its host is
//! resolved once, every resolved address must be public, and that address is the one connected to. A redirect is a new
//! address and goes through all of it again.

use std::fmt;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use url::{Host, Url};

use crate::refusal::{Answered, Refusal};

/// Most redirects that are followed.
const MOST_REDIRECTS: usize = 3;

/// Which media may be fetched.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    /// `name` or `name:port`, lower case.
    pub(crate) hosts: Vec<String>,
    pub(crate) private: bool,
    pub(crate) most_bytes: u64,
}

impl Remote {
    /// Reads an address and refuses it unless its host was named.
    pub(crate) fn check(&self, location: &str) -> Answered<Url> {
        let refuse = |why: &str| Err(Refusal::medium(format!("this address is not fetched: {why}")));
        if self.hosts.is_empty() {
            return refuse(
                "fetching is off (--media-host); send the medium itself, or upload it to /v1/files",
            );
        }
        let Ok(url) = Url::parse(location) else { return refuse("it cannot be read") };
        if !matches!(url.scheme(), "http" | "https") {
            return refuse("only http and https are");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("it carries a user name or password");
        }
        // Written otherwise than the standard writes it, two readers may see two hosts.
        if location.contains(['\\', '\t', '\n', '\r', ' '])
            || location.contains('@') && !url.path().contains('@')
        {
            return refuse("it has characters that readers disagree about");
        }
        let Some(host) = url.host() else { return refuse("it names no host") };
        let name = host.to_string().to_ascii_lowercase();
        let with_port = format!("{name}:{}", url.port_or_known_default().unwrap_or(0));
        if !self.hosts.iter().any(|allowed| *allowed == name || *allowed == with_port) {
            return refuse("its host is not among those of --media-host");
        }
        let literal = match host {
            Host::Ipv4(ip) => Some(IpAddr::V4(ip)),
            Host::Ipv6(ip) => Some(IpAddr::V6(ip)),
            Host::Domain(_) => None,
        };
        if literal.is_some_and(|ip| !self.private && !is_public(ip)) {
            return refuse("it is on a private network");
        }
        Ok(url)
    }

    /// Writes what is at an address into a file, before the deadline. Blocks.
    pub(crate) fn fetch(&self, location: &str, target: &Path, until: Instant) -> Answered<()> {
        let mut url = self.check(location)?;
        for _ in 0..=MOST_REDIRECTS {
            match self.hop(&url, target, until)? {
                None => return Ok(()),
                Some(next) => {
                    let next = url.join(&next).map_err(|_| failed("it redirects to nowhere"))?;
                    url = self.check(next.as_str())?;
                }
            }
        }
        Err(failed("it redirects too often"))
    }

    /// One request; the address it redirects to, if it does.
    fn hop(&self, url: &Url, target: &Path, until: Instant) -> Answered<Option<String>> {
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        let config =
            Config::builder().timeout_global(Some(left)).max_redirects(0).http_status_as_error(false);
        let config = config.max_redirects_will_error(false).proxy(None).build();
        let resolver = Checked { inner: DefaultResolver::default(), private: self.private };
        let agent = ureq::Agent::with_parts(config, DefaultConnector::default(), resolver);
        let uri: Uri = url.as_str().parse().map_err(|_| failed("it cannot be read"))?;
        let seen = uri.host().map(|host| host.trim_matches(['[', ']']).to_ascii_lowercase());
        let meant = url.host_str().map(|host| host.trim_matches(['[', ']']).to_ascii_lowercase());
        if seen != meant {
            return Err(failed("two readers see two hosts in it"));
        }
        let mut response =
            agent.get(uri).call().map_err(|_| failed("its host does not answer, or may not"))?;
        let status = response.status();
        if status.is_redirection() {
            let next = response.headers().get("location").and_then(|next| next.to_str().ok());
            return next.map(|next| Some(next.to_owned())).ok_or_else(|| failed("it redirects to nowhere"));
        }
        if !status.is_success() {
            return Err(failed(&format!("its host answers {}", status.as_u16())));
        }
        let mut file = fs_err::File::create(target).map_err(|error| Refusal::internal(&error.to_string()))?;
        let mut reader = response.body_mut().with_config().limit(u64::MAX).reader().take(self.most_bytes + 1);
        let mut piece = vec![0; 1 << 16];
        let mut total = 0;
        loop {
            let count = reader.read(&mut piece).map_err(|_| failed("the connection broke"))?;
            if count == 0 {
                return Ok(None);
            }
            total += count as u64;
            if total > self.most_bytes {
                return Err(failed(&format!("it has more than {} bytes", self.most_bytes)));
            }
            file.write_all(&piece[..count]).map_err(|error| Refusal::internal(&error.to_string()))?;
        }
    }
}

fn failed(why: &str) -> Refusal {
    Refusal::medium(format!("the medium cannot be fetched: {why}"))
}

/// Resolves as the system does and refuses a name that leads to a private network.
struct Checked {
    inner: DefaultResolver,
    private: bool,
}

impl fmt::Debug for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Checked")
    }
}

impl Resolver for Checked {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        left: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.inner.resolve(uri, config, left)?;
        // One private address among public ones is a trap as well.
        match self.private || found.iter().all(|address| is_public(address.ip())) {
            true => Ok(found),
            false => Err(ureq::Error::HostNotFound),
        }
    }
}

/// Whether an address belongs to the public network. IPv6 addresses that carry an IPv4 one are as public as it is.
pub(crate) fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => carried_v4(ip).map_or_else(|| is_public_v6(ip), is_public_v4),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let reserved = ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_broadcast()
        || ip.is_documentation()
        || ip.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && b & 0xc0 == 64) // carrier-grade NAT, RFC 6598
        || (a, b, c) == (192, 0, 0) // RFC 6890
        || (a, b, c) == (192, 88, 99) // 6to4 relays
        || (a == 198 && b & 0xfe == 18); // benchmarks, RFC 2544
    !reserved
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, ..] = ip.segments();
    // Only 2000::/3 is given out for public use; Teredo and documentation are inside it.
    a & 0xe000 == 0x2000 && (a, b) != (0x2001, 0) && (a, b) != (0x2001, 0xdb8)
}

/// The IPv4 address inside a mapped, compatible, translated or 6to4 one.
fn carried_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = ip.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match s {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] => Some(v4(high, low)),
        [0, 0, 0, 0, 0xffff, 0, high, low] => Some(v4(high, low)),
        [0x64, 0xff9b, .., high, low] => Some(v4(high, low)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_known_in_every_dress() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.0.8",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::7f00:1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "fec0::1",
            "::ffff:0:7f00:1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "172.32.0.1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn readers_that_disagree_are_no_way_in() {
        let hosts = vec!["media.example".to_owned(), "127.0.0.1".to_owned(), "other.example:8443".to_owned()];
        let remote = Remote { hosts, private: false, most_bytes: 1 };
        for allowed in
            ["http://media.example/a.jpg", "https://MEDIA.example:444/a", "https://other.example:8443/b"]
        {
            assert!(remote.check(allowed).is_ok(), "{allowed}");
        }
        for refused in [
            "http://evil.example/a.jpg",
            "http://media.example@evil.example/",
            "http://evil.example@media.example/",
            "http://user:pass@media.example/",
            "http://evil.example\\@media.example/",
            "http://media.example\\.evil.example/",
            "http://media.example#@evil.example/",
            "http://media.example:80@evil.example/",
            "http://media.example.evil.example/",
            "https://other.example/b",
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0177.0.0.1/",
            "http://0x7f.1/",
            "http://127.1/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::1]/",
            "http:/\t/media.example/",
            "ftp://media.example/a",
            "gopher://media.example/",
            "file:///etc/passwd",
            "http://",
            "http://medi\u{0430}.example/",
        ] {
            assert!(remote.check(refused).is_err(), "{refused}");
        }
        let off = Remote { hosts: Vec::new(), ..remote };
        assert!(off.check("http://media.example/").unwrap_err().message.contains("--media-host"));
    }
}
