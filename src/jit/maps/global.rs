//! Global variables of loaded programs.

use std::marker::PhantomData;

use super::error::GlobalError;
use super::pod::Pod;
use crate::jit::module::Module;

impl Module {
    /// A global variable. `const volatile` ones, which programs have as their settings, can be set if the program was read
    /// with [`Options::writable_constants`](crate::parse::Options::writable_constants); set them before anything runs.
    ///
    /// ```
    /// use bpf2native::parse::{self, Input, Options};
    /// use bpf2native::{Config, Jit, Linker};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let name = "fixtures/runtime/settings.o".to_owned();
    /// let input = Input { bytes: std::fs::read(&name)?, name };
    /// let mut options = Options::default();
    /// options.writable_constants = true;
    /// let program = parse::parse(&[input], &options)?;
    /// let module = Jit::new(&Config::new())?.load(&program, &Linker::new())?;
    /// // const volatile unsigned limit = 10;
    /// module.global::<u32>("limit")?.set(20)?;
    /// // SAFETY: the function takes a number and returns one.
    /// let limited = unsafe { module.func::<(u64,), u64>("limited")? };
    /// assert_eq!(limited.call((15,)), 15);
    /// // unsigned long calls;
    /// assert_eq!(module.global::<u64>("calls")?.get(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`GlobalError::Missing`] with the variables that there are, [`GlobalError::Size`].
    pub fn global<T: Pod>(&self, name: &str) -> Result<Global<'_, T>, GlobalError> {
        let (name, &entry) = self.globals().get_key_value(name).ok_or_else(|| GlobalError::Missing {
            name: name.to_owned(),
            variables: self.globals().keys().cloned().collect(),
        })?;
        if entry.size != size_of::<T>() as u64 {
            let (name, ty, wanted) = (name.clone(), std::any::type_name::<T>(), size_of::<T>());
            return Err(GlobalError::Size { name, has: entry.size, ty, wanted });
        }
        let address = entry.place.address();
        Ok(Global { name, address, is_writable: entry.is_writable, module: PhantomData })
    }
}

/// A global variable ([`Module::global`]).
pub struct Global<'m, T> {
    name: &'m str,
    address: usize,
    is_writable: bool,
    module: PhantomData<(&'m Module, *mut T)>,
}

impl<T: Pod> Global<'_, T> {
    /// Its value. While a program that writes it runs in another thread, that may be old and new bytes mixed.
    pub fn get(&self) -> T {
        // SAFETY: the variable has as many bytes, of which any are a value, and lives as long as the module.
        unsafe { (self.address as *const T).read_unaligned() }
    }

    /// Sets it.
    ///
    /// # Errors
    ///
    /// [`GlobalError::Constant`] if it is constant.
    pub fn set(&self, value: T) -> Result<(), GlobalError> {
        if !self.is_writable {
            return Err(GlobalError::Constant { name: self.name.to_owned() });
        }
        // SAFETY: as in `get`; its memory may be written.
        unsafe { (self.address as *mut T).write_unaligned(value) }
        Ok(())
    }

    /// Its address: what a program's pointers to it are.
    pub fn as_ptr(&self) -> *mut T {
        self.address as *mut T
    }
}
