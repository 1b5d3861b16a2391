//! The size that an ISO may have.

use crate::error::{Error, Result};

/// Fails for an ISO of more than `limit` bytes, and names the largest packages.
pub fn check(bytes: u64, limit: u64, largest: &[String]) -> Result<()> {
    if bytes <= limit {
        return Ok(());
    }
    let megabytes = |bytes: u64| bytes.div_ceil(1_000_000);
    let message =
        format!("the ISO would have {} MB, more than its limit of {} MB", megabytes(bytes), limit / 1_000_000);
    Err(Error::input(message)
        .detail(format!("the largest packages: {}", largest.join(", ")))
        .help("remove packages, choose `compression: xz`, or raise `image: { size_limit: … }`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_limit_and_the_largest_packages() {
        let largest = ["linux-image (100 MB)".to_owned()];
        assert!(check(100, 100, &largest).is_ok());
        let error = check(300_000_001, 200_000_000, &largest).unwrap_err();
        assert_eq!(error.to_string(), "the ISO would have 301 MB, more than its limit of 200 MB");
        assert_eq!(error.causes(), ["the largest packages: linux-image (100 MB)"]);
    }
}
