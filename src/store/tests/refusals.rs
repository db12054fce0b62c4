use std::fs;

use super::*;

async fn refusal(fixture: &Fixture, kind: StateKind, path: &Path) -> String {
    let backend = StateBackend { kind, path: Some(path.to_owned()) };
    let error = Local::open(&fixture.home, &backend).await.expect_err("it is refused");
    error.to_string().replace(&fixture.path().display().to_string(), "<folder>")
}

#[tokio::test]
async fn what_is_no_state_file_is_refused_and_left_as_it_was() {
    let fixture = Fixture::new();
    for (kind, content) in [
        (StateKind::Sqlite, "name: a job file\nprompt: something\n"),
        (StateKind::Json, "{\"name\": \"package\"}"),
    ] {
        let path = fixture.path().join("precious");
        fs::write(&path, content).unwrap();
        assert_eq!(
            refusal(&fixture, kind, &path).await,
            "<folder>/precious is not a state file of Mozart: name another one with `state_path`, or move it away"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_and_left_as_it_was() {
    use sqlx::ConnectOptions as _;
    let fixture = Fixture::new();
    let path = fixture.path().join("photos.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql("CREATE TABLE photos (id)").execute(&mut connection).await.unwrap();
    sqlx::Connection::close(connection).await.unwrap();
    let before = fs::read(&path).unwrap();
    assert!(refusal(&fixture, StateKind::Sqlite, &path).await.contains("is not a state file of Mozart"));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_state_file_of_a_newer_mozart_is_refused_and_left_as_it_was() {
    let fixture = Fixture::new();
    let database = fixture.path().join("mozart.db");
    Sqlite::open(&database).await.unwrap().close().await;
    // The format stands at byte 60 of SQLite's header.
    let mut bytes = fs::read(&database).unwrap();
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    fs::write(&database, &bytes).unwrap();
    let text = fixture.path().join("state.json");
    fs::write(&text, "{\"format\": 99, \"future\": true}").unwrap();
    for (kind, path, known) in [(StateKind::Sqlite, &database, 4), (StateKind::Json, &text, 1)] {
        let before = fs::read(path).unwrap();
        let refused = refusal(&fixture, kind, path).await;
        assert!(
            refused.contains(&format!("newer Mozart (its format is 99, this Mozart knows up to {known})")),
            "{refused}"
        );
        assert_eq!(fs::read(path).unwrap(), before);
    }
}

#[tokio::test]
async fn a_damaged_state_file_is_told_with_a_way_out() {
    for kind in KINDS {
        let fixture = Fixture::new();
        let (store, _) = fixture.with_run(kind).await;
        store.close().await;
        let path = match kind {
            StateKind::Sqlite => fixture.home.database(),
            StateKind::Json => {
                let mut entries =
                    fs::read_dir(fixture.home.jobs()).unwrap().map(|entry| entry.unwrap().path());
                entries.find(|path| path.extension().is_some_and(|extension| extension == "json")).unwrap()
            }
        };
        let mut bytes = fs::read(&path).unwrap();
        match kind {
            StateKind::Sqlite => bytes[16..].fill(0xab),
            StateKind::Json => bytes.truncate(40),
        }
        fs::write(&path, bytes).unwrap();
        let refused = refusal(&fixture, kind, &path).await;
        assert!(
            refused.contains("is damaged: put back a copy of it, or move it away"),
            "{kind:?}: {refused}"
        );
    }
}

#[tokio::test]
async fn one_json_file_is_for_one_job() {
    let fixture = Fixture::new();
    let path = fixture.path().join("mine.json");
    let backend = StateBackend { kind: StateKind::Json, path: Some(path.clone()) };
    let store = Local::open(&fixture.home, &backend).await.unwrap();
    register(&store, "mine").await;
    let file = Path::new("/b/other.yaml");
    let error = store.register_job(&"other".parse().unwrap(), file, Path::new("/b")).await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        cause.contains("holds the state of another job, `mine` of /work-of-somebody/mine.yaml"),
        "{cause}"
    );
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_told() {
    let fixture = Fixture::new();
    let blocked = fixture.path().join("file");
    fs::write(&blocked, "").unwrap();
    for kind in KINDS {
        let refused = refusal(&fixture, kind, &blocked.join("below").join("state")).await;
        assert!(refused.starts_with("cannot open the state in <folder>/file"), "{kind:?}: {refused}");
    }
}
