//! Wrong job files: what is printed names the line, the field and a way out.

use std::{fs, path::Path};

use mozart::{
    job::load::{Overrides, load},
    sources::LocalSources,
};

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/jobfiles"))
}

#[test]
fn every_wrong_job_file_is_told_where_and_what_to_write() {
    let mut names: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    names.sort();
    assert!(names.len() >= 60, "{} files", names.len());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("jobfiles/printed");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.add_filter(&regex::escape(&folder().display().to_string()), "DIR");
    let _bound = settings.bind_to_scope();
    for path in names {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let problems = load(&path, &Overrides::default(), &LocalSources::new(folder()))
            .map(|loaded| format!("{name} is taken, with: {}", loaded.warnings))
            .expect_err("a wrong file");
        assert!(problems.has_errors(), "{name}");
        for problem in problems.iter() {
            assert!(problem.help.is_some(), "{name}: no way out of: {}", problem.message);
        }
        insta::assert_snapshot!(name, problems.to_string());
    }
}
