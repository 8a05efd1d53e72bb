//! A model of the operator's own comes with the page statistics that lie beside it.

use doorward::config::Config;
use doorward::domain::relevance::Background;
use doorward::startup;

#[test]
fn page_statistics_beside_the_model_are_used_and_damaged_ones_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.dwm");
    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/models/model.dwm"), &file).unwrap();
    let mut config = Config::default();
    let shipped = startup::house(&config).unwrap().background;
    config.model.file = file;
    assert!(startup::house(&config).unwrap().background == shipped, "nothing lies beside it");
    let own = Background::build(["the harbour bridge", "the harbour museum"].into_iter(), 10);
    let beside = folder.path().join("background.bin");
    std::fs::write(&beside, own.to_bytes()).unwrap();
    assert!(*startup::house(&config).unwrap().background == own);
    std::fs::write(&beside, b"something else").unwrap();
    let refused = startup::house(&config).err().unwrap();
    assert!(refused.to_string().contains("background.bin, beside model.file, cannot be used"), "{refused}");
}
