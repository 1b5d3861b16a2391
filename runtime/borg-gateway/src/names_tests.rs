use std::sync::Arc;

use super::*;

fn tools(names: &[&str]) -> List {
    let tool = |name: &&str| Tool::new((*name).to_owned(), "", Arc::new(serde_json::Map::new()));
    names.iter().map(tool).collect::<Vec<_>>().into()
}

fn server(name: &str, up: bool, names: &[&str]) -> Heard {
    Heard { server: name.into(), tools: Some(tools(names)), up }
}

fn plugin(name: &str, names: &[&str]) -> Plugged {
    Plugged { plugin: name.into(), tools: tools(names) }
}

fn listed(names: &Names) -> Vec<&str> {
    names.listed().map(|offer| offer.tool.name.as_ref()).collect()
}

#[test]
fn tools_keep_their_names_where_nobody_else_has_them() {
    let names = Names::of(&[server("files", true, &["read"])], &[plugin("hello", &["hello", "bye"])]);
    assert_eq!(listed(&names), ["bye", "hello", "read"]);
    let bye = names.get("bye").unwrap();
    assert_eq!((&bye.source, bye.own.as_str()), (&Source::Plugin("hello".into()), "bye"));
    // The long name is good whatever comes later.
    assert_eq!(names.get("hello__bye"), Some(bye));
    assert_eq!(names.get("none"), None);
}

#[test]
fn no_plugin_takes_a_name_of_a_server_or_of_another_plugin() {
    let servers = [server("files", true, &["read"])];
    let names = Names::of(&servers, &[plugin("a", &["read", "same"]), plugin("b", &["same"])]);
    assert_eq!(listed(&names), ["a__read", "a__same", "b__same", "read"]);
    assert_eq!(names.get("read").unwrap().source, Source::Server("files".into()));
    assert_eq!(names.get("a__read").unwrap().own, "read");
    assert_eq!(names.get("same"), None);
}

#[test]
fn a_server_that_is_down_is_not_listed_and_keeps_its_names() {
    let names = Names::of(&[server("files", false, &["read"])], &[plugin("a", &["read"])]);
    assert_eq!(listed(&names), ["a__read"]);
    assert_eq!(names.get("read").unwrap().source, Source::Server("files".into()));
}

#[test]
fn until_a_server_has_answered_plugins_keep_to_long_names() {
    let never = Heard { server: "files".into(), tools: None, up: false };
    let names = Names::of(&[never], &[plugin("a", &["read"])]);
    assert_eq!(listed(&names), ["a__read"]);
    assert_eq!(names.get("read"), None);
}

#[test]
fn long_names_cannot_be_forged_either() {
    let servers = [server("files", true, &["a__x"])];
    let plugins = [plugin("a", &["x", "b__y"]), plugin("a__b", &["y"]), plugin("c", &["a__b__y", "x"])];
    let names = Names::of(&servers, &plugins);
    assert_eq!(names.get("a__x").unwrap().source, Source::Server("files".into()));
    assert_eq!(names.get("a__b__y"), None);
    assert_eq!(listed(&names), ["a__x", "b__y", "c__a__b__y", "c__x", "y"]);
    assert_eq!(names.of_plugin("a"), (vec!["b__y"], vec!["x"]));
}

#[test]
fn the_first_server_keeps_a_name_that_two_have_and_the_second_adds_its_own() {
    let names =
        Names::of(&[server("one", true, &["x"]), server("two", true, &["x", "y"])], &[plugin("two", &["x", "z"])]);
    assert_eq!(listed(&names), ["two__x", "x", "y", "z"]);
    let source = |name: &str| names.get(name).map(|offer| (offer.source.to_string(), offer.own.clone()));
    let of = |server: &str, own: &str| Some((format!("server {server}"), own.to_owned()));
    assert_eq!([source("x"), source("one__x")], [of("one", "x"), of("one", "x")]);
    assert_eq!([source("two__x"), source("two__y"), source("y")], [of("two", "x"), of("two", "y"), of("two", "y")]);
    // A plugin of a server's name gets none that could be taken for that server's.
    assert_eq!((names.of_plugin("two"), source("two__z")), ((vec!["z"], vec!["x"]), None));
}

#[test]
fn a_servers_long_name_gives_way_to_a_name_that_is_one() {
    let names = Names::of(&[server("one", true, &["x"]), server("two", true, &["one__x"])], &[]);
    assert_eq!(listed(&names), ["one__x", "x"]);
    assert_eq!(names.get("one__x").unwrap().source, Source::Server("two".into()));
}

#[test]
fn a_second_server_keeps_its_long_names_while_the_first_is_down() {
    let names = Names::of(&[server("one", false, &["x"]), server("two", true, &["x"])], &[]);
    assert_eq!(listed(&names), ["two__x"]);
    assert_eq!(names.get("x").unwrap().source, Source::Server("one".into()));
}

#[test]
fn names_are_made_anew_only_when_something_has_changed() {
    let cache = Cache::default();
    let (servers, plugins) = ([server("files", true, &["read"])], [plugin("a", &["x"])]);
    let first = cache.names(servers.to_vec(), plugins.to_vec());
    assert!(Arc::ptr_eq(&first, &cache.names(servers.to_vec(), plugins.to_vec())));
    let down = [Heard { up: false, ..servers[0].clone() }];
    assert_eq!(listed(&cache.names(down.to_vec(), plugins.to_vec())), ["x"]);
    assert_eq!(listed(&cache.names(servers.to_vec(), vec![plugin("a", &["x", "y"])])), ["read", "x", "y"]);
}
