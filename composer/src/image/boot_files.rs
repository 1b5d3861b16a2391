//! The boot loaders: the BIOS core image and the FAT image with shim and Debian's signed GRUB.

#![allow(clippy::disallowed_methods, reason = "an edge: writes the medium")]

use std::fs;
use std::path::{Path, PathBuf};

use crate::Digest;
use crate::error::{IoContext, Result};
use crate::workshop::Run;

/// What the BIOS loader holds: enough to find the medium and read its menu.
const BIOS_MODULES: [&str; 16] = [
    "biosdisk",
    "iso9660",
    "part_gpt",
    "part_msdos",
    "search",
    "search_fs_file",
    "normal",
    "configfile",
    "linux",
    "serial",
    "terminal",
    "echo",
    "test",
    "true",
    "password_pbkdf2",
    "all_video",
];

/// Where the tools tree keeps the signed programs, and their names on the FAT image. GRUB's CD build has the iso9660 driver.
const EFI_PROGRAMS: [(&str, &str); 3] = [
    ("usr/lib/shim/shimx64.efi.signed", "EFI/boot/bootx64.efi"),
    ("usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed", "EFI/boot/grubx64.efi"),
    ("usr/lib/shim/mmx64.efi.signed", "EFI/boot/mmx64.efi"),
];

/// How the loaders find the medium: by a file whose name is this image's own.
fn early_config(id_path: &str) -> String {
    format!(
        "search --no-floppy --set=root --file {id_path}\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n"
    )
}

/// Makes `eltorito.img` in `folder`.
pub fn bios(folder: &Path, id_path: &str, log: &Path) -> Result<PathBuf> {
    let config = folder.join("early.cfg");
    fs::write(&config, early_config(id_path)).at("write", &config)?;
    let out = folder.join("eltorito.img");
    Run::new("grub-mkimage")
        .args(["-O", "i386-pc-eltorito", "-d", "/usr/lib/grub/i386-pc", "-p", "/boot/grub", "-c"])
        .arg(&config)
        .arg("-o")
        .arg(&out)
        .args(BIOS_MODULES)
        .log(log)
        .run()?;
    Ok(out)
}

/// Makes `efi.img` in `folder`: a FAT file system whose bytes depend on its files, `serial` and the epoch alone.
pub fn efi(folder: &Path, id_path: &str, serial: &Digest, epoch: u64, log: &Path) -> Result<PathBuf> {
    let image = folder.join("efi.img");
    let stage = folder.join("efi");
    let mut files: Vec<(PathBuf, String)> =
        EFI_PROGRAMS.iter().map(|(from, to)| (Path::new("/").join(from), (*to).to_owned())).collect();
    fs::create_dir_all(&stage).at("create", &stage)?;
    let config = stage.join("grub.cfg");
    fs::write(&config, early_config(id_path)).at("write", &config)?;
    files.push((config.clone(), "boot/grub/grub.cfg".into()));
    files.push((config, "EFI/debian/grub.cfg".into()));
    format(&image, &files, serial, epoch, log)?;
    let folders = ["::EFI", "::EFI/boot", "::EFI/debian", "::boot", "::boot/grub"];
    mtools("mmd", &image, epoch, log).args(folders).run()?;
    for (from, to) in &files {
        let staged = stage.join(to.replace('/', "_"));
        fs::copy(from, &staged).at("copy", from)?;
        clamp(&staged, epoch)?;
        mtools("mcopy", &image, epoch, log).args(["-m"]).arg(&staged).arg(format!("::{to}")).run()?;
    }
    Ok(image)
}

fn clamp(path: &Path, epoch: u64) -> Result<()> {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(epoch);
    fs::File::options().write(true).open(path).and_then(|f| f.set_modified(time)).at("write", path)
}

fn format(image: &Path, files: &[(PathBuf, String)], serial: &Digest, epoch: u64, log: &Path) -> Result<()> {
    let mut bytes = 0;
    for (path, _) in files {
        bytes += fs::metadata(path).at("read", path)?.len().next_multiple_of(4096);
    }
    // Room for the tables and folders; whole MiB, so that partitions stay aligned.
    let size = (bytes + (1 << 20)).next_multiple_of(1 << 20);
    fs::File::create(image).and_then(|f| f.set_len(size)).at("create", image)?;
    mtools("mformat", image, epoch, log).args(["-N", &serial.short()[..8], "-v", "BORGEFI", "::"]).run()
}

/// mtools takes its time stamps from SOURCE_DATE_EPOCH.
fn mtools(program: &str, image: &Path, epoch: u64, log: &Path) -> Run {
    Run::new(program).env("SOURCE_DATE_EPOCH", epoch.to_string()).arg("-i").arg(image).log(log)
}
