//! What the options of services name in the image: files, folders, serial ports.

use std::ops::Range;
use std::path::Path;

use borg_config::folders::{self, Meets};

use super::files::{self, is_below};
use super::node::{Faults, Node, brief};
use super::services::Used;
use crate::catalogue::options::{self, Named, Names};
use crate::profile::fault::Fault;

/// The system's own folders beside those of services, with all that is in them.
const SYSTEM: [&str; 6] = ["/libx32", "/tmp", "/var/lib/apt", "/var/lock", "/var/run", "/var/tmp"];
/// What is in these is data all the same.
const DATA: [&str; 2] = ["/usr/share", "/usr/local/share"];
/// A folder of which a part may be data, but not the whole.
const MIXED: &str = "/var/cache";

/// The console of every entry of the boot menu.
const CONSOLE: &str = "ttyS0";

pub fn check(profile: &Node<'_>, services: &[Used<'_>], faults: &mut Faults<'_>) {
    let files: Vec<(Node<'_>, &str)> = profile.list("files").iter().filter_map(|file| file.text("path")).collect();
    for used in services {
        let decided = options::decide(used.service, used.given);
        for named in options::named(used.service, &decided) {
            let place = faults.spans.value(&used.below(&named.pointer).unwrap_or_default());
            let fault = match named.names {
                Names::File => file(&named, used, &files, place),
                Names::Folder | Names::Root => {
                    folder(&named, used, place.clone()).or_else(|| below_a_file(&named, &files, place, faults))
                }
                Names::SerialPort => serial_port(&named, used, profile, place),
            };
            if let Some(fault) = fault {
                faults.push(fault);
            }
        }
    }
}

fn file(named: &Named<'_>, used: &Used<'_>, files: &[(Node<'_>, &str)], place: Range<usize>) -> Option<Fault> {
    if files.iter().any(|(_, path)| *path == named.text) {
        return None;
    }
    let fault = Fault::new(format!("the profile brings no file `{}`", brief(named.text)))
        .at(place, format!("`{}` would not start without it", used.service.name));
    Some(fault.help("add an entry with this `path` to `files:`, a private key with `mode: \"0600\"`"))
}

fn folder(named: &Named<'_>, used: &Used<'_>, place: Range<usize>) -> Option<Fault> {
    let path = named.text;
    let (why, help) = match files::form_fault(path) {
        Some((why, help)) => (why.to_owned(), help),
        None => (not_for_data(path, named.names)?, String::new()),
    };
    let help = if help.is_empty() { data_folder(used, &named.pointer) } else { help };
    let fault = Fault::new(format!("`{}` cannot be a folder for data: {why}", brief(path)));
    Some(fault.at(place, format!("`{}` would hand out what is in it", used.service.name)).help(help))
}

/// Why a folder is not one for data, if it is not.
fn not_for_data(path: &str, names: Names) -> Option<String> {
    let data = names == Names::Folder && DATA.iter().any(|data| is_below(path, data));
    let system = SYSTEM.into_iter().find(|folder| path == *folder || is_below(path, folder));
    match folders::meets(Path::new(path)) {
        _ if data => None,
        Some(Meets::In(own)) => Some(format!("`{own}` belongs to the system")),
        _ if system.is_some() => system.map(|own| format!("`{own}` belongs to the system")),
        Some(Meets::Holds(own)) => Some(format!("`{own}` in it belongs to the system")),
        None if path == MIXED => Some("not all that is in it is for everybody".to_owned()),
        None if folders::meets_home(Path::new(path)) => {
            Some("what is in a home is its owner's, and some of it is run when they log in".to_owned())
        }
        None => None,
    }
}

/// The way out: the option's default, which is such a folder.
fn data_folder(used: &Used<'_>, pointer: &str) -> String {
    let option = used.service.options.get(pointer.trim_start_matches('/'));
    let default = option.and_then(|schema| schema.get("default")?.as_str());
    format!("choose a folder of its own, such as `{}`", default.unwrap_or("/srv/data"))
}

fn below_a_file(
    named: &Named<'_>,
    files: &[(Node<'_>, &str)],
    place: Range<usize>,
    faults: &Faults<'_>,
) -> Option<Fault> {
    let (node, path) = files.iter().find(|(_, path)| *path == named.text || is_below(named.text, path))?;
    let fault = Fault::new(format!("`{}` is a file and a folder", brief(path)))
        .at(place, "needs it as a folder")
        .at(faults.place(node), "makes it a file");
    Some(fault.help("place the file in the folder, or choose another folder in the service's options"))
}

/// Ports by their plain name only: a pattern may match others too, and links have the device's own names.
fn serial_port(named: &Named<'_>, used: &Used<'_>, profile: &Node<'_>, place: Range<usize>) -> Option<Fault> {
    let port = named.text.strip_prefix("/dev/")?;
    let by_profile = consoles(profile).contains(&port);
    if !by_profile && port != CONSOLE {
        return None;
    }
    let help = if port == CONSOLE {
        format!("watch another port: every entry of the boot menu has its console on {CONSOLE}")
    } else {
        format!("watch another port, or remove `console={port}` from the kernel's `cmdline`")
    };
    let fault = Fault::new(format!("`{}` is a console of the kernel", brief(named.text)))
        .at(place, format!("`{}` leaves consoles alone and would never read it", used.service.name));
    Some(fault.help(help))
}

/// The consoles that the profile adds: `console=ttyS1,115200n8`.
fn consoles<'a>(profile: &Node<'a>) -> Vec<&'a str> {
    let parameters = profile.get("kernel").map(|kernel| kernel.texts("cmdline")).unwrap_or_default();
    let console = |parameter: &'a str| parameter.strip_prefix("console=")?.split(',').next();
    parameters.into_iter().filter_map(|(_, parameter)| console(parameter)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Service;

    fn refused(path: &str) -> bool {
        refused_as(Names::Folder, path)
    }

    fn refused_as(names: Names, path: &str) -> bool {
        let service: Service = serde_json::from_value(serde_json::json!({ "summary": "x" })).unwrap();
        let used = Used { service: &service, given: None, pointer: None, brought_by: None };
        let named = Named { names, text: path, pointer: "/root".to_owned() };
        folder(&named, &used, 0..0).is_some()
    }

    #[test]
    fn folders_for_data() {
        for good in
            ["/srv", "/srv/borg", "/var/www/html", "/opt/x", "/usr/share/doc", "/home/ann/www", "/library", "/etcetera"]
        {
            assert!(!refused(good), "{good}");
        }
        for bad in [
            "",
            "/",
            "srv",
            "/srv/../etc",
            "/etc",
            "/etc/shadow",
            "/proc",
            "/lib/x",
            "/usr",
            "/usr/share",
            "/usr/bin",
            "/usr/local",
            "/root/www",
            "/opt",
            "/opt/borgos/plugins",
            "/home",
            "/home/ann",
            "/home/ann/bin",
            "/var/lib",
            "/var/lib/dpkg/info",
        ] {
            assert!(refused(bad), "{bad}");
        }
    }

    #[test]
    fn tools_work_in_no_folder_that_services_execute() {
        for bad in ["/usr/share/doc", "/opt/borgos/x", "/var/lib/borg", "/etc/borg", "/root/x"] {
            assert!(refused_as(Names::Root, bad), "{bad}");
        }
        assert!(!refused_as(Names::Root, "/srv/borg"));
    }
}
