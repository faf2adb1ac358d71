//! The text of the set-up guide, `docs/setup.md`: it is part of the program, so that advice can refer to it anywhere.

use super::Step;

impl Step {
    /// The section of this step in the guide, in Markdown, with its heading.
    pub fn section(self) -> &'static str {
        let heading = format!("\n## {}. ", self.number());
        let section = MANUAL.find(&heading).and_then(|start| MANUAL.get(start + 1..)).unwrap_or_default();
        section.find("\n## ").and_then(|end| section.get(..=end)).unwrap_or(section)
    }
}

const MANUAL: &str = include_str!("../../docs/setup.md");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_that_of_its_step_alone() {
        for step in Step::ALL {
            let section = step.section();
            assert!(section.starts_with(&format!("## {}. {}\n", step.number(), step.title())), "{section}");
            assert_eq!(section.matches("\n## ").count(), 0, "{section}");
        }
    }
}
