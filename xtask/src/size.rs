//! What whole images weigh on a Cortex-M.

use std::path::Path;

use anyhow::{Context, Result};
use object::{Object, ObjectSection, SectionFlags};

/// How the sizes are printed.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// The sections of an image, in octets.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sections {
    /// `.text`.
    pub(crate) code: u64,
    /// `.rodata`.
    pub(crate) rodata: u64,
    /// What is written to: `.data`, `.bss`, `.uninit`.
    pub(crate) ram: u64,
}

impl Sections {
    /// Reads them from an ELF file.
    pub(crate) fn read(image: &Path) -> Result<Sections> {
        let data = std::fs::read(image).with_context(|| format!("cannot read {}", image.display()))?;
        let file = object::File::parse(&*data)?;
        let mut sections = Sections::default();
        for section in file.sections() {
            match section.name()? {
                ".text" => sections.code += section.size(),
                ".rodata" => sections.rodata += section.size(),
                _ => {}
            }
            if let SectionFlags::Elf { sh_flags } = section.flags()
                && sh_flags & u64::from(object::elf::SHF_ALLOC | object::elf::SHF_WRITE)
                    == u64::from(object::elf::SHF_ALLOC | object::elf::SHF_WRITE)
            {
                sections.ram += section.size();
            }
        }
        Ok(sections)
    }
}

/// Prints the sizes.
pub(crate) fn run(_arguments: &Arguments) -> Result<()> {
    Ok(())
}
