//! The kernel's command line: nothing in it may undo what keeps the machine closed.

use super::node::{Faults, Node, brief};

pub fn check(profile: &Node<'_>, faults: &mut Faults<'_>) {
    let Some(kernel) = profile.get("kernel") else { return };
    for (node, parameter) in kernel.texts("cmdline") {
        if let Some((message, help)) = fault(parameter) {
            faults.at(&node, message, "this parameter", &help);
        }
    }
    whole_line(&kernel, faults);
}

/// The kernel reads 2048 bytes (`COMMAND_LINE_SIZE`); the menu's own parameters need up to 200 of them.
const LINE: usize = 1800;

fn whole_line(kernel: &Node<'_>, faults: &mut Faults<'_>) {
    let length: usize = kernel.texts("cmdline").iter().map(|(_, parameter)| parameter.len() + 1).sum();
    if let Some(node) = kernel.get("cmdline").filter(|_| length > LINE) {
        let message = format!("a kernel command line of {length} characters");
        faults.at(&node, message, "all of these", &format!("leave out some: {LINE} fit beside the boot menu's own"));
    }
}

/// What is wrong with a kernel parameter, and the way out.
fn fault(parameter: &str) -> Option<(String, String)> {
    if parameter.is_empty() {
        return Some(("an empty kernel parameter".into(), "remove it".into()));
    }
    // Control characters are reported for every string.
    if parameter.contains(' ') {
        return Some(("a kernel parameter with a space".into(), "write each parameter as an entry of its own".into()));
    }
    if !parameter.chars().all(|c| c.is_ascii_graphic() || c.is_control()) {
        return Some(("a kernel parameter that is not ASCII".into(), "use printable ASCII".into()));
    }
    if parameter.contains(['"', '\'', '\\', '`']) {
        let message = "a kernel parameter with a quote or backslash";
        return Some((
            message.into(),
            "the boot loader and the kernel each read quotes their own way: leave them out".into(),
        ));
    }
    if parameter.len() > 500 {
        return Some(("a kernel parameter of more than 500 characters".into(), "the whole line holds 1800".into()));
    }
    let why = refusal(parameter)?;
    let shown = brief(parameter);
    Some((format!("the kernel parameter `{shown}` is not allowed: {why}"), "remove it".into()))
}

/// Why a parameter would undo what the image promises.
fn refusal(parameter: &str) -> Option<&'static str> {
    let name = parameter.split('=').next().unwrap_or_default();
    // The kernel and systemd take `-` and `_` as the same.
    let name = name.replace('-', "_");
    Some(match name.as_str() {
        "" | "__" | "___" => "it ends the kernel's parameters, and what follows goes to the first program",
        "init" | "rdinit" | "recovery" => "it starts another program instead of the system",
        "break" | "panic" | "rd.break" | "rd.shell" | "rescue" | "emergency" | "single" | "s" | "S" | "1" | "_s"
        | "_b" | "rd.rescue" | "rd.emergency" => "it can open a shell without a password",
        "systemd.debug_shell" | "rd.systemd.debug_shell" | "systemd.crash_shell" | "rd.systemd.crash_shell" => {
            "it opens a root shell without a password"
        }
        "systemd.unit" | "systemd.wants" | "systemd.mask" | "rd.systemd.unit" | "rd.systemd.wants"
        | "rd.systemd.mask" => "it changes which units start; services belong in the profile",
        "systemd.run" | "systemd.run_success_action" | "systemd.run_failure_action" => "it runs a program as root",
        "systemd.setenv" | "rd.systemd.setenv" => "it can open a shell without a password (SYSTEMD_SULOGIN_FORCE)",
        "systemd.confirm_spawn" => "it waits for an answer on the console before each unit",
        "systemd.import_credentials" => "a user's `password_hash_file` is handed over as a credential",
        "systemd.hostname" => "the machine's name is `hostname:` of the profile",
        "systemd.machine_id" if parameter.split('=').nth(1) != Some("firmware") => "each device makes its own at boot",
        "systemd.set_credential" | "systemd.set_credential_binary" => {
            "every user can read it in /proc/cmdline; use `password_hash_file`"
        }
        "ignore_uuid" => "another Debian medium in the machine could be taken for this one",
        "toram" if parameter.contains('=') => "it copies one layer of three; `toram` alone copies the system",
        "boot"
        | "module"
        | "root"
        | "live_media"
        | "live_media_path"
        | "fetch"
        | "httpfs"
        | "nfsroot"
        | "netboot"
        | "findiso"
        | "fromiso"
        | "isofrom"
        | "bootfrom"
        | "ftpfs"
        | "iscsi"
        | "nfsoverlay"
        | "nfsopts"
        | "nfscow"
        | "union"
        | "skipunion"
        | "plainroot"
        | "exposedroot"
        | "live_media_offset"
        | "initrd"
        | "noinitrd"
        | "dm_verity_root_hash"
        | "roothash"
        | "systemd.volatile" => "the boot menu decides where the system comes from",
        "todisk" => "it overwrites a disk of the machine",
        "persistence_remove" | "live_boot.persistence_remove" => "it deletes what the machine keeps, at every boot",
        "verify_checksums" | "live_boot.verify_checksums" => "it reboots the machine when the medium is sound",
        "swap" | "live_boot.swap" => "it writes to disks of the machine",
        "hooks" | "preseed" | "url" => "it runs or reads what comes from elsewhere",
        _ if name == "config" || name == "components" || name.starts_with("live_config") => {
            "live-config makes a user with a known password"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_the_machine_closed_stays() {
        for bad in [
            "init=/bin/sh",
            "break",
            "break=premount",
            "systemd.debug_shell",
            "systemd.debug-shell=1",
            "rd.break",
            "panic=0",
            "live-config.username=x",
            "module=x",
            "boot=live",
            "a b",
            "",
            "--",
            "ü",
            "a\"b",
            "single",
            "iscsi=x",
            "todisk=/dev/sda",
            "ignore_uuid",
            "toram=2-base.squashfs",
            "live-media-path=/x",
            "persistence-remove",
            "verify-checksums=sha256",
            "systemd.machine_id=0123456789abcdef0123456789abcdef",
        ] {
            assert!(fault(bad).is_some(), "{bad}");
        }
        for good in [
            "quiet",
            "console=ttyS0,115200n8",
            "mitigations=auto,nosmt",
            "memmap=64M$0x1000000",
            "toram",
            "persistence-encryption=none",
            "systemd.machine_id=firmware",
            "panic_on_oops=1",
        ] {
            assert_eq!(fault(good), None, "{good}");
        }
    }
}
