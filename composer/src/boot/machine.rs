//! The virtual machine: what it is made of, as QEMU's argument vector.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::network::Network;
use super::options::{Firmware, Media};
use super::{DISK, MEDIUM, SERIAL};

/// The program in the tools tree.
pub const PROGRAM: &str = "qemu-system-x86_64";
/// The monitor's socket, inside the worker.
pub const MONITOR: &str = "/work/monitor";
/// The machine's own copy of the UEFI variables.
pub const VARIABLES: &str = "/work/variables";

const OVMF: &str = "/usr/share/OVMF";

/// Everything but what runs its instructions.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Machine {
    pub firmware: Firmware,
    pub media: Media,
    /// Whether there is a disk beside the medium.
    pub disk: bool,
    pub memory_mb: u32,
    pub network: Network,
    pub console: Console,
    /// The name of the socket that the second serial port is at, if there is one.
    pub serial: Option<String>,
    /// A file that takes what the guest writes to the check's port.
    pub report: Option<PathBuf>,
    /// Files with one SMBIOS string each.
    pub credentials: Vec<PathBuf>,
}

/// Where the serial console goes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Console {
    /// To the terminal, with QEMU's monitor on Ctrl-A C.
    Terminal,
    /// Into a file; a guest that resets stays stopped.
    File(PathBuf),
}

/// What runs the guest's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Accelerator {
    Kvm,
    Tcg,
}

impl Accelerator {
    /// For a person.
    pub fn title(self) -> &'static str {
        match self {
            Accelerator::Kvm => "KVM",
            Accelerator::Tcg => "TCG, which is slow",
        }
    }
}

impl Machine {
    /// QEMU's arguments. Every path is the worker's own, so none holds a comma.
    pub fn arguments(&self, accelerator: Accelerator) -> Vec<String> {
        let mut args = Arguments(Vec::new());
        args.add("-nodefaults", "");
        self.board(&mut args, accelerator);
        self.medium(&mut args);
        args.add("-netdev", self.network.netdev());
        // Without its boot ROM: a medium that does not boot must not be covered up by the network.
        args.add("-device", "virtio-net-pci,netdev=net0,romfile=");
        args.add("-device", "virtio-rng-pci");
        self.channels(&mut args);
        for path in &self.credentials {
            args.add("-smbios", format!("type=11,path={}", path.display()));
        }
        args.0
    }

    fn board(&self, args: &mut Arguments, accelerator: Accelerator) {
        let secure = self.firmware == Firmware::UefiSecure;
        args.add("-machine", if secure { "q35,smm=on" } else { "q35" });
        args.add("-accel", if accelerator == Accelerator::Kvm { "kvm" } else { "tcg" });
        args.add("-cpu", "max");
        args.add("-smp", "2");
        args.add("-m", self.memory_mb.to_string());
        args.add("-rtc", "base=utc");
        args.add("-display", "none");
        args.add("-vga", "std");
        args.add("-boot", "strict=on");
        if secure {
            args.add("-global", "driver=cfi.pflash01,property=secure,value=on");
        }
        if let Some((code, _)) = ovmf(self.firmware) {
            args.add("-drive", format!("if=pflash,unit=0,format=raw,readonly=on,file={code}"));
            args.add("-drive", format!("if=pflash,unit=1,format=raw,file={VARIABLES}"));
        }
    }

    fn medium(&self, args: &mut Arguments) {
        let cd = self.media == Media::Cd;
        let kind = if cd { ",media=cdrom" } else { "" };
        args.add("-drive", format!("if=none,id=medium,format=raw,readonly=on{kind},file={MEDIUM}"));
        if !cd || self.disk {
            args.add("-device", "qemu-xhci,id=xhci");
        }
        if cd {
            args.add("-device", "ide-cd,bus=ide.0,drive=medium,bootindex=0");
        } else {
            args.add("-device", "usb-storage,bus=xhci.0,drive=medium,removable=on,bootindex=0");
        }
        if self.disk {
            args.add("-drive", format!("if=none,id=disk,format=raw,file={DISK}"));
            args.add("-device", "usb-storage,bus=xhci.0,drive=disk");
        }
    }

