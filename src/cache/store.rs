//! The cache's folder.
//!
//! In: a key and bytes. Out: the bytes again. A file is named by its key:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | the form of the file |
//! | 32 | SHA-256 of the rest |
//! | ... | the key, the contents |
//!
//! The rule: a file is written beside its place and moved there, so that no reader sees half of it and writers of the
//! same key do no harm. A hit sets the file's time; when the sum is over the limit, the oldest go, to three quarters.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use super::Cache;

/// The first bytes of a file.
const FORM: &[u8; 8] = b"b2n\0\0\0\0\x01";
/// The end of a file's name.
const SUFFIX: &str = "b2n";
/// The start of the name of a file that is being written.
const PART: &str = ".part-";
/// How old a half-written file is that nobody will finish.
const ABANDONED: Duration = Duration::from_secs(3600);

fn path(cache: &Cache, key: &str) -> PathBuf {
    cache.folder.join(key).with_extension(SUFFIX)
}

/// What was kept under the key, if it is there and whole.
pub fn read(cache: &Cache, key: &str) -> Option<Vec<u8>> {
    let path = path(cache, key);
    let bytes = fs::read(&path).ok()?;
    let rest = bytes.strip_prefix(FORM)?;
    let (hash, rest) = rest.split_first_chunk::<32>()?;
    if Sha256::digest(rest)[..] != hash[..] {
        return None;
    }
    let contents = rest.strip_prefix(key.as_bytes())?;
    // Where that cannot be said, it counts as old.
    let _ = File::options().append(true).open(&path).and_then(|file| file.set_modified(SystemTime::now()));
    Some(contents.to_vec())
}

/// Keeps bytes under the key.
pub fn write(cache: &Cache, key: &str, contents: &[u8]) -> io::Result<()> {
    make_folder(&cache.folder)?;
    let rest = [key.as_bytes(), contents].concat();
    let mut part = tempfile::Builder::new().prefix(PART).tempfile_in(&cache.folder)?;
    part.write_all(FORM)?;
    part.write_all(&Sha256::digest(&rest))?;
    part.write_all(&rest)?;
    part.persist(path(cache, key)).map_err(|error| error.error)?;
    evict(cache)
}

/// Whether nobody else can put something into the folder: what is in it will run. One that is not there yet will be
/// made so.
#[cfg(unix)]
pub fn check_folder(folder: &Path) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt;

    let Ok(metadata) = fs::metadata(folder) else { return Ok(()) };
    // SAFETY: the call has no conditions.
    let user = unsafe { libc::geteuid() };
    if metadata.uid() != user {
        return Err(format!("it belongs to user {}, and this is user {user}", metadata.uid()));
    }
    if metadata.mode() & 0o022 != 0 {
        let mode = metadata.mode() & 0o7777;
        return Err(format!("others may write to it (mode {mode:o}); `chmod 700` makes it private"));
    }
    Ok(())
}

/// Whether nobody else can put something into the folder; other systems keep a user's folders to them.
#[cfg(not(unix))]
pub fn check_folder(_folder: &Path) -> Result<(), String> {
    Ok(())
}

/// Makes the folder, for its owner alone.
fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Removes what is too much. Another process may remove the same.
fn evict(cache: &Cache) -> io::Result<()> {
    let mut files = Vec::new();
    let mut sum = 0;
    for entry in fs::read_dir(&cache.folder)? {
        let entry = entry?;
        let Ok(metadata) = entry.metadata() else { continue };
        let Ok(modified) = metadata.modified() else { continue };
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == SUFFIX) {
            sum += metadata.len();
            files.push((modified, metadata.len(), path));
        } else if entry.file_name().to_string_lossy().starts_with(PART)
            && modified.elapsed().is_ok_and(|age| age > ABANDONED)
        {
            // It is gone already, or will be found again.
            let _ = fs::remove_file(path);
        }
    }
    if sum <= cache.limit {
        return Ok(());
    }
    files.sort();
    for (_, size, path) in files {
        if sum <= cache.limit / 4 * 3 {
            break;
        }
        if fs::remove_file(path).is_ok() {
            sum -= size;
        }
    }
    Ok(())
}
