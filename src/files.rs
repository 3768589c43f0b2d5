//! Files: inputs that end, and outputs that are written whole or not at all.
//!
//! | | rule |
//! |---|---|
//! | read | a folder is an error, and so is what has more than [`LARGEST_INPUT`] bytes: devices need not end |
//! | written | into a temporary file beside its place, which is then renamed: a full disk leaves what was there |
//!
//! A symbolic link stays a link: what it leads to is replaced. A device, a pipe or a socket cannot be replaced, and is
//! written to as it is.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

/// Bytes that an input has at most.
pub const LARGEST_INPUT: u64 = 1 << 30;
/// Bytes that are read at most of what does not say how large it is.
const LARGEST_STREAM: u64 = 1 << 28;
/// Links to links that are followed.
const LINKS: usize = 40;

/// Reads a file.
///
/// # Errors
///
/// The system's, and [`ErrorKind::FileTooLarge`] for what has more than [`LARGEST_INPUT`] bytes or does not end.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::Error::new(ErrorKind::IsADirectory, "it is a folder, and a file is wanted"));
    }
    let limit = if metadata.is_file() { LARGEST_INPUT } else { LARGEST_STREAM };
    let mut bytes = Vec::new();
    if metadata.len() <= limit {
        file.take(limit + 1).read_to_end(&mut bytes)?;
    }
    if metadata.len() > limit || bytes.len() as u64 > limit {
        let reason = format!("it has more than {} MiB, or does not end", limit >> 20);
        return Err(io::Error::new(ErrorKind::FileTooLarge, reason));
    }
    Ok(bytes)
}

/// Writes a file, with the permissions of the one that it replaces.
///
/// # Errors
///
/// The system's; then the file is as it was.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match Replacement::of(path)? {
        Replacement::InPlace(path) => fs::write(path, bytes),
        Replacement::Renamed { mut temporary, target, permissions } => {
            temporary.write_all(bytes)?;
            if let Some(permissions) = permissions {
                temporary.as_file().set_permissions(permissions)?;
            }
            temporary.persist(target).map_err(|error| error.error)?;
            Ok(())
        }
    }
}

/// A file that another program writes.
#[derive(Debug)]
pub struct Pending {
    path: PathBuf,
    renamed: Option<(TempPath, PathBuf)>,
}

impl Pending {
    /// Prepares a place for it.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn new(path: &Path) -> io::Result<Pending> {
        Ok(match Replacement::of(path)? {
            Replacement::InPlace(path) => Pending { path, renamed: None },
            Replacement::Renamed { temporary, target, .. } => {
                let temporary = temporary.into_temp_path();
                Pending { path: temporary.to_path_buf(), renamed: Some((temporary, target)) }
            }
        })
    }

    /// Where the program has to write.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts it in its place, now that it is whole. Without that, it is removed.
    ///
    /// # Errors
    ///
    /// The system's; then the file is as it was.
    pub fn commit(self) -> io::Result<()> {
        match self.renamed {
            Some((temporary, target)) => temporary.persist(target).map_err(|error| error.error),
            None => Ok(()),
        }
    }
}

/// How a file is replaced.
enum Replacement {
    InPlace(PathBuf),
    Renamed { temporary: NamedTempFile, target: PathBuf, permissions: Option<Permissions> },
}

impl Replacement {
    fn of(path: &Path) -> io::Result<Replacement> {
        let target = followed(path)?;
        let old = match fs::metadata(&target) {
            Ok(old) => Some(old),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if old.as_ref().is_some_and(|old| !old.is_file()) {
            return Ok(Replacement::InPlace(target));
        }
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".").suffix(".part");
        // As any new file: the process's mask takes bits away.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let temporary = builder.tempfile_in(folder)?;
        Ok(Replacement::Renamed { temporary, permissions: old.as_ref().map(Metadata::permissions), target })
    }
}

/// Where a path leads to, whether something is there or not.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let Ok(to) = fs::read_link(&path) else { return Ok(path) };
        path = path.parent().unwrap_or(Path::new("")).join(to);
    }
    Err(io::Error::other("too many symbolic links"))
}

/// Whether two paths lead to one file. What is not there is no file.
pub fn is_same(one: &Path, other: &Path) -> bool {
    let (Ok(one), Ok(other)) = (fs::metadata(one), fs::metadata(other)) else { return false };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        (one.dev(), one.ino()) == (other.dev(), other.ino())
    }
    #[cfg(not(unix))]
    {
        false
    }
}
