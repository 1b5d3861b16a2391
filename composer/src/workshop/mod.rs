//! The tools tree and the namespaces in which every tool runs; the only module that starts processes.
