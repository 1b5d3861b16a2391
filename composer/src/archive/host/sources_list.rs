//! apt's sources (sources.list(5)), both formats, of which only Debian's own are taken.

use crate::archive::control::paragraphs;

/// Addresses of mirrors that the host installs Debian itself from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostMirrors {
    pub debian: Vec<String>,
    pub security: Vec<String>,
}

struct Entry<'t> {
    uris: Vec<&'t str>,
    suites: Vec<&'t str>,
    components: Vec<&'t str>,
    signed_by: Option<&'t str>,
}

impl HostMirrors {
    /// Reads the deb822 format: files that end in `.sources`.
    pub fn add_deb822(&mut self, text: &str) {
        for paragraph in paragraphs(text) {
            let words =
                |name: &str| paragraph.get(name).unwrap_or_default().split_ascii_whitespace().collect::<Vec<_>>();
            let disabled = paragraph.get("Enabled").is_some_and(|v| matches!(v, "no" | "false" | "0"));
            if words("Types").contains(&"deb") && !disabled {
                self.add(&Entry {
                    uris: words("URIs"),
                    suites: words("Suites"),
                    components: words("Components"),
                    signed_by: paragraph.get("Signed-By"),
                });
            }
        }
    }

    /// Reads the one-line format: `deb [options] uri suite component…`.
    pub fn add_list(&mut self, text: &str) {
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default().trim();
            let Some(rest) = line.strip_prefix("deb ").or_else(|| line.strip_prefix("deb\t")) else { continue };
            let (options, rest) = match rest.trim_start().strip_prefix('[').and_then(|r| r.split_once(']')) {
                Some((options, rest)) => (options, rest),
                None => ("", rest),
            };
            let mut words = rest.split_ascii_whitespace();
            let (Some(uri), Some(suite)) = (words.next(), words.next()) else { continue };
            let signed_by = options.split_ascii_whitespace().find_map(|o| o.strip_prefix("signed-by="));
            self.add(&Entry { uris: vec![uri], suites: vec![suite], components: words.collect(), signed_by });
        }
    }

    fn add(&mut self, entry: &Entry<'_>) {
        for uri in entry.uris.iter().map(|uri| uri.trim_end_matches('/')) {
            let known = ["http://", "https://", "file:"].iter().any(|scheme| uri.starts_with(scheme));
            if !known || !entry.is_debian(uri) {
                continue;
            }
            let security = uri.ends_with("/debian-security") || entry.suites.iter().any(|s| s.ends_with("-security"));
            let list = if security { &mut self.security } else { &mut self.debian };
            if !list.iter().any(|known| known == uri) {
                list.push(uri.to_owned());
            }
        }
    }
}

impl Entry<'_> {
    /// A third party's source is never asked, even if its path looks like Debian's: it must be signed by Debian's
    /// keys, or say nothing of keys, lie at Debian's usual path and hold a suite and component of Debian.
    fn is_debian(&self, uri: &str) -> bool {
        if let Some(key) = self.signed_by {
            return key.contains("/debian-archive-");
        }
        let usual = uri.ends_with("/debian") || uri.ends_with("/debian-security");
        let suite = self.suites.iter().all(|s| SUITES.contains(&s.split(['-', '/']).next().unwrap_or_default()));
        usual && suite && self.components.contains(&"main")
    }
}

const SUITES: [&str; 10] =
    ["bullseye", "bookworm", "trixie", "forky", "sid", "oldoldstable", "oldstable", "stable", "testing", "unstable"];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn debian_is_taken_and_third_parties_are_not() {
        let mut mirrors = HostMirrors::default();
        mirrors.add_deb822(
            "# a comment\nTypes: deb deb-src\nURIs: http://m.org/debian/ file:///srv/debian\nSuites: bookworm\n\
            Components: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n\
            Types: deb\nURIs: https://deb.nodesource.com/node_20.x\nSuites: nodistro\nComponents: main\n\
            Signed-By: /usr/share/keyrings/nodesource.gpg\n\n\
            Types: deb\nEnabled: no\nURIs: http://off.org/debian\nSuites: trixie\nComponents: main\n",
        );
        mirrors.add_list(
            "deb http://deb.debian.org/debian-security bookworm-security main # here\n\
            deb [arch=amd64 signed-by=/etc/apt/keyrings/docker.asc] https://download.docker.com/linux/debian trixie main\n\
            deb https://download.docker.com/linux/debian trixie stable\n\
            deb https://packages.cloud.google.com/apt cloud-sdk-bookworm main\n\
            deb-src http://src.org/debian trixie main\n#deb http://no.org/debian trixie main\ndeb\n\
            deb http://m.org/debian bookworm main contrib\ndeb cdrom:[Debian]/ trixie main\n",
        );
        assert_eq!(mirrors.debian, ["http://m.org/debian", "file:///srv/debian"]);
        assert_eq!(mirrors.security, ["http://deb.debian.org/debian-security"]);
    }

    proptest! {
        #[test]
        fn any_text_parses(text in "((deb|Types:|URIs:) ?\\PC{0,30}\n){0,6}") {
            HostMirrors::default().add_list(&text);
            HostMirrors::default().add_deb822(&text);
        }
    }
}
