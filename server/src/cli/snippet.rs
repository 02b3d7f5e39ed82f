//! `click2call snippet`: what to paste in a store page.

use super::{Args, BAD_INPUT, FINE};
use std::io::Write;

/// The iframe of one button; `url` is where pages are reached, without a slash at its end.
pub fn snippet_text(url: &str, button: &str) -> String {
    format!(
        "<iframe src=\"{url}/b/{button}\" allow=\"microphone; camera; autoplay\" title=\"Call us\" \
         style=\"border:0;width:320px;height:200px\"></iframe>"
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
        Some(name) if names.contains(&name) => {
            writeln!(out, "{}", snippet_text(&config.public_url, name))?
        }
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
                writeln!(out, "{}", snippet_text(&config.public_url, name))?;
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
        assert_eq!(
            snippet_text("https://call.shop.example", "sales"),
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
        assert!(
            String::from_utf8(out)
                .unwrap()
                .starts_with("<iframe src=\"http://127.0.0.1:8080/b/demo\"")
        );
    }
}