    fn channels(&self, args: &mut Arguments) {
        args.add("-qmp", format!("unix:{MONITOR},server=on,wait=off"));
        match &self.console {
            Console::Terminal => args.add("-serial", "mon:stdio"),
            Console::File(path) => {
                args.add("-serial", format!("file:{}", path.display()));
                // A guest that resets is held, so that its screen can still be looked at.
                args.add("-action", "reboot=shutdown,shutdown=pause");
            }
        }
        if let Some(name) = &self.serial {
            args.add("-chardev", format!("socket,id=serial,path={SERIAL}/{name},server=on,wait=off"));
            // After the console: they are numbered in this order.
            args.add("-serial", "chardev:serial");
        }
        if let Some(path) = &self.report {
            args.add("-device", "virtio-serial-pci");
            args.add("-chardev", format!("file,id=report,path={}", path.display()));
            args.add("-device", format!("virtserialport,chardev=report,name={}", borg_config::BOOT_CHECK_PORT));
        }
    }
}

/// The firmware's code and the pristine variables that go with it.
pub fn ovmf(firmware: Firmware) -> Option<(String, String)> {
    let pair = |keys: &str| (format!("{OVMF}/OVMF_CODE_4M{keys}.fd"), format!("{OVMF}/OVMF_VARS_4M{keys}.fd"));
    match firmware {
        Firmware::Bios => None,
        Firmware::Uefi => Some(pair("")),
        Firmware::UefiSecure => Some(pair(".ms")),
    }
}

struct Arguments(Vec<String>);

impl Arguments {
    fn add(&mut self, option: &str, value: impl Into<String>) {
        self.0.push(option.into());
        let value = value.into();
        if !value.is_empty() {
            self.0.push(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot::network::Forward;

    fn checked(firmware: Firmware, media: Media) -> Machine {
        Machine {
            firmware,
            media,
            disk: false,
            memory_mb: 1024,
            network: Network { forwards: vec![Forward { host: 20_000, guest: 22 }], fixed: None },
            console: Console::File("/store/logs/x.log".into()),
            serial: None,
            report: Some("/work/report".into()),
            credentials: vec!["/work/credential-0".into()],
        }
    }

    fn lines(machine: &Machine, accelerator: Accelerator) -> String {
        machine
            .arguments(accelerator)
            .join("\n")
            .replace("\n-", "\n--")
            .split("\n-")
            .map(|l| l.replace('\n', " "))
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn bios_cd() {
        insta::assert_snapshot!(lines(&checked(Firmware::Bios, Media::Cd), Accelerator::Kvm));
    }

    #[test]
    fn uefi_secure_usb() {
        insta::assert_snapshot!(lines(&checked(Firmware::UefiSecure, Media::Usb), Accelerator::Tcg));
    }

    #[test]
    fn a_terminal_keeps_the_machine_through_a_reboot() {
        let machine = Machine {
            console: Console::Terminal,
            report: None,
            credentials: Vec::new(),
            ..checked(Firmware::Uefi, Media::Cd)
        };
        let text = lines(&machine, Accelerator::Tcg);
        assert!(
            text.contains("-serial mon:stdio") && !text.contains("-action") && !text.contains("virtserialport"),
            "{text}"
        );
        assert!(!text.contains("chardev:serial"), "{text}");
        assert!(text.contains("OVMF_CODE_4M.fd") && !text.contains("smm=on"), "{text}");
    }

    #[test]
    fn the_second_serial_port_comes_after_the_console() {
        let machine = Machine {
            console: Console::Terminal,
            serial: Some("uart.sock".into()),
            ..checked(Firmware::Bios, Media::Cd)
        };
        let text = lines(&machine, Accelerator::Kvm);
        let place = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part}: {text}"));
        assert!(place("-serial mon:stdio") < place("-serial chardev:serial"), "{text}");
        place("-chardev socket,id=serial,path=/boot/serial/uart.sock,server=on,wait=off");
    }
}
