use super::super::fault;
use super::super::segment_file::publish_bytes;
use super::*;

fn tree(path: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(path).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_was_made_and_stayed_empty_goes_again() {
    let keep = tempfile::tempdir().unwrap();
    std::fs::create_dir(keep.path().join("mine")).unwrap();
    let root = keep.path().join("mine/new/root");
    let output = OutputDirectory::create(&root, "video/1080p").unwrap();
    assert_eq!(output.directory().path(), root.join("video/1080p"));
    assert!(root.join("video/1080p").is_dir());
    drop(output);
    assert_eq!(tree(&keep.path().join("mine")), [""; 0]);
}

#[test]
fn what_is_not_empty_or_was_there_stays() {
    let keep = tempfile::tempdir().unwrap();
    std::fs::create_dir(keep.path().join("video")).unwrap();
    drop(OutputDirectory::create(keep.path(), "video").unwrap());
    drop(OutputDirectory::create(keep.path(), "").unwrap());
    assert_eq!(tree(keep.path()), ["video"]);
    let output = OutputDirectory::create(keep.path(), "video/a/b").unwrap();
    std::fs::write(keep.path().join("video/a/theirs"), b"x").unwrap();
    drop(output);
    assert_eq!(tree(&keep.path().join("video/a")), ["theirs"]);
}

#[test]
fn no_link_below_the_root_is_followed_and_no_path_leads_out() {
    let keep = tempfile::tempdir().unwrap();
    std::fs::create_dir(keep.path().join("elsewhere")).unwrap();
    std::fs::create_dir(keep.path().join("root")).unwrap();
    let root = keep.path().join("root");
    std::os::unix::fs::symlink("../elsewhere", root.join("link")).unwrap();
    std::os::unix::fs::symlink("nowhere", root.join("dangling")).unwrap();
    std::fs::write(root.join("file"), b"").unwrap();
    for relative in ["link", "link/a", "new/../link", "/tmp", "..", "a//b", "./a", "dangling/a", "file/a"] {
        assert!(OutputDirectory::create(&root, relative).is_err(), "{relative}");
        assert_eq!(tree(&root), ["dangling", "file", "link"]);
        assert_eq!(tree(&keep.path().join("elsewhere")), [""; 0]);
    }
    // The root itself is the caller's word.
    drop(OutputDirectory::create(&root.join("link"), "a").unwrap());
    let error = OutputDirectory::create(&root.join("dangling"), "a").unwrap_err();
    assert!(error.to_string().contains("check the path"), "{error}");
}

#[test]
fn a_directory_that_cannot_be_made_takes_the_others_with_it() {
    for nth in 0.. {
        let keep = tempfile::tempdir().unwrap();
        fault::fail_at(Operation::CreateDirectory, nth);
        let answer = OutputDirectory::create(&keep.path().join("a/b"), "c/d");
        fault::reset();
        if answer.is_ok() {
            assert_eq!(nth, 4);
            break;
        }
        assert_eq!(tree(keep.path()), [""; 0]);
    }
}

#[test]
fn workers_that_make_the_same_directories_at_once_all_succeed() {
    for _ in 0..50 {
        let keep = tempfile::tempdir().unwrap();
        let root = keep.path().join("a/b");
        let start = std::sync::Barrier::new(4);
        std::thread::scope(|scope| {
            for worker in 0..4 {
                let (root, start) = (&root, &start);
                scope.spawn(move || {
                    start.wait();
                    let output = OutputDirectory::create(root, "c/d/e").unwrap();
                    // One gives up while the others are still at it, and takes with it what is empty.
                    if worker == 0 {
                        return;
                    }
                    publish_bytes(output.directory(), &worker.to_string(), b"x").unwrap();
                });
            }
        });
        assert_eq!(tree(&root.join("c/d/e")), ["1", "2", "3"]);
    }
}

#[test]
fn a_directory_that_was_removed_and_made_again_is_anothers() {
    let keep = tempfile::tempdir().unwrap();
    let root = keep.path().join("root");
    for path in [root.join("a/b"), root.clone()] {
        let first = OutputDirectory::create(&root, "a/b").unwrap();
        std::fs::remove_dir_all(&path).unwrap();
        let second = OutputDirectory::create(&root, "a/b").unwrap();
        let error = publish_bytes(first.directory(), "x", b"x").unwrap_err().to_string();
        assert!(error.contains("No such file or directory"), "{error}");
        drop(first);
        publish_bytes(second.directory(), "x", b"x").unwrap();
        std::fs::remove_dir_all(&root).unwrap();
    }
}

#[test]
fn a_directory_that_a_run_has_for_itself_is_refused() {
    let keep = tempfile::tempdir().unwrap();
    let run = Directory::open(keep.path()).unwrap();
    rustix::fs::flock(&run.fd, FlockOperation::NonBlockingLockExclusive).unwrap();
    let error = OutputDirectory::create(keep.path(), "a").unwrap_err();
    assert!(error.to_string().contains("for itself"), "{error}");
    assert_eq!(tree(keep.path()), [""; 0]);
}

#[test]
fn only_the_file_that_was_published_is_removed() {
    let keep = tempfile::tempdir().unwrap();
    let output = OutputDirectory::create(keep.path(), "a").unwrap();
    let published = publish_bytes(output.directory(), "init.mp4", b"x").unwrap();
    let path = keep.path().join("a/init.mp4");
    std::fs::rename(&path, keep.path().join("a/kept")).unwrap();
    assert!(!output.remove_published("init.mp4", published.id).unwrap());
    std::fs::write(&path, b"theirs").unwrap();
    assert!(!output.remove_published("init.mp4", published.id).unwrap());
    std::fs::rename(keep.path().join("a/kept"), &path).unwrap();
    assert!(output.remove_published("init.mp4", published.id).unwrap());
    drop(output);
    assert_eq!(tree(keep.path()), [""; 0]);
}
