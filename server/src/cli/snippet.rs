//! `click2call snippet`: what to paste in a store page.

use super::{Args, BAD_INPUT, FINE};
use crate::config::Config;
use std::io::Write;

/// The iframe of one button.
pub fn iframe(config: &Config, button: &str) -> String {
    format!(
        "<iframe src=\"{}/b/{button}\" allow=\"microphone; camera; autoplay\" title=\"Call us\" \
         style=\"border:0;width:320px;height:200px\"></iframe>",
        config.public_url
    )
}

/// Prints the snippet of one button, or of all with a comment before each.
pub fn snippet(
    args: &Args,
    button: Option<&str>,
    out: &mut dyn Write,
    errors: &mut dyn Write,
) -> std::io::Result<u8> {
    let config = match args.configuration() {
        Ok((config, _)) => config,
        Err(problems) => {
            writeln!(errors, "{problems}")?;
            return Ok(BAD_INPUT);
        }
    };
    let names: Vec<&str> = config.buttons.keys().map(String::as_str).collect();
    match button {
        Some(name) if names.contains(&name) => writeln!(out, "{}", iframe(&config, name))?,
        Some(name) => {
            let known = names.join(", ");
            writeln!(errors, "there is no button \"{name}\"; the file has: {known}")?;
            return Ok(BAD_INPUT);
        }
        None => {
            for name in &names {
                if names.len() > 1 {
                    writeln!(out, "<!-- {name} -->")?;
                }
                writeln!(out, "{}", iframe(&config, name))?;
            }
        }
    }
    Ok(FINE)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_snippet_is_the_contracts_to_the_letter() {
        let mut config = crate::config::demo();
        config.public_url = "https://call.shop.example".into();
        assert_eq!(
            iframe(&config, "sales"),
            "<iframe src=\"https://call.shop.example/b/sales\" \
             allow=\"microphone; camera; autoplay\" title=\"Call us\" \
             style=\"border:0;width:320px;height:200px\"></iframe>"
        );
    }

    #[test]
    fn an_unknown_button_names_the_known_ones() {
        let args = Args::try_from_arguments(["click2call", "snippet", "--demo"]).unwrap();
        let (mut out, mut errors) = (Vec::new(), Vec::new());
        assert_eq!(snippet(&args, Some("x"), &mut out, &mut errors).unwrap(), BAD_INPUT);
        assert!(String::from_utf8(errors).unwrap().contains("the file has: demo"));
        assert!(out.is_empty());
        let mut errors = Vec::new();
        assert_eq!(snippet(&args, None, &mut out, &mut errors).unwrap(), FINE);
        assert!(String::from_utf8(out).unwrap().starts_with("<iframe src=\"http://127.0.0.1:8080/b/demo\""));
    }
}
