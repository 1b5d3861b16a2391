//! Sets of packages of several kinds, each installed by apt too.

use borg_tests::apt::{self, Set};
use borg_tests::real::bench;

/// Nothing but the smaller kernel, so that each set shows its own packages.
macro_rules! small {
    ($more:literal) => {
        concat!("kernel: { flavour: cloud }\nfirmware: none\n", $more)
    };
}

/// What the composer runs for a locale.
const LOCALE: &[&str] =
    &["localedef", "-i", "de_DE", "-c", "-f", "UTF-8", "-A", "/usr/share/locale/locale.alias", "de_DE.UTF-8"];

#[test]
#[ignore = "takes minutes and root: ./.ci/test --long runs it"]
fn edge_iot_is_what_apt_makes() {
    let profile = "services: [nginx, mcp, com-monitor]\n";
    apt::compare(&bench(), &Set { name: "apt-edge-iot", profile, commands: &[] });
}

#[test]
#[ignore = "takes minutes and root: ./.ci/test --long runs it"]
fn remote_administration_is_what_apt_makes() {
    let profile = small!(
        "locale: de_DE.UTF-8
services: [ssh]
users:
  - name: ann
    sudo: true
    password_hash: $6$saltsaltsalt$KTsGLxGgJ6uzbbGrJWGgOsXzgcLFBmVBAWp8FbHwRWw.UYr0ZyqaKYtRXHtMyqNoSHmAkSfoYlcAnBGLdbZqD0
packages: [jq, python3]
"
    );
    apt::compare(&bench(), &Set { name: "apt-admin", profile, commands: &[LOCALE] });
}

#[test]
#[ignore = "takes minutes and root: ./.ci/test --long runs it"]
fn databases_and_mail_are_what_apt_makes() {
    let profile = small!("packages: [postgresql, exim4-daemon-light, redis-server]\n");
    apt::compare(&bench(), &Set { name: "apt-mail", profile, commands: &[] });
}

/// The preinst of mariadb-server runs programs of packages that it pre-depends on.
#[test]
#[ignore = "takes minutes and root: ./.ci/test --long runs it"]
fn packages_with_pre_depends_are_what_apt_makes() {
    let profile = small!("packages: [mariadb-server]\n");
    apt::compare(&bench(), &Set { name: "apt-mariadb", profile, commands: &[] });
}

#[test]
#[ignore = "takes minutes and root: ./.ci/test --long runs it"]
fn containers_and_networks_are_what_apt_makes() {
    let profile = small!(
        "packages: [podman, uidmap, dnsmasq, wireguard-tools, iputils-ping, iptables, mtr-tiny, tcpdump, \
         openvswitch-switch, avahi-daemon]\n"
    );
    apt::compare(&bench(), &Set { name: "apt-network", profile, commands: &[] });
}

#[test]
#[ignore = "takes minutes and root: ./.ci/test --long runs it"]
fn a_desktop_is_what_apt_makes() {
    let profile = small!("packages: [xfce4, lightdm, xorg, emacs-nox, network-manager, cups]\n");
    apt::compare(&bench(), &Set { name: "apt-desktop", profile, commands: &[] });
}
