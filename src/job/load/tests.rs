//! Whole files, from text to job.

mod bombs;
mod documents;
mod fields;
mod set;
mod values;

use std::path::Path;

use super::{Loaded, Overrides, load_text};
use crate::{job::problem::Problems, sources::local::LocalSources};

pub(super) fn load(text: &str) -> Result<Loaded, Problems> {
    load_set(text, &[])
}

pub(super) fn load_set(text: &str, set: &[(&str, &str)]) -> Result<Loaded, Problems> {
    let set = set.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect();
    let overrides = Overrides { set, ..Overrides::default() };
    load_text(text, Path::new("/jobs/job.yaml"), &overrides, &LocalSources::new(std::env::temp_dir()))
}

const PLAIN: &str =
    "name: a\nbatch: {size: 10, total_items: 25}\nprompt: {template: 'Do {{ start_item }}-{{ end_item }}'}\n";

#[test]
fn a_plain_file_is_a_job() {
    let Loaded { job, .. } = load(PLAIN).unwrap();
    assert_eq!(job.batches.total(), 3);
    assert_eq!(job.workspace.path, Path::new("/jobs/workspace"));
    let batch = job.batches.get(crate::job::identity::BatchNum(3)).unwrap();
    let prompt = crate::job::prompt::render_prompt(&job, batch, &crate::job::prompt::PromptContext::first());
    assert_eq!(prompt.unwrap(), "Do 21-25");
}

#[test]
fn the_original_plans_example_makes_56_prompts() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/batch-review.yaml");
    let sources = LocalSources::new(path.parent().unwrap());
    let Loaded { job, warnings } =
        super::load(&path, &Overrides::default(), &sources).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(job.batches.total(), 56);
    assert_eq!(job.workspace.path, path.parent().unwrap().join("workspace"));
    assert_eq!(warnings.len(), 1, "{warnings}");
}

#[test]
fn a_plain_name_is_the_manifests_with_every_word_apart() {
    for (manifest, plain) in [
        ("size", "size"),
        ("totalItems", "total_items"),
        ("perRunUSD", "per_run_usd"),
        ("maxFailedInARow", "max_failed_in_a_row"),
        ("apiKeyEnv", "api_key_env"),
    ] {
        assert_eq!(super::schema::snake(manifest), plain);
    }
}
