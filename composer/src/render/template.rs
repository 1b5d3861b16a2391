//! minijinja, set up once: strict, without autoescape, with a quoting filter for each target format.

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, syntax::SyntaxConfig};

use super::quote;
use crate::assets::Assets;
use crate::error::{Error, Result};

pub struct Templates(Environment<'static>);

impl Templates {
    pub fn new() -> Result<Self> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        let syntax = SyntaxConfig::builder().keep_trailing_newline(true).trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(|e| Error::internal("the template syntax is wrong").because(&e))?);
        quote::add_filters(&mut environment);
        Ok(Templates(environment))
    }

    /// Renders the asset at `path`.
    pub fn render(&self, assets: &Assets, path: &str, context: &Value) -> Result<String> {
        let bytes = assets.get(path).ok_or_else(|| {
            Error::input(format!("the template {path} does not exist")).help("add it, or remove what names it")
        })?;
        let source = std::str::from_utf8(bytes)
            .map_err(|e| Error::input(format!("the template {path} is not UTF-8 text")).because(&e))?;
        self.0.render_named_str(path, source, context).map_err(|e| {
            let place = e.line().map_or_else(String::new, |line| format!(", line {line}"));
            Error::input(format!("cannot render {path}{place}"))
                .because(&e)
                .help("mend the template or the value it was given")
        })
    }
}
